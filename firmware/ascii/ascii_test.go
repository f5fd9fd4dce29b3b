package ascii

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"mien/drivers/serial"
	"mien/firmware/alarm"
	"mien/firmware/config"
	"mien/firmware/state"
	"mien/model/affect"
)

// desk takes commands as firmware does.
type desk struct {
	mu      sync.Mutex
	done    []state.Command
	pending error
}

func (d *desk) Do(who string, batch []state.Command) (state.Receipt, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.done = append(d.done, batch...)
	if batch[0].Alarm.Do == alarm.Reset {
		return state.Receipt{}, fmt.Errorf("%w: there is nothing to reset", alarm.ErrRefused)
	}
	r := state.Receipt{Done: []alarm.Event{{Cause: "as was said before"}}}
	switch c := batch[0]; {
	case c.Mark.Truth == state.Withdrawn:
		return state.Receipt{}, fmt.Errorf("%w: there is no mark to withdraw", alarm.ErrRefused)
	case c.Mark.Truth == state.False:
		r.Idle = true
	case c.Do == state.SetClock && c.Time.Year() == 2026 && c.Time.Month() == time.December:
		r.Done = nil
	}
	return r, nil
}

func (d *desk) Kept(state.Receipt, time.Duration) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.pending
}

func (d *desk) took() []state.Command {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]state.Command(nil), d.done...)
}

type bench struct {
	t      testing.TB
	latest *state.Latest
	desk   *desk
	far    *serial.End
	wire   *serial.Wire
	buf    []byte
}

func newBench(t testing.TB, cfg Config) *bench {
	near, far, wire := serial.Pipe()
	b := &bench{t: t, latest: state.NewLatest(), desk: &desk{}, far: far, wire: wire}
	talker, err := New(cfg, b.latest, b.desk)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- talker.Serve(ctx, near) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("serve ended with %v", err)
		}
	})
	return b
}

var grammar = regexp.MustCompile(`^\$MIEN,(S,\d+,\d+(,[0-9A-F]{4,24}){5},\d+,\d*(,-?[0-9.]*){5}|A,\d+,\d+,\d+,[^,*$]*,[0-9.-]*|L,\d+,[a-z0-9_.]+,[0-9.-]*|C,\d+,[0-3],\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ|R,\d+,(OK|NOTHING|ERR|PENDING)(,[^,*$]*)?)\*[0-9A-F]{2}$`)

// next reads one whole line and compares it with the grammar and its checksum.
func (b *bench) next() string {
	b.t.Helper()
	chunk := make([]byte, 64)
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		if i := bytes.Index(b.buf, []byte("\r\n")); i >= 0 {
			l := string(b.buf[:i])
			b.buf = b.buf[i+2:]
			if !grammar.MatchString(l) {
				b.t.Fatalf("not of the grammar: %q", l)
			}
			sum, _ := strconv.ParseUint(l[len(l)-2:], 16, 8)
			if checksum([]byte(l[1:len(l)-3])) != byte(sum) {
				b.t.Fatalf("wrong checksum: %q", l)
			}
			return l[:len(l)-3]
		}
		n, err := b.far.Read(chunk, 50*time.Millisecond)
		if err != nil && !errors.Is(err, serial.ErrTimeout) {
			b.t.Fatal(err)
		}
		b.buf = append(b.buf, chunk[:n]...)
	}
	b.t.Fatal("no line came")
	return ""
}

// until reads lines until one begins so.
func (b *bench) until(prefix string) string {
	b.t.Helper()
	for range 100 {
		if l := b.next(); regexp.MustCompile(prefix).MatchString(l) {
			return l
		}
	}
	b.t.Fatalf("no line like %s among 100", prefix)
	return ""
}

func frame(text string) string { return fmt.Sprintf("$%s*%02X\r\n", text, checksum([]byte(text))) }

func (b *bench) say(text string) {
	b.t.Helper()
	if _, err := b.far.Write([]byte(text), time.Second); err != nil {
		b.t.Fatal(err)
	}
}

