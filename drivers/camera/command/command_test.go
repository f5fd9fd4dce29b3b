package command

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mien/drivers/camera"
	"mien/drivers/camera/cameratest"
	"mien/drivers/device"
)

// The program is this test's own: programs says what it does.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "program" {
		programs[os.Args[2]](os.Args[3:])
		return
	}
	os.Exit(m.Run())
}

// program is the command that does what it is named after.
func program(t testing.TB, name string, args ...string) []string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if programs[name] == nil {
		t.Fatal("no program " + name)
	}
	return append([]string{exe, "program", name}, args...)
}

const header = "YUV4MPEG2 W64 H48 F30:1 C420jpeg\n"

// y4mFrame is a frame whose first byte is its number.
func y4mFrame(n int) []byte {
	b := append([]byte("FRAME\n"), bytes.Repeat([]byte{byte(n >> 8)}, 64*48*3/2)...)
	b[6] = byte(n)
	return b
}

func out(parts ...[]byte) {
	for _, p := range parts {
		if _, err := os.Stdout.Write(p); err != nil {
			os.Exit(3)
		}
	}
}

func paced(every time.Duration, frame func(n int) []byte) {
	for n := 0; ; n++ {
		out(frame(n))
		time.Sleep(every)
	}
}

// hang does not wait for nothing at all: that Go finds out, and ends the program.
func hang() {
	for {
		time.Sleep(time.Hour)
	}
}

var programs map[string]func(args []string)

