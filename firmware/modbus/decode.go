package modbus

import (
	"math"
	"strconv"
	"strings"
)

// Value is what the words of a register say.
type Value struct {
	// Number is the value in its unit, the word for Bits, the index for Enum;
	// 0 for Text.
	Number float64
	// Available is false where the unit says that it has no value.
	Available bool
	// Words is the value in words, without its unit: "0.437", "ready, locked",
	// "unacknowledged", "-" for not available.
	Words string
}

// Decode reads the words of a register as they came over the line; there must
// be r.Words of them. A bit is one word of 0 or 1.
func (r *Register) Decode(words []uint16, lowWordFirst bool) Value {
	v := Value{Available: true}
	switch r.Type {
	case Text:
		v.Words = decodeText(words)
		return v
	case Bits:
		v.Number, v.Words = float64(words[0]), r.decodeBits(words[0])
		return v
	case Uint32, Float32:
		high, low := words[0], words[1]
		if lowWordFirst {
			high, low = low, high
		}
		long := uint32(high)<<16 | uint32(low)
		v.Number = float64(long)
		if r.Type == Float32 {
			v.Number = float64(math.Float32frombits(long))
		}
	case Int16:
		v.Number, v.Available = float64(int16(words[0]))/float64(r.Scale), !r.NA || words[0] != NotAvailableInt
	case Bool:
		v.Number = float64(words[0])
	default:
		v.Number, v.Available = float64(words[0])/float64(r.Scale), !r.NA || words[0] != NotAvailableUint
	}
	switch {
	case !v.Available:
		v.Words = "-"
	case r.Type == Enum && int(v.Number) < len(r.Names):
		v.Words = r.Names[int(v.Number)]
	default:
		v.Words = strconv.FormatFloat(v.Number, 'f', -1, 64)
	}
	return v
}

func decodeText(words []uint16) string {
	var b strings.Builder
	for _, w := range words {
		for _, c := range []byte{byte(w >> 8), byte(w)} {
			if c == 0 {
				return b.String()
			}
			b.WriteByte(c)
		}
	}
	return b.String()
}

// decodeBits names the bits that are set; those without a name by number.
func (r *Register) decodeBits(word uint16) string {
	var set []string
	for i := range 16 {
		if word>>i&1 == 0 {
			continue
		}
		if i < len(r.Names) && r.Names[i] != "" {
			set = append(set, r.Names[i])
		} else {
			set = append(set, strconv.Itoa(i))
		}
	}
	if set == nil {
		return "none"
	}
	return strings.Join(set, ", ")
}
