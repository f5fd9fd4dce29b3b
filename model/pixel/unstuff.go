package pixel

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// unstuff gives a copy of a tidy baseline JPEG without what stands between the end
// of an interval's data and the next marker: some cameras put zeros there. Which zero
// is still of the picture only its codes tell, so that they are read here, though
// nothing is made of them. It says nothing about whether picture is lost: what is
// missing or wrong goes into the copy as it is, for the decoder to find.
func (d *Decoder) unstuff(jpeg []byte) ([]byte, error) {
	w := &d.walk
	data, err := w.header(jpeg)
	if err != nil {
		return nil, err
	}
	d.plain = append(d.plain[:0], jpeg[:data]...)
	for left := w.mcus; left > 0; left -= w.interval {
		w.bits = bits{data: jpeg, at: data}
		for range min(left, w.interval) {
			if err := w.mcu(); err != nil {
				return nil, err
			}
		}
		end := w.bits.end()
		d.plain = append(d.plain, jpeg[data:end]...)
		end += endOfData(jpeg[end:])
		for end < len(jpeg) && jpeg[end] == 0xff {
			end++
		}
		if end >= len(jpeg) {
			return nil, errWalk
		}
		data = end + 1
		d.plain = append(d.plain, 0xff, jpeg[end])
	}
	d.plain = append(d.plain, jpeg[data:]...)
	return d.plain, nil
}

// errWalk: the codes cannot be followed to their end, or need not be: no baseline
// JPEG of one scan.
var errWalk = errors.New("not followed")

// walk follows the codes of one baseline scan (ITU-T T.81, annex F).
type walk struct {
	bits     bits
	tables   [2][4]prefix // DC and AC
	mcus     int          // of the picture
	interval int          // MCUs from one restart marker to the next
	parts    [4]struct {
		id, h, v byte
		blocks   int // in an MCU
		dc, ac   *prefix
	}
	n int // parts of the scan
}

// prefix is one Huffman table: for each of the 8 first bits the code's length and
// value, and what is needed to find the longer ones (T.81 F.2.2.3).
type prefix struct {
	known  bool
	short  [256]uint16
	most   [17]int32 // the greatest code of a length, -1 for none
	offset [17]int32 // of its value
	values [256]byte
}

// header reads what the walk needs, and gives where the data begin.
func (w *walk) header(jpeg []byte) (data int, err error) {
	w.interval, w.mcus, w.n = 0, 0, 0
	for c := range w.tables {
		for i := range w.tables[c] {
			w.tables[c][i].known = false
		}
	}
	var width, height, across, down int
	for at := 2; at+4 <= len(jpeg); {
		mark, end := jpeg[at+1], at+2+int(binary.BigEndian.Uint16(jpeg[at+2:]))
		if jpeg[at] != 0xff || end > len(jpeg) || end < at+4 {
			return 0, errWalk
		}
		body := jpeg[at+4 : end]
		switch {
		case mark == markDHT:
			if !w.table(body) {
				return 0, errWalk
			}
		case mark == markDRI && len(body) == 2:
			w.interval = int(binary.BigEndian.Uint16(body))
		case mark == markSOF0 || mark == markSOF1:
			if len(body) < 6 || body[5] < 1 || body[5] > 4 || len(body) < 6+3*int(body[5]) {
				return 0, errWalk
			}
			height, width, w.n = int(binary.BigEndian.Uint16(body[1:])), int(binary.BigEndian.Uint16(body[3:])), int(body[5])
			for i := range w.n {
				p := &w.parts[i]
				p.id, p.h, p.v = body[6+3*i], body[7+3*i]>>4, body[7+3*i]&15
				if p.h < 1 || p.h > 4 || p.v < 1 || p.v > 4 {
					return 0, errWalk
				}
				across, down = max(across, int(p.h)), max(down, int(p.v))
			}
		case mark > markSOF1 && mark <= markSOF15 && mark != markDAC:
			return 0, errWalk // progressive, lossless, arithmetic
		case mark == markSOS:
			if w.n == 0 || len(body) < 1 || int(body[0]) != w.n || len(body) < 1+2*w.n {
				return 0, errWalk // its parts come in scans of their own
			}
			for i := range w.n {
				p, s := &w.parts[i], body[1+2*i:]
				if p.id != s[0] || s[1]>>4 > 3 || s[1]&15 > 3 {
					return 0, errWalk
				}
				p.dc, p.ac = &w.tables[0][s[1]>>4], &w.tables[1][s[1]&15]
				if p.blocks = int(p.h) * int(p.v); !p.dc.known || !p.ac.known {
					return 0, errWalk
				}
			}
			if w.n == 1 { // T.81 A.2.2: then an MCU is one block, whatever the factors
				w.parts[0].blocks, across, down = 1, 1, 1
			}
			w.mcus = (width + 8*across - 1) / (8 * across) * ((height + 8*down - 1) / (8 * down))
			if w.interval == 0 {
				w.interval = w.mcus
			}
			if w.mcus == 0 {
				return 0, errWalk
			}
			return end, nil
		}
		at = end
	}
	return 0, errWalk
}