func known(is alarm.State) *state.State {
	s := new(state.State)
	s.Clear()
	s.About = &state.About{Signals: []state.Signal{{Name: "valence", Min: -1, Max: 1}, {Name: "au4", Max: 1}}}
	s.Levels = []float32{-0.77, float32(math.NaN())}
	s.Faces, s.Expression, s.Heartbeat = 1, state.Choice{Name: "anger", Level: 0.8}, 204
	s.Alarms = []alarm.Status{{Name: "brow, *lowered$", State: is, Level: 0.96}, {Name: "smile", Level: 0.1}}
	if is == alarm.Unacknowledged {
		s.Summary.Active, s.Summary.Unacknowledged = 1, 1
	}
	return s
}

func TestALineAChangeAndOneASecond(t *testing.T) {
	b := newBench(t, Config{Interval: 300 * time.Millisecond})
	b.latest.Store(known(alarm.Normal))
	b.until(`^\$MIEN,A,\d+,0,0,brow  +lowered ,0.96$`)
	began := time.Now()
	first := b.until(`^\$MIEN,S,\d+,204,`)
	if !strings.HasSuffix(first, ",1,4,-0.77,,,,") {
		t.Errorf("status %q", first)
	}
	b.latest.Store(known(alarm.Unacknowledged))
	b.until(`^\$MIEN,A,\d+,0,1,`)
	b.until(`^\$MIEN,S,\d+,204,....,0000,0001,0001,0000,`)
	last := 0
	for range 3 { // nothing changes: status lines go on
		l := b.until(`^\$MIEN,S,`)
		n, _ := strconv.Atoi(strings.Split(l, ",")[2])
		if n <= last {
			t.Errorf("sequence %d after %d", n, last)
		}
		last = n
	}
	if time.Since(began) > 5*time.Second {
		t.Error("status lines come too rarely")
	}
}

// OK is on the disk.
func TestNotYetOnTheDisk(t *testing.T) {
	b := newBench(t, Config{Interval: time.Hour})
	b.until(`^\$MIEN,S,`)
	b.desk.mu.Lock()
	b.desk.pending = errors.New("not yet on the disk after 40ms")
	b.desk.mu.Unlock()
	b.say(frame("ACK"))
	b.until(`^\$MIEN,R,\d+,PENDING,not yet on the disk after 40ms$`)
	b.desk.mu.Lock()
	b.desk.pending = nil
	b.desk.mu.Unlock()
	b.say(frame("ACK"))
	b.until(`^\$MIEN,R,\d+,OK$`)
}

func TestCommands(t *testing.T) {
	b := newBench(t, Config{Interval: time.Hour})
	s := known(alarm.Normal)
	s.Clock = state.Clock{Source: state.ClockSet, Wall: time.Date(2026, 11, 30, 19, 30, 0, 0, time.UTC)}
	b.latest.Store(s)
	b.until(`^\$MIEN,S,`)
	for _, c := range []struct {
		say, want string
	}{
		{frame("ACK"), `,OK$`}, {frame("ACK,1"), `,OK$`}, {frame("RESET"), `,NOTHING,there is nothing to reset$`}, {frame("SILENCE"), `,OK$`},
		{frame("ACK,7"), `,ERR,there is no such alarm$`}, {frame("ACK,x"), `,ERR,ACK takes`}, {frame("RESET,1"), `,ERR,RESET takes nothing$`},
		{frame("MARK,RIGHT"), `,OK$`}, {frame("MARK,MISSED,90"), `,OK$`}, {frame("MARK,FALSE"), `,NOTHING,as was said before$`}, {frame("MARK,WITHDRAW"), `,NOTHING,there is no mark to withdraw$`},
		{frame("CLOCK,2026-12-01T00:00:00Z"), `,NOTHING,it is so already$`},
		{frame("MARK"), `,ERR,MARK takes`}, {frame("MARK,SOON"), `,ERR,MARK takes`},
		{frame("MARK,MISSED,-1"), `,ERR,MARK takes`}, {frame("MARK,MISSED,99999"), `,ERR,MARK takes`},
		{frame("SIGNALS,1"), `,ERR,SIGNALS takes nothing$`}, {frame("DANCE"), `,ERR,unknown command`},
		{frame("CLOCK,2026-11-30T19:30:00Z"), `,OK$`}, {frame("CLOCK,1764531000"), `,ERR,CLOCK takes a time of UTC such as 2026-11-30T19:30:00Z$`},
		{frame("CLOCK,2026-13-30T19:30:00Z"), `,ERR,CLOCK takes`}, {frame("CLOCK"), `^\$MIEN,C,\d+,1,2026-11-30T19:30:\d\dZ$`}, {frame("?"), `^\$MIEN,S,`}, {"?", `^\$MIEN,S,`},
		{"noise\x00\xff$AC" + frame("ACK"), `,OK$`},
		{strings.Repeat("x", 500) + "$" + strings.Repeat("y", 500) + frame("ACK"), `,OK$`},
	} {
		b.say(c.say)
		if l := b.next(); !regexp.MustCompile(c.want).MatchString(l) {
			t.Errorf("%q got %q", c.say, l)
		}
	}
	want := []state.Command{state.On(alarm.Command{Do: alarm.Acknowledge}), state.On(alarm.Command{Do: alarm.Acknowledge, Alarm: "smile"}),
		state.On(alarm.Command{Do: alarm.Reset}), state.On(alarm.Command{Do: alarm.Silence}),
		{Do: state.MarkAlarm, Mark: state.Mark{Truth: state.Right}}, {Do: state.MarkAlarm, Mark: state.Mark{Truth: state.Missed, Ago: 90 * time.Second}},
		{Do: state.MarkAlarm, Mark: state.Mark{Truth: state.False}}, {Do: state.MarkAlarm, Mark: state.Mark{Truth: state.Withdrawn}},
		{Do: state.SetClock, Time: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)},
		{Do: state.SetClock, Time: time.Date(2026, 11, 30, 19, 30, 0, 0, time.UTC)},
		state.On(alarm.Command{Do: alarm.Acknowledge}), state.On(alarm.Command{Do: alarm.Acknowledge})}
	if got := b.desk.took(); !slices.Equal(got, want) {
		t.Fatalf("took %v, want %v", got, want)
	}
}

