package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"mien/firmware/modbus"
)

// live polls until ctx ends or q is pressed. Trouble on the line is shown and
// counted, and it goes on: that is what an integrator wants to see.
func live(ctx context.Context, o *options, l *link, r *reading, in, out *os.File) {
	ctx, quit := context.WithCancel(ctx)
	defer quit()
	drawn := !o.json && term.IsTerminal(int(out.Fd()))
	keys := make(chan byte, 16)
	if drawn && term.IsTerminal(int(in.Fd())) {
		if old, err := term.MakeRaw(int(in.Fd())); err == nil {
			defer term.Restore(int(in.Fd()), old)
			go press(in, keys, quit)
		}
	}
	screen := screen{out: out}
	if drawn {
		screen.open()
		defer screen.close()
	}
	var slow, printed time.Time
	var alarms []alarm
	note := ""
	for ctx.Err() == nil {
		begin := time.Now()
		trouble := ""
		err := poll(l, r, &slow)
		for err == nil && len(keys) > 0 {
			note, err = obey(<-keys, l, r)
		}
		if err != nil && ctx.Err() == nil {
			trouble = err.Error()
			var gone *lost
			if errors.As(err, &gone) {
				if err := l.reopen(); err != nil {
					trouble = err.Error()
				}
			}
		}
		switch {
		case drawn:
			lines := view(r, o, &l.stats, trouble)
			screen.draw(append(lines, "", "a acknowledge all   r reset   s silence   q end   "+note))
		case trouble != "":
			if time.Since(printed) >= time.Second {
				printed = time.Now()
				fmt.Fprintf(out, "%s  %s\n", printed.Format("15:04:05.0"), trouble)
			}
		case o.json:
			if writeJSON(out, r, &l.stats, false) != nil {
				return // nobody reads any more
			}
		default:
			now := r.alarms()
			if time.Since(printed) >= time.Second || !slices.EqualFunc(alarms, now, func(a, b alarm) bool { return a.state == b.state }) {
				printed, alarms = time.Now(), now
				if _, err := fmt.Fprintln(out, line(r)); err != nil {
					return
				}
			}
		}
		wait := o.rate - time.Since(begin)
		if trouble != "" {
			wait = max(wait, 200*time.Millisecond)
		}
		if wait > 0 {
			select {
			case <-ctx.Done():
			case <-time.After(wait):
			}
		}
	}
}

// poll reads what changes fast, and once a second the rest; the names again
// after the config has changed.
func poll(l *link, r *reading, slow *time.Time) error {
	config := r.word16("config_crc")
	if err := r.read(l, fast...); err != nil {
		return err
	}
	if time.Since(*slow) >= time.Second {
		if err := r.read(l, rest...); err != nil {
			return err
		}
		*slow = time.Now()
	}
	if r.word16("config_crc") != config {
		return r.read(l, names...)
	}
	return nil
}

// press hands keys on; q and Ctrl-C end.
func press(in *os.File, keys chan<- byte, quit func()) {
	var key [1]byte
	for {
		if n, err := in.Read(key[:]); n == 0 || err != nil {
			return
		}
		if key[0] == 'q' || key[0] == 3 {
			quit()
			return
		}
		select {
		case keys <- key[0]:
		default: // pressed faster than the line takes it
		}
	}
}

func obey(key byte, l *link, r *reading) (string, error) {
	ops := map[byte]modbus.Op{'a': modbus.OpAck, 'r': modbus.OpReset, 's': modbus.OpSilence}
	op, ok := ops[key]
	if !ok {
		return "", nil
	}
	return task{op: op}.do(l, r, l.o.byWord)
}

// screen draws lines over those drawn before.
type screen struct{ out *os.File }

func (s *screen) open()  { fmt.Fprint(s.out, "\x1b[?1049h\x1b[?25l\x1b[2J") } // the other buffer, no cursor
func (s *screen) close() { fmt.Fprint(s.out, "\x1b[?25h\x1b[?1049l") }

func (s *screen) draw(lines []string) {
	width, height, err := term.GetSize(int(s.out.Fd()))
	if err != nil || width == 0 || height == 0 {
		width, height = 80, 40
	}
	var b strings.Builder
	b.WriteString("\x1b[H")
	for i, line := range lines[:min(len(lines), height)] {
		if len(line) > width {
			line = line[:width]
		}
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(line + "\x1b[K")
	}
	b.WriteString("\x1b[J")
	s.out.WriteString(b.String())
}
