package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"mien/drivers/camera"
	"mien/drivers/gpio"
	"mien/firmware/config"
	"mien/firmware/pilot"
	"mien/firmware/pipeline"
	"mien/firmware/state"
	"mien/tools/bench/reel"
)

// recordedFrames are counted for a unit that records, and one that does not.
const recordedFrames = 8 * counted

// recordingOverNot runs the whole unit with a pilot in force and without, in turn.
// What it writes at the end is counted too: all goroutines, until the unit has ended.
func recordingOverNot(f figures, c *clip, rounds int) error {
	var ratio, bytes []float64
	for i := range rounds {
		var ms [2]float64
		var size float64
		for turn := range 2 { // each is the first as often as the other: the machine gets busier, or less so
			record := (i + turn) % 2
			cost, n, err := recordingCost(c, record == 1)
			if err != nil {
				return err
			}
			ms[record], size = cost, max(size, n)
		}
		without, with := ms[0], ms[1]
		ratio, bytes = append(ratio, with/without), append(bytes, size)
		fmt.Printf("round %d: recording %.3f ms a frame, not recording %.3f; %.1f bytes a frame\n", i+1, with, without, size)
	}
	const shift = 8 * 3600 * 30 // frames
	f["recording_over_not"], f["recording_mb_a_shift"] = median(ratio), median(bytes)*shift/1e6
	fmt.Printf("recording_over_not %.4f  recording_mb_a_shift %.1f\n", f["recording_over_not"], f["recording_mb_a_shift"])
	return nil
}

// recordingCost is the processor time a frame in ms, and the bytes a frame of the
// recording, of which its beginning, some KB, is left out: a shift has one.
func recordingCost(c *clip, record bool) (ms, bytes float64, err error) {
	cfg, err := config.Parse("bench.toml", []byte(benchConfig+"[pilot]\nrecord = true\n[unit]\npurpose = \"safety\"\n"))
	if err != nil {
		return 0, 0, err
	}
	dir, err := os.MkdirTemp("", "mien-bench-")
	if err != nil {
		return 0, 0, err
	}
	defer os.RemoveAll(dir)
	var began time.Duration
	var unit *pipeline.Unit
	src := &reel.Camera{Reel: c.Reel, At: func(n int) error {
		switch n {
		case settled:
			time.Sleep(settle)
		case warmup:
			began = cpu()
		case warmup + recordedFrames:
			return camera.ErrEnd
		}
		return nil
	}}
	unit, err = pipeline.New(pipeline.Options{Config: cfg, Resolve: resolve, PilotDir: filepath.Join(dir, "pilot"),
		Host:       gpio.NewFake(gpio.FakeChip{Label: "bench", Lines: make([]string, 4)}),
		OpenSource: func(config.Camera) (camera.Source, error) { return src, nil }})
	if err != nil {
		return 0, 0, err
	}
	if record {
		if _, err := unit.Do("bench", []state.Command{{Do: state.StartPilot, For: time.Hour, Text: "bench"}}); err != nil {
			return 0, 0, err
		}
	}
	if err := unit.Run(context.Background()); err != nil {
		return 0, 0, err
	}
	ms = float64(cpu()-began) / 1e6 / recordedFrames
	files, _ := pilot.Files(filepath.Join(dir, "pilot"))
	if record {
		sum, err := pilot.Replay(files, nil, pilot.Visitor{})
		if err != nil || sum.Differs > 0 || sum.Frames < recordedFrames {
			return 0, 0, fmt.Errorf("the recording: %+v, %v", sum, err)
		}
		for _, path := range files {
			n, err := pilot.RecordBytes(path)
			if err != nil {
				return 0, 0, err
			}
			bytes += float64(n)
		}
		bytes /= float64(sum.Frames)
	}
	return ms, bytes, nil
}
