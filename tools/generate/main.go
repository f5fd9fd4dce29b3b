// Command generate writes every document that comes from a table in the code:
// the config's keys, the alarm states, the faults, the register map and its
// files for PLC tools. A test fails when one of them is stale.
//
//	go run ./tools/generate [-docs docs]
//	go run ./tools/generate -notices    # the licences of what is compiled into the binary
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"mien/firmware/alarm"
	"mien/firmware/config"
	"mien/firmware/health"
	"mien/firmware/modbus"
)

// documents are the files, below docs/.
var documents = []struct {
	file  string
	write func(io.Writer) error
}{
	{"config.md", config.WriteDocument},
	{"alarms.md", alarm.WriteDocument},
	{"faults.md", health.WriteDocument},
	{"registers.md", modbus.WriteMarkdown},
	{"plc/registers.csv", modbus.WriteCSV},
	{"plc/tags.csv", modbus.WriteTags},
	{"plc/kepware.csv", modbus.WriteKepware},
	{"plc/mien_const.st", modbus.WriteStructuredTextConstants},
	{"plc/mien_types.st", modbus.WriteStructuredTextTypes},
	{"plc/mien_decode.st", modbus.WriteStructuredTextDecode},
}

func main() {
	docs := flag.String("docs", "docs", "folder to write to")
	notices := flag.Bool("notices", false, "print the licence texts that go with the binary, and stop")
	flag.Parse()
	run := func() error { return generate(*docs) }
	if *notices {
		run = func() error { return writeNotices(os.Stdout, ".") }
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func generate(docs string) error {
	for _, d := range documents {
		var b bytes.Buffer
		if err := d.write(&b); err != nil {
			return fmt.Errorf("%s: %w", d.file, err)
		}
		path := filepath.Join(docs, d.file)
		if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, b.Bytes()) {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			return err
		}
		fmt.Println("wrote", path)
	}
	return nil
}
