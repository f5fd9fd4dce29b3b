package pipeline

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"mien/drivers/gpio"
	"mien/firmware/alarm"
	"mien/firmware/config"
	"mien/firmware/health"
)

// clocked is a unit without camera and network, on a clock of the test's: results
// are given to it, and supervisor and panel look when they would.
type clocked struct {
	*Unit
	t      *testing.T
	at     time.Duration
	looked time.Duration // by pass
	chip   *gpio.Fake
	panel  *panel
	super  *supervisor
	sight  *Sight
	blind  bool // an alarm is Unknown
	lost   int  // how often that began
}

// Lines of a clocked unit: a lamp and the alarm's own line, both by default.
const clockedConfig = `
[[alarm]]
name = "frown"
signal = "au4"
high = 0.6
%s
[[output]]
name = "healthy"
chip = "fake"
line = 0
function = "healthy"
[[output]]
name = "lamp"
chip = "fake"
line = 1
function = "lamp"
[[output]]
name = "frown"
chip = "fake"
line = 2
function = "alarm:frown"
`

func newClocked(t *testing.T, alarmText, more string, change ...func(*Options)) *clocked {
	t.Helper()
	cfg, err := config.Parse("clocked.toml", fmt.Appendf(nil, clockedConfig+more, alarmText))
	if err != nil {
		t.Fatal(err)
	}
	c := &clocked{t: t, chip: gpio.NewFake(gpio.FakeChip{Label: "fake", Lines: make([]string, 8)})}
	o := Options{Config: cfg, Resolve: plainResolver, Host: c.chip, Wall: func() time.Time { return time.Unix(1_800_000_000, 0).Add(c.at) }}
	for _, f := range change {
		f(&o)
	}
	c.Unit, err = New(o)
	if err != nil {
		t.Fatal(err)
	}
	c.at = c.started
	c.now = func() time.Duration { return c.at }
	if c.panel, err = newPanel(c.Unit, c.chip, cfg, plainResolver); err != nil {
		t.Fatal(err)
	}
	c.super = &supervisor{unit: c.Unit, sensed: c.at + 10000*time.Hour, stated: c.at + 10000*time.Hour}
	c.sight = &Sight{Levels: make([]float32, len(c.network.signals))}
	c.level(0.1)
	return c
}

// level is what the face shows from now on; NaN: it cannot be read.
func (c *clocked) level(x float32) {
	for i := range c.sight.Levels {
		c.sight.Levels[i] = x
	}
}

// run lets time pass; next gives the time to the next result, and may change what
// it shows. Each look is followed by check.
func (c *clocked) run(lasts time.Duration, next func() time.Duration, check func()) {
	c.t.Helper()
	due := c.at + next()
	look := c.at + tick
	for end := c.at + lasts; c.at < end && !c.t.Failed(); {
		if due <= look {
			c.at = due
			c.result(c.sight, c.network.signals, 0, c.at)
			due += max(next(), time.Millisecond)
		} else {
			c.at = look
			look += tick
			c.health.Turn(c.at)
			c.super.look(c.at, c.wall())
		}
		c.panel.drive(c.at)
		was := c.blind
		if c.blind = c.summary.Unknown != 0; c.blind && !was {
			c.lost++
		}
		check()
	}
}

// alarm is the first one.
func (c *clocked) alarm() alarm.Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.engine.Status(0)
}

// even and uneven give the time between two results of a rate a second.
func even(rate float64) func() time.Duration {
	return func() time.Duration { return time.Duration(float64(time.Second) / rate) }
}

func uneven(rate float64, random *rand.Rand) func() time.Duration {
	return func() time.Duration {
		return time.Duration(float64(time.Second) / rate * min(random.ExpFloat64(), 4))
	}
}

var everyRate = flag.Bool("rates", false, "every rate with every setting: minutes")

