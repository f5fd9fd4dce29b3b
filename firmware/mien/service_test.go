package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"mien/model/assets"
)

// confinedBy in the environment names a file with a filter of system calls, under
// which the test binary starts itself again.
const confinedBy = "MIEN_CONFINED_BY"

// confine becomes this program again, under the filter.
func confine(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	filter := make([]unix.SockFilter, len(text)/8)
	if err := binary.Read(bytes.NewReader(text), binary.LittleEndian, filter); err != nil {
		return err
	}
	if err := os.Unsetenv(confinedBy); err != nil {
		return err
	}
	runtime.LockOSThread() // the filter is of a thread; exec keeps this one's
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0); err != nil {
		return err
	}
	return unix.Exec("/proc/self/exe", os.Args, os.Environ())
}

// serviceFilter is what SystemCallFilter and MemoryDenyWriteExecute of a service in
// board come to, by systemd's own tables, but that a refused call
// ends the program in place of failing, and shows where.
func serviceFilter(t *testing.T, service string) string {
	t.Helper()
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		t.Skip("no numbers of system calls")
	}
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("no systemd-analyze to tell what its sets of system calls hold")
	}
	text, err := os.ReadFile("../../board/" + service)
	if err != nil {
		t.Fatal(err)
	}
	// The first line says that the rest is allowed; the others add to what is
	// refused, or take from it.
	refused := map[string]bool{}
	for i, m := range regexp.MustCompile(`(?m)^SystemCallFilter=(~?)(.*)$`).FindAllStringSubmatch(string(text), -1) {
		if i == 0 && m[1] == "" {
			t.Fatal("a list of what is allowed: old systemds have not the sets for one")
		}
		for _, name := range systemCalls(t, strings.Fields(m[2])...) {
			refused[name] = m[1] != ""
		}
	}
	if refused["mmap"] || !refused["chroot"] || !refused["ptrace"] || !refused["clock_settime"] {
		t.Fatal("the filter was not understood")
	}
	if service == "mien.service" && (refused["fchownat"] || refused["adjtimex"]) {
		t.Fatal("what it needs is refused")
	}
	if !strings.Contains(string(text), "\nMemoryDenyWriteExecute=yes\n") {
		t.Fatal("no MemoryDenyWriteExecute")
	}
	var f []unix.SockFilter
	add := func(code uint16, k uint32, yes, no uint8) {
		f = append(f, unix.SockFilter{Code: code, K: k, Jt: yes, Jf: no})
	}
	const (
		load    = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal   = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		and     = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
		result  = unix.BPF_RET | unix.BPF_K
		protect = 16 + 2*8 // argument 2 in seccomp_data
	)
	add(load, 0, 0, 0)
	for _, c := range []struct{ call, mask uint32 }{{unix.SYS_MMAP, unix.PROT_WRITE | unix.PROT_EXEC}, {unix.SYS_MPROTECT, unix.PROT_EXEC}, {unix.SYS_PKEY_MPROTECT, unix.PROT_EXEC}} {
		add(equal, c.call, 0, 5)
		add(load, protect, 0, 0)
		add(and, c.mask, 0, 0)
		add(equal, c.mask, 0, 1)
		add(result, unix.SECCOMP_RET_TRAP, 0, 0)
		add(result, unix.SECCOMP_RET_ALLOW, 0, 0)
	}
	for name, number := range callNumbers(t) {
		if refused[name] {
			add(equal, number, 0, 1)
			add(result, unix.SECCOMP_RET_TRAP, 0, 0)
		}
	}
	add(result, unix.SECCOMP_RET_ALLOW, 0, 0)
	var out bytes.Buffer
	if err := binary.Write(&out, binary.LittleEndian, f); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "filter")
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// systemCalls resolves systemd's sets.
func systemCalls(t *testing.T, names ...string) (list []string) {
	t.Helper()
	for _, name := range names {
		if !strings.HasPrefix(name, "@") {
			list = append(list, name)
			continue
		}
		out, err := exec.Command("systemd-analyze", "--no-pager", "syscall-filter", name).Output()
		if err != nil {
			t.Fatalf("systemd-analyze syscall-filter %s: %v", name, err)
		}
		for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
			if word := strings.TrimSpace(s.Text()); strings.HasPrefix(s.Text(), " ") && word != "" && word[0] != '#' {
				list = append(list, systemCalls(t, word)...)
			}
		}
	}
	return list
}

// callNumbers are those of this processor, from the table that golang.org/x/sys
// is compiled of.
func callNumbers(t *testing.T) map[string]uint32 {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "golang.org/x/sys").Output()
	if err != nil {
		t.Skip("no go command")
	}
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "unix", "zsysnum_linux_"+runtime.GOARCH+".go"))
	if err != nil {
		t.Fatal(err)
	}
	numbers := map[string]uint32{}
	for _, m := range regexp.MustCompile(`(?m)^\s+SYS_(\w+)\s+= (\d+)$`).FindAllStringSubmatch(string(text), -1) {
		n, _ := strconv.Atoi(m[2])
		numbers[strings.ToLower(m[1])] = uint32(n)
	}
	if len(numbers) < 250 {
		t.Fatalf("%d system calls", len(numbers))
	}
	return numbers
}

