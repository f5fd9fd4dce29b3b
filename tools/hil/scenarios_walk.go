package main

import (
	"encoding/binary"
	"regexp"
	"slices"
	"strings"
	"time"

	"mien/firmware/modbus"
	"mien/tools/hil/wire"
)

// A stop is something that `mien selftest -walk` says, and what the person beside
// the unit does then and types, if anything.
type stop struct {
	at   *regexp.Regexp
	does func(m []string) (types string)
}

func at(pattern string, does func(m []string) (types string)) stop {
	return stop{regexp.MustCompile(pattern), does}
}

func types(text string) func([]string) string { return func([]string) string { return text } }

// walks runs `mien selftest -walk` with a person who goes by stops, and gives its
// report and exit status.
func (b *bench) walks(config string, stops ...stop) (report string, code int) {
	b.stopUnit()
	b.show("neutral")
	b.need(b.m.put("/etc/mien/selftest.toml", []byte(config), 0o644))
	p, err := b.m.begin(&wire.Message{Kind: wire.Run, Input: true, Args: []string{"/usr/lib/mien/mien", "selftest", "-walk", "-config", "/etc/mien/selftest.toml"}})
	b.need(err)
	for done := 0; ; {
		var s stop
		var m []string
		end := 0
		if !p.until(2*time.Minute, func(text, how string) bool {
			m = nil
			for _, try := range stops { // the one that comes first in the text
				if i := try.at.FindStringIndex(text[done:]); i != nil && (m == nil || i[1] < end) {
					s, m, end = try, try.at.FindStringSubmatch(text[done:]), i[1]
				}
			}
			return m != nil || how != ""
		}) {
			b.fatalf("the self-test waits for something:\n%s", p.output())
		}
		if m == nil {
			_, report, _ = strings.Cut(p.output(), "\nself-test of the unit")
			b.check(report != "", "no report:\n%s", p.output())
			code, _ = p.state()
			return report, code
		}
		done += end
		if text := s.does(m); text != "" {
			b.need(p.types(text))
		}
	}
}

// looks is a person who sees the lines.
func (b *bench) looks(lines *int) stop {
	return at(`Is (.+) \(.+\) (on|off) now\? \[`, func(m []string) string {
		line := slices.Index(lineNames[:], m[1])
		b.check(line >= 0, "it asks for %q", m[1])
		*lines++
		if b.m.pins.wait(10*time.Second, func() bool { return b.m.pins.level(line) == (m[2] == "on") }) {
			return "y\n"
		}
		return "n\n"
	})
}

// presses is a person who presses the buttons until it is seen.
func (b *bench) presses(n *int) []stop {
	return []stop{
		at(`Stand at the button .* \[`, types("\n")),
		at(`Press (.+) within `, func(m []string) string {
			*n++
			line := slices.Index(lineNames[:], m[1])
			b.check(line >= 0, "it asks for %q", m[1])
			b.need(b.m.pins.drive(line, true))
			return ""
		}),
		at(`seen\.`, func([]string) string {
			b.need(b.m.pins.drive(ackLine, false))
			b.need(b.m.pins.drive(resetLine, false))
			return ""
		}),
	}
}

// walk is a person who does all that is asked, at a unit that is well.
func walk(b *bench) {
	lines, presses := 0, 0
	var read []string
	report, code := b.walks(dogConfig, append(b.presses(&presses),
		at(`Stand before the camera\. \[`, types("\n")),
		at(`Cover the lens`, func([]string) string { b.show("dark"); return "" }),
		at(`Take the hand away`, func([]string) string { b.show("neutral"); return "" }),
		b.looks(&lines),
		at(`mbpoll [^\n]*\n.* \[`, types("\n")),
		at(`It has `, func([]string) string {
			var err error
			read, err = b.mbpoll("3", 50, 4)
			b.need(err)
			return ""
		}),
		at(`Did it get (\d+) (\d+) (\d+) (\d+) .* \[`, func(m []string) string {
			if slices.Equal(m[1:], read) {
				return "y\n"
			}
			return "n\n"
		}),
		at(`Open the watchdog\?.* \[`, types("y\n")))...)
	b.check(code == 0 && strings.Contains(report, " 0 failed, 0 skipped") && strings.Contains(report, "tested by ____"), "%d: %s", code, report)
	b.check(lines == 10 && presses == 2, "%d looks at lines, %d presses:\n%s", lines, presses, report)
	b.check(b.dog() == "inactive", "the watchdog is %s", b.dog())
	b.logf("%s", strings.TrimSpace(report))
}

// walkWrong is a person at a unit with its wires mixed up: the lamp stays dark, the
// picture is another camera's, nobody hears the button, the PLC asks for another
// slave.
func walkWrong(b *bench) {
	other := []byte{2, 4, 0, 50, 0, 4}
	other = binary.LittleEndian.AppendUint16(other, modbus.CRC(other))
	report, code := b.walks(configWith(`name = "reset key"`, `name = "other key"`),
		at(`Is lamp \(.+\) on now\? \[`, types("n\n")),
		at(`Is .+ now\? \[`, types("y\n")),
		at(`Stand before the camera\. \[`, types("\n")),
		at(`Stand at the button ack button .* \[`, types("\n")),
		at(`Stand at the button other key .* \[`, types("s\n")),
		at(`mbpoll [^\n]*\n.* \[`, types("\n")),
		at(`It has `, func([]string) string {
			_, err := b.m.modbus.Write(other)
			b.need(err)
			return ""
		}))
	b.check(code == 1, "exit %d: %s", code, report)
	for _, want := range []string{`failed +lens +the picture did not get dark, .* not seen in 30s`, `failed +output lamp +not confirmed: Is lamp `,
		`passed +output fault `, `failed +input ack button `, `skipped +input other key +passed over`,
		`failed +PLC +the PLC asks for other slaves \(1 frame\), not for address 1`, ` 4 failed, `} {
		b.check(regexp.MustCompile(want).MatchString(report), "no %q in\n%s", want, report)
	}
	b.logf("%s", strings.TrimSpace(report))
}
