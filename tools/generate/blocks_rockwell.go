package main

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"mien/firmware/modbus"
)

// Logix has no unsigned numbers, no words and no times in an Add-On Instruction:
// all are DINT, of which 16 bits count, and milliseconds. Registers are INT, as
// gateways deliver them.

const (
	sixteen = " AND 16#FFFF)"
	stamp   = "2026-01-01T00:00:00.000Z" // the same text has to come each time
)

// rockwell writes an export of one Add-On Instruction with what it needs.
func rockwell(name string) func(io.Writer) error {
	return func(w io.Writer) error {
		all, err := blocks()
		if err != nil {
			return err
		}
		var target *block
		for i := range all {
			if all[i].name == name {
				target = &all[i]
			}
		}
		if target == nil {
			return fmt.Errorf("there is no %s", name)
		}
		var b bytes.Buffer
		f := func(format string, arguments ...any) { fmt.Fprintf(&b, format+"\n", arguments...) }
		f(`<?xml version="1.0" encoding="UTF-8" standalone="yes"?>`)
		f(`<!-- %s for Logix controllers, written for Studio 5000 Logix Designer 32 and newer; register map version %d.`, name, modbus.MapVersion)
		f("     Generated: make generate. Do not edit. %s -->", notTried)
		f(`<RSLogix5000Content SchemaRevision="1.0" SoftwareRevision="32.00" TargetName="%s" TargetType="AddOnInstructionDefinition" TargetRevision="1.0" TargetLastEdited="%s" ContainsContext="true" Owner="mien" ExportOptions="References NoRawData L5KData DecoratedData Context Dependencies ForceProtectedEncoding AllProjDocTrans">`, name, stamp)
		f(`<Controller Use="Context" Name="mien">`)
		f(`<DataTypes Use="Context">`)
		for _, t := range all {
			if t.kind == "TYPE" && target.needs(t.name, all) {
				f(`<DataType Name="%s" Family="NoFamily" Class="User">`, t.name)
				f(`<Members>`)
				for _, d := range t.local {
					element, n := elements(d.typ)
					typ, radix := "DINT", ` Radix="Decimal"`
					if strings.HasPrefix(element, "ST_") {
						typ, radix = element, ` Radix="NullType"`
					}
					f(`<Member Name="%s" DataType="%s" Dimension="%d"%s Hidden="false" ExternalAccess="Read/Write">%s</Member>`, d.name, typ, n, radix, description(d.comment))
				}
				f("</Members>\n</DataType>")
			}
		}
		f("</DataTypes>\n<AddOnInstructionDefinitions Use=\"Context\">")
		for _, t := range all {
			if t.kind != "FUNCTION_BLOCK" || !target.needs(t.name, all) {
				continue
			}
			use := ""
			if t.name == name {
				use = ` Use="Target"`
			}
			f(`<AddOnInstructionDefinition%s Name="%s" Revision="1.0" Vendor="mien" ExecutePrescan="false" ExecutePostscan="false" ExecuteEnableInFalse="false" CreatedDate="%s" CreatedBy="mien" EditedDate="%s" EditedBy="mien" SoftwareRevision="v32.00">`, use, t.name, stamp, stamp)
			f("%s", description(t.about))
			f("<Parameters>")
			f(`<Parameter Name="EnableIn" TagType="Base" DataType="BOOL" Usage="Input" Radix="Decimal" Required="false" Visible="false" ExternalAccess="Read Only"/>`)
			f(`<Parameter Name="EnableOut" TagType="Base" DataType="BOOL" Usage="Output" Radix="Decimal" Required="false" Visible="false" ExternalAccess="Read Only"/>`)
			for _, d := range t.inputs {
				b.WriteString(d.rockwell("Parameter", "Input"))
			}
			for _, d := range t.outputs {
				b.WriteString(d.rockwell("Parameter", "Output"))
			}
			f("</Parameters>\n<LocalTags>")
			for _, d := range t.local {
				b.WriteString(d.rockwell("LocalTag", ""))
			}
			f("</LocalTags>\n<Routines>\n<Routine Name=\"Logic\" Type=\"ST\">\n<STContent>")
			for i, line := range strings.Split(strings.TrimRight(t.rockwell(), "\n"), "\n") {
				f(`<Line Number="%d"><![CDATA[%s]]></Line>`, i, line)
			}
			f("</STContent>\n</Routine>\n</Routines>\n</AddOnInstructionDefinition>")
		}
		f("</AddOnInstructionDefinitions>\n</Controller>\n</RSLogix5000Content>")
		_, err = w.Write(b.Bytes())
		return err
	}
}

// needs tells whether a block is, or has variables of, the type of that name.
func (t block) needs(name string, all []block) bool {
	if t.name == name {
		return true
	}
	for _, list := range [][]declaration{t.inputs, t.outputs, t.local} {
		for _, d := range list {
			element, _ := elements(d.typ)
			for _, u := range all {
				if u.name == element && u.needs(name, all) {
					return true
				}
			}
		}
	}
	return false
}

func description(text string) string {
	if text == "" {
		return ""
	}
	return "<Description><![CDATA[" + text + "]]></Description>"
}

