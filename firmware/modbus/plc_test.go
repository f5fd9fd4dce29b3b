package modbus_test

import (
	"strconv"
	"testing"
	"time"

	"mien/firmware/modbus"
	"mien/firmware/modbus/modbustest"
)

// FB_MienDecode makes of a unit's answer what the unit has.
func TestStructuredTextDecodes(t *testing.T) {
	p := stProgramOf(t)
	for _, low := range []bool{false, true} {
		r := newRig(t, func(c *modbus.Config) { c.LowWordFirst = low })
		answer := r.ask(t, words(4, 0, 124)...)
		fb := p.make("FB_MienDecode", 0)
		for i := range 124 {
			fb.parts["aRegisters"].parts[strconv.Itoa(i)].set(int64(answer[2+2*i])<<8 | int64(answer[3+2*i]))
		}
		fb.parts["bLowWordFirst"].set(stBool(low))
		p.call(fb)
		m := fb.parts["stMien"].parts
		for name, want := range map[string]int64{"heartbeat": 4711, "valence": -437, "arousal": 655, "au12": -32768, "au9": 300, "face_score": 912,
			"alarms_active": 3, "last_alarm_time": 1_700_000_000, "test_float": 0x3F800000, "uptime": 4712, "availability": 99, "covered": 2, "expression": 4} {
			if m[name] == nil || m[name].n != want {
				t.Errorf("low word first %v: %s is %v, want %d", low, name, m[name], want)
			}
		}
		alarm := m["alarms"].parts["4"].parts
		if alarm["state"].n != 4 || alarm["value"].n != 400 || alarm["on_limit"].n != 600 || m["alarms"].parts["5"].parts["state"].n != 65535 {
			t.Errorf("alarm 4: %v", alarm)
		}
		if n := fb.parts["nAlarms"].n; n != 5 {
			t.Errorf("%d alarms, want 5", n)
		}
		if fb.parts["bMapKnown"].n != 1 {
			t.Error("map not known")
		}
		fb.parts["bLowWordFirst"].set(stBool(!low)) // the wrong order is noticed
		p.call(fb)
		if fb.parts["bMapKnown"].n != 0 {
			t.Error("wrong word order not noticed")
		}
	}
}

// plc calls FB_Mien every 100 ms with what a unit shows.
type plc struct {
	p  *stProgram
	fb *stVar

	beats, answers, valid, ready bool
	active                       int64
	count                        time.Duration
}

func newPLC(t *testing.T) *plc {
	p := stProgramOf(t)
	c := &plc{p: p, fb: p.make("FB_Mien", 0), beats: true, answers: true, valid: true, ready: true}
	c.in("bEnable", 1)
	c.in("bMapKnown", 1)
	c.in("nAvailability", 100)
	return c
}

func (c *plc) in(name string, n int64) { c.fb.parts[name].set(n) }

func (c *plc) out(name string) int64 { return c.fb.parts[name].n }

// run lets so much time pass and returns the states that were seen.
func (c *plc) run(d time.Duration) (states []int64) {
	for end := c.p.now + d; c.p.now < end; c.p.now += 100 * ms {
		if c.beats && c.answers {
			c.count += 100 * ms
		}
		c.in("bPollOk", stBool(c.answers))
		if c.answers {
			c.in("nHeartbeat", int64(c.count/time.Second)+65530) // wraps on the way
			c.in("wStatus", stBool(c.ready)*int64(modbus.StatusReady|modbus.StatusResultValid)+stBool(c.valid)*int64(modbus.StatusQualityOK))
			c.in("wActive", c.active)
		}
		c.p.call(c.fb)
		if s := c.out("nState"); len(states) == 0 || states[len(states)-1] != s {
			states = append(states, s)
		}
	}
	return states
}

func (c *plc) want(t *testing.T, what string, d time.Duration, state int64, available bool) {
	t.Helper()
	c.run(d)
	if got := c.out("nState"); got != state || c.out("bAvailable") != stBool(available) || c.out("bFailed") != stBool(state == 4) {
		t.Errorf("%s: state %d, available %d, want %d, %v", what, got, c.out("bAvailable"), state, available)
	}
}

func TestStructuredTextSupervises(t *testing.T) {
	c := newPLC(t)
	c.want(t, "start", 2*time.Second, 1, false)
	c.want(t, "three heartbeats", 2*time.Second, 2, true)
	c.want(t, "for long", time.Minute, 2, true)

	c.beats = false
	c.want(t, "heartbeat stands", 2900*ms, 2, true)
	c.want(t, "for longer than it may", 1200*ms, 4, false)
	c.want(t, "and for ever", time.Minute, 4, false)
	c.beats = true
	c.want(t, "it beats", 1500*ms, 1, false)
	c.want(t, "three times", 2500*ms, 2, true)

	c.answers = false
	c.want(t, "a lost poll or two", 2*time.Second, 2, true)
	c.want(t, "the line is dead", 2*time.Second, 4, false)
	c.answers = true
	c.want(t, "and back", 5*time.Second, 2, true)

	c.ready = false
	c.want(t, "the unit is not ready", 200*ms, 4, false)
	c.ready = true
	c.want(t, "and back", 5*time.Second, 2, true)

	c.in("bHealthyLine", 0)
	c.want(t, "the healthy line stops", 100*ms, 4, false)
	c.want(t, "the bus alone does not count", time.Minute, 1, false)
	c.in("bHealthyLine", 1)
	c.want(t, "and back", 5*time.Second, 2, true)

	c.valid = false
	c.want(t, "nobody there", 9*time.Second, 2, true)
	c.want(t, "for long", 2*time.Second, 3, true)
	c.valid = true
	c.want(t, "back", time.Second, 2, true)
	c.in("nAvailability", 50)
	c.want(t, "not much of the last hour", time.Second, 3, true)
	c.in("nAvailability", 65535)
	c.want(t, "not known yet", time.Second, 2, true)
	if n := c.out("nFailures"); n != 4 {
		t.Errorf("%d failures", n)
	}

	c.in("bEnable", 0)
	c.want(t, "off", time.Second, 0, false)
	c.in("bEnable", 1)
	c.beats = false
	c.want(t, "never a heartbeat", 59*time.Second, 1, false)
	c.want(t, "start takes too long", 3*time.Second, 4, false)
	c.beats = true
	c.in("bMapKnown", 0)
	c.want(t, "another map", 30*time.Second, 1, false)
}

