package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"mien/board"
	"mien/drivers/camera"
	"mien/drivers/camera/v4l2"
	"mien/firmware/alarm"
	"mien/firmware/config"
	"mien/firmware/modbus/export"
	"mien/firmware/pipeline"
	"mien/model/affect"
	"mien/model/assets"
	"mien/model/tflite"
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

// config declares the option that names a config, which may also stand alone behind
// the command, parses the command line, and gives the config's path.
func (c *call) config(usual, meaning string) (string, error) {
	path := c.String("config", usual, "config `FILE`"+meaning+"; the name alone does too")
	if err := c.options(1); err != nil {
		return "", err
	}
	switch {
	case c.NArg() == 0:
		return *path, nil
	case c.given("config") && c.Arg(0) != *path:
		return "", usageError(fmt.Sprintf("two configs are named: %s and %s", *path, c.Arg(0)))
	}
	return c.Arg(0), nil
}

func check(c *call) error {
	strict := c.Bool("strict", false, "warnings are mistakes too")
	path, err := c.config(defaultConfig, "")
	if err != nil {
		return err
	}
	data, err := readConfig(path)
	if err != nil {
		return err
	}
	cfg, found, unread := config.Examine(path, data, configSignals)
	if cfg != nil {
		found = append(found, wiring(cfg)...)
		found = append(found, notHere(cfg)...)
	}
	if *c.json {
		if err := c.printJSON(append(config.Problems{}, found...)); err != nil { // [], not null
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
		return coded{fmt.Errorf("%s: %s, %s", path, alarm.Count(wrong, "mistake"), alarm.Count(len(found)-wrong, "warning")), exitConfig}
	}
	if !*c.json {
		fmt.Fprintf(c.out, "%s is right: %s, %s, %s; %s\n", path, alarm.Count(len(cfg.Alarms), "alarm"),
			alarm.Count(len(cfg.Outputs), "output"), alarm.Count(len(cfg.Inputs), "input"), alarm.Count(len(found), "warning"))
	}
	return nil
}

// notHere warns of devices and files that a config names and this machine lacks, or
// cannot use: it may be checked on another machine than its own. It warns too of a
// library that mien was not made with.
func notHere(cfg *config.Config) (list config.Problems) {
	warn := func(key string, err error) {
		if err == nil {
			return
		}
		p := cfg.Problem(config.KeyError{Key: key, Err: err})
		p.Warning = true
		list = append(list, p)
	}
	switch clip := cfg.Camera.Clip; {
	case clip == pipeline.DemoClip:
	case clip != "":
		warn("camera.clip", played(cfg.Camera))
	case len(cfg.Camera.Command) > 0:
		if _, err := exec.LookPath(cfg.Camera.Command[0]); err != nil {
			warn("camera.command", fmt.Errorf("not on this machine: %w", err))
		}
	case cfg.Camera.Device != "auto":
		warn("camera.device", hasDevice(cfg.Camera.Device, "a clip's file is named by camera.clip", camerasHere))
		fallthrough
	default:
		for name, why := range wrongControls(cfg.Camera) {
			warn("camera.controls."+name, why)
		}
	}
	if s := cfg.Serial; s.Device != "" && s.Protocol != config.NoProtocol {
		warn("serial.device", hasDevice(s.Device, "name a serial port", portsHere))
	}
	if d := cfg.Watchdog.Device; d != "off" && d != "auto" {
		warn("watchdog.device", hasDevice(d, "name a watchdog", func() []string { return nil }))
	}
	if path := cfg.Model.Library; path != "" {
		_, err := os.Stat(path)
		switch {
		case err != nil:
			err = fmt.Errorf("not on this machine: %w", err)
		case !assets.KnownFile(path):
			err = fmt.Errorf("%s is not a library that mien was made with: it is tried before it is used, and then trusted with all that the unit may do", path)
		}
		warn("model.library", err)
	}
	return list
}

// wrongControls compares the controls that a config sets with those of its camera, where
// that is here.
func wrongControls(c config.Camera) map[string]error {
	wrong := map[string]error{}
	if len(c.Controls) == 0 {
		return wrong
	}
	devices, _ := v4l2.List() // none here is no mistake of the config
	for _, d := range devices {
		same := func(link string) bool { return link == c.Device || filepath.Base(link) == c.Device }
		if d.Problem != nil || c.Device != "auto" && d.Node != c.Device && !slices.ContainsFunc(d.Links, same) {
			continue
		}
		for name, value := range c.Controls {
			control, err := v4l2.FindControl(d.Controls, name)
			if err == nil {
				err = control.Takes(value)
			}
			if err != nil {
				wrong[name] = err
			}
		}
		break
	}
	return wrong
}

// hasDevice says why there is no device of that name, and which there are.
func hasDevice(path, instead string, here func() []string) error {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.Mode()&os.ModeCharDevice == 0:
		return fmt.Errorf("%s is no device: %s", path, instead)
	case err == nil || !errors.Is(err, os.ErrNotExist): // what may not be looked at may be there
		return nil
	}
	if names := here(); len(names) > 0 {
		return fmt.Errorf("not on this machine: %w; there are %s (mien probe tells more)", err, strings.Join(names, ", "))
	}
	return fmt.Errorf("not on this machine, which has none: %w; mien probe tells more", err)
}

