package tflite

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// init makes every program that can open a network able to be the child that
// tries one. It runs before main, so that no program needs a line for it.
func init() {
	if len(os.Args) > 1 && os.Args[1] == trialWord {
		tryNetworks(len(os.Args) > 2 && os.Args[2] == trialTPU)
		os.Exit(0)
	}
}

// tryNetworks opens each network that comes on standard input and answers with a
// line, until the input ends or a network ends the process.
func tryNetworks(edgeTPU bool) {
	if err := confine(edgeTPU); err != nil {
		fmt.Fprintln(os.Stderr, "fatal error: cannot confine the process:", err)
		os.Exit(1)
	}
	requests := make(chan func() error)
	go func() {
		in := bufio.NewReader(os.Stdin)
		for {
			line, err := in.ReadBytes('\n')
			var r request
			if err != nil || json.Unmarshal(line, &r) != nil || r.Size < 0 || r.Size > MaxFile {
				// The parent is gone, or has what it wanted. What hangs, ends here too.
				os.Exit(0)
			}
			model := make([]byte, r.Size)
			if _, err := io.ReadFull(in, model); err != nil {
				os.Exit(0)
			}
			requests <- func() error { return openAndAnswer(model, &r) }
		}
	}()
	for r := range requests {
		var answer told
		if err := r(); err != nil {
			answer.Text = err.Error()
			if len(answer.Text) > trialText/8 { // as JSON a byte may take six
				answer.Text = answer.Text[:trialText/8]
			}
			for k, kind := range kinds {
				if errors.Is(err, kind) {
					answer.Kinds = append(answer.Kinds, k)
				}
			}
		}
		line, err := json.Marshal(answer)
		if err != nil {
			os.Exit(1)
		}
		os.Stdout.Write(append(line, '\n'))
	}
}

// openAndAnswer does with a network what Open will do, and more.
func openAndAnswer(model []byte, r *request) error {
	o := &Options{Name: r.Name, Backend: r.Backend, Library: r.Library, Delegate: r.Delegate, Threads: r.Threads, EdgeTPU: r.EdgeTPU}
	d, err := check(model)
	if err != nil {
		return err
	}
	n, err := choose(model, d, o)
	if err != nil {
		return err
	}
	defer n.Close()
	if seed, err := parseSeed(r.Input); err == nil {
		for i, in := range n.Inputs() {
			Fill(&in, seed+uint32(i))
		}
		if err := n.Invoke(); err != nil {
			return fmt.Errorf("%w: %w", err, ErrRefused)
		}
	}
	for pattern := range patterns {
		for i, in := range n.Inputs() {
			drawPattern(&in, pattern, i)
		}
		if err := n.Invoke(); err != nil {
			return fmt.Errorf("%w: %w", err, ErrRefused)
		}
	}
	return nil
}

// confine takes from this process what a network has no need of. A kernel that
// lacks a part of it goes without that part; the limits are in all of them.
func confine(edgeTPU bool) error {
	closeInherited()
	// Where memory runs out, this process goes and not the one that watches.
	os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0)
	unix.Setpriority(unix.PRIO_PROCESS, 0, 10)
	data, err := dataSize()
	if err != nil {
		return err
	}
	for resource, most := range map[int]uint64{
		unix.RLIMIT_DATA:   data + trialMemory,
		unix.RLIMIT_CPU:    uint64(2 * trialTime.Seconds()),
		unix.RLIMIT_CORE:   0,
		unix.RLIMIT_FSIZE:  MaxFile, // in memory, for the library that reads files alone: no file can be opened for writing
		unix.RLIMIT_NOFILE: 64,
	} {
		if err := unix.Setrlimit(resource, &unix.Rlimit{Cur: most, Max: most}); err != nil {
			return fmt.Errorf("limit %d: %w", resource, err)
		}
	}
	if edgeTPU { // a driver's ways are its own
		return nil
	}
	return filterCalls()
}

// closeInherited closes what this process got beside standard input, output and
// error. Go's poller, if there is one yet, keeps its own two.
func closeInherited() {
	dir, err := unix.Open("/proc/self/fd", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return
	}
	defer unix.Close(dir)
	buf := make([]byte, 4096)
	var names []string
	for {
		n, err := unix.ReadDirent(dir, buf)
		if n <= 0 || err != nil {
			break
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
	}
	for _, name := range names {
		fd, err := strconv.Atoi(name)
		to, _ := os.Readlink("/proc/self/fd/" + name)
		if err == nil && fd > 2 && fd != dir && to != "anon_inode:[eventpoll]" && to != "anon_inode:[eventfd]" {
			unix.Close(fd)
		}
	}
}

// dataSize is how many bytes of writable memory the process has asked for.
func dataSize() (uint64, error) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text))
	if len(fields) < 6 {
		return 0, fmt.Errorf("/proc/self/statm: %q", text)
	}
	pages, err := strconv.ParseUint(fields[5], 10, 64)
	return pages * uint64(os.Getpagesize()), err
}
