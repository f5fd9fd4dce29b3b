package main

import (
	"errors"
	"flag"
	"io"
	"time"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // no port, no answer, or the unit refused a command
	exitUsage  = 2
)

// options are the command line.
type options struct {
	port    string
	baud    int
	parity  string
	stop    int
	address int
	low     bool
	rate    time.Duration
	help    bool
}

func parse(args []string, errs io.Writer) (*options, error) {
	o := new(options)
	f := flag.NewFlagSet("plc", flag.ContinueOnError)
	f.SetOutput(errs)
	f.StringVar(&o.port, "port", "", "serial port, such as /dev/ttyUSB0")
	f.IntVar(&o.baud, "baud", 115200, "bits a second")
	f.StringVar(&o.parity, "parity", "none", "none, even or odd")
	f.IntVar(&o.stop, "stop", 1, "stop bits")
	f.IntVar(&o.address, "address", 1, "the unit's slave address, 1 to 247")
	f.BoolVar(&o.low, "low", false, "the unit has word_order = \"low\"")
	f.DurationVar(&o.rate, "rate", 200*time.Millisecond, "time between two polls")
	err := f.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		o.help, err = true, nil
	}
	return o, err
}
