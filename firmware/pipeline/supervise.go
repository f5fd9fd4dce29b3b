package pipeline

import (
	"context"
	"fmt"
	"math"
	"time"

	"mien/board"
	"mien/drivers/watchdog"
	"mien/firmware/health"
)

// tick is how often the supervisor looks.
const tick = 50 * time.Millisecond

// supervisor watches whether results flow, feeds the watchdogs while the unit
// is alive, and reads what the board tells of itself.
type supervisor struct {
	unit     *Unit
	sensors  *board.Sensors
	dog      watchdog.Watchdog // nil: none
	notifier *health.Notifier  // nil: no systemd

	keepAlive time.Duration // how often systemd wants to hear of us; 0: never

	clock     health.ClockJump
	sets      int  // how often the clock was set, as seen last
	setLately bool // since the look before
	available availability
	unjudged  unjudged
	rate      health.Rate   // of results, as shown
	pace      health.Rate   // likewise, without the time that another fault explains
	judged    time.Duration // how much time there was without that, since the first result
	slow      health.Held   // on that time
	quick     health.Held   // likewise
	silent    health.Held   // likewise
	undriven  health.Held
	hot       bool
	dipped    bool          // the board told of under-voltage since its start
	jumped    time.Duration // when the wall clock last did

	fed, kept, sensed, stated, looked time.Duration
	results                           uint64
}

// run looks every tick until ctx ends.
func (s *supervisor) run(ctx context.Context) error {
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			s.look(s.unit.now(), s.unit.wall())
		}
	}
}

func (s *supervisor) look(now time.Duration, wall time.Time) {
	u := s.unit
	trusted := u.health.Trusted(now)
	if !trusted {
		u.stale(now, wall)
	}
	s.available.tick(trusted, now)
	u.availabilityIs(s.available.share())
	if text := s.unjudged.update(u.unread(), now); text != "" {
		u.note(text, "")
	}
	s.rates(now)
	s.checkClock(now, wall)
	s.checkLines(now)
	if now-s.sensed >= 5*time.Second {
		s.sensed = now
		s.sense(now)
	}
	u.checkHost(now)
	u.expire(now)
	s.feed(now)
}

// steady is how long the wall clock must go evenly before a jump is over.
const steady = 10 * time.Second

// checkClock makes a wall clock that was set a fault for a while. Each jump is
// journaled with its size; nothing but the times in the journal goes by it. That
// somebody sets the unit's clock is no jump: it is journaled as what it is.
func (s *supervisor) checkClock(now time.Duration, wall time.Time) {
	u := s.unit
	sets := u.clock.jumps()
	if sets != s.sets || s.setLately { // wall may have been read before it was set
		s.clock = health.ClockJump{}
	}
	s.setLately, s.sets = sets != s.sets, sets
	s.clock.Limit = u.settings().Health.ClockJump
	if jump := s.clock.Update(wall, now); jump != 0 {
		text := fmt.Sprintf("the wall clock jumped by %v", jump.Round(time.Millisecond))
		if u.health.On(health.ClockJumped) {
			u.note(text, "")
		}
		u.health.Begin(health.ClockJumped, now, text)
		s.jumped = now
	} else if now-s.jumped >= steady {
		u.health.End(health.ClockJumped)
	}
}

// silence is how long results may stay away before it is a fault that nothing
// says why: camera and network each tell their errors, a call that does not come
// back tells none. The first result may take long, on a slow board.
const (
	silence      = 4 * time.Second
	firstSilence = time.Minute
)

// The rate is judged over rateWindow, or over rateResults at health.min_rate
// where that is longer, and what it says must hold for rateHeld.
const (
	rateWindow  = 2 * time.Second
	rateResults = 4
	rateHeld    = 2 * time.Second
)

