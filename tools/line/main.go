// Command line tries `mien pilot tune` on simulated production lines, whose true
// figures are known by a very long run:
//
//	go run ./tools/line -pilots 1000
//
// It runs many pilots and tells how often the 95 % intervals hold the truth, what
// the recommended alarms really cost beside the best possible ones, and how often
// too little data is said to be too little.
//
//	go run ./tools/line -drift 10000
//
// tries the comparison of days with a pilot's (`mien pilot drift`): how often
// something is told on quiet days, and how soon a change is.
//
//	go run ./tools/line -csv DIR -shifts 90
//
// writes one pilot as the files L.csv and M.csv that mien pilot tune reads: 90 shifts
// are a month of 39 million frames, and 1 GB.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	o := options{sizes: []int{10, 21, 42, 90}}
	flag.IntVar(&o.pilots, "pilots", 1000, "how many pilots")
	flag.IntVar(&o.lines, "lines", 20, "on how many lines")
	flag.IntVar(&o.truth, "truth", 2000, "shifts of the long run that the truth is taken from, a line")
	flag.Uint64Var(&o.seed, "seed", 1, "of all chance")
	dir := flag.String("csv", "", "in place of pilots write one into this folder, as L.csv and M.csv")
	shifts := flag.Int("shifts", 12, "with -csv: how many shifts it has")
	days := flag.Int("drift", 0, "in place of pilots try the comparison of days with a pilot's, over so many quiet days")
	verbose := flag.Bool("v", false, "a row for each pilot")
	flag.Parse()
	if *verbose {
		o.each = os.Stdout
	}
	if *dir != "" {
		if err := writeCSV(*dir, *shifts, o.seed); err != nil {
			fmt.Fprintln(os.Stderr, "line:", err)
			os.Exit(1)
		}
		return
	}
	if *days > 0 {
		driftAll(*days, o.seed, o.each, os.Stdout)
		return
	}
	s, err := try(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "line:", err)
		os.Exit(1)
	}
	s.write(os.Stdout)
}
