package main

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// writeCSV writes a pilot of so many shifts as L.csv and M.csv, as a unit at 15 frames
// a second would have it: frames between two readings are like the first, but for
// a little noise.
func writeCSV(dir string, shifts int, seed uint64) (err error) {
	const period = time.Second / 15
	l := newLine(rand.New(rand.NewPCG(seed, 0)).Uint64(), 12)
	noise := rand.New(rand.NewPCG(seed, 1))
	levels, err := os.Create(filepath.Join(dir, "L.csv"))
	if err != nil {
		return err
	}
	defer levels.Close()
	marks, err := os.Create(filepath.Join(dir, "M.csv"))
	if err != nil {
		return err
	}
	defer marks.Close()
	lw, mw := bufio.NewWriterSize(levels, 1<<20), bufio.NewWriter(marks)
	fmt.Fprintln(lw, "session,time,au4")
	fmt.Fprintln(mw, "session,signal,from,to,truth")
	var row []byte
	for n := range uint64(shifts) {
		s := l.session(10, n, shift, 1, usual)
		i := 0
		for at := time.Duration(0); at <= shift; at += period {
			for i+1 < len(s.At) && s.At[i+1] <= at {
				i++
			}
			row = append(append(row[:0], s.Name...), ',')
			row = append(strconv.AppendFloat(row, at.Seconds(), 'f', 3, 64), ',')
			if v := float64(s.Level[i]); v == v {
				row = strconv.AppendFloat(row, math.Min(math.Max(v+0.005*noise.NormFloat64(), 0), 1), 'f', 3, 64)
			}
			lw.Write(append(row, '\n'))
		}
		for _, span := range s.Spans {
			fmt.Fprintf(mw, "%s,au4,%.3f,%.3f,%s\n", s.Name, span.From.Seconds(), span.To.Seconds(), map[bool]string{true: "present", false: "absent"}[span.Present])
		}
	}
	return errors.Join(lw.Flush(), mw.Flush(), levels.Close(), marks.Close())
}
