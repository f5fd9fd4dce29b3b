package modbustest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"mien/firmware/modbus"
)

// TCPCases are the cases of a unit on a line as they are on a network: nobody is silent
// there, identifier 0 is the unit, another one is a gateway's target that does not answer,
// and there is no listen-only mode.
func TCPCases(f Facts) (all []Case) {
	for _, c := range Cases(f) {
		if c.Request[0] == 8 && len(c.Request) == 5 && c.Request[2] == 4 {
			c.Want = exception(1)
		}
		if c.Want.Silence {
			switch fc := c.Request[0]; {
			case c.Address != 0:
				c.Want = exception(0x0B)
			case fc >= 0x80 || fc == 99:
				c.Want = exception(1)
			case fc == 8 && c.Request[4] == 0:
				c.Want = exact(c.Request)
			case fc == 8:
				c.Want = exception(3)
			case fc == 6 && c.Request[2] == 3:
				c.Want = exception(3)
			case fc == 6 && !c.Broadcast: // by a unit that would not listen
				continue
			case fc == 6:
				c.Want = exact(c.Request)
			case fc == 16 && c.Broadcast:
				c.Want = exact(c.Request[:5])
			case fc == 3 && len(c.Request) == 5:
				c.Want = counted(3, 2)
			default:
				c.Want = exception(3)
			}
		}
		all = append(all, c)
	}
	return all
}

// Unit is what the case is sent to.
func (c *Case) Unit(f Facts) byte {
	if c.Broadcast {
		return 0
	}
	return f.Address + byte(c.Address)
}

// TCPFrame is a PDU behind its header.
func TCPFrame(transaction uint16, unit byte, pdu []byte) []byte {
	adu := binary.BigEndian.AppendUint16(nil, transaction)
	adu = append(adu, 0, 0)
	adu = binary.BigEndian.AppendUint16(adu, uint16(1+len(pdu)))
	return append(append(adu, unit), pdu...)
}

// TCPAnswer reads one answer and gives its PDU.
func TCPAnswer(c net.Conn, transaction uint16, unit byte, wait time.Duration) ([]byte, error) {
	c.SetReadDeadline(time.Now().Add(wait))
	var header [7]byte
	if _, err := io.ReadFull(c, header[:]); err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	length := int(binary.BigEndian.Uint16(header[4:]))
	if length < 3 || length > 254 {
		return nil, fmt.Errorf("an answer of length %d", length)
	}
	pdu := make([]byte, length-1)
	if _, err := io.ReadFull(c, pdu); err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	if got := binary.BigEndian.Uint16(header[:]); got != transaction || header[2] != 0 || header[3] != 0 || header[6] != unit {
		return nil, fmt.Errorf("the header % X answers transaction %04X to unit %d", header, transaction, unit)
	}
	return pdu, nil
}

// TCPConformance tries every case on the unit at address in three ways: as it is, in
// pieces of one byte, and many in one piece. It gives how many it tried.
func TCPConformance(address string, f Facts) (tried int, err error) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	cases := TCPCases(f)
	var wrong []error
	look := func(n int, transaction uint16) bool {
		tried++
		answer, err := TCPAnswer(c, transaction, cases[n].Unit(f), AnswerTime)
		if err == nil {
			if err = cases[n].Check(answer); err == nil {
				return true
			}
			wrong = append(wrong, err)
			return true
		}
		wrong = append(wrong, fmt.Errorf("%s: %w", cases[n].Name, err))
		return false
	}
	for n := range cases {
		c.Write(TCPFrame(uint16(n), cases[n].Unit(f), cases[n].Request))
		if !look(n, uint16(n)) {
			return tried, errors.Join(wrong...)
		}
	}
	for n := range cases {
		for _, b := range TCPFrame(uint16(1000+n), cases[n].Unit(f), cases[n].Request) {
			c.Write([]byte{b})
		}
		if !look(n, uint16(1000+n)) {
			return tried, errors.Join(wrong...)
		}
	}
	const together = 20
	for at := 0; at < len(cases); at += together {
		var piece []byte
		some := cases[at:min(at+together, len(cases))]
		for n := range some {
			piece = append(piece, TCPFrame(uint16(2000+at+n), some[n].Unit(f), some[n].Request)...)
		}
		c.Write(piece)
		for n := range some {
			if !look(at+n, uint16(2000+at+n)) {
				return tried, errors.Join(wrong...)
			}
		}
	}
	return tried, errors.Join(wrong...)
}

