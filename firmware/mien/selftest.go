package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"mien/board"
	"mien/drivers/camera"
	"mien/drivers/device"
	"mien/drivers/watchdog"
	"mien/firmware/alarm"
	"mien/firmware/config"
	"mien/firmware/pipeline"
	"mien/model/face"
)

// personTime is what a person beside the unit gets for each thing to do.
const personTime = 30 * time.Second

// errPassedOver: the person beside the unit did not try this.
var errPassedOver = errors.New("passed over by the tester")

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
	eye     *pipeline.Eye // with a person beside: detector and networks, nil if they cannot be opened
	report  []verdict
}

// selftest is `mien selftest`: it opens every part that the config names, once,
// and says what it saw. With -walk a person covers the lens, presses the buttons,
// lets the PLC read and confirms what only eyes can see, and the report has a
// place for a signature.
func selftest(c *call) error {
	walk := c.Bool("walk", false, "ask a person beside the unit to try camera, lines, serial port and watchdog, and print a report to sign")
	dog := c.Bool("watchdog", false, "also open the watchdog and close it again: some cannot be closed, and restart the machine")
	path, err := c.config(defaultConfig, "; - is none: network and camera only")
	if err != nil {
		return err
	}
	if *walk && *c.json {
		return usageError("-walk speaks with a person, -json with a program")
	}
	cfg, _, err := loadConfig(path)
	if err != nil {
		return err
	}
	t := &selfTest{c: c, cfg: cfg, ask: *walk, answers: bufio.NewReader(os.Stdin)}
	return t.run(path, *dog)
}

func (t *selfTest) run(path string, dog bool) error {
	defer func() {
		if t.eye != nil {
			t.eye.Close()
		}
	}()
	if why := foreign(path, os.Geteuid(), user.Lookup); why != "" {
		t.skip("user", why)
	} else {
		t.add("user", nil, testedAs(os.Geteuid()))
	}
	t.network()
	t.camera()
	t.lines()
	t.serial()
	t.state(path)
	t.watchdog(dog)
	return t.finish(path)
}

func (t *selfTest) add(part string, err error, detail string) {
	v := verdict{part, "passed", detail}
	switch {
	case errors.Is(err, errPassedOver):
		v.Result, v.Detail = "skipped", err.Error()
	case err != nil:
		v.Result, v.Detail = "failed", err.Error()
	}
	t.put(v)
}

func (t *selfTest) skip(part, why string) { t.put(verdict{part, "skipped", why}) }

func (t *selfTest) put(v verdict) {
	t.report = append(t.report, v)
	if !*t.c.json {
		t.print(v)
	}
}

func (t *selfTest) print(v verdict) { t.tell("%-8s %-22s %s\n", v.Result, v.Part, v.Detail) }

// tell shows the person beside the unit what to do, or that it was seen.
func (t *selfTest) tell(format string, args ...any) { fmt.Fprintf(t.c.out, format, args...) }

// answer asks the person beside the unit until the answer begins with one of the
// letters; Enter alone stands for one too, unless it is 0.
func (t *selfTest) answer(question, letters string, enter byte) (byte, error) {
	for {
		t.tell("         %s ", question)
		line, err := t.answers.ReadString('\n')
		if err != nil {
			return 0, fmt.Errorf("no answer: %w", err)
		}
		switch line = strings.ToLower(strings.TrimSpace(line)); {
		case line == "" && enter != 0:
			return enter, nil
		case line != "" && strings.IndexByte(letters, line[0]) >= 0:
			return line[0], nil
		}
	}
}

// confirm asks what only the person beside the unit can see; without one it takes
// for granted.
func (t *selfTest) confirm(question string) error {
	if !t.ask {
		return nil
	}
	a, err := t.answer(question+" [y, n, s: not tried]", "yns", 0)
	switch {
	case err != nil:
		return err
	case a == 's':
		return errPassedOver
	case a == 'n':
		return errors.New("not confirmed: " + question)
	}
	return nil
}

// ready waits for the person beside the unit.
func (t *selfTest) ready(what string) error {
	a, err := t.answer(what+" [Enter: ready, s: not tried]", "s", 'r')
	if err == nil && a == 's' {
		err = errPassedOver
	}
	return err
}

