package modbustest

import (
	"fmt"

	"mien/firmware/modbus"
)

// Case is one request and what must come back. Both are PDUs: address and CRC
// belong to who sends them.
type Case struct {
	Name    string
	Request []byte
	// Address is where the request goes, as an offset to the unit's own: 0 is
	// the unit. Broadcast goes to all.
	Address   int
	Broadcast bool
	Want      Want
}

// Want is an answer: silence, an exception, or a PDU that begins with Prefix
// and has Length bytes, any number where Length is negative.
type Want struct {
	Silence   bool
	Exception byte
	Prefix    []byte
	Length    int
}

func (w Want) String() string {
	switch {
	case w.Silence:
		return "no answer"
	case w.Exception != 0:
		return fmt.Sprintf("exception %02X", w.Exception)
	}
	return fmt.Sprintf("%d bytes that begin with % X", w.Length, w.Prefix)
}

// Check says what is wrong with the PDU of an answer, nil for none at all.
func (c *Case) Check(answer []byte) error {
	switch w := c.Want; {
	case w.Silence && answer == nil:
		return nil
	case w.Silence || answer == nil:
	case w.Exception != 0:
		if len(answer) == 2 && answer[0] == c.Request[0]|0x80 && answer[1] == w.Exception {
			return nil
		}
	case (len(answer) == w.Length || w.Length < 0) && len(w.Prefix) <= len(answer) && string(answer[:len(w.Prefix)]) == string(w.Prefix):
		return nil
	}
	return fmt.Errorf("%s: request % X: want %v, have % X", c.Name, c.Request, c.Want, answer)
}

func hi(n int) byte { return byte(n >> 8) }
func lo(n int) byte { return byte(n) }

// ask is a PDU of a function code and 16-bit words.
func ask(fc byte, words ...int) []byte {
	p := []byte{fc}
	for _, w := range words {
		p = append(p, hi(w), lo(w))
	}
	return p
}

// with appends a byte count and so many bytes.
func with(p []byte, count int, data ...byte) []byte {
	return append(append(p, byte(count)), data...)
}

// zeros are n bytes of 0.
func zeros(n int) []byte { return make([]byte, n) }

// counted is an answer of function fc with n data bytes, whatever they are.
func counted(fc byte, n int) Want { return Want{Prefix: []byte{fc, byte(n)}, Length: 2 + n} }

// exact is an answer to the byte.
func exact(p []byte) Want { return Want{Prefix: p, Length: len(p)} }

func exception(code byte) Want { return Want{Exception: code} }

// How far each table can be read; writes end before.
var coils, discretes, inputs, holdings = modbus.Size(modbus.Coil), modbus.Size(modbus.Discrete), modbus.Size(modbus.Input), modbus.Size(modbus.Holding)

// Cases are the conformance cases for a unit: what "MODBUS Application
// Protocol Specification V1.1b3" says of each function, with the ends of this
// register map. They leave the unit as it was but for the host heartbeat.
func Cases(f Facts) []Case {
	var all []Case
	add := func(name string, request []byte, want Want) {
		all = append(all, Case{Name: name, Request: request, Want: want})
	}
	readCases(add)
	bitWriteCases(add, f)
	wordWriteCases(add, f)
	maskCases(add)
	readWriteCases(add)
	diagnosticCases(add)
	identificationCases(add)
	unknownCases(add)
	all = append(all, addressCases()...)
	return all
}

