package pixel

import (
	"encoding/binary"
	"math"
	"unsafe"
)

// Four samples travel together in the 16-bit lanes of a word. A sum of samples
// weighted by 256 in all, at most 255*256, fits a lane.
const (
	lanes    = 0x00ff00ff00ff00ff
	halves   = 0x0080008000800080
	allLanes = 0x0001000100010001
)

// packed4 reads four samples that lie 2 bytes apart.
func packed4(b []byte) uint64 { return binary.LittleEndian.Uint64(b) & lanes }

// planar4 reads four adjacent samples.
func planar4(b []byte) uint64 {
	v := uint64(binary.LittleEndian.Uint32(b))
	v = (v | v<<16) & 0x0000ffff0000ffff
	return (v | v<<8) & lanes
}

func packedAt(p unsafe.Pointer) uint64 { return *(*uint64)(p) & lanes }

// planarAt reads four adjacent samples, the second and the third in each other's
// lanes: that takes half of what putting them in order does.
func planarAt(p unsafe.Pointer) uint64 {
	v := uint64(*(*uint32)(p))
	return (v | v<<24) & lanes
}

// kernel holds the weights of a box of one size, for each of 256 places of its
// first border within a sample. Words hold those of four columns, the first of them
// in the top lane.
type kernel struct {
	wide, high int // the box in 1/256 samples
	cols, rows int // samples that it touches at most
	x          [256][2]uint64
	xPlanar    [256][2]uint64 // up to 4 columns: as planarAt reads them; up to 8: even and odd ones
	y          [256][2 * maxTaps]uint16
}

// maxTaps is how many samples the lanes of a word hold.
const maxTaps = 4

func (k *kernel) prepare(bw, bh float64) {
	wide, high := int(math.Round(bw*256)), int(math.Round(bh*256))
	if k.wide == wide && k.high == high {
		return
	}
	k.wide, k.high = wide, high
	k.cols, k.rows = (wide+254)>>8+1, (high+254)>>8+1
	taps := max(k.cols, k.rows)
	if taps > 2*maxTaps {
		return
	}
	across, down := newShares(wide, 256), newShares(high, 256)
	word := func(a, b, c, d int32) uint64 { return uint64(a)<<48 | uint64(b)<<32 | uint64(c)<<16 | uint64(d) }
	for phase := range k.x {
		w, v := across.weights(phase, taps), down.weights(phase, taps)
		k.x[phase] = [2]uint64{word(w[0], w[1], w[2], w[3]), word(w[4], w[5], w[6], w[7])}
		k.xPlanar[phase] = [2]uint64{word(w[0], w[2], w[4], w[6]), word(w[1], w[3], w[5], w[7])}
		if taps <= maxTaps {
			k.xPlanar[phase][0] = word(w[0], w[2], w[1], w[3])
		}
		for tap := range v {
			k.y[phase][tap] = uint16(v[tap])
		}
	}
}

// fillTurned fills a tensor by any map: each box on its own.
func (s *Sampler) fillTurned(j *job) {
	for c := range min(j.n, 2) {
		p := &j.planes[c]
		l := p.line(&j.m, 0)
		s.kernels[p.kind()].prepare(l.bw, l.bh)
	}
	for y := range j.height {
		x0, x1 := s.inside(j, y)
		for c := range j.n {
			p := &j.planes[c]
			l := p.way(&j.m, y)
			s.kernels[p.kind()].row(s.rows[c], p, &l, x0, x1)
		}
		s.emit(j, y, x0, x1)
	}
}