// camerasHere lists the cameras by the names to put into a config.
func camerasHere() (names []string) {
	f := found{Problems: map[string]string{}}
	f.cameras(board.Unit{})
	for _, c := range f.Cameras {
		names = append(names, c.Device)
	}
	return names
}

// portsHere lists the serial ports likewise.
func portsHere() (names []string) {
	f := found{Problems: map[string]string{}}
	f.ports(board.Unit{})
	for _, p := range f.Ports {
		names = append(names, p.Best)
	}
	return names
}

// compressed are the endings of video files that are not played.
var compressed = []string{".mp4", ".m4v", ".mov", ".mkv", ".avi", ".webm", ".wmv", ".ts", ".mts", ".mpg", ".mpeg", ".h264", ".h265", ".hevc", ".gif"}

// played says why a clip is not played here, or anywhere.
func played(c config.Camera) error {
	_, err := os.Stat(c.Clip)
	if err == nil {
		var src camera.Source
		if src, err = pipeline.OpenSource(c); err == nil {
			src.Close()
		}
		return err
	}
	err = fmt.Errorf("not on this machine: %w", err)
	if kind := strings.ToLower(filepath.Ext(c.Clip)); slices.Contains(compressed, kind) {
		err = fmt.Errorf("%w; and a %s file is not played, its pictures do not stand alone: ffmpeg -i FILE -pix_fmt yuv420p OUT.y4m makes one that is", err, kind)
	}
	return err
}

func registers(c *call) error {
	csv := c.Bool("csv", false, "as comma-separated values")
	markdown := c.Bool("markdown", false, "as Markdown (docs/registers.md)")
	tags := c.Bool("tags", false, "as a tag list for Node-RED, Ignition and the like")
	st := c.Bool("st", false, "as Structured Text for CODESYS and TwinCAT: constants and types")
	if err := c.options(0); err != nil {
		return err
	}
	as := ""
	for name, wanted := range map[string]*bool{"csv": csv, "markdown": markdown, "tags": tags, "st": st} {
		if *wanted {
			as = name
		}
	}
	return export.Write(c.out, as)
}

// build is what `mien version` tells of this program.
type build struct {
	Version  string   `json:"version"`
	Go       string   `json:"go"`
	OS       string   `json:"os"`
	Arch     string   `json:"arch"`
	Backends []string `json:"backends"` // of the networks, whether their libraries are here or not
	Network  string   `json:"network"`  // in the binary
	Map      int      `json:"register_map"`
	Modules  []string `json:"modules"`
}

func thisBuild() build {
	b := build{Version: version, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH, Backends: tflite.Backends(), Map: pipeline.MapVersion}
	if card, _, err := affect.Embedded(); err == nil { // a test reads it
		b.Network = card.Name + " " + card.Version
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			b.Modules = append(b.Modules, d.Path+" "+d.Version)
		}
	}
	return b
}

func (b build) write(w io.Writer) error {
	_, err := fmt.Fprintf(w, "mien %s, %s, %s/%s\nbackends %s; network %s; register map version %d\nmodules\n  %s\n",
		b.Version, b.Go, b.OS, b.Arch, strings.Join(b.Backends, ", "), b.Network, b.Map, strings.Join(b.Modules, "\n  "))
	return err
}