// readCases are functions 1 to 4: 6.1 to 6.4.
func readCases(add func(string, []byte, Want)) {
	for _, t := range []struct {
		fc         byte
		name       string
		most, size int
		base       int
	}{
		{1, "read coils", 2000, coils, 0},
		{2, "read discrete inputs", 2000, discretes, 0},
		{3, "read holding registers", 125, holdings, 0},
		{3, "read mirror", 125, inputs, modbus.MirrorBase},
		{4, "read input registers", 125, inputs, 0},
	} {
		bytes := func(n int) int {
			if t.fc <= 2 {
				return (n + 7) / 8
			}
			return 2 * n
		}
		n := func(s string) string { return t.name + ": " + s }
		end := t.base + t.size
		add(n("one"), ask(t.fc, t.base, 1), counted(t.fc, bytes(1)))
		add(n("seven"), ask(t.fc, t.base, 7), counted(t.fc, bytes(7)))
		add(n("eight"), ask(t.fc, t.base, 8), counted(t.fc, bytes(8)))
		add(n("nine"), ask(t.fc, t.base, 9), counted(t.fc, bytes(9)))
		add(n("the last"), ask(t.fc, end-1, 1), counted(t.fc, bytes(1)))
		all := min(t.size, t.most)
		add(n("as many as one request can have"), ask(t.fc, t.base, all), counted(t.fc, bytes(all)))
		add(n("one past the end"), ask(t.fc, end, 1), exception(2))
		add(n("across the end"), ask(t.fc, end-1, 2), exception(2))
		add(n("address 65535"), ask(t.fc, 65535, 1), exception(2))
		add(n("address 65535 and one more"), ask(t.fc, 65535, 2), exception(2))
		add(n("count zero"), ask(t.fc, t.base, 0), exception(3))
		add(n("count zero past the end"), ask(t.fc, 65535, 0), exception(3))
		add(n("one more than the most"), ask(t.fc, t.base, t.most+1), exception(3))
		add(n("count 65535"), ask(t.fc, t.base, 65535), exception(3))
		add(n("too short by one byte"), ask(t.fc, t.base, 1)[:4], exception(3))
		add(n("too long by one byte"), append(ask(t.fc, t.base, 1), 0), exception(3))
		add(n("function code alone"), []byte{t.fc}, exception(3))
	}
	add("read holding registers: hole before the mirror", ask(3, holdings, 1), exception(2))
	add("read holding registers: into the mirror from below", ask(3, modbus.MirrorBase-1, 2), exception(2))
	add("read input registers: test values", ask(4, 50, 2), exact([]byte{4, 4, 0x12, 0x34, 0x56, 0x78}))
	add("read mirror: test values", ask(3, modbus.MirrorBase+50, 2), exact([]byte{3, 4, 0x12, 0x34, 0x56, 0x78}))
	add("read input registers: map version", ask(4, 0, 1), exact([]byte{4, 2, 0, modbus.MapVersion}))
	add("read input registers: reserved reads 0", ask(4, 15, 1), exact([]byte{4, 2, 0, 0}))
	add("read coils: reserved reads 0", ask(1, 5, 3), exact([]byte{1, 1, 0}))
	add("read coils: unused bits of the last byte are 0", ask(1, 5, 1), exact([]byte{1, 1, 0}))
}

// bitWriteCases are functions 5 and 15: 6.5, 6.11.
func bitWriteCases(add func(string, []byte, Want), f Facts) {
	add("write coil: on", ask(5, 2, 0xFF00), exact(ask(5, 2, 0xFF00)))
	add("write coil: reads back", ask(1, 2, 1), exact([]byte{1, 1, 1}))
	add("write coil: off", ask(5, 2, 0), exact(ask(5, 2, 0)))
	add("write coil: reads back 0", ask(1, 2, 1), exact([]byte{1, 1, 0}))
	for _, value := range []int{1, 0xFF, 0xFF01, 0xFFFF, 0x0100, 0xFE00} {
		add(fmt.Sprintf("write coil: value %04X", value), ask(5, 2, value), exception(3))
	}
	add("write coil: past the end", ask(5, coils, 0xFF00), exception(2))
	add("write coil: address 65535", ask(5, 65535, 0), exception(2))
	add("write coil: wrong value past the end", ask(5, 65535, 1), exception(3))
	add("write coil: reserved, on", ask(5, 5, 0xFF00), exception(2))
	add("write coil: reserved, off", ask(5, 5, 0), exact(ask(5, 5, 0)))
	add("write coil: too short", ask(5, 2, 0)[:4], exception(3))
	add("write coil: too long", append(ask(5, 2, 0), 0), exception(3))
	if f.Alarms < modbus.MaxAlarms {
		add("write coil: no such alarm, on", ask(5, 8+f.Alarms, 0xFF00), exception(2))
		add("write coil: no such alarm, off", ask(5, 8+f.Alarms, 0), exact(ask(5, 8+f.Alarms, 0)))
		add("write coils: one for no such alarm", with(ask(15, 8, f.Alarms+1), (f.Alarms+8)/8, bitmap(f.Alarms+1, f.Alarms)...), exception(2))
		add("write coils: and nothing was changed", ask(1, 8, 8), exact([]byte{1, 1, 0}))
	}
	all := (coils + 7) / 8
	add("write coils: all off", with(ask(15, 0, coils), all, zeros(all)...), exact(ask(15, 0, coils)))
	add("write coils: one", with(ask(15, 2, 1), 1, 0), exact(ask(15, 2, 1)))
	add("write coils: the last", with(ask(15, coils-1, 1), 1, 0), exact(ask(15, coils-1, 1)))
	add("write coils: bits beyond the count do not matter", with(ask(15, 2, 1), 1, 0xFE), exact(ask(15, 2, 1)))
	add("write coils: a 1 for a reserved one", with(ask(15, 0, 8), 1, 0x20), exception(2))
	add("write coils: past the end", with(ask(15, coils, 1), 1, 0), exception(2))
	add("write coils: across the end", with(ask(15, coils-1, 2), 1, 0), exception(2))
	add("write coils: 1968, the most, across the end", with(ask(15, 0, 1968), 246, zeros(246)...), exception(2))
	add("write coils: 1969", with(ask(15, 0, 1969), 247, zeros(246)...), exception(3))
	add("write coils: count zero", with(ask(15, 0, 0), 0), exception(3))
	add("write coils: byte count too small", with(ask(15, 0, 9), 1, 0), exception(3))
	add("write coils: byte count too large", with(ask(15, 0, 8), 2, 0, 0), exception(3))
	add("write coils: byte count zero", with(ask(15, 0, 8), 0), exception(3))
	add("write coils: fewer bytes than counted", with(ask(15, 0, 16), 2, 0), exception(3))
	add("write coils: more bytes than counted", with(ask(15, 0, 8), 1, 0, 0), exception(3))
}

