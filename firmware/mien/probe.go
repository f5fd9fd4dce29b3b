package main

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"mien/board"
	"mien/drivers/camera"
	"mien/drivers/camera/v4l2"
	"mien/drivers/gpio"
	"mien/drivers/serial"
	"mien/firmware/alarm"
	"mien/model/assets"
	"mien/model/pixel"
	"mien/model/tflite"
)

// found is what probe prints.
type found struct {
	Board        string             `json:"board"`
	Notes        []string           `json:"notes,omitempty"`
	Cameras      []foundCamera      `json:"cameras"`
	CSI          []foundCSI         `json:"csi_cameras,omitempty"`
	Others       []foundCamera      `json:"other_video_nodes,omitempty"`
	Chips        []foundChip        `json:"gpio_chips"`
	Ports        []foundPort        `json:"serial_ports"`
	Accelerators []foundAccelerator `json:"accelerators"`
	Problems     map[string]string  `json:"problems,omitempty"` // why nothing of a kind was found
	Library      map[string]string  `json:"libraries"`
	Sensors      map[string]float64 `json:"sensors,omitempty"`
}

type foundCamera struct {
	Name     string   `json:"name"`
	Device   string   `json:"device"`
	Is       string   `json:"is,omitempty"`      // what a node is that is no camera
	Summary  string   `json:"summary,omitempty"` // of the formats
	Formats  []string `json:"formats,omitempty"`
	Controls []string `json:"controls,omitempty"`
	Holders  []string `json:"in_use_by,omitempty"`
	Shared   string   `json:"name_shared_with_another,omitempty"`
	Problem  string   `json:"problem,omitempty"`
}

type foundChip struct {
	Name    string      `json:"name"`
	Label   string      `json:"label"`
	Count   int         `json:"lines"`
	Lines   []foundLine `json:"each_line"`
	Problem string      `json:"problem,omitempty"`
}

type foundLine struct {
	Number   int      `json:"number"`
	Name     string   `json:"name,omitempty"`
	Pin      int      `json:"header_pin,omitempty"`
	Consumer string   `json:"taken_by,omitempty"`
	Mind     []string `json:"mind,omitempty"` // before it is wired as an output
}

type foundPort struct {
	Device  string `json:"device"`
	Best    string `json:"best"`
	Driver  string `json:"driver,omitempty"`
	Product string `json:"product,omitempty"`
	Console bool   `json:"console,omitempty"`
	Shared  bool   `json:"name_shared_with_another,omitempty"`
	Board   string `json:"board,omitempty"` // what the board's table says of it
}

type foundAccelerator struct {
	Name    string `json:"name"`
	Path    string `json:"path"`
	Problem string `json:"problem,omitempty"`
}

func probe(c *call) error {
	all := c.Bool("v", false, "list every format, size and control of the cameras, every GPIO line, and the video nodes that are no cameras")
	if err := c.options(0); err != nil {
		return err
	}
	f := look("/")
	if *c.json {
		return c.printJSON(f)
	}
	return f.print(c.out, *all)
}

// look gathers what is here; root is where board, accelerators and sensors are
// read. What cannot be read stands in its place as a problem: probe is what people
// run when something is wrong.
func look(root string) *found {
	f := &found{Cameras: []foundCamera{}, Chips: []foundChip{}, Ports: []foundPort{}, Accelerators: []foundAccelerator{},
		Problems: map[string]string{}, Library: map[string]string{}, Sensors: map[string]float64{}}
	b, err := board.Detect(root)
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
	f.csi(root, b)
	f.cameras(b)
	f.chips(b)
	f.ports(b)
	for _, a := range board.Accelerators(root) {
		one := foundAccelerator{Name: a.Name, Path: a.Path, Problem: a.Note}
		if _, err := tflite.ProbeEdgeTPU(""); err != nil && one.Problem == "" {
			one.Problem = err.Error()
		}
		f.Accelerators = append(f.Accelerators, one)
	}
	for _, name := range []string{assets.LiteRT, assets.TFLiteC, assets.FaceShort, assets.FaceFullRange} {
		path, err := assets.Find(name)
		if err != nil {
			path = "missing"
		} else if err := assets.Check(name, path); err != nil {
			path = err.Error()
		}
		f.Library[name] = path
	}
	decoder := pixel.NewDecoder("")
	f.Library["motion JPEG"] = decoder.Backend()
	decoder.Close()
	sensors := board.NewSensors(root, b.Board)
	if t, ok := sensors.Temperature(); ok {
		f.Sensors["temperature_celsius"] = t
	}
	return f
}

