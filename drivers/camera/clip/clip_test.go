package clip

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mien/drivers/camera"
	"mien/drivers/camera/cameratest"
)

var (
	soi, eoi, sof, sos, scan = cameratest.SOI, cameratest.EOI, cameratest.SOF, cameratest.SOS, cameratest.Scan
	join, segment, jpegOf    = cameratest.Join, cameratest.Segment, cameratest.JPEG
	testJPEG                 = jpegOf(64, 48)
)

func mustNext(t testing.TB, s camera.Source, timeout time.Duration) *camera.Frame {
	t.Helper()
	f, err := s.Next(timeout)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// y4mClip makes a clip whose frame k is filled with k.
func y4mClip(header string, frames, size int) []byte {
	var b bytes.Buffer
	b.WriteString("YUV4MPEG2 " + header + "\n")
	for k := range frames {
		if k%2 == 1 {
			b.WriteString("FRAME Ip\n")
		} else {
			b.WriteString("FRAME\n")
		}
		b.Write(bytes.Repeat([]byte{byte(k)}, size))
	}
	return b.Bytes()
}

func write(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// bothWays opens data from memory and from a file.
func bothWays(t *testing.T, data []byte, o Options, check func(t *testing.T, s camera.Source, err error)) {
	t.Helper()
	clock := o.Clock
	for _, way := range []string{"memory", "file"} {
		t.Run(way, func(t *testing.T) {
			if clock == nil {
				o.Clock = &cameratest.Clock{At: 50 * time.Second}
			}
			var s camera.Source
			var err error
			if way == "memory" {
				s, err = New("test clip", data, o)
			} else {
				s, err = Open(write(t, "clip", data), o)
			}
			check(t, s, err)
			if s != nil {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
				if _, err := s.Next(0); !errors.Is(err, camera.ErrClosed) {
					t.Errorf("after Close: %v", err)
				}
			}
		})
	}
}

func TestY4M(t *testing.T) {
	for _, test := range []struct {
		header string
		size   int
		want   string
	}{
		{"W8 H6 F30:1 Ip A1:1 C420jpeg XYSCSS=420JPEG", 72, "YU12 8x6 stride 8 at 30"},
		{"W8 H6 F25:1", 72, "YU12 8x6 stride 8 at 25"},
		{"W7 H5 F30000:1001 C420mpeg2", 7*5 + 2*4*3, "YU12 7x5 stride 7 at 29.97"},
		{"W8 H6 C420paldv", 72, "YU12 8x6 stride 8 at 15"},
		{"W7 H5 F25:1 C422", 7*5 + 2*4*5, "422P 7x5 stride 7 at 25"},
		{"W8 H6 F0:0 C420", 72, "YU12 8x6 stride 8 at 15"},
		{"H6 Cmono W8 F10:1", 48, "GREY 8x6 stride 8 at 10"},
	} {
		bothWays(t, y4mClip(test.header, 5, test.size), Options{Fast: true}, func(t *testing.T, s camera.Source, err error) {
			if err != nil {
				t.Fatalf("%s: %v", test.header, err)
			}
			i := s.Info()
			if got := fmt.Sprintf("%s %dx%d stride %d at %.4g", camera.FormatName(i.Format), i.Width, i.Height, i.Stride, i.FPS); got != test.want || i.Frames != 5 {
				t.Errorf("%s: %s, %d frames; want %s", test.header, got, i.Frames, test.want)
			}
			for k := range 5 {
				f := mustNext(t, s, 0)
				if !bytes.Equal(f.Data, bytes.Repeat([]byte{byte(k)}, test.size)) || f.Sequence != uint32(k) || f.Lost != 0 {
					t.Errorf("%s: frame %d is not the clip's", test.header, k)
				}
				s.Release()
			}
			for range 2 {
				if _, err := s.Next(0); !errors.Is(err, camera.ErrEnd) {
					t.Errorf("%s: %v", test.header, err)
				}
			}
			if w := s.Info().Warnings; len(w) != 0 {
				t.Errorf("%s: warnings %q of a whole clip", test.header, w)
			}
		})
	}
}

func TestClipsRefused(t *testing.T) {
	frame := strings.Repeat("x", 72)
	for name, test := range map[string]struct{ data, words string }{
		"empty":            {"", "empty"},
		"text":             {"hello, I am no clip at all", "neither"},
		"AVI":              {"RIFF\x00\x00\x00\x00AVI LIST", "ffmpeg"},
		"4:4:4":            {"YUV4MPEG2 W8 H6 C444\nFRAME\n" + frame, "-pix_fmt yuv420p"},
		"10 bits":          {"YUV4MPEG2 W8 H6 C420p10\nFRAME\n" + frame, "C420p10"},
		"16-bit grey":      {"YUV4MPEG2 W8 H6 Cmono16\nFRAME\n" + frame, "Cmono16"},
		"4:1:1":            {"YUV4MPEG2 W8 H6 C411\nFRAME\n" + frame, "C411"},
		"no size":          {"YUV4MPEG2 F30:1\nFRAME\n" + frame, "0x0"},
		"huge":             {"YUV4MPEG2 W99999 H99999\nFRAME\n" + frame, "99999x99999"},
		"negative":         {"YUV4MPEG2 W-8 H6\nFRAME\n" + frame, "-8x6"},
		"no number":        {"YUV4MPEG2 Wx H6\nFRAME\n" + frame, `"Wx"`},
		"bad rate":         {"YUV4MPEG2 W8 H6 F30\nFRAME\n" + frame, `"F30"`},
		"overflow":         {"YUV4MPEG2 W99999999999999999999 H6\nFRAME\n" + frame, "out of range"},
		"wrong magic":      {"YUV4MPEG22 W8 H6\nFRAME\n" + frame, "YUV4MPEG22"},
		"endless header":   {"YUV4MPEG2 " + strings.Repeat("X", 5000), "no end"},
		"no frame":         {"YUV4MPEG2 W8 H6\n", "no picture"},
		"no whole frame":   {"YUV4MPEG2 W8 H6\nFRAME\nxxx", "cut short in frame 1: 3 of 72 bytes"},
		"frame gone wrong": {"YUV4MPEG2 W8 H6\nframe\n" + frame, "no FRAME line at byte 16"},
		"JPEG cut short":   {string(testJPEG[:300]), "cut short in frame 1"},
		"JPEGs all broken": {string(join(soi, sos, scan, eoi, soi, sos, scan, eoi)), "frame header"},
		"start markers":    {"\xff\xd8\xff\xd8\xff\xd8", "no whole picture"},
	} {
		bothWays(t, []byte(test.data), Options{}, func(t *testing.T, s camera.Source, err error) {
			if s != nil || !errors.Is(err, camera.ErrUnsupported) || !strings.Contains(err.Error(), test.words) || !strings.Contains(err.Error(), "clip") {
				t.Errorf("%s: %v, want %q", name, err, test.words)
			}
		})
	}
	for _, fps := range []float64{-1, 1e9, 1e-9} {
		if _, err := New("clip", y4mClip("W8 H6", 1, 72), Options{FPS: fps}); !errors.Is(err, camera.ErrUnsupported) {
			t.Errorf("%v frames/s: %v", fps, err)
		}
	}
	if _, err := Open("/nowhere/at/all.y4m", Options{}); !errors.Is(err, camera.ErrNotFound) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if _, err := Open(os.DevNull, Options{}); !errors.Is(err, camera.ErrUnsupported) {
		t.Errorf("%v", err)
	}
	if _, err := Open(t.TempDir(), Options{}); !errors.Is(err, camera.ErrUnsupported) || !strings.Contains(err.Error(), ".png") {
		t.Errorf("%v", err)
	}
}

// A clip cut short plays what is whole, and says so at its end.
func TestClipCutShort(t *testing.T) {
	whole := y4mClip("W8 H6 F10:1", 6, 72)
	jpegs := bytes.Repeat(testJPEG, 6)
	for _, test := range []struct {
		name  string
		data  []byte
		words string
	}{
		{"in a frame", whole[:len(whole)-20], "cut short in frame 6: 52 of 72 bytes"},
		{"in a frame's header", whole[:len(whole)-72-4], "cut short at the header of frame 6"},
		{"rubbish behind", append(bytes.Clone(whole[:len(whole)-72-9]), "garbage\n"...), "no FRAME line"},
		{"motion JPEG", jpegs[:len(jpegs)-300], "cut short in frame 6"},
	} {
		bothWays(t, test.data, Options{Fast: true}, func(t *testing.T, s camera.Source, err error) {
			if err != nil {
				t.Fatalf("%s: %v", test.name, err)
			}
			for range 5 {
				mustNext(t, s, 0)
			}
			_, err = s.Next(0)
			if !errors.Is(err, camera.ErrEnd) || !strings.Contains(err.Error(), test.words) {
				t.Errorf("%s: %v, want %q", test.name, err, test.words)
			}
			if w := strings.Join(s.Info().Warnings, ";"); !strings.Contains(w, test.words) {
				t.Errorf("%s: warnings %q", test.name, w)
			}
		})
		bothWays(t, test.data, Options{Fast: true, Loop: true}, func(t *testing.T, s camera.Source, err error) {
			if err != nil {
				t.Fatal(err)
			}
			for want := range uint32(12) {
				if f := mustNext(t, s, 0); f.Sequence != want {
					t.Errorf("%s, looping: sequence %d, want %d", test.name, f.Sequence, want)
				}
			}
		})
	}
}

// A file that shrinks while it plays ends the clip, with the reason.
func TestClipTruncatedWhilePlaying(t *testing.T) {
	path := write(t, "clip.y4m", y4mClip("W640 H480 Cmono", 10, 640*480))
	s, err := Open(path, Options{Fast: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	mustNext(t, s, 0)
	if err := os.Truncate(path, 640*480*3); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if _, err = s.Next(0); err != nil {
			break
		}
	}
	if !errors.Is(err, camera.ErrEnd) || !strings.Contains(err.Error(), "shorter") {
		t.Errorf("%v", err)
	}
	if _, err := s.Next(0); !errors.Is(err, camera.ErrEnd) {
		t.Errorf("%v", err)
	}
}

func TestMotionJPEG(t *testing.T) {
	other := jpegOf(32, 24)
	thumbnail := join(soi, segment(0xe1, join([]byte("Exif"), testJPEG)...), testJPEG[2:])
	bare := join(soi, sof, sos, scan, eoi)
	multipart := []byte("\r\n--frame\r\nContent-Type: image/jpeg\r\n\r\n")
	data := join(testJPEG, other, multipart, thumbnail, make([]byte, 100), bare, testJPEG)
	want := [][]byte{testJPEG, other, thumbnail, bare, testJPEG}
	bothWays(t, data, Options{Fast: true}, func(t *testing.T, s camera.Source, err error) {
		if err != nil {
			t.Fatal(err)
		}
		if i := s.Info(); i.Format != camera.MJPEG || i.Width != 64 || i.Height != 48 || i.Stride != 0 || i.Frames != 5 || i.FPS != defaultFPS {
			t.Errorf("%+v", i)
		}
		for k, jpeg := range want {
			f := mustNext(t, s, 0)
			if !bytes.Equal(f.Data, jpeg) || f.Format != camera.MJPEG {
				t.Errorf("frame %d: %d bytes, want %d", k, len(f.Data), len(jpeg))
			}
			if w := 64; k == 1 {
				if w = 32; f.Width != w || f.Height != 24 {
					t.Errorf("frame %d: %dx%d", k, f.Width, f.Height)
				}
			}
		}
		if _, err := s.Next(0); !errors.Is(err, camera.ErrEnd) {
			t.Error(err)
		}
	})
}

// Motion JPEG as cheap cameras send it is as long as it is, and none of it counts as
// damaged: the decoder reads it.
func TestUntidyMotionJPEG(t *testing.T) {
	for name, one := range map[string][]byte{
		"start twice":                   join(soi, testJPEG),
		"a stray byte behind the start": join(soi, []byte{0}, testJPEG[2:]),
		"zeros behind a comment":        join(soi, segment(0xfe, 1, 2), make([]byte, 608), testJPEG[2:]),
		"no end":                        testJPEG[:len(testJPEG)-2],
		"zeros before the end":          join(testJPEG[:len(testJPEG)-2], make([]byte, 100), eoi),
	} {
		bothWays(t, bytes.Repeat(one, 30), Options{Fast: true}, func(t *testing.T, s camera.Source, err error) {
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for k := range 30 {
				if f := mustNext(t, s, 0); f.Sequence != uint32(k) || f.Lost != 0 || f.Width != 64 || f.Height != 48 || !bytes.Equal(f.Data, one) {
					t.Fatalf("%s: frame %d: sequence %d, lost %d, %d bytes, want %d", name, k, f.Sequence, f.Lost, len(f.Data), len(one))
				}
			}
			if _, err := s.Next(0); !errors.Is(err, camera.ErrEnd) {
				t.Errorf("%s: %v", name, err)
			}
			if i := s.Info(); i.Counts.Corrupt != 0 || len(i.Warnings) != 0 {
				t.Errorf("%s: %+v", name, i)
			}
		})
	}
}

// Damaged JPEGs keep their place: they are counted, and the frame after them
// says that frames were lost.
func TestMotionJPEGWithDamage(t *testing.T) {
	for name, broken := range map[string][]byte{
		"end missing":             testJPEG[:len(testJPEG)-200],
		"cut in the header":       testJPEG[:100],
		"a segment's length lies": join(soi, []byte{0xff, 0xe0, 0xff, 0xf0, 1, 2, 3}),
		"no frame header":         join(soi, sos, scan, eoi),
		"size 0":                  join(soi, segment(0xc0, 8, 0, 0, 0, 64, 1, 1, 0x11, 0), sos, scan, eoi),
		"zeros in the header":     join(soi, sof, make([]byte, 50)),
	} {
		data := join(testJPEG, broken, testJPEG, testJPEG)
		bothWays(t, data, Options{Fast: true}, func(t *testing.T, s camera.Source, err error) {
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for k, want := range []struct{ seq, lost uint32 }{{0, 0}, {2, 1}, {3, 0}} {
				f := mustNext(t, s, 0)
				if f.Sequence != want.seq || f.Lost != want.lost || !bytes.Equal(f.Data, testJPEG) {
					t.Errorf("%s: frame %d: sequence %d, lost %d, want %v", name, k, f.Sequence, f.Lost, want)
				}
			}
			i := s.Info()
			if i.Counts.Corrupt != 1 || i.Counts.Lost != 1 || i.Frames != 4 || len(i.Warnings) != 1 || !strings.Contains(i.Warnings[0], "frame 2") {
				t.Errorf("%s: %+v", name, i)
			}
		})
	}
}

func TestRealTime(t *testing.T) {
	clock := &cameratest.Clock{At: 70 * time.Second}
	s, err := New("clip", y4mClip("W8 H6 F10:1", 10, 72), Options{Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	clock.At += 5 * time.Second // opening takes its time: the clip starts with the first Next
	start := clock.At
	for k := range uint32(3) {
		f := mustNext(t, s, time.Second)
		if f.Sequence != k || f.Time != start+time.Duration(k)*100*time.Millisecond || clock.At != f.Time || f.Lost != 0 {
			t.Errorf("frame %d: sequence %d at %v, time %v, lost %d", k, f.Sequence, clock.At-start, f.Time-start, f.Lost)
		}
	}
	if _, err := s.Next(30 * time.Millisecond); !errors.Is(err, camera.ErrTimeout) || clock.At != start+230*time.Millisecond {
		t.Errorf("%v at %v", err, clock.At-start)
	}
	if _, err := s.Next(0); !errors.Is(err, camera.ErrTimeout) {
		t.Error(err)
	}
	clock.At = start + 650*time.Millisecond // late by three frames
	f := mustNext(t, s, 0)
	if f.Sequence != 6 || f.Lost != 3 || f.Data[0] != 6 || f.Time != start+600*time.Millisecond {
		t.Errorf("late: frame %d, %d lost", f.Sequence, f.Lost)
	}
	clock.At = start + time.Hour // far beyond the end: the last frame, then the end
	if f := mustNext(t, s, 0); f.Sequence != 9 || f.Lost != 2 {
		t.Errorf("at the end: frame %d, %d lost", f.Sequence, f.Lost)
	}
	if _, err := s.Next(time.Second); !errors.Is(err, camera.ErrEnd) {
		t.Error(err)
	}
	if n := s.Info().Counts; n != (camera.Counts{Frames: 5, Lost: 5, PassedOver: 5}) {
		t.Errorf("%+v", n)
	}
}

// What a file says of its rate counts, unless the caller knows better; what the
// caller assumes counts where it says nothing.
func TestRateOfAClip(t *testing.T) {
	said, unsaid := y4mClip("W8 H6 F25:1", 3, 72), y4mClip("W8 H6 F0:0", 3, 72)
	for _, c := range []struct {
		data      []byte
		fps, then float64
		want      float64
	}{
		{said, 0, 0, 25}, {said, 0, 30, 25}, {said, 50, 30, 50}, {unsaid, 0, 0, 15}, {unsaid, 0, 30, 30}, {unsaid, 50, 30, 50},
		{bytes.Repeat(testJPEG, 3), 0, 30, 30}, {bytes.Repeat(testJPEG, 3), 0, 0, 15},
	} {
		s, err := New("clip", c.data, Options{FPS: c.fps, Else: c.then})
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Info().FPS; got != c.want {
			t.Errorf("%.11q, FPS %v, else %v: %v frames/s, want %v", c.data, c.fps, c.then, got, c.want)
		}
		s.Close()
	}
	if _, err := New("clip", unsaid, Options{Else: -1}); !errors.Is(err, camera.ErrUnsupported) {
		t.Errorf("-1 frames/s: %v", err)
	}
}

func TestLoopGoesOn(t *testing.T) {
	clock := &cameratest.Clock{At: time.Second}
	s, err := New("clip", y4mClip("W8 H6 F30000:1001", 7, 72), Options{Clock: clock, Loop: true})
	if err != nil {
		t.Fatal(err)
	}
	last := time.Duration(0)
	for k := range uint32(30) {
		f := mustNext(t, s, time.Second)
		if f.Sequence != k || f.Data[0] != byte(k%7) || f.Time <= last {
			t.Fatalf("frame %d: sequence %d, picture %d, time %v", k, f.Sequence, f.Data[0], f.Time)
		}
		last = f.Time
	}
	if i := s.Info(); i.Frames != 0 || !i.Live {
		t.Errorf("%+v", i)
	}
	// Ten years on it is neither slow nor wrong: 30000 frames take 1001 s.
	clock.At = time.Second + 10*365*24*time.Hour
	f := mustNext(t, s, time.Second)
	if lag := clock.At - f.Time; lag < 0 || lag > 34*time.Millisecond {
		t.Errorf("frame %d is %v behind", f.Sequence, lag)
	}
}

func TestFastIsEveryFrame(t *testing.T) {
	clock := &cameratest.Clock{At: time.Minute}
	s, err := New("clip", y4mClip("W8 H6 F10:1", 10, 72), Options{Clock: clock, Fast: true, FPS: 50})
	if err != nil {
		t.Fatal(err)
	}
	for k := range uint32(10) {
		clock.At += time.Second
		f := mustNext(t, s, 0)
		if f.Sequence != k || f.Lost != 0 || f.Time != time.Minute+time.Second+time.Duration(k)*20*time.Millisecond {
			t.Errorf("frame %d: sequence %d, lost %d, time %v", k, f.Sequence, f.Lost, f.Time)
		}
	}
	if s.Info().Live {
		t.Error("a clip played as fast as it goes is not live")
	}
}

func TestCloseWakesClip(t *testing.T) {
	s, err := New("clip", y4mClip("W8 H6", 10, 72), Options{FPS: 0.01})
	if err != nil {
		t.Fatal(err)
	}
	mustNext(t, s, time.Second)
	got := make(chan error)
	go func() {
		_, err := s.Next(time.Minute)
		got <- err
	}()
	time.Sleep(10 * time.Millisecond) // so that Next is most likely waiting; it must return either way
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := <-got; !errors.Is(err, camera.ErrClosed) {
		t.Error(err)
	}
}

func FuzzClip(f *testing.F) {
	f.Add(y4mClip("W8 H6 F30:1 C420jpeg", 3, 72))
	f.Add(y4mClip("W2 H2 Cmono", 2, 4))
	f.Add(bytes.Repeat(testJPEG, 2))
	f.Add(join(soi, sof, sos, scan, eoi, soi, sof, sos, scan))
	f.Add(join(soi, soi, []byte{0xff, 0xe0, 0xff, 0xff}, sof, sos, scan, eoi))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := New("clip", data, Options{Fast: true})
		if err != nil {
			if !errors.Is(err, camera.ErrUnsupported) {
				t.Fatal(err)
			}
			return
		}
		defer s.Close()
		n := s.Info().Frames
		var frames int
		for {
			frame, err := s.Next(0)
			if errors.Is(err, camera.ErrEnd) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if frames++; frames > n {
				t.Fatalf("more than %d frames", n)
			}
			if _, size := camera.PlaneSize(frame.Format, frame.Width, frame.Height, frame.Stride); size > 0 && len(frame.Data) != size {
				t.Fatalf("%d bytes for a frame of %d", len(frame.Data), size)
			}
			if frame.Width < 1 || frame.Height < 1 || len(frame.Data) == 0 {
				t.Fatalf("%dx%d, %d bytes", frame.Width, frame.Height, len(frame.Data))
			}
		}
	})
}

// A folder may hold what is no file, and pictures that take more memory than a
// unit has: both are damaged pictures, and the others play.
func TestHostilePictures(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mkfifo(filepath.Join(dir, "a.png"), 0o600); err != nil {
		t.Fatal(err)
	}
	// The head of a PNG of 7000x7000 pixels of 64 bits, and nothing else.
	head := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR\x00\x00\x1b\x58\x00\x00\x1b\x58\x10\x06\x00\x00\x00")
	sum := crc32.ChecksumIEEE(head[12:])
	head = binary.BigEndian.AppendUint32(head, sum)
	if err := os.WriteFile(filepath.Join(dir, "b.png"), append(head, make([]byte, 64)...), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "c.pgm"), append([]byte("P5 4 4 255\n"), make([]byte, 16)...), 0o600); err != nil {
		t.Fatal(err)
	}
	src, err := Open(dir, Options{Fast: true})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	f, err := src.Next(time.Second)
	if err != nil || f.Width != 4 {
		t.Fatalf("%+v, %v", f, err)
	}
	said := strings.Join(src.Info().Warnings, "\n")
	for _, want := range []string{"a.png: ", "a named pipe", "b.png: a picture of 7000x7000 pixels, 8 bytes each, needs"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q lacks %q", said, want)
		}
	}
}

// Motion JPEG says no frame rate: a clip of it is played at a rate that somebody
// named or that is a guess, and delays judged from it hang on that.
func TestUntoldRateIsWarnedOf(t *testing.T) {
	two := bytes.Repeat(testJPEG, 2)
	for name, c := range map[string]struct {
		data   []byte
		o      Options
		warned bool
	}{
		"as the config asks": {two, Options{Else: 30}, true},
		"as nobody asks":     {two, Options{}, true},
		"known":              {two, Options{FPS: 15}, false},
		"as fast as it goes": {two, Options{Else: 30, Fast: true}, false},
		"one picture":        {testJPEG, Options{Else: 30}, false},
		"a file that says":   {[]byte("YUV4MPEG2 W2 H2 F25:1 Cmono\nFRAME\nabcdFRAME\nabcd"), Options{Else: 30}, false},
	} {
		s, err := New(name, c.data, c.o)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		said := strings.Join(s.Info().Warnings, "\n")
		if strings.Contains(said, fmt.Sprintf("at %g frames/s", s.Info().FPS)) != c.warned {
			t.Errorf("%s: %q", name, said)
		}
		s.Close()
	}
}
