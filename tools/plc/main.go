// Command plc is a Modbus RTU master to try a unit with: it polls the whole
// register map, shows registers, bits and alarms with their names and units,
// sends commands, and counts what the line does.
//
//	go run ./tools/plc -demo                      # against the unit on its demo clip
//	go run ./tools/plc -port /dev/ttyUSB0 -baud 19200 -parity even
//	go run ./tools/plc -port /dev/ttyUSB0 -once -json
//	go run ./tools/plc -port /dev/ttyUSB0 -ack 1
//
// The names come from the table in firmware/modbus, the line from another's
// client, github.com/simonvetter/modbus.
package main

import (
	"fmt"
	"os"
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run is the program; it returns the exit code.
func run(args []string, in *os.File, out, errs *os.File) int {
	o, err := parse(args, errs)
	if err != nil {
		return exitUsage
	}
	if o.help {
		return exitOK
	}
	fmt.Fprintf(errs, "plc: unit %d on %s\n", o.address, o.port)
	return exitOK
}
