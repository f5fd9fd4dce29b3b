package camera

import (
	"bytes"
	"errors"
	"image/jpeg"
	"testing"
	"time"

	"mien/drivers/camera/cameratest"
	"mien/drivers/device"
)

func mustNext(t testing.TB, s Source, timeout time.Duration) *Frame {
	t.Helper()
	f, err := s.Next(timeout)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFakeIsACamera(t *testing.T) {
	clock := &cameratest.Clock{At: 9 * time.Second}
	cam := &Fake{Name: "bench camera", Clock: clock, Width: 32, Height: 8, Period: 40 * time.Millisecond}
	src, err := cam.Open()
	if err != nil {
		t.Fatal(err)
	}
	if i := src.Info(); i.Name != "bench camera" || i.Format != GREY || i.Width != 32 || i.Stride != 32 || i.FPS != 25 || !i.Live {
		t.Errorf("%+v", i)
	}
	var before []byte
	for k := range uint32(5) {
		f := mustNext(t, src, time.Second)
		if f.Sequence != k || f.Lost != 0 || f.Time != 9*time.Second+time.Duration(k)*cam.Period || clock.At != f.Time || len(f.Data) != 32*8 {
			t.Errorf("frame %d: %d lost %d at %v", k, f.Sequence, f.Lost, f.Time)
		}
		if bytes.Equal(f.Data, before) {
			t.Errorf("frame %d is the one before", k)
		}
		before = bytes.Clone(f.Data)
		if cam.Out != 1 {
			t.Errorf("%d out", cam.Out)
		}
		src.Release()
	}
	clock.At += 10*cam.Period + cam.Period/2
	if f := mustNext(t, src, 0); f.Lost != 9 || f.Sequence != 14 {
		t.Errorf("late: %d, %d lost", f.Sequence, f.Lost)
	}
	if err := src.Close(); err != nil {
		t.Error(err)
	}
	if _, err := src.Next(0); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if cam.Opens != 1 || cam.Closes != 1 || cam.Out != 0 || cam.Releases != 5 {
		t.Errorf("%d opens, %d closes, %d out, %d releases", cam.Opens, cam.Closes, cam.Out, cam.Releases)
	}
}

func TestFakeFaults(t *testing.T) {
	boom := errors.New("boom")
	clock := &cameratest.Clock{At: time.Second}
	cam := &Fake{Clock: clock, Width: 16, Height: 16,
		OpenErrs: map[int]error{1: ErrPermission}, NextErrs: map[int]error{2: boom}, ReleaseErrs: map[int]error{1: boom}}
	if _, err := cam.Open(); !errors.Is(err, ErrPermission) {
		t.Fatal(err)
	}
	src, err := cam.Open()
	if err != nil {
		t.Fatal(err)
	}
	mustNext(t, src, time.Second)
	if err := src.Release(); !errors.Is(err, boom) || cam.Out != 1 {
		t.Error(err, cam.Out)
	}
	if _, err := src.Next(time.Second); !errors.Is(err, boom) {
		t.Error(err)
	}

	cam.Skip = 4
	if f := mustNext(t, src, time.Second); f.Lost != 4 || cam.Skip != 0 {
		t.Errorf("%d lost", f.Lost)
	}

	cam.Frozen = true
	a := mustNext(t, src, time.Second)
	still, seq, at := bytes.Clone(a.Data), a.Sequence, a.Time
	for range 3 {
		b := mustNext(t, src, time.Second)
		if !bytes.Equal(b.Data, still) || b.Sequence <= seq || b.Time <= at {
			t.Errorf("frozen: the picture must stay and time go on: sequence %d, time %v", b.Sequence, b.Time)
		}
		seq, at = b.Sequence, b.Time
	}
	cam.Frozen = false
	if b := mustNext(t, src, time.Second); bytes.Equal(b.Data, still) {
		t.Error("still frozen")
	}

	cam.Black = true
	if f := mustNext(t, src, time.Second); !bytes.Equal(f.Data, make([]byte, 256)) {
		t.Error("not black")
	}
	cam.Black = false

	cam.Silent = true
	from := clock.At
	if _, err := src.Next(300 * time.Millisecond); !errors.Is(err, ErrTimeout) || clock.At-from != 300*time.Millisecond {
		t.Errorf("%v after %v", err, clock.At-from)
	}
	cam.Silent = false
	mustNext(t, src, time.Second)

	cam.Gone = true
	if _, err := src.Next(time.Second); !errors.Is(err, ErrGone) {
		t.Error(err)
	}
	if _, err := cam.Open(); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	cam.Gone = false
	if _, err := src.Next(time.Second); !errors.Is(err, ErrGone) {
		t.Error("a camera that was pulled out must be opened again:", err)
	}
	src.Close()
	again, err := cam.Open()
	if err != nil {
		t.Fatal(err)
	}
	mustNext(t, again, time.Second)
	again.Close()
}

func TestFakeBlackInEveryFormat(t *testing.T) {
	for format, want := range map[uint32][]byte{
		GREY: {0, 0, 0, 0}, YUYV: {0, 128, 0, 128}, UYVY: {128, 0, 128, 0}, RGB24: {0, 0, 0, 0}, NV12: {0, 0, 0, 0}, YUV420: {0, 0, 0, 0},
	} {
		cam := &Fake{Clock: &cameratest.Clock{}, Format: format, Width: 8, Height: 4, Stride: 32, Black: true}
		src, _ := cam.Open()
		f := mustNext(t, src, time.Second)
		_, size := PlaneSize(format, 8, 4, 32)
		if !bytes.HasPrefix(f.Data, want) || len(f.Data) != size {
			t.Errorf("%s: % x, %d bytes", FormatName(format), f.Data[:4], len(f.Data))
		}
		if format == NV12 || format == YUV420 {
			if f.Data[32*4-1] != 0 || f.Data[32*4] != 128 || f.Data[size-1] != 128 {
				t.Errorf("%s: the chroma is not grey", FormatName(format))
			}
		}
	}
	cam := &Fake{Clock: &cameratest.Clock{}, Format: MJPEG, Width: 24, Height: 16, Black: true}
	src, _ := cam.Open()
	img, err := jpeg.Decode(bytes.NewReader(mustNext(t, src, time.Second).Data))
	if err != nil || img.Bounds().Dx() != 24 {
		t.Errorf("%v, %v", img, err)
	}
	cam.Black, cam.Pictures = false, [][]byte{{1}, {2}}
	for k := range 4 {
		if f := mustNext(t, src, time.Second); f.Data[0] != byte(f.Sequence%2+1) {
			t.Errorf("frame %d: %v", k, f.Data)
		}
	}
}

func TestFakeWithTheRealClock(t *testing.T) {
	cam := &Fake{Period: time.Millisecond}
	src, err := cam.Open()
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if f := mustNext(t, src, time.Minute); f.Time > device.Now() {
			t.Error("a frame of the future")
		}
	}
	if n := testing.AllocsPerRun(20, func() { src.Next(time.Minute); src.Release() }); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
	cam.Lock()
	cam.Silent = true
	cam.Unlock()
	got := make(chan error)
	go func() {
		_, err := src.Next(time.Minute)
		got <- err
	}()
	src.Close()
	if err := <-got; !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}