// TCPHeaders tries what can be wrong with a header, and what is right about it.
func TCPHeaders(address string, f Facts) (tried int, err error) {
	request := TCPFrame(7, f.Address, ask(4, 50, 2))
	answer := []byte{4, 4, 0x12, 0x34, 0x56, 0x78}
	header := func(protocol, length int, unit byte) []byte {
		return append(ask(0, 7, protocol, length)[1:], append([]byte{unit}, ask(4, 50, 2)...)...)
	}
	var wrong []error
	add := func(name string, send []byte, transaction uint16, unit byte, answered, open bool) {
		tried++
		c, err := net.Dial("tcp", address)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", name, err))
			return
		}
		defer c.Close()
		c.Write(send)
		if answered {
			pdu, err := TCPAnswer(c, transaction, unit, AnswerTime)
			if err != nil || string(pdu) != string(answer) {
				wrong = append(wrong, fmt.Errorf("%s: % X, %w", name, pdu, err))
			}
		}
		c.Write(request)
		pdu, err := TCPAnswer(c, 7, f.Address, AnswerTime)
		if is := err == nil && string(pdu) == string(answer); is != open {
			wrong = append(wrong, fmt.Errorf("%s: the next request was answered: %t, %w", name, is, err))
		}
	}
	for _, t := range []uint16{0, 1, 7, 0x7FFF, 0xFFFF} {
		add(fmt.Sprintf("transaction %04X", t), TCPFrame(t, f.Address, ask(4, 50, 2)), t, f.Address, true, true)
	}
	for _, unit := range []byte{0, 255} {
		add(fmt.Sprintf("unit %d is the unit", unit), TCPFrame(9, unit, ask(4, 50, 2)), 9, unit, true, true)
	}
	for _, protocol := range []int{1, 2, 0x00FF, 0x0100, 0xFFFF} {
		add(fmt.Sprintf("protocol %04X", protocol), header(protocol, 6, f.Address), 0, 0, false, true)
	}
	for _, length := range []int{0, 1, 255, 256, 260, 0x0600, 0x7FFF, 0x8000, 0xFFFF} {
		add(fmt.Sprintf("length %d", length), header(0, length, f.Address), 0, 0, false, false)
	}
	for _, protocol := range []int{1, 0xFFFF} {
		for _, length := range []int{0, 1, 255, 0xFFFF} {
			add(fmt.Sprintf("protocol %04X and length %d", protocol, length), header(protocol, length, f.Address), 0, 0, false, false)
		}
	}
	add("two in one piece", append(TCPFrame(3, f.Address, ask(4, 50, 2)), header(1, 6, 1)...), 3, f.Address, true, true)
	return tried, errors.Join(wrong...)
}

// Network is a Unit on a network of loopback.
type Network struct {
	Address string // "127.0.0.1:…"
	*modbus.Server
	Latest   *Latest
	Recorder *Recorder
	Facts    Facts
	Away     atomic.Bool   // the gateway has lost its unit
	Run      atomic.Uint32 // and found it again so often
}

// StartTCP serves a Unit on loopback by Modbus TCP until the test ends; change, where
// there is one, changes its settings.
func StartTCP(t testing.TB, change func(*modbus.ServerConfig)) *Network {
	t.Helper()
	return start(t, modbus.NewServer, change)
}

// StartSLMP does so by SLMP.
func StartSLMP(t testing.TB, change func(*modbus.ServerConfig)) *Network {
	t.Helper()
	return start(t, modbus.NewSLMPServer, change)
}

func start(t testing.TB, prepare func(modbus.ServerConfig) (*modbus.Server, error), change func(*modbus.ServerConfig)) *Network {
	t.Helper()
	n := &Network{Latest: NewLatest(), Recorder: new(Recorder), Facts: Synthetic}
	start := time.Now()
	now := func() time.Duration { return time.Hour + time.Since(start) }
	s := Snapshot(now())
	s.StaleAfter = 0
	n.Latest.Store(s)
	o := modbus.ServerConfig{Slave: Config(now), Write: true, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Unit:  func(string) (modbus.Source, modbus.Commands) { return n.Latest, n.Recorder },
		There: func() (uint32, bool) { return n.Run.Load(), !n.Away.Load() }}
	if change != nil {
		change(&o)
	}
	var err error
	if n.Server, err = prepare(o); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n.Address = l.Addr().String()
	n.Facts.Refuse = func(err error) { n.Recorder.Fail(1, 1, err) }
	n.Facts.Static = map[int]uint16{0: modbus.MapVersion, 46: 0xBEEF, 50: 0x1234, 51: 0x5678, 52: 0x3F80, 62: 600}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the server ended: %v", err)
		}
	})
	return n
}
