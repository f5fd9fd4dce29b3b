package main

import (
	"fmt"
	"io"
	"iter"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"mien/firmware/alarm"
	"mien/firmware/state"
)

// scene is what the live view shows: what the unit knows and what stands around
// it.
type scene struct {
	state.State
	Now    time.Duration
	Serial string // where the serial port is and what was last said on it
	Said   string // the newest message
	Foot   string // how to leave
}

const (
	bold    = "\x1b[1m"
	dim     = "\x1b[2m"
	red     = "\x1b[31m"
	yellow  = "\x1b[33m"
	green   = "\x1b[32m"
	reverse = "\x1b[7m"
	plain   = "\x1b[0m"

	home        = "\x1b[H"
	clearScreen = "\x1b[2J"
	eraseEnd    = "\x1b[K"
	eraseAll    = "\x1b[J"
	hideCursor  = "\x1b[?25l"
	showCursor  = "\x1b[?25h"
)

// draw writes the view into width columns and at most height rows. Every row
// erases what stood behind it, so that nothing flickers.
func (s *scene) draw(w io.Writer, width, height int) error {
	rows := s.rows(max(width, 60), height-1)
	if height > 1 && len(rows) > height-1 {
		rows = rows[:height-1]
	}
	var b strings.Builder
	b.WriteString(home)
	for _, r := range rows {
		b.WriteString(cut(r, width))
		b.WriteString(plain + eraseEnd + "\r\n")
	}
	b.WriteString(eraseAll)
	_, err := io.WriteString(w, b.String())
	return err
}

// rows are those of the view. Where height (0 or less: any) is too little for all
// of them, signals go first, then alarms that are normal.
func (s *scene) rows(width, height int) []string {
	wide := width - 58 // what is left for a bar
	bar := min(max(wide, 10), 40)
	rule := dim + strings.Repeat("─", width) + plain
	rows := []string{
		fmt.Sprintf("%smien%s  %s   up %s   %4.1f frames/s   latency %s   %d dropped", bold, plain, s.About.Unit,
			span(s.Now-s.About.Started), s.Rate, millis(s.Latency), s.Dropped),
		s.faceRow(), rule,
	}
	for _, f := range s.Faults {
		rows = append(rows, wrap(fmt.Sprintf("%s%s %s%s  %s  ", red+bold, f.Fault.Info().Code, f.Fault, plain, span(s.Now-f.Since)), f.Detail, width, 4)...)
	}
	if s.Pilot.Recording {
		rows = append(rows, fmt.Sprintf("%sRECORDING%s what the network says, until %s", bold, plain, s.Pilot.Ends.Local().Format("2006-01-02 15:04")))
	}
	foot := s.footRows(width)
	signals := s.signalRows(bar)
	room := len(s.Alarms) + len(signals)
	if height > 0 {
		room = max(0, height-len(rows)-len(foot)-2)
	}
	alarms := s.alarmRows(bar, max(room, 1))
	rows = append(append(rows, alarms...), rule)
	if room -= len(alarms); room > 0 {
		rows = append(append(rows, signals[:min(room, len(signals))]...), rule)
	}
	return append(rows, foot...)
}

// alarmRows show the alarms in the order of the config or, in the rows that there
// are, those that are not normal.
func (s *scene) alarmRows(bar, most int) []string {
	var rows []string
	if len(s.Alarms) == 0 {
		return []string{dim + "no alarm is configured" + plain}
	}
	all := len(s.Alarms) <= most
	left := len(s.Alarms)
	for i := range s.Alarms {
		if all || s.Alarms[i].State != alarm.Normal && len(rows) < most-1 {
			rows = append(rows, s.alarmRow(i, bar))
			left--
		}
	}
	if left > 0 {
		rows = append(rows, fmt.Sprintf("%s%d more alarms: mien alarms lists them all%s", dim, left, plain))
	}
	return rows
}

