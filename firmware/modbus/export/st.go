package export

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"mien/firmware/health"
	"mien/firmware/modbus"
	"mien/firmware/state"
)

const stHeader = `(* mien, register map version %d.
   Generated from the register table: make generate. Do not edit.
   %s *)
`

// stWords is how many input registers one request of function 4 brings into
// FB_MienDecode: everything but what is above the alarms.
const stWords = 60 + 4*modbus.MaxAlarms

// WriteStructuredTextConstants writes the addresses as a global list of
// constants for CODESYS and TwinCAT (IEC 61131-3).
func WriteStructuredTextConstants(w io.Writer) error {
	l := lines{bufio.NewWriter(w)}
	fmt.Fprintf(l.b, stHeader, modbus.MapVersion, "Addresses are 0-based, as on the wire.")
	l.f("VAR_GLOBAL CONSTANT")
	l.f("    MIEN_MAP_VERSION : UINT := %d;", modbus.MapVersion)
	l.f("    MIEN_MIRROR_BASE : UINT := %d; (* holding register at which the input registers begin again *)", modbus.MirrorBase)
	l.f("    MIEN_NOT_AVAILABLE_INT : INT := -32768;")
	l.f("    MIEN_NOT_AVAILABLE_UINT : UINT := 65535;")
	for _, space := range spaces {
		l.f("")
		l.f("    (* %s *)", heading(space))
		each(space, func(r *modbus.Register) {
			l.f("    MIEN_%s_%s : UINT := %d; (* %s *)", short(space), strings.ToUpper(r.Name), r.Address, stComment(r))
		})
	}
	l.f("")
	l.f("    (* Bits of the status and fault words *)")
	for i, name := range statusNames() {
		l.f("    MIEN_STATUS_%s : WORD := WORD#16#%04X; (* %s *)", strings.ToUpper(name), 1<<i, state.Flag(i).Meaning())
	}
	for i, name := range faultNames() {
		l.f("    MIEN_FAULT_%s : WORD := WORD#16#%04X; (* %s *)", strings.ToUpper(name), 1<<i, health.Fault(i).Info().Text)
	}
	l.f("    (* Bits of the second fault word *)")
	for i, name := range moreFaultNames() {
		l.f("    MIEN_FAULT2_%s : WORD := WORD#16#%04X; (* %s *)", strings.ToUpper(name), 1<<i, health.Fault(16+i).Info().Text)
	}
	l.f("")
	l.f("    (* Values of alarm0_state and the like *)")
	for i, name := range stateNames() {
		l.f("    MIEN_ALARM_%s : UINT := %d;", strings.ToUpper(strings.ReplaceAll(name, " ", "_")), i)
	}
	for _, list := range []struct{ register, prefix string }{{"command", "COMMAND"}, {"command_result", "RESULT"}, {"clock_source", "CLOCK"}} {
		l.f("    (* Values of %s *)", list.register)
		for i, name := range names(list.register) {
			l.f("    MIEN_%s_%s : UINT := %d;", list.prefix, strings.ToUpper(strings.ReplaceAll(name, " ", "_")), i)
		}
	}
	l.f("END_VAR")
	return l.b.Flush()
}

// stComment is the meaning with unit and scale.
func stComment(r *modbus.Register) string {
	s := r.Meaning
	var notes []string
	if r.Unit != "" {
		notes = append(notes, r.Unit)
	}
	if r.Scale != 1 {
		notes = append(notes, scaling(r))
	}
	if na := notAvailable(r); na != "" {
		notes = append(notes, "16#"+na[2:]+" not available")
	}
	if len(notes) > 0 {
		s += "; " + strings.Join(notes, ", ")
	}
	return s
}

// stType is the elementary type of IEC 61131-3 for a register.
func stType(r *modbus.Register) string {
	switch r.Type {
	case modbus.Bool:
		return "BOOL"
	case modbus.Int16:
		return "INT"
	case modbus.Uint32:
		return "UDINT"
	case modbus.Float32:
		return "DWORD" // its bits; not every PLC converts them alike
	case modbus.Bits:
		return "WORD"
	}
	return "UINT"
}

// stMember is the name of a register as a member: LIMIT is a function of every
// PLC, and names differ by more than their case.
func stMember(name string) string {
	if name == "limit" {
		return "on_limit"
	}
	return name
}

