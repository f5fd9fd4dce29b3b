package main

import (
	"regexp"
	"strings"
	"time"
)

// driverScenarios run the drivers' own tests in the machine: those that need a
// device skip on a developer's.
func driverScenarios() (list []scenario) {
	for _, c := range []struct {
		test      string
		fault, ci bool
	}{
		{"sizes, strides and rates", false, false}, {"slow reader", true, false}, {"percentage of dropped buffers", true, false},
		{"buffer with error flag", true, true}, {"QBUF fails", true, true}, {"VIDIOC_REQBUFS fails", true, true},
		{"VIDIOC_STREAMON fails", true, true}, {"fatal streaming error", true, true}, {"sequence wraps", true, false},
		{"64-bit timestamp wraps", true, false}, {"32-bit timestamp wraps", true, false}, {"closed with a frame out", true, true},
		{"busy", true, true}, {"Close wakes Next", false, false}, {"opened 100 times", false, false}, {"no allocation", false, false},
		{"disconnect", true, true}, {"controls", false, true},
	} {
		name := "^TestVivid$/^" + regexp.QuoteMeta(strings.ReplaceAll(c.test, " ", "_")) + "$"
		list = append(list, scenario{name: "driver tests: vivid: " + c.test, tests: "camera/v4l2", fault: c.fault, ci: c.ci, run: func(b *bench) {
			b.driverTest("v4l2", name, "MIEN_TEST_VIVID="+plainNode)
		}})
	}
	return append(list,
		scenario{name: "driver tests: a multi-planar camera", tests: "camera/v4l2", ci: true, run: func(b *bench) {
			b.driverTest("v4l2", "^TestVividMultiplanar$", "MIEN_TEST_VIVID_MPLANE="+mplaneNode)
		}},
		scenario{name: "driver tests: a program as the camera", tests: "camera/command", fault: true, ci: true, run: func(b *bench) {
			b.driverTest("command", "^Test(Pictures|Bytes|NewestOnly|Trouble|Hangs|NoProgram|Close|Ends|EndsWithItsUnit|Confined)$")
		}},
		scenario{name: "driver tests: camera in every format", tests: "camera/v4l2", run: func(b *bench) {
			b.driverTest("v4l2", "^(TestRealCamerasAreListed|TestRealCameraInEveryFormat)$", "MIEN_TEST_CAMERA="+plainNode)
		}},
		scenario{name: "driver tests: GPIO lines, edges, debounce", tests: "gpio", run: func(b *bench) {
			b.stopUnit()
			defer b.wiggle(resetLine)()
			b.driverTest("gpio", "^TestKernel", "MIEN_TEST_GPIO="+chipLabel+":7:6")
		}},
		scenario{name: "driver tests: a GPIO chip that vanishes three times", tests: "gpio", fault: true, run: func(b *bench) {
			b.stopUnit()
			defer b.wiggle(resetLine)()
			b.driverTest("gpio", "^TestKernelChipVanishes$", "MIEN_TEST_GPIO="+chipLabel+":7:6", "MIEN_TEST_GPIO_DRIVER=/sys/bus/amba/drivers/pl061_gpio")
			b.devices()
		}},
		scenario{name: "driver tests: serial ports with a crossed cable", tests: "serial", run: func(b *bench) {
			b.driverTest("serial", "^TestReal(PortsInEveryFormat|PortsCarryEveryByte|List)$", "MIEN_TEST_SERIAL="+crossedA+","+crossedB)
		}},
		scenario{name: "driver tests: breaks on a serial line", tests: "serial", fault: true, run: func(b *bench) {
			b.stopUnit()
			defer b.repeat(300*time.Millisecond, b.sendBreak)()
			b.driverTest("serial", "^TestRealBreakIsCorrupt$", "MIEN_TEST_SERIAL_BREAK="+plcPort)
		}},
		scenario{name: "driver tests: a serial port that goes and comes three times", tests: "serial", fault: true, run: func(b *bench) {
			b.stopUnit()
			driver, address := b.serialDriver()
			how := "bind"
			change := func() error {
				if how == "bind" {
					how = "unbind"
				} else {
					how = "bind"
				}
				return b.m.call("write", []string{driver + how, address}, nil)
			}
			end := b.repeat(2*time.Second, change)
			defer func() {
				if end(); how == "unbind" {
					b.need(change())
				}
				b.devices()
			}()
			b.driverTest("serial", "^TestRealPortUnplugged$", "MIEN_TEST_SERIAL_UNPLUG="+plcPort)
		}},
		scenario{name: "driver tests: watchdog opened and closed 1000 times", tests: "watchdog", run: func(b *bench) {
			b.stopUnit()
			b.driverTest("watchdog", "^TestDevice$", "MIEN_TEST_WATCHDOG=/dev/watchdog0")
		}})
}

// driverTest runs tests of a driver in the machine; one must run and none fail.
func (b *bench) driverTest(driver, tests string, env ...string) {
	text, code := b.command(env, "/usr/lib/hil/"+driver+".test", "-test.v", "-test.timeout", "4m", "-test.run", tests)
	b.check(code == 0, "%s", tail(text, 40))
	passed := strings.Count(text, "--- PASS")
	b.check(passed > 0, "no test ran:\n%s", tail(text, 20))
	skipped := regexp.MustCompile(`--- SKIP: (\S+)`).FindAllString(text, -1)
	b.logf("%d passed, %d skipped %s", passed, len(skipped), strings.Join(skipped, " "))
}

// wiggle changes an input's level until it is told to stop, slowly enough that a
// test on a busy host sees each level before the next.
func (b *bench) wiggle(line int) (stop func()) {
	high := false
	end := b.repeat(400*time.Millisecond, func() error { high = !high; return b.m.pins.drive(line, high) })
	return func() { end(); b.m.pins.drive(line, false) }
}

// repeat does something again and again until it is told to stop, or an error.
func (b *bench) repeat(every time.Duration, do func() error) (stop func()) {
	halt, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for do() == nil {
			select {
			case <-halt:
				return
			case <-time.After(every):
			}
		}
	}()
	return func() { close(halt); <-done }
}

// sendBreak sends a break down the cable of the PLC.
func (b *bench) sendBreak() error {
	_, err := b.m.monitor("chardev-send-break plc")
	return err
}

// serialDriver gives the driver's folder and the address of the PLC's port.
func (b *bench) serialDriver() (driver, address string) {
	var found []string
	b.need(b.m.call("glob", "/sys/bus/pci/drivers/serial/*/tty/ttyS0", &found))
	b.check(len(found) == 1, "%v", found)
	return "/sys/bus/pci/drivers/serial/", strings.Split(found[0], "/")[6]
}
