package operator

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	maxLine    = 4 << 10
	maxClients = 8
	// patience bounds a reply that its client does not read, and a client that
	// asks nothing.
	writeWithin = 2 * time.Second
	idleFor     = 10 * time.Minute
)

// Server listens on one Unix socket, mode 0660.
type Server struct {
	desk     desk
	listener *net.UnixListener
	path     string
}

// Listen opens the socket at path for members of group; where that group does
// not exist the socket keeps this process's own. A socket file that a dead unit
// left is replaced; one on which another unit answers is an error.
func Listen(path, group string, unit Unit, journal Journal, about func() About) (*Server, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		c.Close()
		return nil, fmt.Errorf("socket %s: another unit answers on it: stop that one, or give this one a socket.path of its own", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	if err := os.Chmod(path, 0o660); err != nil {
		l.Close()
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	if g, err := user.LookupGroup(group); err == nil {
		if gid, err := strconv.Atoi(g.Gid); err == nil {
			os.Chown(path, -1, gid) // allowed only to root and members: else the socket stays our group's
		}
	}
	return &Server{desk{unit, journal, about}, l, path}, nil
}

// Serve answers clients until ctx ends, then closes the socket.
func (s *Server) Serve(ctx context.Context) error {
	var clients sync.WaitGroup
	defer clients.Wait()
	stop := context.AfterFunc(ctx, func() { s.listener.Close() })
	defer stop()
	places := make(chan struct{}, maxClients)
	for {
		c, err := s.listener.AcceptUnix()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			if errors.Is(err, net.ErrClosed) {
				return fmt.Errorf("socket %s: %w", s.path, err)
			}
			// No descriptors or no memory just now, or a client that went at once.
			time.Sleep(100 * time.Millisecond)
			continue
		}
		select {
		case places <- struct{}{}:
		default:
			refuse(c, "too many clients")
			continue
		}
		clients.Add(1)
		go func() {
			defer clients.Done()
			defer func() { <-places }()
			defer c.Close()
			stop := context.AfterFunc(ctx, func() { c.Close() })
			defer stop()
			s.desk.unit.Guard("socket", func() { s.talk(c) })
		}()
	}
}

func refuse(c net.Conn, why string) {
	c.SetWriteDeadline(time.Now().Add(writeWithin))
	json.NewEncoder(c).Encode(Reply{Error: why})
	c.Close()
}

// talk answers one client until it goes, or breaks the rules.
func (s *Server) talk(c *net.UnixConn) {
	who := peer(c)
	lines := bufio.NewScanner(c)
	lines.Buffer(make([]byte, 0, 512), maxLine)
	for {
		c.SetReadDeadline(time.Now().Add(idleFor))
		if !lines.Scan() {
			if errors.Is(lines.Err(), bufio.ErrTooLong) {
				refuse(c, fmt.Sprintf("a request has at most %d bytes", maxLine))
			}
			return
		}
		c.SetWriteDeadline(time.Now().Add(writeWithin))
		if _, err := c.Write(s.reply(lines.Bytes(), who)); err != nil {
			return
		}
	}
}

// reply gives the line that answers a line.
func (s *Server) reply(line []byte, who string) []byte {
	var r Request
	var reply Reply
	if err := json.Unmarshal(line, &r); err != nil {
		reply.Error = "not a request: " + err.Error()
	} else {
		reply = s.desk.answer(r, who)
	}
	out, err := json.Marshal(reply)
	if err != nil {
		out, _ = json.Marshal(Reply{Error: err.Error()})
	}
	return append(out, '\n')
}

// peer names who is at the other end, by the kernel's word (SO_PEERCRED in
// unix(7)).
func peer(c *net.UnixConn) string {
	raw, err := c.SyscallConn()
	if err != nil {
		return "socket"
	}
	name := "socket"
	raw.Control(func(fd uintptr) {
		if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			name = "uid " + strconv.Itoa(int(cred.Uid))
			if u, err := user.LookupId(strconv.Itoa(int(cred.Uid))); err == nil {
				name = u.Username
			}
		}
	})
	return name
}
