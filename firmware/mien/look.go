package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"

	"mien/board"
	"mien/drivers/camera"
	"mien/drivers/gpio"
	"mien/drivers/serial"
	"mien/firmware/config"
	"mien/firmware/modbus"
	"mien/firmware/pipeline"
	"mien/model/affect"
	"mien/model/assets"
	"mien/model/pixel"
)

// configSignals are the signals of the network that a config names, as its
// check takes them.
func configSignals(cfg *config.Config) ([]config.Signal, error) {
	cards, _, err := pipeline.Cards(cfg.Model)
	if err != nil {
		return nil, err
	}
	var list []config.Signal
	for _, name := range affect.Signals(cards...) {
		info, _ := affect.Describe(name, cards...)
		list = append(list, config.Signal{Name: name, Min: float64(info.Min), Max: float64(info.Max), Weak: info.Weak})
	}
	return list, nil
}

// configArgument is the config that a command is about.
func (c *call) configArgument() string {
	if c.NArg() == 1 {
		return c.Arg(0)
	}
	return defaultConfig
}

func check(c *call) error {
	strict := c.Bool("strict", false, "warnings are mistakes too")
	if err := c.options(1); err != nil {
		return err
	}
	path := c.configArgument()
	data, err := os.ReadFile(path)
	if err != nil {
		return coded{err, exitMissing}
	}
	cfg, found, unread := config.Examine(path, data, configSignals)
	if cfg != nil {
		found = append(found, pipeline.SameLines(cfg)...)
	}
	if *c.json {
		if err := c.printJSON(found); err != nil {
			return err
		}
	} else {
		for _, p := range found {
			fmt.Fprintln(c.out, p)
		}
	}
	if unread != nil {
		return coded{unread, exitConfig}
	}
	wrong := len(found.Errors())
	if wrong > 0 || *strict && len(found) > 0 {
		return coded{fmt.Errorf("%s: %d mistakes, %d warnings", path, wrong, len(found)-wrong), exitConfig}
	}
	if !*c.json {
		fmt.Fprintf(c.out, "%s is right: %d alarms, %d outputs, %d inputs; %d warnings\n", path, len(cfg.Alarms), len(cfg.Outputs), len(cfg.Inputs), len(found))
	}
	return nil
}

// found is what probe prints.
type found struct {
	Board   string             `json:"board"`
	Notes   []string           `json:"notes,omitempty"`
	Cameras []foundCamera      `json:"cameras"`
	Others  []foundCamera      `json:"other_video_nodes,omitempty"`
	Chips   []foundChip        `json:"gpio_chips"`
	Ports   []foundPort        `json:"serial_ports"`
	Library map[string]string  `json:"libraries"`
	Sensors map[string]float64 `json:"sensors,omitempty"`
}

type foundCamera struct {
	Name    string   `json:"name"`
	Device  string   `json:"device"`
	Is      string   `json:"is,omitempty"`      // what a node is that is no camera
	Summary string   `json:"summary,omitempty"` // of the formats
	Formats []string `json:"formats,omitempty"`
	Problem string   `json:"problem,omitempty"`
}

type foundChip struct {
	Name    string   `json:"name"`
	Label   string   `json:"label"`
	Lines   int      `json:"lines"`
	Taken   []string `json:"taken,omitempty"`
	Problem string   `json:"problem,omitempty"`
}

type foundPort struct {
	Device string `json:"device"`
	Best   string `json:"best"`
	Driver string `json:"driver,omitempty"`
}

func probe(c *call) error {
	all := c.Bool("v", false, "list every format and size of the cameras, and the video nodes that are none")
	if err := c.options(0); err != nil {
		return err
	}
	f := look()
	if *c.json {
		return c.printJSON(f)
	}
	return f.print(c.out, *all)
}

