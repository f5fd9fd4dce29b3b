package pixel

import (
	"encoding/binary"
	"math"
)

// grid fills tensors by maps that do not turn: their boxes share rows and
// columns, so the rows of the picture are added first, all columns at once, and
// then the columns. Its tables stay as long as the map and the picture's size
// do, which they do for a detector.
type grid struct {
	m      Affine
	format Format
	w, h   int // of the picture
	width  int // columns and rows of the tensor that are gone through
	height int

	cols, rows [2][]span // of the luma, of the chroma
	wide, high [2]int    // the boxes in 1/256 samples
	shift      [2]uint   // summed rows are in 1/2^shift samples
	scale      [2]uint64 // from summed samples to their mean

	even, odd []byte // 16-bit sums of the bytes of the rows
	from      int    // the first of those bytes
}

// span is what one box covers along one axis: samples lo to hi-1 whole, and
// shares, in 1/256, of two more.
type span struct {
	lo, hi                int32
	first, last           int32
	firstShare, lastShare uint32
}

// fits tells whether the picture's rows can be added in 16 bits, and prepares
// the tables.
func (g *grid) fits(j *job) bool {
	img := j.img
	if math.Abs(float64(j.m[4])) > 250 || math.Abs(float64(j.m[0])) > 4000 {
		return false
	}
	if g.m == j.m && g.format == img.Format && g.w == img.Width && g.h == img.Height && g.width == j.width && g.height == j.height {
		return true
	}
	g.m, g.format, g.w, g.h, g.width, g.height = j.m, img.Format, img.Width, img.Height, j.width, j.height
	for c := range min(j.n, 2) {
		p := &j.planes[c]
		i := p.kind()
		l := p.line(&j.m, 0)
		g.wide[i], g.high[i] = int(math.Round(l.bw*256)), int(math.Round(l.bh*256))
		g.cols[i] = spans(g.cols[i], j.width, l.u, l.du, g.wide[i], p.width)
		down := p.line(&j.m, 1).v - l.v
		g.rows[i] = spans(g.rows[i], j.height, l.v, down, g.high[i], p.height)
		area := uint64(g.wide[i]) * uint64(g.high[i])
		g.shift[i] = fineness(g.high[i])
		g.scale[i] = (1<<(56-g.shift[i]) + area/2) / area
	}
	return true
}

// spans writes n of them, whose boxes' middles are start, start+slope, ...
func spans(out []span, n int, start, slope float64, size, samples int) []span {
	if cap(out) < n {
		out = make([]span, n)
	}
	out = out[:n]
	for i := range out {
		a := int(math.Floor((start+slope*float64(i)+0.5)*256 - float64(size)/2 + 0.5))
		lo, hi := min(max(a>>8, 0), samples-1), min(max((a+size-1)>>8, 0), samples-1)
		s := span{lo: int32(lo), hi: int32(hi) + 1, first: int32(lo), last: int32(hi)}
		if f := share(lo, lo, hi, a, size); f != 256 {
			s.firstShare = uint32(f)
			s.lo++
		}
		if f := share(hi, lo, hi, a, size); f != 256 && hi > lo {
			s.lastShare = uint32(f)
			s.hi--
		}
		out[i] = s
	}
	return out
}

// fillGrid fills a tensor by a map that does not turn.
func (s *Sampler) fillGrid(j *job) {
	g := &s.grid
	left, right := 0, -1 // of all rows inside, once one is known
	for y := range j.height {
		x0, x1 := 0, 0
		if v := j.planes[0].way(&j.m, y).v; s.target.Border != Constant || v >= -0.5 && v < float64(j.img.Height)-0.5 {
			if right < 0 {
				left, right = s.inside(j, y)
			}
			x0, x1 = left, right
		}
		if x0 < x1 {
			for c := range j.n {
				p := &j.planes[c]
				i := p.kind()
				if !p.same {
					g.addRows(p, &g.rows[i][y], g.shift[i])
				}
				if p.same && p.step == 4 {
					g.addPairs(s.rows[1][x0:x1], s.rows[2][x0:x1], p, g.cols[i][x0:x1], g.scale[i])
					break
				}
				g.addColumns(s.rows[c][x0:x1], p, g.cols[i][x0:x1], g.scale[i])
			}
		}
		s.emit(j, y, x0, x1)
	}
}