// table reads a DHT segment (T.81 B.2.4.2, C).
func (w *walk) table(body []byte) bool {
	for len(body) > 0 {
		if len(body) < 17 || body[0]>>4 > 1 || body[0]&15 > 3 {
			return false
		}
		p := &w.tables[body[0]>>4][body[0]&15]
		counts, values := body[1:17], body[17:]
		*p = prefix{known: true}
		code, n := int32(0), int32(0)
		for i, count := range counts {
			size := i + 1
			p.most[size], p.offset[size] = -1, n-code
			if int(n)+int(count) > min(len(values), len(p.values)) || code+int32(count) > 1<<size {
				return false
			}
			for range count {
				if p.values[n] = values[n]; size <= 8 {
					for k := range 1 << (8 - size) {
						p.short[int(code)<<(8-size)|k] = uint16(size)<<8 | uint16(values[n])
					}
				}
				p.most[size] = code
				code++
				n++
			}
			code <<= 1
		}
		body = values[n:]
	}
	return true
}

// mcu passes over one MCU (T.81 F.2.2).
func (w *walk) mcu() error {
	for i := range w.n {
		p := &w.parts[i]
		for range p.blocks {
			size, ok := w.bits.code(p.dc)
			if !ok || size > 15 || !w.bits.skip(int(size)) {
				return errWalk
			}
			for k := 1; k < 64; k++ {
				v, ok := w.bits.code(p.ac)
				if !ok || !w.bits.skip(int(v&15)) {
					return errWalk
				}
				if v&15 == 0 && v != 0xf0 {
					break // end of block
				}
				k += int(v >> 4)
			}
		}
	}
	return nil
}

// bits reads entropy-coded data.
type bits struct {
	data []byte
	at   int    // the next byte
	have int    // bits in last,
	last uint64 // its lowest
}

// fill takes bytes up to a marker, until there are 16 bits more; want tells whether
// so many are there.
func (b *bits) fill(want int) bool {
	for b.have <= 32 && b.at < len(b.data) {
		v := b.data[b.at]
		if v == 0xff {
			if b.at+1 >= len(b.data) || b.data[b.at+1] != 0 {
				break
			}
			b.at++
		}
		b.at++
		b.last, b.have = b.last<<8|uint64(v), b.have+8
	}
	return b.have >= want
}

func (b *bits) skip(n int) bool {
	if b.have < n && !b.fill(n) {
		return false
	}
	b.have -= n
	return true
}

// code reads one Huffman code.
func (b *bits) code(p *prefix) (value byte, ok bool) {
	if b.have < 16 {
		b.fill(16)
	}
	ahead := int32(b.last>>max(b.have-16, 0)<<max(16-b.have, 0)) & 0xffff // the next 16 bits
	if s := p.short[ahead>>8]; s != 0 {
		b.have -= int(s >> 8)
		return byte(s), b.have >= 0
	}
	for size := 9; size <= 16; size++ {
		if code := ahead >> (16 - size); code <= p.most[size] {
			b.have -= size
			return p.values[(code+p.offset[size])&255], b.have >= 0
		}
	}
	return 0, false
}

// end is behind the last byte of which a bit was read.
func (b *bits) end() int {
	at := b.at
	for range b.have / 8 {
		if at--; at > 0 && b.data[at] == 0 && b.data[at-1] == 0xff {
			at--
		}
	}
	return at
}

// endOfData is where the next marker begins; a byte FF of the data is followed by 00
// (T.81 B.1.1.5).
func endOfData(data []byte) int {
	for at := 0; ; at += 2 {
		i := bytes.IndexByte(data[at:], 0xff)
		if i < 0 || at+i+1 >= len(data) {
			return len(data)
		}
		if at += i; data[at+1] != 0 {
			return at
		}
	}
}
