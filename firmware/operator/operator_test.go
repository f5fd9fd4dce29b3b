package operator

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/health"
	"mien/firmware/state"
)

// unit is a unit with one real alarm engine behind it.
type unit struct {
	mu      sync.Mutex // covers the fields below
	engine  *alarm.Engine
	latest  *state.Latest
	state   state.State
	now     time.Duration
	tested  time.Duration
	panics  int
	pending error
	mad     bool // asking for the alarms panics
	journal []alarm.Event
	slow    time.Duration // that the journal takes to read
	reading time.Duration // that was spent on it
}

func newUnit(t *testing.T) *unit {
	e, err := alarm.New([]alarm.Definition{{Name: "frown", Conditions: []alarm.Condition{{Signal: "au4", Limit: 0.5}}, MaxShelve: time.Hour, Horn: true, Unlocked: true}},
		[]string{"au4"}, alarm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	u := &unit{engine: e, latest: state.NewLatest(), now: time.Second}
	u.journal = append(u.journal, e.Restore(alarm.Saved{}, u.now, time.Now())...)
	for range 2 {
		u.now += 100 * time.Millisecond
		u.journal = append(u.journal, e.Step(alarm.Reading{At: u.now, Wall: time.Now(), Sequence: 7, Levels: []float32{0.9}})...)
	}
	u.state.Clear()
	u.state.About = &state.About{Unit: "press", Version: "v1", Outputs: []string{"lamp"}, Signals: []state.Signal{{Name: "au4", Max: 1}, {Name: "au12", Max: 1}}}
	u.state.Outputs, u.state.Levels = []bool{true}, []float32{0.9, float32(math.NaN())}
	u.state.Faults = []health.Active{{Fault: health.StorageFailed, Detail: "disk full"}}
	u.publish()
	return u
}

func (u *unit) Do(who string, batch []state.Command) (state.Receipt, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	var failed error
	var done []alarm.Event
	for _, c := range batch {
		if c.Do == state.TestOutputs {
			u.tested = c.For
			continue
		}
		a := c.Alarm
		a.Who, a.At, a.Wall = who, u.now, time.Now()
		events, err := u.engine.Do(a)
		u.journal = append(u.journal, events...)
		failed = errors.Join(failed, err)
		done = append(done, events...)
	}
	u.publish()
	return state.Receipt{Done: done}, failed
}

func (u *unit) Kept(state.Receipt, time.Duration) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.pending
}

// What is done and not on the disk is told apart from what is.
func TestNotYetOnTheDisk(t *testing.T) {
	u := newUnit(t)
	d := desk{unit: u}
	u.pending = errors.New("not yet on the disk: no space")
	if r := d.answer(Request{Ask: AskDo, Do: alarm.Acknowledge}, "anna"); r.Error != "" || r.Pending != u.pending.Error() {
		t.Errorf("%+v", r)
	}
	if r := d.answer(Request{Ask: AskDo, Do: alarm.Inhibit}, "anna"); r.Error == "" || r.Pending != "" {
		t.Errorf("what was refused waits for nothing: %+v", r)
	}
}

// publish tells readers what the engine has. The lock is held.
func (u *unit) publish() {
	s := &u.state
	s.Alarms, s.Summary = append(s.Alarms[:0], u.engine.Status(0)), u.engine.Summary()
	u.latest.Store(s)
}

// Latest is where the state is, unless that goes mad.
func (u *unit) Latest() *state.Latest {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.mad {
		panic("injected")
	}
	return u.latest
}

func (u *unit) panicked() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.panics
}

func (u *unit) Now() time.Duration { return u.now }
func (u *unit) Guard(name string, run func()) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s: %v", name, r)
			u.mu.Lock()
			u.panics++
			u.mu.Unlock()
		}
	}()
	run()
	return nil
}

func (u *unit) Events(after uint64, most int) (list []alarm.Event, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.slow > 0 {
		began := time.Now()
		time.Sleep(u.slow)
		u.reading += time.Since(began)
	}
	for _, e := range u.journal {
		if e.Number > after {
			list = append(list, e)
		}
	}
	return list[max(0, len(list)-most):], nil
}

func serve(t *testing.T, u *unit) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "run", "mien.sock")
	serveAt(t, u, path, func(err error) { t.Error("told", err) })
	opened(t, path)
	return path
}

