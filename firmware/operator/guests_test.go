package operator

import (
	"bufio"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mien/firmware/alarm"
)

// Eight clients that send a byte now and then keep nobody out.
func TestSlowClientsGiveWay(t *testing.T) {
	u := newUnit(t)
	path := serve(t, u)
	var slow []net.Conn
	for range maxClients {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		slow = append(slow, c)
	}
	stop := make(chan struct{})
	var dribbles sync.WaitGroup
	dribbles.Go(func() {
		for {
			for _, c := range slow {
				c.Write([]byte(" "))
			}
			select {
			case <-stop:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	})
	defer dribbles.Wait()
	defer close(stop)
	time.Sleep(keepsFor + 100*time.Millisecond)
	for range maxClients + 1 { // one after the other, and together they do not wait for slow ones
		c, err := Dial(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Ask(Request{Ask: AskAlarms}); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
}

// With all places taken the user who has the most of them gives one up, the
// quietest first; a client that asks keeps its place before one of the same user.
func TestWhoGivesWay(t *testing.T) {
	now := time.Now()
	ends := func() (*net.UnixConn, *net.UnixConn) {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		var out [2]*net.UnixConn
		for i, fd := range pair {
			f := os.NewFile(uintptr(fd), "pair")
			c, err := net.FileConn(f)
			f.Close()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			out[i] = c.(*net.UnixConn)
		}
		return out[0], out[1]
	}
	me := uint32(os.Getuid())
	full := func(uids ...uint32) *guests {
		g := new(guests)
		for i, uid := range uids {
			c, _ := ends()
			g.list = append(g.list, &guest{conn: c, uid: uid, asked: now.Add(-time.Duration(len(uids)-i) * time.Millisecond)})
		}
		return g
	}
	other := me + 1
	for _, c := range []struct {
		name string
		g    *guests
		out  int // who goes, -1: the newcomer
	}{
		{"eight that ask now and then, of the same user", full(me, me, me, me, me, me, me, me), -1},
		{"eight of another", full(other, other, other, other, other, other, other, other), 0},
		{"seven of another", full(me, other, other, other, other, other, other, other), 1},
		{"half and half", full(me, other, me, other, me, other, me, other), -1},
	} {
		was := slices.Clone(c.g.list)
		client, _ := ends()
		in := c.g.seat(client, now)
		switch {
		case (in == nil) != (c.out < 0):
			t.Errorf("%s: seated %v", c.name, in != nil)
		case c.out >= 0 && (slices.Contains(c.g.list, was[c.out]) || len(c.g.list) != maxClients):
			t.Errorf("%s: the %dth kept its place, %d are there", c.name, c.out, len(c.g.list))
		}
	}
	quiet := full(me, me, me, me, me, me, me, me)
	quiet.list[3].asked = now.Add(-2 * keepsFor)
	out := quiet.list[3]
	if client, _ := ends(); quiet.seat(client, now) == nil || slices.Contains(quiet.list, out) {
		t.Error("a quiet one kept its place")
	}
}

// Twelve programs under one account that ask as fast as they can, now and then, or
// nothing at all, and come back when they are put out, do not keep a person of that
// account out: each command is answered, and done once.
func TestGreedyClientsOfTheSameAccount(t *testing.T) {
	for name, pause := range map[string]time.Duration{"as fast as they can": 0, "ten a second": 100 * time.Millisecond, "three a second": 300 * time.Millisecond, "silent": time.Hour} {
		t.Run(name, func(t *testing.T) {
			u := newUnit(t)
			path := serve(t, u)
			stop := make(chan struct{})
			var programs sync.WaitGroup
			for range 12 {
				programs.Go(func() {
					for {
						c, err := net.Dial("unix", path)
						for lines := bufio.NewReader(c); err == nil; {
							if _, err = c.Write([]byte("{\"ask\":\"status\"}\n")); err == nil {
								_, err = lines.ReadBytes('\n')
							}
							select {
							case <-stop:
								c.Close()
								return
							case <-time.After(pause):
							}
						}
						if c != nil {
							c.Close()
						}
						select {
						case <-stop:
							return
						default:
						}
					}
				})
			}
			defer programs.Wait()
			defer close(stop)
			time.Sleep(200 * time.Millisecond)
			most := time.Duration(0)
			for i := range 20 {
				began := time.Now()
				c, err := Dial(path)
				if err != nil {
					t.Fatal(err)
				}
				do := alarm.Silence
				if _, err := c.Ask(Request{Ask: AskDo, Do: do}); err != nil {
					t.Fatalf("command %d, after %v: %v", i, time.Since(began), err)
				}
				if _, err := c.Ask(Request{Ask: AskAlarms}); err != nil {
					t.Fatal(err)
				}
				c.Close()
				most = max(most, time.Since(began))
			}
			t.Logf("answered within %v", most)
		})
	}
}

// Who finds no place is told what to do.
func TestNoPlaceIsSaid(t *testing.T) {
	path := filepath.Join(t.TempDir(), "full.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var came atomic.Int64
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			came.Add(1)
			refuse(c, tooMany)
		}
	}()
	for range 20 {
		c, err := Dial(path)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond) // it has hung up by then, or not
		if reply, err := c.ask(Request{Ask: AskAlarms}); err == nil || reply.Error != tooMany {
			t.Errorf("told %v", err)
		}
		c.Close()
	}
	came.Store(0)
	c, err := Dial(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Ask(Request{Ask: AskDo, Do: alarm.Reset}); !errors.Is(err, ErrFull) {
		t.Errorf("%v", err)
	}
	l.Close()
	if came.Load() < 10 {
		t.Errorf("came %d times", came.Load())
	}
}

// Who asks for the journal without end, from several places, gets an eighth of one
// processor; who asks how the unit is, is answered meanwhile.
func TestHeavyRequestsTakeTurns(t *testing.T) {
	u := newUnit(t)
	u.slow = 5 * time.Millisecond
	path := serve(t, u)
	var answered atomic.Int64
	stop := make(chan struct{})
	var greedy sync.WaitGroup
	for range 4 {
		greedy.Go(func() {
			c, err := Dial(path)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := c.Ask(Request{Ask: AskEvents}); err != nil {
					return // its place was taken
				}
				answered.Add(1)
			}
		})
	}
	c, err := Dial(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	began := time.Now()
	for time.Since(began) < 2*time.Second {
		asked := time.Now()
		if _, err := c.Ask(Request{Ask: AskAlarms, Who: "anna", Role: Viewer}); err != nil {
			t.Fatal(err)
		}
		if late := time.Since(asked); late > 200*time.Millisecond {
			t.Errorf("answered after %v", late)
		}
		time.Sleep(20 * time.Millisecond)
	}
	took := time.Since(began)
	close(stop)
	greedy.Wait()
	u.mu.Lock()
	defer u.mu.Unlock()
	if n := answered.Load(); n < 10 || u.reading > took/5 {
		t.Errorf("%d answers took %v of %v", n, u.reading, took)
	}
}
