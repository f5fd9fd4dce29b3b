package modbus

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// exception is a Modbus exception code; 0 is none (V1.1b3, chapter 7).
type exception byte

const (
	illegalFunction exception = 1
	illegalAddress  exception = 2
	illegalValue    exception = 3
	deviceFailure   exception = 4
	acknowledge     exception = 5
	deviceBusy      exception = 6
	targetSilent    exception = 11 // of a gateway: who was asked does not answer
)

// refusal is the exception for an error of Commands.
func refusal(err error) exception {
	switch {
	case errors.Is(err, ErrBusy):
		return deviceBusy
	case errors.Is(err, ErrAway):
		return targetSilent
	case errors.Is(err, ErrNoAlarm), errors.Is(err, ErrLocked), errors.Is(err, ErrNumbers):
		return illegalAddress
	case errors.Is(err, ErrRange):
		return illegalValue
	}
	return deviceFailure
}

// Function codes and the most that one request may name (V1.1b3, chapter 6).
const (
	readCoils, readDiscrete, readHolding, readInput = 1, 2, 3, 4
	writeCoil, writeRegister, diagnostics           = 5, 6, 8
	writeCoils, writeRegisters                      = 15, 16
	maskWrite, readWrite, encapsulated              = 22, 23, 43

	mostBitsRead, mostWordsRead      = 2000, 125
	mostBitsWritten                  = 1968
	mostWordsWritten                 = 123
	mostWordsWrittenByReadWrite      = 121
	meiIdent                    byte = 14
)

// handle does what a request asks for and puts the PDU of the answer behind
// the address in tx. It returns its length, 0 for no answer. A broadcast may
// only write.
func (s *Slave) handle(pdu []byte, broadcast bool, now time.Duration) int {
	s.latest.Load(&s.view.Snapshot)
	s.view.now = now
	s.view.AlarmCount = max(0, min(MaxAlarms, s.view.AlarmCount))
	if !s.begun && s.view.AlarmCount > 0 {
		s.begun = true // the mask reads as it is until a master writes it
		s.image.holding[holdingShelveMask] = s.view.Shelved
	}
	if most := uint16(s.shelveMax() / time.Minute); s.view.AlarmCount > 0 && s.image.holding[holdingShelveMinutes] > most {
		s.image.holding[holdingShelveMinutes] = most // a reload allows less than before
	}
	switch h := s.host.state(now); {
	case !h.Watched || h.Age <= h.Timeout:
		s.silent = false
	case !s.silent: // who comes back may be another
		s.silent = true
		s.image.unnote()
	}
	s.settle()
	s.broadcast = broadcast
	s.staging.why = ""
	answer := s.tx[1 : maxADU-2]
	fc := pdu[0]
	answer[0] = fc
	if broadcast {
		switch fc {
		case writeCoil, writeRegister, writeCoils, writeRegisters, maskWrite:
		default:
			return 0
		}
	}
	n, ex := s.serve(fc, pdu, answer)
	if ex == 0 {
		return n
	}
	s.trace(fc)
	if !broadcast {
		s.stats.add(&s.stats.Exceptions, 1)
		if ex == deviceBusy {
			s.stats.add(&s.stats.Busy, 1)
		}
	}
	return s.refuse(fc, ex)
}

// Why a write is refused that is outside of what can be written.
const (
	noCoil     = "there is no such coil"
	noRegister = "there is no such register, or it is read-only"
)

// traceEvery is how often a refused write is journaled at most: no master's
// mistake may use up what it has for commands.
const traceEvery = time.Second

// trace journals which coil or register a master could not write, and why.
func (s *Slave) trace(fc byte) {
	g, now := &s.staging, s.view.now
	if g.why == "" || s.traced != 0 && now-s.traced < traceEvery {
		return
	}
	s.traced = max(now, 1)
	what := "holding register"
	if fc == writeCoil || fc == writeCoils {
		what = "coil"
	}
	// The note may be refused as every command: then there are enough of them.
	s.commands.Do(s.cfg.Who, []Command{{Op: OpRefused, Text: fmt.Sprintf("write to %s %d refused: %s", what, g.at, g.why)}})
}

// refuse puts the PDU of an exception behind the address in tx.
func (s *Slave) refuse(fc byte, ex exception) int {
	s.tx[1], s.tx[2] = fc|0x80, byte(ex)
	return 2
}

// served says whether this slave has function fc, and so answers to it.
func served(fc byte) bool {
	switch fc {
	case readCoils, readDiscrete, readHolding, readInput, writeCoil, writeRegister, diagnostics,
		writeCoils, writeRegisters, maskWrite, readWrite, encapsulated:
		return true
	}
	return false
}

