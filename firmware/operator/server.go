package operator

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"mien/firmware/health"
)

const (
	maxLine    = 1 << 20 // a config file
	maxClients = 8
	// writeWithin bounds a reply that its client does not read, idleFor a client that
	// asks nothing.
	writeWithin = 2 * time.Second
	idleFor     = time.Minute
	// A client that has asked nothing for so long gives its place to one who comes
	// when all are taken; to one of the same user sooner.
	keepsFor    = time.Second
	keepsForOwn = 100 * time.Millisecond
	// So many requests a second are greed: such a client gives its place to another
	// of the same user, which would never find one free.
	greed = 5
	// What takes the unit's time (Request.Heavy) is done one at a time, whoever asks, and
	// after each one comes a rest of so many times what it took: who asks without end, over
	// a page or from the machine, has an eighth of one processor, and the frames have theirs.
	restFor  = 7
	restMost = 500 * time.Millisecond
	bigLine  = 64 << 10 // to read one takes time too
)

// tooMany is the refusal of one who found no place: it was asked nothing, and may
// come again.
const tooMany = "too many clients"

// Server listens on one Unix socket, mode 0660.
type Server struct {
	desk     desk
	listener *net.UnixListener
	path     string
	group    string
	recent   recent
	streams  streams
	turn     chan struct{} // has one while something heavy is done, or rested from
	file     os.FileInfo   // of the socket
}

// New prepares the socket at path for members of group; where that group does
// not exist the socket keeps this process's own. Nothing is opened before Serve.
func New(path, group string, unit Unit, journal Journal) *Server {
	return &Server{desk: desk{unit: unit, journal: journal}, path: path, group: group, turn: make(chan struct{}, 1)}
}

// More answers what this room cannot, such as AskConfig: call it before Serve. It runs
// in the client's goroutine; who is the person that asks.
func (s *Server) More(answer func(r Request, who string) (Reply, error)) { s.desk.more = answer }

// listen opens the socket. A socket file that a dead unit left is replaced; one
// on which another unit answers is an error, and so is a file that is no socket.
func (s *Server) listen() error {
	if err := os.MkdirAll(filepath.Dir(s.path), 0o750); err != nil {
		return err
	}
	if c, err := net.DialTimeout("unix", s.path, time.Second); err == nil {
		c.Close()
		return errors.New("another unit answers on it: stop that one, or give this one a socket.path of its own")
	}
	if info, err := os.Lstat(s.path); err == nil && info.Mode()&os.ModeSocket == 0 {
		return errors.New("there is a file that is no socket, which is not replaced: set socket.path")
	}
	if err := os.Remove(s.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: s.path, Net: "unix"})
	if err != nil {
		return err
	}
	if err = os.Chmod(s.path, 0o660); err == nil {
		s.file, err = os.Lstat(s.path)
	}
	if err != nil {
		l.Close()
		return err
	}
	if g, err := user.LookupGroup(s.group); err == nil {
		if gid, err := strconv.Atoi(g.Gid); err == nil {
			os.Chown(s.path, -1, gid) // allowed only to root and members: else the socket stays our group's
		}
	}
	s.listener = l
	return nil
}

// Serve opens the socket and answers clients until ctx ends, then closes it. A
// socket that cannot be opened is tried again, and one whose file somebody has
// taken away is made again, after a second, then ever longer up to half a minute.
// tell is told why it is not open, once for each reason, and nil when it is again.
func (s *Server) Serve(ctx context.Context, tell func(error)) {
	var clients sync.WaitGroup
	defer clients.Wait()
	var served guests
	for s.open(ctx, tell) {
		s.accept(ctx, &served, &clients)
	}
}

// guests are the clients that are being served.
type guests struct {
	mu   sync.Mutex // covers all below
	list []*guest
}

// guest is one client with a place.
type guest struct {
	conn  *net.UnixConn
	uid   uint32
	asked time.Time // when its last whole request came, or itself
	often float64   // requests in the second before that, about
	busy  bool      // it has not been answered yet
}

// oftenAt is how many requests it had in the second before now, about.
func (g *guest) oftenAt(now time.Time) float64 {
	return g.often * max(0, 1-now.Sub(g.asked).Seconds())
}

// seat gives the client a place, nil if there is none. With all places taken it
// takes one from the user who has the most of them, the one that has been quiet
// longest: slow clients, or many of one user, keep nobody else out. Among those of
// one user the greedy ones give way too, the greediest first, so that a person
// comes in beside any number of programs under the same account; whoever asks for
// one thing is answered first.
func (g *guests) seat(c *net.UnixConn, now time.Time) *guest {
	g.mu.Lock()
	defer g.mu.Unlock()
	in := &guest{conn: c, uid: uidOf(c), asked: now}
	if len(g.list) >= maxClients {
		places := map[uint32]int{}
		for _, o := range g.list {
			places[o.uid]++
		}
		out := slices.MinFunc(g.list, func(a, b *guest) int {
			return cmp.Or(cmp.Compare(places[b.uid], places[a.uid]), a.asked.Compare(b.asked))
		})
		if now.Sub(out.asked) < keepsFor && places[out.uid] <= places[in.uid]+1 {
			if out = g.own(in.uid, now); out == nil {
				return nil
			}
		}
		out.conn.Close()
		g.remove(out)
	}
	g.list = append(g.list, in)
	return in
}

// own gives the client of a user that gives way to another of the same one, nil
// for none.
func (g *guests) own(uid uint32, now time.Time) (out *guest) {
	for _, o := range g.list {
		often := o.oftenAt(now)
		switch {
		case o.uid != uid || often < greed && (o.busy || now.Sub(o.asked) < keepsForOwn):
		case out == nil || often > out.oftenAt(now):
			out = o
		}
	}
	return out
}