// bitmap is n bits as bytes, with one of them set.
func bitmap(n, set int) []byte {
	b := make([]byte, (n+7)/8)
	b[set/8] |= 1 << (set % 8)
	return b
}

// wordWriteCases are functions 6 and 16: 6.6, 6.12.
func wordWriteCases(add func(string, []byte, Want), f Facts) {
	for _, value := range []int{0, 1, 0x7FFF, 0x8000, 0xFFFF} {
		add(fmt.Sprintf("write register: %04X", value), ask(6, 0, value), exact(ask(6, 0, value)))
		add(fmt.Sprintf("write register: %04X reads back", value), ask(3, 0, 1), exact([]byte{3, 2, hi(value), lo(value)}))
	}
	add("write register: past the end", ask(6, holdings, 0), exception(2))
	add("write register: address 65535", ask(6, 65535, 0), exception(2))
	add("write register: the mirror is read-only", ask(6, modbus.MirrorBase+1, 0), exception(2))
	add("write register: reserved", ask(6, 4, 0), exception(2))
	add("write register: too short", ask(6, 0, 0)[:4], exception(3))
	add("write register: too long", append(ask(6, 0, 0), 0), exception(3))
	add("write register: shelve minutes 0", ask(6, 3, 0), exception(3))
	if f.ShelveMax < 65535 {
		add("write register: shelve minutes over the most", ask(6, 3, f.ShelveMax+1), exception(3))
	}
	add("write register: shelve minutes", ask(6, 3, 1), exact(ask(6, 3, 1)))
	if f.Alarms < modbus.MaxAlarms {
		add("write register: shelve no such alarm", ask(6, 2, 1<<f.Alarms), exception(3))
		add("write register: limit of no such alarm", ask(6, 10+4*f.Alarms, 100), exception(2))
	}
	if f.Locked >= 0 {
		for i := range 4 {
			add(fmt.Sprintf("write register: locked limit %d", i), ask(6, 10+4*f.Locked+i, 100), exception(2))
		}
	}
	if f.Unlocked >= 0 {
		at := 10 + 4*f.Unlocked
		add("write register: limit not available", ask(6, at, 0x8000), exception(3))
		add("write register: limit out of range", ask(6, at, 30000), exception(3))
		add("write register: delay not available", ask(6, at+2, 0xFFFF), exception(3))
		add("write registers: limits the wrong way round", with(ask(16, at, 2), 4, 0, 100, 0x03, 0x84), exception(3))
	}
	add("write registers: one", with(ask(16, 0, 1), 2, 0x12, 0x34), exact(ask(16, 0, 1)))
	add("write registers: reads back", ask(3, 0, 1), exact([]byte{3, 2, 0x12, 0x34}))
	add("write registers: a reserved one among them", with(ask(16, 3, 2), 4, 0, 2, 0, 0), exception(2))
	add("write registers: a wrong value among them", with(ask(16, 2, 2), 4, 0, 0, 0, 0), exception(3))
	add("write registers: and nothing was changed", ask(3, 3, 1), exact([]byte{3, 2, 0, 1}))
	add("write registers: past the end", with(ask(16, holdings, 1), 2, 0, 0), exception(2))
	add("write registers: across the end", with(ask(16, holdings-1, 2), 4, 0, 0, 0, 0), exception(2))
	add("write registers: 123, the most, across the end", with(ask(16, 0, 123), 246, zeros(246)...), exception(2))
	add("write registers: 124", with(ask(16, 0, 124), 248, zeros(246)...), exception(3))
	add("write registers: count zero", with(ask(16, 0, 0), 0), exception(3))
	add("write registers: byte count too small", with(ask(16, 0, 2), 2, 0, 0), exception(3))
	add("write registers: byte count too large", with(ask(16, 0, 1), 4, 0, 0, 0, 0), exception(3))
	add("write registers: byte count odd", with(ask(16, 0, 1), 3, 0, 0, 0), exception(3))
	add("write registers: fewer bytes than counted", with(ask(16, 0, 2), 4, 0, 0), exception(3))
	add("write registers: more bytes than counted", with(ask(16, 0, 1), 2, 0, 0, 0), exception(3))
}

