package modbus

import "encoding/binary"

// SLMP, the protocol of MELSEC PLCs and what is on their networks, as a server of 3E
// frames in binary code over TCP ("SLMP Reference Manual", SH-080956ENG; the same as the
// 3E frames of the "MELSEC Communication Protocol Reference Manual", SH-080008). Words of
// data registers are read and written: D0 on are the holding registers, D1000 on the input
// registers, which the holding registers have there too. All numbers are low byte first.
const (
	slmpHead = 9 // subheader, network, PC, module I/O, module station, length of what follows

	slmpRequest, slmpAnswer = 0x0050, 0x00D0
	slmpRead, slmpWrite     = 0x0401, 0x1401
	ownNetwork, ownPC       = 0, 0xFF // the station that is connected to
	dataRegister            = 0xA8

	timerBytes   = 2 // the monitoring timer, which stands before the command: our answers do not wait
	commandBytes = 4 // command and subcommand
	rangeBytes   = 6 // first device, device code, points
	routeBytes   = 5 // network to module station
	maxSLMP      = timerBytes + commandBytes + rangeBytes + 2*960
)

// End codes of an SLMP answer, by the manuals' names for their meaning.
const (
	tooManyPoints    = 0xC052
	beyondTheLast    = 0xC056
	noSuchCommand    = 0xC059
	noSuchDevice     = 0xC05B
	wrongContents    = 0xC05C
	cannotBeExecuted = 0xC05F
	wrongLength      = 0xC061
)

// NewSLMPServer prepares a server for SLMP: the same registers and the same rules. Values
// of 32 bits are low word first, as MELSEC has them.
func NewSLMPServer(o ServerConfig) (*Server, error) {
	o.Slave.LowWordFirst = true
	return newServer(o, "slmp", slmp{})
}

type slmp struct{}

func (slmp) head() int { return slmpHead }

func (slmp) rest(head []byte) int {
	length := low(head[7:])
	if low(head) != slmpRequest || length < timerBytes+commandBytes || length > maxSLMP {
		return -1
	}
	return length
}

func (slmp) answer(s *Server, m *master, request, out []byte) int {
	binary.LittleEndian.PutUint16(out, slmpAnswer)
	copy(out[2:], request[2:2+routeBytes])
	data := out[slmpHead+2:]
	n, code := s.slmp(m, request, data)
	if code != 0 { // then who answers and which command it was
		n = copy(data, request[2:2+routeBytes])
		n += copy(data[n:], request[slmpHead+timerBytes:][:commandBytes])
	}
	binary.LittleEndian.PutUint16(out[7:], uint16(2+n))
	binary.LittleEndian.PutUint16(out[slmpHead:], code)
	return slmpHead + 2 + n
}

// slmp does what a request asks for, as Modbus functions 3 and 16 do it. It puts the words
// that were read into data, and gives their bytes and the end code.
func (s *Server) slmp(m *master, request, data []byte) (n int, code uint16) {
	body := request[slmpHead+timerBytes:]
	command, subcommand := low(body), low(body[2:])
	body = body[commandBytes:]
	switch {
	case request[2] != ownNetwork || request[3] != ownPC:
		return 0, cannotBeExecuted
	case command != slmpRead && command != slmpWrite || subcommand > 1:
		return 0, noSuchCommand
	case subcommand == 1: // in bits
		return 0, wrongContents
	case len(body) < rangeBytes:
		return 0, wrongLength
	case body[3] != dataRegister:
		return 0, noSuchDevice
	}
	first, points, words := low(body)|int(body[2])<<16, low(body[4:]), body[rangeBytes:]
	most, bytes := mostWordsRead, 0
	if command == slmpWrite {
		most, bytes = mostWordsWritten, 2*points
	}
	switch {
	case points < 1 || points > most:
		return 0, tooManyPoints
	case len(words) != bytes:
		return 0, wrongLength
	case first > 0xFFFF:
		return 0, beyondTheLast
	}
	pdu := make([]byte, 5, 6+bytes)
	pdu[0] = readHolding
	putWord(pdu[1:], uint16(first))
	putWord(pdu[3:], uint16(points))
	if command == slmpWrite {
		pdu[0] = writeRegisters
		pdu = append(pdu, byte(bytes))
		for i := range points {
			pdu = append(pdu, words[2*i+1], words[2*i])
		}
	}
	var answer [maxPDU]byte
	n = s.answer(m, pdu, answer[:])
	switch {
	case answer[0]&0x80 != 0:
		return 0, endCode(exception(answer[1]))
	case command == slmpWrite:
		return 0, 0
	}
	for i := range points {
		binary.LittleEndian.PutUint16(data[2*i:], uint16(word(answer[2+2*i:])))
	}
	return 2 * points, 0
}

// endCode tells an exception as SLMP does.
func endCode(ex exception) uint16 {
	switch ex {
	case illegalFunction:
		return noSuchCommand
	case illegalAddress:
		return beyondTheLast
	case illegalValue:
		return wrongContents
	}
	return cannotBeExecuted // now: the unit is away, busy, or its disk has not answered
}

func low(p []byte) int { return int(binary.LittleEndian.Uint16(p)) }
