package serial

import (
	"bytes"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// handClock is a clock that moves when the test says so.
type handClock struct{ ns atomic.Int64 }

func (c *handClock) now() time.Duration { return time.Duration(c.ns.Load()) }

func (c *handClock) advance(w *Wire, d time.Duration) {
	c.ns.Add(int64(d))
	w.Tick()
}

func TestPipeIsAPerfectWire(t *testing.T) {
	a, b, _ := Pipe()
	all := everyByte()
	for _, ends := range [][2]*End{{a, b}, {b, a}} {
		if n, err := ends[0].Write(all, soon); n != len(all) || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
		if got := readFull(t, ends[1], len(all)); !bytes.Equal(got, all) {
			t.Errorf("% x", got)
		}
	}
	if n, err := a.Read(make([]byte, 4), 0); n != 0 || !errors.Is(err, ErrTimeout) {
		t.Errorf("%d, %v", n, err)
	}
	start := time.Now()
	if _, err := a.Read(make([]byte, 4), tick); !errors.Is(err, ErrTimeout) || time.Since(start) < tick {
		t.Errorf("after %v: %v", time.Since(start), err)
	}
	go func() { time.Sleep(tick); b.Write([]byte("x"), 0) }()
	if n, err := a.Read(make([]byte, 4), -1); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	b.Write([]byte("old"), 0)
	a.Discard()
	if _, err := a.Read(make([]byte, 4), 0); !errors.Is(err, ErrTimeout) {
		t.Errorf("after discard: %v", err)
	}
}

func TestPipeDelaysAndSplits(t *testing.T) {
	a, b, w := Pipe()
	var c handClock
	w.Now, w.Delay, w.Character, w.Split = c.now, 10*time.Millisecond, time.Millisecond, 3
	b.Write([]byte("abcdefgh"), 0)
	buf := make([]byte, 16)
	for _, step := range []struct {
		advance time.Duration
		want    string
	}{
		{0, ""}, {10 * time.Millisecond, ""}, {time.Millisecond, "a"}, {2 * time.Millisecond, "bc"},
		{10 * time.Millisecond, "def"}, {0, "gh"}, {0, ""},
	} {
		c.advance(w, step.advance)
		n, err := a.Read(buf, 0)
		if string(buf[:n]) != step.want || (n == 0) != errors.Is(err, ErrTimeout) {
			t.Errorf("at %v: %q, %v, want %q", c.now(), buf[:n], err, step.want)
		}
	}
	// A wait by the test's clock.
	done := make(chan error, 1)
	go func() { _, err := a.Read(buf, time.Second); done <- err }()
	for range 20 {
		time.Sleep(time.Millisecond)
		c.advance(w, 100*time.Millisecond)
	}
	if err := <-done; !errors.Is(err, ErrTimeout) {
		t.Error(err)
	}
}

func TestPipeNoise(t *testing.T) {
	run := func(seed uint64, set func(*Wire)) (got []byte, corrupt int) {
		a, b, w := Pipe()
		w.Seed = seed
		set(w)
		sent := bytes.Repeat([]byte{0x55}, 4000)
		for len(sent) > 0 {
			n := min(len(sent), 500)
			b.Write(sent[:n], soon)
			sent = sent[n:]
			buf := make([]byte, 1000)
			m, err := a.Read(buf, 0)
			if errors.Is(err, ErrCorrupt) {
				corrupt++
			}
			got = append(got, buf[:m]...)
		}
		return got, corrupt
	}
	flipped := func(b []byte) (n int) {
		for _, c := range b {
			if c != 0x55 {
				n++
			}
		}
		return n
	}
	got, _ := run(1, func(w *Wire) { w.Noise.Flip = 0.1 })
	if n := flipped(got); len(got) != 4000 || n < 300 || n > 500 {
		t.Errorf("flip: %d of %d", n, len(got))
	}
	again, _ := run(1, func(w *Wire) { w.Noise.Flip = 0.1 })
	other, _ := run(2, func(w *Wire) { w.Noise.Flip = 0.1 })
	if !bytes.Equal(got, again) || bytes.Equal(got, other) {
		t.Error("the seed does not decide")
	}
	if got, _ := run(1, func(w *Wire) { w.Noise.Lose = 0.1 }); len(got) < 3500 || len(got) > 3700 {
		t.Errorf("lose: %d are left", len(got))
	}
	if got, _ := run(1, func(w *Wire) { w.Noise.Insert = 0.1 }); len(got) < 4300 || len(got) > 4500 {
		t.Errorf("insert: %d have come", len(got))
	}
	if got, corrupt := run(1, func(w *Wire) { w.Noise.Mark = 0.01 }); corrupt == 0 || flipped(got) != 0 || len(got) != 4000 {
		t.Errorf("mark: %d reads corrupt, %d characters", corrupt, len(got))
	}
}

func TestPipeFaults(t *testing.T) {
	broken := errors.New("broken")
	a, b, _ := Pipe()
	a.Faults = []Fault{
		{Op: OpRead, At: 3, Count: 2, Err: broken},
		{Op: OpWrite, Err: broken},
		{Op: OpDiscard, At: 2, Count: -1, Err: broken},
		{Op: OpClose, Err: broken},
	}
	b.Write([]byte("abcdef"), 0)
	one := make([]byte, 1)
	for i, want := range []error{nil, nil, broken, broken, nil} {
		if _, err := a.Read(one, 0); !errors.Is(err, want) {
			t.Errorf("read %d: %v, want %v", i, err, want)
		}
	}
	for i, want := range []error{broken, nil, nil} {
		if _, err := a.Write(one, 0); !errors.Is(err, want) {
			t.Errorf("write %d: %v, want %v", i, err, want)
		}
	}
	for i, want := range []error{nil, broken, broken, broken} {
		if err := a.Discard(); !errors.Is(err, want) {
			t.Errorf("discard %d: %v, want %v", i, err, want)
		}
	}
	if err := a.Close(); !errors.Is(err, broken) || !strings.Contains(err.Error(), "pipe a") {
		t.Errorf("close: %v", err)
	}
	if _, err := a.Read(one, 0); !errors.Is(err, ErrClosed) {
		t.Errorf("it is closed all the same: %v", err)
	}
}

func TestPipeFullAndClosedPeer(t *testing.T) {
	a, b, _ := Pipe()
	big := make([]byte, 5000)
	start := time.Now()
	n, err := a.Write(big, tick)
	if !errors.Is(err, ErrTimeout) || n == 0 || n == len(big) || time.Since(start) < tick {
		t.Errorf("%d, %v after %v", n, err, time.Since(start))
	}
	if _, err := b.Read(make([]byte, 10), 0); !errors.Is(err, ErrTimeout) {
		t.Errorf("half a write is left: %v", err)
	}
	go func() {
		time.Sleep(tick)
		for buf := make([]byte, 512); ; {
			if _, err := b.Read(buf, -1); err != nil {
				return // closed below
			}
		}
	}()
	if n, err := a.Write(big, soon); n != len(big) || err != nil {
		t.Errorf("with a reader: %d, %v", n, err)
	}
	b.Close()
	if n, err := a.Write(big, 0); n != len(big) || err != nil {
		t.Errorf("nobody listens: %d, %v", n, err)
	}
	if err := b.Reopen(); err != nil {
		t.Fatal(err)
	}
	a.Write([]byte("hi"), 0)
	if got := readFull(t, b, 2); string(got) != "hi" {
		t.Errorf("%q", got)
	}
}

func TestPipeUnplug(t *testing.T) {
	a, b, w := Pipe()
	done := make(chan error, 1)
	go func() { _, err := a.Read(make([]byte, 4), -1); done <- err }()
	time.Sleep(tick)
	w.Unplug()
	if err := <-done; !errors.Is(err, ErrGone) {
		t.Errorf("under way: %v", err)
	}
	if _, err := b.Write([]byte("x"), 0); !errors.Is(err, ErrGone) {
		t.Errorf("write: %v", err)
	}
	if err := a.Reopen(); !errors.Is(err, ErrGone) {
		t.Errorf("open while it is out: %v", err)
	}
	w.Replug()
	if _, err := a.Read(make([]byte, 4), 0); !errors.Is(err, ErrGone) {
		t.Errorf("the old handle: %v", err)
	}
	for _, e := range []*End{a, b} {
		if err := e.Reopen(); err != nil {
			t.Fatal(err)
		}
	}
	b.Write([]byte("back"), 0)
	if got := readFull(t, a, 4); string(got) != "back" {
		t.Errorf("%q", got)
	}
	go func() { _, err := a.Read(make([]byte, 4), -1); done <- err }()
	time.Sleep(tick)
	a.Close()
	if err := <-done; !errors.Is(err, ErrClosed) {
		t.Errorf("close under way: %v", err)
	}
}

func TestPipeAllocatesNothing(t *testing.T) {
	a, b, _ := Pipe()
	frame, buf := make([]byte, 8), make([]byte, 64)
	if n := testing.AllocsPerRun(200, func() {
		a.Write(frame, soon)
		b.Read(buf, soon)
		b.Read(buf, 100*time.Microsecond)
	}); n != 0 {
		t.Errorf("%v allocations a round", n)
	}
}