func init() {
	jpeg := cameratest.JPEG(64, 48)
	programs = map[string]func(args []string){
		"y4m": func([]string) { out([]byte(header)); paced(5*time.Millisecond, y4mFrame) },
		"y4m in pieces": func([]string) {
			out([]byte(header[:20]), []byte(header[20:]))
			for n := 0; ; n++ {
				f := y4mFrame(n)
				f = append([]byte("FRAME Xa=b\n"), f[6:]...)
				for at := 0; at < len(f); at += 997 {
					out(f[at:min(at+997, len(f))])
				}
				time.Sleep(5 * time.Millisecond)
			}
		},
		"422": func([]string) {
			out([]byte("YUV4MPEG2 W7 H5 C422\n"))
			paced(5*time.Millisecond, func(int) []byte { return append([]byte("FRAME\n"), make([]byte, 35+40)...) })
		},
		"jpeg": func([]string) { paced(5*time.Millisecond, func(int) []byte { return jpeg }) },
		"multipart": func([]string) {
			paced(5*time.Millisecond, func(int) []byte {
				return cameratest.Join([]byte("--b\r\nContent-Type: image/jpeg\r\n\r\n"), jpeg, []byte("\r\n"))
			})
		},
		"jpeg in pieces": func([]string) {
			for {
				for at := 0; at < len(jpeg); at += 13 {
					out(jpeg[at:min(at+13, len(jpeg))])
				}
				time.Sleep(5 * time.Millisecond)
			}
		},
		"jpeg without ends": func([]string) {
			bare := cameratest.Join(cameratest.SOI, cameratest.SOF, cameratest.SOS, cameratest.Scan)
			paced(5*time.Millisecond, func(int) []byte { return bare })
		},
		"every third JPEG damaged": func([]string) {
			paced(5*time.Millisecond, func(n int) []byte {
				if n%3 == 2 {
					return jpeg[:len(jpeg)/2]
				}
				return jpeg
			})
		},
		"one of another size": func([]string) {
			other := cameratest.JPEG(32, 48)
			paced(5*time.Millisecond, func(n int) []byte {
				if n == 3 {
					return other
				}
				return jpeg
			})
		},

		"hangs":           func([]string) { os.Stderr.WriteString("opening camera\n"); hang() },
		"hangs after two": func([]string) { out([]byte(header), y4mFrame(0), y4mFrame(1)); hang() },
		"floods": func([]string) {
			out([]byte(header))
			paced(0, y4mFrame)
		},
		"floods with large ones": func([]string) {
			out([]byte("YUV4MPEG2 W4096 H3000 C420\n"))
			f := append([]byte("FRAME\n"), make([]byte, 4096*3000*3/2)...)
			paced(0, func(int) []byte { return f })
		},
		"half frames": func([]string) {
			out([]byte(header))
			paced(5*time.Millisecond, func(n int) []byte { return y4mFrame(n)[:2000] })
		},
		"half JPEGs": func([]string) {
			out(jpeg)
			paced(5*time.Millisecond, func(int) []byte { return jpeg[:len(jpeg)/2] })
		},
		"changes its size": func([]string) {
			out([]byte(header), y4mFrame(0), y4mFrame(1), []byte("YUV4MPEG2 W32 H24 C420jpeg\n"))
			hang()
		},
		"JPEGs change their size": func([]string) {
			for range 5 {
				out(jpeg)
			}
			paced(5*time.Millisecond, func(int) []byte { return cameratest.JPEG(32, 24) })
		},
		"exits at once": func([]string) {
			os.Stderr.WriteString("ERROR: *** no cameras available ***\n\x1b[31m")
			os.Exit(7)
		},
		"exits well":      func([]string) {},
		"is killed":       func([]string) { unix.Kill(os.Getpid(), unix.SIGKILL); hang() },
		"crashes":         func([]string) { signal.Reset(); unix.Kill(os.Getpid(), unix.SIGTERM); hang() },
		"closes output":   func([]string) { out([]byte(header), y4mFrame(0)); os.Stdout.Close(); hang() },
		"ends in a frame": func([]string) { out([]byte(header), y4mFrame(0), y4mFrame(1)[:100]) },
		"writes nothing but zeros": func([]string) {
			zeros := make([]byte, 1<<20)
			for {
				out(zeros)
			}
		},
		"zeros behind a JPEG": func([]string) {
			out(jpeg)
			paced(0, func(int) []byte { return make([]byte, 1<<20) })
		},
		"a JPEG without end": func([]string) {
			out(jpeg[:len(jpeg)-2])
			paced(0, func(int) []byte { return bytes.Repeat([]byte{0x55}, 1<<20) })
		},
		"talks without end": func([]string) {
			line := bytes.Repeat([]byte("blah "), 1000)
			for {
				os.Stderr.Write(line)
			}
		},
		"talks without end, and gives pictures": func([]string) {
			go func() {
				line := append(bytes.Repeat([]byte("blah "), 1000), '\n')
				for {
					os.Stderr.Write(line)
				}
			}()
			out([]byte(header))
			paced(5*time.Millisecond, y4mFrame)
		},
		"compressed": func([]string) { out([]byte{0, 0, 0, 1, 0x67}, make([]byte, 100000)); hang() },
		"gst without -q": func([]string) {
			out([]byte("Setting pipeline to PAUSED ...\nPipeline is PREROLLED ...\n"), bytes.Repeat([]byte("x"), 70000))
			hang()
		},
		"huge":    func([]string) { out([]byte("YUV4MPEG2 W16000 H16000 C420\n")); hang() },
		"411":     func([]string) { out([]byte("YUV4MPEG2 W64 H48 C411\n")); hang() },
		"no line": func([]string) { out([]byte("YUV4MPEG2 "), bytes.Repeat([]byte("X"), 5000)); hang() },

		"ignores Ctrl-C": func([]string) {
			signal.Ignore(unix.SIGINT, unix.SIGTERM)
			out([]byte(header))
			paced(5*time.Millisecond, y4mFrame)
		},
		"tidies up": func(args []string) {
			c := make(chan os.Signal, 1)
			signal.Notify(c, unix.SIGINT)
			go func() {
				<-c
				os.WriteFile(args[0], []byte("tidy"), 0o600)
				os.Exit(0)
			}()
			out([]byte(header))
			paced(5*time.Millisecond, y4mFrame)
		},
		// It starts another one, which outlives it, and tells its number.
		"leaves one behind": func(args []string) {
			child := exec.Command("/proc/self/exe", "program", "ignores Ctrl-C")
			child.Stdout = os.Stdout
			child.Start()
			os.WriteFile(args[0], []byte(strconv.Itoa(child.Process.Pid)), 0o600)
			time.Sleep(100 * time.Millisecond)
		},
		// It tells what it was born with: one line each.
		"looks around": func(args []string) {
			var b strings.Builder
			status, _ := os.ReadFile("/proc/self/status")
			for _, line := range strings.Split(string(status), "\n") {
				if strings.HasPrefix(line, "NoNewPrivs:") {
					fmt.Fprintln(&b, line)
				}
			}
			fds, _ := os.ReadDir("/proc/self/fd")
			for _, fd := range fds {
				if n, _ := strconv.Atoi(fd.Name()); n > 2 {
					target, _ := os.Readlink("/proc/self/fd/" + fd.Name())
					if !strings.HasPrefix(target, "/sys/fs/cgroup/") && !strings.HasPrefix(target, "/proc/") /* its runtime's own */ && !strings.HasPrefix(target, "anon_inode:") && target != "" {
						fmt.Fprintln(&b, "descriptor", fd.Name(), target)
					}
				}
			}
			if unix.Getpgrp() != os.Getpid() {
				fmt.Fprintln(&b, "its parent's group")
			}
			for network, to := range map[string]string{"tcp4": "127.0.0.1:9", "tcp6": "[::1]:9", "udp4": "127.0.0.1:9"} {
				if _, err := net.Dial(network, to); !errors.Is(err, unix.EAFNOSUPPORT) {
					fmt.Fprintln(&b, network, err)
				}
			}
			if fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0); err != nil {
				fmt.Fprintln(&b, "unix", err)
			} else {
				unix.Close(fd)
			}
			if _, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 0, 0, 0); errno != unix.ENOSYS {
				fmt.Fprintln(&b, "io_uring", errno)
			}
			var core unix.Rlimit
			unix.Getrlimit(unix.RLIMIT_CORE, &core)
			score, _ := os.ReadFile("/proc/self/oom_score_adj")
			fmt.Fprint(&b, "core ", core.Cur, " oom ", string(score))
			for _, name := range []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "MIEN_LIB"} {
				if os.Getenv(name) != "" {
					fmt.Fprintln(&b, name)
				}
			}
			os.WriteFile(args[0], []byte(b.String()), 0o600)
			hang()
		},
		// It is the unit of a program that it starts; whoever started it kills it.
		"unit": func(args []string) {
			src, err := Open(args)
			if err != nil {
				panic(err)
			}
			fmt.Println(src.(*source).child.process.Pid)
			for {
				src.Next(time.Second)
			}
		},
	}
}

