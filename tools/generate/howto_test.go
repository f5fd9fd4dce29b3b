package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// edit puts text in front of the first place of a file that reads so; before nothing, it
// is a new file.
type edit struct{ file, before, text string }

// howTos are the instructions of docs/architecture.md under "How to", each carried
// out with something that nobody wants: every edit is in a file that its
// instruction names.
var howTos = map[string][]edit{
	"Add a board": {
		{"board/board.go", "pi3b, pi3bPlus", "throwaway, "},
		{"board/pi.go", "var pi3bPlus", `var throwaway = &Board{ID: "throwaway", Name: "Throwaway", SoC: "none", Compatible: []string{"nobody,throwaway"},
	chips: []chip{bcm2835}, Pins: piHeader(bcm2835), Serial: pi3Serial, Thermal: piThermal, USB: "none", Accelerator: "none", Watchdog: "none", Notes: []string{"none"}}
`},
	},
	"Add a signal": {
		{"model/affect/signals.go", "	Perclos    =", "	Smile = \"smile\"\n"},
		{"model/affect/signals.go", "	return names\n}\n\nfunc unitName", "	if has(\"au6\", \"au12\") {\n		names = append(names, Smile)\n	}\n"},
		{"model/affect/signals.go", "	case name == Perclos:", "	case name == Smile:\n		in.Human, in.Unit, in.From = \"throwaway smile\", \"level\", \"AU6 and AU12\"\n"},
		{"model/affect/stage.go", "	if s.eyes.closed >= 0 {\n		l[", `	if i := slices.Index(s.signals, Smile); i >= 0 {
		l[i] = 0.25 + 0*l[slices.Index(s.signals, "au12")]
	}
`},
	},
	"Add an output function": {
		{"firmware/config/words.go", "	OneAlarm       Role", "	Siren Role = \"siren\"\n"},
		{"firmware/config/words.go", "}\n\n// Function is", ", Siren"},
		{"firmware/config/sight.go", "	case Horn:\n", "	case Siren:\n		return true\n"},
		{"firmware/pipeline/outputs.go", "	alarmLine\n)", "	sirenLine\n"},
		{"firmware/pipeline/outputs.go", "config.OneAlarm: alarmLine", "config.Siren: sirenLine, "},
		{"firmware/pipeline/outputs.go", "	case anyLine:", "	case sirenLine:\n		on = sum.Active != 0\n"},
	},
	"Add a check of the config": {
		{"firmware/config/check.go", "(*checker).alarms, ", "(*checker).throwaway, "},
		{"firmware/config/check.go", "// consistent applies", "func (c *checker) throwaway() {\n	if c.Unit.Name == \"nobody\" {\n		c.wrong(\"unit.name\", \"\", \"is nobody\")\n	}\n}\n\n"},
		{"firmware/config/mistakes_test.go", "		{\"[socket]", "		{\"[unit]\\nname = \\\"nobody\\\"\", `m:2: unit.name:|is nobody`},\n"},
	},
	"Add a fault": {
		{"firmware/health/fault.go", "	faults // how many", "	Throwaway\n"},
		{"firmware/health/fault.go", "}\n\n// Info gives", "	Throwaway: {\"F99\", \"throwaway\", \"thrown_away\", \"nothing is wrong\", Degrades, time.Second, \"by itself\"},\n"},
		{"firmware/gateway/page/texts.json", "\"view.about\"", "\"fault.F99.name\": [\"\u6368\u3066\u308b\"],\n\"fault.F99.meaning\": [\"\u7570\u5e38\u306a\u3057\"],\n\"fault.F99.way_out\": [\"\u81ea\u52d5\"],\n"},
	},
	"Add a camera format": {
		{"drivers/camera/camera.go", "	MJPEG ", "	YUV444P uint32 = '4' | '4'<<8 | '4'<<16 | 'P'<<24\n"},
		{"drivers/camera/camera.go", "	{MJPEG, ", "	{YUV444P, []string{\"444P\"}},\n"},
		{"drivers/camera/camera.go", "	}\n	return 0, 0\n", "	case YUV444P:\n		return width, 3 * stride * height\n"},
		{"firmware/config/words.go", ", \"MJPEG\"}", ", \"444P\""},
	},
	"Add a setting": {
		{"firmware/config/reference.go", "	{Path: \"unit.inhibit_max\"", "	{Path: \"unit.throwaway\", Kind: Integer, Default: \"7\", Min: 1, Max: 9, Meaning: \"Nothing.\"},\n"},
		{"firmware/config/config.go", "	InhibitMax ", "	Throwaway int `toml:\"throwaway\"`\n"},
	},
	"Add a request to the socket": {
		{"firmware/operator/operator.go", "	AskStudy  Ask = ", "	AskThrowaway Ask = \"throwaway\"\n"},
		{"firmware/operator/operator.go", "	case AskAlarms:\n", "	case AskThrowaway:\n		reply.Status = d.status()\n"},
		{"firmware/operator/operator.go", "AskStatus, AskAlarms, AskEvents", "AskThrowaway, "},
		{"firmware/operator/role.go", "	\"do.acknowledge\": Operator", "	\"throwaway\": Viewer,\n"},
	},
	"Add a command": {
		{"firmware/mien/main.go", "		{\"version\", ", "		{\"throwaway\", \"\", \"does nothing\", func(c *call) error { _, err := fmt.Fprintln(c.out, \"thrown away\"); return err }, \"\"},\n"},
	},
	"Add a view to the page": {
		{"firmware/gateway/page/web/throwaway.js", "", "import { h } from \"./dom.js\";\nimport { t } from \"./language.js\";\n\nexport function show(root) { root.append(h(\"h1\", {}, t(\"view.throwaway\"))); }\n"},
		{"firmware/gateway/page/web/views.js", "  { id: \"about\"", "  { id: \"throwaway\", load: () => import(\"./throwaway.js\") },\n"},
		{"firmware/gateway/page/texts.json", "\"view.about\"", "\"view.throwaway\": [\"Throwaway\", \"\u6368\u3066\u308b\"],\n"},
		{"firmware/gateway/page/browser_test.go", "\"about\"}", "\"throwaway\", "},
	},
	"Add a reader":      nil, // firmware/state/reader_test.go
	"Change a document": nil, // TestDocumentsAreFresh
}

