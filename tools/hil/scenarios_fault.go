package main

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/operator"
	"mien/tools/hil/wire"
)

// faultScenarios break what the running unit stands on, one thing at a time.
var faultScenarios = []scenario{
	{name: "camera disconnected: healthy stops, and comes back by itself", fault: true, ci: true, run: func(b *bench) {
		b.seeing("neutral")
		began := time.Now()
		b.control(cameraNode, "disconnect", 0)
		b.says("F01 camera lost", slack)
		stopped := b.stops(began, 3*time.Second)
		b.becomes(faultLine, true, slack)
		b.becomes(eyesLine, true, slack) // its fail value
		b.m.call("stopplay", nil, nil)   // the last user closes it: it is plugged in again; the error says that it was gone
		b.eventually(slack, "the camera is there again", func() bool { return b.m.call("play", screenNode, nil) == nil })
		b.says("F01 camera lost ended", 2*slack)
		b.toggles(3, slack)
		b.becomes(eyesLine, false, slack)
		b.logf("the last change of the healthy line came %.1f s after the disconnect", stopped.Seconds())
	}},
	{name: "a fatal streaming error: the camera is opened again", fault: true, ci: true, run: func(b *bench) {
		b.seeing("neutral")
		b.control(cameraNode, "inject_fatal_streaming_error", 0)
		b.says("F01 camera lost", slack)
		b.replay()
		b.says("F01 camera lost ended", 2*slack)
		b.toggles(3, slack)
	}},
	{name: "the camera does not start at first: STREAMON fails", fault: true, run: b2fail("inject_vidioc_streamon_error", "VIDIOC_STREAMON")},
	{name: "the camera does not start at first: REQBUFS fails", fault: true, run: b2fail("inject_vidioc_reqbufs_error", "VIDIOC_REQBUFS")},
	{name: "a buffer with the error flag and one that QBUF refuses", fault: true, ci: true, run: func(b *bench) {
		b.seeing("neutral")
		dropped := b.status().Dropped
		b.control(cameraNode, "inject_v4l2_buf_flag_error", 0)
		b.toggles(3, slack)
		b.need(b.m.call("stopplay", nil, nil)) // the error hits whichever queue comes next: let it be the unit's
		b.control(cameraNode, "inject_vidioc_qbuf_error", 0)
		b.toggles(3, slack)
		b.need(b.m.call("play", screenNode, nil))
		b.toggles(2, slack)
		b.well("F01", "F02", "F04")
		b.logf("no fault; frames left out before %d, after %d", dropped, b.status().Dropped)
	}},
	{name: "half of the frames dropped by the driver", fault: true, run: func(b *bench) {
		b.seeing("neutral")
		b.control(cameraNode, "percentage_of_dropped_buffers", 50)
		b.toggles(4, slack)
		b.control(cameraNode, "percentage_of_dropped_buffers", 0)
		b.well("F01", "F02", "F04")
	}},
	{name: "a dark picture", fault: true, ci: true, run: func(b *bench) {
		b.seeing("neutral")
		began := time.Now()
		b.show("dark")
		b.says("F03", slack)
		stopped := b.stops(began, 3*time.Second)
		b.becomes(faultLine, true, slack)
		b.show("neutral")
		b.says("dark or blocked ended", slack)
		b.toggles(2, slack)
		b.becomes(faultLine, false, slack)
		b.logf("the last change of the healthy line came %.1f s after the light went", stopped.Seconds())
	}},
	{name: "a picture that stands still", fault: true, run: func(b *bench) {
		b.seeing("neutral")
		b.show("frozen")
		b.says("F02", 25*time.Second+slack)
		b.becomes(healthy, false, slack) // its fail value
		b.still(5 * time.Second)
		b.show("neutral")
		b.says("frozen ended", slack)
		b.toggles(2, slack)
	}},
	{name: "a stopped process: healthy stops, and goes on with it", fault: true, ci: true, run: func(b *bench) {
		b.seeing("neutral")
		b.signal(syscall.SIGSTOP)
		stopped := b.settles(time.Now(), 3*time.Second, slack)
		b.check(stopped < time.Second, "the healthy line changed %v after SIGSTOP", stopped)
		held := b.m.pins.all()
		b.signal(syscall.SIGCONT)
		b.toggles(3, slack)
		b.logf("stopped: the last change of the healthy line came %.0f ms after the signal; lines held: %s", max(0, stopped.Seconds()*1000), held)
	}},
	{name: "a camera that hangs: streaming, but no frame comes", fault: true, run: func(b *bench) {
		b.seeing("neutral")
		began := time.Now()
		b.control(cameraNode, "percentage_of_dropped_buffers", 100)
		b.says("F01 camera lost", stale+slack)
		stopped := b.stops(began, 3*time.Second)
		b.control(cameraNode, "percentage_of_dropped_buffers", 0)
		b.says("F01 camera lost ended", 2*slack)
		b.toggles(2, slack)
		b.logf("the last change of the healthy line came %.1f s after the last frame", stopped.Seconds())
	}},
	{name: "a hang inside the network's library: healthy stops, everything else answers", fault: true, ci: true, run: func(b *bench) {
		b.seeing("neutral")
		began := time.Now()
		pid := b.hold(false)
		defer b.m.call("unhold", pid, nil)
		stopped := b.stops(began, 3*time.Second)
		b.becomes(eyesLine, true, stale+slack) // its fail value
		s := b.status()
		r := b.registers(2, 1)
		b.check(!s.Trusted && r[0]&2 == 0, "trusted: %+v, status register %#x", s, r[0])
		b.still(2 * time.Second)
		b.need(b.m.call("unhold", pid, nil))
		b.toggles(2, slack)
		b.becomes(eyesLine, false, slack)
		b.logf("a thread held inside the library: the last change of the healthy line came %.1f s later; socket and Modbus say that no result is valid; after that it went on", stopped.Seconds())
	}},
	{name: "a line that another driver holds", fault: true, ci: true, run: func(b *bench) {
		b.seeing("neutral")
		b.need(b.m.call("insmod", []string{"gpio_keys"}, nil))
		defer b.m.call("rmmod", "gpio_keys", nil)
		b.reload(baseConfig+`
[[output]]
name = "spare"
chip = "9030000.pl061"
line = 3
function = "any"
`, takenOver)
		b.says("F09", slack)
		b.becomes(faultLine, true, slack)
		b.toggles(3, slack) // the other lines work on
		fault := field(b.unit.output()[b.mark:], `msg="(F09[^\n]*)"`)
		b.need(b.m.call("rmmod", "gpio_keys", nil))
		b.says("F09 output mismatch ended", slack)
		b.becomes(faultLine, false, slack)
		b.reload(baseConfig, takenOver)
		b.logf("%s; it ended when the other driver released the line", fault)
	}},
	{name: "the GPIO chip vanishes and comes back", fault: true, ci: true, run: func(b *bench) {
		b.seeing("neutral")
		driver := "/sys/bus/amba/drivers/pl061_gpio/"
		b.need(b.m.call("write", []string{driver + "unbind", chipLabel}, nil))
		b.says("F09", slack)
		b.still(3 * time.Second)
		b.need(b.m.call("write", []string{driver + "bind", chipLabel}, nil))
		b.devices()
		b.says("F09 output mismatch ended", slack)
		b.toggles(3, slack)
		b.press(ackLine, func() { b.says("by input ack button", slack) }) // inputs are back too
	}},
	{name: "a wrong config is refused, the one in force stays", fault: true, ci: true, run: func(b *bench) {
		b.seeing("neutral")
		b.reload(configWith(`name = "hil"`, `name = 7`), "config refused, the one in force stays")
		b.becomes(faultLine, true, slack)
		b.toggles(2, slack)
		b.reload(baseConfig, takenOver)
		b.becomes(faultLine, false, slack)
	}},
	{name: "the state folder is full", fault: true, ci: true, run: func(b *bench) {
		b.seeing("neutral")
		b.need(b.m.call("fill", "/var/lib/mien/filler", nil))
		b.provokes("F12")
		b.toggles(2, slack)
		b.need(b.m.call("remove", "/var/lib/mien/filler", nil))
		b.says("F12 storage failed ended", slack)
	}},
	{name: "the state folder's disk turns read-only", fault: true, ci: true, run: func(b *bench) {
		b.seeing("neutral")
		b.need(b.m.call("write", []string{"/proc/sysrq-trigger", "u"}, nil)) // emergency remount of every disk
		b.provokes("F12")
		b.toggles(2, slack)
		b.need(b.m.call("mount", []string{"/dev/vda", "/var/lib/mien", "ext4", "remount"}, nil))
		b.says("F12 storage failed ended", slack)
	}},
	{name: "a start with a read-only disk and no room in memory: nothing of an alarm is lost", fault: true, run: func(b *bench) {
		b.seeing("neutral")
		b.stopUnit()
		b.need(b.m.call("write", []string{"/proc/sysrq-trigger", "u"}, nil))
		b.need(b.m.call("fill", "/run/mien/filler", nil))
		writable := func() {
			b.need(b.m.call("remove", "/run/mien/filler", nil))
			b.need(b.m.call("mount", []string{"/dev/vda", "/var/lib/mien", "ext4", "remount"}, nil))
		}
		b.start(baseConfig)
		b.says("F12", slack)
		b.becomes(faultLine, true, slack)
		b.show("frown")
		b.becomes(lamp, true, onDelay+slack)
		b.becomes(horn, true, slack)
		b.press(ackLine, func() { b.becomes(horn, false, slack) })
		writable()
		b.says("F12 storage failed ended", slack)
		b.becomes(faultLine, false, slack)
		b.stopUnit()
		b.show("nobody")
		b.start(baseConfig)
		b.becomes(lamp, true, slack)
		b.check(b.alarm(brow).State == alarm.Acknowledged, "%+v", b.alarm(brow))
		events := b.events()
		for _, want := range []string{"F12", "brow lowered: raise", "acknowledged by input ack button"} {
			b.check(strings.Contains(events, want), "the journal has no %q:\n%s", want, events)
		}
		b.clear()
	}},
	{name: "the clock jumps to 1970 and back", fault: true, ci: true, run: func(b *bench) {
		b.frowning()
		now := time.Now()
		b.need(b.m.call("clock", earlyClock, nil))
		b.eventually(slack, "the jump is in the journal", func() bool { return strings.Contains(b.events(), "the wall clock jumped by -") })
		b.toggles(2, slack)
		b.check(b.alarm(brow).State == alarm.Unacknowledged, "%+v", b.alarm(brow))
		held := b.alarm(brow).For
		b.need(b.m.call("clock", now.Add(time.Minute), nil))
		b.toggles(2, slack)
		b.check(b.alarm(brow).For > held && b.alarm(brow).For < 10*time.Minute, "%v in its state, then %v", held, b.alarm(brow).For)
		b.says("F17 clock jumped ended", slack+10*time.Second)
		b.logf("F17 until the clock went evenly; alarm times did not move")
	}},
}

