package v4l2

import (
	"bytes"
	"errors"
	"math"
	"os"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"mien/drivers/camera"
	"mien/drivers/device"
)

// vivid is the kernel's virtual video driver; it injects faults on demand
// (Documentation/admin-guide/media/vivid.rst). These tests need
//
//	modprobe vivid n_devs=1 node_types=0x1 num_inputs=1 input_types=0
//	MIEN_TEST_VIVID=/dev/video0 go test -run Vivid ./drivers/camera/v4l2
type vivid struct {
	t    *testing.T
	path string
	ids  map[string]uint32
}

func openVivid(t *testing.T) *vivid {
	v := &vivid{t: t, path: os.Getenv("MIEN_TEST_VIVID"), ids: map[string]uint32{}}
	if v.path == "" {
		t.Skip("set MIEN_TEST_VIVID to a capture node of the kernel's vivid driver to inject real faults")
	}
	n, err := openNode(v.path)
	if err != nil {
		t.Fatal(err)
	}
	defer n.close()
	for q := (v4l2QueryCtrl{}); ; { // buttons too, which controls leaves out
		q.id |= ctrlFlagNext
		if n.ioctl(vidiocQueryCtrl, unsafe.Pointer(&q)) != nil {
			break
		}
		v.ids[plain(text(q.name[:]))] = q.id
	}
	return v
}

func (v *vivid) set(name string, value int32) {
	v.t.Helper()
	id, ok := v.ids[name]
	if !ok {
		v.t.Fatalf("%s: this kernel's vivid has no such control", name)
	}
	n, err := openNode(v.path)
	if err != nil {
		v.t.Fatal(err)
	}
	defer n.close()
	if err := n.ioctl(vidiocSCtrl, unsafe.Pointer(&v4l2Control{id: id, value: value})); err != nil {
		v.t.Fatalf("%s = %d: %v", name, value, err)
	}
}

func (v *vivid) open(s Settings) *capture {
	v.t.Helper()
	s.Device = v.path
	src, err := Open(s)
	if err != nil {
		v.t.Fatal(err)
	}
	return src.(*capture)
}

