package line

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"mien/drivers/serial"
	"mien/firmware/modbus"
)

// desk takes commands as firmware does.
type desk struct {
	mu   sync.Mutex
	done []modbus.Command
}

func (d *desk) Do(who string, batch []modbus.Command) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if batch[0].Op == modbus.OpAck && batch[0].Alarm > 1 {
		return modbus.ErrNoAlarm
	}
	d.done = append(d.done, batch...)
	return nil
}

func (d *desk) took() []modbus.Command {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]modbus.Command(nil), d.done...)
}

type bench struct {
	t      testing.TB
	latest *modbus.Latest
	desk   *desk
	far    *serial.End
	wire   *serial.Wire
	buf    []byte
}

func newBench(t testing.TB, cfg Config) *bench {
	near, far, wire := serial.Pipe()
	b := &bench{t: t, latest: modbus.NewLatest(), desk: &desk{}, far: far, wire: wire}
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

var grammar = regexp.MustCompile(`^\$MIEN,(S,\d+,\d+(,[0-9A-F]{4}){5},\d+,\d*(,-?[0-9.]*){5}|A,\d+,\d+,\d+,[^,*$]*,[0-9.-]*|R,\d+,(OK|ERR)(,[^,*$]*)?)\*[0-9A-F]{2}$`)

// next reads one whole line and holds it against the grammar and its checksum.
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

func snapshot(state modbus.AlarmState) *modbus.Snapshot {
	s := new(modbus.Snapshot)
	s.Clear()
	s.Faces, s.Expression, s.Valence, s.Heartbeat = 1, 4, -0.77, 204
	s.AlarmCount = 1
	s.Alarms[0] = modbus.Alarm{Name: "brow, *lowered$", State: state, Value: 0.96}
	if state == modbus.AlarmUnacknowledged {
		s.Active, s.Unacknowledged = 1, 1
	}
	return s
}

func TestALineAChangeAndOneASecond(t *testing.T) {
	b := newBench(t, Config{Interval: 300 * time.Millisecond})
	b.latest.Store(snapshot(modbus.AlarmNormal))
	b.until(`^\$MIEN,A,\d+,0,0,brow  +lowered ,0.96$`)
	began := time.Now()
	first := b.until(`^\$MIEN,S,\d+,204,`)
	if !strings.HasSuffix(first, ",1,4,-0.77,,,,") {
		t.Errorf("status %q", first)
	}
	b.latest.Store(snapshot(modbus.AlarmUnacknowledged))
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

func TestCommands(t *testing.T) {
	b := newBench(t, Config{Interval: time.Hour})
	b.latest.Store(snapshot(modbus.AlarmNormal))
	b.until(`^\$MIEN,S,`)
	for _, c := range []struct {
		say, want string
	}{
		{frame("ACK"), `,OK$`}, {frame("ACK,1"), `,OK$`}, {frame("RESET"), `,OK$`}, {frame("SILENCE"), `,OK$`},
		{frame("ACK,7"), `,ERR,there is no such alarm$`}, {frame("ACK,x"), `,ERR,ACK takes`}, {frame("RESET,1"), `,ERR,RESET takes nothing$`},
		{frame("DANCE"), `,ERR,unknown command`}, {frame("?"), `^\$MIEN,S,`}, {"?", `^\$MIEN,S,`},
		{"noise\x00\xff$AC" + frame("ACK"), `,OK$`},
		{strings.Repeat("x", 500) + "$" + strings.Repeat("y", 500) + frame("ACK"), `,OK$`},
	} {
		b.say(c.say)
		if l := b.next(); !regexp.MustCompile(c.want).MatchString(l) {
			t.Errorf("%q got %q", c.say, l)
		}
	}
	want := []modbus.Op{modbus.OpAckAll, modbus.OpAck, modbus.OpReset, modbus.OpSilence, modbus.OpAckAll, modbus.OpAckAll}
	got := b.desk.took()
	if len(got) != len(want) {
		t.Fatalf("took %v", got)
	}
	for i := range want {
		if got[i].Op != want[i] {
			t.Errorf("command %d is %v, want %v", i, got[i].Op, want[i])
		}
	}
}

// A damaged command is no command: nothing happens, and nothing is answered.
func TestDamagedCommandsDoNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	var p parser
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
			if c, _, err := parse(text); err == nil && !strings.Contains(good, "$"+string(text)+"*") {
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
	latest := modbus.NewLatest()
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
	latest := modbus.NewLatest()
	talker, err := New(Config{Now: func() time.Duration { return now }}, latest, &desk{})
	if err != nil {
		t.Fatal(err)
	}
	s := snapshot(modbus.AlarmNormal)
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

func FuzzParser(f *testing.F) {
	f.Add([]byte(frame("ACK")))
	f.Add([]byte("$ACK,1*00\r\n?$$*\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var p parser
		for _, c := range data {
			if text, whole := p.feed(c); whole {
				parse(text)
			}
		}
	})
}
