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
			at, a, change, wrong := d.date(stamp, now)
			if age = a; change == notBelieved {
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
		if at, age, _, wrong := d.date(time.Duration(i)*time.Hour, time.Second); at != time.Duration(i)*time.Hour || age != 0 || wrong != "" {
			t.Fatalf("a fast clip: frame %d at %v, %v old, %s", i, at, age, wrong)
		}
	}
}

// A device is believed again once its times were plausible for a stated while, so
// that pictures which it keeps back later on are known to be; not where its clock
// was set, which makes new pictures look old.
func TestTrustIsRegained(t *testing.T) {
	const period = 40 * time.Millisecond
	for _, c := range []struct {
		name  string
		doubt func(at time.Duration) (stamp time.Duration) // what the device says, of the time since it was opened
		back  time.Duration                                // when it is believed again, 0: never
		old   bool                                         // a picture that is kept back is known to be
	}{
		{"one frame with the time of the one before", func(at time.Duration) time.Duration {
			if at == 5*time.Second {
				at -= period
			}
			return at
		}, 35 * time.Second, true},
		{"one frame in the future", func(at time.Duration) time.Duration {
			if at == 5*time.Second {
				at += time.Minute
			}
			return at
		}, 35 * time.Second, true},
		{"a doubtful frame now and then", func(at time.Duration) time.Duration {
			if at%(20*time.Second) == 0 {
				at -= period
			}
			return at
		}, 0, false},
		{"to and fro for 10 s", func(at time.Duration) time.Duration {
			if at < 10*time.Second && at/(300*time.Millisecond)%2 == 1 {
				at -= 20 * time.Second
			}
			return at
		}, 40 * time.Second, true},
		{"stands still for 3 s", func(at time.Duration) time.Duration {
			if at > 5*time.Second && at < 8*time.Second {
				at = 5 * time.Second
			}
			return at
		}, 38 * time.Second, true},
		{"set back by 5 s", func(at time.Duration) time.Duration {
			if at > 5*time.Second {
				at -= 5 * time.Second
			}
			return at
		}, 0, false},
		{"counts from another moment", func(at time.Duration) time.Duration { return at - 3*time.Hour }, 0, false},
	} {
		d := dates{live: true}
		now, back, doubted := time.Duration(0), time.Duration(0), false
		for ; now < 2*time.Minute; now += period {
			at, age, change, _ := d.date(1000*time.Second+c.doubt(now), 1000*time.Second+now)
			switch change {
			case notBelieved:
				doubted = true
			case believedAgain:
				back = now
			}
			if age > time.Second || 1000*time.Second+now-at > time.Second {
				t.Fatalf("%s: after %v a new picture is %v old", c.name, now, age)
			}
		}
		if !doubted || (back-c.back).Abs() > time.Second {
			t.Errorf("%s: doubted %v, believed again after %v, want %v", c.name, doubted, back, c.back)
		}
		_, age, _, _ := d.date(1000*time.Second+c.doubt(now), 1003*time.Second+now) // a queue has filled
		if (age > time.Second) != c.old {
			t.Errorf("%s: a picture of 3 s before is %v old", c.name, age)
		}
	}
	// Kept back as soon as it is doubted: known when it is believed again.
	d := dates{live: true}
	var age time.Duration
	for now := time.Duration(0); now < 40*time.Second; now += period {
		stamp := now - min(max(now-5*time.Second, 0)*29/30, 10*time.Second)
		if now == 5*time.Second {
			stamp -= period
		}
		_, age, _, _ = d.date(1000*time.Second+stamp, 1000*time.Second+now)
	}
	if age < 9*time.Second {
		t.Errorf("pictures of 10 s before are %v old", age)
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