// look gathers what is here. What cannot be read stands in its place as a
// problem: probe is what people run when something is wrong.
func look() *found {
	f := &found{Library: map[string]string{}, Sensors: map[string]float64{}}
	b, err := board.Detect("/")
	switch {
	case err != nil:
		f.Board = err.Error()
		if b.Model != "" {
			f.Board = b.Model + ": " + f.Board
		}
	default:
		f.Board = b.Model + " (" + b.Name + ")"
		f.Notes = append([]string{b.USB, b.Accelerator, b.Watchdog}, b.Notes...)
	}
	cameras, err := camera.List()
	if err != nil {
		f.Cameras = append(f.Cameras, foundCamera{Problem: err.Error()})
	}
	for _, d := range cameras {
		one := foundCamera{Name: d.Name, Device: d.Node, Is: d.Other, Summary: summarise(d.Formats)}
		if len(d.Links) > 0 {
			one.Device = d.Links[0]
		}
		for _, format := range d.Formats {
			one.Formats = append(one.Formats, describeFormat(format))
		}
		if d.Problem != nil {
			one.Problem = d.Problem.Error()
		}
		if d.Other != "" {
			f.Others = append(f.Others, one)
			continue
		}
		f.Cameras = append(f.Cameras, one)
	}
	chips, err := gpio.Kernel.Chips()
	if err != nil {
		f.Chips = append(f.Chips, foundChip{Problem: err.Error()})
	}
	for _, chip := range chips {
		one := foundChip{Name: chip.Name, Label: chip.Label, Lines: len(chip.Lines)}
		for _, l := range chip.Lines {
			if l.Used {
				one.Taken = append(one.Taken, fmt.Sprintf("%d %s by %s", l.Offset, l.Name, l.Consumer))
			}
		}
		if chip.Err != nil {
			one.Problem = chip.Err.Error()
		}
		f.Chips = append(f.Chips, one)
	}
	ports, _ := serial.List() // no /sys is no port
	for _, p := range ports {
		f.Ports = append(f.Ports, foundPort{p.Path, p.Best(), p.Driver})
	}
	for _, name := range []string{assets.LiteRT, assets.TFLiteC, assets.FaceShort, assets.FaceFullRange} {
		path, err := assets.Find(name)
		if err != nil {
			path = "missing"
		}
		f.Library[name] = path
	}
	decoder := pixel.NewDecoder("")
	f.Library["motion JPEG"] = decoder.Backend()
	decoder.Close()
	sensors := board.NewSensors("/", b.Board)
	if t, ok := sensors.Temperature(); ok {
		f.Sensors["temperature_celsius"] = t
	}
	return f
}

// summarise tells a camera's formats in half a line.
func summarise(list []camera.Format) string {
	var names []string
	var least, most camera.Size
	unread, fps := 0, 0.0
	for _, f := range list {
		if !f.Usable {
			unread++
			continue
		}
		names = append(names, camera.FormatName(f.FourCC))
		for _, s := range f.Sizes {
			if least.Width == 0 || s.Width*s.Height < least.Width*least.Height {
				least = s
			}
			// A range whose bounds are not known counts by its least size.
			if w, h := max(s.MaxWidth, s.Width), max(s.MaxHeight, s.Height); w*h > most.Width*most.Height {
				most = camera.Size{Width: w, Height: h}
			}
			for _, rate := range s.FPS {
				fps = max(fps, rate)
			}
		}
	}
	var parts []string
	if len(names) > 0 {
		parts = append(parts, strings.Join(names, " "))
	}
	if most.Width > 0 {
		size := fmt.Sprintf("%dx%d", least.Width, least.Height)
		if most.Width*most.Height > least.Width*least.Height {
			size += fmt.Sprintf(" to %dx%d", most.Width, most.Height)
		}
		parts = append(parts, size)
	}
	if fps > 0 {
		parts = append(parts, fmt.Sprintf("up to %g frames/s", fps))
	}
	if unread > 0 {
		parts = append(parts, fmt.Sprintf("%d formats that mien does not read", unread))
	}
	return strings.Join(parts, "; ")
}

func describeFormat(f camera.Format) string {
	text := camera.FormatName(f.FourCC)
	if !f.Usable {
		return text + " (not usable)"
	}
	var sizes []string
	for _, s := range f.Sizes {
		size := fmt.Sprintf("%dx%d", s.Width, s.Height)
		if s.MaxWidth > s.Width {
			size += fmt.Sprintf(" to %dx%d", s.MaxWidth, s.MaxHeight)
		}
		if len(s.FPS) > 0 {
			size += fmt.Sprintf("@%g", s.FPS[0])
		}
		sizes = append(sizes, size)
	}
	return text + " " + strings.Join(sizes, ", ")
}

