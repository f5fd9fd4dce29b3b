package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"mien/firmware/modbus"
	"mien/firmware/modbus/export"
)

// plcExample is the program for docs/plc.md.
func plcExample(w io.Writer) error {
	text, err := source("mien_main.st")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "```\n%s```\n", text)
	return err
}

// writeIEC writes everything as one text of IEC 61131-3: global constants stand
// in a CONFIGURATION there, and nowhere else.
func writeIEC(w io.Writer) error {
	text, err := sources()
	if err != nil {
		return err
	}
	var constants bytes.Buffer
	if err := export.WriteStructuredTextConstants(&constants); err != nil {
		return err
	}
	_, list, _ := strings.Cut(constants.String(), "VAR_GLOBAL CONSTANT\n")
	_, err = fmt.Fprintf(w, `(* mien, register map version %d: all blocks in the text of IEC 61131-3, second
   edition, with an example and every address as a constant. Made of the other
   files in this folder: make generate. Do not edit. *)

%sCONFIGURATION MienConfiguration
VAR_GLOBAL CONSTANT
%s
RESOURCE MienResource ON PLC
    TASK MienTask(INTERVAL := T#20ms, PRIORITY := 1);
    PROGRAM MienExample WITH MienTask : MienMain;
END_RESOURCE
END_CONFIGURATION
`, modbus.MapVersion, text, list)
	return err
}

// writePLCopen writes the same as XML of PLCopen TC6 2.01. The constants are a
// list of global variables as CODESYS and TwinCAT export one: the schema has no
// place for them outside a configuration.
func writePLCopen(w io.Writer) error {
	all, err := blocks()
	if err != nil {
		return err
	}
	var b bytes.Buffer
	f := func(format string, arguments ...any) { fmt.Fprintf(&b, format, arguments...) }
	const stamp = "2026-01-01T00:00:00" // the schema wants one, and the same text has to come each time
	f(`<?xml version="1.0" encoding="utf-8"?>
<project xmlns="http://www.plcopen.org/xml/tc6_0201">
  <fileHeader companyName="mien" productName="mien" productVersion="%d" creationDateTime="%s"/>
  <contentHeader name="mien" modificationDateTime="%s">
    <coordinateInfo>
      <fbd><scaling x="1" y="1"/></fbd>
      <ld><scaling x="1" y="1"/></ld>
      <sfc><scaling x="1" y="1"/></sfc>
    </coordinateInfo>
  </contentHeader>
  <types>
    <dataTypes>
`, modbus.MapVersion, stamp, stamp)
	for _, t := range all {
		if t.kind == "TYPE" {
			f("      <dataType name=\"%s\">\n        <baseType>\n          <struct>\n", t.name)
			xmlVariables(&b, "            ", t.local)
			f("          </struct>\n        </baseType>\n      </dataType>\n")
		}
	}
	f("    </dataTypes>\n    <pous>\n")
	for _, p := range all {
		if p.kind == "TYPE" {
			continue
		}
		f("      <pou name=\"%s\" pouType=\"%s\">\n        <interface>\n", p.name, map[string]string{"PROGRAM": "program", "FUNCTION_BLOCK": "functionBlock"}[p.kind])
		for _, list := range []struct {
			tag  string
			vars []declaration
		}{{"inputVars", p.inputs}, {"outputVars", p.outputs}, {"localVars", p.local}} {
			if len(list.vars) > 0 {
				f("          <%s>\n", list.tag)
				xmlVariables(&b, "            ", list.vars)
				f("          </%s>\n", list.tag)
			}
		}
		f("          <documentation><xhtml xmlns=\"http://www.w3.org/1999/xhtml\">%s</xhtml></documentation>\n        </interface>\n", xmlText(p.about))
		f("        <body>\n          <ST><xhtml xmlns=\"http://www.w3.org/1999/xhtml\">%s</xhtml></ST>\n        </body>\n      </pou>\n", xmlText(p.body))
	}
	f("    </pous>\n  </types>\n  <instances>\n    <configurations/>\n  </instances>\n")
	f("  <addData>\n    <data name=\"http://www.3s-software.com/plcopenxml/globalvars\" handleUnknown=\"implementation\">\n")
	f("      <globalVars name=\"MIEN\" constant=\"true\">\n")
	var constants bytes.Buffer
	if err := export.WriteStructuredTextConstants(&constants); err != nil {
		return err
	}
	var list []declaration
	for _, line := range strings.Split(constants.String(), "\n") {
		if m := declares.FindStringSubmatch(line); m != nil {
			list = append(list, declaration{m[1], m[2], m[3], m[4]})
		}
	}
	xmlVariables(&b, "        ", list)
	f("      </globalVars>\n    </data>\n  </addData>\n</project>\n")
	_, err = w.Write(b.Bytes())
	return err
}

func xmlVariables(b *bytes.Buffer, indent string, list []declaration) {
	for _, d := range list {
		element, n := elements(d.typ)
		typ := "<" + element + "/>"
		if element == "TON" || strings.Contains(element, "_") {
			typ = "<derived name=\"" + element + "\"/>"
		}
		if n > 0 {
			typ = fmt.Sprintf("<array><dimension lower=\"0\" upper=\"%d\"/><baseType>%s</baseType></array>", n-1, typ)
		}
		fmt.Fprintf(b, "%s<variable name=\"%s\"><type>%s</type>", indent, d.name, typ)
		if d.init != "" {
			fmt.Fprintf(b, "<initialValue><simpleValue value=\"%s\"/></initialValue>", xmlText(d.init))
		}
		if d.comment != "" {
			fmt.Fprintf(b, "<documentation><xhtml xmlns=\"http://www.w3.org/1999/xhtml\">%s</xhtml></documentation>", xmlText(d.comment))
		}
		b.WriteString("</variable>\n")
	}
}

func xmlText(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s))
	return strings.NewReplacer("&#xA;", "\n", "&#39;", "'").Replace(b.String())
}
