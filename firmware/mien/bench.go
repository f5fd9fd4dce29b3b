package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"mien/drivers/camera"
	"mien/firmware/alarm"
	"mien/firmware/config"
	"mien/firmware/pipeline"
	"mien/model/face"
)

// benchmark is what `mien bench` prints.
type benchmark struct {
	Backends   []string `json:"backends"`
	Frames     int      `json:"frames"`
	Detections int      `json:"detections"`
	Median     float64  `json:"frame_ms_median"`
	P99        float64  `json:"frame_ms_p99"`
	Detecting  float64  `json:"detecting_frame_ms_median"`
	Rate       float64  `json:"frames_per_second_possible"`
}

// bench is `mien bench`: how fast is this machine? It takes the demo clip, or
// the config's own, through decoder, detector and networks as fast as it goes.
func bench(c *call) error {
	lasts := c.Duration("for", 5*time.Second, "how long to measure, as `TIME`")
	path, err := c.config("-", ", for its networks, backend and clip; - is the defaults and the demo clip")
	if err != nil {
		return err
	}
	cfg, _, err := loadConfig(path)
	if err != nil {
		return err
	}
	clip := cfg.Camera
	if clip.Clip == "" {
		clip.Clip = pipeline.DemoClip
	}
	clip.Loop, clip.Pace = true, config.FastPace
	src, err := pipeline.OpenSource(clip)
	if err != nil {
		return coded{err, exitMissing}
	}
	defer src.Close()
	b, err := measure(cfg, src, *lasts)
	if err != nil {
		return err
	}
	if *c.json {
		return c.printJSON(b)
	}
	for _, line := range b.Backends {
		fmt.Fprintln(c.out, line)
	}
	_, err = fmt.Fprintf(c.out, "%s: median %.2f ms, p99 %.2f ms; the %d that searched for faces: median %.2f ms\n"+
		"%.0f frames a second are possible on one core\n", alarm.Count(b.Frames, "frame"), b.Median, b.P99, b.Detections, b.Detecting, b.Rate)
	return err
}

func measure(cfg *config.Config, src camera.Source, lasts time.Duration) (*benchmark, error) {
	eye, err := pipeline.OpenEye(cfg)
	if err != nil {
		return nil, coded{err, exitConfig}
	}
	defer eye.Close()
	var all, detecting []float64
	total := time.Duration(0)
	for end := time.Now().Add(lasts); time.Now().Before(end) || len(all) == 0; {
		f, err := src.Next(time.Second)
		if err != nil {
			return nil, err
		}
		began := time.Now()
		sight, err := eye.Look(f)
		took := time.Since(began)
		src.Release()
		if err != nil && !errors.Is(err, pipeline.ErrPicture) {
			return nil, err
		}
		total += took
		all = append(all, float64(took)/1e6)
		if sight.View.Cause != face.NotDetected {
			detecting = append(detecting, float64(took)/1e6)
		}
	}
	b := &benchmark{Backends: eye.Backends(), Frames: len(all), Detections: len(detecting), Rate: float64(len(all)) / total.Seconds()}
	slices.Sort(all)
	slices.Sort(detecting)
	b.Median, b.P99 = all[len(all)/2], all[len(all)*99/100]
	if len(detecting) > 0 {
		b.Detecting = detecting[len(detecting)/2]
	}
	return b, nil
}
