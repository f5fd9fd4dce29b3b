package operator

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"syscall"
	"time"
)

// ErrNotRunning: no unit answers on the socket.
var ErrNotRunning = errors.New("no unit is running")

// Client talks to a running unit.
type Client struct {
	conn  net.Conn
	lines *bufio.Reader
	path  string
	most  time.Duration // for a reply, and for a place; 0: as long as is usual
}

// Within bounds how long the client waits for a place, and how long for a reply.
func (c *Client) Within(most time.Duration) { c.most = most }

const (
	repliesWithin = 10 * time.Second
	comesAgain    = 15 * time.Second // how long a client that finds no place tries to get one
)

func (c *Client) bound(usual time.Duration) time.Duration {
	if c.most > 0 {
		return c.most
	}
	return usual
}

// Dial reaches the unit whose socket is at path. Errors: ErrNotRunning;
// fs.ErrPermission, whose text names the group.
func Dial(path string) (*Client, error) {
	conn, err := net.DialTimeout("unix", path, 2*time.Second)
	switch {
	case err == nil:
		return &Client{conn: conn, lines: bufio.NewReader(conn), path: path}, nil
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("reach the unit at %s: %w: join the socket's group: sudo usermod -aG mien $USER, then log in again", path, err)
	}
	return nil, fmt.Errorf("reach the unit at %s: %w: is it started (systemctl status mien), with this socket.path?", path, ErrNotRunning)
}

// ErrFull: the unit serves as many clients as it can, and each has asked it
// something just now.
var ErrFull = errors.New("the unit has too many clients: try again, or end one of them")

// Ask sends one request and waits for its reply. A refusal is an error with
// the unit's reason. A client that finds no place, or loses it before it was
// answered, comes again, but for a command that may have been done.
func (c *Client) Ask(r Request) (Reply, error) {
	wait, lost := 10*time.Millisecond, 0
	for began := time.Now(); ; wait = min(2*wait, 200*time.Millisecond) {
		reply, err := c.ask(r)
		full := reply.Error == tooMany
		hungUp := err != nil && reply.Error == "" && (errors.Is(err, io.EOF) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET))
		changes := r.changes()
		switch {
		case hungUp && changes:
			return reply, fmt.Errorf("%w: whether it was done is in the journal (mien events)", err)
		case !full && !hungUp:
			return reply, err
		case time.Since(began) > c.bound(comesAgain) && full:
			return reply, ErrFull
		case hungUp && lost == 2: // it is what was asked that ends the talk
			return reply, err
		case hungUp:
			lost++
		}
		time.Sleep(wait)
		again, dialed := Dial(c.path)
		if dialed != nil {
			return reply, dialed
		}
		c.conn.Close()
		c.conn, c.lines = again.conn, again.lines
	}
}

func (c *Client) ask(r Request) (Reply, error) {
	var reply Reply
	out, err := json.Marshal(r)
	if err != nil {
		return reply, fmt.Errorf("ask the unit: %w", err)
	}
	c.conn.SetDeadline(time.Now().Add(c.bound(repliesWithin)))
	_, unsent := c.conn.Write(append(out, '\n'))
	line, err := c.lines.ReadBytes('\n') // a unit that will not listen says why before it hangs up
	if errors.Is(err, syscall.ECONNRESET) {
		line, err = c.lines.ReadBytes('\n') // and did not read what was asked: that is told first
	}
	switch {
	case err != nil && unsent != nil:
		return reply, fmt.Errorf("ask the unit at %s: %w", c.path, unsent)
	case err != nil:
		return reply, fmt.Errorf("hear the unit at %s: %w", c.path, err)
	}
	if err := json.Unmarshal(line, &reply); err != nil {
		return reply, fmt.Errorf("hear the unit at %s: %w", c.path, err)
	}
	if reply.Error != "" {
		return reply, errors.New(reply.Error)
	}
	return reply, nil
}

// Stream asks for what the unit knows, line by line: each is a Told. An error says that
// no line came for so long, or that the unit has hung up.
func (c *Client) Stream(within time.Duration) (next func() ([]byte, error), err error) {
	out, err := json.Marshal(Request{Ask: AskStream})
	if err != nil {
		return nil, fmt.Errorf("ask the unit: %w", err)
	}
	c.conn.SetDeadline(time.Now().Add(within))
	if _, err := c.conn.Write(append(out, '\n')); err != nil {
		return nil, fmt.Errorf("ask the unit at %s: %w", c.path, err)
	}
	return func() ([]byte, error) {
		c.conn.SetDeadline(time.Now().Add(within))
		line, err := c.lines.ReadBytes('\n')
		if err != nil {
			return nil, fmt.Errorf("hear the unit at %s: %w", c.path, err)
		}
		return line, nil
	}, nil
}

// Close ends the talk.
func (c *Client) Close() error { return c.conn.Close() }
