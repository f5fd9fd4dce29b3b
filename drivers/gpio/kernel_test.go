package gpio

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/warthog618/go-gpiocdev"
	"golang.org/x/sys/unix"
	periph "periph.io/x/conn/v3/gpio"

	"mien/drivers/device"
)

// Real lines are only touched where the environment names some that may be:
//
//	MIEN_TEST_GPIO=CHIP:OUT:IN  an output, and an input that somebody outside
//	                            toggles a few times a second
//	MIEN_TEST_GPIO_DRIVER=DIR   folder of the chip's driver in /sys/bus, to
//	                            take it away and bring it back
//	MIEN_TEST_GPIO_HOLD=1       hold each output level for two seconds and say
//	                            which, for somebody who measures
func realLines(t *testing.T) (out, in Line) {
	t.Helper()
	part := strings.Split(os.Getenv("MIEN_TEST_GPIO"), ":")
	if len(part) != 3 {
		t.Skip("needs lines that may be driven: set MIEN_TEST_GPIO to chip:output:input")
	}
	for i, l := range []*Line{&out, &in} {
		n, err := strconv.Atoi(part[1+i])
		if err != nil {
			t.Fatal(err)
		}
		*l = Line{Chip: part[0], Offset: n}
	}
	return out, in
}

func TestKernelChips(t *testing.T) {
	chips, err := Kernel.Chips()
	if err != nil {
		t.Fatal(err)
	}
	if len(chips) == 0 {
		if _, err := Kernel.Output(OutputSettings{Line: Line{Chip: "any"}}); !errors.Is(err, ErrNoChip) || !strings.Contains(err.Error(), "no gpio chip") {
			t.Errorf("%v", err)
		}
		t.Skip("this machine has no /dev/gpiochip*")
	}
	for _, c := range chips {
		t.Logf("%s %q: %d lines, %v", c.Name, c.Label, len(c.Lines), c.Err)
		if c.Err == nil && (c.Label == "" || len(c.Lines) == 0) {
			t.Errorf("%+v", c)
		}
		for i, l := range c.Lines {
			if l.Offset != i {
				t.Errorf("line %d says it is %d", i, l.Offset)
			}
		}
	}
}

func info(t *testing.T, l Line) LineInfo {
	t.Helper()
	chips, err := Kernel.Chips()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range chips {
		if c.Label == l.Chip {
			return c.Lines[l.Offset]
		}
	}
	t.Fatalf("no chip %s", l.Chip)
	return LineInfo{}
}

func TestKernelOutput(t *testing.T) {
	line, _ := realLines(t)
	for _, low := range []bool{false, true} {
		for _, start := range []bool{false, true} {
			out, err := Kernel.Output(OutputSettings{Line: line, ActiveLow: low, Start: start, Fail: !start})
			if err != nil {
				t.Fatal(err)
			}
			hold(line, start != low)
			if v, err := out.Active(); v != start || err != nil {
				t.Errorf("low %v, start %v: reads %v, %v", low, start, v, err)
			}
			i := info(t, line)
			if i.Consumer != Consumer || !i.Used || !i.Output || i.ActiveLow != low {
				t.Errorf("others see %+v", i)
			}
			for _, v := range []bool{true, false, false, true} {
				if err := out.Set(v); err != nil {
					t.Errorf("set %v: %v", v, err)
				}
				if got, err := out.Active(); got != v || err != nil {
					t.Errorf("set %v: reads %v, %v", v, got, err)
				}
			}
			if err := out.Close(); err != nil {
				t.Error(err)
			}
			hold(line, !start != low)
			if i := info(t, line); i.Used {
				t.Errorf("after close others see %+v", i)
			}
		}
	}
}

func hold(l Line, high bool) {
	if os.Getenv("MIEN_TEST_GPIO_HOLD") != "" {
		fmt.Printf("HOLD line %d %v\n", l.Offset, number(high))
		time.Sleep(2 * time.Second)
	}
}

func TestKernelErrors(t *testing.T) {
	line, _ := realLines(t)
	out, err := Kernel.Output(OutputSettings{Line: line})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	lines := 0
	chips, _ := Kernel.Chips()
	name := ""
	for _, c := range chips {
		if c.Label == line.Chip {
			lines, name = len(c.Lines), c.Name
		}
	}
	for _, c := range []struct {
		line Line
		want error
		text string
	}{
		{line, ErrBusy, `"mien"`},
		{Line{Chip: name, Offset: line.Offset}, ErrBusy, `"mien"`},
		{Line{Chip: "/dev/" + name, Offset: line.Offset}, ErrBusy, `"mien"`},
		{Line{Chip: line.Chip, Offset: lines}, ErrNoLine, fmt.Sprintf("lines 0 to %d", lines-1)},
		{Line{Chip: line.Chip, Offset: -1}, ErrNoLine, "lines 0 to"},
		{Line{Chip: line.Chip, Name: "NOSUCH"}, ErrNoLine, "NOSUCH"},
		{Line{Chip: "pinctrl-none"}, ErrNoChip, line.Chip},
		{Line{Name: "NOSUCH"}, ErrNoLine, line.Chip},
	} {
		_, err := Kernel.Output(OutputSettings{Line: c.line})
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("output %v: %v, want %v with %q", c.line, err, c.want, c.text)
		}
		_, err = Kernel.Input(InputSettings{Line: c.line})
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("input %v: %v, want %v with %q", c.line, err, c.want, c.text)
		}
	}
}

