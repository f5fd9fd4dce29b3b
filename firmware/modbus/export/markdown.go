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

// WriteMarkdown writes the document of the map.
func WriteMarkdown(w io.Writer) error {
	l := lines{bufio.NewWriter(w)}
	l.f("<!-- Generated from the register table in firmware/modbus: make generate. Do not edit. -->")
	l.f("# Register map, version %d", modbus.MapVersion)
	l.f("")
	l.f("The same map as text: `mien registers`; as CSV: [plc/registers.csv](plc/registers.csv). What a PLC or a tool imports, and which")
	l.f("file it is: [plc.md](plc.md#blocks-for-your-plc) and [plc.md](plc.md#tag-lists).")
	l.f("How to wire, poll and supervise the unit: [plc.md](plc.md).")
	l.f("")
	l.f("## How to read it")
	l.f("")
	l.f("- Addresses are 0-based, as on the wire. A tool that counts from 1 wants one more; one that wants six digits writes")
	l.f("  input register 2 as 300003.")
	l.f("- A register is 16 bits, high byte first. 32-bit values take two, high word first unless `word_order = \"low-first\"` is set in")
	l.f("  `[modbus]`. Read both words in one request: each answer is made of one result, and only one.")
	l.f("- A scale of x1000 means that the register holds the value times 1000: 437 is 0.437.")
	l.f("- int16: -32768 (0x8000) is \"not available\": no face, a covered part, a network without that output. uint16 and enum where it says so: 65535.")
	l.f("- Register 58 is kept for the address alone. The pain index added how strong units are; the network tells only how likely they are there,")
	l.f("  and half of the smiling faces got more than 8 of 16 (model card). An alarm on `pain` is refused.")
	l.f("- Registers 11 to 14, 28 to 35, 132 and 133 infer emotions: they are not available unless the config has a `unit.purpose`.")
	l.f("- Each table can be read in whole blocks: %d coils, %d discrete inputs, %d input registers, %d holding registers. What",
		modbus.Size(modbus.Coil), modbus.Size(modbus.Discrete), modbus.Size(modbus.Input), modbus.Size(modbus.Holding))
	l.f("  does not stand below reads 0 and cannot be written. Beyond that: exception 02.")
	l.f("- Holding registers from %d are the input registers once more (register n at %d+n), for masters without function 4. They", modbus.MirrorBase, modbus.MirrorBase)
	l.f("  are read-only.")
	l.f("- Up to %d alarms, numbered from 0 in the order of the config; of those behind them this map tells nothing.", modbus.MaxAlarms)
	l.f("- Levels have fixed addresses for what the network of mien gives. A network of another training has other signals: registers")
	l.f("  %d to %d have whatever the unit gives, in an order that only changes with the config, and their names from %d.",
		address("signal_count"), address(fmt.Sprintf("signal%d_value", modbus.MaxSignals-1)), address("signal0_name"))
	l.f("- A published address keeps its meaning. Register 0 goes up when there is more.")
	l.f("")
	l.f("## What writing does")
	l.f("")
	l.f("- Coils and the shelve mask act on change, and read back what was written last. A PLC may write the same block in every")
	l.f("  cycle: nothing is done twice, and nothing that has run out is started again. To give a command again, write 0 and then 1.")
	l.f("- A request is checked whole before anything changes. Exception 02: there is no such register, it is read-only, it is")
	l.f("  locked, or there is no such alarm. 03: a value or a count out of range. 04: the unit cannot do it. 06: too many commands")
	l.f("  at once, try again. 05: done, and not yet on the disk; write it again until the answer is an ordinary one (docs/plc.md).")
	l.f("- A write that is refused with 02 or 03 is in the unit's journal: which register, and why; one a second at most.")
	l.f("- Masters that write holding registers only give commands by registers %d to %d: the code, the number of the alarm, the", holding("command").Address, last(holding("command_sequence")))
	l.f("  value, and a new number in command_sequence, in one request of function 16 or one after the other with the number last.")
	l.f("  Each number gives its command once, whatever came of it; command_done and command_result tell that. The exceptions are")
	l.f("  those of the coils; a number that was refused is answered by the same exception as long as it is written again.")
	l.f("- The clock can be set where the config has `clock.settable` and no time source sets the system's: else exception 02.")
	l.f("- The settings of an alarm can be written only where the config names it in `unlock` of `[modbus]`. on_limit and")
	l.f("  off_limit must keep their order: write both in one request when the new pair would cross the old one.")
	l.f("- A broadcast (address 0) is obeyed and not answered.")
	for _, space := range spaces {
		l.f("")
		l.f("## %s", heading(space))
		l.f("")
		if space == modbus.Discrete || space == modbus.Coil {
			l.f("| Address | Name | Meaning | Since |")
			l.f("|---|---|---|---|")
		} else {
			l.f("| Address | Name | Type | Unit | Scale | Access | Meaning | Since |")
			l.f("|---|---|---|---|---|---|---|---|")
		}
		next := 0
		each(space, func(r *modbus.Register) {
			if r.Address > next {
				reserved := modbus.Register{Address: next, Words: r.Address - next}
				if space == modbus.Discrete || space == modbus.Coil {
					l.f("| %s | | reserved | |", addresses(&reserved))
				} else {
					l.f("| %s | | | | | | reserved | |", addresses(&reserved))
				}
			}
			next = r.End()
			meaning := strings.ReplaceAll(r.Meaning, "|", "\\|")
			if space == modbus.Discrete || space == modbus.Coil {
				l.f("| %s | %s | %s | %d |", addresses(r), r.Name, meaning, r.Since)
				return
			}
			if v := values(r); v != "" && r.Type == modbus.Enum && !strings.HasPrefix(r.Name, "alarm") || r.Name == "covered" || r.Name == "annunciator" {
				meaning += ": " + v
			}
			if r.NA {
				meaning += " (or not available)"
			}
			l.f("| %s | %s | %v | %s | %s | %v | %s | %d |", addresses(r), r.Name, r.Type, r.Unit, scaling(r), r.Access, meaning, r.Since)
		})
	}
	l.f("")
	l.f("## Bits of the status and fault words")
	l.f("")
	l.f("| Bit | Status (register 2) | | Fault (register 3) | |")
	l.f("|---|---|---|---|---|")
	for i := range 16 {
		l.f("| %d | %s | %s | %s | %s |", i, statusNames()[i], state.Flag(i).Meaning(), faultNames()[i], health.Fault(i).Info().Text)
	}
	l.f("")
	l.f("Second fault word (register 146, since version 2):")
	l.f("")
	for i, name := range moreFaultNames() {
		l.f("- bit %d, %s: %s", i, name, health.Fault(16+i).Info().Text)
	}
	l.f("")
	l.f("## Alarm states")
	l.f("")
	l.f("| Value | State |")
	l.f("|---|---|")
	for i, name := range stateNames() {
		l.f("| %d | %s |", i, name)
	}
	l.f("| 65535 | there is no such alarm |")
	l.f("")
	l.f("## Function codes")
	l.f("")
	l.f("1, 2, 3, 4, 5, 6, 15, 16, 22, 23; 8 with the sub-functions 0 (loopback), 1 (restart, leaves listen-only mode), 2 (diagnostic")
	l.f("register: the fault word), 4 (listen-only mode), 10 (clear counters), 11 to 18 (counters), 20 (clear overrun counter);")
	l.f("43/14 (identification, objects 0 to 6). Others: exception 01.")
	return l.b.Flush()
}
