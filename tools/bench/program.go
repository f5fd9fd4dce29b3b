package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"mien/drivers/camera"
	"mien/drivers/gpio"
	"mien/firmware/config"
	"mien/firmware/pipeline"
	"mien/tools/bench/reel"
)

// Frames of each run that are counted, behind programWarm, in real time.
const (
	programFrames = 300
	programWarm   = 60
	programRate   = 30 // frames a second
)

// programWord lets this program write a file's frames to its standard output, at that
// rate, again and again: it is the camera that is measured.
const programWord = "write-frames"

// writeFrames writes the frames of a file: its head once, then each part in turn.
func writeFrames(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var parts [][]byte
	if head, rest, ok := bytes.Cut(data, []byte("\n")); ok && bytes.HasPrefix(head, []byte("YUV4MPEG2")) {
		if _, err := os.Stdout.Write(append(head, '\n')); err != nil {
			return err
		}
		const length = len("FRAME\n") + reel.Width*reel.Height*3/2
		for ; len(rest) >= length; rest = rest[length:] {
			parts = append(parts, rest[:length])
		}
	} else {
		parts = bytes.SplitAfter(data, []byte{0xff, 0xd9})
		parts = parts[:len(parts)-1]
	}
	began := time.Now()
	for n := 0; ; n++ {
		time.Sleep(time.Until(began.Add(time.Duration(n) * time.Second / programRate)))
		if _, err := os.Stdout.Write(parts[n%len(parts)]); err != nil {
			return nil // whoever reads has gone
		}
	}
}

// programOverClip runs the whole unit on the same frames from a program and from the
// clip player, in turn and both in real time: YUV4MPEG2, then motion JPEG.
func programOverClip(f figures, c *clip, rounds int) error {
	dir, err := os.MkdirTemp("", "mien-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var y4m bytes.Buffer
	fmt.Fprintf(&y4m, "YUV4MPEG2 W%d H%d F%d:1 C420jpeg\n", reel.Width, reel.Height, programRate)
	for _, raw := range c.Raws {
		y4m.WriteString("FRAME\n")
		for i := range reel.Width * reel.Height {
			y4m.WriteByte(raw[2*i])
		}
		y4m.Write(bytes.Repeat([]byte{128}, reel.Width*reel.Height/2))
	}
	for _, kind := range []struct {
		name, file string
		data       []byte
	}{{"program_over_clip", "clip.y4m", y4m.Bytes()}, {"program_over_clip_mjpeg", "clip.mjpeg", bytes.Join(c.JPEGs, nil)}} {
		path := filepath.Join(dir, kind.file)
		if err := os.WriteFile(path, kind.data, 0o600); err != nil {
			return err
		}
		exe, err := os.Executable()
		if err != nil {
			return err
		}
		player := config.Camera{Clip: path, Loop: true, FPS: programRate}
		program := config.Camera{Command: []string{exe, programWord, path}}
		var ratio []float64
		for i := range rounds {
			clip, err := sourceCost(player)
			if err != nil {
				return err
			}
			command, err := sourceCost(program)
			if err != nil {
				return err
			}
			ratio = append(ratio, command/clip)
			fmt.Printf("round %d, %s: from a program %.3f ms a frame, from the clip player %.3f\n", i+1, kind.file, command, clip)
		}
		f[kind.name] = median(ratio)
		fmt.Printf("%s %.4f\n", kind.name, f[kind.name])
	}
	return nil
}

// counting ends a source after so many frames, and calls at with each number before.
type counting struct {
	camera.Source
	n  int
	at func(n int) error
}

func (c *counting) Next(timeout time.Duration) (*camera.Frame, error) {
	if err := c.at(c.n); err != nil {
		return nil, err
	}
	f, err := c.Source.Next(timeout)
	if err == nil {
		c.n++
	}
	return f, err
}

// sourceCost is the processor time a frame in ms of a unit with that camera. What the
// program itself takes is another process's.
func sourceCost(from config.Camera) (ms float64, err error) {
	cfg, err := config.Parse("bench.toml", []byte(benchConfig))
	if err != nil {
		return 0, err
	}
	src, err := pipeline.OpenSource(from)
	if err != nil {
		return 0, err
	}
	defer src.Close()
	var began, took time.Duration
	counted := &counting{Source: src, at: func(n int) error {
		switch {
		case n == programWarm && began == 0:
			began = cpu()
		case n == programWarm+programFrames:
			took = cpu() - began
			return camera.ErrEnd
		}
		return nil
	}}
	unit, err := pipeline.New(pipeline.Options{Config: cfg, Resolve: resolve,
		Host:       gpio.NewFake(gpio.FakeChip{Label: "bench", Lines: make([]string, 4)}),
		OpenSource: func(config.Camera) (camera.Source, error) { return counted, nil }})
	if err != nil {
		return 0, err
	}
	if err := unit.Run(context.Background()); err != nil {
		return 0, err
	}
	if n := src.Info().Counts; n.Lost > programFrames/20 {
		return 0, fmt.Errorf("%d frames were lost: this machine is too busy to measure", n.Lost)
	}
	return float64(took) / 1e6 / programFrames, nil
}
