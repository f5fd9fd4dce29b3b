// Fleet measures how many units a plant's own engines carry: N simulated units, each with
// its real operator socket and real gateway code for MQTT (Sparkplug B) and Prometheus,
// against a real Mosquitto and a real Prometheus on loopback.
//
//	go run ./tools/fleet -units 1000 -for 5m
//	go run ./tools/fleet -units 200 -for 10m -restart 2m -cut 30s
//
// It ends with 1 when an alarm was raised that the subscriber never heard of.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

type options struct {
	units         int
	during        time.Duration
	alarms        time.Duration
	states        time.Duration
	scrape        time.Duration
	restart, cut  time.Duration
	rules, folder string
}

func main() {
	var o options
	flag.IntVar(&o.units, "units", 50, "how many units")
	flag.DurationVar(&o.during, "for", time.Minute, "how long, once all are there")
	flag.DurationVar(&o.alarms, "alarms", 2*time.Minute, "mean time from one change of a unit's alarm to the next")
	flag.DurationVar(&o.states, "states", time.Second, "how often a unit tells its gateway what it knows, when no alarm changes")
	flag.DurationVar(&o.scrape, "scrape", 15*time.Second, "Prometheus' scrape interval")
	flag.DurationVar(&o.restart, "restart", 0, "how often the broker is killed and started again; 0: never")
	flag.DurationVar(&o.cut, "cut", 0, "how often the links of a tenth of the units are cut; 0: never")
	flag.StringVar(&o.rules, "rules", "docs/plant/mien-alerts.yml", "rules for Prometheus; empty: none")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	lost, err := run(ctx, o)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "fleet:", err)
		os.Exit(2)
	case lost > 0:
		os.Exit(1)
	}
}

// run gives how many changes of alarms were never heard of.
func run(ctx context.Context, o options) (lost int, err error) {
	// Each unit has some five descriptors here and one in the broker, which inherits this.
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err == nil {
		limit.Cur = limit.Max
		syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
	}
	if most := (int(limit.Cur) - 500) / 8; o.units < 1 || o.units > most {
		return 0, fmt.Errorf("-units is %d; allowed are 1 to %d, by this machine's limit of open files (ulimit -n)", o.units, most)
	}
	if o.folder, err = os.MkdirTemp("", "fleet"); err != nil {
		return 0, err
	}
	defer os.RemoveAll(o.folder)
	ctx, stop := context.WithCancel(ctx)
	defer stop()

	broker, err := startBroker(o.folder)
	if err != nil {
		return 0, err
	}
	defer broker.kill()
	way, err := newWay(ctx, broker.address)
	if err != nil {
		return 0, err
	}
	heard := newHeard()
	go heard.listen(ctx, broker.address)
	scraped, err := newScraped(ctx)
	if err != nil {
		return 0, err
	}
	fmt.Printf("%d units, Mosquitto at %s, metrics at %s\n", o.units, broker.address, scraped.address)
	var units []*unit
	for i := range o.units {
		u, err := newUnit(ctx, i, o, way.address, scraped, heard)
		if err != nil {
			return 0, err
		}
		units = append(units, u)
	}
	watcher, err := startPrometheus(o, scraped.address)
	if err != nil {
		return 0, err
	}
	defer watcher.kill()
	began := time.Now()
	for ; heard.births() < o.units; time.Sleep(100 * time.Millisecond) {
		switch {
		case ctx.Err() != nil:
			return 0, ctx.Err()
		case time.Since(began) > 2*time.Minute:
			return 0, fmt.Errorf("of %d units only %d came to the broker within 2 minutes", o.units, heard.births())
		}
	}
	fmt.Printf("all are there after %v\n", time.Since(began).Round(100*time.Millisecond))

	before := takeFigures(broker, watcher, way)
	for _, u := range units {
		go u.live(ctx, o)
	}
	every := func(d time.Duration) <-chan time.Time {
		if d <= 0 {
			return nil
		}
		return time.Tick(d)
	}
	kills, cuts := 0, 0
	restart, cut, say, end := every(o.restart), every(o.cut), time.Tick(30*time.Second), time.After(o.during)
	for running := true; running; {
		select {
		case <-ctx.Done():
			running = false
		case <-end:
			running = false
		case <-say:
			fmt.Printf("%v: %s\n", time.Since(began).Round(time.Second), heard)
		case <-restart:
			kills++
			before.broker -= broker.cpu() // what it used goes with it
			if err := broker.again(); err != nil {
				return 0, err
			}
		case <-cut:
			cuts += way.cut(func() bool { return rand.N(10) == 0 })
		}
	}
	after := takeFigures(broker, watcher, way)
	for _, u := range units {
		u.rest()
	}
	for i := 0; i < 600 && heard.missing() > 0; i++ {
		time.Sleep(100 * time.Millisecond)
	}
	report(os.Stdout, o, before, after, heard, watcher, kills, cuts)
	return heard.missing(), nil
}

func path(o options, parts ...string) string {
	return filepath.Join(append([]string{o.folder}, parts...)...)
}