// row samples one row of one plane, from x0 to before x1.
func (k *kernel) row(dst []uint16, p *plane, l *line, x0, x1 int) {
	// The box's first corner in 1/2^32 samples; half of 1/256 makes the cut off
	// of what is finer a rounding.
	const one = 1 << 32
	left := int64(math.Round((l.u + 0.5 - float64(k.wide)/512 + 1.0/512) * one))
	top := int64(math.Round((l.v + 0.5 - float64(k.high)/512 + 1.0/512) * one))
	du, dv := int64(math.Round(l.du*one)), int64(math.Round(l.dv*one))

	// Where no sample outside the plane is read. The lanes' reads always
	// take 4 or 8, and 8 bytes of UYVY end a byte late: one more is kept clear.
	cols, rows := k.cols, k.rows
	small := cols <= maxTaps && rows <= maxTaps
	medium := !small && cols <= 2*maxTaps && rows <= 2*maxTaps && p.step <= 2 && !p.chroma
	switch {
	case medium:
		cols = 2 * maxTaps
	case p.step <= 2:
		cols = (cols + maxTaps - 1) / maxTaps * maxTaps
	}
	a, b := x0, x1
	a, b = within(left, du, int64(p.width-cols-1), a, b)
	a, b = within(top, dv, int64(p.height-rows), a, b)

	k.border(dst[x0:a], p, left+int64(x0)*du, top+int64(x0)*dv, du, dv)
	k.border(dst[b:x1], p, left+int64(b)*du, top+int64(b)*dv, du, dv)
	u, v := left+int64(a)*du, top+int64(a)*dv
	inner, data := dst[a:b], p.data[p.offset:]
	switch {
	case len(inner) == 0:
	case small && p.chroma: // lanes round too coarsely for what a matrix enlarges
		k.spreadRow(inner, data, p.stride, p.step, u, v, du, dv)
	case small && p.step == 2:
		base := unsafe.Pointer(&data[0])
		switch k.rows {
		case 2:
			k.packedRow2(inner, base, p.stride, u, v, du, dv)
		case 3:
			k.packedRow3(inner, base, p.stride, u, v, du, dv)
		default:
			k.packedRow4(inner, base, p.stride, u, v, du, dv)
		}
	case small && p.step == 1:
		base := unsafe.Pointer(&data[0])
		switch k.rows {
		case 2:
			k.planarRow2(inner, base, p.stride, u, v, du, dv)
		case 3:
			k.planarRow3(inner, base, p.stride, u, v, du, dv)
		default:
			k.planarRow4(inner, base, p.stride, u, v, du, dv)
		}
	case small:
		k.spreadRow(inner, data, p.stride, p.step, u, v, du, dv)
	case medium && p.step == 2:
		k.packedRow8(inner, unsafe.Pointer(&data[0]), p.stride, u, v, du, dv)
	case medium:
		k.planarRow8(inner, unsafe.Pointer(&data[0]), p.stride, u, v, du, dv)
	case p.step <= 2 && k.high <= 64<<8:
		k.wideRow(inner, data, p.stride, p.step, u, v, du, dv)
	default:
		k.border(inner, p, u, v, du, dv)
	}
}

// within narrows a..b to the places where start + x*slope, in whole samples, is
// from 0 to last.
func within(start, slope, last int64, a, b int) (int, int) {
	in := func(x int) bool {
		at := (start + int64(x)*slope) >> 32
		return at >= 0 && at <= last
	}
	if slope == 0 {
		if a < b && !in(a) {
			return b, b
		}
		return a, b
	}
	// Where it crosses 0 and last+1.
	x, y := -start/slope, ((last+1)<<32-start)/slope
	lo, hi := min(x, y), max(x, y)
	if lo > int64(a) {
		a = int(min(lo, int64(b)))
	}
	if hi+1 < int64(b) {
		b = int(max(hi+1, int64(a)))
	}
	for a < b && !in(a) {
		a++
	}
	for b > a && !in(b-1) {
		b--
	}
	return a, b
}

func (k *kernel) packedRow2(dst []uint16, base unsafe.Pointer, stride int, u, v, du, dv int64) {
	for i := range dst {
		p := unsafe.Add(base, int(v>>32)*stride+int(u>>32*2))
		w := &k.y[uint8(v>>24)]
		sum := packedAt(p) * uint64(w[0])
		p = unsafe.Add(p, stride)
		sum += packedAt(p) * uint64(w[1])
		dst[i] = uint16((sum + halves) >> 8 & lanes * k.x[uint8(u>>24)][0] >> 48)
		u += du
		v += dv
	}
}

func (k *kernel) packedRow3(dst []uint16, base unsafe.Pointer, stride int, u, v, du, dv int64) {
	for i := range dst {
		p := unsafe.Add(base, int(v>>32)*stride+int(u>>32*2))
		w := &k.y[uint8(v>>24)]
		sum := packedAt(p) * uint64(w[0])
		p = unsafe.Add(p, stride)
		sum += packedAt(p) * uint64(w[1])
		p = unsafe.Add(p, stride)
		sum += packedAt(p) * uint64(w[2])
		dst[i] = uint16((sum + halves) >> 8 & lanes * k.x[uint8(u>>24)][0] >> 48)
		u += du
		v += dv
	}
}