func (f *found) print(w io.Writer, all bool) error {
	fmt.Fprintln(w, "board    ", f.Board)
	for _, n := range f.Notes {
		if n != "" {
			fmt.Fprintln(w, "         ", n)
		}
	}
	for _, d := range f.Cameras {
		if d.Device == "" { // what looking for cameras came to
			fmt.Fprintln(w, "camera   ", d.Problem)
			continue
		}
		line := strings.TrimSpace(d.Device + " " + d.Name)
		if !all && d.Summary != "" {
			line += ": " + d.Summary
		}
		fmt.Fprintln(w, "camera   ", line)
		if all {
			for _, format := range d.Formats {
				fmt.Fprintln(w, "           ", format)
			}
		}
		if d.Problem != "" {
			fmt.Fprintln(w, "            not usable:", d.Problem)
		}
	}
	if len(f.Cameras) == 0 {
		fmt.Fprintln(w, "camera    none: plug one in; a CSI camera needs a libcamera bridge (docs/integration.md)")
	}
	var others []string
	for _, d := range f.Others {
		others = append(others, fmt.Sprintf("%s (%s)", d.Device, d.Is))
		if all {
			fmt.Fprintf(w, "video     %s\n            %s\n", strings.TrimSpace(d.Device+" "+d.Name), d.Problem)
		}
	}
	if len(others) > 0 && !all {
		fmt.Fprintln(w, "video     no cameras:", strings.Join(others, ", "))
	}
	for _, chip := range f.Chips {
		fmt.Fprintf(w, "gpio      %s label %q, %d lines\n", chip.Name, chip.Label, chip.Lines)
		for _, taken := range chip.Taken {
			fmt.Fprintln(w, "            taken:", taken)
		}
		if chip.Problem != "" {
			fmt.Fprintln(w, "            problem:", chip.Problem)
		}
	}
	if len(f.Chips) == 0 {
		fmt.Fprintln(w, "gpio      no chip")
	}
	for _, p := range f.Ports {
		fmt.Fprintf(w, "serial    %s (%s) %s\n", p.Best, p.Device, p.Driver)
	}
	if len(f.Ports) == 0 {
		fmt.Fprintln(w, "serial    no port")
	}
	for _, name := range []string{assets.LiteRT, assets.TFLiteC, assets.FaceShort, assets.FaceFullRange, "motion JPEG"} {
		fmt.Fprintf(w, "library   %s: %s\n", name, f.Library[name])
	}
	for name, value := range f.Sensors {
		fmt.Fprintf(w, "sensor    %s %.1f\n", name, value)
	}
	return nil
}

func registers(c *call) error {
	csv := c.Bool("csv", false, "as comma-separated values")
	markdown := c.Bool("markdown", false, "as Markdown (docs/registers.md)")
	tags := c.Bool("tags", false, "as a tag list for Node-RED, Ignition and the like")
	st := c.Bool("st", false, "as Structured Text for CODESYS and TwinCAT: constants and types")
	if err := c.options(0); err != nil {
		return err
	}
	switch {
	case *csv:
		return modbus.WriteCSV(c.out)
	case *markdown:
		return modbus.WriteMarkdown(c.out)
	case *tags:
		return modbus.WriteTags(c.out)
	case *st:
		return errors.Join(modbus.WriteStructuredTextConstants(c.out), modbus.WriteStructuredTextTypes(c.out))
	}
	return modbus.WriteText(c.out)
}

func writeVersion(w io.Writer, asJSON bool) error {
	exe, _ := os.Executable()
	goVersion := runtime.Version()
	if asJSON {
		_, err := fmt.Fprintf(w, "{\"version\": %q, \"go\": %q, \"os\": %q, \"arch\": %q}\n", version, goVersion, runtime.GOOS, runtime.GOARCH)
		return err
	}
	fmt.Fprintf(w, "mien %s, %s, %s/%s, %s\n", version, goVersion, runtime.GOOS, runtime.GOARCH, filepath.Base(exe))
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			fmt.Fprintf(w, "  %s %s\n", d.Path, d.Version)
		}
	}
	return nil
}
