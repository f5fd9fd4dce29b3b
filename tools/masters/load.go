package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"mien/drivers/serial"
	"mien/firmware/modbus/modbustest"
	"mien/firmware/operator"
)

// segment is how long the unit runs with, and without, a master at a time.
const segment = 6 * time.Second

// load measures what a master that polls as fast as it can costs the unit:
// rounds with and without one take turns, so that whatever else the machine
// does disturbs both alike. The figures come from the unit's own socket, past
// the PLC line.
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
	fmt.Printf("\na master that polls as fast as it can, %d rounds of %v each way; load average %s\n", rounds, segment, loadAverage())
	var rates, latencies [2][]float64 // without, with
	polls := 0
	for round := range 2 * rounds {
		with := round % 2
		if round/2%2 == 1 {
			with = 1 - with // the order turns too
		}
		before, err := results(line)
		if err != nil {
			return err
		}
		begin := time.Now()
		stop, ended := make(chan struct{}), make(chan error, 1)
		if with == 1 {
			go func() { n, err := flood(line, stop); polls += n; ended <- err }()
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
		rates[with] = append(rates[with], float64(after-before)/time.Since(begin).Seconds())
		latencies[with] = append(latencies[with], latency...)
	}
	ratios := make([]float64, rounds)
	for i := range ratios {
		ratios[i] = rates[1][i] / rates[0][i]
	}
	mid := func(list []float64) float64 { s := slices.Sorted(slices.Values(list)); return s[len(s)/2] }
	name := [2]string{"without", "with"}
	for i := range 2 {
		fmt.Printf("  %-8s %6.2f results a second (rounds %.1f to %.1f)   latency p50 %6.2f ms (%d frames)\n", name[i],
			mid(rates[i]), slices.Min(rates[i]), slices.Max(rates[i]), mid(latencies[i]), len(latencies[i]))
	}
	perSecond := float64(polls) / (float64(rounds) * segment.Seconds())
	ratio, delay := mid(ratios), mid(latencies[1])/mid(latencies[0])
	fmt.Printf("  with/without: results %.3f (median of rounds), latency %.3f; %.0f requests of 124 registers a second\n", ratio, delay, perSecond)
	f["load_rate_ratio"], f["load_latency_ratio"], f["load_requests_per_s"] = ratio, delay, perSecond
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

// flood reads the biggest block again and again.
func flood(line serial.Line, stop <-chan struct{}) (n int, err error) {
	for {
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
