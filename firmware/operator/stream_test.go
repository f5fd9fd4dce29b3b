package operator

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/state"
)

// next reads lines of the stream until one has what is looked for.
func next(t *testing.T, line func() ([]byte, error), is func(Told) bool) Told {
	t.Helper()
	for range 200 {
		data, err := line()
		if err != nil {
			t.Fatal(err)
		}
		var told Told
		if err := json.Unmarshal(data, &told); err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		if is(told) {
			return told
		}
	}
	t.Fatal("it did not come")
	return Told{}
}

// The stream tells what the unit is, what it knows, and goes on by itself; a change
// comes without being asked for, and so does another config.
func TestStream(t *testing.T) {
	u := newUnit(t)
	c, err := Dial(serve(t, u))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	line, err := c.Stream(10 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	about := next(t, line, func(told Told) bool { return told.About != nil }).About
	if about.Unit != "press" || len(about.Signals) != 2 || about.Signals[0].Name != "au4" {
		t.Errorf("%+v", about)
	}
	now := next(t, line, func(told Told) bool { return told.State != nil }).State
	if len(now.Levels) != 2 || now.Levels[0] != 0.9 || now.Levels[1] == now.Levels[1] || now.Aim.Face != nil || len(now.Faults) != 1 || now.Faults[0].Code != "F12" || now.Faults[0].WayOut == "" || !now.Alarms[0].NeedsAck {
		t.Errorf("%+v", now)
	}
	u.mu.Lock()
	u.state.Aim = state.Aim{Width: 640, Height: 480, Found: true, Box: [4]float32{0.25, 0.1, 0.5, 0.6}, Yaw: -12.34567}
	u.publish()
	u.mu.Unlock()
	if f := next(t, line, func(told Told) bool { return told.State != nil && told.State.Aim.Face != nil }).State.Aim.Face; f.Box[0] != 0.25 || f.Yaw != -12.3457 {
		t.Errorf("%+v", f)
	}
	u.mu.Lock()
	u.state.About = &state.About{Unit: "other", Signals: u.state.About.Signals, Outputs: u.state.About.Outputs}
	u.publish()
	u.mu.Unlock()
	if about := next(t, line, func(told Told) bool { return told.About != nil }).About; about.Unit != "other" {
		t.Errorf("%+v", about)
	}
	next(t, line, func(told Told) bool { return told.State != nil }) // once a second, though nothing changes
}

// What happened comes in the order in which it did, none twice.
func TestStreamOfEvents(t *testing.T) {
	var r recent
	for i := range 100 {
		r.add(alarm.Event{Number: uint64(i)})
	}
	list, came := r.since(0)
	if came != 100 || len(list) != 64 || list[0].Number != 36 || list[63].Number != 99 {
		t.Errorf("%d, %d events", came, len(list))
	}
	r.add(alarm.Event{Number: 100})
	if list, came = r.since(came); came != 101 || len(list) != 1 || list[0].Number != 100 {
		t.Errorf("%d, %v", came, list)
	}
	if list, _ = r.since(came); len(list) != 0 {
		t.Errorf("%v", list)
	}
	if n := testing.AllocsPerRun(100, func() { r.add(alarm.Event{}) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Streams take no place from those who ask.
func TestStreamsBesideClients(t *testing.T) {
	u := newUnit(t)
	path := serve(t, u)
	for range 3 * maxStreams {
		c, err := Dial(path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Stream(time.Second); err != nil {
			t.Fatal(err)
		}
	}
	for range maxClients {
		c, err := Dial(path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Ask(Request{Ask: AskAlarms}); err != nil {
			t.Fatal(err)
		}
	}
}

// Nothing that the socket tells can hold a picture: no bytes, and no list but those
// that are named here with what bounds them.
func TestNoTypeCarriesAPicture(t *testing.T) {
	bounded := map[string]string{"Signals": "of the network", "Levels": "one a signal", "Covered": "of the network's parts", "Outputs": "lines", "Inputs": "lines",
		"Alarms": "of the config", "Conditions": "of an alarm", "Faults": "of the table", "Events": "of the journal", "Done": "events in words",
		"Versions": "ten", "Problems": "of a config", "Changes": "of a config", "Dangers": "of a config", "Advice": "one a kind of change", "Of": "of the table of drift", "Card": "the network's card, a text",
		"Frames": "of the serial port, the newest 64", "Counts": "of the line", "Registers": "of the map", "Now": "stretches, 500 at most", "Then": "likewise",
		"Result": "figures of pilot replay and tune, a text"}
	seen := map[reflect.Type]bool{}
	var walk func(path string, of reflect.Type)
	walk = func(path string, of reflect.Type) {
		if seen[of] {
			return
		}
		seen[of] = true
		switch of.Kind() {
		case reflect.Pointer:
			walk(path, of.Elem())
		case reflect.Slice:
			if bounded[path[strings.LastIndexByte(path, '.')+1:]] == "" {
				t.Errorf("%s is a list that nothing bounds", path)
			}
			walk(path, of.Elem())
		case reflect.Array:
			if of.Len() > 6 {
				t.Errorf("%s has %d elements", path, of.Len())
			}
			walk(path, of.Elem())
		case reflect.Struct:
			if of == reflect.TypeFor[time.Time]() {
				return
			}
			for i := range of.NumField() {
				if f := of.Field(i); f.IsExported() {
					walk(path+"."+f.Name, f.Type)
				}
			}
		case reflect.Interface, reflect.Map, reflect.Chan, reflect.Func, reflect.UnsafePointer:
			t.Errorf("%s is a %v: anything may be in it", path, of.Kind())
		}
	}
	walk("Told", reflect.TypeFor[Told]())
	walk("Reply", reflect.TypeFor[Reply]())
	if len(seen) < 20 {
		t.Errorf("only %d types were looked at", len(seen))
	}
}

// What a person may whom a gateway let in, by role. The unit says so, whatever the
// gateway thinks, and what it refuses is in the journal with the person's name.
func TestRoles(t *testing.T) {
	u := newUnit(t)
	d := desk{unit: u, journal: u, more: func(r Request, who string) (Reply, error) { return Reply{Done: []string{who}}, nil }}
	for _, c := range []struct {
		r     Request
		least Role
	}{
		{Request{Ask: AskStatus}, Viewer}, {Request{Ask: AskAlarms}, Viewer}, {Request{Ask: AskEvents}, Viewer}, {Request{Ask: AskPilot}, Viewer}, {Request{Ask: AskCard}, Viewer},
		{Request{Ask: AskDo, Do: alarm.Acknowledge}, Operator}, {Request{Ask: AskDo, Do: alarm.Silence}, Operator}, {Request{Ask: AskMark, Mark: "right"}, Operator},
		{Request{Ask: AskDo, Do: alarm.TakeOut, Alarm: "frown"}, Engineer}, {Request{Ask: AskTest}, Engineer}, {Request{Ask: AskConfig}, Engineer},
		{Request{Ask: AskConfig, Config: &ConfigAsk{Do: ConfigApply}}, Engineer}, {Request{Ask: AskPilot, Pilot: PilotStart}, Engineer},
		{Request{Ask: AskPilot, Pilot: PilotErase}, Administrator}, {Request{Ask: AskClock}, Administrator},
		{Request{Ask: AskDo, Do: alarm.SetLimits, Alarm: "frown"}, "nobody"}, {Request{Ask: AskDo, Do: alarm.Raise}, "nobody"}, {Request{Ask: "shutdown"}, "nobody"},
		{Request{Ask: AskConfig, Config: &ConfigAsk{Do: "erase"}}, "nobody"},
	} {
		for i, role := range append(slices.Clone(roles), "", "king") {
			r := c.r
			r.Who, r.Role = "anna", role
			may := i < len(roles) && c.least != "nobody" && i >= slices.Index(roles, c.least)
			if reply := d.answer(r, "gateway"); reply.Denied == may {
				t.Errorf("%s asks %s: %+v", role, r.Right(), reply)
			}
			if may != slices.Contains(role.Rights(), r.Right()) {
				t.Errorf("%s: %s is in the list of rights, or not", role, r.Right())
			}
		}
		if reply := d.answer(Request{Ask: c.r.Ask, Do: c.r.Do, Role: Administrator}, "gateway"); !reply.Denied {
			t.Errorf("%s for nobody: %+v", c.r.Right(), reply)
		}
	}
	who := ""
	for _, e := range u.journal {
		if e.Trigger == alarm.Note && strings.Contains(e.Cause, "refused") && who == "" {
			who = e.Who
		}
	}
	if who != "anna via gateway" {
		t.Errorf("the journal names %q", who)
	}
	if _, err := ParseRole("king"); err == nil {
		t.Error("king is a role")
	}
}
