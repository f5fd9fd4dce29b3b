package export

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"mien/firmware/modbus"
)

// A value that can be "not available" is handed on as it stands in its register:
// scaled, -32768 would be -32.768, which looks like a value. So is a number that
// has no scale.
func scaled(r *modbus.Register) bool { return r.Scale != 1 && !r.NA }

// tagMeaning is the meaning with what somebody must know who sees the raw value.
func tagMeaning(r *modbus.Register) string {
	s := r.Meaning
	if r.Scale != 1 && !scaled(r) {
		s += fmt.Sprintf("; times %d", r.Scale)
	}
	switch {
	case !r.NA:
	case r.Type == modbus.Int16:
		s += "; -32768: not available"
	default:
		s += "; 65535: not available"
	}
	return s
}

// WriteKepware writes the tags in the form that KEPServerEX imports and exports
// for its Modbus drivers. Its default puts the low word of two first: the tags of
// two words say that the device's setting must be another.
func WriteKepware(w io.Writer) error {
	c := csv.NewWriter(w)
	c.Write([]string{"Tag Name", "Address", "Data Type", "Respect Data Type", "Client Access", "Scan Rate", "Scaling",
		"Raw Low", "Raw High", "Scaled Low", "Scaled High", "Scaled Data Type", "Clamp Low", "Clamp High", "Eng Units",
		"Description", "Negate Value"})
	for _, space := range spaces {
		each(space, func(r *modbus.Register) {
			typ := map[modbus.Type]string{modbus.Bool: "Boolean", modbus.Uint16: "Word", modbus.Int16: "Short", modbus.Uint32: "DWord", modbus.Float32: "Float", modbus.Bits: "Word", modbus.Enum: "Word", modbus.Text: "String"}[r.Type]
			address, about := reference(r), tagMeaning(r)
			switch r.Type {
			case modbus.Text:
				address += fmt.Sprintf(".%dH", 2*r.Words) // .nH: n characters, high byte first
			case modbus.Uint32, modbus.Float32:
				about += "; First Word Low of the device: Disable"
			}
			access := "RO"
			if r.Access != modbus.ReadOnly {
				access = "R/W"
			}
			row := []string{short(r.Space) + "_" + r.Name, address, typ, "1", access, "1000", "", "", "", "", "", "", "", "", r.Unit, about, ""}
			if scaled(r) {
				row[6], row[7], row[8], row[9], row[10], row[11] = "Linear", "0", strconv.Itoa(r.Scale), "0", "1", "Float"
				row[12], row[13] = "0", "0"
			}
			c.Write(row)
		})
	}
	c.Flush()
	return c.Error()
}

// ignition is the OPC item path of Inductive Automation's Ignition for unit 1,
// without the device's name; its addresses count from 1. It reads strings from
// holding registers only: those of input registers come from the mirror.
func ignition(r *modbus.Register) string {
	switch r.Space {
	case modbus.Coil:
		return fmt.Sprintf("1.C%d", r.Address+1)
	case modbus.Discrete:
		return fmt.Sprintf("1.DI%d", r.Address+1)
	}
	prefix := "IR"
	if r.Space == modbus.Holding {
		prefix = "HR"
	}
	switch r.Type {
	case modbus.Int16:
	case modbus.Uint32:
		prefix += "UI"
	case modbus.Float32:
		prefix += "F"
	case modbus.Text:
		address := r.Address
		if r.Space == modbus.Input {
			address += modbus.MirrorBase
		}
		return fmt.Sprintf("1.HRS%d:%d", address+1, 2*r.Words)
	default:
		prefix += "US"
	}
	return fmt.Sprintf("1.%s%d", prefix, r.Address+1)
}

