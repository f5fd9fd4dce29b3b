package tflite

import (
	"debug/elf"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"

	"mien/given"
	"mien/model/assets"
)

// cfunc is the address of a C function whose arguments and result are
// integers or pointers.
type cfunc uintptr

// call calls f. Go memory that an argument points to is kept in place for the
// length of the call.
//
//go:uintptrescapes
func (f cfunc) call(args ...uintptr) uintptr {
	r, _, _ := purego.SyscallN(uintptr(f), args...)
	return r
}

// status calls f and gives its result as the int that TfLiteStatus and
// LiteRtStatus are; 0 is success.
//
//go:uintptrescapes
func (f cfunc) status(args ...uintptr) int32 {
	r, _, _ := purego.SyscallN(uintptr(f), args...)
	return int32(r)
}

// library is an opened shared library. It stays open as long as the process:
// both libraries own thread pools and registries that outlive their last user.
type library struct {
	path   string
	kind   string // LiteRT or TFLite
	known  bool   // by its SHA-256
	file   assets.File
	litert *litertLib
	capi   *capiLib
}

var libraries struct {
	sync.Mutex // covers the map
	opened     map[string]*library
}

// checkLibrary is assets.Check but in tests that make libraries of their own.
var checkLibrary = assets.Check

// openLibrary opens the library at path and tells its kind by its symbols. One
// that mien brings has a name, under which its bytes are compared with what mien
// was made with. Each path is opened once.
func openLibrary(name, path string) (*library, error) {
	libraries.Lock()
	defer libraries.Unlock()
	if lib := libraries.opened[path]; lib != nil {
		return lib, nil
	}
	var file assets.File
	if strings.ContainsRune(path, filepath.Separator) {
		sum := ""
		if name != "" {
			sum = assets.Sum(name, runtime.GOARCH)
		}
		var err error
		if file, err = assets.Use(path, sum, true); err != nil {
			return nil, fmt.Errorf("open library: %w: %w", err, ErrLibrary)
		}
	}
	if name != "" {
		if err := checkLibrary(name, path); err != nil {
			return nil, fmt.Errorf("open library: %w: %w", err, ErrLibrary)
		}
	}
	handle, err := dlopen(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrLibrary)
	}
	lib := &library{path: path, file: file, known: name != "" || assets.KnownFile(path)}
	switch {
	case exports(handle, "LiteRtCreateCompiledModel"):
		lib.kind = LiteRT
		if err = litertKnowsProcessor("/proc/cpuinfo", runtime.GOARCH); err == nil {
			lib.litert, err = bindLiteRT(handle)
		}
	case exports(handle, "TfLiteInterpreterCreate"):
		lib.kind = TFLite
		lib.capi, err = bindCAPI(handle)
	default:
		err = fmt.Errorf("it exports neither LiteRtCreateCompiledModel nor TfLiteInterpreterCreate, so it is no tensorflow lite library")
	}
	if err != nil {
		purego.Dlclose(handle)
		return nil, fmt.Errorf("open %s: %w: %w", path, err, ErrLibrary)
	}
	if libraries.opened == nil {
		libraries.opened = make(map[string]*library)
	}
	libraries.opened[path] = lib
	return lib, nil
}

// Opened are the libraries that this process has opened, as they were then. What a
// system has under a name of its own is left to it.
func Opened() (list []assets.File) {
	libraries.Lock()
	defer libraries.Unlock()
	for _, lib := range libraries.opened {
		if lib.file.Path != "" {
			list = append(list, lib.file)
		}
	}
	return list
}

