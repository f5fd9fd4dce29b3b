package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"mien/firmware/modbus"
)

// entry is one register in JSON.
type entry struct {
	Space   string   `json:"space"`
	Address int      `json:"address"`
	Name    string   `json:"name"`
	Type    string   `json:"type"`
	Unit    string   `json:"unit,omitempty"`
	Raw     []uint16 `json:"raw"`
	Value   any      `json:"value"` // null: not available
}

// writeJSON prints what was read; the whole map on many lines, or the input
// registers by name on one.
func writeJSON(w io.Writer, r *reading, s *stats, all bool) error {
	if !all {
		values := map[string]any{"time": r.at.UTC().Format(time.RFC3339Nano)}
		alarms := int(r.word16("alarm_count"))
		for i := range table {
			reg := &table[i]
			var n int
			if _, err := fmt.Sscanf(reg.Name, "alarm%d_", &n); err == nil && n >= alarms {
				continue // there is no such alarm
			}
			if _, ok := r.raw(reg); ok && reg.Space == modbus.Input {
				values[reg.Name] = r.value(reg)
			}
		}
		return json.NewEncoder(w).Encode(values)
	}
	out := struct {
		Time      string  `json:"time"`
		Doubt     string  `json:"doubt,omitempty"`
		Registers []entry `json:"registers"`
		Line      summary `json:"line"`
	}{Time: r.at.UTC().Format(time.RFC3339Nano), Doubt: r.doubt(), Line: s.summary()}
	for i := range table {
		reg := &table[i]
		if raw, ok := r.raw(reg); ok {
			out.Registers = append(out.Registers, entry{reg.Space.String(), reg.Address, reg.Name, reg.Type.String(), reg.Unit, raw, r.value(reg)})
		}
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(out)
}

// writeAll prints the whole map as text.
func writeAll(w io.Writer, r *reading) {
	space := modbus.Space(255)
	for i := range table {
		reg := &table[i]
		raw, ok := r.raw(reg)
		if !ok {
			continue
		}
		if reg.Space != space {
			space = reg.Space
			fmt.Fprintf(w, "\n%ss\n", space)
		}
		hex := fmt.Sprintf("%04X", raw[0])
		switch {
		case reg.Type == modbus.Bool:
			hex = ""
		case len(raw) == 2:
			hex += fmt.Sprintf(" %04X", raw[1])
		case len(raw) > 2:
			hex = ""
		}
		fmt.Fprintf(w, "  %5d  %-28s %-9s  %s\n", reg.Address, reg.Name, hex, r.show(reg))
	}
}

func writeAlarms(w io.Writer, r *reading) {
	fmt.Fprintf(w, "  no  %-16s  %-24s %8s %8s %8s\n", "alarm", "state", "value", "limit", "for")
	for _, a := range r.alarms() {
		fmt.Fprintf(w, "  %2d  %-16s  %-24s %8s %8s %8s\n", a.number, a.name, a.state, a.value, a.limit, a.seconds)
	}
}

// line is a poll in one line, for a log.
func line(r *reading) string {
	var alarms []string
	for _, a := range r.alarms() {
		alarms = append(alarms, fmt.Sprintf("%s %s", a.name, a.state))
	}
	reading := "no reading: " + r.named("no_reading_reason")
	if r.hasReading() {
		reading = fmt.Sprintf("%s %s", r.named("expression"), r.named("expression_probability"))
	}
	return fmt.Sprintf("%s  heartbeat %s  age %s  %s  faults %s  %s  [%s]", r.at.Format("15:04:05.0"), r.named("heartbeat"),
		r.named("result_age"), r.named("frame_rate"), r.named("faults"), reading, strings.Join(alarms, ", "))
}

// view is the live picture: lines that each fit 80 columns.
func view(r *reading, o *options, s *stats, trouble string) []string {
	var b strings.Builder
	put := func(label, format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		for _, part := range wrap(text, 68) {
			fmt.Fprintf(&b, "%-10s  %s\n", label, part)
			label = ""
		}
	}
	fmt.Fprintf(&b, "mien        slave %d on %s, %s\n\n", o.address, o.port, o.line())
	if trouble != "" {
		put("TROUBLE", "%s", trouble)
	} else if doubt := r.doubt(); doubt != "" {
		put("DOUBT", "%s", doubt)
	}
	put("unit", "heartbeat %s   %s   latency %s   age %s   up %s", r.named("heartbeat"), r.named("frame_rate"),
		r.named("latency"), r.named("result_age"), r.named("uptime"))
	put("", "availability %s   temperature %s   events %s   dropped %s", r.named("availability"), r.named("temperature"), r.named("events"), r.named("frames_dropped"))
	put("status", "%s", r.named("status"))
	put("faults", "%s", r.named("faults"))
	if r.hasReading() {
		put("reading", "%s %s   valence %s   arousal %s   (derived)", r.named("expression"), r.named("expression_probability"), r.named("valence"), r.named("arousal"))
	} else {
		put("reading", "none: %s", r.named("no_reading_reason"))
	}
	put("", "eyes closed %s   perclos %s   covered %s", r.named("eyes_closed"), r.named("perclos"), r.named("covered"))
	grid := func(label string, columns int, cells []string) {
		for row := range slices.Chunk(cells, columns) {
			put(label, "%s", strings.Join(row, "   "))
			label = ""
		}
	}
	var cells []string
	for _, au := range modbus.AUs {
		cells = append(cells, fmt.Sprintf("AU%-2d %6s", au, r.named(fmt.Sprintf("au%d", au))))
	}
	grid("units", 5, cells)
	cells = nil
	for _, e := range modbus.Expressions {
		cells = append(cells, fmt.Sprintf("%-9s %6s", e, r.named("expression_"+e)))
	}
	grid("expression", 3, cells)
	put("lines", "outputs %s   inputs %s   annunciator %s", r.named("outputs"), r.named("inputs"), r.named("annunciator"))
	fmt.Fprintln(&b)
	writeAlarms(&b, r)
	fmt.Fprintln(&b)
	put("answers", "p50 %.1f ms   p99 %.1f ms   max %.1f ms   turnaround p99 %.1f ms", ms(s.response.quantile(0.5)), ms(s.response.quantile(0.99)), ms(s.response.most), ms(s.turnaround.quantile(0.99)))
	put("requests", "%d   no answer %d   damaged %d   from another slave %d   refused %d", s.requests, s.timeouts, s.damaged, s.foreign, s.exceptions)
	put("unit saw", "%s messages   %s damaged   %s exceptions   %s replies under its address", r.named("bus_messages"), r.named("bus_errors"), r.named("bus_exceptions"), r.named("bus_foreign_replies"))
	return strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
}

// wrap breaks a text between words. Runs of spaces stay, so that columns do.
func wrap(text string, width int) (lines []string) {
	for len(text) > width {
		cut := strings.LastIndex(text[:width+1], " ")
		if cut <= 0 {
			cut = width
		}
		lines = append(lines, strings.TrimRight(text[:cut], " "))
		text = strings.TrimLeft(text[cut:], " ")
	}
	return append(lines, text)
}
