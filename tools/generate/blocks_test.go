package main

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Names that some PLC's text has for itself: in capitals, since case does not
// count there. (IEC 61131-3, annexes B and C; SCL; Logix; GX Works3.)
var reserved = strings.Fields(`ABS ACOS ACTION ADD AND ANY ARRAY ASIN AT ATAN BEGIN BLOCK BOOL BY BYTE CAL CASE CHAR CONCAT CONFIGURATION CONSTANT
	CONTINUE COS CTD CTU CTUD DATE DELETE DI DINT DIV DO DT DWORD ELSE ELSIF EN END ENO EQ EXIT EXP EXPT F_EDGE F_TRIG FALSE FIND FOR FROM FUNCTION GE
	GOTO GT IF IN INITIAL_STEP INSERT INT INTERVAL LABEL LE LEFT LEN LIMIT LINT LN LOG LREAL LT LWORD MAX MID MIN MOD MOVE MUL MUX NE NOT NULL OF ON OR
	PRIORITY PROGRAM PT Q R R1 R_EDGE R_TRIG READ_ONLY READ_WRITE REAL REF REGION REPEAT REPLACE RESOURCE RET RETAIN RETURN RIGHT ROL ROR RS S S1 SEL
	SEMA SHL SHR SIN SINGLE SINT SQRT SR ST STEP STRING STRUCT SUB TAN TASK THEN TIME TO TOD TOF TON TP TRANSITION TRUE TRUNC TYPE UDINT UINT ULINT UNTIL USINT
	VAR VARIANT VOID WHILE WITH WORD WSTRING XOR ENABLEIN ENABLEOUT DATA DINT_TO BIT ET CV`)

// What two compilers of IEC 61131-3 refused, and what others read otherwise, does
// not come back.
func TestBlocksKeepToWhatAllCompilersTake(t *testing.T) {
	all, err := blocks()
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, b := range all {
		kinds = append(kinds, b.name)
	}
	if want := []string{"ST_MienAlarm", "ST_Mien", "FB_MienDecode", "FB_MienAlarm", "FB_MienHealthy", "FB_Mien", "FB_MienCommand", "FB_MienGive", "MienMain"}; !slices.Equal(kinds, want) {
		t.Fatalf("%q, want %q", kinds, want)
	}
	for _, b := range all {
		seen := map[string]bool{}
		for _, list := range [][]declaration{b.inputs, b.outputs, b.local} {
			for _, d := range list {
				upper := strings.ToUpper(d.name)
				if seen[upper] || slices.Contains(reserved, upper) || strings.Contains(d.name, "__") || strings.HasSuffix(d.name, "_") || len(d.name) > 32 {
					t.Errorf("%s: a variable %s", b.name, d.name)
				}
				seen[upper] = true
				element, n := elements(d.typ)
				if n > 0 && (element == "TON" || strings.HasPrefix(element, "FB_")) {
					t.Errorf("%s.%s: an array of blocks, which cannot be called", b.name, d.name)
				}
				if (element == "WORD" || element == "DWORD") && d.init != "" && !strings.HasPrefix(d.init, element+"#16#") {
					t.Errorf("%s.%s: starts with %s, which is no %s", b.name, d.name, d.init, element)
				}
			}
		}
		for name, wrong := range map[string]string{
			"an end without its semicolon": `END_(IF|FOR|CASE|STRUCT)\b[^;]`,
			"a number without its type":    `(^|[^D])#[0-9A-F]*#|[^#]\b16#`,
			"a word that is a number":      `\bw[A-Z]\w* (:=|=|<>|>=|<=) \d`,
		} {
			if m := regexp.MustCompile(wrong).FindString(b.body); m != "" {
				t.Errorf("%s: %s: %q", b.name, name, m)
			}
		}
	}
	text, err := os.ReadFile("../../docs/plc/mien_iec.st")
	if err != nil {
		t.Fatal(err)
	}
	before, _, found := strings.Cut(string(text), "\nCONFIGURATION ")
	if !found || strings.Contains(before, "VAR_GLOBAL") {
		t.Error("global variables outside a CONFIGURATION")
	}
}

// Modbus_Master makes of MODE, DATA_ADDR and DATA_LEN the request that is meant,
// by the table in Siemens' manual (S7-1200, Modbus_Master, "Modbus functions").
func TestSiemensValuesMakeTheRequests(t *testing.T) {
	for _, r := range requests() {
		mode, address := r.siemens()
		var function int
		switch table := address / 10000; {
		case mode == 0:
			function = map[int]int{0: 1, 1: 2, 4: 3, 3: 4}[table]
		case mode == 1 && table == 0:
			function = map[bool]int{true: 5, false: 15}[r.length == 1]
		case mode == 1 && table == 4:
			function = map[bool]int{true: 6, false: 16}[r.length == 1]
		}
		if function != r.function || address%10000-1 != r.address || r.length > 124 {
			t.Errorf("%s: MODE %d, DATA_ADDR %d, DATA_LEN %d make function %d of %d", r.what, mode, address, r.length, function, address%10000-1)
		}
	}
	var b bytes.Buffer
	if err := requestTable(&b); err != nil || !strings.Contains(b.String(), "| 4, 0, 124 | 0, 30001, 124 | 300001 |") {
		t.Errorf("%v\n%s", err, b.String())
	}
	if err := writeSiemens(&b); err != nil {
		t.Fatal(err)
	}
	for _, c := range siemensStatus {
		if !strings.Contains(b.String(), fmt.Sprintf("16#%04X: %s", c.status, c.means)) {
			t.Errorf("nothing of %04X", c.status)
		}
	}
}