// dlopen opens a shared library, and explains the usual reasons why not.
func dlopen(path string) (uintptr, error) {
	if strings.ContainsRune(path, filepath.Separator) {
		if err := checkELF(path); err != nil {
			return 0, err
		}
	}
	runtime.LockOSThread() // dlerror is of the thread
	defer runtime.UnlockOSThread()
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err == nil {
		return handle, nil
	}
	text := err.Error()
	hint := ""
	switch {
	case strings.Contains(text, "GLIBC_"):
		hint = "; this system's C library is too old for it: use the backend tflite, or a newer system (LiteRT needs Debian 12, Ubuntu 22.04 or JetPack 6)"
	case strings.Contains(text, "GLIBCXX_"), strings.Contains(text, "CXXABI_"):
		hint = "; this system's libstdc++ is too old for it: use the backend tflite, or a newer system"
	case strings.Contains(text, "libstdc++.so.6: cannot open"):
		hint = "; install it: apt-get install libstdc++6"
	}
	// dlerror starts with the path; say it once.
	text = strings.TrimPrefix(text, path+": ")
	return 0, fmt.Errorf("open %s: %s%s", path, text, hint)
}

// machines are the processors that mien is built for, by GOARCH.
var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64, "arm": elf.EM_ARM}

// checkELF checks that a file is a whole library for this processor: the
// dynamic linker maps what the file's head promises, and touching what a cut
// file lacks is SIGBUS.
func checkELF(path string) error {
	file, info, err := given.Open(path)
	if err != nil {
		return fmt.Errorf("open library: %w", err)
	}
	defer file.Close()
	const wayOut = "unpack the release archive for this board again, or run make deps"
	head, err := elf.NewFile(file)
	if err != nil {
		return fmt.Errorf("open %s: it is damaged, or no library (%w): %s", path, err, wayOut)
	}
	if want := machines[runtime.GOARCH]; head.Machine != want {
		return fmt.Errorf("open %s: it is for %v, this is %v: %s", path, head.Machine, want, wayOut)
	}
	if head.Type != elf.ET_DYN {
		return fmt.Errorf("open %s: it is %v, no library", path, head.Type)
	}
	for _, p := range head.Progs {
		if p.Off+p.Filesz > uint64(info.Size()) || p.Off+p.Filesz < p.Off {
			return fmt.Errorf("open %s: it is cut short at %d bytes: %s", path, info.Size(), wayOut)
		}
	}
	return nil
}

func exports(handle uintptr, symbol string) bool {
	_, err := purego.Dlsym(handle, symbol)
	return err == nil
}

// bind looks up every named symbol; the error names the first that is missing.
func bind(handle uintptr, symbols map[string]*cfunc) error {
	var missing []string
	for name, f := range symbols {
		addr, err := purego.Dlsym(handle, name)
		if err != nil {
			missing = append(missing, name)
			continue
		}
		*f = cfunc(addr)
	}
	if len(missing) > 0 {
		return fmt.Errorf("it lacks %s: another version than the one this program was made for", strings.Join(missing, ", "))
	}
	return nil
}

// libc holds the few functions of the C library that the others' interfaces
// call for.
var libc struct {
	once                    sync.Once
	err                     error
	malloc, free, vsnprintf cfunc
}

func loadLibc() error {
	libc.once.Do(func() {
		// From the process, not from libc.so.6: a preloaded allocator must free
		// what it allocated.
		libc.err = bind(purego.RTLD_DEFAULT, map[string]*cfunc{
			"malloc": &libc.malloc, "free": &libc.free, "vsnprintf": &libc.vsnprintf,
		})
		if libc.err != nil {
			libc.err = fmt.Errorf("find the C library: %w: %w", libc.err, ErrLibrary)
		}
	})
	return libc.err
}

// cstring is s as C wants it, in Go memory.
func cstring(s string) *byte {
	b := append([]byte(s), 0)
	return &b[0]
}

// gostring copies the C string at p, at most 4096 bytes of it.
func gostring(p uintptr) string {
	if p == 0 {
		return ""
	}
	start := at(p)
	n := 0
	for n < 4096 && *(*byte)(unsafe.Add(start, n)) != 0 {
		n++
	}
	return string(unsafe.Slice((*byte)(start), n))
}

// at turns an address that C gave into a pointer. The memory is not Go's: the
// collector neither moves nor frees it.
func at(addr uintptr) unsafe.Pointer {
	return *(*unsafe.Pointer)(unsafe.Pointer(&addr))
}

// cmemory views size bytes of C memory.
func cmemory(addr uintptr, size int) []byte {
	if addr == 0 || size == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(at(addr)), size)
}
