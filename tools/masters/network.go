package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"mien/firmware/modbus/modbustest"
)

const networkClients = 16

// network measures how long an answer takes that sixteen clients ask for as fast as they
// can, and what that costs the unit: its processor time for a result, in rounds with and
// without them.
func network(f figures, u *unit) error {
	const rounds = 6
	fmt.Printf("\n%d clients on the network, 124 registers as fast as they can, %d rounds of %v with and without; load average %s\n", networkClients, rounds, segment, loadAverage())
	var times []time.Duration
	var ratios []float64
	for range rounds {
		without, err := u.costs(func() error { time.Sleep(segment); return nil })
		if err != nil {
			return err
		}
		with, err := u.costs(func() error {
			some, err := crowd(u.network, segment)
			times = append(times, some...)
			return err
		})
		if err != nil {
			return err
		}
		ratios = append(ratios, with/without)
		fmt.Printf("  processor time for a result: %.3f ms without, %.3f ms with, ratio %.3f\n", without, with, with/without)
	}
	slices.Sort(times)
	slices.Sort(ratios)
	at := func(q float64) float64 { return float64(times[min(len(times)-1, int(q*float64(len(times))))]) / 1e6 }
	perSecond := float64(len(times)) / (rounds * segment.Seconds())
	fmt.Printf("  turnaround p50 %.3f ms   p99 %.3f ms   max %.3f ms   %.0f requests/s\n", at(0.5), at(0.99), at(1), perSecond)
	fmt.Printf("  the unit's cost: median ratio %.3f (%.3f to %.3f)\n", ratios[len(ratios)/2], ratios[0], ratios[len(ratios)-1])
	f["network_p50_ms"], f["network_p99_ms"], f["network_requests_per_s"], f["network_cost_ratio"] = at(0.5), at(0.99), perSecond, ratios[len(ratios)/2]
	return nil
}

// crowd polls for so long, and gives how long each answer took.
func crowd(port string, long time.Duration) (all []time.Duration, err error) {
	address, _ := onNetwork(port)
	request := modbustest.TCPFrame(1, 1, []byte{4, 0, 0, 0, 124})
	var clients sync.WaitGroup
	var mu sync.Mutex // covers all and err
	end := time.Now().Add(long)
	for range networkClients {
		clients.Go(func() {
			some, failed := poll(address, request, end)
			mu.Lock()
			defer mu.Unlock()
			all, err = append(all, some...), errors.Join(err, failed)
		})
	}
	clients.Wait()
	return all, err
}

func poll(address string, request []byte, end time.Time) (times []time.Duration, err error) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var answer [7 + 250]byte
	for began := time.Now(); began.Before(end); began = time.Now() {
		c.SetDeadline(began.Add(2 * time.Second))
		if _, err := c.Write(request); err != nil {
			return times, err
		}
		if _, err := io.ReadFull(c, answer[:]); err != nil {
			return times, err
		}
		times = append(times, time.Since(began))
	}
	return times, nil
}

// costs gives the unit's processor time for a result, in milliseconds, while something is
// done. The gateway is a process of its own and is not in it.
func (u *unit) costs(do func() error) (float64, error) {
	line, err := open(u.port)
	if err != nil {
		return 0, err
	}
	defer line.Close()
	n, err := results(line)
	if err != nil {
		return 0, err
	}
	before, err := processorTime(u.cmd.Process.Pid)
	if err != nil {
		return 0, err
	}
	if err := do(); err != nil {
		return 0, err
	}
	after, err := processorTime(u.cmd.Process.Pid)
	if err != nil {
		return 0, err
	}
	m, err := results(line)
	if err == nil && m == n {
		err = errors.New("the unit gave no result")
	}
	return 1e3 * (after - before).Seconds() / float64(m-n), err
}

// processorTime is what a process has used so far (proc(5): ticks of 10 ms).
func processorTime(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	var ticks int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/%d/stat: %w", pid, err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}
