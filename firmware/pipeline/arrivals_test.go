package pipeline

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"mien/drivers/camera"
	"mien/firmware/health"
	"mien/model/pixel"
)

// paced is a camera that gives frames when next says, on the clock of a clocked
// unit. One that restarts gives its first frame so long after it was opened, one
// that does not when it is due, whoever looks.
type paced struct {
	c        *clocked
	next     func() time.Duration
	restarts bool
	gone     bool
	due      time.Duration
	opens    int
	frame    camera.Frame
}

func (p *paced) open() (camera.Source, error) {
	p.opens++
	if p.gone {
		return nil, camera.ErrNotFound
	}
	if p.restarts || p.due == 0 {
		p.due = p.c.at + p.next()
	}
	for p.due < p.c.at {
		p.due += p.next()
	}
	return p, nil
}

func (p *paced) Next(timeout time.Duration) (*camera.Frame, error) {
	if p.gone {
		return nil, camera.ErrGone
	}
	if end := p.c.at + timeout; p.due > end {
		p.c.pass(timeout)
		return nil, fmt.Errorf("paced: %w", camera.ErrTimeout)
	}
	p.c.pass(max(p.due-p.c.at, 0))
	p.due = p.c.at + max(p.next(), time.Millisecond)
	p.frame.Sequence++
	p.frame.Time = p.c.at
	return &p.frame, nil
}

func (p *paced) Release() error    { return nil }
func (p *paced) Close() error      { return nil }
func (p *paced) Info() camera.Info { return camera.Info{Name: "paced", Live: true} }

// pass lets time pass for supervisor and lines.
func (c *clocked) pass(lasts time.Duration) {
	for end := c.at + lasts; c.at < end; {
		c.at = min(end, c.looked+tick)
		if c.at == c.looked+tick {
			c.looked = c.at
			c.super.look(c.at, time.Unix(1_800_000_000, 0).Add(c.at))
		}
		c.panel.drive(c.at)
	}
}

// watched is a clocked unit whose watcher runs on a paced camera.
type watched struct {
	*clocked
	cam *paced
	w   *watcher
	// What happened since it was last cleared:
	edges, beats  int
	changes       map[health.Fault]int
	well          time.Duration // no fault was on
	lasted        time.Duration
	lines, lastHB uint32
	word          uint32
}

func newWatched(t *testing.T, more string) *watched {
	c := newClocked(t, "", more)
	c.looked = c.at
	v := &watched{clocked: c, cam: &paced{c: c, next: even(30)}, changes: map[health.Fault]int{}}
	v.w = c.newWatcher()
	v.w.open = v.cam.open
	v.w.eye, v.w.signals = new(Eye), c.network.signals
	v.w.look = func(f *camera.Frame) (*Sight, error) {
		c.sight.Hash++
		c.sight.Light = pixel.Stats{Mean: 100, Contrast: 50}
		return c.sight, nil
	}
	return v
}

// clear begins to count again.
func (v *watched) clear() {
	v.edges, v.beats, v.well, v.lasted = 0, 0, 0, 0
	clear(v.changes)
}

// run lets the watcher run.
func (v *watched) run(lasts time.Duration) {
	for end := v.at + lasts; v.at < end; {
		began := v.at
		v.health.Turn(v.at)
		var wait time.Duration
		if v.w.source == nil {
			wait = v.w.openCamera()
		} else {
			wait, _ = v.w.frame()
		}
		v.panel.drive(v.at)
		v.pass(wait)
		v.note(v.at - began)
	}
}

func (v *watched) note(lasts time.Duration) {
	high := uint32(0)
	if v.chip.High(pin(0)) {
		high = 1
	}
	if high != v.lines {
		v.lines, v.edges = high, v.edges+1
	}
	v.mu.Lock()
	hb := uint32(v.state.Heartbeat)
	v.mu.Unlock()
	v.beats += int(hb - v.lastHB)
	v.lastHB = hb
	word := v.health.Word()
	for _, f := range health.Faults() {
		if (word^v.word)&f.Bit() != 0 {
			v.changes[f]++
		}
	}
	v.word = word
	v.lasted += lasts
	if word == 0 {
		v.well += lasts
	}
}

