package operator

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"time"
)

// ErrNotRunning: no unit answers on the socket.
var ErrNotRunning = errors.New("no unit is running")

// Client talks to a running unit.
type Client struct {
	conn  net.Conn
	lines *bufio.Reader
	path  string
}

// Dial reaches the unit whose socket is at path. Errors: ErrNotRunning;
// fs.ErrPermission, whose text names the group.
func Dial(path string) (*Client, error) {
	conn, err := net.DialTimeout("unix", path, 2*time.Second)
	switch {
	case err == nil:
		return &Client{conn, bufio.NewReader(conn), path}, nil
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("reach the unit at %s: %w: join the socket's group: sudo usermod -aG mien $USER, then log in again", path, err)
	}
	return nil, fmt.Errorf("reach the unit at %s: %w: is it started (systemctl status mien), with this socket.path?", path, ErrNotRunning)
}

// Ask sends one request and waits for its reply. A refusal is an error with
// the unit's reason.
func (c *Client) Ask(r Request) (Reply, error) {
	var reply Reply
	out, err := json.Marshal(r)
	if err != nil {
		return reply, fmt.Errorf("ask the unit: %w", err)
	}
	c.conn.SetDeadline(time.Now().Add(10 * time.Second))
	_, unsent := c.conn.Write(append(out, '\n'))
	line, err := c.lines.ReadBytes('\n') // a unit that will not listen says why before it hangs up
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

// Close ends the talk.
func (c *Client) Close() error { return c.conn.Close() }
