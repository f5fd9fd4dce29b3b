package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"

	"mien/firmware/operator"
	"mien/firmware/pilot"
	"mien/firmware/state"
	"mien/given"
)

// pilotDrill is `mien pilot drill`: it leads a person through a script, and the
// unit records what was asked when.
func pilotDrill(c *call) error {
	lang := c.String("lang", "", "`LANGUAGE`: en or ja; empty: as $LANG says")
	show := c.Bool("show", false, "print the script and end")
	path := c.socketOption()
	if err := c.options(1); err != nil {
		return err
	}
	if *lang == "" {
		if *lang = "en"; strings.HasPrefix(os.Getenv("LANG"), "ja") {
			*lang = "ja"
		}
	}
	if *lang != "en" && *lang != "ja" {
		return usageError(fmt.Sprintf("-lang %q is not en or ja", *lang))
	}
	if c.NArg() == 0 {
		return usageError("name a script: " + strings.Join(pilot.Scripts(), ", ") + ", or a file of your own (mien pilot drill -show usual prints one)")
	}
	text, shipped := pilot.Shipped(c.Arg(0))
	if !shipped {
		var err error
		if text, err = given.Read(c.Arg(0), 64<<10); err != nil {
			return coded{fmt.Errorf("%w: the scripts that ship with mien are %s", err, strings.Join(pilot.Scripts(), ", ")), exitMissing}
		}
	}
	script, err := pilot.ParseScript(c.Arg(0), text)
	if err != nil {
		return coded{err, exitConfig}
	}
	if *show {
		_, err := c.out.Write(text)
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	return c.lead(ctx, script, *lang, *path, time.After)
}

// lead goes through a script. after is time.After, but in tests.
func (c *call) lead(ctx context.Context, script *pilot.Script, lang, path string, after func(time.Duration) <-chan time.Time) error {
	ask := func(r operator.Request) (operator.Reply, error) {
		client, err := dial(path) // the unit hangs up on who is quiet for a minute
		if err != nil {
			return operator.Reply{}, err
		}
		defer client.Close()
		return client.Ask(r)
	}
	now, err := ask(operator.Request{Ask: operator.AskPilot})
	if err != nil {
		return err
	}
	if now.Pilot == nil || !now.Pilot.Recording {
		return coded{errors.New("nothing is recorded, so that a drill would be lost: mien pilot start begins a pilot"), exitFailed}
	}
	has := func(list []string) (out []string) {
		for _, s := range list {
			if slices.Contains(now.Pilot.Signals, s) {
				out = append(out, s)
			}
		}
		return out
	}
	known := 0
	for _, step := range script.Steps {
		known += len(has(step.Present)) + len(has(step.Absent))
	}
	if known == 0 {
		return coded{errors.New("the unit's network has none of the signals that this script is about"), exitFailed}
	}
	step := state.DrillStep{Script: script.Name, Number: rand.Text()[:12], Reaction: script.Reaction}
	send := func() error {
		_, err := ask(operator.Request{Ask: operator.AskPilot, Pilot: operator.PilotDrill, Drill: &step})
		return err
	}
	broken := func(why error) error {
		step.Present, step.Absent, step.State = nil, nil, state.DrillBroken
		err := errors.Join(why, send())
		fmt.Fprint(c.out, "\a")
		return coded{fmt.Errorf("the drill is broken off, and nothing of it counts: %w", err), exitFailed}
	}
	screen := term.IsTerminal(int(os.Stdout.Fd())) && c.out == os.Stdout
	for i, s := range script.Steps {
		step.Present, step.Absent = has(s.Present), has(s.Absent)
		c.sayLarge(screen, s.Text[lang], fmt.Sprintf("%d / %d", i+1, len(script.Steps)))
		if err := send(); err != nil {
			return broken(err)
		}
		select {
		case <-ctx.Done():
			return broken(errors.New("stopped by hand"))
		case <-after(s.Lasts):
		}
	}
	step.Present, step.Absent, step.State = nil, nil, state.DrillEnded
	if err := send(); err != nil {
		return broken(err)
	}
	end := map[string]string{"en": "The drill has ended. Thank you.", "ja": "終了です。ありがとうございました。"}
	c.sayLarge(screen, end[lang], "")
	return nil
}

// sayLarge shows what a person is to do, with a tone. On a terminal it stands alone,
// in letters of double height where the terminal has them (VT100, DECDHL).
func (c *call) sayLarge(screen bool, text, foot string) {
	fmt.Fprint(c.out, "\a")
	if !screen {
		fmt.Fprintf(c.out, "%s  %s\n", text, foot)
		return
	}
	fmt.Fprint(c.out, clearScreen+"\r\n\r\n")
	if name := os.Getenv("TERM"); strings.HasPrefix(name, "xterm") || strings.HasPrefix(name, "rxvt") || strings.HasPrefix(name, "vt") {
		fmt.Fprintf(c.out, "\x1b#3%s %s%s\r\n\x1b#4%s %s%s\r\n", bold, text, plain, bold, text, plain)
	} else {
		fmt.Fprintf(c.out, "%s   %s%s\r\n", bold, text, plain)
	}
	fmt.Fprintf(c.out, "\r\n\r\n%s\r\n", foot)
}