// At every rate, even and uneven, with every second frame unreadable too, a frown
// that stays is told within two on-delays and a hold: the alarm is raised, or it
// is declared Unknown and its lines show that. Never are they at rest while
// nobody can know. A unit that is too slow says so.
func TestEveryRateTells(t *testing.T) {
	random := rand.New(rand.NewPCG(16, 1))
	for i, alarmText := range []string{"", "on_delay = \"0s\"", "on_delay = \"4s\"\nunknown_hold = \"2s\"", "on_delay = \"200ms\"\nunknown_hold = \"30s\""} {
		for k, health := range []string{"", "[health]\nstale = \"200ms\"\n", "[health]\nstale = \"3s\"\nmin_rate = 1\n"} {
			apart, gaps := 1.5, []int{0, 2}
			switch {
			case *everyRate:
				apart, gaps = 1.2, []int{0, 2, 3, 5}
			case i+k > 0:
				apart, gaps = 5, []int{0}
			}
			rates := []float64{1, 2, 5, 30} // where intervals are just as long as stale
			for r := 0.1; r < 30; r *= apart {
				rates = append(rates, r)
			}
			for _, rate := range rates {
				for name, next := range map[string]func() time.Duration{"even": even(rate), "uneven": uneven(rate, random)} {
					for _, unreadable := range gaps {
						told(t, fmt.Sprintf("%q %q, %.2g/s, %s, one of %d unreadable", alarmText, health, rate, name, unreadable), alarmText, health, rate, next, unreadable)
						if t.Failed() {
							return
						}
					}
				}
			}
		}
	}
}

func told(t *testing.T, name, alarmText, healthText string, rate float64, next func() time.Duration, unreadable int) {
	c := newClocked(t, alarmText, healthText)
	cfg := c.settings()
	a, h := cfg.Alarms[0], cfg.Health
	c.run(3*time.Second, even(30), func() {}) // all is well, to begin with
	if s := c.alarm(); s.State != alarm.Normal || s.Unknown || c.chip.High(pin(1)) {
		t.Fatalf("%s: %+v", name, s)
	}
	n := 0
	frown := func() time.Duration {
		c.level(0.998)
		if n++; unreadable > 0 && n%unreadable == 0 {
			c.level(unknown)
		}
		return next()
	}
	began := c.at
	// The promise of docs/alarms.md, from the first result that shows the frown,
	// and the supervisor's tick.
	first := time.Duration(4/rate*float64(time.Second)) + tick
	limit := began + 2*a.OnDelay + a.UnknownHold + first
	slowBy := began + max(rateWindow, time.Duration(rateResults/h.MinRate*1e9)) + rateHeld + 2*tick
	judged := false
	c.run(limit-began+30*time.Second, frown, func() {
		s := c.alarm()
		judged = judged || s.State != alarm.Normal || s.Unknown
		if c.at > limit && !judged {
			t.Errorf("%s: after %v neither raised nor declared Unknown", name, c.at-began)
		}
		// A hold shorter than the delay may pass in between.
		if c.at > limit && a.OnDelay <= a.UnknownHold {
			if s.State == alarm.Normal && !s.Unknown {
				t.Errorf("%s: after %v the alarm is %v, not Unknown, ran", name, c.at-began, s.State)
			}
			if !c.chip.High(pin(1)) || !c.chip.High(pin(2)) {
				t.Errorf("%s: after %v the lamp is %v, the line %v; %v, Unknown %v", name, c.at-began, c.chip.High(pin(1)), c.chip.High(pin(2)), s.State, s.Unknown)
			}
		}
		if c.at > slowBy && rate < h.MinRate/2 && strings.Contains(name, " even") && !c.health.On(health.TooSlow) {
			t.Errorf("%s: after %v, no fault", name, c.at-began)
		}
	})
	s := c.alarm()
	// What is slow enough is surely raised, what is too slow surely declared.
	switch interval := time.Duration(float64(time.Second) / rate); {
	case !strings.Contains(name, " even") || unreadable != 0:
	case interval <= h.Stale && s.State != alarm.Unacknowledged:
		t.Errorf("%s: %v", name, s.State)
	case interval > h.Stale+tick && a.OnDelay > 0 && (s.State != alarm.Normal || !s.Unknown):
		t.Errorf("%s: %v, Unknown %v", name, s.State, s.Unknown)
	}
	if most := 1 + int((c.at-began)/(a.UnknownHold)); c.lost > most {
		t.Errorf("%s: Unknown was declared %d times", name, c.lost)
	}
	// The way back.
	c.level(0.1)
	c.run(2*time.Second+a.OffDelay+2*rateHeld+max(rateWindow, time.Duration(rateResults/h.MinRate*1e9)), even(30), func() {})
	if s := c.alarm(); s.Unknown || s.State != alarm.Normal && s.State != alarm.ReturnedUnacknowledged || c.health.Word() != 0 {
		t.Errorf("%s: afterwards %v, Unknown %v, faults %v", name, s.State, s.Unknown, c.Faults())
	}
}