// footRows are the lines and what is said.
func (s *scene) footRows(width int) []string {
	var rows []string
	if len(s.About.Outputs) > 0 {
		var b strings.Builder
		for i, name := range s.About.Outputs {
			if s.Outputs[i] {
				fmt.Fprintf(&b, "%s%s●%s %s   ", bold, yellow, plain, name)
			} else {
				fmt.Fprintf(&b, "%s○%s %s   ", dim, plain, name)
			}
		}
		rows = append(rows, "lines   "+b.String())
	}
	if s.Serial != "" {
		rows = append(rows, "serial  "+s.Serial)
	}
	if s.Said != "" {
		rows = append(rows, wrap("said    ", s.Said, width, 2)...)
	}
	if s.Foot != "" {
		rows = append(rows, dim+s.Foot+plain)
	}
	return rows
}

func (s *scene) faceRow() string {
	if s.Results == 0 {
		return dim + "no result yet" + plain
	}
	if !s.Flags(s.Now).Has(state.ResultValid) {
		return red + bold + "no fresh result" + plain
	}
	if s.Faces == 0 {
		return dim + "no face in view: readings are unknown" + plain
	}
	row := fmt.Sprintf("face    %d in view, %.0f px, score %.2f", s.Faces, s.FaceSize, s.FaceScore)
	if s.Reason != "" {
		return row + "   " + yellow + s.Reason + plain + ": readings are unknown"
	}
	if len(s.Covered) > 0 {
		row += "   " + yellow + strings.Join(s.Covered, " and ") + " covered" + plain
	}
	return row
}

func (s *scene) alarmRow(i, width int) string {
	a := &s.Alarms[i]
	colour := ""
	switch {
	case a.State == alarm.Unacknowledged:
		colour = red + bold
		if int(s.Now/(500*time.Millisecond))%2 == 0 {
			colour += reverse
		}
	case a.State.NeedsAck(), a.State.Active():
		colour = red
	case a.State.Latched():
		colour = yellow
	case a.State.Covered():
		colour = dim
	}
	held := ""
	if a.State != alarm.Normal {
		held = "  " + span(s.Now-max(a.Since, s.About.Started))
	}
	if a.Unknown {
		held += "  unknown"
	}
	compare := "≥"
	if a.Side == alarm.Below {
		compare = "≤"
	}
	of, known := s.About.Signal(a.Signal)
	if !known { // of an alarm that is only kept until it is acknowledged
		of.Max = 1
	}
	return fmt.Sprintf("%-18s %s %s %s %5.2f  %s%s%s%s", short(a.Name, 18), level(a.Level), meter(a.Level, of.Min, of.Max, a.Limit, width),
		compare, a.Limit, colour, a.State, plain, held)
}

// signalRows show every signal that the unit has, whatever its network: the
// likeliest expression in place of each one's probability, those that go below
// zero in a row each, the rest two in a row.
func (s *scene) signalRows(width int) []string {
	var rows, pairs []string
	const small = 5 // two signals fit into 80 columns
	any := false
	for i, signal := range s.About.Signals {
		l := s.Levels[i]
		switch {
		case strings.HasPrefix(signal.Name, "expression."), strings.HasPrefix(signal.Name, "compound."):
			any = true
		case signal.Min < 0:
			row := fmt.Sprintf("%-18s %s %s", signal.Name, level(l), meter(l, signal.Min, signal.Max, 0, width))
			if signal.Derived {
				row += dim + "  derived" + plain
			}
			rows = append(rows, row)
		default:
			pairs = append(pairs, fmt.Sprintf("%-27s %s %s  ", short(signal.Human, 27), level(l), meter(l, signal.Min, signal.Max, nan32, small)))
		}
	}
	if any {
		row := fmt.Sprintf("%-18s %s", "expression", dim+"unknown"+plain)
		if e, c := s.Expression, s.Compound; e.Name != "" {
			row = fmt.Sprintf("%-18s %s %s", "expression", level(e.Level), words(e.Name))
			if c.Name != "" {
				row += fmt.Sprintf("%s   compound: %s %.2f%s", dim, words(c.Name), c.Level, plain)
			}
		}
		rows = append([]string{row}, rows...)
	}
	for i := 0; i < len(pairs); i += 2 {
		rows = append(rows, strings.Join(pairs[i:min(i+2, len(pairs))], ""))
	}
	return rows
}

