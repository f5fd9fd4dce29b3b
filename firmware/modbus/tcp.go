package modbus

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Modbus TCP ("MODBUS Messaging on TCP/IP Implementation Guide V1.0b"): the same requests
// and answers, behind a header of seven bytes (MBAP): transaction, protocol (0), length of
// what follows, unit identifier.
const (
	mbapBytes = 7
	maxPDU    = 253
	// maxFrame is more than any frame has that a Server takes or gives.
	maxFrame = 2048
	// anyUnit and noUnit are the unit identifiers of a server that is reached by its
	// address alone.
	anyUnit, noUnit = 0xFF, 0
)

const (
	mostClients = 16
	mostMasters = 32 // of which it is known what they wrote
	// A client that has asked nothing for so long gives its place to another.
	quietFor = 10 * time.Second
	// wholeWithin bounds a request from its first byte to its last, and takenWithin an
	// answer that its client does not read.
	wholeWithin = 2 * time.Second
	takenWithin = 2 * time.Second
	// An address that may not come in is told once in so long.
	tellEach = time.Minute
)

// framing is how a protocol over TCP puts its requests and answers into a stream.
type framing interface {
	// head is how many bytes come before the length of a request is known.
	head() int
	// rest is how many bytes follow a head; negative: it is none.
	rest(head []byte) int
	// answer puts what answers a whole request into out; 0 bytes: nothing does.
	answer(s *Server, m *master, request, out []byte) int
}

// ServerConfig is what a Server is made of.
type ServerConfig struct {
	Slave Config // Address is the unit identifier that is answered beside 0 and 255
	Write bool   // functions that write are there
	Allow []netip.Prefix
	// Unit gives what a master's slave reads and commands, by who it is in the journal.
	Unit func(who string) (Source, Commands)
	// There tells whether the unit is heard, and which time it is since the start: with
	// another, what masters wrote is dropped.
	There func() (run uint32, there bool)
	Say   func(format string, args ...any) // tells a technician; it must not wait
}

// Server is the register map on a network: a gateway to one unit. Each address that asks
// is a master of its own, whatever the number of its connections: it reads back what it
// wrote, and what it asks for follows from its own changes, so that two that write the
// same block in every cycle do not undo each other's.
type Server struct {
	o       ServerConfig
	name    string // of its table in the config
	framing framing

	mu      sync.Mutex // covers what is below
	seats   []*seat
	masters map[netip.Addr]*master
	told    map[netip.Addr]time.Time
}

// seat is the place of one client.
type seat struct {
	conn  net.Conn
	from  netip.Addr
	asked time.Time // its last whole request, or when it came
	of    *master
}

// master is one address, and the slave that it alone talks to.
type master struct {
	who  string
	used time.Time // covered by Server.mu

	mu    sync.Mutex // covers what is below
	slave *Slave
	run   uint32
}

// NewServer prepares a server for Modbus TCP; Serve opens nothing either.
func NewServer(o ServerConfig) (*Server, error) { return newServer(o, "modbus_tcp", mbap{}) }

func newServer(o ServerConfig, name string, f framing) (*Server, error) {
	s := &Server{o: o, name: name, framing: f, masters: map[netip.Addr]*master{}, told: map[netip.Addr]time.Time{}}
	_, err := s.slave(name)
	return s, err
}

func (s *Server) slave(who string) (*Slave, error) {
	c := s.o.Slave
	c.Who = who
	source, commands := s.o.Unit(who)
	slave, err := New(c, source, commands)
	if err == nil {
		slave.network, slave.readOnly = true, !s.o.Write
	}
	return slave, err
}

// Serve answers clients on l until ctx ends, and closes l.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	var clients sync.WaitGroup
	defer clients.Wait()
	ctx, end := context.WithCancel(ctx)
	defer end()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	for {
		c, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				c.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("%s: %w", s.name, err)
		case err != nil: // no descriptors just now, or a client that went at once
			time.Sleep(100 * time.Millisecond)
			continue
		}
		in := s.sit(c, time.Now())
		if in == nil {
			refuseConn(c)
			continue
		}
		clients.Go(func() {
			defer c.Close()
			defer s.leave(in) // before the client sees that its place is free
			defer context.AfterFunc(ctx, func() { c.Close() })()
			s.talk(in)
		})
	}
}

// refuseConn lets a client know at once that nobody will answer it.
func refuseConn(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		t.SetLinger(0)
	}
	c.Close()
}

// Clients is how many are connected.
func (s *Server) Clients() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.seats)
}

// sit gives a client a place, nil for one that may not come in or finds none. With all
// places taken, the address that has most of them gives one up to an address that has
// fewer, and else who has been quiet for long; the quietest goes.
func (s *Server) sit(c net.Conn, now time.Time) *seat {
	at, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return nil
	}
	from := at.Addr().Unmap().WithZone("")
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.ContainsFunc(s.o.Allow, func(p netip.Prefix) bool { return p.Contains(from) }) {
		s.tell(from, now)
		return nil
	}
	if len(s.seats) >= mostClients {
		places := map[netip.Addr]int{}
		for _, o := range s.seats {
			places[o.from]++
		}
		var out *seat
		for _, o := range s.seats {
			fair := places[o.from] > places[from]+1
			if !fair && now.Sub(o.asked) < quietFor {
				continue
			}
			if out == nil || o.asked.Before(out.asked) {
				out = o
			}
		}
		if out == nil {
			return nil
		}
		out.conn.Close()
		s.remove(out)
	}
	in := &seat{conn: c, from: from, asked: now, of: s.master(from, now)}
	s.seats = append(s.seats, in)
	return in
}

