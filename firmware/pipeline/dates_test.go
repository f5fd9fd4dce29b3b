package pipeline

import (
	"strings"
	"testing"
	"time"

	"mien/drivers/camera"
	"mien/firmware/health"
)

// Whatever a device says of its times, those of its frames go up, are never in the
// future, and follow the clock; pictures that are kept back are known to be.
func TestDates(t *testing.T) {
	const period = 40 * time.Millisecond
	for _, c := range []struct {
		name  string
		stamp func(i int, now time.Duration) time.Duration
		wrong string // part of the reason, told once
		old   bool   // in the end
		exact bool   // the device's times are taken
	}{
		{"true", func(i int, now time.Duration) time.Duration { return now - 5*time.Millisecond }, "", false, true},
		{"the end of the frame in advance", func(i int, now time.Duration) time.Duration { return now + period }, "", false, false},
		{"standing", func(i int, now time.Duration) time.Duration { return 7 * time.Second }, "same time", false, false},
		{"zero", func(i int, now time.Duration) time.Duration { return 0 }, "same time", false, false},
		{"standing from a moment on", func(i int, now time.Duration) time.Duration { return min(now, 101*time.Second) }, "same time", false, false},
		{"back by 5 s and on from there", func(i int, now time.Duration) time.Duration {
			return now - time.Duration(i/50)*5*time.Second
		}, "before the one before", false, false},
		{"to and fro", func(i int, now time.Duration) time.Duration { return now - time.Duration(i%7)*time.Second }, "before", false, false},
		{"the wall clock", func(i int, now time.Duration) time.Duration { return now + 1.7e9*time.Second }, "in the future", false, false},
		{"counted from its own start", func(i int, now time.Duration) time.Duration { return now - 100*time.Minute }, "in the past", false, false},
		{"twice as fast", func(i int, now time.Duration) time.Duration { return 2*now - 100*time.Second }, "in the future", false, false},
		{"kept back from the start", func(i int, now time.Duration) time.Duration { return now - 10*time.Second }, "", true, true},
		{"kept back ever longer", func(i int, now time.Duration) time.Duration { return 90*time.Second + (now-90*time.Second)/3 }, "", true, true},
	} {
		d := dates{live: true}
		var last, age time.Duration
		var told []string
		for i := range 250 {
			now := 100*time.Second + time.Duration(i)*period
			stamp := c.stamp(i, now)
			at, a, wrong := d.date(stamp, now)
			if age = a; wrong != "" {
				told = append(told, wrong)
			}
			switch {
			case at <= last && i > 0 || at > now:
				t.Fatalf("%s: frame %d at %v after %v, now %v", c.name, i, at, last, now)
			case c.exact && at != stamp:
				t.Fatalf("%s: frame %d at %v, the device says %v", c.name, i, at, stamp)
			case !c.exact && i > 60 && at < now-period:
				t.Fatalf("%s: frame %d at %v, %v after it came", c.name, i, at, now-at)
			}
			last = at
		}
		if c.wrong == "" && told != nil || c.wrong != "" && (len(told) != 1 || !strings.Contains(told[0], c.wrong)) {
			t.Errorf("%s: told %q, want %q", c.name, told, c.wrong)
		}
		if old := age > time.Second; old != c.old {
			t.Errorf("%s: %v old in the end", c.name, age)
		}
	}
	d := dates{} // a clip that is played fast runs ahead of the clock
	for i := range 100 {
		if at, age, wrong := d.date(time.Duration(i)*time.Hour, time.Second); at != time.Duration(i)*time.Hour || age != 0 || wrong != "" {
			t.Fatalf("a fast clip: frame %d at %v, %v old, %s", i, at, age, wrong)
		}
	}
}

// Pictures that are kept back, and pictures shown in turn, are no picture: the
// fault, the fail values, and the way back.
func TestOldAndAlternatingPicturesFailSafe(t *testing.T) {
	b := newBench(t, "", nil)
	b.until("results", b.trusted)
	two := pictures(t, neutralFrom, neutralTo)[:2] // an alarm's lamp would stay lit
	for _, c := range []struct {
		name       string
		begin, end func(*camera.Fake)
	}{
		{"a queue that fills", func(f *camera.Fake) { f.Keep = 10 * time.Second }, func(f *camera.Fake) { f.Keep = 0 }},
		{"kept back from the start", func(f *camera.Fake) {
			f.Keep, f.NextErrs = 10*time.Second, map[int]error{f.Nexts + 1: camera.ErrGone}
		}, func(f *camera.Fake) { f.Keep = 0 }},
		{"two in turn", func(f *camera.Fake) { f.Pictures = two }, func(f *camera.Fake) { f.Pictures = pictures(t, neutralFrom, neutralTo) }},
	} {
		b.with(c.begin)
		b.until(c.name+": the fault", b.fault(health.CameraFrozen))
		b.until(c.name+": the fail values", func() bool { return !b.chip.High(pin(1)) && b.chip.High(pin(2)) && b.chip.High(pin(3)) })
		toggles := b.toggles(0)
		time.Sleep(300 * time.Millisecond)
		if n := b.toggles(0) - toggles; n > 1 {
			t.Errorf("%s: the healthy line toggled %d times", c.name, n)
		}
		if opens := b.opens(); c.name == "a queue that fills" { // as all others, but each takes 5 s
			b.until(c.name+": the camera opened again", func() bool { return b.opens() > opens })
		}
		b.with(c.end)
		b.until(c.name+": the way back", b.trusted)
		if b.unit.health.On(health.Internal) || b.count("internal error") > 0 {
			t.Errorf("%s: a part failed", c.name)
		}
	}
}

func (b *bench) opens() (n int) {
	b.with(func(f *camera.Fake) { n = f.Opens })
	return n
}

// A camera whose times stand still or jump is watched by the clock: it is told
// once, results flow, and a lens that is covered is found.
func TestTimesThatAreNotBelieved(t *testing.T) {
	for name, stamp := range map[string]func(time.Duration) time.Duration{
		"stand still": func(time.Duration) time.Duration { return 5 * time.Second },
		"jump back":   func(at time.Duration) time.Duration { return at - at/time.Second%2*30*time.Second },
		"long ago":    func(at time.Duration) time.Duration { return at - 2*time.Hour },
		"lie ahead":   func(at time.Duration) time.Duration { return at + time.Hour },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, "", nil)
			b.with(func(f *camera.Fake) { f.Stamp = stamp })
			b.until("results", b.trusted)
			time.Sleep(time.Second)
			if !b.trusted() {
				t.Errorf("faults %v", b.unit.Faults())
			}
			b.told("the camera's clock is not believed")
			b.with(func(f *camera.Fake) { f.Black = true })
			b.until("the covered lens", b.fault(health.CameraDark))
			b.with(func(f *camera.Fake) { f.Black = false })
			b.until("the way back", b.trusted)
		})
	}
}
