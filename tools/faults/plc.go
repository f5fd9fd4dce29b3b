package main

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"mien/drivers/serial"
	"mien/firmware/modbus"
)

// plc is the master at the other end of a pty that the unit opens as its serial
// port. It changes its heartbeat (holding register 0) ten times a second.
type plc struct {
	path  string
	beat  atomic.Bool // it changes its heartbeat
	noise atomic.Bool // the line disturbs what is sent
	holds atomic.Bool // it writes a block of coils in each cycle, all of them 1

	mu  sync.Mutex // covers pty
	pty *serial.Pty
}

func newPLC(path string) *plc {
	p := &plc{path: path}
	p.beat.Store(true)
	return p
}

// plug makes the port; a unit finds it at path.
func (p *plc) plug() error {
	pty, err := serial.OpenPty(p.path)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pty = pty
	return nil
}

// unplug takes the port away, as an adapter that is pulled out.
func (p *plc) unplug() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pty != nil {
		p.pty.Close() // a line that goes tells its master nothing
		p.pty = nil
	}
}

// run polls until ctx ends.
func (p *plc) run(ctx context.Context) {
	buf := make([]byte, 256)
	for n := uint16(0); ctx.Err() == nil; time.Sleep(100 * time.Millisecond) {
		if p.beat.Load() {
			n++
		}
		p.ask(buf, 6, 0, 0, byte(n>>8), byte(n))
		if p.holds.Load() { // acknowledge all, reset, silence, test, inhibit, acknowledge alarm 0
			p.ask(buf, 15, 0, 0, 0, 9, 2, 0b11111, 1)
		}
	}
}

// ask sends one request and waits a while for its answer.
func (p *plc) ask(buf []byte, pdu ...byte) {
	adu := append([]byte{1}, pdu...)
	sum := modbus.CRC(adu)
	adu = append(adu, byte(sum), byte(sum>>8))
	if p.noise.Load() {
		adu = disturb(adu)
	}
	p.mu.Lock()
	pty := p.pty
	p.mu.Unlock()
	if pty == nil {
		return
	}
	if _, err := pty.Write(adu, time.Second); err != nil {
		return // pulled out meanwhile: one of the faults
	}
	pty.Read(buf, 50*time.Millisecond)
}

// disturb changes, drops or doubles one character in fifty, or puts another
// before it.
func disturb(adu []byte) (out []byte) {
	for _, b := range adu {
		switch r := rand.IntN(200); {
		case r < 1:
			out = append(out, b^1<<rand.IntN(8))
		case r < 2:
		case r < 3:
			out = append(out, b, b)
		case r < 4:
			out = append(out, byte(rand.Uint32()), b)
		default:
			out = append(out, b)
		}
	}
	return out
}