// writes says whether function fc can change something.
func writes(fc byte) bool {
	switch fc {
	case writeCoil, writeRegister, writeCoils, writeRegisters, maskWrite, readWrite:
		return true
	}
	return false
}

func (s *Slave) serve(fc byte, pdu, answer []byte) (int, exception) {
	if s.readOnly && writes(fc) {
		return 0, illegalFunction
	}
	switch fc {
	case readCoils, readDiscrete:
		return s.readBits(fc, pdu, answer)
	case readHolding, readInput:
		return s.readWords(fc, pdu, answer)
	case writeCoil:
		return s.writeCoil(pdu, answer)
	case writeRegister:
		return s.writeRegister(pdu, answer)
	case diagnostics:
		return s.diagnose(pdu, answer)
	case writeCoils:
		return s.writeCoils(pdu, answer)
	case writeRegisters:
		return s.writeRegisters(pdu, answer)
	case maskWrite:
		return s.maskWrite(pdu, answer)
	case readWrite:
		return s.readWrite(pdu, answer)
	case encapsulated:
		return s.identify(pdu, answer)
	}
	return 0, illegalFunction
}

func word(p []byte) int { return int(binary.BigEndian.Uint16(p)) }

func putWord(p []byte, value uint16) { binary.BigEndian.PutUint16(p, value) }

// within says whether the registers from address on are in a table of that
// size.
func within(address, quantity, size int) bool { return address+quantity <= size }

func (s *Slave) readBits(fc byte, pdu, answer []byte) (int, exception) {
	if len(pdu) != 5 {
		return 0, illegalValue
	}
	address, quantity := word(pdu[1:]), word(pdu[3:])
	if quantity < 1 || quantity > mostBitsRead {
		return 0, illegalValue
	}
	size := Size(Coil)
	if fc == readDiscrete {
		size = Size(Discrete)
	}
	if !within(address, quantity, size) {
		return 0, illegalAddress
	}
	bytes := (quantity + 7) / 8
	answer[1] = byte(bytes)
	clear(answer[2 : 2+bytes])
	for i := range quantity {
		var on bool
		if fc == readDiscrete {
			on = s.view.discreteBit(address + i)
		} else {
			on = s.image.coils>>(address+i)&1 != 0
		}
		if on {
			answer[2+i/8] |= 1 << (i % 8)
		}
	}
	return 2 + bytes, 0
}

// readable says whether function fc can read the registers.
func readable(fc byte, address, quantity int) bool {
	if fc == readInput {
		return within(address, quantity, Size(Input))
	}
	if address >= MirrorBase {
		return within(address-MirrorBase, quantity, Size(Input))
	}
	return within(address, quantity, Size(Holding))
}

// putWords puts registers into an answer and returns how many bytes they take.
func (s *Slave) putWords(fc byte, answer []byte, address, quantity int) int {
	mirror := 0
	if fc != readInput && address >= MirrorBase {
		fc, mirror = readInput, MirrorBase
	}
	if from := address - mirror; fc == readInput && from <= configCRC && configCRC < from+quantity {
		s.known()
	}
	for i := range quantity {
		var value uint16
		if fc == readInput {
			value = s.view.inputWord(address - mirror + i)
		} else {
			value = s.holdingWord(address + i)
		}
		putWord(answer[2*i:], value)
	}
	return 2 * quantity
}

// known notes that the master has read which config is in force, and so can know
// the numbers of its alarms.
func (s *Slave) known() {
	if s.numbers != s.view.Numbering {
		s.numbers = s.view.Numbering
		s.image.renumber(s.view.Shelved)
	}
}

func (s *Slave) readWords(fc byte, pdu, answer []byte) (int, exception) {
	if len(pdu) != 5 {
		return 0, illegalValue
	}
	address, quantity := word(pdu[1:]), word(pdu[3:])
	if quantity < 1 || quantity > mostWordsRead {
		return 0, illegalValue
	}
	if !readable(fc, address, quantity) {
		return 0, illegalAddress
	}
	bytes := s.putWords(fc, answer[2:], address, quantity)
	answer[1] = byte(bytes)
	return 2 + bytes, 0
}

func (s *Slave) writeCoil(pdu, answer []byte) (int, exception) {
	if len(pdu) != 5 {
		return 0, illegalValue
	}
	address, value := word(pdu[1:]), word(pdu[3:])
	g := &s.staging
	if value != 0 && value != 0xFF00 {
		return 0, g.deny(address, "a coil takes FF00 or 0000", illegalValue)
	}
	if !within(address, 1, Size(Coil)) {
		return 0, g.deny(address, noCoil, illegalAddress)
	}
	g.begin(s, address)
	if ex := g.setCoil(address, value != 0, s.view.AlarmCount); ex != 0 {
		return 0, ex
	}
	if ex := s.commit(g); ex != 0 {
		return 0, ex
	}
	return copy(answer, pdu), 0
}

