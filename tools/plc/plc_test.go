package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mien/drivers/serial"
	"mien/firmware/modbus"
	"mien/firmware/modbus/modbustest"
)

// unit is a made-up unit behind the slave on a pty.
type unit struct {
	port     string
	line     *serial.Pty
	latest   *modbustest.Latest
	commands modbustest.Recorder
}

func newUnit(t *testing.T, cfg modbus.Config) *unit {
	t.Helper()
	u := &unit{port: filepath.Join(t.TempDir(), "plc"), latest: modbustest.NewLatest()}
	cfg.Address, cfg.Now = 1, func() time.Duration { return 5000 * time.Second }
	u.latest.Store(modbustest.Snapshot(cfg.Now()))
	slave, err := modbus.New(cfg, u.latest, &u.commands)
	if err != nil {
		t.Fatal(err)
	}
	if u.line, err = serial.OpenPty(u.port); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { slave.Serve(ctx, u.line); close(ended) }()
	t.Cleanup(func() { stop(); <-ended; u.line.Close() })
	return u
}

// plc runs the program and returns what it printed.
func plc(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	file := func(name string) *os.File {
		f, err := os.Create(filepath.Join(t.TempDir(), name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	o, e := file("out"), file("err")
	code = run(context.Background(), args, o, o, e)
	read := func(f *os.File) string {
		b, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	return code, read(o), read(e)
}

// Every register of the map is read, whole, and no request asks for more than
// the standard allows.
func TestPlanReadsTheWholeMap(t *testing.T) {
	for s := modbus.Coil; s <= modbus.Holding; s++ {
		blocks := plan(s)
		for _, b := range blocks {
			if s >= modbus.Input && b.n > 125 || b.n > 2000 || b.n < 1 {
				t.Errorf("%v: a request of %d from %d", s, b.n, b.at)
			}
		}
		for _, r := range table {
			if r.Space == s && !slices.ContainsFunc(blocks, func(b block) bool { return b.at <= r.Address && r.End() <= b.at+b.n }) {
				t.Errorf("%v %d, %s, is not read whole", s, r.Address, r.Name)
			}
		}
	}
	if fast[0].at != 0 || fast[0].n < 124 {
		t.Errorf("the first block is %+v: all alarms belong to it", fast[0])
	}
}

func TestOnceShowsNamesUnitsAndAlarms(t *testing.T) {
	for _, order := range []string{"high-first", "low-first"} {
		u := newUnit(t, modbus.Config{LowWordFirst: order == "low-first"})
		code, out, errs := plc(t, "-port", u.port, "-word-order", order, "-once")
		if code != exitOK || errs != "" {
			t.Fatalf("%s: exit code %d, %s", order, code, errs)
		}
		fields := map[string]string{}
		for line := range strings.Lines(out) {
			if f := strings.Fields(line); len(f) > 2 {
				fields[f[1]] = strings.Join(f[2:], " ")
			}
		}
		for name, want := range map[string]string{
			"heartbeat": "1267 4711", "frame_rate": "012C 30.0 1/s", "latency": "0022 34 ms", "expression": "0004 anger",
			"valence": "FE4B -0.437", "uptime": "0000 1267 4711 s", "test_float": "3F80 0000 1",
			"faults": "0810 slow storage", "covered": "0002 mouth", "temperature": "0201 51.3 degC", "availability": "0063 99 %",
			"alarm2_state": "0002 acknowledged", "alarm4_name": "brow lowered 4", "alarm5_state": "FFFF -", "no_reading_reason": "0000 -",
			"fault_slow": "1", "fault_camera_lost": "0", "events": "0001 0007 65543", "alarm1_on_delay": "0096 1.50 s", "host_age": "FFFF -",
		} {
			if fields[name] != want {
				t.Errorf("%s: %s is %q, want %q", order, name, fields[name], want)
			}
		}
		if au := fields["au12"]; au != "8000 -" {
			t.Errorf("an action unit without a reading shows as %q", au)
		}
		if !strings.Contains(out, " 3  brow lowered 3    returned unacknowledged") {
			t.Errorf("no line of alarm 3 in\n%s", out)
		}
		if !strings.Contains(out, " 0 without answer, 0 damaged") {
			t.Errorf("no statistics in\n%s", out[len(out)-300:])
		}
	}
}

func TestOtherWordOrderIsNoticed(t *testing.T) {
	u := newUnit(t, modbus.Config{LowWordFirst: true})
	if _, _, errs := plc(t, "-port", u.port, "-once"); !strings.Contains(errs, "try -word-order low-first") {
		t.Errorf("said %q", errs)
	}
}

func TestJSON(t *testing.T) {
	u := newUnit(t, modbus.Config{})
	_, out, _ := plc(t, "-port", u.port, "-once", "-json")
	var all struct {
		Registers []entry
		Line      summary
	}
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if len(all.Registers) != len(table) || all.Line.Requests == 0 || all.Line.Requests != len(everything) {
		t.Errorf("%d registers of %d, %d requests", len(all.Registers), len(table), all.Line.Requests)
	}
	code, out, errs := plc(t, "-port", u.port, "-json", "-for", "700ms", "-rate", "100ms")
	if code != exitOK || errs != "" {
		t.Errorf("exit code %d, %s", code, errs)
	}
	polls := 0
	for d := json.NewDecoder(strings.NewReader(out)); ; polls++ {
		var values map[string]any
		if err := d.Decode(&values); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if values["heartbeat"] != 4711.0 || values["au12"] != nil || values["expression"] != "anger" || values["results"] != float64(0x12345) {
			t.Errorf("poll %d says %v", polls, values)
		}
		if _, ok := values["alarm5_state"]; ok {
			t.Error("an alarm that does not exist is shown")
		}
	}
	if polls < 2 {
		t.Errorf("%d polls in 700 ms", polls)
	}
}

func TestCommands(t *testing.T) {
	for _, c := range []struct {
		args string
		want []modbus.Command
		said string
	}{
		{"-ack", []modbus.Command{{Op: modbus.OpAckAll}}, "every alarm"},
		{"-ack 1", []modbus.Command{{Op: modbus.OpAck, Alarm: 1}}, "alarm 1, brow lowered 1"},
		{"-ack=brow_lowered_2", []modbus.Command{{Op: modbus.OpAck, Alarm: 2}}, "alarm 2"},
		{"-reset -silence", []modbus.Command{{Op: modbus.OpReset}, {Op: modbus.OpSilence}}, "silenced"},
		{"-inhibit", []modbus.Command{{Op: modbus.OpInhibit, On: true}}, "started the inhibit"},
		{"-test on", []modbus.Command{{Op: modbus.OpTest, On: true}}, "started the output test"},
		{"-test off", []modbus.Command{{Op: modbus.OpTest, On: true}, {Op: modbus.OpTest}}, "ended the output test"},
		{"-shelve 1,45", []modbus.Command{{Op: modbus.OpShelve, Alarm: 1, For: 45 * time.Minute}}, "45 min"},
		{"-unshelve 3", []modbus.Command{{Op: modbus.OpUnshelve, Alarm: 3}}, "off the shelf: alarm 3"},
		{"-registers -ack", []modbus.Command{{Op: modbus.OpAckAll}}, "acknowledge all, by registers: done"},
		{"-registers -ack 1 -reset -silence", []modbus.Command{{Op: modbus.OpAck, Alarm: 1}, {Op: modbus.OpReset}, {Op: modbus.OpSilence}}, "silence, by registers: done"},
		{"-registers -shelve 1,45 -unshelve 3", []modbus.Command{{Op: modbus.OpShelve, Alarm: 1, For: 45 * time.Minute}, {Op: modbus.OpUnshelve, Alarm: 3}}, "shelve alarm 1, brow lowered 1, by registers: done"},
		{"-registers -test on", []modbus.Command{{Op: modbus.OpTest, On: true}}, "output test, by registers: done"},
		{"-registers -inhibit off", []modbus.Command{{Op: modbus.OpInhibit}}, "end inhibit, by registers: done"},
		{"-clock 2026-11-30T19:30:00Z", []modbus.Command{{Op: modbus.OpSetClock, Time: 1_796_067_000}}, "set clock to 2026-11-30T19:30:00Z, by registers: done"},
	} {
		t.Run(c.args, func(t *testing.T) {
			u := newUnit(t, modbus.Config{})
			args := []string{"-port", u.port}
			for _, a := range strings.Fields(c.args) {
				args = append(args, strings.ReplaceAll(a, "_", " "))
			}
			code, out, errs := plc(t, args...)
			if code != exitOK || !strings.Contains(out, c.said) || !strings.Contains(out, "returned unacknowledged") {
				t.Errorf("exit code %d, printed %s%s", code, out, errs)
			}
			if _, got := u.commands.Take(); !slices.Equal(got, c.want) {
				t.Errorf("the unit was told %v, want %v", got, c.want)
			}
		})
	}
}

func TestShelvingAgainBeginsAnew(t *testing.T) {
	u := newUnit(t, modbus.Config{}) // alarm 3 is shelved at the start
	if code, _, errs := plc(t, "-port", u.port, "-shelve", "3,10"); code != exitOK {
		t.Fatal(errs)
	}
	want := []modbus.Command{{Op: modbus.OpShelve, Alarm: 3, For: 10 * time.Minute}} // its time begins again
	if _, got := u.commands.Take(); !slices.Equal(got, want) {
		t.Errorf("the unit was told %v, want %v", got, want)
	}
}

func TestRefusalsSayWhy(t *testing.T) {
	u := newUnit(t, modbus.Config{})
	for _, c := range []struct {
		args []string
		fail error
		want string
	}{
		{[]string{"-ack", "7"}, nil, `no alarm "7" (there are 0 brow lowered 0, 1 brow`},
		{[]string{"-ack", "frown"}, nil, `no alarm "frown"`},
		{[]string{"-shelve", "1,481"}, nil, "exception 03"},
		{[]string{"-unshelve", "1"}, nil, "not shelved"},
		{[]string{"-reset"}, modbus.ErrBusy, "exception 06"},
		{[]string{"-reset"}, io.ErrUnexpectedEOF, "exception 04"},
		{[]string{"-reset"}, modbus.ErrLocked, "exception 02, no such register or alarm, read-only, or locked by the config: "},
		{[]string{"-clock", "now"}, modbus.ErrLocked, "where the config has clock.settable = true"},
		{[]string{"-shelve", "1,5"}, modbus.ErrLocked, "where its shelve_max in the config is above 0s"},
		{[]string{"-registers", "-shelve", "1,481"}, nil, "exception 03"},
	} {
		if c.fail != nil {
			u.commands.Fail(1, 1, c.fail)
		}
		code, _, errs := plc(t, append([]string{"-port", u.port}, c.args...)...)
		if code != exitFailed || !strings.Contains(errs, c.want) {
			t.Errorf("%v: exit code %d, said %q, want %q", c.args, code, errs, c.want)
		}
	}
}

func TestSilenceAndLostPorts(t *testing.T) {
	u := newUnit(t, modbus.Config{})
	code, _, errs := plc(t, "-port", u.port, "-address", "2", "-timeout", "50ms")
	for _, want := range []string{u.port, "slave 2", "115200 8N1", "A and B"} {
		if code != exitFailed || !strings.Contains(errs, want) {
			t.Errorf("exit code %d, said %q, want %q in it", code, errs, want)
		}
	}
	if code, _, errs := plc(t, "-port", "/dev/ttyNONE"); code != exitFailed || !strings.Contains(errs, "/dev/ttyNONE") {
		t.Errorf("exit code %d, said %q", code, errs)
	}
	taken, err := serial.Open(serial.Settings{Path: u.port})
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	if code, _, errs := plc(t, "-port", u.port); code != exitFailed || !strings.Contains(errs, "taken") {
		t.Errorf("exit code %d, said %q", code, errs)
	}
}

// A unit that is unplugged and comes back is found again, and what happened is
// counted.
func TestLiveOutlivesThePort(t *testing.T) {
	u := newUnit(t, modbus.Config{})
	o, err := parse([]string{"-port", u.port, "-timeout", "50ms"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	l, err := dial(o)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	r := newReading(false)
	if err := r.read(l, fast...); err != nil {
		t.Fatal(err)
	}
	l.close() // as an unplugged adapter, all that follows fails
	err = r.read(l, fast...)
	if gone := new(lost); err == nil || !strings.Contains(err.Error(), u.port) || !asLost(err, &gone) {
		t.Fatalf("reading a lost port: %v", err)
	}
	if err := l.reopen(); err != nil {
		t.Fatal(err)
	}
	if err := r.read(l, fast...); err != nil || l.stats.reopened != 1 {
		t.Errorf("after it was opened again: %v, %d times", err, l.stats.reopened)
	}
}

func asLost(err error, to **lost) bool {
	l, ok := err.(*lost)
	*to = l
	return ok
}

func TestLinesForALog(t *testing.T) {
	u := newUnit(t, modbus.Config{})
	code, out, _ := plc(t, "-port", u.port, "-for", "300ms", "-rate", "50ms")
	if code != exitOK || !strings.Contains(out, "heartbeat 4711") || !strings.Contains(out, "brow lowered 1 unacknowledged") || !strings.Contains(out, "turnaround p50") {
		t.Errorf("exit code %d, printed %s", code, out)
	}
}

func TestViewFitsATerminal(t *testing.T) {
	u := newUnit(t, modbus.Config{})
	o, _ := parse([]string{"-port", u.port}, io.Discard)
	l, err := dial(o)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	r := newReading(false)
	if err := r.read(l, everything...); err != nil {
		t.Fatal(err)
	}
	o.port = "/dev/ttyUSB0"
	lines := view(r, o, &l.stats, strings.Repeat("a long story about the line ", 12))
	for _, line := range lines {
		if len(line) > 80 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
	for _, want := range []string{"anger 0.733", "AU43  0.700", "storage", "brow lowered 4"} {
		if !strings.Contains(strings.Join(lines, "\n"), want) {
			t.Errorf("no %q in\n%s", want, strings.Join(lines, "\n"))
		}
	}
}

func TestCommandLine(t *testing.T) {
	for args, want := range map[string]string{
		"": "no port", "-port x -demo": "-demo makes its own", "-port x -ack eyes closed": `"closed" is no option; a name of several words stands in quotes`, "-port x -address 248": "248",
		"-port x -baud 50": "50", "-port x -parity mark": "parity", "-port x -stop 3": "stop", "-port x -word-order big": "high-first",
		"-port x -shelve 3": "minutes", "-port x -shelve 3,0": "minutes", "-port x -test perhaps": "on or off", "-port x -reset=3": "no value", "-port x -clock yesterday": "takes now, or a time such as 2026-11-30T19:30:00Z",
		"-port x -rate -1s": "negative", "-nonsense": "there is no option -nonsense", "-adress 3": "did you mean -address?", "-port": "-port needs a value",
		"-port x -baud fast": `-baud "fast": it takes a whole number`, "-port x -rate 5": `-rate "5": it takes a time such as 200ms`, "-once=perhaps": `-once "perhaps": it takes no such value`,
	} {
		var said bytes.Buffer
		if _, err := parse(strings.Fields(args), &said); err == nil || !strings.Contains(err.Error(), want) || said.Len() > 0 {
			t.Errorf("%q: %v, said %q, want %q", args, err, said.String(), want)
		}
	}
	// A mistake is one line, with the way to more.
	code, out, errs := plc(t, "-nonsense")
	if code != exitUsage || out != "" || errs != "plc: there is no option -nonsense; plc -help tells more\n" {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	var said bytes.Buffer
	if o, err := parse([]string{"-help"}, &said); err != nil || !o.help || !strings.Contains(said.String(), "-word-order") {
		t.Errorf("-help: %v, %q", err, said.String())
	}
}

func TestQuantiles(t *testing.T) {
	var h times
	if h.quantile(0.5) != 0 {
		t.Error("nothing has a median")
	}
	rng := rand.New(rand.NewPCG(1, 2))
	var all []time.Duration
	for range 5000 {
		d := time.Duration(math.Exp(rng.NormFloat64()) * float64(3*time.Millisecond))
		all = append(all, d)
		h.add(d)
	}
	slices.Sort(all)
	for _, q := range []float64{0.5, 0.9, 0.99, 1} {
		want, got := all[int(math.Ceil(q*5000))-1], h.quantile(q)
		if ratio := float64(got) / float64(want); ratio < 0.9999 || ratio > bucketGrowth*1.0001 {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	h.add(-1)
	h.add(time.Hour)
	if h.most != time.Hour || h.quantile(1) > time.Hour {
		t.Errorf("an hour counts as %v", h.quantile(1))
	}
}

// A unit that does not start says why.
func TestDemoThatFails(t *testing.T) {
	mien := filepath.Join(t.TempDir(), "mien")
	if err := os.WriteFile(mien, []byte("#!/bin/sh\necho no library >&2\nexit 4\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	code, _, errs := plc(t, "-demo", "-mien", mien)
	if code != exitFailed || !strings.Contains(errs, "no library") {
		t.Errorf("exit code %d, said %q", code, errs)
	}
	if _, err := findMien(mien + "-not"); err == nil {
		t.Error("a binary that does not exist was found")
	}
}