func TestStructuredTextDebouncesAlarms(t *testing.T) {
	c := newPLC(t)
	c.in("wMask", 0x00FF)
	c.active = 0x8001
	c.want(t, "start", 2500*ms, 1, false)
	if c.out("wAlarms") != 0 {
		t.Error("alarm before the unit runs")
	}
	c.want(t, "runs", 2*time.Second, 2, true)
	if c.out("wAlarms") != 1 || c.out("bAnyAlarm") != 1 {
		t.Errorf("alarms %04X", c.out("wAlarms"))
	}
	c.active = 0
	c.run(1900 * ms)
	if c.out("wAlarms") != 1 {
		t.Error("gone too early")
	}
	c.run(300 * ms)
	if c.out("wAlarms") != 0 {
		t.Error("not gone")
	}
	for range 20 { // chatter shorter than the delay
		c.active = 6
		c.run(300 * ms)
		c.active = 0
		c.run(200 * ms)
	}
	if c.out("wAlarms") != 0 {
		t.Error("chatter raised it")
	}
	c.active = 6
	c.run(700 * ms)
	if c.out("wAlarms") != 6 {
		t.Errorf("alarms %04X", c.out("wAlarms"))
	}
	// Unknown neither raises nor clears.
	c.valid, c.active = false, 1
	c.run(time.Minute)
	if c.out("wAlarms") != 6 {
		t.Errorf("without readings %04X", c.out("wAlarms"))
	}
	// A lost unit does not clear what it raised either.
	c.beats = false
	c.valid, c.active = true, 0
	c.want(t, "lost", 10*time.Second, 4, false)
	if a := c.out("wAlarms"); a != 0 && a != 6 {
		t.Errorf("lost: %04X", a)
	}
	c.in("wUnacknowledged", 2)
	c.beats = true
	c.want(t, "back", 10*time.Second, 2, true)
	if c.out("bAckNeeded") != 1 || c.out("wAlarms") != 0 {
		t.Errorf("back: %04X", c.out("wAlarms"))
	}
	c.in("bEnable", 0)
	c.active = 6
	c.want(t, "off", time.Second, 0, false)
	if c.out("wAlarms") != 0 {
		t.Error("alarms while off")
	}
}

// The heartbeat that FB_Mien makes keeps the unit content.
func TestStructuredTextHostHeartbeat(t *testing.T) {
	c := newPLC(t)
	c.run(10500 * ms)
	if n := c.out("nHostHeartbeat"); n < 8 || n > 11 {
		t.Errorf("%d host heartbeats in 10 s", n)
	}
	r := newRig(t, func(cfg *modbus.Config) { cfg.HostTimeout = 3 * time.Second })
	for range 20 {
		c.run(time.Second)
		n := c.out("nHostHeartbeat")
		r.play(t, event{time.Second, modbustest.Frame(1, words(6, 0, int(n)))})
		if !r.Host().Beating {
			t.Fatal("the unit misses the heartbeat")
		}
	}
}

// A line that stands still at either level is not healthy, and neither is one
// edge.
func TestStructuredTextHealthyLine(t *testing.T) {
	p := stProgramOf(t)
	fb := p.make("FB_MienHealthy", 0)
	run := func(d, half time.Duration) (healthy bool) {
		for end := p.now + d; p.now < end; p.now += 50 * ms {
			if half > 0 {
				fb.parts["bLine"].set(int64(p.now/half) & 1)
			}
			p.call(fb)
		}
		return fb.parts["bHealthy"].n != 0
	}
	for _, c := range []struct {
		what    string
		d, half time.Duration
		healthy bool
	}{
		{"low from the start", 5 * time.Second, 0, false},
		{"toggles", 4 * time.Second, 500 * ms, true},
		{"toggles slowly", 10 * time.Second, 1500 * ms, true},
		{"stands", 1 * time.Second, 0, true},
		{"stands for long", 3 * time.Second, 0, false},
		{"one edge", 3 * time.Second, 2500 * ms, false},
		{"toggles again", 3 * time.Second, 500 * ms, true},
		{"too slow", 20 * time.Second, 4 * time.Second, false},
	} {
		if got := run(c.d, c.half); got != c.healthy {
			t.Errorf("%s: healthy %v", c.what, got)
		}
	}
}