// words is a name of a class as people write it.
func words(name string) string { return strings.ReplaceAll(name, "_", " ") }

// happened is an event in a row of the view: the time of day, what, and why. The
// journal has all of it.
func happened(e alarm.Event) string {
	text := e.Wall.Local().Format("15:04:05 ")
	if e.Trigger == alarm.Note {
		return text + e.Cause
	}
	if e.Alarm != "" {
		text += e.Alarm + ": "
	}
	text += e.Trigger.Words()
	if e.Refused {
		text += " refused"
	}
	if e.From != e.To {
		text += ", now " + e.To.String()
	}
	if e.Who != "" {
		text += " by " + e.Who
	}
	if w := e.Why; w.Signal != "" {
		lasted := w.Lasted()
		if !w.AtLeast {
			lasted = "for " + alarm.Time(w.For.Round(100*time.Millisecond))
		}
		text += fmt.Sprintf("; %s %.2f, %s %.2f %s", w.Signal, w.Level, w.Side, w.Limit, lasted)
	}
	return text
}

var nan32 = float32(math.NaN())

// meter draws v between low and high, with a mark at limit.
func meter(v, low, high, limit float32, width int) string {
	place := func(x float32) int {
		return min(max(int(math.Round(float64((x-low)/(high-low))*float64(width))), 0), width)
	}
	mark := -1
	if limit == limit { // not NaN
		mark = min(place(limit), width-1)
	}
	filled, from := -1, 0
	if v == v {
		filled = place(v)
		if low < 0 { // a scale with its zero in the middle fills from there
			from = place(0)
		}
	}
	lo, hi := min(from, filled), max(from, filled)
	var b strings.Builder
	for i := 0; i < width; i++ {
		switch {
		case i == mark:
			b.WriteString("┃")
		case filled >= 0 && i >= lo && i < hi:
			b.WriteString("█")
		default:
			b.WriteString("·")
		}
	}
	return b.String()
}

func level(v float32) string {
	if v != v {
		return "    –"
	}
	return fmt.Sprintf("%5.2f", v)
}

func millis(d time.Duration) string { return alarm.Time(d.Round(time.Millisecond)) }

// span writes how long something has lasted, in the two units that tell: 4.2s, 3m5s,
// 2h11m, 12d3h.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return alarm.Time(d.Truncate(100 * time.Millisecond))
	case d < time.Hour:
		return alarm.Time(d.Truncate(time.Second))
	case d < day:
		return alarm.Time(d.Truncate(time.Minute))
	}
	return fmt.Sprintf("%dd%dh", d/day, d%day/time.Hour)
}

func short(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	r := []rune(s)
	return string(r[:n-1]) + "…"
}

// wrap breaks a text behind a head at its words into rows of width columns, at
// most so many; the last is cut.
func wrap(head, text string, width, most int) []string {
	const indent = "        "
	row, used := head, columns(head)
	var rows []string
	for i, word := range strings.Fields(text) {
		n := columns(word)
		switch {
		case i > 0 && used+1+n > width && len(rows) < most-1:
			rows, row, used = append(rows, row), indent+word, len(indent)+n
			continue
		case i > 0:
			row += " "
			used++
		}
		row += word
		used += n
	}
	return append(rows, row)
}

// printed gives the places in a row of the runes that take a column: not those of
// its escape sequences.
func printed(row string) iter.Seq[int] {
	return func(yield func(int) bool) {
		escape := false
		for i, r := range row {
			switch {
			case r == '\x1b':
				escape = true
			case escape:
				escape = !(r >= '@' && r <= '~' && r != '[')
			case !yield(i):
				return
			}
		}
	}
}

// columns is how wide a row is without its escape sequences.
func columns(row string) (n int) {
	for range printed(row) {
		n++
	}
	return n
}

// cut shortens a row to width columns without cutting an escape sequence.
func cut(row string, width int) string {
	if width <= 0 {
		return row
	}
	n := 0
	for i := range printed(row) {
		if n == width {
			return row[:i]
		}
		n++
	}
	return row
}
