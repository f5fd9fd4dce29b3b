package pixel

import (
	"encoding/binary"
	"math"
)

// fast fills one-channel integer tensors by any map, on processors with AVX2: the
// part of the luma that is needed is copied, with its edge repeated, and boxes of
// up to 7 samples are summed in vector registers. It is the same rule as that of
// kernel, in the same precision: positions and weights of 1/256.
//
// What it copies lies in no cache, and fetching it is the larger part of the cost.
// So it copies rows only as far as the next row of the tensor needs them, and
// while that row is computed the rows behind are fetched.
type fast struct {
	wide, high int // the box that the tables are for, in 1/256 samples
	x          [256][8]int16
	y4         [256][16]uint8 // for boxes of up to 3 samples
	y8         [256][64]uint8 // for larger ones
	quantiser  *quantiser     // nil: not for fast
	window     window
}

// window is a copy of a part of a picture's luma: each sample less 128, and behind
// it the one below, so that a box is read in half as many pieces.
type window struct {
	data           []byte
	stride         int  // pairs
	x0, y0, x1, y1 int  // the pixels it holds, from the first to before the last
	width, height  int  // of the picture: what lies outside is its edge repeated
	count          uint // rises with each picture
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
	if !hasAVX2 || f.quantiser == nil || t.Border != Replicate || p.step > 2 ||
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
	c := &f.window
	c.begin(p,
		int(math.Floor(left+min(0, w*l.du)+min(0, h*ru)))-1,
		int(math.Floor(top+min(0, w*l.dv)+min(0, h*rv)))-1,
		int(math.Floor(left+max(0, w*l.du)+max(0, h*ru)))+taps+2,
		int(math.Floor(top+max(0, w*l.dv)+max(0, h*rv)))+taps+2)

	const one = 1 << 16
	du, dv := int32(math.Round(l.du*one)), int32(math.Round(l.dv*one))
	below := max(0, w*l.dv) + float64(taps) + 2
	for y := range j.height {
		c.copyTo(p, int(top+rv*float64(y)+below))
		u := int32(math.Round((left + ru*float64(y) - float64(c.x0)) * one))
		v := int32(math.Round((top + rv*float64(y) - float64(c.y0)) * one))
		out := &j.out[y*j.nextY]
		if box > smallBox {
			boxes8(out, j.width, &c.data[0], c.stride, u, v, du, dv, &f.x, &f.y8, f.quantiser)
			continue
		}
		ahead, stride, step := c.ahead(p, j.width/8)
		boxes4(out, j.width, &c.data[0], c.stride, u, v, du, dv, &f.x, &f.y4, f.quantiser, ahead, stride, step)
	}
	c.done(j.img)
	return true
}

// prepare makes the tables and the room that boxes of a size need.
func (f *fast) prepare(s *Sampler, bw, bh float64) {
	large := max(bw, bh) > smallBox
	box := smallBox
	if large {
		box = largeBox
	}
	// As large as the window can be for any map with such boxes.
	side := int(math.Ceil(float64(box)*math.Hypot(float64(s.target.Width), float64(s.target.Height)))) + 96
	if len(f.window.data) < 2*side*side {
		f.window.data = make([]byte, 2*side*side)
	}
	wide, high := int(math.Round(bw*256)), int(math.Round(bh*256))
	if f.wide == wide && f.high == high {
		return
	}
	f.wide, f.high = wide, high
	across, down := newShares(wide, 1<<14), newShares(high, 256)
	for phase := range f.x {
		w, v := across.weights(phase, box+1), down.weights(phase, box+1)
		if v[0] == 256 { // does not fit a byte: 1/256 goes to the neighbour
			v[0], v[1] = 255, 1
		}
		x, y4, y8 := &f.x[phase], &f.y4[phase], &f.y8[phase]
		if large {
			for tap, share := range w {
				x[tap] = int16(share)
				rows := y8[tap/2*16+tap%2:]
				for i := 0; i < 16; i += 2 {
					rows[i] = uint8(v[tap])
				}
			}
			continue
		}
		for tap, share := range w[:smallBox+1] {
			x[tap], x[tap+4] = int16(share), int16(share)
		}
		const four = 0x0001000100010001 // times the same
		binary.LittleEndian.PutUint64(y4[:], uint64(v[0]|v[1]<<8)*four)
		binary.LittleEndian.PutUint64(y4[8:], uint64(v[2]|v[3]<<8)*four)
	}
}