func open(t testing.TB, name string, args ...string) *source {
	t.Helper()
	src, err := Open(program(t, name, args...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := src.Close(); err != nil {
			t.Error(err)
		}
	})
	return src.(*source)
}

// awaits looks until a condition holds.
func awaits(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not within 10 s: " + what)
		}
	}
}

func TestPictures(t *testing.T) {
	for name, want := range map[string]string{
		"y4m": "YU12 64x48 stride 64 at 30, 4608 bytes", "y4m in pieces": "YU12 64x48 stride 64 at 30, 4608 bytes",
		"422":  "422P 7x5 stride 7 at 0, 75 bytes",
		"jpeg": "MJPG 64x48 stride 0 at 0, 1", "jpeg in pieces": "MJPG 64x48 stride 0 at 0, 1", "multipart": "MJPG 64x48 stride 0 at 0, 1",
		"jpeg without ends": "MJPG 64x48 stride 0 at 0, 36", "every third JPEG damaged": "MJPG 64x48 stride 0 at 0, 1",
		"one of another size": "MJPG 64x48 stride 0 at 0, 1", "talks without end, and gives pictures": "YU12 64x48 stride 64 at 30, 4608 bytes",
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, name)
			if i := s.Info(); i.Starts == 0 || !i.Live || i.Stamped || i.Driver != "command" {
				t.Errorf("%+v", i)
			}
			var last camera.Frame
			for n := range 20 {
				f, err := s.Next(5 * time.Second)
				if err != nil {
					t.Fatal(err)
				}
				if n > 0 && (f.Sequence-last.Sequence != f.Lost+1 || f.Time <= last.Time) {
					t.Errorf("frame %d at %v, %d lost, after frame %d at %v", f.Sequence, f.Time, f.Lost, last.Sequence, last.Time)
				}
				if age := device.Now() - f.Time; age < 0 || age > 5*time.Second {
					t.Errorf("%v old", age)
				}
				if f.Format == camera.MJPEG && !bytes.HasPrefix(f.Data, cameratest.SOI) {
					t.Error("no JPEG")
				}
				i := s.Info()
				got := fmt.Sprintf("%s %dx%d stride %d at %g, %d bytes", camera.FormatName(f.Format), f.Width, f.Height, f.Stride, i.FPS, len(f.Data))
				if !strings.HasPrefix(got, want) {
					t.Fatalf("%s, want %s", got, want)
				}
				if i.Format != f.Format || i.Width != f.Width || i.Height != f.Height {
					t.Errorf("%+v", i)
				}
				last = *f
				if n%2 == 0 { // the next Next gives it back as well
					s.Release()
				}
			}
			c := s.Info().Counts
			if (c.Corrupt > 0) != (name == "every third JPEG damaged") || (c.WrongSize > 0) != (name == "one of another size") || c.Frames != 20 {
				t.Errorf("%+v", c)
			}
		})
	}
}

