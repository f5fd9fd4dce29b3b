// Command generate writes what documents have from tables in the code: the
// config's keys, the alarm states, the rates at which alarms work, the faults, the register map and its files for
// PLC tools, the picture of the rooms. A test fails when one of them is stale.
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
	"strings"

	"mien/firmware/modbus/export"
)

// documents are whole files, below docs/.
var documents = []struct {
	file  string
	write func(io.Writer) error
}{
	{"registers.md", export.WriteMarkdown},
	{"plc/registers.csv", export.WriteCSV},
	{"plc/tags.csv", export.WriteTags},
	{"plc/kepware.csv", export.WriteKepware},
	{"plc/ignition.json", export.WriteIgnition},
	{"plc/node-red.json", export.WriteNodeRed},
	{"plc/mien_const.st", export.WriteStructuredTextConstants},
	{"plc/mien_types.st", export.WriteStructuredTextTypes},
	{"plc/mien_decode.st", export.WriteStructuredTextDecode},
	{"plc/mien_iec.st", writeIEC},
	{"plc/mien_plcopen.xml", writePLCopen},
	{"plc/siemens/mien.scl", writeSiemens},
	{"plc/rockwell/FB_MienDecode.L5X", rockwell("FB_MienDecode")},
	{"plc/rockwell/FB_Mien.L5X", rockwell("FB_Mien")},
	{"plc/rockwell/FB_MienHealthy.L5X", rockwell("FB_MienHealthy")},
	{"plc/rockwell/FB_MienCommand.L5X", rockwell("FB_MienCommand")},
	{"plc/rockwell/FB_MienGive.L5X", rockwell("FB_MienGive")},
	{"plc/mitsubishi/labels.csv", writeMitsubishiLabels},
	{"plc/mitsubishi/FB_MienDecode.st", mitsubishi("FB_MienDecode")},
	{"plc/mitsubishi/FB_MienAlarm.st", mitsubishi("FB_MienAlarm")},
	{"plc/mitsubishi/FB_MienHealthy.st", mitsubishi("FB_MienHealthy")},
	{"plc/mitsubishi/FB_Mien.st", mitsubishi("FB_Mien")},
	{"plc/mitsubishi/FB_MienCommand.st", mitsubishi("FB_MienCommand")},
	{"plc/mitsubishi/FB_MienGive.st", mitsubishi("FB_MienGive")},
}

// parts stand in files whose other text people write, between two remarks that
// have the part's name.
var parts = []struct {
	file, name string
	write      func(io.Writer) error
}{
	{"config.md", "keys", configKeys},
	{"alarms.md", "picture", statePicture},
	{"alarms.md", "states", stateTable},
	{"alarms.md", "rates", ratesTable},
	{"faults.md", "faults", faultTable},
	{"plc.md", "example", plcExample},
	{"plc.md", "requests", requestTable},
	{"architecture.md", "rooms", roomPicture},
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
	for _, p := range parts {
		path := filepath.Join(docs, p.file)
		old, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text, err := fill(string(old), p.name, p.write)
		if err != nil {
			return fmt.Errorf("%s: %w", p.file, err)
		}
		if text == string(old) {
			continue
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
		fmt.Println("wrote", p.name, "in", path)
	}
	return nil
}

// fill puts a part into its place in a text.
func fill(text, name string, write func(io.Writer) error) (string, error) {
	begin, end := fmt.Sprintf("<!-- %s: written by make generate -->\n", name), fmt.Sprintf("<!-- end of %s -->\n", name)
	before, rest, found := strings.Cut(text, begin)
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		return "", fmt.Errorf("no place for %s: two lines %q and %q are needed", name, strings.TrimSpace(begin), strings.TrimSpace(end))
	}
	var b strings.Builder
	if err := write(&b); err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return before + begin + "\n" + strings.Trim(b.String(), "\n") + "\n\n" + end + after, nil
}
