package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"time"

	"mien/drivers/serial"
	"mien/firmware/modbus/modbustest"
)

// turnaround measures, on ptys, from the last character of a request to the
// first of the answer: the unit with its pipeline running, a pymodbus server
// and, for what the machine itself needs, cat, in turns in the same run.
func turnaround(f figures, u *unit, python string, requests int) error {
	line, err := open(u.port)
	if err != nil {
		return err
	}
	defer line.Close()
	type server struct {
		name  string
		line  serial.Line
		times []time.Duration
		lost  int
	}
	servers := []*server{{name: "mien", line: line}}
	echo, stop, err := startEcho()
	if err != nil {
		return err
	}
	defer stop()
	servers = append(servers, &server{name: "echo", line: echo})
	if other, stop, err := startServer(python); err != nil {
		fmt.Println("\npymodbus server skipped:", err)
	} else {
		defer stop()
		servers = append(servers, &server{name: "pymodbus", line: other})
	}
	fmt.Printf("\nturnaround, %d requests each, in turns: functions 4 (124 registers), 3 (10), 6; load average %s\n", requests, loadAverage())
	rng := rand.New(rand.NewPCG(1, 2))
	asks := [][]byte{{4, 0, 0, 0, 124}, {3, 0, 0, 0, 10}, {6, 0, 0, 0, 1}}
	before, err := u.status()
	if err != nil {
		return err
	}
	for i := range requests {
		pdu := slices.Clone(asks[i%len(asks)])
		if pdu[0] == 6 {
			pdu[4] = byte(i)
		}
		for _, s := range servers {
			took, err := respond(s.line, modbustest.Frame(1, pdu))
			switch {
			case errors.Is(err, serial.ErrTimeout):
				s.lost++
			case err != nil:
				return fmt.Errorf("%s: %w", s.name, err)
			default:
				s.times = append(s.times, took)
			}
			// More than the silent interval, and in no step with the pipeline.
			time.Sleep(3*time.Millisecond + time.Duration(rng.Int64N(int64(5*time.Millisecond))))
		}
	}
	after, err := u.status()
	if err != nil {
		return err
	}
	for _, s := range servers {
		if len(s.times) == 0 {
			return fmt.Errorf("%s answered nothing", s.name)
		}
		slices.Sort(s.times)
		at := func(q float64) float64 {
			return float64(s.times[min(len(s.times)-1, int(q*float64(len(s.times))))]) / 1e6
		}
		fmt.Printf("  %-9s p50 %7.3f ms   p90 %7.3f ms   p99 %7.3f ms   max %8.3f ms   %d without answer\n", s.name, at(0.5), at(0.9), at(0.99), at(1), s.lost)
		f["turnaround_p50_ms_"+s.name], f["turnaround_p99_ms_"+s.name], f["lost_"+s.name] = at(0.5), at(0.99), float64(s.lost)
	}
	fmt.Printf("  the unit gave %.1f and %.1f results a second before and after\n", before.Rate, after.Rate)
	return nil
}

// respond times one request; the rest of the answer is read and thrown away.
func respond(line serial.Line, frame []byte) (time.Duration, error) {
	if err := line.Discard(); err != nil {
		return 0, err
	}
	if _, err := line.Write(frame, time.Second); err != nil {
		return 0, err
	}
	begin := time.Now()
	var buf [300]byte
	if _, err := line.Read(buf[:], 2*time.Second); err != nil {
		return 0, err
	}
	took := time.Since(begin)
	for {
		if _, err := line.Read(buf[:], 3*time.Millisecond); err != nil {
			if errors.Is(err, serial.ErrTimeout) {
				err = nil
			}
			return took, err
		}
	}
}

// startEcho runs cat on one side of a pty: what it needs for giving back a
// request is what this machine, as busy as it is, needs for any answer.
func startEcho() (serial.Line, func(), error) {
	line, err := serial.OpenPty("")
	if err != nil {
		return nil, nil, err
	}
	side, err := os.OpenFile(line.Peer(), os.O_RDWR, 0)
	if err != nil {
		line.Close()
		return nil, nil, err
	}
	defer side.Close()
	cmd := exec.Command("cat")
	cmd.Stdin, cmd.Stdout = side, side
	if err := cmd.Start(); err != nil {
		line.Close()
		return nil, nil, err
	}
	return line, func() { cmd.Process.Kill(); cmd.Wait(); line.Close() }, nil
}

// startServer runs a pymodbus RTU server on one side of a pty and opens the
// other.
func startServer(python string) (serial.Line, func(), error) {
	if _, err := os.Stat(python); err != nil {
		return nil, nil, errors.New(setUpPython)
	}
	// Two ptys back to back would add a hop: the server gets the side that
	// others get of the unit's pty, we hold the unit's side.
	line, err := serial.OpenPty("")
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.Command(python, "-", line.Peer())
	cmd.Stdin = bytes.NewReader(serverScript)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		line.Close()
		return nil, nil, err
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	stop := func() {
		cmd.Process.Kill()
		<-ended
		line.Close()
	}
	for range 40 {
		if _, err = respond(line, modbustest.Frame(1, []byte{4, 0, 0, 0, 10})); err == nil {
			return line, stop, nil
		}
		select {
		case <-ended:
			line.Close()
			return nil, nil, fmt.Errorf("it ended: %s", lastLine(said.Bytes()))
		default:
		}
	}
	stop()
	return nil, nil, fmt.Errorf("it does not answer: %w", err)
}