// maskCases are function 22: 6.16. Its example is 0x12, 0xF2, 0x25 -> 0x17.
func maskCases(add func(string, []byte, Want)) {
	add("mask write: prepare", ask(6, 0, 0x12), exact(ask(6, 0, 0x12)))
	add("mask write: the example of the specification", ask(22, 0, 0xF2, 0x25), exact(ask(22, 0, 0xF2, 0x25)))
	add("mask write: its result", ask(3, 0, 1), exact([]byte{3, 2, 0, 0x17}))
	add("mask write: keep all", ask(22, 0, 0xFFFF, 0), exact(ask(22, 0, 0xFFFF, 0)))
	add("mask write: kept", ask(3, 0, 1), exact([]byte{3, 2, 0, 0x17}))
	add("mask write: replace all", ask(22, 0, 0, 0xABCD), exact(ask(22, 0, 0, 0xABCD)))
	add("mask write: replaced", ask(3, 0, 1), exact([]byte{3, 2, 0xAB, 0xCD}))
	add("mask write: past the end", ask(22, holdings, 0, 0), exception(2))
	add("mask write: the mirror is read-only", ask(22, modbus.MirrorBase, 0xFFFF, 0), exception(2))
	add("mask write: a value out of range", ask(22, 3, 0, 0), exception(3))
	add("mask write: too short", ask(22, 0, 0xFFFF, 0)[:6], exception(3))
	add("mask write: too long", append(ask(22, 0, 0xFFFF, 0), 0), exception(3))
}

// readWriteCases are function 23: 6.17.
func readWriteCases(add func(string, []byte, Want)) {
	add("read/write: one each", with(ask(23, 0, 1, 0, 1), 2, 0x43, 0x21), exact([]byte{23, 2, 0x43, 0x21}))
	add("read/write: it writes first", with(ask(23, 0, 1, 0, 1), 2, 0x55, 0xAA), exact([]byte{23, 2, 0x55, 0xAA}))
	add("read/write: reads the mirror", with(ask(23, modbus.MirrorBase+50, 2, 0, 1), 2, 0, 1), exact([]byte{23, 4, 0x12, 0x34, 0x56, 0x78}))
	add("read/write: reads 125, the most", with(ask(23, modbus.MirrorBase, 125, 0, 1), 2, 0, 2), counted(23, 250))
	add("read/write: reads 126", with(ask(23, modbus.MirrorBase, 126, 0, 1), 2, 0, 3), exception(3))
	add("read/write: reads none", with(ask(23, 0, 0, 0, 1), 2, 0, 3), exception(3))
	add("read/write: writes none", with(ask(23, 0, 1, 0, 0), 0), exception(3))
	add("read/write: writes 121, the most, across the end", with(ask(23, 0, 1, 0, 121), 242, zeros(242)...), exception(2))
	add("read/write: writes 122", with(ask(23, 0, 1, 0, 122), 244, zeros(242)...), exception(3))
	add("read/write: reads past the end", with(ask(23, holdings, 1, 0, 1), 2, 0, 3), exception(2))
	add("read/write: writes past the end", with(ask(23, 0, 1, holdings, 1), 2, 0, 3), exception(2))
	add("read/write: writes the mirror", with(ask(23, 0, 1, modbus.MirrorBase, 1), 2, 0, 3), exception(2))
	add("read/write: writes a wrong value", with(ask(23, 0, 1, 3, 1), 2, 0, 0), exception(3))
	add("read/write: byte count too small", with(ask(23, 0, 1, 0, 2), 2, 0, 3), exception(3))
	add("read/write: byte count too large", with(ask(23, 0, 1, 0, 1), 4, 0, 3, 0, 3), exception(3))
	add("read/write: fewer bytes than counted", with(ask(23, 0, 1, 0, 2), 4, 0, 3), exception(3))
	add("read/write: more bytes than counted", with(ask(23, 0, 1, 0, 1), 2, 0, 3, 0), exception(3))
	add("read/write: no wrong one has written", ask(3, 0, 1), exact([]byte{3, 2, 0, 2}))
}