// serveAt serves until the test ends.
func serveAt(t *testing.T, u *unit, path string, tell func(error)) {
	t.Helper()
	s := New(path, "no such group", u, u)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); s.Serve(ctx, tell) }()
	t.Cleanup(func() {
		stop()
		<-done
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the socket file stays behind: %v", err)
		}
	})
}

// opened waits until the socket is there.
func opened(t *testing.T, path string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		info, err := os.Lstat(path)
		if err == nil && info.Mode() == os.ModeSocket|0o660 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("no socket: %v", err)
		}
	}
}

func TestPeopleAskAndTell(t *testing.T) {
	u := newUnit(t)
	path := serve(t, u)
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o660 {
		t.Errorf("mode %v %v", st.Mode(), err)
	}
	c, err := Dial(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	reply, err := c.Ask(Request{Ask: AskAlarms})
	if err != nil || len(reply.Alarms) != 1 || reply.Alarms[0].State != alarm.Unacknowledged || *reply.Alarms[0].Level != 0.9 || reply.Alarms[0].Why == "" {
		t.Fatalf("%+v %v", reply, err)
	}
	if _, err = c.Ask(Request{Ask: AskDo, Do: alarm.Acknowledge, Alarm: "frown"}); err != nil {
		t.Fatal(err)
	}
	if _, err = c.Ask(Request{Ask: AskDo, Do: alarm.Acknowledge, Alarm: "frown"}); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("a second acknowledgement: %v", err)
	}
	if _, err = c.Ask(Request{Ask: AskDo, Do: alarm.Acknowledge, Alarm: "smile"}); err == nil || !strings.Contains(err.Error(), "no such alarm") {
		t.Errorf("no such alarm: %v", err)
	}
	if _, err = c.Ask(Request{Ask: AskDo, Do: alarm.Raise, Alarm: "frown"}); err == nil {
		t.Error("a person may raise an alarm")
	}
	if _, err = c.Ask(Request{Ask: AskDo, Do: alarm.SetLimits, Alarm: "frown"}); err == nil {
		t.Error("limits that a request cannot carry are set")
	}
	reply, err = c.Ask(Request{Ask: AskEvents})
	if err != nil {
		t.Fatal(err)
	}
	who := ""
	for _, e := range reply.Events {
		if e.Trigger == alarm.Acknowledge && !e.Refused {
			who = e.Who
		}
	}
	if who == "" || who == "socket" {
		t.Errorf("the journal does not know who acknowledged: %q", who)
	}
	reply, err = c.Ask(Request{Ask: AskStatus})
	if err != nil || reply.Status.Unit != "press" || len(reply.Status.Outputs) != 1 || reply.Status.Faults[0].Code != "F12" {
		t.Errorf("%+v %v", reply.Status, err)
	}
	if _, err = c.Ask(Request{Ask: AskTest, For: time.Second}); err != nil || u.tested != time.Second {
		t.Errorf("test: %v %v", u.tested, err)
	}
	if _, err = c.Ask(Request{Ask: "dance"}); err == nil {
		t.Error("an unknown request is answered")
	}
}

func TestBadClientsAreCutOffAndOthersServed(t *testing.T) {
	u := newUnit(t)
	path := serve(t, u)
	long, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer long.Close()
	long.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(long, "%s\n", strings.Repeat("x", 3*maxLine))
	lines := bufio.NewReader(long)
	if l, err := lines.ReadString('\n'); err != nil || !strings.Contains(l, "at most") {
		t.Errorf("too long a line: %q %v", l, err)
	}
	garbage, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer garbage.Close()
	fmt.Fprintf(garbage, "\x00\xff{{{\n{\"ask\":\"alarms\"}\n")
	lines = bufio.NewReader(garbage)
	if l, err := lines.ReadString('\n'); err != nil || !strings.Contains(l, "not a request") {
		t.Errorf("garbage: %q %v", l, err)
	}
	if l, err := lines.ReadString('\n'); err != nil || !strings.Contains(l, "frown") {
		t.Errorf("after garbage: %q %v", l, err)
	}
	// A client that never reads: its replies fill the socket, and it is cut off
	// while others are served.
	deaf, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	cut := make(chan error, 1)
	go func() {
		deaf.SetWriteDeadline(time.Now().Add(20 * time.Second))
		for {
			if _, err := fmt.Fprintln(deaf, `{"ask":"events"}`); err != nil {
				cut <- err
				return
			}
		}
	}()
	for range 200 {
		c, err := Dial(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Ask(Request{Ask: AskAlarms}); err != nil && !strings.Contains(err.Error(), "too many") {
			t.Fatal(err)
		}
		c.Close()
	}
	if err := <-cut; errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("a client that never reads is not cut off")
	}
}