// seeing makes sure that the unit runs, sees a scene, and is well.
func (b *bench) seeing(scene string) {
	b.show(scene)
	b.running(baseConfig)
	b.normal(brow)
	b.normal(eyes)
	b.from()
	b.toggles(1, slack)
	b.becomes(faultLine, false, slack)
}

// replay starts the feeder again after its node failed.
func (b *bench) replay() {
	b.m.call("stopplay", nil, nil) // its error is the failure
	b.eventually(slack, "the output node plays", func() bool { return b.m.call("play", screenNode, nil) == nil })
}

// provokes does what must be kept, until the unit says that it cannot.
func (b *bench) provokes(fault string) {
	b.eventually(slack, fault, func() bool {
		b.ask(operator.Request{Ask: operator.AskDo, Do: alarm.Acknowledge})
		return b.unit.says(fault, b.mark, time.Second)
	})
	b.becomes(faultLine, true, slack)
}

// b2fail breaks the stream, and lets the first try to open it again fail.
func b2fail(control, call string) func(b *bench) {
	return func(b *bench) {
		b.seeing("neutral")
		b.control(cameraNode, control, 0)
		b.control(cameraNode, "inject_fatal_streaming_error", 0)
		b.says("F01 camera lost", slack)
		time.Sleep(3 * time.Second) // it is the unit's try that has to fail, not the replay
		b.replay()
		b.says("F01 camera lost ended", 2*slack)
		b.toggles(3, slack)
		b.logf("%s was refused once; the unit tried again", call)
	}
}

