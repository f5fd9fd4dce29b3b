package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"mien/board"
	"mien/drivers/camera"
	"mien/drivers/gpio"
	"mien/drivers/serial"
	"mien/drivers/watchdog"
	"mien/firmware/config"
	"mien/firmware/pipeline"
)

// verdict is one line of the self-test's report.
type verdict struct {
	Part   string `json:"part"`
	Result string `json:"result"` // passed, failed, skipped
	Detail string `json:"detail"`
}

// selfTest walks through the parts of a unit.
type selfTest struct {
	c       *call
	cfg     *config.Config
	ask     bool // a person stands beside and looks
	answers *bufio.Reader
	report  []verdict
}

// selftest is `mien selftest`: it opens every part that the config names, once,
// and says what it saw. With -walk a person confirms what only eyes can see,
// and the report has a place for a signature.
func selftest(c *call) error {
	path := c.String("config", defaultConfig, "config `FILE`; - is none: network and camera only")
	walk := c.Bool("walk", false, "ask a person beside the unit to confirm each line, and print a report to sign")
	dog := c.Bool("watchdog", false, "also open the watchdog and close it again: some cannot be closed, and restart the machine")
	if err := c.options(0); err != nil {
		return err
	}
	cfg, _, err := loadConfig(*path)
	if err != nil {
		return err
	}
	t := &selfTest{c: c, cfg: cfg, ask: *walk, answers: bufio.NewReader(os.Stdin)}
	t.network()
	t.camera()
	t.lines()
	t.serial()
	t.state()
	t.watchdog(*dog)
	return t.finish(*path)
}

func (t *selfTest) add(part string, err error, detail string) {
	v := verdict{part, "passed", detail}
	if err != nil {
		v.Result, v.Detail = "failed", err.Error()
	}
	t.put(v)
}

func (t *selfTest) skip(part, why string) { t.put(verdict{part, "skipped", why}) }

func (t *selfTest) put(v verdict) {
	t.report = append(t.report, v)
	if !*t.c.json {
		fmt.Fprintf(t.c.out, "%-8s %-22s %s\n", v.Result, v.Part, v.Detail)
	}
}

// confirm asks the person beside the unit; without one it takes for granted.
func (t *selfTest) confirm(question string) error {
	if !t.ask {
		return nil
	}
	fmt.Fprintf(t.c.out, "         %s [y/n] ", question)
	line, err := t.answers.ReadString('\n')
	if err != nil {
		return fmt.Errorf("no answer: %w", err)
	}
	if strings.HasPrefix(strings.ToLower(strings.TrimSpace(line)), "y") {
		return nil
	}
	return errors.New("not confirmed: " + question)
}

// network loads detector and networks: libraries, known answer, no constant
// output.
func (t *selfTest) network() {
	eye, err := pipeline.OpenEye(t.cfg)
	if err != nil {
		t.add("network", err, "")
		return
	}
	defer eye.Close()
	t.add("network", nil, strings.Join(eye.Backends(), "; "))
	if t.cfg.Model.Accelerator != "none" {
		var err error
		if !eye.Accelerated() {
			err = errors.New("the accelerator is not used; mien probe and the line above say why")
		}
		t.add("accelerator", err, t.cfg.Model.Accelerator)
	}
}

// camera takes frames for two seconds.
func (t *selfTest) camera() {
	src, err := pipeline.OpenSource(t.cfg.Camera)
	if err != nil {
		t.add("camera", err, "")
		return
	}
	defer src.Close()
	frames, last := 0, time.Duration(0)
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); {
		f, err := src.Next(time.Second)
		if errors.Is(err, camera.ErrEnd) {
			break
		}
		if err != nil {
			t.add("camera", err, "")
			return
		}
		frames, last = frames+1, f.Time
		src.Release()
	}
	i := src.Info()
	detail := fmt.Sprintf("%s %s %dx%d, %d frames in 2 s, %d lost", i.Name, camera.FormatName(i.Format), i.Width, i.Height, frames, i.Counts.Lost)
	if i.Live && i.Stamped {
		detail += fmt.Sprintf(", the last %s old", millis(camera.Now()-last))
	}
	if frames == 0 {
		t.add("camera", errors.New("no frame in 2 s"), "")
		return
	}
	t.add("camera", nil, detail)
}