// WriteStructuredTextTypes writes a data type with one member a register of
// those that one request brings.
func WriteStructuredTextTypes(w io.Writer) error {
	l := lines{bufio.NewWriter(w)}
	fmt.Fprintf(l.b, stHeader, modbus.MapVersion, "What FB_MienDecode makes of the input registers.")
	// With a name, so that two variables are of one type: for a strict compiler two
	// arrays written alike are not.
	l.f("TYPE ST_MienRegisters : ARRAY[0..%d] OF WORD;", stWords-1)
	l.f("END_TYPE")
	l.f("")
	l.f("TYPE ST_MienAlarm :")
	l.f("STRUCT")
	each(modbus.Input, func(r *modbus.Register) {
		if name, ok := strings.CutPrefix(r.Name, "alarm0_"); ok && r.Type != modbus.Text {
			l.f("    %s : %s; (* %s *)", stMember(name), stType(r), stComment(r))
		}
	})
	l.f("END_STRUCT;")
	l.f("END_TYPE")
	l.f("")
	l.f("TYPE ST_Mien :")
	l.f("STRUCT")
	each(modbus.Input, func(r *modbus.Register) {
		if last(r) < 60 {
			l.f("    %s : %s; (* %s *)", r.Name, stType(r), stComment(r))
		}
	})
	l.f("    alarms : ARRAY[0..%d] OF ST_MienAlarm;", modbus.MaxAlarms-1)
	l.f("END_STRUCT;")
	l.f("END_TYPE")
	return l.b.Flush()
}

// WriteStructuredTextDecode writes the function block that fills that data
// type from the registers as a master delivers them.
func WriteStructuredTextDecode(w io.Writer) error {
	l := lines{bufio.NewWriter(w)}
	fmt.Fprintf(l.b, stHeader, modbus.MapVersion, fmt.Sprintf("Read %d input registers from 0 in one request, then call this.", stWords))
	l.f("FUNCTION_BLOCK FB_MienDecode")
	l.f("VAR_INPUT")
	l.f("    aRegisters : ST_MienRegisters;")
	l.f("    bLowWordFirst : BOOL; (* as [modbus] word_order of the unit *)")
	l.f("END_VAR")
	l.f("VAR_OUTPUT")
	l.f("    stMien : ST_Mien;")
	l.f("    bMapKnown : BOOL; (* the unit's map has all that this block reads, and the words arrive in the right order *)")
	l.f("    nAlarms : INT; (* how many alarms the unit has: goes to FB_MienCommand.nAlarms *)")
	l.f("END_VAR")
	l.f("VAR")
	l.f("    i : INT;")
	l.f("    nHigh : INT; (* where the high word of two stands *)")
	l.f("    nLow : INT;")
	l.f("END_VAR")
	l.f("")
	l.f("IF bLowWordFirst THEN")
	l.f("    nHigh := 1; nLow := 0;")
	l.f("ELSE")
	l.f("    nHigh := 0; nLow := 1;")
	l.f("END_IF;")
	each(modbus.Input, func(r *modbus.Register) {
		if last(r) < 60 {
			l.f("stMien.%s := %s;", r.Name, stConvert(r, "%d"))
		}
	})
	l.f("nAlarms := 0;")
	l.f("FOR i := 0 TO %d DO", modbus.MaxAlarms-1)
	each(modbus.Input, func(r *modbus.Register) {
		if name, ok := strings.CutPrefix(r.Name, "alarm0_"); ok && r.Type != modbus.Text {
			l.f("    stMien.alarms[i].%s := %s;", stMember(name), stConvert(r, "%d + 4 * i"))
		}
	})
	l.f("    IF stMien.alarms[i].state <> 65535 THEN")
	l.f("        nAlarms := i + 1;")
	l.f("    END_IF;")
	l.f("END_FOR;")
	l.f("bMapKnown := stMien.map_version >= %d AND aRegisters[50] = WORD#16#1234 AND stMien.test_float = DWORD#16#3F800000;", modbus.MapVersion)
	l.f("END_FUNCTION_BLOCK")
	return l.b.Flush()
}

// stConvert is the expression that reads r from aRegisters; at formats its
// address.
func stConvert(r *modbus.Register, at string) string {
	index := fmt.Sprintf(at, r.Address)
	switch stType(r) {
	case "INT":
		return "WORD_TO_INT(aRegisters[" + index + "])"
	case "UDINT":
		return "DWORD_TO_UDINT(" + stDouble(index) + ")"
	case "DWORD":
		return stDouble(index)
	case "WORD":
		return "aRegisters[" + index + "]"
	}
	return "WORD_TO_UINT(aRegisters[" + index + "])"
}

func stDouble(index string) string {
	return fmt.Sprintf("SHL(WORD_TO_DWORD(aRegisters[%s + nHigh]), 16) OR WORD_TO_DWORD(aRegisters[%s + nLow])", index, index)
}