// all gives the levels of all lines in words.
func (p *pins) all() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []string
	for i, name := range lineNames {
		if i != powerLine && i != ackLine && i != resetLine {
			list = append(list, fmt.Sprintf("%s %s", name, word(p.levels[i])))
		}
	}
	return strings.Join(list, ", ")
}

// endScenarios end the unit in every way and look what the lines do.
var endScenarios = []scenario{
	{name: "SIGTERM: every line at its fail value", ci: true, run: func(b *bench) {
		b.frowning()
		b.signal(syscall.SIGTERM)
		b.check(b.unit.wait(slack), "it does not end")
		code, how := b.unit.state()
		b.check(code == 0, "%s", how)
		b.becomes(lamp, true, slack) // dark would say that all is seen and well
		b.becomes(horn, false, slack)
		b.becomes(eyesLine, true, slack)
		b.becomes(faultLine, true, slack)
		b.becomes(healthy, false, slack)
		b.still(2 * time.Second)
		b.logf("%s; %s", how, b.m.pins.all())
	}},
	{name: "an alarm outlives a restart, with the clock at 1970", fault: true, ci: true, run: func(b *bench) {
		if !b.ended() || b.shown != "frown" { // the scenario before leaves a unit that was ended with an alarm on
			b.frowning()
			b.stopUnit()
		}
		now := time.Now()
		b.need(b.m.call("clock", earlyClock, nil))
		b.show("nobody")
		b.start(baseConfig)
		b.becomes(lamp, true, slack)
		b.becomes(horn, true, slack)
		state := b.alarm(brow).State
		b.check(state.NeedsAck(), "%v", state)
		b.need(b.m.call("clock", now, nil))
		b.toggles(2, slack)
		b.logf("after the start in 1970: %v; %s", state, field(b.unit.output(), `msg="(.*start \(start[^\n]*)"`))
		b.show("frown") // as it was before
	}},
	{name: "kill -9: what the lines do", fault: true, ci: true, run: ends((*bench).killed)},
	{name: "a fatal error of the Go runtime (SIGQUIT): what the lines do", fault: true, run: ends(func(b *bench) { b.signal(syscall.SIGQUIT) })},
	{name: "a crash (SIGABRT): what the lines do", fault: true, run: ends(func(b *bench) { b.signal(syscall.SIGABRT) })},
	{name: "a crash inside the network's library: what the lines do", fault: true, run: ends(func(b *bench) { b.hold(true) })},
	{name: "a panic of the program's own code: every line at its fail value, then on with the alarm", fault: true, ci: true, run: func(b *bench) {
		b.frowning()
		b.becomes(eyesLine, false, slack)
		b.from()
		began, pid := time.Now(), b.pid()
		spoil := wire.Spoil{PID: pid, Function: "mien/model/pixel.Hash"} // of each frame
		b.need(b.m.call("spoil", spoil, nil))
		b.says("F16 internal error", slack)
		b.need(b.m.call("restore", spoil, nil))
		for line, high := range map[int]bool{horn: false, eyesLine: true, faultLine: true} {
			b.went(line, high, began, slack)
		}
		b.says("F16 internal error ended", slack)
		b.becomes(lamp, true, slack)
		b.check(len(b.m.pins.since(lamp, began)) == 0, "the lamp, whose fail value is on, went out: %v", b.m.pins.since(lamp, began))
		b.becomes(horn, true, slack)
		b.becomes(eyesLine, false, slack)
		b.becomes(faultLine, false, slack)
		b.toggles(2, slack)
		b.check(b.alarm(brow).State == alarm.Unacknowledged, "%+v", b.alarm(brow))
		b.check(b.pid() == pid, "process %d, then %d", pid, b.pid())
		b.logf("%s; the horn went off, eyes closed and fault on, the lamp stayed lit; all came back, in the same process", field(b.unit.output()[b.mark:], `(panic: [^\\\n"]*)`))
	}},
}