// The instructions suffice: a tree that has them carried out builds, its tables
// pass their tests, and its commands and documents show what was added.
func TestHowTos(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program again: not with -short")
	}
	dir, err := root()
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	changed := map[string]string{}
	_, list, _ := strings.Cut(string(page), "\n## How to\n")
	list, _, _ = strings.Cut(list, "\n## ")
	found := regexp.MustCompile(`(?s)- \*\*([^*]+)\*\*: (.*?)(\n- |\n*$)`)
	for rest := list; ; {
		m := found.FindStringSubmatchIndex(rest)
		if m == nil {
			break
		}
		what, says := rest[m[2]:m[3]], rest[m[4]:m[5]]
		rest = rest[m[5]:]
		edits, there := howTos[what]
		if !there {
			t.Errorf("nothing carries out %q", what)
		}
		for _, e := range edits {
			if !strings.Contains(says, filepath.Base(e.file)) && !strings.Contains(says, "`"+filepath.Dir(e.file)+"/`") {
				t.Errorf("%s: the instruction does not name %s", what, e.file)
			}
			if _, read := changed[e.file]; !read && e.before != "" {
				data, err := os.ReadFile(filepath.Join(dir, e.file))
				if err != nil {
					t.Fatal(err)
				}
				changed[e.file] = string(data)
			}
			if !strings.Contains(changed[e.file], e.before) {
				t.Errorf("%s: %s has no %q", what, e.file, e.before)
			}
			changed[e.file] = strings.Replace(changed[e.file], e.before, e.text+e.before, 1)
		}
		delete(howTos, what)
	}
	for what := range howTos {
		t.Errorf("%q is carried out, and docs/architecture.md has no such instruction", what)
	}
	if t.Failed() {
		return
	}

	// The go command takes those files in place of the ones on the disk.
	tmp := t.TempDir()
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for file, text := range changed {
		at := filepath.Join(tmp, strings.ReplaceAll(file, "/", "-"))
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		overlay.Replace[filepath.Join(dir, file)] = at
	}
	data, _ := json.Marshal(overlay)
	over := filepath.Join(tmp, "overlay.json")
	if err := os.WriteFile(over, data, 0o644); err != nil {
		t.Fatal(err)
	}
	run := func(name string, args ...string) string {
		t.Helper()
		c := exec.Command(name, args...)
		c.Dir = dir
		out, _ := c.CombinedOutput()
		return string(out)
	}
	mien := filepath.Join(tmp, "mien")
	if out := run("go", "build", "-overlay", over, "-o", mien, "./firmware/mien"); out != "" {
		t.Fatal(out)
	}
	tests := run("go", "test", "-short", "-overlay", over, "-run", "^(TestViews|TestTextsAreWhole|TestRoles|TestTableIsWhole|TestTableFitsStructs|TestMistakes|TestExample|TestFormatNames|TestEachBoard.*|TestEveryCompat.*|TestTablesAreSound)$",
		"./firmware/health", "./firmware/config", "./firmware/operator", "./firmware/gateway/page", "./drivers/camera", "./board")
	for _, room := range []string{"firmware/health", "firmware/config", "firmware/operator", "firmware/gateway/page", "drivers/camera"} {
		if !strings.Contains(tests, "ok  \tmien/"+room) {
			t.Errorf("%s does not pass its tests:\n%s", room, tests)
		}
	}
	// The one thing that cannot be made up, a recorded device tree, is asked for.
	if n := strings.Count(tests, "--- FAIL"); n != 1 || !strings.Contains(tests, "throwaway: board is not known: this machine has no device tree") {
		t.Errorf("%d tests fail, and only that of the recorded device tree should:\n%s", n, tests)
	}

	write := func(name, text string) string {
		at := filepath.Join(tmp, name)
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return at
	}
	good := write("good.toml", `[unit]
throwaway = 3
[camera]
format = "444P"
[[alarm]]
name = "smiles"
signal = "smile"
high = 0.2
[[output]]
name = "siren"
chip = "fake"
line = 3
function = "siren"
`)
	docs := filepath.Join(tmp, "docs")
	if err := os.CopyFS(docs, os.DirFS(filepath.Join(dir, "docs"))); err != nil {
		t.Fatal(err)
	}
	if out := run("go", "run", "-overlay", over, "./tools/generate", "-docs", docs); !strings.Contains(out, "wrote") {
		t.Fatal(out)
	}
	document := func(name string) string {
		data, err := os.ReadFile(filepath.Join(docs, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	plot := filepath.Join(tmp, "plot.svg")
	run(mien, "explain", "-plot", plot, good)
	drawn, err := os.ReadFile(plot)
	if err != nil {
		t.Error(err)
	}
	for what, see := range map[string][2]string{
		"the command":                 {run(mien, "throwaway"), "thrown away"},
		"a config with all of it":     {run(mien, "check", good), "is right: 1 alarm, 1 output"},
		"a value that is not allowed": {run(mien, "check", write("bad.toml", "[unit]\nthrowaway = 10\n")), "2: unit.throwaway"},
		"the new check":               {run(mien, "check", write("nobody.toml", "[unit]\nname = \"nobody\"\n")), "2: unit.name: is nobody"},
		"the commented file":          {run(mien, "config"), "throwaway = 7"},
		"the settings in force":       {strings.Join(strings.Fields(run(mien, "explain", good)), " "), "2 unit.throwaway 3 Nothing."},
		"the list of signals":         {run(mien, "explain", "-signals"), "throwaway smile"},
		"a level of the signal":       {string(drawn), ">unacknowledged<"},
		"docs/config.md, the setting": {document("config.md"), "| `throwaway` | whole number | `7` | a whole number from 1 to 9 |"},
		"docs/config.md, the word":    {document("config.md"), `"siren"`},
		"docs/faults.md":              {document("faults.md"), "F99"},
		"docs/registers.md":           {document("registers.md"), "thrown_away"},
		"docs/plc":                    {document("plc/mien_const.st"), "THROWN_AWAY"},
	} {
		if !strings.Contains(see[0], see[1]) {
			t.Errorf("%s: no %q in %.2000s", what, see[1], see[0])
		}
	}
}