// A damaged command is no command: nothing happens, and nothing is answered.
func TestDamagedCommandsDoNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	var p parser
	talker := &Talker{latest: state.NewLatest()}
	talker.latest.Store(many(48))
	accepted := 0
	for range 200_000 {
		good := frame([]string{"ACK", "ACK,3", "RESET", "SILENCE"}[rng.IntN(4)])
		b := []byte(good)
		for range 1 + rng.IntN(3) {
			b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
		}
		for _, c := range b {
			text, whole := p.feed(c)
			if !whole || string(text) == "?" {
				continue
			}
			if c, _, err := talker.parse(text); err == nil && !strings.Contains(good, "$"+string(text)+"*") {
				accepted++
				_ = c
			}
		}
		for _, c := range []byte("\r\n") {
			p.feed(c)
		}
	}
	// One byte of exclusive or lets two flips of the same bit through: such a
	// line must still spell a command, which a flip makes nearly never.
	if accepted > 20 {
		t.Errorf("%d of 200,000 damaged lines were taken for another command", accepted)
	}
}

func TestNobodyReadsAndNothingStops(t *testing.T) {
	near, far, _ := serial.Pipe()
	latest := state.NewLatest()
	talker, err := New(Config{Interval: 10 * time.Millisecond}, latest, &desk{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(context.Background(), 2*time.Second)
	defer stop()
	if err := talker.Serve(ctx, near); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("serve: %v", err)
	}
	_ = far
	far.Close()
	if err := talker.Serve(context.Background(), gone{}); !errors.Is(err, serial.ErrGone) {
		t.Errorf("a port that is gone: %v", err)
	}
}

type gone struct{}

func (gone) Read([]byte, time.Duration) (int, error)  { return 0, serial.ErrGone }
func (gone) Write([]byte, time.Duration) (int, error) { return 0, serial.ErrGone }
func (gone) Discard() error                           { return nil }

// silent is a port on which nothing comes and everything goes.
type silent struct{}

func (silent) Read([]byte, time.Duration) (int, error)      { return 0, serial.ErrTimeout }
func (silent) Write(p []byte, _ time.Duration) (int, error) { return len(p), nil }
func (silent) Discard() error                               { return nil }

func TestTellingAllocatesNothing(t *testing.T) {
	now := time.Duration(0)
	latest := state.NewLatest()
	talker, err := New(Config{Now: func() time.Duration { return now }}, latest, &desk{})
	if err != nil {
		t.Fatal(err)
	}
	s := known(alarm.Normal)
	for range 10 { // until every copy's lists are long enough
		latest.Store(s)
		latest.Load(&talker.state)
	}
	if a := testing.AllocsPerRun(100, func() {
		now += time.Second
		s.Alarms[0].State ^= 1
		latest.Store(s)
		if err := errors.Join(talker.hear(silent{}), talker.tell(silent{})); err != nil {
			t.Fatal(err)
		}
	}); a != 0 {
		t.Errorf("%v allocations a line", a)
	}
}

// slow is a port of 1200 baud: what is written waits in it for what was written
// before. It notes when each line has come through.
type slow struct {
	now  *time.Duration
	free time.Duration
	came []arrival
}

func (*slow) Discard() error { return nil }

type arrival struct {
	at   time.Duration
	line string
}

const slowCharacter = 10 * time.Second / 1200

func (p *slow) Read([]byte, time.Duration) (int, error) {
	*p.now += glance
	return 0, serial.ErrTimeout
}

func (p *slow) Write(b []byte, _ time.Duration) (int, error) {
	p.free = max(p.free, *p.now) + time.Duration(len(b))*slowCharacter
	p.came = append(p.came, arrival{p.free, string(b)})
	return len(b), nil
}

// On a port that is slower than all there is to tell, what comes through is never
// old, and status lines with their heartbeat come all the same.
func TestSlowPortTellsNothingOld(t *testing.T) {
	now := time.Hour
	latest := state.NewLatest()
	talker, err := New(Config{Interval: 2 * time.Second, CharacterTime: slowCharacter, Now: func() time.Duration { return now }}, latest, &desk{})
	if err != nil {
		t.Fatal(err)
	}
	port, s, began := &slow{now: &now}, many(48), now
	talker.signal, talker.saidAt = 0, now // somebody asked for the signals, too
	for now < began+5*time.Minute {
		s.Heartbeat = uint16((now - began) / time.Second)
		for i := range s.Alarms { // every alarm comes or goes once a second
			s.Alarms[i].State = alarm.State(int(s.Heartbeat) % 2)
		}
		latest.Store(s)
		if err := errors.Join(talker.hear(port), talker.tell(port)); err != nil {
			t.Fatal(err)
		}
	}
	last, statuses, signals, alarms := began, 0, 0, map[string]int{}
	for _, a := range port.came {
		f := strings.Split(a.line, ",")
		switch f[1] {
		case "S":
			beat, _ := strconv.Atoi(f[3])
			if age := a.at - began - time.Duration(beat)*time.Second; age > 3*time.Second {
				t.Fatalf("a status line is %v old: %q", age, a.line)
			}
			if a.at-last > 5*time.Second {
				t.Fatalf("no status line for %v", a.at-last)
			}
			last, statuses = a.at, statuses+1
		case "A":
			alarms[f[3]]++
		case "L":
			signals++
		}
	}
	if len(alarms) != 48 || alarms["47"] < alarms["0"]/2 {
		t.Errorf("alarms told: %v", alarms)
	}
	if statuses < 100 || len(port.came)-statuses < 300 || signals != 2 {
		t.Errorf("%d status lines among %d, %d of signals", statuses, len(port.came), signals)
	}
}

// A reload may give the numbers to other alarms: all are told again, and a command
// by number is refused until they are.
func TestAlarmsAreToldAgainAfterAReload(t *testing.T) {
	latest, took := state.NewLatest(), &desk{}
	talker, err := New(Config{Interval: time.Hour}, latest, took)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Duration(0)
	port := &slow{now: &now}
	latest.Store(known(alarm.Acknowledged))
	if err := talker.tell(port); err != nil {
		t.Fatal(err)
	}
	s := known(alarm.Acknowledged)
	s.Alarms[0].Name = "another"
	latest.Store(s)
	obey := func() string {
		if err := talker.obey(port, []byte("ACK,0")); err != nil {
			t.Fatal(err)
		}
		return port.came[len(port.came)-1].line
	}
	if l := obey(); !strings.Contains(l, ",ERR,the config has changed") || len(took.took()) != 0 {
		t.Errorf("%q, took %v", l, took.took())
	}
	before := len(port.came)
	if err := talker.tell(port); err != nil {
		t.Fatal(err)
	}
	if told := port.came[before:]; len(told) < 2 || !strings.Contains(told[0].line, ",0,2,another,") || !strings.Contains(told[1].line, ",1,0,smile,") {
		t.Errorf("told %v", told)
	}
	if l := obey(); !strings.Contains(l, ",OK*") || len(took.took()) != 1 || took.took()[0].Alarm.Alarm != "another" {
		t.Errorf("%q, took %v", l, took.took())
	}
}

// many is a unit with so many alarms, all of them active.
func many(alarms int) *state.State {
	s := known(alarm.Normal)
	s.Alarms = nil
	for i := range alarms {
		s.Alarms = append(s.Alarms, alarm.Status{Name: fmt.Sprintf("alarm %-26d", i), State: alarm.Acknowledged, Level: 0.5})
		s.Summary.Active |= 1 << i
	}
	return s
}

// Every alarm has its line, and its bit, and can be acknowledged by its number.
func TestFortyEightAlarms(t *testing.T) {
	b := newBench(t, Config{Interval: time.Hour})
	b.until(`^\$MIEN,S,`)
	b.latest.Store(many(48))
	for i := range 48 {
		if l := b.next(); !strings.Contains(l, fmt.Sprintf(",%d,2,alarm %-26d,0.50", i, i)) {
			t.Fatalf("alarm %d: %q", i, l)
		}
	}
	if l := b.next(); !strings.Contains(l, ",FFFFFFFFFFFF,000000000000,000000000000,") {
		t.Errorf("status %q", l)
	}
	b.say(frame("ACK,47"))
	b.until(`,OK$`)
	b.say(frame("ACK,48"))
	b.until(`,ERR,there is no such alarm$`)
	if got := b.desk.took(); len(got) != 1 || got[0].Alarm.Alarm != fmt.Sprintf("alarm %-26d", 47) {
		t.Errorf("took %v", got)
	}
}

// A driver that keeps what it was given, whatever the character time says, is given no
// more until it is through.
func TestNothingIsWrittenBehindAQueue(t *testing.T) {
	port := &full{}
	talker, err := New(Config{Interval: time.Millisecond}, state.NewLatest(), &desk{})
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		backlog time.Duration
		writes  int
	}{{0, 1}, {time.Second, 0}, {30 * time.Millisecond, 0}, {10 * time.Millisecond, 1}, {time.Minute, 0}, {0, 1}} {
		time.Sleep(2 * time.Millisecond)
		port.backlog, port.writes = c.backlog, 0
		if err := talker.tell(port); err != nil || port.writes != c.writes {
			t.Errorf("step %d, %v queued: %d lines, %v", i, c.backlog, port.writes, err)
		}
	}
}