func (k *kernel) packedRow4(dst []uint16, base unsafe.Pointer, stride int, u, v, du, dv int64) {
	for i := range dst {
		p := unsafe.Add(base, int(v>>32)*stride+int(u>>32*2))
		w := &k.y[uint8(v>>24)]
		sum := packedAt(p) * uint64(w[0])
		p = unsafe.Add(p, stride)
		sum += packedAt(p) * uint64(w[1])
		p = unsafe.Add(p, stride)
		sum += packedAt(p) * uint64(w[2])
		p = unsafe.Add(p, stride)
		sum += packedAt(p) * uint64(w[3])
		dst[i] = uint16((sum + halves) >> 8 & lanes * k.x[uint8(u>>24)][0] >> 48)
		u += du
		v += dv
	}
}

func (k *kernel) planarRow2(dst []uint16, base unsafe.Pointer, stride int, u, v, du, dv int64) {
	for i := range dst {
		p := unsafe.Add(base, int(v>>32)*stride+int(u>>32))
		w := &k.y[uint8(v>>24)]
		sum := planarAt(p) * uint64(w[0])
		p = unsafe.Add(p, stride)
		sum += planarAt(p) * uint64(w[1])
		dst[i] = uint16((sum + halves) >> 8 & lanes * k.xPlanar[uint8(u>>24)][0] >> 48)
		u += du
		v += dv
	}
}

func (k *kernel) planarRow3(dst []uint16, base unsafe.Pointer, stride int, u, v, du, dv int64) {
	for i := range dst {
		p := unsafe.Add(base, int(v>>32)*stride+int(u>>32))
		w := &k.y[uint8(v>>24)]
		sum := planarAt(p) * uint64(w[0])
		p = unsafe.Add(p, stride)
		sum += planarAt(p) * uint64(w[1])
		p = unsafe.Add(p, stride)
		sum += planarAt(p) * uint64(w[2])
		dst[i] = uint16((sum + halves) >> 8 & lanes * k.xPlanar[uint8(u>>24)][0] >> 48)
		u += du
		v += dv
	}
}

func (k *kernel) planarRow4(dst []uint16, base unsafe.Pointer, stride int, u, v, du, dv int64) {
	for i := range dst {
		p := unsafe.Add(base, int(v>>32)*stride+int(u>>32))
		w := &k.y[uint8(v>>24)]
		sum := planarAt(p) * uint64(w[0])
		p = unsafe.Add(p, stride)
		sum += planarAt(p) * uint64(w[1])
		p = unsafe.Add(p, stride)
		sum += planarAt(p) * uint64(w[2])
		p = unsafe.Add(p, stride)
		sum += planarAt(p) * uint64(w[3])
		dst[i] = uint16((sum + halves) >> 8 & lanes * k.xPlanar[uint8(u>>24)][0] >> 48)
		u += du
		v += dv
	}
}

// packedRow8 is for boxes that touch up to 8 columns and rows.
func (k *kernel) packedRow8(dst []uint16, base unsafe.Pointer, stride int, u, v, du, dv int64) {
	rows := k.rows
	for i := range dst {
		p := unsafe.Add(base, int(v>>32)*stride+int(u>>32*2))
		var first, second uint64
		at := 0 // a pointer is made for a row that is read, and for none behind the picture
		for _, w := range k.y[uint8(v>>24)][:rows] {
			first += packedAt(unsafe.Add(p, at)) * uint64(w)
			second += packedAt(unsafe.Add(p, at+2*maxTaps)) * uint64(w)
			at += stride
		}
		x := &k.x[uint8(u>>24)]
		dst[i] = uint16(((first+halves)>>8&lanes*x[0] + (second+halves)>>8&lanes*x[1]) >> 48)
		u += du
		v += dv
	}
}

// planarRow8 is packedRow8 for adjacent samples.
func (k *kernel) planarRow8(dst []uint16, base unsafe.Pointer, stride int, u, v, du, dv int64) {
	rows := k.rows
	for i := range dst {
		p := unsafe.Add(base, int(v>>32)*stride+int(u>>32))
		var even, odd uint64
		at := 0 // as in packedRow8
		for _, w := range k.y[uint8(v>>24)][:rows] {
			eight := *(*uint64)(unsafe.Add(p, at))
			even += eight & lanes * uint64(w)
			odd += eight >> 8 & lanes * uint64(w)
			at += stride
		}
		x := &k.xPlanar[uint8(u>>24)]
		dst[i] = uint16(((even+halves)>>8&lanes*x[0] + (odd+halves)>>8&lanes*x[1]) >> 48)
		u += du
		v += dv
	}
}