// diagnosticCases are function 8: 6.8. The counters are checked by a test of
// their own.
func diagnosticCases(add func(string, []byte, Want)) {
	loop := func(data ...byte) []byte { return append([]byte{8, 0, 0}, data...) }
	add("diagnostics 0: loopback", loop(0xA5, 0x37), exact(loop(0xA5, 0x37)))
	add("diagnostics 0: loopback of four bytes", loop(1, 2, 3, 4), exact(loop(1, 2, 3, 4)))
	add("diagnostics 0: loopback of 250 bytes", loop(make([]byte, 250)...), exact(loop(make([]byte, 250)...)))
	add("diagnostics 0: no data", loop(), exception(3))
	add("diagnostics 0: half a word", loop(1), exception(3))
	add("diagnostics 0: a word and a half", loop(1, 2, 3), exception(3))
	add("diagnostics 1: restart", ask(8, 1, 0), exact(ask(8, 1, 0)))
	add("diagnostics 1: restart, clear the log", ask(8, 1, 0xFF00), exact(ask(8, 1, 0xFF00)))
	add("diagnostics 1: other data", ask(8, 1, 0x1234), exception(3))
	add("diagnostics 2: diagnostic register", ask(8, 2, 0), Want{Prefix: []byte{8, 0, 2}, Length: 5})
	add("diagnostics 10: clear", ask(8, 10, 0), exact(ask(8, 10, 0)))
	for sub := 11; sub <= 18; sub++ {
		add(fmt.Sprintf("diagnostics %d: counter", sub), ask(8, sub, 0), Want{Prefix: []byte{8, 0, byte(sub)}, Length: 5})
	}
	add("diagnostics 20: clear the overrun counter", ask(8, 20, 0), exact(ask(8, 20, 0)))
	for _, sub := range []int{2, 4, 10, 11, 12, 13, 14, 15, 16, 17, 18, 20} {
		add(fmt.Sprintf("diagnostics %d: data not 0", sub), ask(8, sub, 1), exception(3))
	}
	for _, sub := range []int{3, 5, 9, 19, 21, 22, 0x1234, 0xFFFF} {
		add(fmt.Sprintf("diagnostics %d: no such sub-function", sub), ask(8, sub, 0), exception(1))
	}
	add("diagnostics: no sub-function", []byte{8, 0}, exception(3))
	add("diagnostics 11: too long", append(ask(8, 11, 0), 0, 0), exception(3))
	add("diagnostics 4: listen only", ask(8, 4, 0), Want{Silence: true})
	add("diagnostics 4: nothing is read now", ask(3, 0, 1), Want{Silence: true})
	add("diagnostics 4: nothing is written now", ask(6, 0, 0x7777), Want{Silence: true})
	add("diagnostics 4: nor refused", []byte{99}, Want{Silence: true})
	add("diagnostics 4: a restart with wrong data does not end it", ask(8, 1, 1), Want{Silence: true})
	add("diagnostics 1: ends listen only without an answer", ask(8, 1, 0), Want{Silence: true})
	add("diagnostics 1: and it was not written", ask(3, 0, 1), exact([]byte{3, 2, 0, 2}))
}