type ignitionTag struct {
	Name        string        `json:"name"`
	Kind        string        `json:"tagType"`
	Source      string        `json:"valueSource,omitempty"`
	Type        string        `json:"dataType,omitempty"`
	Server      string        `json:"opcServer,omitempty"`
	Path        string        `json:"opcItemPath,omitempty"`
	ReadOnly    bool          `json:"readOnly,omitempty"`
	Unit        string        `json:"engUnit,omitempty"`
	Scale       string        `json:"scaleMode,omitempty"`
	RawHigh     int           `json:"rawHigh,omitempty"`
	ScaledHigh  int           `json:"scaledHigh,omitempty"`
	Description string        `json:"documentation,omitempty"`
	Tags        []ignitionTag `json:"tags,omitempty"`
}

// WriteIgnition writes the tags as Ignition's Tag Browser imports them: a folder
// for each table, of a device with the name mien.
func WriteIgnition(w io.Writer) error {
	root := ignitionTag{Name: "mien", Kind: "Folder"}
	for _, space := range spaces {
		folder := ignitionTag{Name: strings.ReplaceAll(space.String(), " ", "_"), Kind: "Folder"}
		each(space, func(r *modbus.Register) {
			tag := ignitionTag{Name: r.Name, Kind: "AtomicTag", Source: "opc", Server: "Ignition OPC UA Server", Path: "ns=1;s=[mien]" + ignition(r),
				Type:     map[modbus.Type]string{modbus.Bool: "Boolean", modbus.Int16: "Int2", modbus.Uint32: "Int8", modbus.Float32: "Float4", modbus.Text: "String"}[r.Type],
				ReadOnly: r.Access == modbus.ReadOnly, Unit: r.Unit, Description: tagMeaning(r)}
			if tag.Type == "" {
				tag.Type = "Int4" // without a sign, of 16 bits
			}
			if scaled(r) {
				tag.Type, tag.Scale, tag.RawHigh, tag.ScaledHigh = "Float4", "Linear", r.Scale, 1
			}
			folder.Tags = append(folder.Tags, tag)
		})
		root.Tags = append(root.Tags, folder)
	}
	return writeJSON(w, root)
}

func writeJSON(w io.Writer, of any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	e.SetEscapeHTML(false)
	return e.Encode(of)
}

// nodeRedDecode makes an object of the registers of one answer: not available is
// null.
func nodeRedDecode() string {
	var b strings.Builder
	b.WriteString("// Made of the register table. Value, scale and null where it is not available.\nconst r = msg.payload;\n" +
		"const u = (at) => r[at] & 0xFFFF;\nconst i = (at) => (u(at) ^ 0x8000) - 0x8000;\nconst d = (at) => u(at) * 65536 + u(at + 1);\n" +
		"const na = (raw, none, scale) => raw === none ? null : raw / scale;\n" +
		"if (!Array.isArray(r) || r.length < 124 || u(50) !== 0x1234 || d(52) !== 0x3F800000) {\n" +
		"    node.error('no answer of a mien unit, or its words in another order', msg);\n    return null;\n}\nmsg.payload = {\n")
	each(modbus.Input, func(r *modbus.Register) {
		if r.End() > stWords || r.Type == modbus.Text {
			return
		}
		var value string
		switch raw, none := fmt.Sprintf("u(%d)", r.Address), "65535"; {
		case r.Type == modbus.Float32:
			return // test_float, which was looked at above
		case r.Words == 2:
			value = fmt.Sprintf("d(%d)", r.Address)
		case r.Type == modbus.Int16:
			raw, none = fmt.Sprintf("i(%d)", r.Address), "-32768"
			fallthrough
		default:
			switch {
			case r.NA:
				value = fmt.Sprintf("na(%s, %s, %d)", raw, none, r.Scale)
			case r.Scale != 1:
				value = fmt.Sprintf("%s / %d", raw, r.Scale)
			default:
				value = raw
			}
		}
		fmt.Fprintf(&b, "    %s: %s,\n", r.Name, value)
	})
	b.WriteString("};\nreturn msg;\n")
	return b.String()
}

