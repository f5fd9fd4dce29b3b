package modbus

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
)

// File is one file that is generated from the register table.
type File struct {
	Path  string // below docs/
	Write func(io.Writer) error
}

// Files are all of them; a test compares each with what lies in docs.
var Files = []File{
	{"registers.md", WriteMarkdown},
	{"plc/registers.csv", WriteCSV},
	{"plc/tags.csv", WriteTags},
	{"plc/kepware.csv", WriteKepware},
	{"plc/mien_const.st", WriteStructuredTextConstants},
	{"plc/mien_types.st", WriteStructuredTextTypes},
	{"plc/mien_decode.st", WriteStructuredTextDecode},
}

// Generate writes Files below the folder docs.
func Generate(docs string) error {
	for _, file := range Files {
		path := filepath.Join(docs, filepath.FromSlash(file.Path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("write the register map: %w", err)
		}
		f, err := os.Create(path)
		if err != nil {
			return fmt.Errorf("write the register map: %w", err)
		}
		err = file.Write(f)
		if cerr := f.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			return fmt.Errorf("write the register map %s: %w", path, err)
		}
	}
	return nil
}

// spaces are the tables in the order in which they are printed.
var spaces = []Space{Input, Discrete, Coil, Holding}

// each calls f with the registers of a space.
func each(space Space, f func(r *Register)) {
	for i := range table {
		if r := &table[i]; r.Space == space {
			f(r)
		}
	}
}

// last is the highest address of the register.
func (r *Register) last() int { return r.End() - 1 }

// addresses is "42" or "42-43".
func (r *Register) addresses() string {
	if r.Words == 1 {
		return strconv.Itoa(r.Address)
	}
	return fmt.Sprintf("%d-%d", r.Address, r.last())
}

// scaling is "x1000" or nothing.
func (r *Register) scaling() string {
	if r.Scale == 1 {
		return ""
	}
	return "x" + strconv.Itoa(r.Scale)
}

// notAvailable is the raw value that says so, or nothing.
func (r *Register) notAvailable() string {
	switch {
	case !r.NA:
		return ""
	case r.Type == Int16:
		return "0x8000"
	}
	return "0xFFFF"
}

// values is "0 normal, 1 unacknowledged, …".
func (r *Register) values() string {
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
	fmt.Fprintf(t, "Register map version %d. Addresses are 0-based, as on the wire.\n", MapVersion)
	for _, space := range spaces {
		fmt.Fprintf(t, "\n%s\n", heading(space))
		fmt.Fprintln(t, "address\tname\ttype\tunit\tscale\taccess\tmeaning")
		each(space, func(r *Register) {
			fmt.Fprintf(t, "%s\t%s\t%v\t%s\t%s\t%v\t%s\n", r.addresses(), r.Name, r.Type, r.Unit, r.scaling(), r.Access, r.Meaning)
		})
	}
	return t.Flush()
}

func heading(space Space) string {
	switch space {
	case Input:
		return fmt.Sprintf("Input registers (function 4; as holding registers from %d, function 3)", MirrorBase)
	case Discrete:
		return "Discrete inputs (function 2)"
	case Coil:
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
		each(space, func(r *Register) {
			least, most := "", ""
			if r.Access != ReadOnly {
				least, most = strconv.Itoa(r.Min), strconv.Itoa(r.Max)
			}
			c.Write([]string{r.Space.String(), strconv.Itoa(r.Address), strconv.Itoa(r.Words), r.Name, r.Type.String(), r.Unit,
				strconv.Itoa(r.Scale), r.Access.String(), least, most, r.notAvailable(), strconv.Itoa(r.Since), r.Meaning, r.values()})
		})
	}
	c.Flush()
	return c.Error()
}

// reference is the register as six digits, counted from 1, as many tools want
// it: 0xxxxx coils, 1xxxxx discrete inputs, 3xxxxx input, 4xxxxx holding
// registers.
func (r *Register) reference() string {
	digit := map[Space]int{Coil: 0, Discrete: 1, Input: 3, Holding: 4}[r.Space]
	return fmt.Sprintf("%d%05d", digit, r.Address+1)
}

// readFunction and writeFunction are the function codes to use.
func (r *Register) readFunction() int {
	return map[Space]int{Coil: 1, Discrete: 2, Input: 4, Holding: 3}[r.Space]
}

func (r *Register) writeFunction() string {
	switch {
	case r.Access == ReadOnly:
		return ""
	case r.Space == Coil:
		return "5"
	}
	return "6"
}

