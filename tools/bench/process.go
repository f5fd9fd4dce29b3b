package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"mien/drivers/camera"
	"mien/drivers/gpio"
	"mien/firmware/config"
	"mien/firmware/pipeline"
)

// latencyConfig makes the lamp follow every frame.
const latencyConfig = `
[filter]
kind = "none"
[health]
frozen = "1h"
[[alarm]]
name = "frown"
signal = "au4"
high = 0.7
deadband = 0.05
on_delay = "0s"
off_delay = "0s"
acknowledge = false
[[output]]
name = "lamp"
chip = "bench"
line = 0
function = "lamp"
`

// latency shows a neutral and a frowning face in turn at 15 frames a second and
// measures from each frame's timestamp to the edge of the lamp that it caused.
func latency(f figures, c *clip) error {
	const neutral, frown, frames = 10, 60, 240
	cfg, err := config.Parse("latency.toml", []byte(latencyConfig))
	if err != nil {
		return err
	}
	chip := gpio.NewFake(gpio.FakeChip{Label: "bench", Lines: []string{"lamp"}})
	cam := &camera.Fake{Format: camera.YUYV, Width: c.Width, Height: c.Height, Period: time.Second / 15}
	for i := 0; i < 10; i += 2 { // a few pictures in turn would be a frozen camera
		cam.Pictures = append(cam.Pictures, c.Raws[neutral+i], c.Raws[neutral+i+1], c.Raws[frown+i], c.Raws[frown+i+1])
	}
	ctx, stop := context.WithTimeout(context.Background(), frames*time.Second/15)
	defer stop()
	src := &stamped{}
	unit, err := pipeline.New(pipeline.Options{Config: cfg, Resolve: resolve, Host: chip,
		OpenSource: func(config.Camera) (camera.Source, error) {
			s, err := cam.Open()
			src.Source = s
			return src, err
		}})
	if err != nil {
		return err
	}
	if err := unit.Run(ctx); err != nil {
		return err
	}
	var ms []float64
	for _, change := range chip.Changes() {
		last := time.Duration(0)
		for _, at := range src.times {
			if at <= change.At {
				last = at
			}
		}
		if last > 0 && change.At-last < time.Second/15 {
			ms = append(ms, float64(change.At-last)/1e6)
		}
	}
	if len(ms) < 20 {
		return fmt.Errorf("latency: only %d edges in %d frames", len(ms), frames)
	}
	f["frame_to_output_p50_ms"], f["frame_to_output_p99_ms"] = quantile(ms, 0.5), quantile(ms, 0.99)
	fmt.Printf("frame to output: p50 %.1f ms, p99 %.1f ms over %d edges\n", quantile(ms, 0.5), quantile(ms, 0.99), len(ms))
	return nil
}

// stamped notes the timestamps of the frames that go by.
type stamped struct {
	camera.Source
	times []time.Duration
}

func (s *stamped) Next(timeout time.Duration) (*camera.Frame, error) {
	f, err := s.Source.Next(timeout)
	if err == nil {
		s.times = append(s.times, f.Time)
	}
	return f, err
}

var firstResult = regexp.MustCompile(`first result \S+ after the start`)

// process starts the binary on its demo clip: time to the first result, from
// the start of the process, and resident memory after ten seconds.
func process(f figures, mien string) error {
	if _, err := os.Stat(mien); err != nil {
		fmt.Printf("start and memory: not measured: %v (make build)\n", err)
		return nil
	}
	var starts, rss []float64
	for range 5 {
		began := time.Now()
		cmd := exec.Command(mien, "demo", "-log", "-serial", os.TempDir()+"/mien-bench-serial")
		cmd.Stdout = nil
		pipe, err := cmd.StderrPipe()
		if err != nil {
			return err
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		lines := bufio.NewScanner(pipe)
		seen := false
		for lines.Scan() {
			if firstResult.MatchString(lines.Text()) {
				starts = append(starts, float64(time.Since(began))/1e6)
				seen = true
				break
			}
		}
		if !seen {
			cmd.Wait()
			return errors.New("the demo gave no first result")
		}
		time.Sleep(3 * time.Second)
		kb, err := resident(cmd.Process.Pid)
		cmd.Process.Signal(os.Interrupt)
		for lines.Scan() {
		}
		cmd.Wait()
		if err != nil {
			return err
		}
		rss = append(rss, float64(kb)/1024)
	}
	f["start_ms"], f["rss_mb"] = median(starts), median(rss)
	fmt.Printf("start_ms %.0f  rss_mb %.1f\n", median(starts), median(rss))
	return nil
}

// resident reads VmRSS in KiB.
func resident(pid int) (int, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for _, l := range strings.Split(string(status), "\n") {
		if rest, ok := strings.CutPrefix(l, "VmRSS:"); ok {
			return strconv.Atoi(strings.Fields(rest)[0])
		}
	}
	return 0, errors.New("no VmRSS in /proc")
}