// A panic while a client is answered ends that client, is the unit's to know,
// and leaves the others served.
func TestPanicEndsOneClient(t *testing.T) {
	u := newUnit(t)
	path := serve(t, u)
	u.mu.Lock()
	u.mad = true
	u.mu.Unlock()
	for i := 1; i <= 2*maxClients; i++ { // each comes twice again; its place is free again each time
		c, err := Dial(path)
		if err != nil {
			t.Fatal(err)
		}
		if reply, err := c.Ask(Request{Ask: AskAlarms}); err == nil {
			t.Fatalf("answered: %+v", reply)
		}
		c.Close()
		for end := time.Now().Add(5 * time.Second); u.panicked() < i; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%d panics told, want %d", u.panicked(), i)
			}
		}
	}
	u.mu.Lock()
	u.mad = false
	u.mu.Unlock()
	c, err := Dial(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Ask(Request{Ask: AskAlarms}); err != nil {
		t.Error(err)
	}
}

// 200 commands a second, for and against, from one client: each is answered, and
// journaled where it does something.
func TestManyCommands(t *testing.T) {
	u := newUnit(t)
	path := serve(t, u)
	c, err := Dial(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	u.mu.Lock()
	before := len(u.journal)
	u.mu.Unlock()
	const n = 600
	for i := range n {
		do := []alarm.Trigger{alarm.Shelve, alarm.Unshelve, alarm.Acknowledge, alarm.Silence}[i%4]
		var gone *net.OpError
		if _, err := c.Ask(Request{Ask: AskDo, Do: do, Alarm: "frown", For: time.Minute}); errors.As(err, &gone) {
			t.Fatal(err)
		}
	}
	u.wellAfter(t)
	u.mu.Lock()
	defer u.mu.Unlock()
	if got := len(u.journal) - before; got < n/2 || got > n/2+20 { // shelve and unshelve do
		t.Errorf("%d events of %d commands", got, n)
	}
}

func TestSocketOfALiveUnitIsNotTaken(t *testing.T) {
	u := newUnit(t)
	path := serve(t, u)
	if err := New(path, "", u, nil).listen(); err == nil || !strings.Contains(err.Error(), "another unit") {
		t.Errorf("second listener: %v", err)
	}
	left := filepath.Join(t.TempDir(), "mien.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: left, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close() // what kill -9 leaves behind
	s := New(left, "", u, nil)
	if err := s.listen(); err != nil {
		t.Fatalf("a dead unit's socket file: %v", err)
	}
	s.listener.Close()
	if _, err := Dial(filepath.Join(t.TempDir(), "none")); !errors.Is(err, ErrNotRunning) {
		t.Errorf("no unit: %v", err)
	}
}

// A socket file that somebody takes away is made again, with its mode; one that
// another has put there is left alone. No other file is replaced by a socket.
func TestSocketFileTakenAway(t *testing.T) {
	u := newUnit(t)
	path := filepath.Join(t.TempDir(), "run", "mien.sock")
	serveAt(t, u, path, func(error) {}) // another's, which this test puts there, may be told
	opened(t, path)
	if err := os.RemoveAll(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	if _, err := Dial(path); !errors.Is(err, ErrNotRunning) {
		t.Fatalf("still there: %v", err)
	}
	u.answersAt(t, path)
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o660 {
		t.Errorf("mode %v %v", st.Mode(), err)
	}

	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	other := New(path, "", u, u)
	if err := other.listen(); err == nil { // unless the first was quicker
		time.Sleep(2 * lookEvery)
		if c, err := net.Dial("unix", path); err != nil {
			t.Errorf("the other's socket is gone: %v", err)
		} else {
			c.Close()
		}
		other.listener.Close()
	}
	u.answersAt(t, path)

	file := filepath.Join(t.TempDir(), "alarms.state")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := New(file, "", u, nil).listen(); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("a file at its path: %v", err)
	}
	if data, err := os.ReadFile(file); string(data) != "precious" {
		t.Errorf("the file: %q %v", data, err)
	}
}

// A socket that cannot be opened comes by itself when the reason has gone. Each
// reason is told once, and the end of it.
func TestSocketComesWhenItCan(t *testing.T) {
	u := newUnit(t)
	folder := filepath.Join(t.TempDir(), "run")
	if err := os.WriteFile(folder, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "mien.sock")
	told := make(chan error, 100)
	serveAt(t, u, path, func(err error) { told <- err })
	if err := <-told; err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "not a directory") {
		t.Fatalf("told %v", err)
	}
	time.Sleep(2 * lookEvery) // it is tried again meanwhile
	if len(told) > 0 {
		t.Errorf("told again: %v", <-told)
	}
	if err := os.Remove(folder); err != nil {
		t.Fatal(err)
	}
	if err := <-told; err != nil {
		t.Errorf("told %v of a socket that opened", err)
	}
	u.answersAt(t, path)

	// Another's file in its place, later: it is not replaced, and told of.
	if err := os.WriteFile(path+".new", []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	if err := <-told; err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("told %v", err)
	}
	if data, err := os.ReadFile(path); string(data) != "precious" {
		t.Errorf("the file: %q %v", data, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := <-told; err != nil {
		t.Errorf("told %v of a socket that opened again", err)
	}
	u.answersAt(t, path)
}

// answersAt waits until the unit answers.
func (u *unit) answersAt(t *testing.T, path string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		c, err := Dial(path)
		if err == nil {
			_, err = c.Ask(Request{Ask: AskAlarms})
			c.Close()
		}
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// What no longer is in the config says so, and how often an alarm was shelved is
// told.
func TestListTellsOfCoversAndOrphans(t *testing.T) {
	list := alarms(&state.State{Alarms: []alarm.Status{{Name: "old", State: alarm.LatchedUnacknowledged, Orphan: true, Shelvings: 3}, {Name: "new"}}})
	if !strings.Contains(list[0].Why, "no longer configured") || list[0].Times != 3 || list[1].Why != "" || list[1].Times != 0 {
		t.Errorf("%+v", list)
	}
}

// 48 alarms with names of 32 characters, and every signal of a network that mien
// has never heard of, come over the socket.
func TestStatusOfAWideUnit(t *testing.T) {
	u := newUnit(t)
	s := state.State{}
	s.Clear()
	s.About = &state.About{}
	for _, name := range []string{"au5", "au20", "au28", "expression.calm", "expression.bored", "expression.tense", "expression.tired", "expression.lost"} {
		s.About.Signals = append(s.About.Signals, state.Signal{Name: name, Max: 1})
		s.Levels = append(s.Levels, 0.25)
	}
	s.Levels[2] = float32(math.NaN())
	for i := range 48 {
		s.Alarms = append(s.Alarms, alarm.Status{Name: fmt.Sprintf("%032d", i), State: alarm.Unacknowledged, Level: 0.5})
	}
	for i := range 20 {
		s.About.Outputs, s.Outputs = append(s.About.Outputs, fmt.Sprintf("output %d", i)), append(s.Outputs, true)
	}
	u.latest.Store(&s)
	c, err := Dial(serve(t, u))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	reply, err := c.Ask(Request{Ask: AskAlarms})
	if err != nil || len(reply.Alarms) != 48 || reply.Alarms[47].Name != fmt.Sprintf("%032d", 47) || reply.Alarms[47].State != alarm.Unacknowledged {
		t.Errorf("%d alarms, %v", len(reply.Alarms), err)
	}
	if reply, err = c.Ask(Request{Ask: AskStatus}); err != nil {
		t.Fatal(err)
	}
	st := reply.Status
	if len(st.Signals) != 8 || st.Signals[0].Name != "au5" || *st.Signals[0].Level != 0.25 || st.Signals[2].Level != nil || st.Signals[7].Name != "expression.lost" {
		t.Errorf("signals %+v", st.Signals)
	}
	if len(st.Outputs) != 20 || !st.Outputs[19].On || st.Reason != state.NoResult {
		t.Errorf("outputs %+v, reason %q", st.Outputs, st.Reason)
	}
}
