package modbustest

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"mien/drivers/serial"
	"mien/firmware/modbus"
)

// Unit is a slave with a made-up unit behind it, on a pty.
type Unit struct {
	Path string // where masters find it
	*modbus.Slave
	Latest   *Latest
	Recorder *Recorder
	Facts    Facts
}

// Start serves a Unit until the test ends.
func Start(t testing.TB) *Unit {
	t.Helper()
	u := &Unit{Path: filepath.Join(t.TempDir(), "unit"), Latest: NewLatest(), Recorder: new(Recorder), Facts: Synthetic}
	start := time.Now()
	now := func() time.Duration { return time.Hour + time.Since(start) }
	var err error
	if u.Slave, err = modbus.New(Config(now), u.Latest, u.Recorder); err != nil {
		t.Fatal(err)
	}
	s := Snapshot(now())
	s.StaleAfter = 0
	u.Latest.Store(s)
	line, err := serial.OpenPty(u.Path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- u.Serve(ctx, line) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("the slave ended: %v", err)
		}
		line.Close()
	})
	u.Facts.Refuse = func(err error) { u.Recorder.Fail(1, 1, err) }
	u.Facts.Static = u.static(t)
	return u
}

// static are the input registers that hold still, read by two raw requests
// each.
func (u *Unit) static(t testing.TB) map[int]uint16 {
	line, err := serial.Open(serial.Settings{Path: u.Path, Baud: 115200})
	if err != nil {
		t.Fatal(err)
	}
	defer line.Close()
	// What comes before Serve has cleared the line is lost.
	for range 50 {
		if answer, err := Ask(line, u.Facts.Address, ask(4, 0, 1), Quiet); err == nil && answer != nil {
			break
		}
	}
	values := map[int]uint16{}
	for _, r := range modbus.Table() {
		if r.Space != modbus.Input || r.Unit == "s" || r.Unit == "ms" || r.Name == "bus_messages" || r.Name == "bus_errors" || r.Name == "bus_exceptions" {
			continue
		}
		answer, err := Ask(line, u.Facts.Address, ask(4, r.Address, r.Words), AnswerTime)
		if err != nil || len(answer) != 2+2*r.Words {
			t.Fatalf("%s: % X, %v", r.Name, answer, err)
		}
		for i := range r.Words {
			values[r.Address+i] = uint16(answer[2+2*i])<<8 | uint16(answer[3+2*i])
		}
	}
	return values
}
