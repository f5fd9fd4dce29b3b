// Package export writes the register map in the forms that people and the tools
// of PLCs read. What the map is, firmware/modbus says.
package export

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"mien/firmware/modbus"
)

// Write writes the map as "csv", "markdown", "tags" or "st" (Structured Text:
// constants and types), else as text.
func Write(w io.Writer, as string) error {
	switch as {
	case "csv":
		return WriteCSV(w)
	case "markdown":
		return WriteMarkdown(w)
	case "tags":
		return WriteTags(w)
	case "st":
		return errors.Join(WriteStructuredTextConstants(w), WriteStructuredTextTypes(w))
	}
	return WriteText(w)
}

// spaces are the tables in the order in which they are printed.
var spaces = []modbus.Space{modbus.Input, modbus.Discrete, modbus.Coil, modbus.Holding}

// each calls f with the registers of a space.
func each(space modbus.Space, f func(r *modbus.Register)) {
	table := modbus.Table()
	for i := range table {
		if r := &table[i]; r.Space == space {
			f(r)
		}
	}
}

// names are those of a register's bits or values.
func names(register string) (list []string) {
	for _, space := range []modbus.Space{modbus.Holding, modbus.Input} {
		each(space, func(r *modbus.Register) {
			if r.Name == register {
				list = r.Names
			}
		})
	}
	return list
}

// holding is a holding register.
func holding(register string) (at *modbus.Register) {
	each(modbus.Holding, func(r *modbus.Register) {
		if r.Name == register {
			at = r
		}
	})
	return at
}

// address is that of an input register.
func address(register string) (at int) {
	each(modbus.Input, func(r *modbus.Register) {
		if r.Name == register {
			at = r.Address
		}
	})
	return at
}

func statusNames() []string    { return names("status") }
func faultNames() []string     { return names("faults") }
func moreFaultNames() []string { return names("faults_2") }
func stateNames() []string     { return names("alarm0_state") }

// last is the highest address of the register.
func last(r *modbus.Register) int { return r.End() - 1 }

// addresses is "42" or "42-43".
func addresses(r *modbus.Register) string {
	if r.Words == 1 {
		return strconv.Itoa(r.Address)
	}
	return fmt.Sprintf("%d-%d", r.Address, last(r))
}

// scaling is "x1000" or nothing.
func scaling(r *modbus.Register) string {
	if r.Scale == 1 {
		return ""
	}
	return "x" + strconv.Itoa(r.Scale)
}

// notAvailable is the raw value that says so, or nothing.
func notAvailable(r *modbus.Register) string {
	switch {
	case !r.NA:
		return ""
	case r.Type == modbus.Int16:
		return "0x8000"
	}
	return "0xFFFF"
}

// values is "0 normal, 1 unacknowledged, …".
func values(r *modbus.Register) string {
	var b strings.Builder
	for i, name := range r.Names {
		if name == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%d %s", i, name)
	}
	return b.String()
}

// WriteText writes the map as a table for a terminal.
func WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintf(t, "Register map version %d. Addresses are 0-based, as on the wire.\n", modbus.MapVersion)
	for _, space := range spaces {
		fmt.Fprintf(t, "\n%s\n", heading(space))
		fmt.Fprintln(t, "address\tname\ttype\tunit\tscale\taccess\tmeaning")
		each(space, func(r *modbus.Register) {
			fmt.Fprintf(t, "%s\t%s\t%v\t%s\t%s\t%v\t%s\n", addresses(r), r.Name, r.Type, r.Unit, scaling(r), r.Access, r.Meaning)
		})
	}
	return t.Flush()
}

func heading(space modbus.Space) string {
	switch space {
	case modbus.Input:
		return fmt.Sprintf("Input registers (function 4; as holding registers from %d, function 3)", modbus.MirrorBase)
	case modbus.Discrete:
		return "Discrete inputs (function 2)"
	case modbus.Coil:
		return "Coils (functions 1, 5, 15)"
	}
	return "Holding registers (functions 3, 6, 16, 22, 23)"
}

// WriteCSV writes the map as comma-separated values with a heading (RFC 4180),
// one row a register.
func WriteCSV(w io.Writer) error {
	c := csv.NewWriter(w)
	c.Write([]string{"space", "address", "words", "name", "type", "unit", "scale", "access", "min", "max",
		"not_available", "since", "meaning", "values"})
	for _, space := range spaces {
		each(space, func(r *modbus.Register) {
			least, most := "", ""
			if r.Access != modbus.ReadOnly {
				least, most = strconv.FormatInt(r.Min, 10), strconv.FormatInt(r.Max, 10)
			}
			c.Write([]string{r.Space.String(), strconv.Itoa(r.Address), strconv.Itoa(r.Words), r.Name, r.Type.String(), r.Unit,
				strconv.Itoa(r.Scale), r.Access.String(), least, most, notAvailable(r), strconv.Itoa(r.Since), r.Meaning, values(r)})
		})
	}
	c.Flush()
	return c.Error()
}

// reference is the register as six digits, counted from 1, as many tools want
// it: 0xxxxx coils, 1xxxxx discrete inputs, 3xxxxx input, 4xxxxx holding
// registers.
func reference(r *modbus.Register) string {
	digit := map[modbus.Space]int{modbus.Coil: 0, modbus.Discrete: 1, modbus.Input: 3, modbus.Holding: 4}[r.Space]
	return fmt.Sprintf("%d%05d", digit, r.Address+1)
}

// readFunction and writeFunction are the function codes to use.
func readFunction(r *modbus.Register) int {
	return map[modbus.Space]int{modbus.Coil: 1, modbus.Discrete: 2, modbus.Input: 4, modbus.Holding: 3}[r.Space]
}

func writeFunction(r *modbus.Register) string {
	switch {
	case r.Access == modbus.ReadOnly:
		return ""
	case r.Space == modbus.Coil:
		return "5"
	case r.Words > 1:
		return "16"
	}
	return "6"
}

// WriteTags writes a list of tags for people who set up a tool by hand: one row a
// tag with the ways in which tools name an address. No tool imports it as it is.
func WriteTags(w io.Writer) error {
	c := csv.NewWriter(w)
	c.Write([]string{"tag", "unit_id", "read_function", "write_function", "address", "reference", "quantity", "data_type",
		"byte_order", "ignition_path", "scale_factor", "eng_unit", "not_available", "access", "description"})
	for _, space := range spaces {
		each(space, func(r *modbus.Register) {
			order := ""
			if r.Space == modbus.Input || r.Space == modbus.Holding {
				order = "AB"
				if r.Words == 2 {
					order = "ABCD"
				}
			}
			c.Write([]string{"mien/" + strings.ReplaceAll(r.Space.String(), " ", "_") + "/" + r.Name, "1",
				strconv.Itoa(readFunction(r)), writeFunction(r), strconv.Itoa(r.Address), reference(r), strconv.Itoa(r.Words),
				r.Type.String(), order, ignition(r), factor(r.Scale), r.Unit, notAvailable(r), r.Access.String(), r.Meaning})
		})
	}
	c.Flush()
	return c.Error()
}

// factor is what a raw value is multiplied with.
func factor(scale int) string { return strconv.FormatFloat(1/float64(scale), 'f', -1, 64) }

// short is the two letters that begin the register's name where names of all
// spaces stand together.
func short(s modbus.Space) string { return [...]string{"CO", "DI", "IR", "HR"}[s] }

// lines is a writer whose first error Flush gives.
type lines struct {
	b *bufio.Writer
}

func (l lines) f(format string, args ...any) { fmt.Fprintf(l.b, format+"\n", args...) }