func TestVivid(t *testing.T) {
	v := openVivid(t)
	run := func(name string, f func(t *testing.T)) {
		t.Run(name, func(t *testing.T) {
			v.t = t
			f(t)
		})
	}
	// frames takes n frames and checks what must hold of any.
	frames := func(t *testing.T, c *capture, n int) {
		t.Helper()
		for range n {
			begun, lastSeq, lastTime := c.begun, c.lastSeq, c.frame.Time
			f, err := c.Next(5 * time.Second)
			if err != nil {
				t.Fatal(err)
			}
			if begun && (f.Sequence-lastSeq != f.Lost+1 || f.Time <= lastTime) {
				t.Errorf("frame %d at %v with %d lost after frame %d at %v", f.Sequence, f.Time, f.Lost, lastSeq, lastTime)
			}
			c.Release()
		}
	}

	run("sizes, strides and rates", func(t *testing.T) {
		for _, s := range []Settings{
			{Format: "YUYV", Width: 320, Height: 180, FPS: 50}, {Format: "GREY", Width: 640, Height: 360, Stride: 704},
			{Format: "NV12", Width: 640, Height: 480, Stride: 768, FPS: 10}, {Format: "UYVY", Width: 1280, Height: 720, FPS: 5},
			{Format: "YU12", Width: 320, Height: 180, Stride: 384},
		} {
			c := v.open(s)
			i := c.Info()
			t.Logf("%+v", i)
			if i.Width != s.Width || i.Height != s.Height || camera.FormatName(i.Format) != s.Format || s.FPS > 0 && math.Abs(i.FPS-s.FPS) > 0.1 || s.Stride > 0 && i.Stride != s.Stride {
				t.Errorf("asked for %+v, have %+v", s, i)
			}
			f := mustNext(t, c, 5*time.Second)
			if _, size := camera.PlaneSize(f.Format, f.Width, f.Height, f.Stride); len(f.Data) != size {
				t.Errorf("%d bytes, want %d", len(f.Data), size)
			}
			if got := c.Info(); !got.Stamped {
				t.Error("vivid stamps its frames")
			}
			c.Release()
			c.Close()
		}
	})
	run("slow reader", func(t *testing.T) {
		c := v.open(Settings{Width: 320, Height: 180, FPS: 25})
		defer c.Close()
		for range 5 {
			time.Sleep(500 * time.Millisecond)
			f := mustNext(t, c, time.Second)
			// Without the rule it would be 0.4 s old; emulation is slow.
			if age := device.Now() - f.Time; age > 200*time.Millisecond {
				t.Errorf("the frame is %v old", age)
			}
			c.Release()
		}
		if n := c.Info().Counts; n.PassedOver == 0 || n.Lost < 5*8 {
			t.Errorf("%+v", n)
		}
	})
	run("percentage of dropped buffers", func(t *testing.T) {
		v.set("percentage_of_dropped_buffers", 50)
		defer v.set("percentage_of_dropped_buffers", 0)
		c := v.open(Settings{Width: 320, Height: 180, FPS: 25})
		defer c.Close()
		frames(t, c, 30)
		if n := c.Info().Counts; n.Lost < 5 {
			t.Errorf("%+v", n)
		}
	})
	run("buffer with error flag", func(t *testing.T) {
		c := v.open(Settings{Width: 320, Height: 180, FPS: 25})
		defer c.Close()
		frames(t, c, 3)
		v.set("inject_v4l2_buf_flag_error", 0)
		frames(t, c, 5)
		if n := c.Info().Counts; n.Flagged != 1 {
			t.Errorf("%+v", n)
		}
	})
	run("QBUF fails", func(t *testing.T) {
		c := v.open(Settings{Width: 320, Height: 180, FPS: 25})
		defer c.Close()
		frames(t, c, 3)
		v.set("inject_vidioc_qbuf_error", 0)
		frames(t, c, 10)
		if n := c.Info().Counts; n.QueueFails != 1 || c.withDriver() != buffers {
			t.Errorf("%+v, %d buffers with the driver", n, c.withDriver())
		}
	})
	for control, call := range map[string]string{"inject_vidioc_reqbufs_error": "VIDIOC_REQBUFS", "inject_vidioc_streamon_error": "VIDIOC_STREAMON"} {
		run(call+" fails", func(t *testing.T) {
			v.set(control, 0)
			_, err := Open(Settings{Device: v.path})
			if err == nil || !strings.Contains(err.Error(), call) {
				t.Errorf("%v", err)
			}
			t.Log(err)
			c := v.open(Settings{})
			frames(t, c, 2)
			c.Close()
		})
	}
	run("fatal streaming error", func(t *testing.T) {
		c := v.open(Settings{Width: 320, Height: 180})
		defer c.Close()
		frames(t, c, 3)
		v.set("inject_fatal_streaming_error", 0)
		_, err := c.Next(5 * time.Second)
		for err == nil {
			_, err = c.Next(5 * time.Second)
		}
		if t.Log(err); !errors.Is(err, camera.ErrGone) {
			t.Error("not ErrGone")
		}
		c.Close()
		again := v.open(Settings{})
		frames(t, again, 2)
		again.Close()
	})
	run("sequence wraps", func(t *testing.T) {
		v.set("wrap_sequence_number", 1)
		defer v.set("wrap_sequence_number", 0)
		c := v.open(Settings{Width: 320, Height: 180, FPS: 50})
		defer c.Close()
		first := mustNext(t, c, 5*time.Second).Sequence
		for c.lastSeq >= first {
			if frames(t, c, 1); t.Failed() || c.lastSeq-first > 1000 {
				t.Fatalf("sequence %#x after %#x", c.lastSeq, first)
			}
		}
		t.Logf("from %#x to %#x, %d lost", first, c.lastSeq, c.Info().Counts.Lost)
	})
	for mode, name := range map[int32]string{1: "64-bit timestamp wraps", 2: "32-bit timestamp wraps"} {
		run(name, func(t *testing.T) {
			v.set("wrap_timestamp", mode)
			defer v.set("wrap_timestamp", 0)
			c := v.open(Settings{Width: 320, Height: 180, FPS: 25})
			defer c.Close()
			for range 20 { // the times are the driver's, and for the caller to doubt
				at := mustNext(t, c, 5*time.Second).Time
				t.Logf("at %v, dated %v before", device.Now(), device.Now()-at)
				c.Release()
			}
		})
	}
	run("closed with a frame out", func(t *testing.T) {
		first := v.open(Settings{})
		mustNext(t, first, 5*time.Second)
		if err := first.Close(); err != nil {
			t.Error(err)
		}
		again := v.open(Settings{})
		frames(t, again, 2)
		again.Close()
		if err := first.Release(); err != nil {
			t.Error(err)
		}
	})
	run("busy", func(t *testing.T) {
		c := v.open(Settings{})
		defer c.Close()
		_, err := Open(Settings{Device: v.path})
		if t.Log(err); !errors.Is(err, camera.ErrBusy) {
			t.Error("not ErrBusy")
		}
		frames(t, c, 2) // the first is not disturbed
	})
	run("Close wakes Next", func(t *testing.T) {
		c := v.open(Settings{Width: 320, Height: 180, FPS: 1})
		frames(t, c, 1)
		got := make(chan error)
		go func() {
			_, err := c.Next(time.Minute)
			for err == nil {
				_, err = c.Next(time.Minute)
			}
			got <- err
		}()
		time.Sleep(100 * time.Millisecond)
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if err := <-got; !errors.Is(err, camera.ErrClosed) {
			t.Error(err)
		}
	})
	run("opened 100 times", func(t *testing.T) {
		round := func() { v.open(Settings{}).Close() }
		round()
		fds, maps := resources(t)
		for range 100 {
			round()
		}
		if f, m := resources(t); f > fds || m > maps+8 {
			t.Errorf("descriptors %d, then %d; maps %d, then %d", fds, f, maps, m)
		}
	})
	run("no allocation", func(t *testing.T) {
		c := v.open(Settings{Width: 320, Height: 180, FPS: 50})
		defer c.Close()
		frames(t, c, 5)
		if n := testing.AllocsPerRun(20, func() { c.Next(time.Second); c.Release() }); n != 0 {
			t.Errorf("%v allocations a frame", n)
		}
	})
	run("controls", func(t *testing.T) {
		now := func(name string) int {
			n, err := openNode(v.path)
			if err != nil {
				t.Fatal(err)
			}
			defer n.close()
			c, err := FindControl(controls(n), name)
			if err != nil {
				t.Fatal(err)
			}
			if name == "test_pattern" && len(c.Menu) < 5 {
				t.Errorf("a menu of %s", c.Range())
			}
			return c.Value
		}
		defer v.set("brightness", 128)
		for range 2 { // at each open
			v.set("brightness", 128)
			c := v.open(Settings{Width: 320, Height: 180, Controls: map[string]int{"brightness": 100, "test_pattern": 1, "contrst": 1, "saturation": 9999}})
			frames(t, c, 2)
			told := strings.Join(c.Info().Warnings, "; ")
			t.Log(told)
			if now("brightness") != 100 || now("test_pattern") != 1 || !strings.Contains(told, `did you mean "contrast"?`) || !strings.Contains(told, `"saturation" = 9999: it has 0 to 255`) {
				t.Errorf("brightness %d, told %q", now("brightness"), told)
			}
			c.Close()
		}
		v.set("test_pattern", 0)
	})
	run("disconnect", func(t *testing.T) {
		c := v.open(Settings{Width: 320, Height: 180})
		frames(t, c, 3)
		v.set("disconnect", 0)
		_, err := c.Next(5 * time.Second)
		if t.Log(err); !errors.Is(err, camera.ErrGone) || !errors.Is(err, unix.ENODEV) {
			t.Error("not ErrGone by ENODEV")
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		again := v.open(Settings{Width: 320, Height: 180}) // vivid is plugged in again once its last user has gone
		frames(t, again, 3)
		again.Close()
	})
}

// onlyFormat is a node that lists one format as if it had no other.
type onlyFormat struct {
	node
	fourcc uint32
}

func (o onlyFormat) ioctl(req uintptr, arg unsafe.Pointer) error {
	err := o.node.ioctl(req, arg)
	if q := (*v4l2FmtDesc)(arg); req == vidiocEnumFmt && err == nil && q.pixelFormat != o.fourcc {
		q.pixelFormat = 'X' // none that is read
	}
	return err
}

// vivid with multiplanar=2. Its test picture stands still, so that it must be the same
// picture whether its planes lie in one piece of memory or apart.
//
//	modprobe vivid n_devs=1 node_types=0x1 num_inputs=1 input_types=0 multiplanar=2
//	MIEN_TEST_VIVID_MPLANE=/dev/video0 go test -run VividMultiplanar ./drivers/camera/v4l2
func TestVividMultiplanar(t *testing.T) {
	path := os.Getenv("MIEN_TEST_VIVID_MPLANE")
	if path == "" {
		t.Skip("set MIEN_TEST_VIVID_MPLANE to a multi-planar capture node of the kernel's vivid driver")
	}
	take := func(fourcc uint32) (data []byte, format uint32) {
		t.Helper()
		h := machine
		h.open = func(path string) (node, error) {
			n, err := openNode(path)
			return onlyFormat{n, fourcc}, err
		}
		src, err := h.start(Settings{Device: path, Width: 320, Height: 180, FPS: 25, Controls: map[string]int{"osd_text_mode": 2, "test_pattern": 0}})
		if err != nil {
			t.Errorf("%s: %v", camera.FormatName(fourcc), err)
			return nil, 0
		}
		defer src.Close()
		for range 5 {
			f := mustNext(t, src, 5*time.Second)
			if _, size := camera.PlaneSize(f.Format, f.Width, f.Height, f.Stride); len(f.Data) != size || f.Width != 320 || f.Height != 180 {
				t.Errorf("%s: %d bytes, %dx%d", camera.FormatName(fourcc), len(f.Data), f.Width, f.Height)
			}
			data, format = append(data[:0], f.Data...), f.Format
			src.Release()
		}
		i := src.Info()
		t.Logf("%s: %s %dx%d stride %d, %+v %v", camera.FormatName(fourcc), camera.FormatName(i.Format), i.Width, i.Height, i.Stride, i.Counts, i.Warnings)
		return data, format
	}
	for _, pair := range [][2]uint32{{camera.NV12, fourccNV12M}, {camera.YUV420, fourccYUV420M}, {camera.YUV422P, fourccYUV422M}} {
		one, format := take(pair[0])
		apart, given := take(pair[1])
		if given != format || !bytes.Equal(one, apart) || len(one) == 0 {
			differ := 0
			for i := range min(len(one), len(apart)) {
				if one[i] != apart[i] {
					differ++
				}
			}
			t.Errorf("%s and %s: %d and %d bytes, %d differ", camera.FormatName(pair[0]), camera.FormatName(pair[1]), len(one), len(apart), differ)
		}
	}
	src, err := Open(Settings{Device: path})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	mustNext(t, src, 5*time.Second)
}
