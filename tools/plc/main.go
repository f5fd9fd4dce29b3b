// Command plc is a Modbus RTU master to try a unit with: it polls the whole
// register map, shows registers, bits and alarms with their names and units,
// gives commands, and measures the line.
//
//	go run ./tools/plc -demo                      # against the unit on its demo clip
//	go run ./tools/plc -port /dev/ttyUSB0 -baud 19200 -parity even
//	go run ./tools/plc -port /dev/ttyUSB0 -once -json
//	go run ./tools/plc -port /dev/ttyUSB0 -ack 1
//
// The names come from the table in firmware/modbus, the Modbus client from
// github.com/simonvetter/modbus.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the program; it returns the exit code.
func run(ctx context.Context, args []string, in, out, errs *os.File) int {
	o, err := parse(args, out)
	if err != nil {
		fmt.Fprintf(errs, "plc: %v; plc -help tells more\n", err)
		return exitUsage
	}
	if o.help {
		return exitOK
	}
	if o.demo {
		mien, err := findMien(o.mien)
		if err == nil {
			var d *demo
			if d, err = startDemo(mien); err == nil {
				defer d.stop()
				o.port = d.port()
			}
		}
		if err != nil {
			fmt.Fprintln(errs, "plc:", err)
			return exitFailed
		}
	}
	if err := serve(ctx, o, in, out, errs); err != nil {
		fmt.Fprintln(errs, "plc:", err)
		return exitFailed
	}
	return exitOK
}

// serve does on the port what the command line asks for.
func serve(ctx context.Context, o *options, in, out, errs *os.File) error {
	l, err := dial(o)
	if err != nil {
		return err
	}
	defer l.close()
	r := newReading(o.low)
	if err := r.read(l, everything...); err != nil {
		return err
	}
	if doubt := r.doubt(); doubt != "" {
		fmt.Fprintln(errs, "plc:", doubt)
	}
	for _, t := range o.tasks {
		done, err := t.do(l, r, o.byWord)
		if err != nil {
			return err
		}
		fmt.Fprintln(out, done)
	}
	switch {
	case o.once:
		return once(ctx, o, l, r, out)
	case len(o.tasks) > 0 && !o.watch:
		if err := settle(ctx, l, r); err != nil {
			return err
		}
		writeAlarms(out, r)
		return nil
	}
	if o.span > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.span)
		defer cancel()
	}
	live(ctx, o, l, r, in, out)
	if o.json {
		return nil
	}
	_, err = fmt.Fprintln(out, l.stats.String())
	return err
}

// settle reads everything once more after the commands have taken effect: the
// unit takes them between two frames.
func settle(ctx context.Context, l *link, r *reading) error {
	select {
	case <-ctx.Done():
	case <-time.After(500 * time.Millisecond):
	}
	return r.read(l, everything...)
}

func once(ctx context.Context, o *options, l *link, r *reading, out *os.File) error {
	if len(o.tasks) > 0 {
		if err := settle(ctx, l, r); err != nil {
			return err
		}
	}
	if o.json {
		return writeJSON(out, r, &l.stats, true)
	}
	writeAll(out, r)
	fmt.Fprintln(out, "\nalarms")
	writeAlarms(out, r)
	fmt.Fprintf(out, "\n%s\n", l.stats.String())
	return nil
}
