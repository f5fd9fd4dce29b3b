package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"time"

	"mien/drivers/camera"
	"mien/drivers/gpio"
	"mien/firmware/config"
	"mien/firmware/pipeline"
	"mien/model/affect"
	"mien/model/assets"
	"mien/model/pixel"
	"mien/model/tflite"
	"mien/tools/bench/reel"
)

// pipelineOverInvoke runs the whole unit (camera, pixels, face, networks,
// filters, alarms, register map, output lines) on frames from memory, and in
// turn a bare loop that only invokes the same networks as often, and the same loop
// once more that yields as the unit does.
func pipelineOverInvoke(f figures, c *clip, rounds int) error {
	bare, err := openBare()
	if err != nil {
		return err
	}
	defer bare.close()
	var ratio, yielding, mjpeg, unitMs, bareMs, yieldingMs, allocs []float64
	for i := 0; i < rounds; i++ {
		u, a, err := unitCost(c, false)
		if err != nil {
			return err
		}
		b := bare.cost(c, false, false)
		y := bare.cost(c, false, true)
		m, ma, err := unitCost(c, true)
		if err != nil {
			return err
		}
		bm := bare.cost(c, true, false)
		ratio, yielding, mjpeg = append(ratio, u/b), append(yielding, u/y), append(mjpeg, m/bm)
		unitMs, bareMs, yieldingMs, allocs = append(unitMs, u), append(bareMs, b), append(yieldingMs, y), append(allocs, max(a, ma))
		fmt.Printf("round %d: pipeline %.3f ms a frame, bare %.3f, bare and yielding %.3f; from JPEG %.3f, bare %.3f; %.3f allocations a frame\n",
			i+1, u, b, y, m, bm, max(a, ma))
	}
	f["pipeline_over_invoke"], f["mjpeg_over_bare"], f["allocs_per_frame"] = median(ratio), median(mjpeg), median(allocs)
	f["pipeline_over_invoke_q1"], f["pipeline_over_invoke_q3"] = quantile(ratio, 0.25), quantile(ratio, 0.75)
	f["pipeline_over_yielding"] = median(yielding)
	f["pipeline_ms"], f["bare_ms"], f["yielding_ms"] = median(unitMs), median(bareMs), median(yieldingMs)
	fmt.Printf("pipeline_over_invoke %.3f (%.3f where the loop yields as the unit does)  mjpeg_over_bare %.3f  allocs_per_frame %.3f\n",
		median(ratio), median(yielding), median(mjpeg), median(allocs))
	return nil
}

// benchConfig is a unit as one would be used: two alarms and four lines.
const benchConfig = `
[health]
frozen = "1h"
[[alarm]]
name = "brow lowered"
signal = "au4"
high = 0.7
[[alarm]]
name = "eyes closed"
signal = "eyes_closed"
high = 0.6
[[output]]
name = "healthy"
chip = "bench"
line = 0
function = "healthy"
[[output]]
name = "lamp"
chip = "bench"
line = 1
function = "lamp"
`

func resolve(chip, line string) (gpio.Line, error) {
	return gpio.Line{Chip: chip, Offset: int(line[0] - '0')}, nil
}

// settle lets what runs beside the frames, such as the first look at the
// sensors, come before the counting: early in the warm-up, since a goroutine that
// has slept may wake on a processor with empty pools and caches.
const (
	settle  = 400 * time.Millisecond
	settled = 60 // frame
)

// unitCost is the processor time a frame of a running unit in ms, all its
// goroutines together, and its allocations a frame.
func unitCost(c *clip, jpeg bool) (ms, allocs float64, err error) {
	cfg, err := config.Parse("bench.toml", []byte(benchConfig))
	if err != nil {
		return 0, 0, err
	}
	var began, ended time.Duration
	var before, after runtime.MemStats
	src := &reel.Camera{Reel: c.Reel, JPEG: jpeg, At: func(n int) error {
		if n < warmup && n%settled == 0 {
			// Reading the statistics stops all goroutines, and this one may go on on
			// another processor, whose pools are empty: not for the first time below.
			runtime.ReadMemStats(&before)
		}
		switch n {
		case settled:
			time.Sleep(settle)
		case warmup:
			runtime.ReadMemStats(&before)
			began = cpu()
		case warmup + counted:
			ended = cpu()
			runtime.ReadMemStats(&after)
			return camera.ErrEnd
		}
		return nil
	}}
	unit, err := pipeline.New(pipeline.Options{Config: cfg, Resolve: resolve,
		Host:       gpio.NewFake(gpio.FakeChip{Label: "bench", Lines: make([]string, 4)}),
		OpenSource: func(config.Camera) (camera.Source, error) { return src, nil }})
	if err != nil {
		return 0, 0, err
	}
	if err := unit.Run(context.Background()); err != nil {
		return 0, 0, err
	}
	return float64(ended-began) / 1e6 / counted, float64(after.Mallocs-before.Mallocs) / counted, nil
}

// yieldEvery is how often a bare loop yields: half of what Go's scheduler gives a
// goroutine at a time.
const yieldEvery = 5 * time.Millisecond

// bare is the networks alone.
type bare struct {
	detector, affect tflite.Interpreter
	decoder          *pixel.Decoder
}

func openBare() (*bare, error) {
	path, err := assets.Find(assets.FaceShort)
	if err != nil {
		return nil, err
	}
	model, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	b := &bare{decoder: pixel.NewDecoder("")}
	if b.detector, err = tflite.Open(model, tflite.Options{Name: path}); err != nil {
		return nil, err
	}
	_, network, err := affect.Embedded()
	if err != nil {
		return nil, err
	}
	b.affect, err = tflite.Open(network, tflite.Options{Name: "affect.tflite"})
	return b, err
}

func (b *bare) close() {
	b.detector.Close()
	b.affect.Close()
	b.decoder.Close()
}

// cost is the processor time a frame in ms of invoking each network on just
// the frames on which the unit does, and with jpeg of decoding each frame. With
// yields it lets Go's scheduler run now and then, as the unit does: what then is
// left is what the networks themselves cost.
func (b *bare) cost(c *clip, jpeg, yields bool) float64 {
	last := time.Now()
	run := func(frames, first int) {
		for n := first; n < first+frames; n++ {
			if yields && time.Since(last) >= yieldEvery {
				runtime.Gosched()
				last = time.Now()
			}
			if jpeg {
				b.decoder.Decode(c.JPEGs[n%len(c.JPEGs)], pixel.DecodeOptions{}) // decoded once already, by loadClip
			}
			if c.detected[n] {
				b.detector.Invoke()
			}
			if c.inferred[n] {
				b.affect.Invoke()
			}
		}
	}
	run(warmup, 0)
	began := cpu()
	run(counted, warmup)
	return float64(cpu()-began) / 1e6 / counted
}
