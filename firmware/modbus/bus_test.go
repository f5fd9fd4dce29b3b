package modbus_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"mien/drivers/serial"
	"mien/firmware/modbus"
	"mien/firmware/modbus/modbustest"
)

// A bus is a Port on which time passes only by what happens: characters come
// when the script says so, and a Read that waits longer than that moves the
// clock instead of sleeping.
type bus struct {
	now    time.Duration
	script func() (at time.Duration, p []byte, ok bool)
	next   struct {
		at   time.Duration
		p    []byte
		ok   bool
		held bool
	}
	corrupt bool // the next characters come damaged
	wrote   func(at time.Duration, p []byte)
	werr    error
}

func (b *bus) Now() time.Duration { return b.now }

var errTimeout = fmt.Errorf("bus: %w", serial.ErrTimeout)

func (b *bus) Read(p []byte, timeout time.Duration) (int, error) {
	if !b.next.held {
		b.next.at, b.next.p, b.next.ok = b.script()
		b.next.held = true
	}
	if !b.next.ok {
		// Let the slave finish what waits, then end.
		if timeout < 50*time.Millisecond {
			b.now += timeout
			return 0, errTimeout
		}
		return 0, io.EOF
	}
	if b.next.at > b.now+timeout {
		b.now += max(timeout, 0)
		return 0, errTimeout
	}
	b.now = max(b.now, b.next.at)
	n := copy(p, b.next.p)
	b.next.p = b.next.p[n:]
	b.next.held = len(b.next.p) > 0
	if b.corrupt {
		b.corrupt = false
		return n, serial.ErrCorrupt
	}
	return n, nil
}

func (b *bus) Write(p []byte, _ time.Duration) (int, error) {
	if b.werr != nil {
		return 0, b.werr
	}
	b.wrote(b.now, p)
	return len(p), nil
}

func (b *bus) Discard() error { return nil }

// rig is a slave on a bus, with a made-up unit.
type rig struct {
	bus
	*modbus.Slave
	latest   *modbustest.Latest
	recorder modbustest.Recorder
	answers  [][]byte
}

func newRig(t testing.TB, change func(*modbus.Config)) *rig {
	r := &rig{latest: modbustest.NewLatest()}
	r.now = time.Hour
	r.wrote = func(_ time.Duration, p []byte) { r.answers = append(r.answers, append([]byte(nil), p...)) }
	cfg := modbustest.Config(r.Now)
	if change != nil {
		change(&cfg)
	}
	var err error
	if r.Slave, err = modbus.New(cfg, r.latest, &r.recorder); err != nil {
		t.Fatal(err)
	}
	r.latest.Store(modbustest.Snapshot(r.now))
	r.Rest(&r.bus)
	return r
}

// event is characters that come so long after the event before.
type event struct {
	after time.Duration
	p     []byte
}

// play lets events happen and returns what the slave sent.
func (r *rig) play(t testing.TB, events ...event) [][]byte {
	t.Helper()
	r.answers = nil
	at, i := r.now, 0
	r.next.held = false
	r.script = func() (time.Duration, []byte, bool) {
		if i == len(events) {
			return 0, nil, false
		}
		e := events[i]
		i++
		at = max(at+e.after, r.now)
		return at, e.p, true
	}
	if err := r.Serve(context.Background(), &r.bus); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	return r.answers
}

// ask sends one PDU after a long silence and returns the PDU of the answer.
func (r *rig) ask(t testing.TB, pdu ...byte) []byte {
	t.Helper()
	return r.askAt(t, 1, pdu...)
}

func (r *rig) askAt(t testing.TB, address byte, pdu ...byte) []byte {
	t.Helper()
	answers := r.play(t, event{time.Second, modbustest.Frame(address, pdu)})
	if len(answers) == 0 {
		return nil
	}
	if len(answers) > 1 {
		t.Fatalf("% X: %d answers", pdu, len(answers))
	}
	a := answers[0]
	if modbus.CRC(a) != 0 || a[0] != 1 {
		t.Fatalf("% X: answer % X", pdu, a)
	}
	return a[1 : len(a)-2]
}

const ms = time.Millisecond
