package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// sample is one look at the process.
type sample struct {
	at                      time.Duration
	frames, losses, events  int64
	rss, heap               float64 // MB
	descriptors, goroutines int
}

func take(at time.Duration, u *unit) sample {
	return sample{at: at, frames: u.frames.Load(), losses: u.losses.Load(), events: u.events.Load(),
		rss: resident(), heap: heap(), descriptors: descriptors(), goroutines: runtime.NumGoroutine()}
}

func (s sample) String() string {
	return fmt.Sprintf("%9s %9d %5.0f %10.1f %9.1f %13d %12d %13d %8d", s.at.Round(time.Second), s.frames,
		float64(s.frames)/s.at.Seconds(), s.rss, s.heap, s.descriptors, s.goroutines, s.losses, s.events)
}

// resident is the process's resident memory in MB.
func resident() float64 {
	status, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		panic("soak: " + err.Error()) // there is always /proc/self where V4L2 is
	}
	pages, err := strconv.Atoi(strings.Fields(string(status))[1])
	if err != nil {
		panic("soak: /proc/self/statm: " + err.Error())
	}
	return float64(pages*os.Getpagesize()) / (1 << 20)
}

func descriptors() int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		panic("soak: " + err.Error())
	}
	return len(list)
}

// judge compares the median of the samples of the last tenth with that of the
// second tenth (the first is for warming up), in words, and names what has grown.
func judge(all []sample, slack float64) (found string, grown []string) {
	n := len(all) / 10
	if n < 3 {
		return "", []string{fmt.Sprintf("only %d samples: too short to tell", len(all))}
	}
	early, late := all[n:2*n], all[len(all)-n:]
	check := func(what string, of func(sample) float64, slack float64) {
		a, b := middle(early, of), middle(late, of)
		text := fmt.Sprintf("%s from %.1f to %.1f", what, a, b)
		if found += "; " + text; b > a+slack {
			grown = append(grown, text)
		}
	}
	check("resident memory (MB)", func(s sample) float64 { return s.rss }, slack)
	check("descriptors", func(s sample) float64 { return float64(s.descriptors) }, 0)
	check("goroutines", func(s sample) float64 { return float64(s.goroutines) }, 0)
	return found[2:], grown
}

func middle(list []sample, of func(sample) float64) float64 {
	var v []float64
	for _, s := range list {
		v = append(v, of(s))
	}
	slices.Sort(v)
	return v[len(v)/2]
}
