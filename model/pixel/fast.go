package pixel

import "math"

// fast fills one-channel integer tensors by any map, on processors with AVX2: the
// part of the luma that is needed is copied, with its edge repeated, and boxes of
// up to 7 samples are summed in vector registers. It is the same rule as that of
// kernel, in the same precision: positions and weights of 1/256.
type fast struct {
	wide, high int // the box that the tables are for, in 1/256 samples
	x          [256][16]uint8
	y4         [256][8]int16  // for boxes of up to 3 samples
	y8         [256][32]int16 // for larger ones
	table      [1024]byte
	patch      []byte
}

// Boxes of fast: up to so many samples wide and high, they touch one more.
const (
	smallBox = 3
	largeBox = 7
)

func (f *fast) fill(s *Sampler, j *job) bool {
	t := &s.target
	p := &j.planes[0]
	l := p.line(&j.m, 0)
	box := max(l.bw, l.bh)
	if !hasAVX2 || t.Channels != 1 || t.Type == Float32 || t.Border != Replicate || p.step > 2 ||
		box > largeBox || j.width%8 != 0 || j.nextX != 1 || j.width > 512 || j.height > 512 {
		return false
	}
	f.prepare(s, l.bw, l.bh)

	// The first corners of the boxes, in samples; half of 1/256 rounds.
	ru, rv := float64(j.m[1]), float64(j.m[4]) // from row to row
	left := l.u + 0.5 - float64(f.wide)/512 + 1.0/512
	top := l.v + 0.5 - float64(f.high)/512 + 1.0/512
	w, h := float64(j.width-1), float64(j.height-1)
	taps := smallBox + 1
	if box > smallBox {
		taps = largeBox + 1
	}
	x0 := int(math.Floor(left+min(0, w*l.du)+min(0, h*ru))) - 1
	x1 := int(math.Floor(left+max(0, w*l.du)+max(0, h*ru))) + taps + 1
	y0 := int(math.Floor(top+min(0, w*l.dv)+min(0, h*rv))) - 1
	y1 := int(math.Floor(top+max(0, w*l.dv)+max(0, h*rv))) + taps + 1
	stride := f.copy(p, x0, y0, x1, y1)

	const one = 1 << 16
	du, dv := int32(math.Round(l.du*one)), int32(math.Round(l.dv*one))
	for y := range j.height {
		u := int32(math.Round((left + ru*float64(y) - float64(x0)) * one))
		v := int32(math.Round((top + rv*float64(y) - float64(y0)) * one))
		out := &j.out[y*j.nextY]
		if box > smallBox {
			boxes8(out, j.width, &f.patch[0], stride, u, v, du, dv, &f.x, &f.y8, &f.table)
		} else {
			boxes4(out, j.width, &f.patch[0], stride, u, v, du, dv, &f.x, &f.y4, &f.table)
		}
	}
	return true
}

// prepare makes the tables and the room that boxes of a size need.
func (f *fast) prepare(s *Sampler, bw, bh float64) {
	if f.wide == 0 {
		for v := range f.table {
			f.table[v] = byte(s.tables[0][v])
		}
	}
	large := max(bw, bh) > smallBox
	box := smallBox
	if large {
		box = largeBox
	}
	// As large as the patch can be for any map with such boxes.
	side := int(math.Ceil(float64(box)*math.Hypot(float64(s.target.Width), float64(s.target.Height)))) + 64
	if len(f.patch) < side*side {
		f.patch = make([]byte, side*side)
	}
	wide, high := int(math.Round(bw*256)), int(math.Round(bh*256))
	if f.wide == wide && f.high == high {
		return
	}
	f.wide, f.high = wide, high
	var across, down running
	across.fill(wide, 256)
	down.fill(high, 1<<14)
	for phase := range f.x {
		x := &f.x[phase]
		if large {
			w, v := across.weights(phase, largeBox+1), down.weights(phase, largeBox+1)
			for tap := range w {
				x[tap], x[8+tap] = uint8(w[tap]), uint8(w[tap])
				for i := range 4 {
					f.y8[phase][4*tap+i] = int16(v[tap])
				}
			}
			continue
		}
		w, v := across.weights(phase, smallBox+1), down.weights(phase, smallBox+1)
		if w[0] == 256 { // does not fit a byte: 1/256 goes to the neighbour
			w[0], w[1] = 255, 1
		}
		for tap := range smallBox + 1 {
			for row := range smallBox + 1 {
				x[4*row+tap] = uint8(w[tap])
			}
			f.y4[phase][2*tap], f.y4[phase][2*tap+1] = int16(v[tap]), int16(v[tap])
		}
	}
}

// copy fills the patch with the samples x0..x1 of the rows y0..y1, each less 128,
// and gives the bytes of a row. Outside the picture its edge is repeated.
func (f *fast) copy(p *plane, x0, y0, x1, y1 int) (stride int) {
	stride = x1 - x0 + 1
	from, to := min(max(x0, 0), p.width-1), min(max(x1, 0), p.width-1)
	n := to - from + 1
	inner := min(max(from-x0, 0), stride-1)
	last := -1
	for y := y0; y <= y1; y++ {
		out := f.patch[(y-y0)*stride:][:stride]
		row := min(max(y, 0), p.height-1)
		if row == last {
			copy(out, f.patch[(y-1-y0)*stride:][:stride])
			continue
		}
		last = row
		src := p.data[p.offset+row*p.stride+from*p.step:]
		dst := out[inner:][:n]
		// In vectors of 32, the last one laid over the one before; UYVY's reads end a
		// byte late, so the row's last sample is left to the loop.
		x := 0
		for whole := (n - 1) &^ 31; x < n-1 && n > 32; {
			if p.step == 2 {
				lumaFromPacked(&dst[x], &src[2*x], whole)
			} else {
				lumaFromPlanar(&dst[x], &src[x], whole)
			}
			x += whole
			if x < n-1 {
				x, whole = n-33, 32
			}
		}
		for ; x < n; x++ {
			dst[x] = src[x*p.step] ^ 0x80
		}
		for x := range out[:inner] {
			out[x] = dst[0]
		}
		for x := inner + n; x < stride; x++ {
			out[x] = dst[n-1]
		}
	}
	return stride
}
