package modbus_test

import (
	"encoding/csv"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What is made of the blocks for each maker's PLC does what the blocks do: every
// test of them runs once with each of those files, too. That a maker's compiler
// takes them no test here can tell.

const plcFiles = "../../docs/plc"

// stDialect is whose files the tests run; "" is the text of IEC 61131-3 as people
// write it.
var stDialect string

var stDialects = map[string]func(t *testing.T) string{
	"iec":        wholeIEC,
	"siemens":    fromSiemens,
	"rockwell":   fromRockwell,
	"mitsubishi": fromMitsubishi,
}

// stTests are the tests of the blocks.
var stTests = map[string]func(*testing.T){
	"decodes": TestStructuredTextDecodes, "supervises": TestStructuredTextSupervises, "debounces": TestStructuredTextDebouncesAlarms,
	"host heartbeat": TestStructuredTextHostHeartbeat, "healthy line": TestStructuredTextHealthyLine,
	"commands": TestStructuredTextCommands, "tells what is refused": TestStructuredTextTellsWhatIsRefused,
	"knows exceptions": TestStructuredTextKnowsExceptions, "is not held up": TestStructuredTextIsNotHeldUp,
	"drops for a refusing unit": TestStructuredTextDropsWhatWaitsForARefusingUnit, "rests": TestStructuredTextRestsAlsoWhileAWriteIsConfirmed,
	"keeps edges": TestStructuredTextKeepsEdges, "drops for a lost unit": TestStructuredTextDropsCommandsForALostUnit,
	"rest first": TestStructuredTextWritesRestFirst, "commands at random": TestStructuredTextCommandsAtRandom,
	"gives": TestStructuredTextGives, "gives to a unit that is back": TestStructuredTextGivesToAUnitThatIsBack,
	"gives at random": TestStructuredTextGivesAtRandom, "gives up": TestStructuredTextGivesUpWhatIsNotTaken,
}

func TestStructuredTextOfEachMaker(t *testing.T) {
	defer func() { stDialect = "" }()
	for dialect := range stDialects {
		stDialect = dialect
		for name, test := range stTests {
			t.Run(dialect+"/"+name, test)
		}
	}
}

// stProgramOf reads the files of the dialect.
func stProgramOf(t *testing.T) *stProgram {
	t.Helper()
	var text string
	if convert := stDialects[stDialect]; convert != nil {
		text = convert(t)
	} else {
		for _, name := range []string{"mien_types.st", "mien_decode.st", "fb_mien.st", "fb_mien_command.st", "fb_mien_give.st"} {
			text += plcFile(t, name)
		}
	}
	p, err := stParse(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func plcFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(plcFiles, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b) + "\n"
}

func wholeIEC(t *testing.T) string {
	text, _, _ := strings.Cut(plcFile(t, "mien_iec.st"), "\nCONFIGURATION ")
	return text
}

// replace applies pairs of a regular expression and its replacement.
func replace(text string, pairs ...string) string {
	for i := 0; i < len(pairs); i += 2 {
		text = regexp.MustCompile(pairs[i]).ReplaceAllString(text, pairs[i+1])
	}
	return text
}

func fromSiemens(t *testing.T) string {
	return replace(plcFile(t, "siemens/mien.scl"), `//.*`, "", `\{[^}]*\}`, "", `VERSION : 0\.1`, "", `(?m)^BEGIN$`, "",
		`TYPE ("\w+")\s+STRUCT`, "TYPE $1 : STRUCT", `\bArray(\[[^\]]*\]) of`, "ARRAY$1 OF", `TON_TIME`, "TON",
		`: Bool\b`, ": BOOL", `: Int\b`, ": INT", `: UInt\b`, ": UINT", `: UDInt\b`, ": UDINT", `: Word\b`, ": WORD", `: DWord\b`, ": DWORD", `: Time\b`, ": TIME",
		`OF Bool\b`, "OF BOOL", `OF Word\b`, "OF WORD", `"`, "", `(^|\W)#([A-Za-z_])`, "$1$2")
}

func fromMitsubishi(t *testing.T) string {
	rows, err := csv.NewReader(strings.NewReader(plcFile(t, "mitsubishi/labels.csv"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	members, sections := map[string]string{}, map[string]string{}
	for _, r := range rows[1:] {
		block, name, typ, class, init := r[0], r[1], r[2], r[3], r[4]
		typ = replace(typ, `^(.*)\((0\.\.\d+)\)$`, "ARRAY[$2] OF $1", `Double Word \[Unsigned\]/Bit String \[32-bit\]`, "DWORD",
			`Word \[Unsigned\]/Bit String \[16-bit\]`, "WORD", `Word \[Signed\]`, "INT", `\bBit\b`, "BOOL", `\bTime\b`, "TIME")
		if members[block] == "" && sections[block] == "" {
			order = append(order, block)
		}
		if init != "" {
			init = " := " + init
		}
		if line := name + " : " + typ + init + ";\n"; class == "" {
			members[block] += line
		} else {
			sections[block] += class + "\n" + line + "END_VAR\n"
		}
	}
	var text strings.Builder
	for _, block := range order {
		if members[block] != "" {
			fmt.Fprintf(&text, "TYPE %s :\nSTRUCT\n%sEND_STRUCT;\nEND_TYPE\n", block, members[block])
			continue
		}
		fmt.Fprintf(&text, "FUNCTION_BLOCK %s\n%s%sEND_FUNCTION_BLOCK\n", block, sections[block], plcFile(t, "mitsubishi/"+block+".st"))
	}
	return text.String()
}

// An l5x is as much of Rockwell's export as the blocks use.
type l5x struct {
	Types []struct {
		Name    string `xml:",attr"`
		Members []struct {
			Name      string `xml:",attr"`
			DataType  string `xml:",attr"`
			Dimension int    `xml:",attr"`
		} `xml:"Members>Member"`
	} `xml:"Controller>DataTypes>DataType"`
	Instructions []struct {
		Name       string   `xml:",attr"`
		Parameters []l5xTag `xml:"Parameters>Parameter"`
		Locals     []l5xTag `xml:"LocalTags>LocalTag"`
		Lines      []struct {
			Number int    `xml:",attr"`
			Text   string `xml:",chardata"`
		} `xml:"Routines>Routine>STContent>Line"`
	} `xml:"Controller>AddOnInstructionDefinitions>AddOnInstructionDefinition"`
}

type l5xTag struct {
	Name       string `xml:",attr"`
	DataType   string `xml:",attr"`
	Dimensions int    `xml:",attr"`
	Defaults   []struct {
		Format string `xml:",attr"`
		Raw    string `xml:",chardata"`
		Value  struct {
			Value string `xml:",attr"`
		} `xml:"DataValue"`
	} `xml:"DefaultData"`
}

func fromRockwell(t *testing.T) string {
	var text strings.Builder
	seen := map[string]bool{}
	array := func(typ string, n int) string {
		if n == 0 {
			return typ
		}
		return fmt.Sprintf("ARRAY[0..%d] OF %s", n-1, typ)
	}
	files, _ := filepath.Glob(plcFiles + "/rockwell/*.L5X")
	for _, file := range files {
		var x l5x
		if err := xml.Unmarshal([]byte(plcFile(t, "rockwell/"+filepath.Base(file))), &x); err != nil {
			t.Fatal(err)
		}
		for _, typ := range x.Types {
			fmt.Fprintf(&text, "TYPE %s :\nSTRUCT\n", typ.Name)
			for _, m := range typ.Members {
				fmt.Fprintf(&text, "%s : %s;\n", m.Name, array(m.DataType, m.Dimension))
			}
			text.WriteString("END_STRUCT;\nEND_TYPE\n")
		}
		for _, in := range x.Instructions {
			if seen[in.Name] {
				continue
			}
			seen[in.Name] = true
			fmt.Fprintf(&text, "FUNCTION_BLOCK %s\nVAR\n", in.Name)
			for _, tag := range append(in.Parameters, in.Locals...) {
				init := ""
				if len(tag.Defaults) == 2 {
					if tag.Defaults[0].Raw != tag.Defaults[1].Value.Value {
						t.Errorf("%s.%s: two defaults: %+v", in.Name, tag.Name, tag.Defaults)
					}
					init = " := " + tag.Defaults[0].Raw
				}
				if tag.DataType == "BOOL" && tag.Dimensions%32 != 0 {
					t.Errorf("%s.%s: an array of BOOL with %d elements", in.Name, tag.Name, tag.Dimensions)
				}
				fmt.Fprintf(&text, "%s : %s%s;\n", tag.Name, array(tag.DataType, tag.Dimensions), init)
			}
			text.WriteString("END_VAR\n")
			for i, line := range in.Lines {
				if line.Number != i {
					t.Errorf("%s: line %d has the number %d", in.Name, i, line.Number)
				}
				text.WriteString(line.Text + "\n")
			}
			text.WriteString("END_FUNCTION_BLOCK\n")
		}
	}
	return text.String()
}
