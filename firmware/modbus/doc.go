// Package modbus is the unit's side of the line to a PLC: a Modbus RTU slave,
// the register map, and the Commands a master may give. It is a reader of
// firmware/state: a Snapshot is what the registers have room for of a State.
//
// The slave takes one snapshot a request, so that all the values of an answer
// belong to one frame, and never waits for the pipeline. Commands go the other
// way, in batches that are taken whole or not at all.
//
//	slave, err := modbus.New(modbus.Config{Address: 1}, modbus.Of(latest), commands)
//	for {
//		line, err := serial.Open(settings)              // again, with growing waits
//		err = slave.Serve(ctx, line)                    // until the line is gone or ctx ends
//	}
//
// The register map is the table in this package and nothing else: the slave
// answers from it, and package export prints it.
//
// Standards: "MODBUS Application Protocol Specification V1.1b3" and "MODBUS
// over Serial Line Specification and Implementation Guide V1.02", both of
// modbus.org.
package modbus