// The bytes come back as they were written: every frame of a paced program.
func TestBytes(t *testing.T) {
	s := open(t, "y4m in pieces")
	for range 30 {
		f, err := s.Next(5 * time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if f.Data[0] != byte(f.Sequence) || !bytes.Equal(f.Data[1:], y4mFrame(int(f.Sequence))[7:]) {
			t.Fatalf("frame %d begins with %d", f.Sequence, f.Data[0])
		}
	}
}

// A slow reader sees the newest picture, the program never waits, and memory stays
// what it was. A picture that is out stays as it is.
func TestNewestOnly(t *testing.T) {
	s := open(t, "y4m")
	for range 4 {
		f, err := s.Next(5 * time.Second)
		if err != nil {
			t.Fatal(err)
		}
		first, seq := f.Data[0], f.Sequence
		time.Sleep(200 * time.Millisecond)
		if f.Data[0] != first {
			t.Fatal("the picture changed while it was out")
		}
		f, err = s.Next(time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if age := device.Now() - f.Time; age > 150*time.Millisecond || f.Lost < 5 || f.Sequence-seq != f.Lost+1 {
			t.Errorf("frame %d, %v old, %d lost, after %d", f.Sequence, age, f.Lost, seq)
		}
	}
	if c := s.Info().Counts; c.PassedOver < 20 {
		t.Errorf("%+v", c)
	}
}

func TestTrouble(t *testing.T) {
	for name, want := range map[string]string{
		"floods":                   "more than 500 pictures/s|-re",
		"floods with large ones":   "more than 500 MB/s",
		"half frames":              "frame 2 does not begin|no FRAME line|cut short",
		"half JPEGs":               "damaged JPEGs in a row",
		"changes its size":         "size changed from 64x48 to 32x24",
		"JPEGs change their size":  "size changed from 64x48 to 32x24",
		"exits at once":            "it ended: exit status 7|it said: ERROR: *** no cameras available ***",
		"exits well":               "ended by itself, without an error",
		"is killed":                "it was killed|MemoryMax",
		"crashes":                  "it ended: signal: terminated",
		"closes output":            "closed its standard output, and runs on",
		"ends in a frame":          "ended by itself",
		"writes nothing but zeros": "neither YUV4MPEG2 nor JPEG|zeros alone",
		"zeros behind a JPEG":      "no JPEG in 1048576 bytes behind picture 1",
		"a JPEG without end":       "more than 8 MiB",
		"compressed":               "compressed video",
		"gst without -q":           "Setting pipeline|needs -q",
		"huge":                     "16000x16000 pixels; at most 4096",
		"411":                      "not supported: colour space C411",
		"no line":                  "has no end in 1024 bytes",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, name)
			var err error
			for end := time.Now().Add(20 * time.Second); err == nil && time.Now().Before(end); {
				if _, err = s.Next(10 * time.Second); err == nil {
					s.Release()
				}
			}
			if c := s.Info().Counts; name == "floods with large ones" && err == nil && c.Frames > 0 {
				t.Skip("this machine does not write 500 MB/s")
			}
			if !errors.Is(err, camera.ErrGone) {
				t.Fatalf("%v", err)
			}
			for _, part := range strings.Split(want, "|") {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%v: not %q", err, part)
				}
			}
			if strings.ContainsFunc(err.Error(), func(r rune) bool { return !strconv.IsPrint(r) }) {
				t.Errorf("%q", err)
			}
			t.Log(err)
			if _, again := s.Next(0); again == nil || again.Error() != err.Error() {
				t.Errorf("then %v", again)
			}
		})
	}
}