// ended tells whether the unit has been started, and has ended.
func (b *bench) ended() bool {
	if b.unit == nil {
		return false
	}
	_, how := b.unit.state()
	return how != ""
}

func (b *bench) killed() { b.signal(syscall.SIGKILL) }

// hold stops the unit's thread that computes, or makes it fail, and gives the
// unit's process ID.
func (b *bench) hold(crash bool) int {
	pid := b.pid()
	b.need(b.m.call("hold", wire.Hold{PID: pid, Library: "/usr/lib/mien/lib/", Crash: crash}, nil))
	return pid
}

// pid is the unit's process ID.
func (b *bench) pid() int {
	list := b.processes()
	b.check(len(list) == 1, "%d units run", len(list))
	pid, err := strconv.Atoi(list[0]["pid"])
	b.need(err)
	return pid
}

// ends kills the unit while an alarm is on. Its lines are released by the kernel: a
// PL061 keeps what it drove, so that only the healthy line, which stands, tells.
func ends(end func(b *bench)) func(b *bench) {
	return func(b *bench) {
		b.frowning()
		time.Sleep(2 * time.Second) // as long as the store may take
		end(b)
		b.check(b.unit.wait(slack), "it does not end")
		ended := time.Now()
		_, how := b.unit.state()
		if why := field(b.unit.output()[b.mark:], `(?m)^((?:fatal error|SIG[A-Z]+:|panic).*)$`); why != "" {
			how += ", " + why
		}
		after := b.settles(ended, 3*time.Second, slack)
		b.check(after < time.Second, "the healthy line changed %v after the process had ended", after)
		b.logf("%s; healthy stands; %s", how, b.m.pins.all())
		b.show("nobody")
		b.start(baseConfig)
		b.becomes(horn, true, slack)
		b.check(b.alarm(brow).State.NeedsAck(), "lost: %+v", b.alarm(brow))
		b.logf("after the restart the alarm is %v", b.alarm(brow).State)
		b.show("frown") // as it was before
	}
}