// rates finds a unit that gives results, but too few, and one that gives none
// without a fault that explains it. Only the rate counts, and not whether the
// newest result may be trusted: results that come every few seconds are trusted
// for a while each, and none of them says that the unit is slow; what is known of
// the camera's frames counts at once. Time in which
// another fault stops the unit is left out, and neither begins nor ends this one.
func (s *supervisor) rates(now time.Duration) {
	u := s.unit
	h := u.settings().Health
	lasts := now - s.looked
	if s.looked == 0 {
		lasts = 0
	}
	s.looked = now
	n := u.health.Results()
	results := int(n - s.results)
	s.results = n

	s.rate.Window = rateWindow
	s.rate.Add(results, lasts)
	shown, _ := s.rate.PerSecond()
	u.rateIs(float32(shown))

	if health.Stopping(u.health.Word()) {
		return
	}
	s.judged += lasts
	slow, quick, rate := false, true, 0.0
	if n > 0 && h.MinRate > 0 {
		s.pace.Window = max(rateWindow, time.Duration(rateResults/h.MinRate*float64(time.Second)))
		s.pace.Add(results, lasts)
		var known bool
		rate, known = s.pace.PerSecond()
		s.slow.For, s.quick.For = rateHeld, rateHeld
		slow = s.slow.Update(known && rate < h.MinRate, s.judged)
		quick = s.quick.Update(!known || rate >= h.MinRate, s.judged)
	}
	apart := u.cameraSlow()
	slow, quick = slow || apart > 0, quick && apart == 0
	s.silent.For = silence
	if n == 0 {
		s.silent.For = firstSilence
	}
	silent := s.silent.Update(!u.health.Trusted(now), s.judged)
	switch {
	case u.health.On(health.TooSlow):
		if quick && !slow && !silent {
			u.health.End(health.TooSlow)
		}
	case silent, slow && rate == 0:
		u.health.Begin(health.TooSlow, now, fmt.Sprintf("no result for %v, and no error that says why: a driver or the network's library hangs",
			min(u.health.Age(now), now-u.started).Round(100*time.Millisecond)))
	case slow:
		u.health.Begin(health.TooSlow, now, fmt.Sprintf("%.2g results/s, health.min_rate is %g", rate, h.MinRate))
	}
}

// checkLines finds output lines that are no longer driven: the driver of one
// hangs, and keeps the others from what they have to show.
func (s *supervisor) checkLines(now time.Duration) {
	u := s.unit
	if s.undriven.Update(u.health.Undriven(now) > 200*time.Millisecond, now) && !u.health.On(health.OutputMismatch) {
		u.health.Begin(health.OutputMismatch, now, "the output lines are not driven: a driver hangs") // ends with the next round of the panel
	}
}

// sense reads temperature and supply.
func (s *supervisor) sense(now time.Duration) {
	u := s.unit
	limit := u.settings().Health.MaxTemperature
	detail := ""
	t, ok := s.sensors.Temperature()
	if !ok {
		t = math.NaN() // and not the last one for ever
	}
	u.temperatureIs(float32(t))
	if t > limit || s.hot && t > limit-5 { // 5 °C of deadband
		detail = fmt.Sprintf("processor at %.0f °C, limit %.0f °C", t, limit)
	}
	s.hot = detail != ""
	if p, ok := s.sensors.Power(); ok {
		const way = "use a stronger power supply or a shorter cable"
		switch {
		case p.UnderVoltage:
			detail = "the board reports under-voltage: " + way
		case p.EverUnderVoltage && !s.dipped: // too short to be seen, or before the unit started
			u.note("there was under-voltage for a moment since the board started: "+way, "")
		}
		s.dipped = p.EverUnderVoltage
	}
	u.syncedIs(u.options.Synced())
	u.health.Set(health.Overheated, detail != "", now, detail)
}

// feed keeps the watchdogs quiet while the unit is alive, and only then.
func (s *supervisor) feed(now time.Duration) {
	u := s.unit
	if !u.health.Alive(now) {
		return
	}
	if s.dog != nil && now-s.fed >= s.dog.Timeout()/5 {
		if err := s.dog.Ping(); err != nil {
			u.say("watchdog", err.Error())
		}
		s.fed = now
	}
	if s.keepAlive > 0 && now-s.kept >= s.keepAlive/3 {
		s.notifier.Send("WATCHDOG=1") // a manager that is gone will not mind
		s.kept = now
	}
	if now-s.stated >= 10*time.Second {
		s.stated = now
		s.notifier.Send("STATUS=" + u.status())
	}
}
