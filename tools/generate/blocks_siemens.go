package main

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strings"

	"mien/firmware/modbus"
)

// A request is one that a PLC's master makes of a unit.
type request struct {
	what            string
	function        int // of Modbus
	address, length int // from 0, as on the wire
}

// requests are those of docs/plc.md's poll plan.
func requests() []request {
	at := func(space modbus.Space, name string) int {
		for _, r := range modbus.Table() {
			if r.Space == space && r.Name == name {
				return r.Address
			}
		}
		panic("no register " + name)
	}
	return []request{
		{"poll: everything, with the 16 alarms", 4, 0, 124},
		{"host heartbeat, every second", 6, at(modbus.Holding, "host_heartbeat"), 1},
		{"FB_MienCommand.aCoils", 15, 0, 24},
		{"FB_MienGive.aRegisters", 16, at(modbus.Holding, "command"), 5},
		{"FB_MienGive.nDone, nResult", 4, at(modbus.Input, "command_done"), 2},
		{"how many alarms the unit has", 4, at(modbus.Input, "alarm_count"), 1},
	}
}

// siemensStatus is what Modbus_Master tells of an exception; it has one word for
// all above 03, of which the unit gives 05 far more often than 04 and 06.
var siemensStatus = []struct {
	status    int
	means     string
	exception int
}{{0x8381, "exception 01", 1}, {0x8383, "exception 02", 2}, {0x8382, "exception 03", 3}, {0x8384, "exception 04, 05 or 06", 5}}

// siemens are MODE and DATA_ADDR of Modbus_Master for a request; it counts from 1
// and tells the tables apart by their first digit.
func (r request) siemens() (mode, address int) {
	switch r.function {
	case 4:
		return 0, 30001 + r.address
	case 6, 16:
		return 1, 40001 + r.address // of length 1 it makes function 6, of others 16
	}
	return 1, 1 + r.address // of length 1 function 5, of others 15
}