// master finds or makes the master of an address; the one that was away longest is
// dropped where there are too many. The lock is held.
func (s *Server) master(from netip.Addr, now time.Time) *master {
	m := s.masters[from]
	if m == nil {
		if len(s.masters) >= mostMasters {
			oldest, found := from, false
			for a, o := range s.masters {
				here := slices.ContainsFunc(s.seats, func(p *seat) bool { return p.of == o })
				if !here && (!found || o.used.Before(s.masters[oldest].used)) {
					oldest, found = a, true
				}
			}
			delete(s.masters, oldest)
		}
		m = &master{who: s.name + " " + from.String()}
		s.masters[from] = m
	}
	m.used = now
	return m
}

// tell says that an address was turned away. The lock is held.
func (s *Server) tell(from netip.Addr, now time.Time) {
	if s.o.Say == nil || now.Sub(s.told[from]) < tellEach {
		return
	}
	if len(s.told) >= mostMasters {
		clear(s.told)
	}
	s.told[from] = now
	s.o.Say("%s: %s is not in %s.allow, and is not answered", s.name, from, s.name)
}

func (s *Server) leave(out *seat) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(out)
	out.of.used = time.Now()
}

func (s *Server) remove(out *seat) {
	s.seats = slices.DeleteFunc(s.seats, func(o *seat) bool { return o == out })
}

// talk answers one client, request by request in their order, until it goes, sends what
// is no frame, stops in the middle of one, or does not read.
func (s *Server) talk(in *seat) {
	r, w := bufio.NewReaderSize(in.conn, maxFrame), bufio.NewWriterSize(in.conn, maxFrame)
	var request, out [maxFrame]byte
	// whole says whether n bytes are there, or comes when they are: before it waits, what
	// was answered goes out.
	whole := func(n int, within time.Time) bool {
		if r.Buffered() >= n {
			return true
		}
		in.conn.SetWriteDeadline(time.Now().Add(takenWithin))
		if w.Flush() != nil {
			return false
		}
		in.conn.SetReadDeadline(within)
		_, err := r.Peek(n)
		return err == nil
	}
	defer w.Flush()
	for {
		if !whole(1, time.Time{}) {
			return
		}
		within := time.Now().Add(wholeWithin)
		n := s.framing.head()
		if !whole(n, within) {
			return
		}
		head, _ := r.Peek(n) // it is there
		rest := s.framing.rest(head)
		if rest < 0 || !whole(n+rest, within) {
			return // where the next frame begins, nobody knows
		}
		io.ReadFull(r, request[:n+rest])
		s.mu.Lock()
		in.asked = time.Now()
		s.mu.Unlock()
		answer := out[:s.framing.answer(s, in.of, request[:n+rest], out[:])]
		in.conn.SetWriteDeadline(time.Now().Add(takenWithin))
		if _, err := w.Write(answer); err != nil {
			return
		}
	}
}

type mbap struct{}

func (mbap) head() int { return mbapBytes }

func (mbap) rest(head []byte) int {
	length := word(head[4:])
	if length < 2 || length > 1+maxPDU {
		return -1
	}
	return length - 1
}

func (mbap) answer(s *Server, m *master, request, out []byte) int {
	if word(request[2:]) != 0 {
		return 0 // of a protocol that is not ours, and so is its answer
	}
	copy(out, request[:mbapBytes])
	pdu, unit := request[mbapBytes:], request[6]
	n := 0
	if unit == anyUnit || unit == noUnit || unit == s.o.Slave.Address {
		n = s.answer(m, pdu, out[mbapBytes:])
	} else {
		n = silent(pdu, out[mbapBytes:])
	}
	putWord(out[4:], uint16(1+n))
	return mbapBytes + n
}

// silent puts the answer of a unit that is not there into out.
func silent(pdu, out []byte) int { return copy(out, []byte{pdu[0] | 0x80, byte(targetSilent)}) }

// answer puts the PDU that answers a request into out, and gives its length. Without a
// unit there is only an exception.
func (s *Server) answer(m *master, pdu, out []byte) int {
	run, there := s.o.There()
	if !there {
		return silent(pdu, out)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.slave == nil || m.run != run {
		slave, err := s.slave(m.who)
		if err != nil { // NewServer has tried it
			return silent(pdu, out)
		}
		m.slave, m.run = slave, run
	}
	n := copy(out, m.slave.Answer(pdu))
	if again, there := s.o.There(); !there || again != run {
		return silent(pdu, out) // it went meanwhile
	}
	return n
}

// Answer gives the PDU that answers a request which did not come over a line; it is valid
// until the next. It is for who does not call Serve.
func (s *Slave) Answer(pdu []byte) []byte {
	s.stats.add(&s.stats.BusMessages, 1)
	s.stats.add(&s.stats.Messages, 1)
	n := s.handle(pdu, false, s.cfg.Now())
	return s.tx[1 : 1+n]
}
