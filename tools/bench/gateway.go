package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mien/firmware/gateway"
	"mien/firmware/operator"
)

const (
	pages      = 20
	pollers    = 8
	pageRounds = 14
	pageLasts  = 8 * time.Second
)

// side is one unit with a gateway beside it, both as processes.
type side struct {
	unit, gateway *exec.Cmd
	socket        string
	address       string
	cookie        *http.Cookie
}

// gatewayOverNot runs two units on the clip, each with a gateway, and opens twenty pages and
// eight clients that ask once a second at one of them, then at the other, and so on. What a
// unit costs with them, over what it costs without, and what a gateway takes with one
// page.
func gatewayOverNot(f figures, mien string) error {
	if _, err := os.Stat(mien); err != nil {
		fmt.Printf("unit_with_gateway_over_without: not measured: %v\n", err)
		return nil
	}
	dir, err := os.MkdirTemp("", "mien-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var sides [2]*side
	for i := range sides {
		s, err := newSide(mien, filepath.Join(dir, strconv.Itoa(i)))
		if err != nil {
			return err
		}
		defer s.end()
		sides[i] = s
	}
	time.Sleep(3 * time.Second) // both have begun
	var ratios []float64
	var with, without float64
	for round := range pageRounds {
		busy, quiet := sides[round%2], sides[1-round%2]
		stop, err := busy.load(pages, pollers)
		if err != nil {
			return err
		}
		time.Sleep(time.Second)
		b0, q0 := busy.unit.Process.Pid, quiet.unit.Process.Pid
		bBefore, qBefore := used(b0), used(q0)
		time.Sleep(pageLasts)
		w, wo := used(b0)-bBefore, used(q0)-qBefore
		lines, asked := stop()
		if lines < pages*5 || asked < pollers*3 || wo <= 0 {
			return fmt.Errorf("pages: only %d lines came, and %d answers", lines, asked)
		}
		ratios = append(ratios, w.Seconds()/wo.Seconds())
		with, without = with+w.Seconds(), without+wo.Seconds()
		fmt.Printf("round %d: with %d pages and %d clients %.3f s of processor time, without %.3f: %.3f (%.1f states a second each)\n",
			round+1, pages, pollers, w.Seconds(), wo.Seconds(), w.Seconds()/wo.Seconds(), float64(lines)/pages/(pageLasts.Seconds()+1))
	}
	f["unit_with_gateway_over_without"] = with / without // each unit was on both sides
	one := sides[0]
	stop, err := one.load(1, 0)
	if err != nil {
		return err
	}
	pid := one.gateway.Process.Pid
	time.Sleep(2 * time.Second)
	before, began := used(pid), time.Now()
	time.Sleep(pageLasts)
	f["gateway_percent"] = 100 * (used(pid) - before).Seconds() / time.Since(began).Seconds()
	stop()
	for _, s := range sides {
		kb, err := resident(s.gateway.Process.Pid)
		if err != nil {
			return err
		}
		f["gateway_rss_mb"] = max(f["gateway_rss_mb"], float64(kb)/1024)
	}
	fmt.Printf("unit_with_gateway_over_without %.3f (rounds %.3f)  gateway_percent %.2f  gateway_rss_mb %.1f\n", f["unit_with_gateway_over_without"], ratios, f["gateway_percent"], f["gateway_rss_mb"])
	return nil
}

func newSide(mien, dir string) (*side, error) {
	const password = "a password of the bench"
	s := &side{socket: filepath.Join(dir, "s")}
	if err := gateway.NewUsers(filepath.Join(dir, "gateway")).Add("viewer", operator.Viewer, password, time.Now()); err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "mien.toml")
	text := fmt.Sprintf("[gateway]\ndir = %q\n[page]\nserve = true\nlisten = \"127.0.0.1:0\"\n", filepath.Join(dir, "gateway"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	s.unit = exec.Command(mien, "demo", "-loop", "-log", "-socket", s.socket, "-serial", filepath.Join(dir, "pty"))
	s.unit.Stdout, s.unit.Stderr = io.Discard, io.Discard
	if err := s.unit.Start(); err != nil {
		return nil, err
	}
	s.gateway = exec.Command(mien, "gateway", "-config", config, "-socket", s.socket)
	out, err := s.gateway.StdoutPipe()
	if err == nil {
		err = s.gateway.Start()
	}
	if err != nil {
		s.end()
		return nil, err
	}
	lines := bufio.NewScanner(out)
	for s.address == "" && lines.Scan() {
		s.address, _ = strings.CutPrefix(lines.Text(), "page: ")
	}
	answer, err := http.Post(s.address+"api/login", "application/json", strings.NewReader(`{"name":"viewer","password":"`+password+`"}`))
	if err != nil {
		s.end()
		return nil, err
	}
	answer.Body.Close()
	if len(answer.Cookies()) == 0 {
		s.end()
		return nil, fmt.Errorf("log in: %s", answer.Status)
	}
	s.cookie = answer.Cookies()[0]
	return s, nil
}

func (s *side) end() {
	for _, c := range []*exec.Cmd{s.gateway, s.unit} {
		if c != nil && c.Process != nil {
			c.Process.Kill()
			c.Wait()
		}
	}
}

// load opens pages that read the stream, and clients of the socket that ask for the
// status once a second, until stop, which tells how many states and answers came.
func (s *side) load(pages, pollers int) (stop func() (states, answers int), err error) {
	var states, answers atomic.Int64
	var all sync.WaitGroup
	ending := make(chan struct{})
	var bodies []io.Closer
	client := &http.Client{Transport: &http.Transport{}}
	for range pages {
		r, err := http.NewRequest("GET", s.address+"api/stream", nil)
		if err != nil {
			return nil, err
		}
		r.AddCookie(s.cookie)
		answer, err := client.Do(r)
		if err == nil && answer.StatusCode != http.StatusOK {
			err = errors.New(answer.Status)
		}
		if err != nil {
			return nil, fmt.Errorf("open a page: %w", err)
		}
		bodies = append(bodies, answer.Body)
		all.Go(func() {
			lines := bufio.NewScanner(answer.Body)
			for lines.Buffer(nil, 1<<20); lines.Scan(); {
				if bytes.HasPrefix(lines.Bytes(), []byte("event: state")) {
					states.Add(1)
				}
			}
		})
	}
	for range pollers {
		all.Go(func() {
			c, err := operator.Dial(s.socket)
			if err != nil {
				return
			}
			defer c.Close()
			for tick := time.NewTicker(time.Second); ; {
				if reply, err := c.Ask(operator.Request{Ask: operator.AskStatus}); err == nil && reply.Status != nil {
					answers.Add(1)
				}
				select {
				case <-ending:
					return
				case <-tick.C:
				}
			}
		})
	}
	return func() (int, int) {
		close(ending)
		for _, b := range bodies {
			b.Close()
		}
		client.CloseIdleConnections()
		all.Wait()
		return int(states.Load()), int(answers.Load())
	}, nil
}

// used is the processor time of a process, all its threads together, to the
// nanosecond (proc_pid_schedstat in the kernel's sched-stats).
func used(pid int) (t time.Duration) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	for _, file := range files {
		text, _ := os.ReadFile(file) // a thread that has gone has none
		first, _, _ := strings.Cut(string(text), " ")
		n, _ := strconv.ParseInt(first, 10, 64)
		t += time.Duration(n)
	}
	return t
}
