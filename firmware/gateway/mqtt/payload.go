package mqtt

import (
	"errors"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// A Sparkplug B payload is a protocol buffer message with this layout, as far as a node
// of scalars needs it:
//
//	Payload: 1 timestamp uint64, 2 metrics, 3 seq uint64
//	Metric:  1 name, 2 alias uint64, 3 timestamp uint64, 4 datatype uint32,
//	         5 is_historical bool, 7 is_null bool; the value is one of
//	         10 int uint32, 11 long uint64, 12 float, 13 double, 14 boolean, 15 string
//
// Names of fields and numbers are those of the Sparkplug specification, 3.0, 6.4.1.

func appendNumber(b []byte, number protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, number, protowire.VarintType), v)
}

func appendBytes[T string | []byte](b []byte, number protowire.Number, v T) []byte {
	return append(protowire.AppendVarint(protowire.AppendTag(b, number, protowire.BytesType), uint64(len(v))), v...)
}

// datatype is what a value is, by the specification's numbers.
type datatype uint32

const (
	typeInt32   datatype = 3
	typeInt64   datatype = 4
	typeUInt64  datatype = 8
	typeFloat   datatype = 9
	typeBoolean datatype = 11
	typeString  datatype = 12
)

var typeNames = map[datatype]string{typeInt32: "Int32", typeInt64: "Int64", typeUInt64: "UInt64", typeFloat: "Float", typeBoolean: "Boolean", typeString: "String"}

// metric is one value of one moment. The value is an int32, int64, uint64, float32, bool
// or string, as its kind says; nil: it is not known.
type metric struct {
	name  string
	kind  datatype
	value any
	at    int64 // ms since 1970, UTC
}

// sent is how a metric stands in a payload.
type sent struct {
	metric
	alias      uint64 // 0: none
	noName     bool   // the alias stands for it
	noKind     bool
	historical bool
}

const noSeq = -1

// encode writes a payload. seq noSeq: a death, which has none.
func encode(at int64, seq int, list []sent) []byte {
	var b, m []byte
	b = appendNumber(b, 1, uint64(at))
	for i := range list {
		m = list[i].append(m[:0])
		b = appendBytes(b, 2, m)
	}
	if seq != noSeq {
		b = appendNumber(b, 3, uint64(seq))
	}
	return b
}

func (s *sent) append(b []byte) []byte {
	if !s.noName {
		b = appendBytes(b, 1, s.name)
	}
	if s.alias != 0 {
		b = appendNumber(b, 2, s.alias)
	}
	b = appendNumber(b, 3, uint64(s.at))
	if !s.noKind {
		b = appendNumber(b, 4, uint64(s.kind))
	}
	if s.historical {
		b = appendNumber(b, 5, 1)
	}
	switch v := s.value.(type) {
	case nil:
		b = appendNumber(b, 7, 1)
	case int32:
		b = appendNumber(b, 10, uint64(uint32(v)))
	case int64:
		b = appendNumber(b, 11, uint64(v))
	case uint64:
		b = appendNumber(b, 11, v)
	case float32:
		b = protowire.AppendFixed32(protowire.AppendTag(b, 12, protowire.Fixed32Type), math.Float32bits(v))
	case bool:
		n := uint64(0)
		if v {
			n = 1
		}
		b = appendNumber(b, 14, n)
	case string:
		b = appendBytes(b, 15, v)
	}
	return b
}

const (
	maxCommand  = 64 << 10 // bytes of one
	maxCommands = 64       // metrics of one
)

var errPayload = errors.New("not a Sparkplug B payload")

// told is a metric of a command: what a host writes. Value is an int64, uint64, float64,
// bool or string, or nil.
type told struct {
	name  string
	alias uint64
	kind  datatype // 0: not said
	value any
}

// decode reads a command's payload.
func decode(b []byte) (list []told, err error) {
	if len(b) > maxCommand {
		return nil, fmt.Errorf("%w: %d bytes", errPayload, len(b))
	}
	err = fields(b, func(number protowire.Number, is protowire.Type, v uint64, text []byte) error {
		if number != 2 {
			return nil
		}
		if is != protowire.BytesType {
			return errPayload
		}
		if len(list) == maxCommands {
			return fmt.Errorf("%w: more than %d metrics", errPayload, maxCommands)
		}
		m, err := decodeMetric(text)
		list = append(list, m)
		return err
	})
	return list, err
}

// fieldTypes are how the fields of a metric stand in it.
var fieldTypes = map[protowire.Number]protowire.Type{1: protowire.BytesType, 2: protowire.VarintType, 4: protowire.VarintType, 7: protowire.VarintType, 10: protowire.VarintType,
	11: protowire.VarintType, 12: protowire.Fixed32Type, 13: protowire.Fixed64Type, 14: protowire.VarintType, 15: protowire.BytesType}

func decodeMetric(b []byte) (m told, err error) {
	null := false
	err = fields(b, func(number protowire.Number, is protowire.Type, v uint64, text []byte) error {
		if want, known := fieldTypes[number]; known && is != want {
			return errPayload
		}
		switch number {
		case 1:
			m.name = string(text)
		case 2:
			m.alias = v
		case 4:
			m.kind = datatype(v)
		case 7:
			null = v != 0
		case 10:
			m.value = int64(uint32(v))
			if m.kind == typeInt32 || m.kind == 0 {
				m.value = int64(int32(uint32(v)))
			}
		case 11:
			m.value = v
			if m.kind == typeInt64 {
				m.value = int64(v)
			}
		case 12:
			m.value = float64(math.Float32frombits(uint32(v)))
		case 13:
			m.value = math.Float64frombits(v)
		case 14:
			m.value = v != 0
		case 15:
			m.value = string(text)
		case 16, 17, 18, 19:
			m.value = struct{}{} // bytes, data sets and templates are nothing that a command takes
		}
		return nil
	})
	if null {
		m.value = nil
	}
	return m, err
}

// fields calls each for each field of a message: with its number, or its bytes.
func fields(b []byte, each func(number protowire.Number, is protowire.Type, v uint64, text []byte) error) error {
	for len(b) > 0 {
		number, is, n := protowire.ConsumeTag(b)
		if n < 0 {
			return errPayload
		}
		b = b[n:]
		var v uint64
		var text []byte
		switch is {
		case protowire.VarintType:
			v, n = protowire.ConsumeVarint(b)
		case protowire.Fixed32Type:
			var short uint32
			short, n = protowire.ConsumeFixed32(b)
			v = uint64(short)
		case protowire.Fixed64Type:
			v, n = protowire.ConsumeFixed64(b)
		case protowire.BytesType:
			text, n = protowire.ConsumeBytes(b)
		default: // groups, which Sparkplug has none of
			return errPayload
		}
		if n < 0 {
			return errPayload
		}
		b = b[n:]
		if err := each(number, is, v, text); err != nil {
			return err
		}
	}
	return nil
}
