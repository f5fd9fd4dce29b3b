package main

import (
	"strings"
	"testing"

	"mien/firmware/config"
	"mien/firmware/pipeline"
)

// What explain says of the lines is what the unit does with them, where a key has
// its default too.
func TestExplainLines(t *testing.T) {
	cfg, err := config.Parse("lines.toml", []byte(`
[[output]]
name = "healthy"
line = "pin 11"
function = "healthy"
[[output]]
name = "lamp"
line = "pin 13"
function = "lamp"
[[output]]
name = "horn"
line = "pin 16"
function = "horn"
start = "on"
[[input]]
name = "ack"
line = "pin 15"
function = "acknowledge"
[[input]]
name = "pause"
chip = "pinctrl-bcm2835"
line = "17"
function = "inhibit"
for = "20s"
stuck_after = "0s"
`))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{
		`output "healthy" on pin 11 shows healthy; on is high. At start it is off; with a fault, at exit and after a crash it is off.`,
		`output "lamp" on pin 13 shows lamp; on is high. At start it is on; with a fault, at exit and after a crash it is on.`,
		`output "horn" on pin 16 shows horn; on is high. At start it is on; with a fault, at exit and after a crash it is off.`,
	} {
		if got := lineOutputWords(cfg.Outputs[i]); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
	for i, want := range []string{
		`input "ack" on pin 15: a press (low for 30ms) does acknowledge; pressed for longer than 1m is a fault.`,
		`input "pause" on pinctrl-bcm2835 17: a press (low for 30ms) does inhibit for 20s.`,
	} {
		if got := lineInputWords(cfg.Inputs[i]); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
}

// explain tells when an alarm and the horn come again.
func TestExplainReminders(t *testing.T) {
	text := "[[alarm]]\nname = \"a\"\nsignal = \"eyes_closed\"\nhigh = 0.6\n"
	const again, quiet = "Acknowledged for 30m and still there, it alarms again.", "Silenced, it sounds again after 10m for what nobody has acknowledged, or with the next new alarm."
	for _, c := range []struct {
		text  string
		again bool
	}{{text, false}, {text + "re_alarm = \"30m\"\n[unit]\nsilence_max = \"10m\"\n", true}} {
		cfg, err := config.Parse("m", []byte(c.text))
		if err != nil {
			t.Fatal(err)
		}
		cards, _, err := pipeline.Cards(cfg.Model)
		if err != nil {
			t.Fatal(err)
		}
		if got := alarmWords(cfg, cards)[0]; strings.Contains(got, again) != c.again {
			t.Error(got)
		}
		if got := hornWords(cfg); (got == quiet) != c.again {
			t.Error(got)
		}
	}
}
