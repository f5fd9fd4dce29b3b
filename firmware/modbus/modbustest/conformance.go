package modbustest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"mien/drivers/serial"
	"mien/firmware/modbus"
)

// AnswerTime is how long Ask waits for an answer, and Quiet how long for the
// lack of one.
const (
	AnswerTime = 2 * time.Second
	Quiet      = 80 * time.Millisecond
)

// Frame is the ADU of a PDU: address before it, CRC behind it.
func Frame(address byte, pdu []byte) []byte {
	adu := append([]byte{address}, pdu...)
	crc := modbus.CRC(adu)
	return append(adu, byte(crc), byte(crc>>8))
}

// Ask sends a PDU to the slave at address on line and returns the PDU of the
// answer, nil if there is none within wait.
func Ask(line serial.Line, address byte, pdu []byte, wait time.Duration) ([]byte, error) {
	if err := line.Discard(); err != nil {
		return nil, err
	}
	if _, err := line.Write(Frame(address, pdu), time.Second); err != nil {
		return nil, fmt.Errorf("send request: %w", err)
	}
	var answer []byte
	buf := make([]byte, 300)
	for {
		n, err := line.Read(buf, wait)
		if errors.Is(err, serial.ErrTimeout) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read answer: %w", err)
		}
		answer = append(answer, buf[:n]...)
		// Whole as soon as the CRC is right; more would show up before the
		// next request.
		if len(answer) >= 5 && modbus.CRC(answer) == 0 {
			break
		}
		wait = Quiet
	}
	switch {
	case len(answer) == 0:
		return nil, nil
	case len(answer) < 5 || modbus.CRC(answer) != 0:
		return nil, fmt.Errorf("answer with a wrong CRC: % X", answer)
	case answer[0] != address:
		return nil, fmt.Errorf("answer from slave %d: % X", answer[0], answer)
	}
	return answer[1 : len(answer)-2], nil
}

// Conformance tries every Case on the unit at the other end of line, and
// counts them.
func Conformance(t *testing.T, line serial.Line, f Facts) {
	cases := Cases(f)
	for i := range cases {
		c := &cases[i]
		t.Run(c.Name, func(t *testing.T) {
			address := f.Address + byte(c.Address)
			if c.Broadcast {
				address = 0
			}
			wait := AnswerTime
			if c.Want.Silence {
				wait = Quiet
			}
			answer, err := Ask(line, address, c.Request, wait)
			if err != nil {
				t.Fatalf("%s: %v", c.Name, err)
			}
			if err := c.Check(answer); err != nil {
				t.Error(err)
			}
		})
	}
}