func (s *Slave) writeCoils(pdu, answer []byte) (int, exception) {
	if len(pdu) < 6 {
		return 0, illegalValue
	}
	address, quantity, bytes := word(pdu[1:]), word(pdu[3:]), int(pdu[5])
	if quantity < 1 || quantity > mostBitsWritten || bytes != (quantity+7)/8 || len(pdu) != 6+bytes {
		return 0, illegalValue
	}
	g := &s.staging
	if !within(address, quantity, Size(Coil)) {
		return 0, g.deny(max(address, Size(Coil)), noCoil, illegalAddress)
	}
	g.begin(s, address)
	for i := range quantity {
		if ex := g.setCoil(address+i, pdu[6+i/8]>>(i%8)&1 != 0, s.view.AlarmCount); ex != 0 {
			return 0, ex
		}
	}
	if ex := s.commit(g); ex != 0 {
		return 0, ex
	}
	return copy(answer, pdu[:5]), 0
}

func (s *Slave) writeRegister(pdu, answer []byte) (int, exception) {
	if len(pdu) != 5 {
		return 0, illegalValue
	}
	if ex := s.writeWords(word(pdu[1:]), pdu[3:5]); ex != 0 {
		return 0, ex
	}
	return copy(answer, pdu), 0
}

func (s *Slave) writeRegisters(pdu, answer []byte) (int, exception) {
	if len(pdu) < 6 {
		return 0, illegalValue
	}
	quantity, bytes := word(pdu[3:]), int(pdu[5])
	if quantity < 1 || quantity > mostWordsWritten || bytes != 2*quantity || len(pdu) != 6+bytes {
		return 0, illegalValue
	}
	if ex := s.writeWords(word(pdu[1:]), pdu[6:]); ex != 0 {
		return 0, ex
	}
	return copy(answer, pdu[:5]), 0
}

// writeWords writes the registers from address on.
func (s *Slave) writeWords(address int, values []byte) exception {
	g := &s.staging
	if !within(address, len(values)/2, holdingWords) {
		return g.deny(max(address, holdingWords), noRegister, illegalAddress) // the mirror is read-only
	}
	g.begin(s, address)
	// An address that cannot be written goes before a value that is wrong.
	var first exception
	var at int
	var why string
	for i := 0; i < len(values); i += 2 {
		ex := s.setHolding(g, address+i/2, uint16(word(values[i:])))
		if ex == illegalAddress {
			return ex
		}
		if first == 0 {
			first, at, why = ex, g.at, g.why
		}
	}
	if first != 0 {
		return g.deny(at, why, first)
	}
	if ex := s.finish(g); ex != 0 {
		return ex
	}
	return s.commit(g)
}

// maskWrite sets a register to (value AND and) OR (or AND NOT and).
func (s *Slave) maskWrite(pdu, answer []byte) (int, exception) {
	if len(pdu) != 7 {
		return 0, illegalValue
	}
	address, and, or := word(pdu[1:]), uint16(word(pdu[3:])), uint16(word(pdu[5:]))
	if !within(address, 1, holdingWords) {
		return 0, s.staging.deny(address, noRegister, illegalAddress)
	}
	var value [2]byte
	putWord(value[:], s.holdingWord(address)&and|or&^and)
	if ex := s.writeWords(address, value[:]); ex != 0 {
		return 0, ex
	}
	return copy(answer, pdu), 0
}

// readWrite writes first and reads then; the answer shows what was written.
func (s *Slave) readWrite(pdu, answer []byte) (int, exception) {
	if len(pdu) < 10 {
		return 0, illegalValue
	}
	from, quantity := word(pdu[1:]), word(pdu[3:])
	to, written, bytes := word(pdu[5:]), word(pdu[7:]), int(pdu[9])
	if quantity < 1 || quantity > mostWordsRead || written < 1 || written > mostWordsWrittenByReadWrite ||
		bytes != 2*written || len(pdu) != 10+bytes {
		return 0, illegalValue
	}
	if !readable(readHolding, from, quantity) {
		return 0, illegalAddress // nothing is written
	}
	if ex := s.writeWords(to, pdu[10:]); ex != 0 {
		return 0, ex
	}
	n := s.putWords(readHolding, answer[2:], from, quantity)
	answer[1] = byte(n)
	return 2 + n, 0
}
