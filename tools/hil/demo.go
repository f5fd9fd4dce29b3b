package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"

	"mien/tools/hil/wire"
)

// demoKeys are what a person can do to the machine.
var demoKeys = []struct {
	key   byte
	scene string // for the camera; or
	line  int    // the input to press
	what  string
}{
	{'n', "neutral", 0, "neutral"}, {'f', "frown", 0, "frown"}, {'s', "smile", 0, "smile"}, {'e', "eyes closed", 0, "eyes closed"},
	{'g', "nobody", 0, "nobody"}, {'d', "dark", 0, "dark"}, {'a', "", ackLine, "acknowledge"}, {'r', "", resetLine, "reset"},
}

// runDemo leaves a machine up: the unit's live view on this terminal, keys for
// what the camera sees and for the buttons, a pty for a PLC.
func runDemo(ctx context.Context, work, archive string, newer bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	k, err := prepare(ctx, work, archive, newer)
	if err != nil {
		return err
	}
	b, err := openVirt(ctx, k, nil)
	if err != nil {
		return err
	}
	defer b.m.stop()
	cols, rows, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil {
		cols, rows = 100, 32
	}
	if why := b.try(scenario{run: func(b *bench) {
		b.show("neutral")
		b.need(b.m.put("/etc/mien/mien.toml", []byte(baseConfig), 0o644))
	}}); why != "" {
		return fmt.Errorf("%s", why)
	}
	link := k.work + "/plc"
	help := fold("PLC: Modbus RTU slave, address 1, 115200 8N1, at "+link, cols)
	keys := "keys:"
	for _, d := range demoKeys {
		keys += fmt.Sprintf(" %c %s,", d.key, d.what)
	}
	help = append(help, fold(keys+" q end", cols)...)
	b.unit, err = b.m.begin(&wire.Message{Kind: wire.Run, Confine: mienUser, Rows: rows - len(help) - 1, Cols: cols,
		Args: []string{"/usr/lib/mien/mien", "run", "-config", "/etc/mien/mien.toml"},
		Env:  []string{"RUNTIME_DIRECTORY=/run/mien", "STATE_DIRECTORY=/var/lib/mien", "TERM=" + os.Getenv("TERM")}})
	if err != nil {
		return err
	}
	os.Remove(link)
	if err := os.Symlink(b.plcName, link); err != nil {
		return err
	}
	defer os.Remove(link)
	if term.IsTerminal(int(os.Stdin.Fd())) {
		old, err := term.MakeRaw(int(os.Stdin.Fd()))
		if err != nil {
			return err
		}
		defer term.Restore(int(os.Stdin.Fd()), old)
	} else {
		fmt.Println(strings.Join(help, "\n"))
	}
	typed := make(chan byte)
	go func() {
		var key [1]byte
		for {
			if n, err := os.Stdin.Read(key[:]); err != nil || n == 0 {
				return // no terminal: the demo runs until it is stopped
			}
			typed <- key[0]
		}
	}()
	return b.play(ctx, typed, rows, help)
}

// fold breaks a text between words so that no line is wider than a terminal.
func fold(text string, width int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	return append(lines, line)
}

// play shows the view and does what keys ask for, until q, the end of the unit,
// or ctx.
func (b *bench) play(ctx context.Context, keys <-chan byte, rows int, help []string) error {
	for {
		b.unit.mu.Lock()
		text, more, how := b.unit.text.String(), b.unit.more, b.unit.how
		b.unit.text.Reset() // it may be shown for days
		b.unit.mu.Unlock()
		if text != "" {
			fmt.Print(text)
			fmt.Print("\x1b7")
			for i, line := range help {
				fmt.Printf("\x1b[%d;1H\x1b[K%s", rows-len(help)+i+1, line)
			}
			fmt.Print("\x1b8")
		}
		if how != "" {
			return fmt.Errorf("the unit has ended: %s", how)
		}
		select {
		case <-more:
		case <-ctx.Done():
			return nil
		case key := <-keys:
			if key == 'q' || key == 3 {
				b.unit.signal(int(syscall.SIGTERM))
				b.unit.wait(time.Minute)
				fmt.Printf("\x1b[%d;1H\r\n", rows)
				return nil
			}
			if why := b.try(scenario{run: func(b *bench) { b.key(key) }}); why != "" {
				help[len(help)-1], _, _ = strings.Cut(why, "\n")
			}
		}
	}
}

func (b *bench) key(key byte) {
	for _, d := range demoKeys {
		switch {
		case d.key != key:
		case d.scene != "":
			b.show(d.scene)
		default:
			b.press(d.line, func() { time.Sleep(time.Second) })
		}
	}
}