func TestHangs(t *testing.T) {
	for name, want := range map[string]string{"hangs": "it said: opening camera", "talks without end": "blah blah"} {
		s := open(t, name)
		awaits(t, want, func() bool { return strings.Contains(s.Info().Said, want[len(want)-9:]) })
		_, err := s.Next(50 * time.Millisecond)
		if !errors.Is(err, camera.ErrTimeout) || !strings.Contains(err.Error(), want) || len(err.Error()) > 500 {
			t.Errorf("%v", err)
		}
	}
	s := open(t, "hangs after two")
	for {
		if _, err := s.Next(300 * time.Millisecond); err != nil {
			if !errors.Is(err, camera.ErrTimeout) {
				t.Error(err)
			}
			break
		}
	}
}

func TestNoProgram(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct {
		command []string
		is      error
		says    string
	}{
		{nil, camera.ErrUnsupported, "empty command"},
		{[]string{""}, camera.ErrUnsupported, "empty command"},
		{[]string{"no-such-camera-program"}, camera.ErrNotFound, "no such program here"},
		{[]string{"/no/such/program"}, camera.ErrNotFound, "no such program here"},
		{[]string{file("plain", "x", 0o644)}, camera.ErrPermission, "permission denied"},
		{[]string{file("text", "hello", 0o755)}, camera.ErrUnsupported, "no program of this machine"},
		{[]string{file("lost", "#!/no/such/interpreter\n", 0o755)}, camera.ErrNotFound, "interpreter"},
		{[]string{dir}, nil, ""},
	} {
		src, err := Open(c.command)
		if err == nil {
			src.Close()
			t.Errorf("%v was started", c.command)
			continue
		}
		if c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v: %v", c.command, err)
		}
	}
}