func (f *found) cameras(b board.Unit) {
	cameras, err := v4l2.List()
	for _, d := range cameras {
		one := foundCamera{Name: d.Name, Device: d.Node, Is: d.Other, Summary: summarise(d.Formats), Holders: d.Holders, Shared: d.Shared}
		if len(d.Links) > 0 {
			one.Device = d.Links[0]
		}
		for _, format := range d.Formats {
			one.Formats = append(one.Formats, describeFormat(format))
		}
		for _, c := range d.Controls {
			one.Controls = append(one.Controls, describeControl(&c))
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
	if len(f.Cameras) == 0 {
		why := "plug one in"
		if err != nil {
			why = err.Error()
		}
		f.Problems["camera"] = why
		if len(f.CSI) == 0 {
			f.Problems["camera"] += "; " + csiWay(b)
		}
	}
}

func (f *found) chips(b board.Unit) {
	chips, err := gpio.Kernel.Chips()
	if err != nil {
		f.Problems["gpio"] = err.Error()
	}
	for _, chip := range chips {
		f.Chips = append(f.Chips, describeChip(chip, b))
	}
}

// describeChip adds to what the kernel says of a chip what the board's table knows.
func describeChip(chip gpio.Chip, b board.Unit) foundChip {
	one := foundChip{Name: chip.Name, Label: chip.Label, Count: len(chip.Lines), Lines: []foundLine{}}
	for _, l := range chip.Lines {
		line := foundLine{Number: l.Offset, Name: l.Name}
		if at := b.At(chip.Label, l.Offset); at.Pin.Number > 0 {
			line.Pin, line.Mind = at.Pin.Number, at.Warnings(true)
			if line.Name == "" {
				line.Name = at.Pin.Name
			}
		}
		if l.Used {
			line.Consumer = l.Consumer
			if line.Consumer == "" {
				line.Consumer = "a kernel driver"
			}
		}
		one.Lines = append(one.Lines, line)
	}
	if chip.Err != nil {
		one.Problem = chip.Err.Error()
	}
	return one
}

func (f *found) ports(b board.Unit) {
	ports, err := serial.List() // no /sys is no port
	if err != nil {
		f.Problems["serial"] = err.Error()
	}
	for _, p := range ports {
		one := foundPort{Device: p.Path, Best: p.Best(), Driver: p.Driver, Product: p.Product, Console: p.Console, Shared: p.Shared}
		if b.Board != nil {
			for _, s := range b.Serial {
				if s.Path == p.Path {
					one.Board = strings.TrimSuffix("pins "+s.Pins+". "+s.Notes, " ")
				}
			}
		}
		f.Ports = append(f.Ports, one)
	}
	if b.Board == nil {
		return
	}
	for _, s := range b.Serial { // the one to take may have to be switched on
		if s.Use && !slices.ContainsFunc(f.Ports, func(p foundPort) bool { return p.Device == s.Path }) {
			f.Notes = append(f.Notes, fmt.Sprintf("%s, the port to take, is not there: pins %s. %s", s.Path, s.Pins, s.Notes))
		}
	}
}

// summarise tells a camera's formats in half a line.
func summarise(list []v4l2.Format) string {
	var names []string
	var least, most v4l2.Size
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
				most = v4l2.Size{Width: w, Height: h}
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
		parts = append(parts, alarm.Count(unread, "format")+" that mien does not read")
	}
	return strings.Join(parts, "; ")
}

func describeFormat(f v4l2.Format) string {
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

// describeControl tells a control as camera.controls has it: its name, its value now,
// and what it may be.
func describeControl(c *v4l2.Control) string {
	text := fmt.Sprintf("%s = %d  (%s", c.Name, c.Value, c.Range())
	if c.Preset != c.Value {
		text += fmt.Sprintf("; %d by default", c.Preset)
	}
	if c.Inactive {
		text += "; held by an automatic"
	}
	return text + ")"
}

func (f *found) print(w io.Writer, all bool) error {
	fmt.Fprintln(w, "board    ", f.Board)
	for _, n := range f.Notes {
		if n != "" {
			fmt.Fprintln(w, "         ", n)
		}
	}
	for _, d := range f.Cameras {
		line := strings.TrimSpace(d.Device + " " + d.Name)
		if !all && d.Summary != "" {
			line += ": " + d.Summary
		}
		fmt.Fprintln(w, "camera   ", line)
		if all {
			for _, format := range d.Formats {
				fmt.Fprintln(w, "           ", format)
			}
			for _, control := range d.Controls {
				fmt.Fprintln(w, "            control", control)
			}
		}
		if d.Shared != "" {
			fmt.Fprintf(w, "            another camera of its kind would have the name %s too: name it by its socket, as above\n", filepath.Base(d.Shared))
		}
		if len(d.Holders) > 0 {
			fmt.Fprintln(w, "            in use by", strings.Join(d.Holders, ", "))
		}
		if d.Problem != "" {
			fmt.Fprintln(w, "            not usable:", d.Problem)
		}
	}
	if len(f.Cameras) == 0 {
		fmt.Fprintln(w, "camera    none:", f.Problems["camera"])
	}
	for _, c := range f.CSI {
		fmt.Fprintf(w, "csi       %s at %s\n", c.Sensor, c.At)
		if len(c.Command) > 0 {
			fmt.Fprintln(w, "            in the config, below [camera]:", c.line())
		}
		if c.Problem != "" {
			fmt.Fprintln(w, "            not usable as it is:", c.Problem)
		}
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
		fmt.Fprintf(w, "gpio      %s label %q, %s\n", chip.Name, chip.Label, alarm.Count(chip.Count, "line"))
		for _, l := range chip.Lines {
			if all || l.Consumer != "" {
				fmt.Fprintln(w, "           ", l)
			}
		}
		if chip.Problem != "" {
			fmt.Fprintln(w, "            problem:", chip.Problem)
		}
	}
	if len(f.Chips) == 0 {
		fmt.Fprintln(w, strings.TrimSpace("gpio      no chip "+f.Problems["gpio"]))
	}
	for _, p := range f.Ports {
		fmt.Fprintln(w, "serial   ", p)
	}
	if len(f.Ports) == 0 {
		fmt.Fprintln(w, strings.TrimSpace("serial    no port "+f.Problems["serial"]))
	}
	for _, a := range f.Accelerators {
		fmt.Fprintf(w, "edge tpu  %s, %s: model.accelerator = \"edgetpu\" uses it\n", a.Name, a.Path)
		if a.Problem != "" {
			fmt.Fprintln(w, "            problem:", a.Problem)
		}
	}
	if len(f.Accelerators) == 0 {
		fmt.Fprintln(w, "edge tpu  none: the processor computes")
	}
	for _, name := range []string{assets.LiteRT, assets.TFLiteC, assets.FaceShort, assets.FaceFullRange, "motion JPEG"} {
		fmt.Fprintf(w, "library   %s: %s\n", name, f.Library[name])
	}
	for name, value := range f.Sensors {
		fmt.Fprintf(w, "sensor    %s %.1f\n", name, value)
	}
	return nil
}

// String is a line as people read it: "17 GPIO17, header pin 11".
func (l foundLine) String() string {
	text := strings.TrimRight(fmt.Sprintf("%3d %s", l.Number, l.Name), " ")
	if l.Pin > 0 {
		text += fmt.Sprintf(", header pin %d", l.Pin)
	}
	if l.Consumer != "" {
		text += ", taken by " + l.Consumer
	}
	if len(l.Mind) > 0 {
		text += "; " + strings.Join(l.Mind, "; ")
	}
	return text
}

// String is a port as people read it, by the name to put into a config.
func (p foundPort) String() string {
	text := p.Best
	if p.Best != p.Device {
		text += " (" + p.Device + ")"
	}
	if p.Product != "" {
		text += ", " + p.Product
	}
	if p.Driver != "" {
		text += ", driver " + p.Driver
	}
	if p.Shared {
		text += "; another adapter of its kind would have the same name by-id: name it by its socket, as here"
	}
	if p.Console {
		text += "; the system's console talks on it: free it first"
	}
	if p.Board != "" {
		text += "; " + p.Board
	}
	return text
}