func TestKernelSetAllocatesNothing(t *testing.T) {
	line, _ := realLines(t)
	out, err := Kernel.Output(OutputSettings{Line: line})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if n := testing.AllocsPerRun(100, func() { out.Set(true); out.Set(false) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestKernelEdges(t *testing.T) {
	_, line := realLines(t)
	for _, abi := range []int{2, 1} {
		for _, s := range []InputSettings{
			{Line: line}, {Line: line, ActiveLow: true}, {Line: line, Debounce: 20 * ms},
		} {
			t.Run(fmt.Sprintf("abi%d low %v debounce %v", abi, s.ActiveLow, s.Debounce), func(t *testing.T) {
				chip, offset, err := find(line)
				if err != nil {
					t.Fatal(err)
				}
				defer chip.Close()
				in, err := openInput(chip, offset, abi, s)
				if err != nil {
					t.Fatal(err)
				}
				defer in.Close()
				if in.soft != (abi == 1) || in.sample {
					t.Errorf("soft %v, sample %v", in.soft, in.sample)
				}
				edges(t, in)
			})
		}
	}
}

// edges checks six edges: they alternate, their times are those of our clock,
// and the level goes with them.
func edges(t *testing.T, in *input) {
	t.Helper()
	var last Edge
	for i := range 6 {
		e, err := in.Wait(20 * time.Second)
		if err != nil {
			t.Fatal(err)
		}
		late := device.Now() - e.At
		t.Logf("%+v, %v ago", e, late)
		if i > 0 && (e.Active == last.Active || e.At <= last.At) || e.Lost != 0 {
			t.Errorf("%+v after %+v", e, last)
		}
		if late < 0 || late > 5*time.Second {
			t.Errorf("its time is %v ago", late)
		}
		if v, err := in.Active(); v != e.Active || err != nil {
			t.Errorf("the level is %v, %v", v, err)
		}
		last = e
	}
	if _, err := in.Wait(0); !errors.Is(err, ErrTimeout) {
		t.Errorf("an edge too many: %v", err)
	}
	done := make(chan error, 1)
	go func() {
		for {
			if _, err := in.Wait(-1); err != nil {
				done <- err
				return
			}
		}
	}()
	time.Sleep(50 * ms)
	if err := in.Close(); err != nil {
		t.Error(err)
	}
	select {
	case err := <-done:
		if !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	case <-time.After(soon):
		t.Error("close does not end the wait")
	}
}

// A chip without interrupts is looked at again and again.
func TestKernelInputBySampling(t *testing.T) {
	_, line := realLines(t)
	chip, offset, err := find(line)
	if err != nil {
		t.Fatal(err)
	}
	defer chip.Close()
	in, err := openInput(chip, offset, 2, InputSettings{Line: line, NoEdges: true})
	if err != nil {
		t.Fatal(err)
	}
	in.edges, in.soft, in.sample, in.deb.period = true, true, true, 20*ms
	edges(t, in)
}

func TestKernelLeavesNothingBehind(t *testing.T) {
	outLine, inLine := realLines(t)
	round := func() {
		out, err := Kernel.Output(OutputSettings{Line: outLine})
		if err != nil {
			t.Fatal(err)
		}
		in, err := Kernel.Input(InputSettings{Line: inLine, Debounce: ms})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Kernel.Output(OutputSettings{Line: outLine}); err == nil {
			t.Fatal("taken twice")
		}
		if _, err := Kernel.Input(InputSettings{Line: inLine}); err == nil {
			t.Fatal("taken twice")
		}
		if _, err := Kernel.Input(InputSettings{Line: Line{Chip: "none"}}); err == nil {
			t.Fatal("no chip")
		}
		in.Close()
		out.Close()
	}
	round()
	fds, routines := descriptors(t), runtime.NumGoroutine()
	for range 1000 {
		round()
	}
	if n := descriptors(t); n > fds {
		t.Errorf("%d descriptors, %d before", n, fds)
	}
	if n := runtime.NumGoroutine(); n > routines {
		t.Errorf("%d goroutines, %d before", n, routines)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skipf("no /proc: %v", err)
	}
	return len(all)
}

func TestKernelPin(t *testing.T) {
	line, _ := realLines(t)
	p := NewPin(Kernel, line, periph.Low)
	for _, l := range []periph.Level{periph.High, periph.Low, periph.High} {
		if err := p.Out(l); err != nil {
			t.Fatal(err)
		}
		if p.Read() != l {
			t.Errorf("out %v reads %v", l, p.Read())
		}
	}
	if err := p.Halt(); err != nil {
		t.Error(err)
	}
}

func TestKernelChipVanishes(t *testing.T) {
	outLine, inLine := realLines(t)
	driver := os.Getenv("MIEN_TEST_GPIO_DRIVER")
	if driver == "" {
		t.Skip("needs a chip that may be taken away: set MIEN_TEST_GPIO_DRIVER to its driver's folder")
	}
	device := ""
	entries, _ := os.ReadDir(driver)
	for _, e := range entries {
		if to, err := os.Readlink(filepath.Join(driver, e.Name())); err == nil && strings.Contains(to, "devices/") {
			device = e.Name()
		}
	}
	write := func(file string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(driver, file), []byte(device), 0); err != nil {
			t.Skipf("this driver does not release it: %v", err)
		}
	}
	for i := range 3 {
		out, err := Kernel.Output(OutputSettings{Line: outLine})
		if err != nil {
			t.Fatal(err)
		}
		in, err := Kernel.Input(InputSettings{Line: inLine})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() {
			for {
				if _, err := in.Wait(-1); err != nil {
					done <- err
					return
				}
			}
		}()
		time.Sleep(50 * ms)
		write("unbind")
		select {
		case err := <-done:
			if !errors.Is(err, ErrGone) {
				t.Errorf("%d: wait: %v", i, err)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%d: the wait does not notice", i)
		}
		if err := out.Set(true); !errors.Is(err, ErrGone) {
			t.Errorf("%d: set: %v", i, err)
		}
		if _, err := in.Active(); !errors.Is(err, ErrGone) {
			t.Errorf("%d: read: %v", i, err)
		}
		if _, err := Kernel.Output(OutputSettings{Line: outLine}); !errors.Is(err, ErrNoChip) {
			t.Errorf("%d: open while it is out: %v", i, err)
		}
		if err := out.Close(); !errors.Is(err, ErrGone) {
			t.Errorf("%d: close: %v", i, err)
		}
		in.Close()
		write("bind")
		c, err := gpiocdev.NewChip(gpiocdev.Chips()[0])
		if err != nil {
			t.Fatalf("%d: it does not come back: %v", i, err)
		}
		c.Close()
	}
	out, err := Kernel.Output(OutputSettings{Line: outLine, Start: true})
	if err != nil {
		t.Fatal(err)
	}
	out.Close()
}

// A kernel that cannot set the resistor gives the line without it, and says so; what
// it refuses for another reason stays refused.
func TestInputWithoutItsResistor(t *testing.T) {
	for _, c := range []struct {
		name    string
		abi     int
		ask     func(asked InputSettings, edges bool) error
		wants   string // of the warning; "" for none
		err     error
		sampled bool
	}{
		{"a newer kernel", 2, func(InputSettings, bool) error { return nil }, "", nil, false},
		{"JetPack 4", 1, func(s InputSettings, _ bool) error {
			if s.Pull != PullAsIs {
				return unix.EINVAL
			}
			return nil
		}, "before Linux 5.5", nil, false},
		{"JetPack 4, a chip without interrupts", 1, func(s InputSettings, edges bool) error {
			if s.Pull != PullAsIs || edges {
				return unix.EINVAL
			}
			return nil
		}, "before Linux 5.5", nil, true},
		{"taken", 1, func(InputSettings, bool) error { return unix.EBUSY }, "", unix.EBUSY, false},
		{"no such line", 1, func(InputSettings, bool) error { return unix.EINVAL }, "", unix.EINVAL, true},
	} {
		in := &input{name: "chip:7", abi: c.abi, edges: true}
		asks := 0
		err := in.request(func(s InputSettings) error {
			asks++
			return c.ask(s, !in.sample)
		}, InputSettings{Pull: PullUp, Debounce: 5 * time.Millisecond})
		if err != c.err || (in.Warning() != "") != (c.wants != "") || !strings.Contains(in.Warning(), c.wants) || in.sample != c.sampled || asks > 6 {
			t.Errorf("%s: %v after %d tries, sampled %v, warning %q", c.name, err, asks, in.sample, in.Warning())
		}
	}
}