// dogConfig has the machine's watchdog.
var dogConfig = configWith(`stale = "20s"`, `stale = "12s"`) + `
[watchdog]
device = "/dev/watchdog0"
timeout = "24s"
`

const dogTime = 24 * time.Second

// watchdogScenarios come last: they start the machine again.
var watchdogScenarios = []scenario{
	{name: "watchdog: fed while results flow, disarmed at SIGTERM", run: func(b *bench) {
		b.show("neutral")
		b.start(dogConfig)
		b.check(b.dog() == "active", "the watchdog is %s", b.dog())
		b.toggles(10, 2*time.Minute)
		b.noReset(dogTime)
		b.stopUnit()
		b.check(b.dog() == "inactive", "after SIGTERM the watchdog is %s", b.dog())
	}},
	{name: "watchdog: a killed unit that is started again within the time", fault: true, run: func(b *bench) {
		b.show("neutral")
		b.start(dogConfig)
		b.signal(syscall.SIGKILL)
		b.check(b.unit.wait(slack), "it does not end")
		b.check(b.dog() == "active", "after kill -9 the watchdog is %s", b.dog())
		b.start(dogConfig)
		b.noReset(dogTime + 5*time.Second)
		b.toggles(2, slack)
		b.stopUnit()
	}},
	{name: "watchdog: a hung unit resets the machine, alarms survive, the journal says why", fault: true, ci: true, run: func(b *bench) {
		b.show("neutral")
		b.start(dogConfig)
		b.normal(brow)
		b.show("frown")
		b.becomes(horn, true, slack)
		number := field(b.events(), `(?m)^(\d+) .*brow lowered: raise`)
		time.Sleep(2 * time.Second) // as long as the store may take
		began := time.Now()
		b.signal(syscall.SIGSTOP)
		b.need(b.m.booted(bootTime))
		took := time.Since(began)
		b.check(took > dogTime/2, "a reset after %v, the watchdog's time is %v", took, dogTime)
		b.settle()
		b.show("nobody")
		b.start(dogConfig)
		b.becomes(horn, true, slack)
		b.becomes(lamp, true, slack)
		state := b.alarm(brow).State
		b.check(state.NeedsAck(), "%v", state)
		events := b.events()
		why := field(events, `(?m)^(.*watchdog.*)$`)
		b.check(why != "" && strings.Contains(events, "brow lowered: raise"), "the journal does not tell of the reset, or lost what was before:\n%s", events)
		b.logf("up again %.0f s after SIGSTOP; the alarm (event %s) is %v; %s", took.Seconds(), number, state, why)
	}},
}

func (b *bench) dog() string {
	text, err := b.m.get("/sys/class/watchdog/watchdog0/state")
	b.need(err)
	return strings.TrimSpace(string(text))
}

// noReset checks that the machine stays up for a time.
func (b *bench) noReset(lasts time.Duration) {
	select {
	case <-b.m.hellos:
		b.fatalf("the machine was reset")
	case <-time.After(lasts):
	}
}

// earlyClock is what a board without a battery starts with, near enough: the
// kernel sets no time before its own start.
var earlyClock = time.Date(1970, 1, 1, 3, 0, 0, 0, time.UTC)
