package modbus

import "fmt"

// isRestart says whether a request is function 8, sub-function 1, the only one
// that a slave in listen-only mode obeys.
func isRestart(pdu []byte) bool {
	return len(pdu) == 5 && pdu[0] == diagnostics && word(pdu[1:]) == 1 && (word(pdu[3:]) == 0 || word(pdu[3:]) == 0xFF00)
}

// diagnose is function 8 (V1.1b3, 6.8).
func (s *Slave) diagnose(pdu, answer []byte) (int, exception) {
	if len(pdu) < 3 {
		return 0, illegalValue
	}
	c := &s.stats
	var value uint32
	sub := word(pdu[1:])
	switch sub {
	case 0: // return query data
		if len(pdu) < 5 || len(pdu)%2 == 0 {
			return 0, illegalValue
		}
		return copy(answer, pdu), 0
	case 1: // restart communications
		if !isRestart(pdu) {
			return 0, illegalValue
		}
		c.clear()
		if s.listenOnly {
			s.listenOnly = false
			return 0, 0
		}
		return copy(answer, pdu), 0
	case 4:
		if s.network {
			return 0, illegalFunction
		}
	case 2, 10, 20:
	case 11:
		value = c.BusMessages.Load()
	case 12:
		value = c.CommErrors.Load()
	case 13:
		value = c.Exceptions.Load()
	case 14:
		value = c.Messages.Load()
	case 15:
		value = c.NoResponses.Load()
	case 16:
		value = c.NAKs.Load()
	case 17:
		value = c.Busy.Load()
	case 18:
		value = c.Overruns.Load()
	default:
		return 0, illegalFunction
	}
	if len(pdu) != 5 || word(pdu[3:]) != 0 {
		return 0, illegalValue
	}
	switch sub {
	case 2: // diagnostic register: the fault word
		value = uint32(s.view.Faults)
	case 4: // force listen only mode
		s.listenOnly = true
		return 0, 0
	case 10:
		c.clear()
	case 20:
		c.Overruns.Store(0)
	}
	copy(answer, pdu[:3])
	putWord(answer[3:], uint16(value))
	return 5, 0
}

// objects checks the identity and returns the objects 0 to 6.
func (i *Identity) objects() ([][]byte, error) {
	var all [][]byte
	total := 0
	for n, s := range []string{i.Vendor, i.Product, i.Revision, i.VendorURL, i.ProductName, i.Model, i.Station} {
		for _, c := range []byte(s) {
			if c < 0x20 || c > 0x7E {
				return nil, fmt.Errorf("modbus: identification object %d %q is not ASCII", n, s)
			}
		}
		total += len(s)
		all = append(all, []byte(s))
	}
	if total > 200 {
		return nil, fmt.Errorf("modbus: the identification has %d characters, at most 200 fit", total)
	}
	return all, nil
}

// Read device id codes of function 43/14 (V1.1b3, 6.21).
const (
	identBasic = 1 + iota
	identRegular
	identExtended
	identOne

	// identConformity: basic and regular objects, as a stream and one by one.
	identConformity = 0x82
)

// identify is function 43/14. There are no extended objects, so that the
// extended stream is the regular one. All objects fit into one answer.
func (s *Slave) identify(pdu, answer []byte) (int, exception) {
	if len(pdu) < 2 {
		return 0, illegalValue
	}
	if pdu[1] != meiIdent {
		return 0, illegalFunction
	}
	if len(pdu) != 4 {
		return 0, illegalValue
	}
	code, first := pdu[2], int(pdu[3])
	last := len(s.identity) - 1
	switch code {
	case identBasic:
		last = 2
	case identRegular, identExtended:
	case identOne:
		if first > last {
			return 0, illegalAddress
		}
		last = first
	default:
		return 0, illegalValue
	}
	if first > last {
		first = 0 // an unknown object of a stream starts it from the beginning
	}
	answer[1], answer[2], answer[3], answer[4], answer[5] = meiIdent, code, identConformity, 0, 0
	answer[6] = byte(last - first + 1)
	n := 7
	for i := first; i <= last; i++ {
		answer[n], answer[n+1] = byte(i), byte(len(s.identity[i]))
		n += 2 + copy(answer[n+2:], s.identity[i])
	}
	return n, 0
}