// rockwell is a parameter or a local tag. Structures and arrays are handed over
// by reference; an array of BOOL has a multiple of 32 elements.
func (d declaration) rockwell(tag, usage string) string {
	element, n := elements(d.typ)
	typ, radix := "DINT", ` Radix="Decimal"`
	switch {
	case element == "BOOL":
		typ, n = "BOOL", (n+31)/32*32
	case element == "TON":
		typ, radix = "FBD_TIMER", ""
	case strings.Contains(element, "_"):
		typ, radix = element, ""
	case n > 0 && element == "WORD":
		typ = "INT"
	}
	s := fmt.Sprintf(`<%s Name="%s"`, tag, d.name)
	if usage != "" {
		s += ` TagType="Base"`
	}
	s += fmt.Sprintf(` DataType="%s"`, typ)
	if n > 0 {
		s += fmt.Sprintf(` Dimensions="%d"`, n)
	}
	switch {
	case usage == "":
		s += radix + ` ExternalAccess="None">`
	case n > 0 || radix == "":
		s += ` Usage="InOut"` + radix + ` Required="true" Visible="true" Constant="false">`
	case usage == "Input":
		s += ` Usage="Input"` + radix + ` Required="false" Visible="true" ExternalAccess="Read/Write">`
	default:
		s += ` Usage="Output"` + radix + ` Required="false" Visible="true" ExternalAccess="Read Only">`
	}
	s += description(d.comment)
	if n == 0 && radix != "" {
		value := d.init
		switch {
		case value == "" || value == "FALSE":
			value = "0"
		case value == "TRUE":
			value = "1"
		case strings.HasPrefix(value, "T#"):
			value = milliseconds(value)
		case strings.HasPrefix(value, "WORD#16#"):
			var number int
			fmt.Sscanf(value, "WORD#16#%X", &number)
			value = fmt.Sprint(number)
		}
		s += fmt.Sprintf(`<DefaultData Format="L5K"><![CDATA[%s]]></DefaultData><DefaultData Format="Decorated"><DataValue DataType="%s" Radix="Decimal" Value="%s"/></DefaultData>`, value, typ, value)
	}
	return s + "</" + tag + ">\n"
}

func milliseconds(literal string) string {
	d, err := time.ParseDuration(literal[len("T#"):])
	if err != nil {
		panic(err) // a text of ours, which the tests run
	}
	return fmt.Sprint(d.Milliseconds())
}

var (
	instance = regexp.MustCompile(`(?m)^( *)(\w+)\(([^;]*)\);`)
	timeText = regexp.MustCompile(`\bT#\w+`)
	wholeReg = regexp.MustCompile(`:= (aRegisters\[[^\]]+\]);`)
	counting = regexp.MustCompile(`(\w+) := (\w+ \+ 1);`)
)

// rockwell is the block's body as Logix has it.
func (t block) rockwell() string {
	types := map[string]string{}
	for _, list := range [][]declaration{t.inputs, t.outputs, t.local} {
		for _, d := range list {
			types[d.name] = d.typ
		}
	}
	return outside(t.body, func(code string) string {
		// A call of an instance sets its inputs and then calls the instruction.
		code = instance.ReplaceAllStringFunc(code, func(call string) string {
			m := instance.FindStringSubmatch(call)
			indent, name, s := m[1], m[2], ""
			typ := types[name]
			for _, argument := range split(m[3]) {
				left, right, _ := strings.Cut(argument, " := ")
				if typ == "TON" {
					left = map[string]string{"IN": "TimerEnable", "PT": "PRE"}[left]
				}
				s += fmt.Sprintf("%s%s.%s := %s;\n", indent, name, left, right)
			}
			if typ == "TON" {
				typ = "TONR"
			}
			return s + indent + typ + "(" + name + ");"
		})
		for name, typ := range types {
			if typ == "TON" {
				code = strings.ReplaceAll(code, name+".Q", name+".DN")
			}
		}
		code = wholeReg.ReplaceAllString(code, ":= ($1"+sixteen+";")
		code = counting.ReplaceAllStringFunc(code, func(s string) string {
			m := counting.FindStringSubmatch(s)
			if types[m[1]] != "UINT" {
				return s
			}
			return m[1] + " := (" + m[2] + ")" + strings.TrimSuffix(sixteen, ")") + ";"
		})
		code = calls(code, func(name string, a []string) string {
			switch name {
			case "WORD_TO_UINT", "WORD_TO_DWORD":
				return "(" + a[0] + sixteen
			case "SHL": // of a register that becomes the high word: its sign is that of the whole
				return "(" + strings.TrimSuffix(strings.TrimPrefix(a[0], "("), sixteen) + " * 65536)"
			case "SHR":
				return "((" + a[0] + " AND -65536) / 65536)"
			case "WORD_TO_INT", "DWORD_TO_UDINT", "DWORD_TO_WORD", "UDINT_TO_DWORD", "UINT_TO_WORD":
				return a[0]
			}
			return ""
		})
		code = timeText.ReplaceAllStringFunc(code, milliseconds)
		code = strings.NewReplacer("DWORD#16#", "16#", "WORD#16#", "16#", ":= TRUE", ":= 1", ":= FALSE", ":= 0").Replace(code)
		return code
	})
}

// split cuts arguments at the commas between them.
func split(arguments string) (list []string) {
	calls("f("+arguments+")", func(name string, a []string) string {
		if name == "f" {
			list = a
		}
		return ""
	})
	return list
}
