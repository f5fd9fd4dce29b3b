package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"mien/drivers/camera"
	"mien/firmware/config"
	"mien/firmware/pipeline"
	"mien/firmware/state"
	"mien/model/face"
)

// sceneSignals are the signals that the first alarms are made of.
var sceneSignals = []string{"au4", "au12", "au26", "eyes_closed"}

// scenes shows each JPEG of a folder to an eye of its own, as a still picture for half
// a second, and writes a row of CSV for what the unit makes of it with the default
// config: whether a face is found, the width of its box in pixels, why it cannot be
// read (empty: it can), estimated yaw and pitch in degrees, mean luma of the face, which
// parts are covered, levels (empty: Unknown), and what Aim would say ("closer 40; lower 20").
func scenes(folder string, out io.Writer) error {
	list, err := filepath.Glob(filepath.Join(folder, "*.jpg"))
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("no .jpg in %s", folder)
	}
	if err != nil {
		return err
	}
	w := csv.NewWriter(out)
	w.Write(append([]string{"file", "found", "width", "reason", "yaw", "pitch", "luma", "covered"}, append(sceneSignals, "advice")...))
	for _, path := range list {
		row, err := scene(path)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		w.Write(row)
	}
	w.Flush()
	return w.Error()
}

func scene(path string) ([]string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	eye, err := pipeline.OpenEye(config.Default())
	if err != nil {
		return nil, err
	}
	defer eye.Close()
	var s *pipeline.Sight
	for n := range frames {
		f := camera.Frame{Format: camera.MJPEG, Data: data, Sequence: uint32(n), Time: time.Duration(n) * time.Second / 15}
		if s, err = eye.Look(&f); err != nil {
			return nil, err
		}
	}
	reason := ""
	if s.Reason != face.Good {
		reason = s.Reason.String()
	}
	number := func(v float32) string {
		if v != v {
			return ""
		}
		return strconv.FormatFloat(float64(v), 'f', 3, 32)
	}
	row := []string{filepath.Base(path), strconv.FormatBool(s.View.Found), number(s.View.Face.Box.Width()), reason,
		number(s.Quality.Yaw), number(s.Quality.Pitch), number(s.Quality.Light.Mean), strconv.Itoa(int(s.Covered))}
	for _, name := range sceneSignals {
		row = append(row, number(s.Levels[slices.Index(eye.Signals(), name)]))
	}
	aim := s.Aim()
	var advice []string
	for _, a := range aim.Advise(&state.About{Gate: pipeline.GateOf(config.Default())}, nil) {
		advice = append(advice, fmt.Sprintf("%v %.0f", a.Do, a.By))
	}
	return append(row, strings.Join(advice, "; ")), nil
}
