package pixel

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"unsafe"

	"github.com/ebitengine/purego"
)

// The TurboJPEG C API, turbojpeg.h of libjpeg-turbo 2.0; version 3 keeps it.
const (
	tjGrey          = 6    // TJPF_GRAY
	tjRGB           = 0    // TJPF_RGB
	tjSampGrey      = 3    // TJSAMP_GRAY
	tjCMYK          = 3    // TJCS_CMYK and up: colour spaces of print
	tjStopOnWarning = 8192 // TJFLAG_STOPONWARNING
)

// turbo is one TurboJPEG decompressor.
type turbo struct {
	name   string
	handle uintptr

	create, header, decompress, toPlanes, errorString, destroy uintptr

	// What the library writes to and reads lies here, on the heap: Go may move a
	// stack. jpeg and picture keep the two buffers there too while it runs.
	head          struct{ width, height, sampling, space int32 }
	plane         [3]uintptr
	pitch         [3]int32
	jpeg, picture []byte
	args          [9]uintptr // a list of its own for each call would be allocated
}

func openTurbo(library string) (*turbo, error) {
	runtime.LockOSThread() // dlerror is of the thread
	defer runtime.UnlockOSThread()
	lib, err := purego.Dlopen(library, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		text := strings.TrimSpace(err.Error())
		if strings.Contains(text, "cannot open shared object file: No such file") {
			text += ": it is faster; install the package libturbojpeg0 (Ubuntu: libturbojpeg)"
		}
		return nil, errors.New(text)
	}
	t := &turbo{name: "libturbojpeg (" + library + ")"}
	var create uintptr
	for _, s := range []struct {
		name string
		to   *uintptr
	}{
		{"tjInitDecompress", &create},
		{"tjDecompressHeader3", &t.header},
		{"tjDecompress2", &t.decompress},
		{"tjDecompressToYUVPlanes", &t.toPlanes},
		{"tjGetErrorStr2", &t.errorString},
		{"tjDestroy", &t.destroy},
	} {
		if *s.to, err = purego.Dlsym(lib, s.name); err != nil {
			purego.Dlclose(lib)
			return nil, fmt.Errorf("%s has no %s: libjpeg-turbo 2.0 or newer is needed", library, s.name)
		}
	}
	t.create = create
	if err := t.open(); err != nil {
		purego.Dlclose(lib)
		return nil, fmt.Errorf("%s: %w", library, err)
	}
	return t, nil
}

func (t *turbo) open() error {
	if t.handle, _, _ = purego.SyscallN(t.create); t.handle == 0 {
		return errors.New("tjInitDecompress failed")
	}
	return nil
}

// close frees the decompressor. The library stays loaded: another Decoder may
// use it.
func (t *turbo) close() {
	purego.SyscallN(t.destroy, t.handle)
	t.handle = 0
}

// call gives what a C function of type int returns.
func (t *turbo) call(function uintptr, args ...uintptr) int32 {
	rc, _, _ := purego.SyscallN(function, t.args[:copy(t.args[:], args)]...)
	return int32(rc)
}

// complaint is an error or a warning of the library that may mean no loss of
// picture.
type complaint struct{ error }

func (c complaint) Unwrap() error { return c.error }

func mayBeWhole(err error) bool {
	var c complaint
	return errors.As(err, &c)
}

// losses are the library's warnings (jerror.h) behind which there is no whole
// picture: cut short, a code that no table has, out of step with the restart
// markers.
var losses = [][]byte{[]byte("premature end"), []byte("Premature end"), []byte("bad Huffman code"), []byte("bad arithmetic code"),
	[]byte("instead of RST"), []byte("Inconsistent progression")}

// turboDecode is Decode by libturbojpeg. After an error the library's state is
// not to be trusted (a damaged header makes version 2.1 refuse all that follows):
// the decompressor is made again, and Go's takes over if that fails.
func (d *Decoder) turboDecode(data []byte, colour bool) (Image, error) {
	t := d.turbo
	if t == nil {
		return Image{}, complaint{fmt.Errorf("libturbojpeg: %w", d.why)}
	}
	// Version 2 keeps the text of an error or warning that libjpeg itself raised by
	// thread, whatever the handle: what failed and why must be asked for on one.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	t.jpeg = data
	img, err := t.decode(d, colour)
	t.jpeg, t.picture = nil, nil
	if err != nil {
		t.close()
		if again := t.open(); again != nil {
			d.turbo, d.why = nil, again
		}
	}
	return img, err
}