type full struct {
	silent
	backlog time.Duration
	writes  int
}

func (f *full) Backlog() time.Duration { return f.backlog }
func (f *full) Write(p []byte, _ time.Duration) (int, error) {
	f.writes++
	return len(p), nil
}

// No status line is longer than what a config is checked by.
func TestLongestStatusLine(t *testing.T) {
	for _, alarms := range []int{0, 1, 16, 17, 48} {
		s := many(alarms)
		s.Heartbeat, s.Faces = math.MaxUint16, 99
		s.About = &state.About{}
		s.Levels = nil
		for _, name := range []string{affect.Valence, affect.Arousal, affect.EyesClosed, affect.Perclos} {
			s.About.Signals = append(s.About.Signals, state.Signal{Name: name, Min: -1, Max: 1})
			s.Levels = append(s.Levels, -0.99)
		}
		near, far, _ := serial.Pipe()
		talker, err := New(Config{}, state.NewLatest(), &desk{})
		if err != nil {
			t.Fatal(err)
		}
		talker.state, talker.sequence = *s, math.MaxUint32-1
		if err := talker.status(near); err != nil {
			t.Fatal(err)
		}
		line := make([]byte, 512)
		n, err := far.Read(line, time.Second)
		if err != nil || n > config.StatusLine(alarms) {
			t.Errorf("%d alarms: %d characters, a config is checked by %d: %q, %v", alarms, n, config.StatusLine(alarms), line[:n], err)
		}
	}
}