func (g *guests) remove(out *guest) {
	g.list = slices.DeleteFunc(g.list, func(o *guest) bool { return o == out })
}

func (g *guests) leave(out *guest) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.remove(out)
}

func (g *guests) asks(who *guest) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	who.asked, who.often, who.busy = now, who.oftenAt(now)+1, true
}

func (g *guests) answered(who *guest) {
	g.mu.Lock()
	defer g.mu.Unlock()
	who.busy = false
}

// open opens the socket, however long that takes; false: ctx has ended.
func (s *Server) open(ctx context.Context, tell func(error)) bool {
	wait := health.Backoff{First: lookEvery, Most: 30 * time.Second}
	for told := ""; ctx.Err() == nil; {
		err := s.listen()
		if err == nil {
			if told != "" {
				tell(nil)
			}
			return true
		}
		if why := err.Error(); why != told {
			told = why
			tell(fmt.Errorf("socket %s: %w", s.path, err))
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait.Next()):
		}
	}
	return false
}

// lookEvery is how often it is looked whether the socket file is still there.
const lookEvery = time.Second

// accept answers those who come to the socket, until ctx ends or its file is
// gone or another's.
func (s *Server) accept(ctx context.Context, served *guests, clients *sync.WaitGroup) {
	l := s.listener
	defer l.Close()
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		l.SetDeadline(time.Now().Add(lookEvery))
		c, err := l.AcceptUnix()
		if ctx.Err() != nil {
			if err == nil {
				c.Close()
			}
			return
		}
		if err != nil {
			if info, e := os.Lstat(s.path); errors.Is(err, net.ErrClosed) || e != nil || !os.SameFile(info, s.file) {
				l.SetUnlinkOnClose(false) // what is there now is not ours
				return
			}
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				// No descriptors or no memory just now, or a client that went at once.
				time.Sleep(100 * time.Millisecond)
			}
			continue
		}
		g := served.seat(c, time.Now())
		if g == nil {
			refuse(c, tooMany)
			continue
		}
		clients.Add(1)
		go func() {
			defer clients.Done()
			defer served.leave(g)
			defer c.Close()
			stop := context.AfterFunc(ctx, func() { c.Close() })
			defer stop()
			var streams bool
			s.desk.unit.Guard("socket", func() { streams = s.talk(ctx, c, func() { served.asks(g) }, func() { served.answered(g) }) })
			if streams {
				served.leave(g) // it asks nothing any more, and keeps nobody from asking
				s.desk.unit.Guard("stream", func() { s.stream(c) })
			}
		}()
	}
}

func refuse(c net.Conn, why string) {
	c.SetWriteDeadline(time.Now().Add(writeWithin))
	json.NewEncoder(c).Encode(Reply{Error: why})
	c.Close()
}

// talk answers one client until it goes, breaks the rules, or loses its place;
// asks is called with each whole request, answered when it was answered. It tells
// whether the client wants the stream from here on.
func (s *Server) talk(ctx context.Context, c *net.UnixConn, asks, answered func()) (streams bool) {
	who := peer(c)
	lines := bufio.NewScanner(c)
	lines.Buffer(make([]byte, 0, 512), maxLine)
	for {
		c.SetReadDeadline(time.Now().Add(idleFor))
		if !lines.Scan() {
			if errors.Is(lines.Err(), bufio.ErrTooLong) {
				refuse(c, fmt.Sprintf("a request has at most %d bytes", maxLine))
			}
			return false
		}
		asks()
		reply, streams := s.reply(ctx, lines.Bytes(), who)
		if streams {
			return true
		}
		c.SetWriteDeadline(time.Now().Add(writeWithin))
		if _, err := c.Write(reply); err != nil {
			return false
		}
		answered()
	}
}

// reply gives the line that answers a line, or tells that it asks for the stream.
func (s *Server) reply(ctx context.Context, line []byte, who string) (out []byte, streams bool) {
	var r Request
	var err error
	decode := func() { err = json.Unmarshal(line, &r) }
	answer := func() {
		var reply Reply
		if err != nil {
			reply.Error = "not a request: " + err.Error()
		} else {
			reply = s.desk.answer(r, who)
		}
		out, err = json.Marshal(reply)
		if err != nil {
			out, _ = json.Marshal(Reply{Error: err.Error()})
		}
		out = append(out, '\n')
	}
	if len(line) > bigLine {
		s.heavy(ctx, func() { decode(); answer() })
		return out, false
	}
	decode()
	switch {
	case err == nil && r.Ask == AskStream && (r.Who == "" && r.Role == "" || r.Role.May(r.Right())):
		return nil, true
	case err == nil && r.Heavy():
		s.heavy(ctx, answer)
	default:
		answer()
	}
	return out, false
}

// heavy does what takes the unit's time when its turn comes; not any more when ctx has
// ended.
func (s *Server) heavy(ctx context.Context, do func()) {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return
	}
	began := time.Now()
	defer func() {
		time.AfterFunc(min(restFor*time.Since(began), restMost), func() { <-s.turn })
	}()
	do()
}

// peer names who is at the other end.
func peer(c *net.UnixConn) string {
	uid := uidOf(c)
	if uid == nobody {
		return "socket"
	}
	name := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(name); err == nil {
		return u.Username
	}
	return "uid " + name
}

// nobody is the user of a client that has gone already.
const nobody = ^uint32(0)

// uidOf is who is at the other end, by the kernel's word (SO_PEERCRED in unix(7)).
func uidOf(c *net.UnixConn) uint32 {
	uid := nobody
	if raw, err := c.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) {
			if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
				uid = cred.Uid
			}
		})
	}
	return uid
}