// A camera at every rate from 0.1 to 30 a second, even and uneven: with fewer frames
// than health.min_rate a fault is on all the time and the healthy line stands; with
// a frame now and then that is "too slow", with none for long "camera lost", and it
// stays what it is.
func TestEveryRateOfTheCamera(t *testing.T) {
	random := rand.New(rand.NewPCG(16, 4))
	for rate := 0.1; rate < 31; rate *= 1.17 {
		for _, restarts := range []bool{false, true} {
			for name, next := range map[string]func() time.Duration{"even": even(rate), "uneven": uneven(rate, random)} {
				name := fmt.Sprintf("%.2f/s, %s, restarts %v", rate, name, restarts)
				v := newWatched(t, "")
				v.run(5 * time.Second)
				if v.clear(); v.health.Word() != 0 {
					t.Fatalf("%s: %v at the start", name, v.Faults())
				}
				v.cam.next, v.cam.restarts = next, restarts
				v.run(30 * time.Second)
				onset := v.changes[health.CameraLost]
				v.clear()
				v.run(5 * time.Minute)
				slow, lost := v.health.On(health.TooSlow), v.health.On(health.CameraLost)
				isEven := name[len(fmt.Sprintf("%.2f/s, ", rate)):][0] == 'e'
				switch least := v.settings().Health.MinRate; {
				case rate > 1.2*least && isEven:
					if v.well != v.lasted || v.edges < 450 || v.beats < 295 {
						t.Errorf("%s: well for %v of %v, %d edges, %d beats, %v", name, v.well, v.lasted, v.edges, v.beats, v.changes)
					}
				case rate < least/1.2 && isEven || rate < least/2:
					if v.well > v.lasted/100 || isEven && v.well > 0 || v.edges != 0 {
						t.Errorf("%s: well for %v of %v, %d edges of the healthy line, %v", name, v.well, v.lasted, v.edges, v.changes)
					}
					if isEven && (len(v.changes) > 0 || onset > 2 || (rate > 0.34) != (slow && !lost) || rate < 0.2 && !lost) {
						t.Errorf("%s: slow %v, lost %v, changes %v, at first %d", name, slow, lost, v.changes, onset)
					}
					if isEven && rate < 1 && v.beats > 0 {
						t.Errorf("%s: %d beats", name, v.beats)
					}
				}
				if n := v.changes[health.CameraLost]; n > 60 || rate > 2 && n > 4 {
					t.Errorf("%s: camera lost %d times in 5 minutes", name, n/2)
				}
				v.cam.next, v.cam.due = even(30), v.at
				v.run(25 * time.Second)
				v.clear()
				v.run(10 * time.Second)
				if v.well != v.lasted || v.edges < 18 {
					t.Errorf("%s: afterwards well for %v of %v, %d edges, %v", name, v.well, v.lasted, v.edges, v.Faults())
				}
			}
		}
	}
}

// One frame every 1.5 s: too slow and not lost, whatever became of the first gap;
// and one that gives a frame whenever it is opened is lost.
func TestAFrameEverySecondAndAHalf(t *testing.T) {
	v := newWatched(t, "")
	v.run(5 * time.Second)
	v.cam.next, v.cam.restarts = even(1/1.5), true
	v.clear()
	v.run(10 * time.Second)
	if v.changes[health.CameraLost] != 2 || v.edges > 1 {
		t.Errorf("%v, %d edges", v.changes, v.edges)
	}
	v.clear()
	v.run(10 * time.Minute)
	if len(v.changes) > 0 || !v.health.On(health.TooSlow) || v.health.On(health.CameraLost) || v.edges+v.beats > 0 {
		t.Errorf("%v, %v, %d edges, %d beats", v.changes, v.Faults(), v.edges, v.beats)
	}
	opens := v.cam.opens
	v.cam.gone = true
	v.run(time.Second)
	if !v.health.On(health.CameraLost) {
		t.Errorf("unplugged: %v", v.Faults())
	}
	v.cam.gone = false
	n := 0
	v.cam.next = func() time.Duration { // a frame at once, and no more
		if v.cam.opens > opens {
			opens = v.cam.opens
			return time.Millisecond
		}
		return time.Hour
	}
	v.clear()
	for range 100 {
		v.run(3 * time.Second)
		n = v.cam.opens
	}
	if !v.health.On(health.CameraLost) || v.changes[health.CameraLost] > 0 || n < 20 {
		t.Errorf("a frame at each opening: %v, %v, opened %d times", v.Faults(), v.changes, n)
	}
}

// One frame that comes late, now and then, is no slow camera.
func TestOneLateFrameIsNoFault(t *testing.T) {
	v := newWatched(t, "")
	v.run(5 * time.Second)
	n := 0
	v.cam.next = func() time.Duration {
		if n++; n%400 == 0 { // once in 13 s
			v.pass(1300 * time.Millisecond) // the whole machine stands
		}
		return time.Second / 30
	}
	v.clear()
	v.run(2 * time.Minute)
	if len(v.changes) > 0 {
		t.Errorf("%v", v.changes)
	}
}