// addRows sums the rows of a span for each byte of a row, in 1/2^shift. Where
// samples lie an even number of bytes apart, the even bytes go to g.even and the
// odd ones to g.odd; elsewhere all go to g.even, in order.
func (g *grid) addRows(p *plane, r *span, shift uint) {
	// From and to which byte; chroma in the same rows may begin a group earlier.
	cols := g.cols[p.kind()]
	a, b := &cols[0], &cols[len(cols)-1]
	lo, hi := int(min(a.first, b.first))*p.step, (int(max(a.last, b.last))+1)*p.step
	g.from = max(lo-8, 0) &^ 7
	to := min(hi+8, p.row)
	if n := 2 * (to - g.from + 8); cap(g.even) < n {
		g.even, g.odd = make([]byte, n), make([]byte, n)
	}
	even, odd := g.even[:cap(g.even)], g.odd[:cap(g.odd)]

	data, stride := p.data, p.stride
	first, last := p.base+int(r.first)*stride, p.base+int(r.last)*stride
	whole, n := p.base+int(r.lo)*stride, int(r.hi-r.lo)
	byPairs := p.step%2 == 0
	k := g.from
	for ; k < to; k += 8 {
		var e, o uint64
		if k+8 <= p.row {
			if byPairs && k+32 <= p.row {
				g.addWords(p, r, whole, first, last, k, shift)
				k += 24
				continue
			}
			at := whole + k
			for range n {
				v := binary.LittleEndian.Uint64(data[at:])
				e += v & lanes
				o += v >> 8 & lanes
				at += stride
			}
			e, o = e<<shift, o<<shift
			if w := uint64(r.firstShare); w != 0 {
				v := binary.LittleEndian.Uint64(data[first+k:])
				e += part(v&lanes, w, shift)
				o += part(v>>8&lanes, w, shift)
			}
			if w := uint64(r.lastShare); w != 0 {
				v := binary.LittleEndian.Uint64(data[last+k:])
				e += part(v&lanes, w, shift)
				o += part(v>>8&lanes, w, shift)
			}
		} else { // the row's last bytes
			for i := range n {
				v := rest(data[whole+i*stride+k:], p.row-k)
				e += v & lanes
				o += v >> 8 & lanes
			}
			e, o = e<<shift, o<<shift
			v, w := rest(data[first+k:], p.row-k), uint64(r.firstShare)
			e += part(v&lanes, w, shift)
			o += part(v>>8&lanes, w, shift)
			v, w = rest(data[last+k:], p.row-k), uint64(r.lastShare)
			e += part(v&lanes, w, shift)
			o += part(v>>8&lanes, w, shift)
		}
		at := k - g.from
		if byPairs {
			binary.LittleEndian.PutUint64(even[at:], e)
			binary.LittleEndian.PutUint64(odd[at:], o)
			continue
		}
		// e holds bytes 0, 2, 4, 6; o the others: back in order.
		pair := e&0xffff | o<<16&0xffff0000 | e<<16&0xffff00000000 | o<<32&0xffff000000000000
		binary.LittleEndian.PutUint64(even[2*at:], pair)
		e, o = e>>32, o>>32
		pair = e&0xffff | o<<16&0xffff0000 | e<<16&0xffff00000000 | o<<32&0xffff000000000000
		binary.LittleEndian.PutUint64(even[2*at+8:], pair)
	}
}

// addWords is addRows for 32 bytes at k at a time, where all rows hold them.
func (g *grid) addWords(p *plane, r *span, whole, first, last, k int, shift uint) {
	var e0, e1, e2, e3, o0, o1, o2, o3 uint64
	at := whole + k
	for range int(r.hi - r.lo) {
		b := p.data[at : at+32]
		v := binary.LittleEndian.Uint64(b)
		e0 += v & lanes
		o0 += v >> 8 & lanes
		v = binary.LittleEndian.Uint64(b[8:])
		e1 += v & lanes
		o1 += v >> 8 & lanes
		v = binary.LittleEndian.Uint64(b[16:])
		e2 += v & lanes
		o2 += v >> 8 & lanes
		v = binary.LittleEndian.Uint64(b[24:])
		e3 += v & lanes
		o3 += v >> 8 & lanes
		at += p.stride
	}
	even, odd := g.even[k-g.from:][:32], g.odd[k-g.from:][:32]
	binary.LittleEndian.PutUint64(even, e0<<shift)
	binary.LittleEndian.PutUint64(even[8:], e1<<shift)
	binary.LittleEndian.PutUint64(even[16:], e2<<shift)
	binary.LittleEndian.PutUint64(even[24:], e3<<shift)
	binary.LittleEndian.PutUint64(odd, o0<<shift)
	binary.LittleEndian.PutUint64(odd[8:], o1<<shift)
	binary.LittleEndian.PutUint64(odd[16:], o2<<shift)
	binary.LittleEndian.PutUint64(odd[24:], o3<<shift)
	for _, edge := range [2]struct {
		at int
		w  uint64
	}{{first, uint64(r.firstShare)}, {last, uint64(r.lastShare)}} {
		if edge.w == 0 {
			continue
		}
		b := p.data[edge.at+k:][:32]
		for i := 0; i < 32; i += 8 {
			v := binary.LittleEndian.Uint64(b[i:])
			binary.LittleEndian.PutUint64(even[i:], binary.LittleEndian.Uint64(even[i:])+part(v&lanes, edge.w, shift))
			binary.LittleEndian.PutUint64(odd[i:], binary.LittleEndian.Uint64(odd[i:])+part(v>>8&lanes, edge.w, shift))
		}
	}
}