// spreadRow is packedRow for samples at any distance, one by one: RGB24 and all
// chroma.
func (k *kernel) spreadRow(dst []uint16, data []byte, stride, step int, u, v, du, dv int64) {
	for i := range dst {
		at := int(v>>32)*stride + int(u>>32)*step
		wx, wy := k.x[uint8(u>>24)][0], &k.y[uint8(v>>24)]
		var sum uint64
		for _, weight := range wy[:min(k.rows, maxTaps)] {
			var line uint64
			p, w := at, wx
			for range k.cols {
				line += uint64(data[p]) * (w >> 48)
				w <<= 16
				p += step
			}
			sum += line * uint64(weight)
			at += stride
		}
		dst[i] = uint16((sum + 128) >> 8)
		u += du
		v += dv
	}
}

// wideRow is for larger boxes: rows that count whole are added in lanes, the
// first and the last by their share; so are the columns.
func (k *kernel) wideRow(dst []uint16, data []byte, stride, step int, u, v, du, dv int64) {
	wide, high := k.wide, k.high
	shift := fineness(high)
	norm := (1<<(56-shift) + uint64(wide)*uint64(high)/2) / (uint64(wide) * uint64(high))
	for i := range dst {
		fx, fy := int(u>>24)&255, int(v>>24)&255
		rows, cols := (fy+high-1)>>8, (fx+wide-1)>>8 // the last ones
		at := int(v>>32)*stride + int(u>>32)*step
		first, last := uint64(256-fy), uint64(fy+high-rows<<8)
		if rows == 0 { // the whole box in one row
			first, last = uint64(high), 0
		}

		var total uint64 // samples, whole columns
		var left, right uint64
		for c := 0; c <= cols; c += 4 {
			b := data[at+c*step:]
			var sum, head, tail uint64
			if step == 2 {
				head, tail = packed4(b), packed4(b[rows*stride:])
				for r := stride; r < rows*stride; r += stride {
					sum += packed4(b[r:])
				}
			} else {
				head, tail = planar4(b), planar4(b[rows*stride:])
				for r := stride; r < rows*stride; r += stride {
					sum += planar4(b[r:])
				}
			}
			sum = sum<<shift + part(head, first, shift) + part(tail, last, shift)
			if c == 0 {
				left = sum & 0xffff
			}
			if n := cols - c; n < 4 {
				right = sum >> (16 * n) & 0xffff
				sum &= 1<<(16*(n+1)) - 1 // n+1 lanes; all of them for n = 3
			}
			sum = sum&pairLanes + sum>>16&pairLanes
			total += sum&0xffffffff + sum>>32
		}
		// The first column counts 256-fx, the last fx+wide-cols*256.
		total = total<<8 - left*uint64(fx) - right*uint64((cols+1)<<8-fx-wide)
		dst[i] = uint16((total*norm + 1<<39) >> 40)
		u += du
		v += dv
	}
}

// border samples boxes of any size at any place, with the plane's edge repeated.
func (k *kernel) border(dst []uint16, p *plane, u, v, du, dv int64) {
	for i := range dst {
		dst[i] = k.box(p, int(u>>24), int(v>>24))
		u += du
		v += dv
	}
}

// box is the mean over one box, whose first corner is given in 1/256 samples.
func (k *kernel) box(p *plane, left, top int) uint16 {
	x0, x1 := max(left>>8, 0), min((left+k.wide-1)>>8, p.width-1)
	y0, y1 := max(top>>8, 0), min((top+k.high-1)>>8, p.height-1)
	// A box that lies outside altogether sees the edge.
	x0, x1 = min(x0, p.width-1), max(x1, 0)
	y0, y1 = min(y0, p.height-1), max(y1, 0)
	var sum uint64
	for y := y0; y <= y1; y++ {
		wy := share(y, y0, y1, top, k.high)
		var line uint64
		for x := x0; x <= x1; x++ {
			line += uint64(share(x, x0, x1, left, k.wide)) * uint64(p.data[p.offset+y*p.stride+x*p.step])
		}
		sum += line * uint64(wy)
	}
	area := uint64(k.wide) * uint64(k.high)
	return uint16((sum*256 + area/2) / area)
}

// share is what of a box, in 1/256, falls to sample n; the first and the last
// sample that are there stand for all before and behind them.
func share(n, first, last, start, size int) int {
	lo, hi := start, start+size
	if n > first {
		lo = n << 8
	}
	if n < last {
		hi = (n + 1) << 8
	}
	return hi - lo
}