// identificationCases are function 43: 6.21.
func identificationCases(add func(string, []byte, Want)) {
	head := func(code byte) []byte { return []byte{43, 14, code, 0x82, 0, 0} }
	any := func(code byte) Want { return Want{Prefix: head(code), Length: -1} }
	for code := byte(1); code <= 3; code++ {
		add(fmt.Sprintf("identification %d: stream", code), []byte{43, 14, code, 0}, any(code))
		add(fmt.Sprintf("identification %d: an unknown object begins again", code), []byte{43, 14, code, 200}, any(code))
	}
	for object := byte(0); object <= 6; object++ {
		add(fmt.Sprintf("identification 4: object %d", object), []byte{43, 14, 4, object},
			Want{Prefix: []byte{43, 14, 4, 0x82, 0, 0, 1, object}, Length: -1})
	}
	add("identification 4: no such object", []byte{43, 14, 4, 7}, exception(2))
	add("identification 4: no such extended object", []byte{43, 14, 4, 0x80}, exception(2))
	add("identification 0: no such code", []byte{43, 14, 0, 0}, exception(3))
	add("identification 5: no such code", []byte{43, 14, 5, 0}, exception(3))
	add("identification: too short", []byte{43, 14, 1}, exception(3))
	add("identification: too long", []byte{43, 14, 1, 0, 0}, exception(3))
	add("identification: MEI type 13", []byte{43, 13, 0, 0}, exception(1))
	add("identification: MEI type 0", []byte{43, 0}, exception(1))
}

// unknownCases are function codes that this slave does not have: 7.
func unknownCases(add func(string, []byte, Want)) {
	for _, fc := range []byte{0, 7, 9, 10, 11, 12, 13, 14, 17, 18, 19, 20, 21, 24, 25, 40, 42, 44, 65, 72, 100, 110, 127} {
		add(fmt.Sprintf("function %d: unknown, alone", fc), []byte{fc}, exception(1))
		add(fmt.Sprintf("function %d: unknown, with data", fc), []byte{fc, 0, 0, 0, 1}, exception(1))
	}
	for _, fc := range []byte{0x80, 0x81, 0x83, 0xFF} {
		add(fmt.Sprintf("function %02X: an answer, not a request", fc), []byte{fc, 2}, Want{Silence: true})
		add(fmt.Sprintf("function %02X: as long as a request", fc), []byte{fc, 0, 0, 0, 1}, Want{Silence: true})
	}
}

// addressCases are requests for others and for all.
func addressCases() []Case {
	return []Case{
		{Name: "for the next slave", Request: ask(3, 0, 1), Address: 1, Want: Want{Silence: true}},
		{Name: "for a slave far away", Request: ask(6, 0, 0x7777), Address: 100, Want: Want{Silence: true}},
		{Name: "for a reserved address", Request: ask(3, 0, 1), Address: 250, Want: Want{Silence: true}},
		{Name: "an answer under our own address", Request: []byte{3, 2, 0, 1}, Want: Want{Silence: true}},
		{Name: "an answer to write registers under our own address", Request: ask(16, 0, 1), Want: Want{Silence: true}},
		{Name: "broadcast: write", Request: ask(6, 0, 0x2468), Broadcast: true, Want: Want{Silence: true}},
		{Name: "broadcast: was obeyed", Request: ask(3, 0, 1), Want: exact([]byte{3, 2, 0x24, 0x68})},
		{Name: "broadcast: write registers", Request: with(ask(16, 0, 1), 2, 0x13, 0x57), Broadcast: true, Want: Want{Silence: true}},
		{Name: "broadcast: was obeyed again", Request: ask(3, 0, 1), Want: exact([]byte{3, 2, 0x13, 0x57})},
		{Name: "broadcast: a wrong value is not answered either", Request: ask(6, 3, 0), Broadcast: true, Want: Want{Silence: true}},
		{Name: "broadcast: read", Request: ask(3, 0, 1), Broadcast: true, Want: Want{Silence: true}},
		{Name: "broadcast: unknown function", Request: []byte{99}, Broadcast: true, Want: Want{Silence: true}},
		{Name: "broadcast: listen only", Request: ask(8, 4, 0), Broadcast: true, Want: Want{Silence: true}},
		{Name: "broadcast: was not obeyed", Request: ask(3, 0, 1), Want: exact([]byte{3, 2, 0x13, 0x57})},
	}
}
