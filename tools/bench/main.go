// Command bench measures the unit on the demo clip: what the pipeline costs
// above its networks, memory, start, latency, and against peers in Python.
//
//	go run ./tools/bench [-json] [-rounds 7] [-peers .venv-bench/bin/python] [-mien bin/mien]
//
// Costs are processor time (getrusage), not wall time, and every ratio comes
// from runs that take turns, so that a busy machine disturbs both sides alike.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
)

// figures are the last line of the output, by the names that make bench JSON=1
// promises. A figure that could not be measured is absent.
type figures map[string]float64

func main() {
	if len(os.Args) == 3 && os.Args[1] == programWord {
		if err := writeFrames(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	asJSON := flag.Bool("json", false, "end with one line of JSON")
	rounds := flag.Int("rounds", 7, "interleaved rounds; medians are reported")
	python := flag.String("peers", ".venv-bench/bin/python", "Python of the peers' environment (make bench-peers sets it up)")
	mien := flag.String("mien", "bin/mien", "the binary, for start and memory")
	program := flag.Bool("program", false, "measure a program as the camera only")
	recording := flag.Bool("recording", false, "measure only what recording for a pilot costs")
	only := flag.Bool("gateway", false, "measure the gateway only")
	tables := flag.String("tables", "", "also measure cost by picture size and by faces, and write all figures to this Markdown file (docs/performance.md)")
	flag.Parse()
	if *program || *recording {
		clip, err := loadClip()
		switch {
		case err != nil:
		case *program:
			err = programOverClip(figures{}, clip, *rounds)
		default:
			err = recordingOverNot(figures{}, clip, *rounds)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	if *only {
		if err := gatewayOverNot(figures{}, *mien); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	if err := bench(*rounds, *python, *mien, *tables, *asJSON); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(rounds int, python, mien, tables string, asJSON bool) error {
	f := figures{}
	before := loadAverage()
	clip, err := loadClip()
	if err != nil {
		return err
	}
	fmt.Printf("clip: %d frames 640x480, raw YUYV and motion JPEG\n", len(clip.JPEGs))
	for _, step := range []func() error{
		func() error { return pipelineOverInvoke(f, clip, 3*rounds) }, // each is short, and the ratios are near 1
		func() error { return recordingOverNot(f, clip, rounds) },
		func() error { return programOverClip(f, clip, rounds) },
		func() error { return latency(f, clip) },
		func() error { return process(f, mien) },
		func() error { return gatewayOverNot(f, mien) },
		func() error { return peers(f, clip, python, rounds) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	if tables != "" {
		if err := writeTables(f, clip, tables, rounds, before); err != nil {
			return err
		}
	}
	if asJSON {
		line, err := json.Marshal(f)
		if err != nil {
			return err
		}
		fmt.Println(string(line))
	}
	return nil
}

// loadAverage is the system's over the last minute, as it stands in /proc.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	first, _, ok := strings.Cut(string(text), " ")
	if err != nil || !ok {
		return "unknown"
	}
	return first
}

func median(list []float64) float64 {
	s := slices.Clone(list)
	slices.Sort(s)
	return s[len(s)/2]
}

func quantile(list []float64, q float64) float64 {
	s := slices.Clone(list)
	slices.Sort(s)
	return s[min(len(s)-1, int(q*float64(len(s))))]
}
