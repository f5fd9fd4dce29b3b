package pixel

import (
	"encoding/binary"

	"mien/model/tflite"
)

// emit turns the sampled components of row y, from x0 to before x1, into tensor
// elements, and fills the rest of the row with the value outside.
func (s *Sampler) emit(j *job, y, x0, x1 int) {
	out := j.out[y*j.nextY:]
	s.emitOutside(j, out, 0, x0)
	s.emitOutside(j, out, x1, j.width)
	a, b, c := s.rows[0][:x1], s.rows[1][:x1], s.rows[2][:x1]
	next := j.nextX
	switch {
	case s.target.Channels == 1 && j.n == 1:
		table := &s.tables[0]
		if s.target.Type == tflite.Float32 {
			for x := x0; x < x1; x++ {
				binary.LittleEndian.PutUint32(out[x*next:], table[quarters(a[x])])
			}
			return
		}
		for x := x0; x < x1; x++ {
			out[x*next] = uint8(table[quarters(a[x])])
		}
	case s.target.Channels == 1:
		for x := x0; x < x1; x++ {
			s.put(out[x*next:], grey(a[x], b[x], c[x]))
		}
	case j.n == 1:
		tables := &s.tables
		if j.img.colour() && !j.img.FullRange {
			tables = &s.limited
		}
		if x0 < x1 {
			s.emitGrey(out[x0*next:], next, tables, a[x0:])
		}
	case j.img.Format == RGB24:
		for x := x0; x < x1; x++ {
			s.put3(out[x*next:], quarters(a[x]), quarters(b[x]), quarters(c[x]))
		}
	default:
		k := &limited
		if j.img.FullRange {
			k = &full
		}
		if s.target.Type == tflite.Float32 && x0 < x1 {
			s.emitFloats(out[x0*next:], next, k, a[x0:], b[x0:], c[x0:])
			return
		}
		for x := x0; x < x1; x++ {
			red, green, blue := k.rgb(a[x], b[x], c[x])
			s.put3(out[x*next:], red, green, blue)
		}
	}
}

// emitGrey makes three channels of one.
func (s *Sampler) emitGrey(out []byte, next int, tables *[3]table, a []uint16) {
	red, green, blue := &tables[0], &tables[1], &tables[2]
	if s.target.Type == tflite.Float32 {
		for i, v := range a {
			v = quarters(v) & 1023
			o := out[i*next:][:12]
			binary.LittleEndian.PutUint64(o, uint64(red[v])|uint64(green[v])<<32)
			binary.LittleEndian.PutUint32(o[8:], blue[v])
		}
		return
	}
	for i, v := range a {
		v = quarters(v) & 1023
		o := out[i*next:][:3]
		o[0], o[1], o[2] = uint8(red[v]), uint8(green[v]), uint8(blue[v])
	}
}

// emitFloats is the case of a face detector that sees colour.
func (s *Sampler) emitFloats(out []byte, next int, k *matrix, a, b, c []uint16) {
	red, green, blue := &s.tables[0], &s.tables[1], &s.tables[2]
	b, c = b[:len(a)], c[:len(a)]
	for i := range a {
		x, y, z := k.rgb(a[i], b[i], c[i])
		o := out[i*next:][:12]
		binary.LittleEndian.PutUint32(o, red[x&1023])
		binary.LittleEndian.PutUint32(o[4:], green[y&1023])
		binary.LittleEndian.PutUint32(o[8:], blue[z&1023])
	}
}

// emitOutside fills a part of a row with the value outside.
func (s *Sampler) emitOutside(j *job, out []byte, x0, x1 int) {
	if x0 >= x1 {
		return
	}
	size := s.target.Channels * s.target.Type.Size()
	if len(s.outside) == 0 {
		s.outside = make([]byte, size*len(s.rows[0]))
		v := uint16(s.target.Outside) * 4
		for at := 0; at < len(s.outside); at += size {
			if s.target.Channels == 1 {
				s.put(s.outside[at:], v)
			} else {
				s.put3(s.outside[at:], v, v, v)
			}
		}
	}
	if j.nextX == size {
		copy(out[x0*size:x1*size], s.outside)
		return
	}
	for x := x0; x < x1; x++ {
		copy(out[x*j.nextX:], s.outside[:size])
	}
}

func (s *Sampler) put(out []byte, v uint16) {
	e := s.tables[0][v&1023]
	if s.target.Type == tflite.Float32 {
		binary.LittleEndian.PutUint32(out, e)
		return
	}
	out[0] = uint8(e)
}

func (s *Sampler) put3(out []byte, red, green, blue uint16) {
	r, g, b := s.tables[0][red&1023], s.tables[1][green&1023], s.tables[2][blue&1023]
	if s.target.Type == tflite.Float32 {
		out = out[:12]
		binary.LittleEndian.PutUint32(out, r)
		binary.LittleEndian.PutUint32(out[4:], g)
		binary.LittleEndian.PutUint32(out[8:], b)
		return
	}
	out = out[:3]
	out[0], out[1], out[2] = uint8(r), uint8(g), uint8(b)
}

// quarters rounds 1/256 steps to 1/4 steps, 0 to 1020.
func quarters(v uint16) uint16 { return uint16((uint32(v) + 32) >> 6) }

// grey is the luma of ITU-R BT.601, of components in 1/256, in 1/4.
func grey(r, g, b uint16) uint16 {
	return uint16((19595*uint32(r) + 38470*uint32(g) + 7471*uint32(b) + 1<<21) >> 22)
}

// matrix is a YUV to RGB conversion of ITU-R BT.601 in 1/4096.
type matrix struct {
	black             int32 // the luma of black
	y, vr, ug, vg, ub int32
}

var (
	full    = matrix{0, 4096, 5743, 1410, 2925, 7258}
	limited = matrix{16, 4769, 6537, 1605, 3330, 8263}
)

// rgb converts components in 1/256 to components in 1/4.
func (k *matrix) rgb(y, u, v uint16) (r, g, b uint16) {
	const half = 1 << 17
	c := (int32(y)-k.black<<8)*k.y + half
	d, e := int32(u)-128<<8, int32(v)-128<<8
	return hold10(c + k.vr*e), hold10(c - k.ug*d - k.vg*e), hold10(c + k.ub*d)
}

func hold10(v int32) uint16 { return uint16(min(max(v>>18, 0), 4*255)) }