func TestClose(t *testing.T) {
	s := open(t, "hangs")
	got := make(chan error)
	go func() {
		_, err := s.Next(time.Minute)
		got <- err
	}()
	time.Sleep(50 * time.Millisecond)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-got; !errors.Is(err, camera.ErrClosed) {
		t.Error(err)
	}
	if _, err := s.Next(0); !errors.Is(err, camera.ErrClosed) {
		t.Error(err)
	}

	// A picture that is out outlives it.
	s = open(t, "y4m")
	f, err := s.Next(5 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	_ = f.Data[len(f.Data)-1]
	if err := s.Release(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// ended tells whether a process is gone, or a zombie that its parent has yet to see.
func ended(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, rest, _ := bytes.Cut(stat, []byte(") "))
	return len(rest) > 0 && rest[0] == 'Z'
}

func TestEnds(t *testing.T) {
	// As by Ctrl-C, with time to tidy up.
	path := filepath.Join(t.TempDir(), "tidy")
	s := open(t, "tidies up", path)
	if _, err := s.Next(5 * time.Second); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if text, err := os.ReadFile(path); string(text) != "tidy" {
		t.Error(err)
	}
	// For good, where that does not help: it ignores the signal, or it is stopped.
	for _, how := range []string{"", "stopped"} {
		s = open(t, "ignores Ctrl-C")
		if _, err := s.Next(5 * time.Second); err != nil {
			t.Fatal(err)
		}
		pid := s.child.process.Pid
		if how != "" {
			unix.Kill(pid, unix.SIGSTOP)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if !ended(pid) {
			t.Errorf("%d lives on", pid)
		}
	}
	// With whom it started and left behind.
	path = filepath.Join(t.TempDir(), "left")
	s = open(t, "leaves one behind", path)
	var err error
	for err == nil {
		_, err = s.Next(5 * time.Second)
	}
	if !errors.Is(err, camera.ErrGone) || !strings.Contains(err.Error(), "ended by itself") {
		t.Error(err)
	}
	text, _ := os.ReadFile(path)
	left, _ := strconv.Atoi(string(text))
	if left == 0 {
		t.Fatal("none was left")
	}
	awaits(t, "who was left behind ends", func() bool { return ended(left) })
}

// It ends with its unit, whatever ends that.
func TestEndsWithItsUnit(t *testing.T) {
	for _, name := range []string{"ignores Ctrl-C", "hangs"} {
		command := program(t, "unit", program(t, name)...)
		unit := exec.Command(command[0], command[1:]...)
		said, err := unit.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := unit.Start(); err != nil {
			t.Fatal(err)
		}
		var pid int
		if _, err := fmt.Fscan(said, &pid); err != nil || ended(pid) {
			t.Fatalf("%d: %v", pid, err)
		}
		unit.Process.Kill()
		unit.Wait()
		awaits(t, "the program ends", func() bool { return ended(pid) })
	}
}

func TestConfined(t *testing.T) {
	for _, name := range []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "MIEN_LIB"} {
		t.Setenv(name, "/run/x")
	}
	// A descriptor that a program would inherit.
	fd, err := unix.Open(os.Args[0], unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "around")
	s := open(t, "looks around", path)
	var text []byte
	awaits(t, "it has looked around", func() bool { text, _ = os.ReadFile(path); return bytes.Contains(text, []byte("oom")) })
	network := "tcp4 refused"
	if runtime.GOARCH == "amd64" || runtime.GOARCH == "arm64" || runtime.GOARCH == "arm" {
		network = ""
	}
	if got := string(text); got != network+"NoNewPrivs:\t1\ncore 0 oom 500\n" {
		t.Errorf("%q", got)
	}
	if w := s.Info().Warnings; len(w) != 0 {
		t.Error(w)
	}
	// The unit itself is not confined by it: its next thread may have sockets.
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}

// Whatever happens, nothing stays behind.
func TestLeavesNothing(t *testing.T) {
	round := func() {
		for _, name := range []string{"exits at once", "y4m", "jpeg", "half frames"} {
			s := open(t, name)
			s.Next(time.Second)
			s.Close()
		}
		Open([]string{"/no/such/program"})
		Open([]string{os.DevNull})
	}
	fds := func() int { list, _ := os.ReadDir("/proc/self/fd"); return len(list) }
	threads := func() int { list, _ := os.ReadDir("/proc/self/task"); return len(list) }
	round()
	before, goroutines, tasks := fds(), runtime.NumGoroutine(), threads()
	for range 10 {
		round()
	}
	awaits(t, "nothing is left", func() bool { return fds() <= before && runtime.NumGoroutine() <= goroutines })
	if n := threads(); n > tasks+6 {
		t.Errorf("%d threads, then %d", tasks, n)
	}
}

func TestAllocatesNothing(t *testing.T) {
	for _, name := range []string{"y4m", "jpeg"} {
		s := open(t, name)
		for range 10 {
			if _, err := s.Next(5 * time.Second); err != nil {
				t.Fatal(err)
			}
		}
		if n := testing.AllocsPerRun(50, func() { s.Next(time.Second); s.Release() }); n != 0 {
			t.Errorf("%s: %v allocations a frame", name, n)
		}
	}
}
