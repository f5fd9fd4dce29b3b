package modbus

import "fmt"

// MapVersion is the version of the register map, in input register 0. It goes
// up when registers are added; a published address never changes its meaning.
const MapVersion = 4

// MirrorBase is the holding register from which the input registers can be
// read as well, for masters that know only function 3.
const MirrorBase = 1000

// Space is one of the four tables of Modbus.
type Space uint8

const (
	Coil     Space = iota // functions 1, 5, 15
	Discrete              // function 2
	Input                 // function 4, and function 3 from MirrorBase
	Holding               // functions 3, 6, 16, 22, 23
)

func (s Space) String() string {
	return [...]string{"coil", "discrete input", "input register", "holding register"}[s]
}

// Type is how the content of a register is to be read.
type Type uint8

const (
	Bool    Type = iota // a coil or discrete input
	Uint16              // 0xFFFF: not available, where NA is set
	Int16               // 0x8000: not available, where NA is set
	Uint32              // two registers, high word first unless configured
	Float32             // two registers, IEEE 754, high word first unless configured
	Bits                // 16 bits, Names tells each
	Enum                // an index into Names; 0xFFFF: not available
	Text                // two ASCII characters a register, high byte first, padded with 0
)

func (t Type) String() string {
	return [...]string{"bool", "uint16", "int16", "uint32", "float32", "bits", "enum", "text"}[t]
}

// Access says who may write.
type Access uint8

const (
	ReadOnly Access = iota
	ReadWrite
	Unlocked // writable where the config unlocks it, see StatusLocked
)

func (a Access) String() string {
	return [...]string{"R", "R/W", "R/W unlocked"}[a]
}

// Codes for "not available".
const (
	NotAvailableInt  = 0x8000 // Int16
	NotAvailableUint = 0xFFFF // Uint16, Enum
)

// Register is one row of the register map.
type Register struct {
	Space   Space
	Address int // 0-based, as on the wire
	Words   int // registers it takes; 1 for a bit
	Name    string
	Type    Type
	Unit    string // "" for none
	Scale   int    // the register holds the value times Scale
	NA      bool   // the value can be "not available"
	Access  Access
	Min     int64 // least and most raw value a master may write
	Max     int64
	Meaning string
	Since   int      // map version
	Names   []string // of the bits, from bit 0, or of the values, from 0; "" is unused

	index int // passed to the functions below: alarm, bit or element
	value func(v *view, index int) uint32
	text  func(v *view, index int) string
}

// End is the address after the register's last word.
func (r *Register) End() int { return r.Address + r.Words }

// table is the register map; it is complete after package initialisation.
var table = func() []Register {
	var t []Register
	t = append(t, coilRegisters()...)
	t = append(t, discreteRegisters()...)
	t = append(t, inputRegisters()...)
	t = append(t, holdingRegisters()...)
	return t
}()

// Table is the whole register map, by space and address.
func Table() []Register { return append([]Register(nil), table...) }

// inputWords is the length of the input registers.
const inputWords = signalNames + signalNameWords*MaxSignals

// discreteBits is the length of the discrete inputs.
var discreteBits = 96 + len(moreFaultNames)

// coilBits is the length of the coils.
const coilBits = coilMark + len(markTruths)

// holdingWords is the length of the holding registers below MirrorBase.
const holdingWords = holdingMarkEnd

// Size is how many addresses of a space can be read, from 0 on, and as many input
// registers from MirrorBase on. Masters round a request up to whole blocks: what
// has no register reads 0.
func Size(s Space) int { return [...]int{Coil: 32, Discrete: 128, Input: 1024, Holding: 128}[s] }

// inputAt finds the register that input register n belongs to, nil where it is
// reserved.
var inputAt = func() (at [inputWords]*Register) {
	for i := range table {
		if r := &table[i]; r.Space == Input {
			for n := r.Address; n < r.End(); n++ {
				if at[n] != nil {
					panic(fmt.Sprintf("modbus: %s and %s share input register %d", at[n].Name, r.Name, n))
				}
				at[n] = r
			}
		}
	}
	return at
}()

var discreteAt = func() []*Register {
	at := make([]*Register, discreteBits)
	for i := range table {
		if r := &table[i]; r.Space == Discrete {
			if at[r.Address] != nil {
				panic(fmt.Sprintf("modbus: %s and %s share discrete input %d", at[r.Address].Name, r.Name, r.Address))
			}
			at[r.Address] = r
		}
	}
	return at
}()