// A master that asks for them gets every signal of the unit, whatever its network.
func TestSignalsOfAnyNetwork(t *testing.T) {
	b := newBench(t, Config{Interval: time.Hour})
	s := known(alarm.Normal)
	s.About = &state.About{Signals: []state.Signal{{Name: "expression.bored", Max: 1}, {Name: "au99", Max: 1}, {Name: "visible.brow", Max: 1}}}
	s.Levels = []float32{0.25, float32(math.NaN()), 1}
	s.Expression = state.Choice{Name: "bored", Level: 0.25}
	b.latest.Store(s)
	if l := b.until(`^\$MIEN,S,`); !strings.HasSuffix(l, ",1,,,,,,") {
		t.Errorf("status %q", l)
	}
	b.say(frame("SIGNALS"))
	for _, want := range []string{",expression.bored,0.25", ",au99,", ",visible.brow,1.00"} {
		if l := b.next(); !strings.HasPrefix(l, "$MIEN,L,") || !strings.HasSuffix(l, want) {
			t.Errorf("%q, want %q", l, want)
		}
	}
}

func FuzzParser(f *testing.F) {
	f.Add([]byte(frame("ACK")))
	f.Add([]byte("$ACK,1*00\r\n?$$*\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var p parser
		talker := &Talker{latest: state.NewLatest()}
		for _, c := range data {
			if text, whole := p.feed(c); whole {
				talker.parse(text)
			}
		}
	})
}