// requestTable is the table of docs/plc.md.
func requestTable(w io.Writer) error {
	var b bytes.Buffer
	b.WriteString("| request | function, address, length | Siemens MODE, DATA_ADDR, DATA_LEN | others that count from 1 |\n|---|---|---|---|\n")
	for _, r := range requests() {
		mode, address := r.siemens()
		digit := map[int]int{4: 3, 6: 4, 15: 0, 16: 4}[r.function]
		fmt.Fprintf(&b, "| %s | %d, %d, %d | %d, %d, %d | %d%05d |\n", r.what, r.function, r.address, r.length, mode, address, r.length, digit, r.address+1)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// writeSiemens writes an external source of TIA Portal.
func writeSiemens(w io.Writer) error {
	all, err := blocks()
	if err != nil {
		return err
	}
	var b bytes.Buffer
	f := func(format string, arguments ...any) { fmt.Fprintf(&b, format+"\n", arguments...) }
	f("// mien, register map version %d: SCL for S7-1200 (firmware 4.0 and newer) and S7-1500,", modbus.MapVersion)
	f("// written for TIA Portal V16 and newer. Generated: make generate. Do not edit.")
	f("// %s", notTried)
	f("//")
	f("// Import: External source files, add this file, Generate blocks from source.")
	f("//")
	f("// Modbus_Comm_Load (MB_COMM_LOAD in older projects), once after the start:")
	f("//   PORT: the hardware identifier of the CM 1241 or CB 1241; BAUD 115200; PARITY 0 (none, as the unit);")
	f("//   FLOW_CTRL 0; RTS_ON_DLY, RTS_OFF_DLY 0; RESP_TO 200 (ms; 500 at 9600 baud); MB_DB: that of Modbus_Master.")
	f("//   A CM 1241 for RS-422/485 wants MODE 4 (half duplex) in its instance, and LINE_PRE 0.")
	f("// Modbus_Master (MB_MASTER), one request after the other, with REQ and MB_ADDR (1):")
	for _, r := range requests() {
		mode, address := r.siemens()
		f("//   MODE %d, DATA_ADDR %5d, DATA_LEN %3d: function %2d, %s", mode, address, r.length, r.function, r.what)
	}
	f("//   DATA_PTR: a block without optimised access; an Array of Word, for the coils an Array of Bool.")
	f("// STATUS, in the one cycle in which ERROR is TRUE, and what nException gets then:")
	for _, c := range siemensStatus {
		f("//   16#%04X: %s, nException %d", c.status, c.means, c.exception)
	}
	f("//   others, 16#80C8 among them: no answer, or not for this unit's sake: 0, so that the block tries again.")
	f("// DONE is bWritten.")
	for _, t := range all {
		switch t.kind {
		case "TYPE":
			f("\nTYPE \"%s\"\nVERSION : 0.1\n   STRUCT", t.name)
			siemensVariables(&b, "      ", t.local)
			f("   END_STRUCT;\n\nEND_TYPE")
		case "FUNCTION_BLOCK":
			f("")
			for line := range strings.Lines(t.about) {
				b.WriteString(strings.TrimRight("// "+strings.TrimSpace(line), " ") + "\n")
			}
			f("FUNCTION_BLOCK \"%s\"\n{ S7_Optimized_Access := 'TRUE' }\nVERSION : 0.1", t.name)
			for _, list := range []struct {
				kind string
				vars []declaration
			}{{"VAR_INPUT", t.inputs}, {"VAR_OUTPUT", t.outputs}, {"VAR", t.local}} {
				f("   %s", list.kind)
				siemensVariables(&b, "      ", list.vars)
				f("   END_VAR")
			}
			f("\nBEGIN\n%sEND_FUNCTION_BLOCK", t.siemens())
		}
	}
	_, err = w.Write(b.Bytes())
	return err
}

var siemensTypes = map[string]string{"BOOL": "Bool", "INT": "Int", "UINT": "UInt", "UDINT": "UDInt", "WORD": "Word", "DWORD": "DWord", "TIME": "Time", "TON": "TON_TIME"}

func siemensVariables(b *bytes.Buffer, indent string, list []declaration) {
	for _, d := range list {
		element, n := elements(d.typ)
		typ := siemensTypes[element]
		if typ == "" {
			typ = `"` + element + `"`
		}
		if n > 0 {
			typ = fmt.Sprintf("Array[0..%d] of %s", n-1, typ)
		}
		fmt.Fprintf(b, "%s%s : %s", indent, d.name, typ)
		if d.init != "" {
			fmt.Fprintf(b, " := %s", d.init)
		}
		b.WriteString(";")
		if d.comment != "" {
			b.WriteString("   // " + d.comment)
		}
		b.WriteString("\n")
	}
}

var parameter = regexp.MustCompile(`^\s*:= `)

// siemens is the block's body: variables of the block begin with #, and shifts
// name their parameters.
func (t block) siemens() string {
	own := map[string]bool{}
	for _, list := range [][]declaration{t.inputs, t.outputs, t.local} {
		for _, d := range list {
			own[d.name] = true
		}
	}
	return outside(t.body, func(code string) string {
		code = calls(code, func(name string, a []string) string {
			if name == "SHL" || name == "SHR" {
				return fmt.Sprintf("%s(IN := %s, N := %s)", name, a[0], a[1])
			}
			return ""
		})
		var b strings.Builder
		end, depth := 0, 0
		for _, m := range names.FindAllStringSubmatchIndex(code, -1) {
			depth += strings.Count(code[end:m[4]], "(") - strings.Count(code[end:m[4]], ")")
			b.WriteString(code[end:m[4]])
			// In a call the name before := is the other block's.
			if own[code[m[4]:m[5]]] && !(depth > 0 && parameter.MatchString(code[m[5]:])) {
				b.WriteByte('#')
			}
			b.WriteString(code[m[4]:m[5]])
			end = m[5]
		}
		b.WriteString(code[end:])
		return b.String()
	})
}