func (t *turbo) decode(d *Decoder, colour bool) (Image, error) {
	head := &t.head
	jpeg, size := uintptr(unsafe.Pointer(unsafe.SliceData(t.jpeg))), uintptr(len(t.jpeg))
	if t.call(t.header, t.handle, jpeg, size,
		uintptr(unsafe.Pointer(&head.width)), uintptr(unsafe.Pointer(&head.height)),
		uintptr(unsafe.Pointer(&head.sampling)), uintptr(unsafe.Pointer(&head.space))) != 0 {
		return Image{}, t.fault()
	}
	if err := checkSize(int(head.width), int(head.height)); err != nil {
		return Image{}, err
	}
	if head.space >= tjCMYK {
		return Image{}, fmt.Errorf("colour space %d of print: %w", head.space, ErrFormat)
	}
	w, h := int(head.width), int(head.height)
	img := Image{Format: GREY, Width: w, Height: h, FullRange: true}
	if colour && head.sampling != tjSampGrey {
		sampling := noFormat
		if int(head.sampling) < len(samplings) {
			sampling = samplings[head.sampling]
		}
		img.Format = planarFormat(sampling, w, h)
	}
	img.Data = d.room(img.planarSize())
	t.picture = img.Data
	picture := uintptr(unsafe.Pointer(unsafe.SliceData(img.Data)))
	var rc int32
	switch img.Format {
	case RGB24:
		rc = t.call(t.decompress, t.handle, jpeg, size, picture, uintptr(w), uintptr(3*w), uintptr(h), tjRGB, tjStopOnWarning)
	case GREY:
		rc = t.call(t.decompress, t.handle, jpeg, size, picture, uintptr(w), uintptr(w), uintptr(h), tjGrey, tjStopOnWarning)
	default:
		cw, ch := img.chromaSize()
		t.plane = [3]uintptr{picture, picture + uintptr(w*h), picture + uintptr(w*h+cw*ch)}
		t.pitch = [3]int32{int32(w), int32(cw), int32(cw)}
		rc = t.call(t.toPlanes, t.handle, jpeg, size, uintptr(unsafe.Pointer(&t.plane)), uintptr(w),
			uintptr(unsafe.Pointer(&t.pitch)), uintptr(h), tjStopOnWarning)
	}
	runtime.KeepAlive(t)
	if rc != 0 && (d.restarts || !t.harmless()) {
		return Image{}, t.fault()
	}
	return img, nil
}

// samplings are the formats of TJSAMP_444, 422, 420.
var samplings = [...]Format{YUV444P, YUV422P, YUV420}

// words gives the library's text about its last error, in its own memory.
func (t *turbo) words() []byte {
	p, _, _ := purego.SyscallN(t.errorString, t.handle)
	if p == 0 {
		return nil
	}
	start := *(**byte)(unsafe.Pointer(&p)) // C memory: Go's collector does not move it
	n := 0
	for n < 200 && *(*byte)(unsafe.Add(unsafe.Pointer(start), n)) != 0 {
		n++
	}
	return unsafe.Slice(start, n)
}

// maxPadding is how many bytes a camera may leave between its picture and the
// end marker without a second look.
const maxPadding = 64

// harmless tells the one warning with a whole picture behind it: "Corrupt JPEG
// data: 1 extraneous bytes before marker 0xd9". Many webcams pad their frames
// so. As it was the first warning, all of the picture has been decoded, unless the
// decoder was looking for a restart marker.
func (t *turbo) harmless() bool {
	words := t.words()
	words, found := bytes.CutPrefix(words, []byte("Corrupt JPEG data: "))
	if !found || !bytes.HasSuffix(words, []byte(" extraneous bytes before marker 0xd9")) {
		return false
	}
	n := 0
	for _, c := range words {
		if c < '0' || c > '9' || n > maxPadding {
			break
		}
		n = 10*n + int(c-'0')
	}
	return n <= maxPadding
}

// fault gives the library's own words.
func (t *turbo) fault() error {
	words := t.words()
	if len(words) == 0 {
		words = []byte("unknown error")
	}
	err := fmt.Errorf("libturbojpeg: %s: %w", words, ErrCorrupt)
	for _, l := range losses {
		if bytes.Contains(words, l) {
			return err
		}
	}
	return complaint{err}
}