// A unit that grows slower and slower is too slow from some moment on, and until
// it is fast again: the fault does not end on the way down, nor does it come and
// go where each result is trusted for a while.
func TestTooSlowDoesNotEndAsItGetsSlower(t *testing.T) {
	c := newClocked(t, "", "")
	began, ended := 0, 0
	rate, was := 30.0, false
	look := func() {
		if on := c.health.On(health.TooSlow); on != was {
			if was = on; on {
				began++
			} else {
				ended++
			}
		}
	}
	for ; rate > 0.05; rate /= 1.1 {
		c.run(time.Duration(max(3, 2/rate)*1e9), even(rate), look)
		if rate < 4 && !was {
			t.Errorf("at %.2g/s no fault", rate)
		}
	}
	if began != 1 || ended != 0 {
		t.Errorf("going down: begun %d times, ended %d times", began, ended)
	}
	c.run(6*time.Second, even(30), look)
	if was || ended != 1 {
		t.Errorf("at 30/s: on %v, ended %d times", was, ended)
	}
	// Another fault that stops the unit neither begins it nor ends it.
	c.run(10*time.Second, even(2), look)
	c.health.Begin(health.CameraDark, c.at, "a hand")
	c.run(10*time.Second, even(30), look)
	if !was {
		t.Error("ended by results that nobody may trust")
	}
	c.health.End(health.CameraDark)
	c.run(6*time.Second, even(30), look)
	if was {
		t.Error("does not end")
	}
}

// Rates around the least one do not make the fault chatter.
func TestTooSlowDoesNotChatter(t *testing.T) {
	random := rand.New(rand.NewPCG(16, 2))
	c := newClocked(t, "", "")
	changes, was := 0, false
	c.run(10*time.Minute, uneven(c.settings().Health.MinRate, random), func() {
		if on := c.health.On(health.TooSlow); on != was {
			was = on
			changes++
		}
	})
	if changes > 150 { // each hold lasts for two seconds
		t.Errorf("%d changes in 10 minutes", changes)
	}
	t.Logf("%d changes", changes)
}

// Nobody in view for a moment, again and again, for half of the time and less: the
// alarm is raised all the same, in twice its delay.
func TestUnknownNowAndThenIsBridged(t *testing.T) {
	for _, away := range []time.Duration{100 * time.Millisecond, 500 * time.Millisecond, 2 * time.Second} {
		c := newClocked(t, "on_delay = \"6s\"", "")
		c.run(3*time.Second, even(30), func() {})
		began, raised := c.at, time.Duration(math.MaxInt64)
		c.run(20*time.Second, func() time.Duration {
			c.level(0.998)
			if (c.at-began)%(2*away+200*time.Millisecond) > away+200*time.Millisecond {
				c.level(unknown)
			}
			return even(30)()
		}, func() {
			if c.alarm().State == alarm.Unacknowledged {
				raised = min(raised, c.at-began)
			}
		})
		if raised > 13*time.Second || c.lost > 0 {
			t.Errorf("away for %v at a time: raised after %v, declared Unknown %d times", away, raised, c.lost)
		}
	}
}