// overheard is what a process says, read while it speaks.
type overheard struct {
	mu   sync.Mutex // covers text
	text bytes.Buffer
}

func (o *overheard) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *overheard) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// TestUnderItsService runs the unit, both libraries, a foreign network in its
// child, programs as cameras, the socket, a PLC's pty and a reload without a system call that
// board/mien.service refuses, and without memory both writable and executable.
func TestUnderItsService(t *testing.T) {
	filter := serviceFilter(t, "mien.service")
	dir := t.TempDir()
	// The network in the binary with a byte behind it: it runs, and nobody knows it.
	network := append(bytes.Clone(assets.Network()), 0)
	sum := sha256.Sum256(network)
	card := regexp.MustCompile(`"sha256": "[0-9a-f]{64}"`).ReplaceAll(assets.Card(), fmt.Appendf(nil, `"sha256": "%s"`, hex.EncodeToString(sum[:])))
	for name, data := range map[string][]byte{"affect.tflite": network, "affect.json": card} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	start := func(args ...string) (*exec.Cmd, *overheard) {
		exe, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(exe, args...)
		cmd.Env = append(os.Environ(), asProcess+"=1", confinedBy+"="+filter)
		said := new(overheard)
		cmd.Stdout, cmd.Stderr = said, said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
		return cmd, said
	}
	for _, backend := range []string{"litert", "tflite"} {
		for _, path := range []string{"", filepath.Join(dir, "affect.json")} {
			cfg := write(t, fmt.Sprintf("[model]\nbackend = %q\ncard = %q\n", backend, path))
			cmd, said := start("bench", "-json", "-config", cfg, "-for", "200ms")
			if err := cmd.Wait(); err != nil {
				t.Errorf("%s %q: %v\n%s", backend, path, err, said)
			}
		}
	}
	socket, state := filepath.Join(dir, "s"), filepath.Join(dir, "state")
	config := func(card string) string {
		return fmt.Sprintf("[camera]\nclip = \"demo.mjpeg\"\nloop = true\n[model]\ncard = %q\n[socket]\npath = %q\n[state]\ndir = %q\n[[alarm]]\nname = \"brow\"\nsignal = \"au4\"\nhigh = 0.7\n", card, socket, state)
	}
	path := write(t, config(""))
	cmd, said := start("run", "-log", "-config", path)
	asks := func(args ...string) {
		t.Helper()
		var out string
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
			var code int
			if code, out = mien(append(args, "-socket", socket)...); code == exitOK {
				return
			}
		}
		t.Errorf("%v: %s\n%s", args, out, said)
	}
	asks("alarms")
	asks("shelve", "brow", "1m")
	asks("events")
	if err := os.WriteFile(path, []byte(config(filepath.Join(dir, "affect.json"))), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd.Process.Signal(syscall.SIGHUP)
	time.Sleep(2 * time.Second)
	asks("unshelve", "brow")
	cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Errorf("run: %v\n%s", err, said)
	}
	// A program as the camera, under the same filter: a shell, and what makes pictures of
	// CSI cameras, where it is installed.
	picture := filepath.Join(dir, "picture.jpg")
	if err := os.WriteFile(picture, assets.Demo()[:bytes.Index(assets.Demo(), []byte{0xff, 0xd9})+2], 0o644); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{
		{"sh", "-c", "while :; do cat " + picture + "; sleep 0.05; done"},
		strings.Fields("gst-launch-1.0 -q videotestsrc is-live=true ! video/x-raw,width=640,height=480,framerate=30/1,format=NV12 ! videoconvert ! video/x-raw,format=I420 ! y4menc ! fdsink"),
		strings.Fields("ffmpeg -loglevel error -re -f lavfi -i testsrc2=size=640x480:rate=30 -pix_fmt yuv420p -f yuv4mpegpipe -"),
	} {
		if _, err := exec.LookPath(command[0]); err != nil {
			t.Logf("without %s: %v", command[0], err)
			continue
		}
		words, err := json.Marshal(command) // TOML's own form of such a list
		if err != nil {
			t.Fatal(err)
		}
		path := write(t, fmt.Sprintf("[camera]\ncommand = %s\n[socket]\npath = %q\n[state]\ndir = %q\n", words, socket, filepath.Join(dir, "programs")))
		cmd, said := start("run", "-log", "-config", path)
		for end := time.Now().Add(20 * time.Second); !strings.Contains(said.String(), "640x480") && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		}
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil || !strings.Contains(said.String(), "640x480") || strings.Contains(said.String(), "Bad system call") {
			t.Errorf("%s: %v\n%s", command[0], err, said)
		}
	}
	pty := filepath.Join(dir, "plc")
	cmd, said = start("demo", "-log", "-modbus", pty)
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if _, err := os.Stat(pty); err == nil {
			break
		}
	}
	time.Sleep(time.Second)
	cmd.Process.Signal(syscall.SIGINT)
	if err := cmd.Wait(); err != nil {
		t.Errorf("demo: %v\n%s", err, said)
	}
}
