package main

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"strings"
)

var mitsubishiTypes = map[string]string{"BOOL": "Bit", "INT": "Word [Signed]", "UINT": "Word [Unsigned]/Bit String [16-bit]", "WORD": "Word [Unsigned]/Bit String [16-bit]",
	"UDINT": "Double Word [Unsigned]/Bit String [32-bit]", "DWORD": "Double Word [Unsigned]/Bit String [32-bit]", "TIME": "Time"}

// writeMitsubishiLabels writes what the label editors of GX Works3 want, a row a
// label. No tool imports it as it is: its rows are copied into the editor of the
// block that they name.
func writeMitsubishiLabels(w io.Writer) error {
	all, err := blocks()
	if err != nil {
		return err
	}
	c := csv.NewWriter(w)
	c.Write([]string{"Block", "Label Name", "Data Type", "Class", "Initial Value", "Comment"})
	for _, b := range all {
		if b.kind == "PROGRAM" {
			continue
		}
		for _, list := range []struct {
			class string
			vars  []declaration
		}{{"VAR_INPUT", b.inputs}, {"VAR_OUTPUT", b.outputs}, {"VAR", b.local}} {
			for _, d := range list.vars {
				element, n := elements(d.typ)
				typ, class := mitsubishiTypes[element], list.class
				if typ == "" {
					typ = element
				}
				if n > 0 {
					typ = fmt.Sprintf("%s(0..%d)", typ, n-1)
				}
				if b.kind == "TYPE" {
					class = "" // a member of a structure has none
				}
				c.Write([]string{b.name, d.name, typ, class, strings.ReplaceAll(d.init, "WORD#", ""), d.comment})
			}
		}
	}
	c.Flush()
	return c.Error()
}

// mitsubishi writes the body of a block for GX Works3: words and unsigned numbers
// are one type there.
func mitsubishi(name string) func(io.Writer) error {
	return func(w io.Writer) error {
		all, err := functionBlocks("FUNCTION_BLOCK")
		if err != nil {
			return err
		}
		var b bytes.Buffer
		for _, t := range all {
			if t.name != name {
				continue
			}
			fmt.Fprintf(&b, "(* %s for MELSEC iQ-R and iQ-F, written for GX Works3 1.070Y and newer: the body of a function\n   block in ST; its labels are in labels.csv. Generated: make generate. Do not edit.\n   %s *)\n\n", t.name, notTried)
			b.WriteString(outside(t.body, func(code string) string {
				code = strings.NewReplacer("DWORD#16#", "16#", "WORD#16#", "16#").Replace(code)
				return calls(code, func(name string, a []string) string {
					switch name {
					case "WORD_TO_UINT", "UINT_TO_WORD", "DWORD_TO_UDINT", "UDINT_TO_DWORD":
						return a[0]
					}
					return ""
				})
			}))
		}
		if b.Len() == 0 {
			return fmt.Errorf("there is no %s", name)
		}
		_, err = w.Write(b.Bytes())
		return err
	}
}