// fineness is how many binary places 16 bits have left for rows of 255 that make
// up a box of high/256: the sums are 65280 at most.
func fineness(high int) (shift uint) {
	for shift < 8 && 255*(high<<(shift+1)) <= 65280<<8 {
		shift++
	}
	return shift
}

// part is w/256 of four samples, in 1/2^shift; w is 256 or more where the edge
// row stands for those outside.
func part(v, w uint64, shift uint) uint64 {
	fine := v * (w & 255)
	if shift < 8 {
		fine = (fine + allLanes<<(7-shift)) >> (8 - shift) & (allLanes * (1<<(8+shift) - 1))
	}
	return v*(w>>8)<<shift + fine
}

// rest reads the last n bytes of a row, fewer than 8.
func rest(b []byte, n int) uint64 {
	var v uint64
	for i, c := range b[:n] {
		v |= uint64(c) << (8 * i)
	}
	return v
}

// sums gives the summed rows that hold a plane's samples: where the first column's
// is and how far apart they lie, in sums.
func (g *grid) sums(p *plane) (sums []byte, at, step int) {
	at = p.offset - p.base - g.from
	switch {
	case p.step%2 != 0:
		return g.even, at, p.step
	case at&1 != 0:
		return g.odd, at >> 1, p.step / 2
	}
	return g.even, at >> 1, p.step / 2
}

// addColumns makes means of the summed rows, in 1/256.
func (g *grid) addColumns(dst []uint16, p *plane, cols []span, scale uint64) {
	sums, at, step := g.sums(p)
	cols = cols[:len(dst)]
	for i := range dst {
		c := &cols[i]
		k, n := 2*(at+int(c.lo)*step), int(c.hi-c.lo)
		var sum uint64
		if step == 1 {
			for ; n >= 4; n -= 4 {
				v := binary.LittleEndian.Uint64(sums[k:])
				v = v&pairLanes + v>>16&pairLanes
				sum += v&0xffffffff + v>>32
				k += 8
			}
		}
		for ; n > 0; n-- {
			sum += uint64(binary.LittleEndian.Uint16(sums[k:]))
			k += 2 * step
		}
		sum <<= 8
		if w := uint64(c.firstShare); w != 0 {
			sum += w * uint64(binary.LittleEndian.Uint16(sums[2*(at+int(c.first)*step):]))
		}
		if w := uint64(c.lastShare); w != 0 {
			sum += w * uint64(binary.LittleEndian.Uint16(sums[2*(at+int(c.last)*step):]))
		}
		dst[i] = uint16((sum*scale + 1<<39) >> 40)
	}
}

// pairLanes are two lanes of 32 bits in a word, 16 bits of each in use.
const pairLanes = 0x0000ffff0000ffff

// addPairs is addColumns for the chroma of YUYV and UYVY, U and V at once.
func (g *grid) addPairs(u, v []uint16, p *plane, cols []span, scale uint64) {
	sums, at, _ := g.sums(p)
	cols, v = cols[:len(u)], v[:len(u)]
	for i := range u {
		c := &cols[i]
		k := 2*at + 4*int(c.lo)
		var sum uint64 // of U in the low half, of V in the high
		for range int(c.hi - c.lo) {
			w := uint64(binary.LittleEndian.Uint32(sums[k:]))
			sum += (w | w<<16) & pairLanes
			k += 4
		}
		sum <<= 8
		if share := uint64(c.firstShare); share != 0 {
			w := uint64(binary.LittleEndian.Uint32(sums[2*at+4*int(c.first):]))
			sum += (w | w<<16) & pairLanes * share
		}
		if share := uint64(c.lastShare); share != 0 {
			w := uint64(binary.LittleEndian.Uint32(sums[2*at+4*int(c.last):]))
			sum += (w | w<<16) & pairLanes * share
		}
		u[i] = uint16((sum&0xffffffff*scale + 1<<39) >> 40)
		v[i] = uint16((sum>>32*scale + 1<<39) >> 40)
	}
}