// lines opens each line at its safe value; a person sees each output go on.
func (t *selfTest) lines() {
	b, _ := board.Detect("/") // an unknown board has lines by chip and offset
	resolve := pipeline.BoardResolver(b)
	for _, o := range t.cfg.Outputs {
		line, err := resolve(o.Chip, o.Line)
		if err == nil {
			err = t.output(o, line)
		}
		t.add("output "+o.Name, err, line.String())
	}
	for _, i := range t.cfg.Inputs {
		line, err := resolve(i.Chip, i.Line)
		if err == nil {
			err = t.input(i, line)
		}
		t.add("input "+i.Name, err, line.String())
	}
	if len(t.cfg.Outputs)+len(t.cfg.Inputs) == 0 {
		t.skip("lines", "the config names none")
	}
}

func (t *selfTest) output(o config.Output, line gpio.Line) error {
	out, err := gpio.Kernel.Output(gpio.OutputSettings{Line: line, ActiveLow: o.Active == "low", Start: o.Start == "on",
		Fail: o.Fail == "on", NoReadBack: !o.ReadBack})
	if err != nil {
		return err
	}
	for _, on := range []bool{true, false} {
		if err = out.Set(on); err != nil {
			break
		}
		word := map[bool]string{true: "on", false: "off"}[on]
		if err = t.confirm(fmt.Sprintf("Is %s (%s) %s now?", o.Name, line, word)); err != nil {
			break
		}
	}
	return errors.Join(err, out.Close())
}

func (t *selfTest) input(i config.Input, line gpio.Line) error {
	in, err := gpio.Kernel.Input(gpio.InputSettings{Line: line, ActiveLow: i.Active == "low", Debounce: i.Debounce})
	if err != nil {
		return err
	}
	defer in.Close()
	active, err := in.Active()
	if err != nil {
		return err
	}
	if active {
		return errors.New("is active though nobody presses it: check the wiring, active and pull")
	}
	if !t.ask {
		return nil
	}
	fmt.Fprintf(t.c.out, "         Press %s (%s) within 20 s. ", i.Name, line)
	edge, err := in.Wait(20 * time.Second)
	if err != nil {
		return err
	}
	fmt.Fprintln(t.c.out, "seen.")
	if !edge.Active {
		return errors.New("the press came as a release: active is the other level")
	}
	return nil
}

// serial opens the port; whether a PLC is at its other end tools/plc tells.
func (t *selfTest) serial() {
	if t.cfg.Serial.Device == "" {
		t.skip("serial port", "the config names none")
		return
	}
	s, err := pipeline.SerialSettings(t.cfg.Serial)
	if err != nil {
		t.add("serial port", err, "")
		return
	}
	p, err := serial.Open(s)
	if err != nil {
		t.add("serial port", err, "")
		return
	}
	defer p.Close()
	t.add("serial port", nil, fmt.Sprintf("%s, RS-485 by %s", s, p.Info().RS485))
}

// state writes a file as the store does.
func (t *selfTest) state() {
	dir := t.cfg.State.Folder()
	err := os.MkdirAll(dir, 0o750)
	if err == nil {
		var f *os.File
		if f, err = os.CreateTemp(dir, ".selftest-"); err == nil {
			_, w := f.Write(make([]byte, 4096))
			err = errors.Join(w, f.Sync(), f.Close(), os.Remove(f.Name()))
		}
	}
	t.add("state folder", err, dir)
}

func (t *selfTest) watchdog(open bool) {
	c := t.cfg.Watchdog
	if c.Device == "off" {
		t.skip("watchdog", "the config has it off")
		return
	}
	if c.Device == "auto" {
		c.Device = "/dev/watchdog"
	}
	if !open {
		_, err := os.Stat(c.Device)
		t.add("watchdog", err, c.Device+" is there; -watchdog opens it")
		return
	}
	d, err := watchdog.Open(c.Device, c.Timeout)
	if err != nil {
		t.add("watchdog", err, "")
		return
	}
	detail := fmt.Sprintf("%s, %v, last start: %s", d.Identity(), d.Timeout(), d.BootStatus())
	t.add("watchdog", errors.Join(d.Ping(), d.Disarm()), detail)
}

// finish prints the report's end, with a place to sign.
func (t *selfTest) finish(path string) error {
	count := map[string]int{}
	for _, v := range t.report {
		count[v.Result]++
	}
	if *t.c.json {
		if err := t.c.printJSON(t.report); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(t.c.out, "\n%d passed, %d failed, %d skipped; %s, mien %s, config %s\n", count["passed"], count["failed"], count["skipped"],
			time.Now().Format("2006-01-02 15:04"), version, filepath.Base(path))
		if t.ask {
			host, _ := os.Hostname() // a report without it is still a report
			fmt.Fprintf(t.c.out, "\nunit %s (%s)\n\ntested by ______________________  signature ______________________\n", t.cfg.Unit.Name, host)
		}
	}
	if count["failed"] > 0 {
		return fmt.Errorf("self-test: %d parts failed", count["failed"])
	}
	return nil
}
