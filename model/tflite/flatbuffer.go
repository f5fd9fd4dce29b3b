package tflite

import (
	"encoding/binary"
	"fmt"
	"math"
)

// flatbuffer reads the FlatBuffers encoding (flatbuffers.dev, "FlatBuffers
// internals") and trusts none of it: each offset is checked before it is
// followed. The first fault is kept in err; from then on everything reads as
// absent, so that a caller may look at err when it suits.
type flatbuffer struct {
	data  []byte
	err   error
	trace func(pos, n int) // if set, told of every place read; for the tests
}

// fail keeps the first fault.
func (f *flatbuffer) fail(format string, args ...any) {
	if f.err == nil {
		f.err = fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), ErrDamaged)
	}
}

// has reports whether there are n bytes at pos, and fails if not.
func (f *flatbuffer) has(pos, n int) bool {
	if f.err != nil {
		return false
	}
	if pos < 0 || n < 0 || pos > len(f.data)-n {
		f.fail("byte %d is past the end: cut short, or overwritten", pos)
		return false
	}
	if f.trace != nil && n > 0 {
		f.trace(pos, n)
	}
	return true
}

func (f *flatbuffer) u16(pos int) int {
	if !f.has(pos, 2) {
		return 0
	}
	return int(binary.LittleEndian.Uint16(f.data[pos:]))
}

func (f *flatbuffer) i32(pos int) int {
	if !f.has(pos, 4) {
		return 0
	}
	return int(int32(binary.LittleEndian.Uint32(f.data[pos:])))
}

// offset reads an offset to follow: unsigned, never zero, and within the file.
func (f *flatbuffer) offset(pos int) int {
	if pos%4 != 0 {
		f.fail("offset at byte %d is not aligned", pos)
		return 0
	}
	if !f.has(pos, 4) {
		return 0
	}
	off := binary.LittleEndian.Uint32(f.data[pos:])
	if off == 0 || uint64(pos)+uint64(off) > uint64(len(f.data)) {
		f.fail("offset %d at byte %d leads out of the file: cut short, or overwritten", off, pos)
		return 0
	}
	return pos + int(off)
}

// table is one table, or none: pos 0, where no table can be.
type table struct {
	f             *flatbuffer
	pos           int
	vtable, slots int // of 2 bytes
	size          int
}

func (f *flatbuffer) table(pos int) table {
	if pos%4 != 0 {
		f.fail("table at byte %d is not aligned", pos)
	}
	if !f.has(pos, 4) {
		return table{f: f}
	}
	vtable := int64(pos) - int64(f.i32(pos))
	if vtable < 0 || vtable > int64(len(f.data)) || vtable%2 != 0 {
		f.fail("table at byte %d has no description", pos)
		return table{f: f}
	}
	t := table{f: f, pos: pos, vtable: int(vtable)}
	length := f.u16(t.vtable)
	t.size = f.u16(t.vtable + 2)
	if f.err == nil && (length < 4 || length%2 != 0 || t.size < 4) {
		f.fail("table at byte %d has a bad description", pos)
	}
	if !f.has(t.vtable, length) || !f.has(pos, t.size) {
		return table{f: f}
	}
	t.slots = length/2 - 2
	return t
}

// field gives the position of a field of n bytes, 0 if it is absent.
func (t table) field(slot, n int) int {
	if t.pos == 0 || slot >= t.slots || t.f.err != nil {
		return 0
	}
	off := t.f.u16(t.vtable + 4 + 2*slot)
	if off == 0 {
		return 0
	}
	pos := t.pos + off
	if off < 4 || off+n > t.size || pos%n != 0 {
		t.f.fail("field %d of the table at byte %d is outside of it", slot, t.pos)
		return 0
	}
	return pos
}

func (t table) u8(slot, absent int) int {
	if pos := t.field(slot, 1); pos != 0 && t.f.has(pos, 1) {
		return int(t.f.data[pos])
	}
	return absent
}

func (t table) i8(slot, absent int) int {
	return int(int8(t.u8(slot, absent)))
}

func (t table) i32(slot, absent int) int {
	if pos := t.field(slot, 4); pos != 0 {
		return t.f.i32(pos)
	}
	return absent
}

// u32 is for counts and indices: what does not fit an int32 is no such thing
// in a file that fits in memory, and reads as the largest.
func (t table) u32(slot, absent int) int {
	if n := t.i32(slot, absent); n >= 0 {
		return n
	}
	return math.MaxInt32
}

func (t table) u64(slot int) uint64 {
	if pos := t.field(slot, 8); pos != 0 && t.f.has(pos, 8) {
		return binary.LittleEndian.Uint64(t.f.data[pos:])
	}
	return 0
}

func (t table) table(slot int) table {
	pos := t.field(slot, 4)
	if pos == 0 {
		return table{f: t.f}
	}
	return t.f.table(t.f.offset(pos))
}

// vector is a vector of n elements, or none: pos 0.
type vector struct {
	f   *flatbuffer
	pos int // of the first element
	n   int
}

// vector gives a field's vector of elements of the given size, aligned to it.
func (t table) vector(slot, size int) vector {
	pos := t.field(slot, 4)
	if pos == 0 {
		return vector{f: t.f}
	}
	pos = t.f.offset(pos)
	n := t.f.i32(pos)
	if t.f.err != nil {
		return vector{f: t.f}
	}
	pos += 4
	if pos%size != 0 {
		t.f.fail("list at byte %d is not aligned to %d", pos, size)
	}
	if n < 0 || n > len(t.f.data)/size || !t.f.has(pos, n*size) {
		t.f.fail("list at byte %d of %d elements runs out of the file: cut short, or overwritten", pos, uint32(n))
		return vector{f: t.f}
	}
	return vector{f: t.f, pos: pos, n: n}
}

// tables gives a field's vector of tables.
func (t table) tables(slot int) []table {
	v := t.vector(slot, 4)
	list := make([]table, 0, v.n)
	for i := range v.n {
		list = append(list, t.f.table(t.f.offset(v.pos+4*i)))
		if t.f.err != nil {
			return nil
		}
	}
	return list
}

// ints gives a field's vector of int32.
func (t table) ints(slot int) []int {
	v := t.vector(slot, 4)
	list := make([]int, v.n)
	for i := range list {
		list[i] = t.f.i32(v.pos + 4*i)
	}
	return list
}

func (t table) longs(slot int) []int64 {
	v := t.vector(slot, 8)
	list := make([]int64, v.n)
	for i := range list {
		list[i] = int64(binary.LittleEndian.Uint64(t.f.data[v.pos+8*i:]))
	}
	return list
}

func (t table) floats(slot int) []float32 {
	v := t.vector(slot, 4)
	list := make([]float32, v.n)
	for i := range list {
		list[i] = math.Float32frombits(binary.LittleEndian.Uint32(t.f.data[v.pos+4*i:]))
	}
	return list
}

// bytes gives a field's vector of bytes, a view on the file.
func (t table) bytes(slot int) []byte {
	v := t.vector(slot, 1)
	return t.f.data[v.pos : v.pos+v.n]
}

// text gives a field's string; C reads on to the zero byte behind it.
func (t table) text(slot int) string {
	v := t.vector(slot, 1)
	if v.pos == 0 {
		return ""
	}
	if !t.f.has(v.pos+v.n, 1) || t.f.data[v.pos+v.n] != 0 {
		t.f.fail("text at byte %d has no end", v.pos)
		return ""
	}
	return string(t.f.data[v.pos : v.pos+v.n])
}