// WriteNodeRed writes a flow for Node-RED with node-red-contrib-modbus: it polls,
// decodes, beats and acknowledges.
func WriteNodeRed(w io.Writer) error {
	const z, client = "mien.flow", "mien.client"
	type node = map[string]any
	at := func(id, kind, name string, x, y int, more node) node {
		n := node{"id": id, "type": kind, "z": z, "name": name, "x": x, "y": y}
		for key, value := range more {
			n[key] = value
		}
		return n
	}
	function := func(code string, to string) node {
		return node{"func": code, "outputs": 1, "timeout": 0, "noerr": 0, "initialize": "", "finalize": "", "libs": []any{}, "wires": [][]string{{to}}}
	}
	write := func(kind string, address int) node {
		return node{"showStatusActivities": true, "showErrors": true, "unitid": "1", "dataType": kind, "adr": strconv.Itoa(address), "quantity": "1",
			"server": client, "emptyMsgOnFail": false, "keepMsgProperties": false, "wires": [][]string{{}, {}}}
	}
	inject := func(repeat string, to string) node {
		return node{"props": []any{}, "repeat": repeat, "crontab": "", "once": repeat != "", "onceDelay": "1", "topic": "", "wires": [][]string{{to}}}
	}
	return writeJSON(w, []node{
		{"id": z, "type": "tab", "label": "mien", "disabled": false, "info": "Set serial port and settings in the configuration node \"mien\". With [modbus_tcp] of the gateway: clienttype tcp, host and port."},
		{"id": client, "type": "modbus-client", "name": "mien", "clienttype": "simpleser", "bufferCommands": true, "stateLogEnabled": false, "queueLogEnabled": false, "failureLogEnabled": true,
			"tcpHost": "127.0.0.1", "tcpPort": "502", "tcpType": "DEFAULT", "serialPort": "/dev/ttyUSB0", "serialType": "RTU-BUFFERD", "serialBaudrate": "115200", "serialDatabits": "8",
			"serialStopbits": "1", "serialParity": "none", "serialConnectionDelay": "100", "serialAsciiResponseStartDelimiter": "0x3A", "unit_id": "1", "commandDelay": "1", "clientTimeout": "1000",
			"reconnectOnTimeout": true, "reconnectTimeout": "2000", "parallelUnitIdsAllowed": true},
		at("mien.poll", "modbus-read", "registers 0 to 123", 140, 80, node{"topic": "mien", "showStatusActivities": true, "logIOActivities": false, "showErrors": true, "unitid": "1",
			"dataType": "InputRegister", "adr": "0", "quantity": strconv.Itoa(stWords), "rate": "500", "rateUnit": "ms", "delayOnStart": false, "startDelayTime": "", "server": client,
			"useIOFile": false, "ioFile": "", "useIOForPayload": false, "emptyMsgOnFail": false, "wires": [][]string{{"mien.decode"}, {}}}),
		at("mien.decode", "function", "decode", 350, 80, function(nodeRedDecode(), "mien.out")),
		at("mien.out", "debug", "unit", 540, 80, node{"active": true, "tosidebar": true, "console": false, "tostatus": false, "complete": "payload", "targetType": "msg", "statusVal": "", "statusType": "auto", "wires": [][]string{}}),
		at("mien.second", "inject", "every second", 140, 160, inject("1", "mien.beat")),
		at("mien.beat", "function", "count", 350, 160, function("const n = ((context.get('n') || 0) + 1) % 65536;\ncontext.set('n', n);\nmsg.payload = n;\nreturn msg;\n", "mien.heartbeat")),
		at("mien.heartbeat", "modbus-write", "host heartbeat", 560, 160, write("HoldingRegister", holding("host_heartbeat").Address)),
		at("mien.button", "inject", "acknowledge all", 140, 240, inject("", "mien.edge")),
		at("mien.edge", "function", "1, then 0", 350, 240, function("node.send({payload: true});\nsetTimeout(() => node.send({payload: false}), 300);\nreturn null;\n", "mien.acknowledge")),
		at("mien.acknowledge", "modbus-write", "acknowledge_all", 560, 240, write("Coil", 0)),
	})
}
