// Command faults injects faults into running units, in seeded random order,
// and measures whether each reaches its declared safe state in time and comes
// back: none missed, none false.
//
//	go run ./tools/faults [-n 1000] [-units 6] [-seed 1]
//
// Units are the real pipeline with the real networks on the demo clip's
// pictures and the real serial driver on a pty, with a master at its other end;
// camera, GPIO chip, file system and sensors are the fakes that ship beside the
// drivers. Each is a process with libraries, detectors and a network of its own, so
// that those can be damaged. Times are short (a result is stale after
// 500 ms), so that a thousand faults take minutes; the time to detect is
// computed from these settings as in docs/faults.md from the defaults.
package main

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"sort"
	"strings"
	"sync"
	"time"
)

func main() {
	n := flag.Int("n", 1000, "faults to inject")
	units := flag.Int("units", 6, "units that run at the same time")
	seed := flag.Uint64("seed", 1, "of the order")
	only := flag.String("only", "", "only the kind of this name")
	in := flag.String("in", "", "be a unit whose files are in this folder: for the program itself")
	damaged := flag.String("damaged", "", "with -in: the kind that is there when the unit starts")
	flag.Parse()
	if *in != "" {
		if err := serve(*in, *damaged); err != nil {
			fmt.Fprintln(os.Stderr, "faults: a unit:", err)
			os.Exit(1)
		}
		return
	}
	bad, err := campaign(*n, *units, *seed, *only)
	if err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		os.Exit(1)
	}
	if bad > 0 {
		os.Exit(1)
	}
}

// outcome is what came of one fault.
type outcome struct {
	Kind           string
	Safe, Back     time.Duration // until the safe state, and from its end until all was well
	Missed, Failed string        // what went wrong, "" for nothing
}

func campaign(n, units int, seed uint64, only string) (bad int, err error) {
	list := kinds()
	if only != "" {
		var one []kind
		for _, k := range list {
			if k.name == only {
				one = append(one, k)
			}
		}
		if list = one; len(list) == 0 {
			return 0, fmt.Errorf("no kind %q", only)
		}
	}
	fmt.Printf("%d faults of %d kinds, %d units, seed %d, %s\n", n, len(list), units, seed, load())
	order := make(chan kind, n)
	rng := rand.New(rand.NewPCG(seed, 0))
	for i := 0; i < n; i += len(list) { // each kind as often, in random order
		for _, j := range rng.Perm(len(list)) {
			if len(order) < n {
				order <- list[j]
			}
		}
	}
	close(order)
	var mu sync.Mutex
	var all []outcome
	var wait sync.WaitGroup
	began := time.Now()
	for i := range units {
		wait.Go(func() {
			e := work(order, func(o outcome) {
				mu.Lock()
				defer mu.Unlock()
				all = append(all, o)
				if o.Missed+o.Failed != "" {
					bad++
					fmt.Printf("unit %d: %s: %s%s\n", i, o.Kind, o.Missed, o.Failed)
				}
				if len(all)%100 == 0 {
					fmt.Printf("%d faults, %.0f s, %s\n", len(all), time.Since(began).Seconds(), load())
				}
			})
			if e != nil {
				mu.Lock()
				err = errors.Join(err, e)
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	report(all)
	fmt.Printf("%d faults injected, %d wrong, %.0f s\n", len(all), bad, time.Since(began).Seconds())
	return bad, err
}

// load is how busy the machine is: others' work too.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "load unknown"
	}
	return "load " + strings.Join(strings.Fields(string(text))[:1], "")
}

// report prints a line a kind: how often, how long to the safe state and back.
func report(all []outcome) {
	by := map[string][]outcome{}
	for _, o := range all {
		by[o.Kind] = append(by[o.Kind], o)
	}
	var names []string
	for k := range by {
		names = append(names, k)
	}
	sort.Strings(names)
	fmt.Printf("%-28s %5s %12s %12s %12s %6s\n", "kind", "n", "safe median", "safe most", "back most", "wrong")
	for _, k := range names {
		var safe, back []time.Duration
		wrong := 0
		for _, o := range by[k] {
			safe, back = append(safe, o.Safe), append(back, o.Back)
			if o.Missed+o.Failed != "" {
				wrong++
			}
		}
		sort.Slice(safe, func(i, j int) bool { return safe[i] < safe[j] })
		sort.Slice(back, func(i, j int) bool { return back[i] < back[j] })
		fmt.Printf("%-28s %5d %9.0f ms %9.0f ms %9.0f ms %6d\n", k, len(safe), safe[len(safe)/2].Seconds()*1e3,
			safe[len(safe)-1].Seconds()*1e3, back[len(back)-1].Seconds()*1e3, wrong)
	}
}
