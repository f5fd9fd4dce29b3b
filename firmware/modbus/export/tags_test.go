package export

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"mien/firmware/modbus"
)

// What can be not available is not scaled: -32.768 would look like a value. Whoever
// reads two words is told how to set KEPServerEX up.
func TestKepwareSaysWhatIsNotAvailable(t *testing.T) {
	var b bytes.Buffer
	if err := WriteKepware(&b); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, r := range modbus.Table() {
		name := short(r.Space) + "_" + r.Name
		for _, row := range rows {
			if row[0] != name {
				continue
			}
			seen[name] = true
			if linear := row[6] == "Linear"; linear != (r.Scale != 1 && !r.NA) {
				t.Errorf("%s: scaling %q", name, row[6])
			}
			if r.NA && !strings.Contains(row[15], "not available") || (r.Words == 2 && r.Type != modbus.Text) != strings.Contains(row[15], "First Word Low of the device: Disable") {
				t.Errorf("%s: %q", name, row[15])
			}
		}
		if !seen[name] {
			t.Errorf("no %s", name)
		}
	}
	if len(seen) != len(rows)-1 {
		t.Errorf("%d names in %d rows", len(seen), len(rows)-1)
	}
}

// Ignition's Modbus driver has these designators (Inductive Automation, Modbus
// Addressing), strings among them for holding registers only.
func TestIgnitionTagsAreOfItsDriver(t *testing.T) {
	var b bytes.Buffer
	if err := WriteIgnition(&b); err != nil {
		t.Fatal(err)
	}
	var root ignitionTag
	if err := json.Unmarshal(b.Bytes(), &root); err != nil || root.Kind != "Folder" || len(root.Tags) != 4 {
		t.Fatalf("%v, %+v", err, root)
	}
	types := map[string]string{"C": "Boolean", "DI": "Boolean", "IR": "Int2", "HR": "Int2", "IRUS": "Int4", "HRUS": "Int4", "IRUI": "Int8", "HRUI": "Int8", "IRF": "Float4", "HRS": "String"}
	path := regexp.MustCompile(`^ns=1;s=\[mien\]1\.([A-Z]+)(\d+)(:\d+)?$`)
	n, strings := 0, 0
	for _, folder := range root.Tags {
		names := map[string]bool{}
		for _, tag := range folder.Tags {
			n++
			m := path.FindStringSubmatch(tag.Path)
			if m == nil || types[m[1]] == "" || tag.Source != "opc" || names[tag.Name] {
				t.Errorf("%s: %+v", folder.Name, tag)
				continue
			}
			names[tag.Name] = true
			if want := types[m[1]]; tag.Type != want && (tag.Scale != "Linear" || tag.Type != "Float4") {
				t.Errorf("%s: %s for %s", tag.Name, tag.Type, m[1])
			}
			if (m[1] == "HRS") != (m[3] != "") {
				t.Errorf("%s: %s", tag.Name, tag.Path)
			}
			if tag.Name == "signal0_name" {
				strings++
				if want := fmt.Sprintf("ns=1;s=[mien]1.HRS%d:", modbus.MirrorBase+address("signal0_name")+1); tag.Path[:len(want)] != want {
					t.Errorf("%s, want %s", tag.Path, want)
				}
			}
		}
	}
	if n != len(modbus.Table()) || strings != 1 {
		t.Errorf("%d tags, %d of them the string that was looked for", n, strings)
	}
}

// The flow is whole, and its function makes of registers what they mean: Node.js
// runs it.
func TestNodeRedFlow(t *testing.T) {
	var b bytes.Buffer
	if err := WriteNodeRed(&b); err != nil {
		t.Fatal(err)
	}
	var nodes []struct {
		ID, Type, Z, Server string
		Func                string
		Wires               [][]string
	}
	if err := json.Unmarshal(b.Bytes(), &nodes); err != nil {
		t.Fatal(err)
	}
	ids, decode := map[string]bool{}, ""
	for _, n := range nodes {
		if ids[n.ID] {
			t.Errorf("two %s", n.ID)
		}
		ids[n.ID] = true
		if n.ID == "mien.decode" {
			decode = n.Func
		}
	}
	for _, n := range nodes {
		for _, to := range append(append(n.Wires, []string{n.Server}), []string{n.Z}) {
			for _, id := range to {
				if id != "" && !ids[id] {
					t.Errorf("%s: there is no %s", n.ID, id)
				}
			}
		}
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("Node.js is not installed")
	}
	run := func(set map[int]int) map[string]any {
		t.Helper()
		registers := make([]int, stWords)
		base := map[int]int{0: modbus.MapVersion, 50: 0x1234, 51: 0x5678, 52: 0x3F80}
		maps.Copy(base, set)
		for at, value := range base {
			registers[at] = value
		}
		list, _ := json.Marshal(registers)
		program := fmt.Sprintf("const node = {error: () => {}};\nconst out = (function (msg) {\n%s\n})({payload: %s});\nconsole.log(JSON.stringify(out));", decode, list)
		out, err := exec.Command(node, "-e", program).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		var answer *struct{ Payload map[string]any }
		if err := json.Unmarshal(out, &answer); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if answer == nil {
			return nil
		}
		return answer.Payload
	}
	got := run(map[int]int{1: 65535, 6: 154, 13: 0xFE4B, 14: 0x8000, 42: 1, 43: 2, 54: 65535, 60: 65535})
	for name, want := range map[string]any{"heartbeat": 65535., "frame_rate": 15.4, "valence": -0.437, "arousal": nil, "last_alarm_time": 65538., "availability": nil, "alarm0_state": nil, "alarm0_value": 0.} {
		if value, there := got[name]; !there || value != want {
			t.Errorf("%s is %v, want %v", name, value, want)
		}
	}
	for what, set := range map[string]map[int]int{"another order of the words": {52: 0, 53: 0x3F80}, "another address": {50: 0x5678}} {
		if got := run(set); got != nil {
			t.Errorf("%s: %v", what, got)
		}
	}
}