// network loads detector and networks: libraries, known answer, no constant
// output.
func (t *selfTest) network() {
	eye, err := pipeline.OpenEye(t.cfg)
	if err != nil {
		t.add("network", err, "")
		return
	}
	if t.eye = eye; !t.ask {
		t.eye = nil
		defer eye.Close()
	}
	t.add("network", nil, strings.Join(eye.Backends(), "; "))
	if t.cfg.Model.Accelerator != config.NoAccelerator {
		var err error
		if !eye.Accelerated() {
			err = errors.New("the accelerator is not used; mien probe and the line above say why")
		}
		t.add("accelerator", err, string(t.cfg.Model.Accelerator))
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
	frames, age := 0, time.Duration(0)
	first := max(time.Second, src.Info().Starts)
	for end := time.Now().Add(first + time.Second); time.Now().Before(end); {
		f, err := src.Next(first)
		if frames == 0 { // the two seconds begin with it
			first, end = time.Second, time.Now().Add(2*time.Second)
		}
		if errors.Is(err, camera.ErrEnd) {
			break
		}
		if err != nil {
			t.add("camera", err, "")
			return
		}
		frames, age = frames+1, device.Now()-f.Time
		src.Release()
	}
	i := src.Info()
	detail := fmt.Sprintf("%s %s %dx%d, %s in 2 s, %d lost", i.Name, camera.FormatName(i.Format), i.Width, i.Height, alarm.Count(frames, "frame"), i.Counts.Lost)
	switch {
	case !i.Live || !i.Stamped:
	case age < -time.Second || age > pipeline.LongAgo:
		detail += ", whose clock is wrong: its frames are dated by when they come"
	default:
		detail += fmt.Sprintf(", the last %s old", millis(max(age, 0)))
	}
	if frames == 0 {
		t.add("camera", errors.New("no frame in 2 s"), "")
		return
	}
	if i.Live && i.Stamped && age > t.cfg.Health.Stale && age <= pipeline.LongAgo {
		t.add("camera", errors.New(detail), "")
		return
	}
	t.add("camera", nil, detail)
	switch {
	case !t.ask:
	case t.cfg.Camera.Clip != "":
		t.skip("lens", "a clip has none")
	case t.eye == nil:
		t.skip("lens", "nothing looks through it without the network")
	default:
		t.add("lens", t.lens(src), "covered it got dark, open it shows a face")
	}
}

// lens lets a person cover the lens and look into it: the picture is live, and
// that of the camera they stand before.
func (t *selfTest) lens(src camera.Source) error {
	if err := t.ready("Stand before the camera."); err != nil {
		return err
	}
	h := t.cfg.Health
	var last pipeline.Sight
	t.tell("         Cover the lens with a hand within %v. ", personTime)
	if err := t.sees(src, &last, func() bool {
		return last.Light.Mean < float32(h.DarkBelow) || last.Light.Contrast < float32(h.FlatBelow)
	}); err != nil {
		return fmt.Errorf("the picture did not get dark, mean luma %.0f, contrast %.0f: is it another camera's? %w", last.Light.Mean, last.Light.Contrast, err)
	}
	t.tell("seen.\n         Take the hand away and look into the lens within %v. ", personTime)
	if err := t.sees(src, &last, func() bool { return last.Reason == face.Good }); err != nil {
		return fmt.Errorf("no readable face: %v: %w", last.Reason, err)
	}
	t.tell("seen.\n")
	return nil
}

// sees looks at frames until seen says so of the last, or personTime is over.
func (t *selfTest) sees(src camera.Source, last *pipeline.Sight, seen func() bool) error {
	for end := time.Now().Add(personTime); time.Now().Before(end); {
		f, err := src.Next(time.Second)
		if errors.Is(err, camera.ErrTimeout) {
			continue
		}
		if err != nil {
			return err
		}
		s, err := t.eye.Look(f)
		src.Release()
		if errors.Is(err, pipeline.ErrPicture) {
			continue
		}
		if err != nil {
			return err
		}
		if *last = *s; seen() {
			return nil
		}
	}
	return fmt.Errorf("not seen in %v", personTime)
}

// foreign says that the test has other rights than the unit that systemd starts;
// "": it has the same, or nobody knows which that would be.
func foreign(path string, uid int, lookup func(string) (*user.User, error)) string {
	if path != defaultConfig {
		return ""
	}
	u, err := lookup(serviceUser)
	if err != nil || u.Uid == strconv.Itoa(uid) {
		return ""
	}
	return fmt.Sprintf("this is %s, and the unit runs as %s: what follows tells nothing of its rights; test as that user: sudo -u %s mien selftest", testedAs(uid), serviceUser, serviceUser)
}

// testedAs names the user with whose rights the parts are opened.
func testedAs(uid int) string {
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return fmt.Sprintf("user %d, who has no name", uid)
	}
	return fmt.Sprintf("%s, user %d", u.Username, uid)
}

// serviceUser is who board/mien.service runs the unit as.
const serviceUser = "mien"

// state writes a file as the store does.
func (t *selfTest) state(path string) {
	dir := t.cfg.State.Folder()
	if path == defaultConfig && t.cfg.State.Dir == "" && exists(serviceFolder) {
		dir = serviceFolder // systemd names it to the unit
	}
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
	if t.ask && !open {
		a, err := t.answer("Open the watchdog? One that cannot be closed again restarts the board. [y, Enter: no]", "yn", 'n')
		if err != nil {
			t.add("watchdog", err, "")
			return
		}
		open = a == 'y'
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

// finish prints the report's end; of a walk all of it once more, to be signed.
func (t *selfTest) finish(path string) error {
	if t.ask {
		where, _ := os.Hostname() // a report without it is still a report
		if b, _ := board.Detect("/"); b.Model != "" {
			where += ", " + b.Model
		}
		t.tell("\nself-test of the unit %s (%s)\n\n", t.cfg.Unit.Name, where)
		for _, v := range t.report {
			t.print(v)
		}
	}
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
			t.tell("\ntested by ______________________  signature ______________________\n")
		}
	}
	if count["failed"] > 0 {
		return fmt.Errorf("self-test: %s failed", alarm.Count(count["failed"], "part"))
	}
	return nil
}
