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
		{"buffer with error flag", true, false}, {"QBUF fails", true, false}, {"VIDIOC_REQBUFS fails", true, false},
		{"VIDIOC_STREAMON fails", true, false}, {"fatal streaming error", true, false}, {"sequence wraps", true, false},
		{"64-bit timestamp wraps", true, false}, {"32-bit timestamp wraps", true, false}, {"closed with a frame out", true, false},
		{"busy", true, false}, {"Close wakes Next", false, false}, {"opened 100 times", false, false}, {"no allocation", false, false},
		{"disconnect", true, true},
	} {
		name := "^TestVivid$/^" + regexp.QuoteMeta(strings.ReplaceAll(c.test, " ", "_")) + "$"
		list = append(list, scenario{name: "driver tests: vivid: " + c.test, fault: c.fault, ci: c.ci, run: func(b *bench) {
			b.driverTest("camera", name, "MIEN_TEST_VIVID="+plainNode)
		}})
	}
	return append(list,
		scenario{name: "driver tests: camera in every format", run: func(b *bench) {
			b.driverTest("camera", "^(TestRealCamerasAreListed|TestRealCameraInEveryFormat)$", "MIEN_TEST_CAMERA="+plainNode)
		}},
		scenario{name: "driver tests: GPIO lines, edges, debounce", run: func(b *bench) {
			b.stopUnit()
			defer b.wiggle(resetLine)()
			b.driverTest("gpio", "^TestKernel", "MIEN_TEST_GPIO="+chipLabel+":7:6")
		}},
		scenario{name: "driver tests: a GPIO chip that vanishes three times", fault: true, run: func(b *bench) {
			b.stopUnit()
			defer b.wiggle(resetLine)()
			b.driverTest("gpio", "^TestKernelChipVanishes$", "MIEN_TEST_GPIO="+chipLabel+":7:6", "MIEN_TEST_GPIO_DRIVER=/sys/bus/amba/drivers/pl061_gpio")
			b.devices()
		}},
		scenario{name: "driver tests: serial ports with a crossed cable", run: func(b *bench) {
			b.driverTest("serial", "^TestReal(PortsInEveryFormat|PortsCarryEveryByte|List)$", "MIEN_TEST_SERIAL="+crossedA+","+crossedB)
		}},
		scenario{name: "driver tests: watchdog opened and closed 1000 times", run: func(b *bench) {
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
	halt, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for high := true; ; high = !high {
			if b.m.pins.drive(line, high) != nil {
				return
			}
			select {
			case <-halt:
				b.m.pins.drive(line, false)
				return
			case <-time.After(400 * time.Millisecond):
			}
		}
	}()
	return func() { close(halt); <-done }
}