// begin makes the window one of the part from (x0, y0) to before (x1, y1), of
// which nothing is copied yet.
func (c *window) begin(p *plane, x0, y0, x1, y1 int) {
	c.count++
	c.width, c.height = p.width, p.height
	// In vectors of 32, where the picture has as many columns.
	if whole := (x1 - x0 + 31) &^ 31; x0 >= 0 && x1 <= p.width && whole <= p.width {
		x0 = min(x0, p.width-whole)
		x1 = x0 + whole
	}
	c.x0, c.y0, c.x1, c.y1 = x0, y0, x1, y0
	c.stride = x1 - x0
}

// copyTo copies the rows up to before y, those that are not there yet. Outside
// the picture its edge is repeated.
func (c *window) copyTo(p *plane, y int) {
	if c.y1 >= y {
		return
	}
	n := c.stride
	dst := c.data[(c.y1-c.y0)*2*n:]
	if c.x0 >= 0 && c.x1 <= p.width && n%32 == 0 && c.y1 >= 0 && y < p.height {
		dst = dst[:(y-c.y1)*2*n]
		src := p.data[p.base+c.y1*p.stride+c.x0*p.step:]
		src = src[:(y-c.y1)*p.stride+n*p.step]
		if p.step == 2 {
			lumaPairsPacked(&dst[0], &src[0], n, y-c.y1, 2*n, p.stride, uint(8*(p.offset-p.base)))
		} else {
			lumaPairsPlanar(&dst[0], &src[0], n, y-c.y1, 2*n, p.stride)
		}
		c.y1 = y
		return
	}
	for ; c.y1 < y; c.y1++ {
		c.copyRow(p, dst[:2*n])
		dst = dst[2*n:]
	}
}

// copyRow copies one row, at c.y1, with the one below it.
func (c *window) copyRow(p *plane, out []byte) {
	from, to := min(max(c.x0, 0), p.width-1), min(max(c.x1-1, 0), p.width-1)
	n := to - from + 1
	inner := min(max(from-c.x0, 0), c.stride-1)
	upper, lower := min(max(c.y1, 0), p.height-1), min(max(c.y1+1, 0), p.height-1)
	src := p.data[p.offset+upper*p.stride+from*p.step:]
	below := (lower - upper) * p.stride
	dst := out[2*inner:][:2*n]
	// In vectors of 32, the last one laid over the one before; UYVY's reads end a
	// byte late, so the row's last sample is left to the loop.
	x := 0
	for whole := (n - 1) &^ 31; x < n-1 && n > 32; {
		if p.step == 2 {
			lumaPairsPacked(&dst[2*x], &src[2*x], whole, 1, 0, below, 0)
		} else {
			lumaPairsPlanar(&dst[2*x], &src[x], whole, 1, 0, below)
		}
		x += whole
		if x < n-1 {
			x, whole = n-33, 32
		}
	}
	for ; x < n; x++ {
		dst[2*x], dst[2*x+1] = src[x*p.step]^0x80, src[below+x*p.step]^0x80
	}
	for x := range inner {
		out[2*x], out[2*x+1] = dst[0], dst[1]
	}
	for x := inner + n; x < c.stride; x++ {
		out[2*x], out[2*x+1] = dst[2*n-2], dst[2*n-1]
	}
}

// ahead says where three rows lie that are needed soon, to be fetched in so many
// pieces.
func (c *window) ahead(p *plane, pieces int) (at *byte, stride, step int) {
	const lead = 3
	y, x := min(max(c.y1+lead, 0), p.height-1), min(max(c.x0, 0), p.width-1)
	at = &p.data[p.base+y*p.stride+x*p.step]
	if y+2 >= p.height || c.x0 < 0 || c.x1 > p.width {
		return at, 0, 0
	}
	return at, p.stride, (c.stride*p.step + pieces - 1) / pieces
}

// done lets the picture know of the window.
func (c *window) done(img *Image) { img.near, img.nearAt = c, c.count }

// copied gives the window of the picture, if it holds a part of it and the
// pixels around, as far as the picture goes.
func (m *Image) copied(part Rect, around int) (*window, bool) {
	c := m.near
	if c == nil || m.nearAt != c.count || c.width != m.Width || c.height != m.Height {
		return nil, false
	}
	ok := max(part.X0-around, 0) >= c.x0 && max(part.Y0-around, 0) >= c.y0 &&
		min(part.X1+around, m.Width) <= c.x1 && min(part.Y1+around, m.Height) <= c.y1
	return c, ok
}
