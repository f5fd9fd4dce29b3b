package modbus_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"mien/drivers/serial"
	"mien/firmware/modbus"
	"mien/firmware/modbus/modbustest"
)

// The adapter is pulled out in the middle of a frame, and put back.
func TestUnpluggedInTheMiddleOfAFrame(t *testing.T) {
	unit, far, wire := serial.Pipe()
	latest, recorder := modbustest.NewLatest(), new(modbustest.Recorder)
	latest.Store(modbustest.Snapshot(0))
	slave, err := modbus.New(modbustest.Config(nil), latest, recorder)
	if err != nil {
		t.Fatal(err)
	}
	serve := func() chan error {
		done := make(chan error, 1)
		go func() { done <- slave.Serve(context.Background(), unit) }()
		return done
	}
	beat := func(value byte) []byte {
		t.Helper()
		var got []byte
		for range 50 { // what comes before Serve has cleared the line is lost
			if got, err = modbustest.Ask(far, 1, words(6, 0, int(value)), modbustest.Quiet); err != nil || got != nil {
				break
			}
		}
		if err != nil || string(got) != string(words(6, 0, int(value))) {
			t.Fatalf("% X, %v", got, err)
		}
		return got
	}
	done := serve()
	beat(7)
	far.Write(modbustest.Frame(1, words(3, 0, 1))[:5], time.Second)
	wire.Unplug()
	if err := <-done; !errors.Is(err, serial.ErrGone) {
		t.Fatalf("ended with %v", err)
	}
	wire.Replug()
	if err := errors.Join(unit.Reopen(), far.Reopen()); err != nil {
		t.Fatal(err)
	}
	done = serve()
	got, err := modbustest.Ask(far, 1, words(3, 0, 1), modbustest.AnswerTime)
	for range 50 {
		if got != nil || err != nil {
			break
		}
		got, err = modbustest.Ask(far, 1, words(3, 0, 1), modbustest.Quiet)
	}
	if err != nil || string(got) != string([]byte{3, 2, 0, 7}) {
		t.Errorf("after replugging: % X, %v", got, err)
	}
	wire.Unplug()
	<-done
}

// Two masters that know nothing of each other: frames meet on the line. What
// is answered is right, and when they are gone, all is well.
func TestTwoMasters(t *testing.T) {
	u := modbustest.Start(t)
	line, err := serial.Open(serial.Settings{Path: u.Path, Baud: 115200})
	if err != nil {
		t.Fatal(err)
	}
	defer line.Close()
	var masters sync.WaitGroup
	for n := range 2 {
		masters.Go(func() {
			for i := range 400 {
				frame := modbustest.Frame(1, words(4, 50, 1+(i+n)%3))
				// Each sends in two pieces, so that they mix.
				line.Write(frame[:3+n], time.Second)
				time.Sleep(time.Duration(i%7) * 200 * time.Microsecond)
				line.Write(frame[3+n:], time.Second)
				time.Sleep(time.Duration(i%5) * 300 * time.Microsecond)
			}
		})
	}
	masters.Wait()
	for buf := make([]byte, 300); ; {
		if _, err := line.Read(buf, 200*time.Millisecond); err != nil {
			break // quiet now
		}
	}
	for range 5 {
		got, err := modbustest.Ask(line, 1, words(4, 50, 2), modbustest.AnswerTime)
		if err != nil || string(got) != string([]byte{4, 4, 0x12, 0x34, 0x56, 0x78}) {
			t.Errorf("afterwards: % X, %v", got, err)
		}
	}
	if s := u.Stats(); s.CommErrors == 0 {
		t.Errorf("the masters never met: %+v", s)
	}
}