// ignition is the OPC item path of Inductive Automation's Ignition for unit 1,
// without the device's name; its addresses count from 1.
func (r *Register) ignition() string {
	switch r.Space {
	case Coil:
		return fmt.Sprintf("1.C%d", r.Address+1)
	case Discrete:
		return fmt.Sprintf("1.DI%d", r.Address+1)
	}
	prefix := "IR"
	if r.Space == Holding {
		prefix = "HR"
	}
	switch r.Type {
	case Int16:
	case Uint32:
		prefix += "UI"
	case Float32:
		prefix += "F"
	case Text:
		return fmt.Sprintf("1.%sS%d:%d", prefix, r.Address+1, 2*r.Words)
	default:
		prefix += "US"
	}
	return fmt.Sprintf("1.%s%d", prefix, r.Address+1)
}

// nodeRed is the type as node-red-contrib-buffer-parser names it.
func (r *Register) nodeRed() string {
	switch r.Type {
	case Bool:
		return "bool"
	case Int16:
		return "int16be"
	case Uint32:
		return "uint32be"
	case Float32:
		return "floatbe"
	case Text:
		return "string"
	}
	return "uint16be"
}

// WriteTags writes a list of tags for tools that take comma-separated values,
// Node-RED and Ignition among them: one row a tag with every way such tools
// name an address.
func WriteTags(w io.Writer) error {
	c := csv.NewWriter(w)
	c.Write([]string{"tag", "unit_id", "read_function", "write_function", "address", "reference", "quantity", "data_type",
		"byte_order", "node_red_type", "ignition_path", "scale_factor", "eng_unit", "not_available", "access", "description"})
	for _, space := range spaces {
		each(space, func(r *Register) {
			order := ""
			if r.Space == Input || r.Space == Holding {
				order = "AB"
				if r.Words == 2 {
					order = "ABCD"
				}
			}
			c.Write([]string{"mien/" + strings.ReplaceAll(r.Space.String(), " ", "_") + "/" + r.Name, "1",
				strconv.Itoa(r.readFunction()), r.writeFunction(), strconv.Itoa(r.Address), r.reference(), strconv.Itoa(r.Words),
				r.Type.String(), order, r.nodeRed(), r.ignition(), factor(r.Scale), r.Unit, r.notAvailable(), r.Access.String(), r.Meaning})
		})
	}
	c.Flush()
	return c.Error()
}

// factor is what a raw value is multiplied with.
func factor(scale int) string { return strconv.FormatFloat(1/float64(scale), 'f', -1, 64) }

// WriteKepware writes the tags in the form that KEPServerEX imports and
// exports for its Modbus drivers.
func WriteKepware(w io.Writer) error {
	c := csv.NewWriter(w)
	c.Write([]string{"Tag Name", "Address", "Data Type", "Respect Data Type", "Client Access", "Scan Rate", "Scaling",
		"Raw Low", "Raw High", "Scaled Low", "Scaled High", "Scaled Data Type", "Clamp Low", "Clamp High", "Eng Units",
		"Description", "Negate Value"})
	for _, space := range spaces {
		each(space, func(r *Register) {
			typ := map[Type]string{Bool: "Boolean", Uint16: "Word", Int16: "Short", Uint32: "DWord", Float32: "Float", Bits: "Word", Enum: "Word", Text: "String"}[r.Type]
			address := r.reference()
			if r.Type == Text {
				address += fmt.Sprintf(".%dH", 2*r.Words) // .nH: n characters, high byte first
			}
			access := "RO"
			if r.Access != ReadOnly {
				access = "R/W"
			}
			row := []string{r.Space.short() + "_" + r.Name, address, typ, "1", access, "1000", "", "", "", "", "", "", "", "", r.Unit, r.Meaning, ""}
			if r.Scale != 1 {
				row[6], row[7], row[8], row[9], row[10], row[11] = "Linear", "0", strconv.Itoa(r.Scale), "0", "1", "Float"
				row[12], row[13] = "0", "0"
			}
			c.Write(row)
		})
	}
	c.Flush()
	return c.Error()
}

// short is the two letters that begin the register's name where names of all
// spaces stand together.
func (s Space) short() string { return [...]string{"CO", "DI", "IR", "HR"}[s] }

// lines is a writer that remembers its first error.
type lines struct {
	b *bufio.Writer
}

func (l lines) f(format string, args ...any) { fmt.Fprintf(l.b, format+"\n", args...) }