// After alarms came to have other numbers, a number is refused until the master
// has asked what they are; the lines of all alarms come by themselves and with the
// answer. Commands for all go on.
func TestNumbersAreRefusedUntilAskedFor(t *testing.T) {
	b := newBench(t, Config{Interval: time.Hour})
	b.latest.Store(known(alarm.Normal))
	b.until(`^\$MIEN,S,`)
	s := known(alarm.Normal)
	s.Alarms = slices.Insert(s.Alarms, 0, alarm.Status{Name: "new", Level: 0.2})
	s.Numbering = 1
	about := *s.About // a reload makes another
	s.About = &about
	b.latest.Store(s)
	b.until(`^\$MIEN,A,\d+,0,0,new,`)
	b.until(`^\$MIEN,A,\d+,2,0,smile,`)
	b.until(`^\$MIEN,S,`)
	ask := func(say, want string) {
		t.Helper()
		b.say(say)
		if l := b.next(); !regexp.MustCompile(want).MatchString(l) {
			t.Errorf("%q got %q", say, l)
		}
	}
	ask(frame("ACK,1"), `,ERR,the numbers of alarms have changed`)
	ask(frame("ACK"), `,OK$`)
	ask(frame("?"), `^\$MIEN,S,`)
	b.until(`^\$MIEN,A,\d+,0,0,new,`)
	b.until(`^\$MIEN,A,\d+,2,0,smile,`)
	ask(frame("ACK,1"), `,OK$`)
	if got := b.desk.took(); len(got) != 2 || got[1].Alarm.Alarm != "brow, *lowered$" {
		t.Errorf("took %v", got)
	}
}

// What waits on the line when the unit begins to talk is from before: a command
// there was for what another unit, or another start, had told.
func TestCommandsFromBeforeTheStartDoNothing(t *testing.T) {
	near, far, _ := serial.Pipe()
	d := &desk{}
	latest := state.NewLatest()
	talker, err := New(Config{}, latest, d)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := far.Write([]byte(frame("ACK")+frame("RESET")), time.Second); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer stop()
	if err := talker.Serve(ctx, near); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if got := d.took(); len(got) != 0 {
		t.Errorf("took %v", got)
	}
}

// The commands that docs/ascii.md shows have the right checksums, and are commands.
func TestDocumentedCommands(t *testing.T) {
	text, err := os.ReadFile("../../docs/ascii.md")
	if err != nil {
		t.Fatal(err)
	}
	talker := &Talker{latest: state.NewLatest()}
	talker.latest.Store(many(1))
	shown := regexp.MustCompile("`(\\$([A-Z?][^*`]*)\\*([0-9A-F]{2}))`").FindAllStringSubmatch(string(text), -1)
	if len(shown) < 8 {
		t.Fatalf("%d commands are shown", len(shown))
	}
	for _, m := range shown {
		if got := strings.TrimSuffix(frame(m[2]), "\r\n"); got != m[1] {
			t.Errorf("%s is %s", m[1], got)
		}
		if _, _, err := talker.parse([]byte(m[2])); err != nil && !strings.Contains(err.Error(), "are told first") {
			t.Errorf("%s: %v", m[1], err)
		}
	}
}
