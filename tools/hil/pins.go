package main

import (
	"bufio"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// pins are the lines of the machine's PL061 as whoever holds a wire to them
// sees and drives them: QEMU tells each change of an output, and takes levels for
// inputs (docs/devel/qtest.rst).
type pins struct {
	conn    net.Conn
	path    string // of the device in QEMU's object tree
	replies chan string

	mu      sync.Mutex // covers what is below
	levels  [8]bool
	edges   []edge
	changed chan struct{} // closed with the next edge
}

// edge is one change of a line, at a host's time.
type edge struct {
	at   time.Time
	line int
	high bool
}

func openPins(socket, path string) (*pins, error) {
	var conn net.Conn
	var err error
	for range 200 {
		if conn, err = net.Dial("unix", socket); err == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err != nil {
		return nil, err
	}
	p := newPins(conn, path)
	go p.receive()
	_, err = p.ask("irq_intercept_out " + path)
	return p, err
}

func newPins(conn net.Conn, path string) *pins {
	return &pins{conn: conn, path: path, replies: make(chan string, 1), changed: make(chan struct{})}
}

func (p *pins) receive() {
	s := bufio.NewScanner(p.conn)
	for s.Scan() {
		field := strings.Fields(s.Text())
		if len(field) != 3 || field[0] != "IRQ" {
			p.replies <- s.Text()
			continue
		}
		n, err := strconv.Atoi(field[2])
		if err != nil || n < 0 || n >= len(p.levels) {
			continue // the chip's interrupt is an output too, above the lines
		}
		p.mu.Lock()
		if high := field[1] == "raise"; high != p.levels[n] {
			p.levels[n] = high
			p.edges = append(p.edges, edge{time.Now(), n, high})
			close(p.changed)
			p.changed = make(chan struct{})
		}
		p.mu.Unlock()
	}
	close(p.replies)
}

func (p *pins) ask(command string) (string, error) {
	if _, err := fmt.Fprintln(p.conn, command); err != nil {
		return "", err
	}
	select {
	case reply, ok := <-p.replies:
		if !ok || !strings.HasPrefix(reply, "OK") {
			return reply, fmt.Errorf("qtest: %s: %q", command, reply)
		}
		return reply, nil
	case <-time.After(30 * time.Second):
		return "", fmt.Errorf("qtest: %s: no reply", command)
	}
}

// drive sets the level at an input line.
func (p *pins) drive(line int, high bool) error {
	level := 0
	if high {
		level = 1
	}
	_, err := p.ask(fmt.Sprintf("set_irq_in %s unnamed-gpio-in %d %d", p.path, line, level))
	return err
}

// level is what an output line shows now.
func (p *pins) level(line int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.levels[line]
}

// since lists the edges of a line after a time.
func (p *pins) since(line int, from time.Time) (list []edge) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.edges {
		if e.line == line && e.at.After(from) {
			list = append(list, e)
		}
	}
	return list
}

// wait waits until seen says so, looking again after each edge.
func (p *pins) wait(limit time.Duration, seen func() bool) bool {
	end := time.After(limit)
	for {
		p.mu.Lock()
		changed := p.changed
		p.mu.Unlock()
		if seen() {
			return true
		}
		select {
		case <-changed:
		case <-end:
			return seen()
		}
	}
}
