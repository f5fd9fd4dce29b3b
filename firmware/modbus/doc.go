// Package modbus is the unit's side of the line to a PLC: a Modbus RTU slave,
// the register map, and what both stand on, a Snapshot of one frame and the
// Commands a master may give.
//
// The pipeline stores one Snapshot a frame in a Latest and never learns who
// reads it; the slave copies it once a request, so that all the values of an
// answer belong to one frame, and never waits for the pipeline. Commands go the
// other way, in batches that are taken whole or not at all.
//
//	latest := modbus.NewLatest()                        // pipeline: latest.Store(&snapshot)
//	slave, err := modbus.New(modbus.Config{Address: 1}, latest, commands)
//	for {
//		line, err := serial.Open(settings)              // again, with growing waits
//		err = slave.Serve(ctx, line)                    // until the line is gone or ctx ends
//	}
//
// The register map is the table in this package and nothing else: the slave
// answers from it, WriteText, WriteMarkdown, WriteCSV, WriteTags and the
// WriteStructuredText functions print it.
//
// Standards: "MODBUS Application Protocol Specification V1.1b3" and "MODBUS
// over Serial Line Specification and Implementation Guide V1.02", both of
// modbus.org.
package modbus

//go:generate go run mien/firmware/modbus/generate -docs ../../docs
