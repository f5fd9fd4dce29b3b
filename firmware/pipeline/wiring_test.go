package pipeline

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"mien/board"
	"mien/drivers/gpio"
	"mien/firmware/config"
	"mien/firmware/health"
	"mien/model/face"
)

// What the board's tables know of a pin reaches whoever checks a config.
func TestWiringTellsWhatTheBoardKnows(t *testing.T) {
	pi, _ := board.ByID("pi4b")
	jetson, _ := board.ByID("agx-orin")
	nano, _ := board.ByID("jetson-nano")
	output := func(line string) string {
		return "[[output]]\nname = \"lamp\"\nfunction = \"lamp\"\n" + line
	}
	input := func(line string) string {
		return "[[input]]\nname = \"ack\"\nfunction = \"acknowledge\"\n" + line
	}
	for name, c := range map[string]struct {
		board *board.Board
		text  string
		want  []string // the beginning of each problem, and a part of it
	}{
		"right":                    {pi, output(`line = "pin 11"`), nil},
		"right, by number":         {pi, output(`line = 17`), nil},
		"a fixed function":         {jetson, output(`line = "pin 3"`), []string{"m:4: output[1].line: pin 3 of|a fixed function"}},
		"pulled up":                {pi, output(`line = "pin 29"`), []string{"m:4: warning: output[1].line: GPIO5 is pulled up|at every start"}},
		"pulled up, a bare number": {pi, output(`line = 5`), []string{"m:4: warning: output[1].line: GPIO5 is pulled up|"}},
		"pulled up, an input":      {pi, input(`line = "pin 29"`), nil},
		"not on the header":        {pi, output(`line = "GPIO42"`), []string{"m:4: warning: output[1].line: GPIO42 is not on|"}},
		"its other use":            {pi, input(`line = "pin 10"`), []string{"m:4: warning: input[1].line: GPIO15 is also UART|"}},
		"outputs only":             {jetson, input(`line = "pin 11"`), []string{"m:4: warning|request to send", "m:4: warning|output only"}},
		"another chip's":           {pi, output("chip = \"x\"\nline = \"pin 11\""), []string{"m:5: output[1].line: pin 11 is on chip pinctrl-bcm2711|"}},
		"the kernel's name":        {pi, output(`line = "STATUS_LED"`), nil},
		"an expander's line":       {pi, output("chip = \"pcf8574\"\nline = 3"), nil},
		"a resistor it cannot set": {nano, input("line = \"pin 15\"\npull = \"up\""), []string{"m:4: warning: input[1].line: pull = \"up\" has no effect on a Jetson Nano|10 kΩ"}},
		"none asked for":           {nano, input("line = \"pin 15\"\npull = \"as-is\""), nil},
		"no board":                 {nil, output(`line = "pin 11"`), []string{"m:4: warning: output[1].line: this machine is no board whose header is known|start nothing"}},
		"no board, a chip's line":  {nil, output("chip = \"pcf8574\"\nline = 3"), nil},
		"twice":                    {pi, output("line = 17") + "\n" + input(`line = "pin 11"`), []string{"m:8: input[1].line: \"pin 11\"|one and the same"}},
	} {
		cfg, err := config.Parse("m", []byte(c.text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		found := Wiring(cfg, board.Unit{Board: c.board})
		ok := len(found) == len(c.want)
		for i, want := range c.want {
			begin, part, _ := strings.Cut(want, "|")
			ok = ok && strings.HasPrefix(found[i].String(), begin) && strings.Contains(found[i].Text, part)
		}
		if !ok {
			t.Errorf("%s:\n%v\nwant %q", name, found, c.want)
		}
	}
}

// The pins that the config refuses on every board are those that are a line on
// none.
func TestHeaderPinsOfTheConfigAreTheBoards(t *testing.T) {
	some := make(map[int]bool)
	for _, b := range board.All() {
		for _, p := range b.Pins {
			some[p.Number] = true
		}
	}
	for n := 0; n <= 42; n++ {
		_, err := config.Parse("m", []byte(fmt.Sprintf("[[output]]\nname = \"lamp\"\nfunction = \"lamp\"\nline = \"pin %d\"\n", n)))
		if taken := err == nil; taken != some[n] {
			t.Errorf("pin %d is a line of a board: %v; the config: %v", n, some[n], err)
		}
	}
}

// A header pin is never looked for among the kernel's names: on a board that is
// not known the way out is told, not that no line is called so.
func TestHeaderPinNeedsItsBoard(t *testing.T) {
	_, err := Lines(board.Unit{})("", "pin 11")
	if err == nil || !strings.Contains(err.Error(), "its chip's label and its number") {
		t.Error(err)
	}
	if l, err := Lines(board.Unit{})("", "PA.03"); err != nil || l.Name != "PA.03" {
		t.Errorf("a kernel's name: %+v, %v", l, err)
	}
}

// What the quality gate advises names keys that the config has.
func TestAdviceNamesRealKeys(t *testing.T) {
	keys := map[string]bool{}
	for _, k := range config.Reference() {
		keys[k.Path] = true
	}
	named := 0
	for r := face.Good; !strings.HasPrefix(r.String(), "reason "); r++ {
		for _, key := range regexp.MustCompile(`[a-z]+(\.[a-z_]+)+`).FindAllString(r.Advice(), -1) {
			named++
			if !keys[key] {
				t.Errorf("%v: %q: there is no key %s", r, r.Advice(), key)
			}
		}
		if strings.Contains(r.Advice(), "[") {
			t.Errorf("%v: %q: write a key with its section and a dot", r, r.Advice())
		}
	}
	if named == 0 {
		t.Error("no key is named: this tests nothing")
	}
}

// A line that another program holds is a fault that names the holder; the other
// lines work meanwhile, and it is taken when it is free.
func TestLineThatIsTaken(t *testing.T) {
	b := newBench(t, "", func(o *Options) { o.Host.(*gpio.Fake).Take(pin(1), "a relay script") })
	b.until("the fault", b.fault(health.OutputMismatch))
	if list := b.unit.Faults(); len(list) == 0 || !strings.Contains(list[0].Detail, `output lamp: gpio line fake:1: held by "a relay script"`) {
		t.Errorf("%+v", list)
	}
	b.until("the healthy line", func() bool { return b.toggles(0) > 2 })
	b.chip.Take(pin(1), "")
	b.until("the way back", b.trusted)
}
