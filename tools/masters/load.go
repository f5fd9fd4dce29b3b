package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mien/drivers/serial"
	"mien/firmware/modbus/modbustest"
	"mien/firmware/operator"
)

// segment is how long the unit runs with, and without, a master at a time.
const segment = 5 * time.Second

// masterKind is one way to poll: the most requests a second that a line of so
// many baud carries, or, with 0, as many as a pty takes, which has no wire.
type masterKind struct {
	name string
	baud int
}

var masterKinds = []masterKind{{"none", -1}, {"115200 baud", 115200}, {"921600 baud", 921600}, {"no wire", 0}}

// load measures what a master that polls as fast as it can costs the unit:
// rounds with each kind and with none take turns, so that whatever else the
// machine does disturbs all alike. Latency comes from the unit's own socket,
// without the PLC.
func load(f figures, u *unit, rounds int) error {
	c, err := operator.Dial(u.socket)
	if err != nil {
		return err
	}
	defer c.Close()
	line, err := open(u.port)
	if err != nil {
		return err
	}
	defer line.Close()
	fmt.Printf("\na master that polls 124 registers as fast as it can, %d rounds of %v for each line; load average %s\n", rounds, segment, loadAverage())
	n := len(masterKinds)
	rates, latencies, polls := make([][]float64, n), make([][]float64, n), make([]int, n)
	for round := range rounds * n {
		k := (round + round/n) % n // the order turns too
		before, err := results(line)
		if err != nil {
			return err
		}
		begin := time.Now()
		stop, ended := make(chan struct{}), make(chan error, 1)
		if masterKinds[k].baud >= 0 {
			go func() { n, err := flood(line, masterKinds[k].baud, stop); polls[k] += n; ended <- err }()
		} else {
			ended <- nil
		}
		latency, err := sample(c)
		close(stop)
		if err := errors.Join(err, <-ended); err != nil {
			return err
		}
		after, err := results(line)
		if err != nil {
			return err
		}
		rates[k] = append(rates[k], float64(after-before)/time.Since(begin).Seconds())
		latencies[k] = append(latencies[k], latency...)
	}
	mid := func(list []float64) float64 { s := slices.Sorted(slices.Values(list)); return s[len(s)/2] }
	fmt.Printf("  %-12s %10s  %22s  %14s  %8s  %8s\n", "line", "requests/s", "results/s (rounds)", "latency p50 ms", "results", "latency")
	for k, kind := range masterKinds {
		ratios := make([]float64, rounds)
		for i := range ratios {
			ratios[i] = rates[k][i] / rates[0][i]
		}
		rate, delay := mid(ratios), mid(latencies[k])/mid(latencies[0])
		perSecond := float64(polls[k]) / (float64(rounds) * segment.Seconds())
		fmt.Printf("  %-12s %10.0f  %8.2f (%4.1f to %4.1f)  %14.2f  %8.3f  %8.3f\n", kind.name, perSecond, mid(rates[k]),
			slices.Min(rates[k]), slices.Max(rates[k]), mid(latencies[k]), rate, delay)
		if k > 0 {
			name := strings.ReplaceAll(kind.name, " ", "_")
			f["load_rate_ratio_"+name], f["load_latency_ratio_"+name], f["load_requests_per_s_"+name] = rate, delay, perSecond
		}
	}
	fmt.Println("  the last two columns are against none: the median of the rounds' ratios, and the ratio of medians")
	return nil
}

// results is how many results the unit has given, input registers 140 and 141.
func results(line serial.Line) (uint32, error) {
	answer, err := modbustest.Ask(line, 1, []byte{4, 0, 140, 0, 2}, 2*time.Second)
	if err != nil || len(answer) != 6 {
		return 0, fmt.Errorf("read the number of results: % X, %w", answer, err)
	}
	return binary.BigEndian.Uint32(answer[2:]), nil
}

// flood reads the biggest block again and again, but no faster than a line of
// so many baud (8N1) carries request, answer and the silence between.
func flood(line serial.Line, baud int, stop <-chan struct{}) (n int, err error) {
	const characters = 8 + 253
	var each time.Duration
	if baud > 0 {
		each = 10*characters*time.Second/time.Duration(baud) + 2*1750*time.Microsecond
	}
	next := time.Now()
	for {
		if wait := time.Until(next); wait > 0 {
			time.Sleep(wait)
		}
		next = time.Now().Add(each)
		select {
		case <-stop:
			return n, nil
		default:
		}
		answer, err := modbustest.Ask(line, 1, []byte{4, 0, 0, 0, 124}, 2*time.Second)
		if err == nil && len(answer) != 250 {
			err = fmt.Errorf("an answer of %d characters", len(answer))
		}
		if err != nil {
			return n, fmt.Errorf("poll %d: %w", n, err)
		}
		n++
	}
}

// sample takes the latency of a frame every 50 ms, over a segment.
func sample(c *operator.Client) (latency []float64, err error) {
	for begin := time.Now(); time.Since(begin) < segment; time.Sleep(50 * time.Millisecond) {
		s, err := ask(c)
		if err != nil {
			return nil, err
		}
		latency = append(latency, float64(s.Latency)/1e6)
	}
	return latency, nil
}
