package pixel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// ErrAffine: a map with numbers that no picture can need.
var ErrAffine = errors.New("unusable map")

// Sampler fills tensors of one Target from pictures. It keeps scratch memory
// and tables between calls, and allocates only when a picture is larger than
// all before. It serves one goroutine at a time.
type Sampler struct {
	target Target
	tables [3][256]uint32
	bytes  [256]uint8 // tables[0] of an integer target
	row    [3][]uint8 // one destination row a channel, 0..255
}

// NewSampler prepares a Sampler; the error wraps ErrTarget.
func NewSampler(t Target) (*Sampler, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	s := &Sampler{target: t, tables: t.tables()}
	for v, e := range s.tables[0] {
		s.bytes[v] = uint8(e)
	}
	for c := range s.row {
		s.row[c] = make([]uint8, t.Width)
	}
	return s, nil
}

// Target gives the Target the Sampler was made for.
func (s *Sampler) Target() Target { return s.target }

// maxReach bounds the source coordinates a map may lead to, in pixels.
const maxReach = 1 << 20

// Fill writes the tensor to dst: Height rows of Width pixels of Channels
// elements. m maps the tensor's pixel centres to those of the upright picture.
// len(dst) must be Target.Bytes. Errors wrap ErrFormat, ErrSize, ErrTarget or
// ErrAffine.
func (s *Sampler) Fill(dst []byte, img *Image, m Affine) error {
	t := &s.target
	if len(dst) != t.Bytes() {
		return fmt.Errorf("fill tensor %dx%dx%d %s: has %d bytes, needs %d: %w", t.Width, t.Height, t.Channels, t.Type, len(dst), t.Bytes(), ErrTarget)
	}
	l, err := img.layout()
	if err != nil {
		return err
	}
	if img.Mounting != (Mounting{}) {
		m = img.Mounting.Affine(img.Width, img.Height).After(m)
	}
	if err := checkReach(m, t.Width, t.Height); err != nil {
		return err
	}
	planes, n := img.planes(&l, t.Channels)
	for y := range t.Height {
		for c := range n {
			p := &planes[c]
			pm := p.affine(m)
			boxRow(s.row[c], p, &pm, y, t)
		}
		s.emit(dst, y, img, n)
	}
	return nil
}

func checkReach(m Affine, width, height int) error {
	w, h := float32(width-1), float32(height-1)
	for _, p := range [4][2]float32{{0, 0}, {w, 0}, {0, h}, {w, h}} {
		u, v := m.Apply(p[0], p[1])
		if !(math.Abs(float64(u)) < maxReach && math.Abs(float64(v)) < maxReach) {
			return fmt.Errorf("map %v leads to (%g, %g): %w", m, u, v, ErrAffine)
		}
	}
	return nil
}

// plane is one component of a picture.
type plane struct {
	data          []byte
	stride, step  int
	width, height int
	sx, sy        uint // subsampling against the luma
}

// affine maps destination pixels to this plane's samples.
func (p *plane) affine(m Affine) [6]float64 {
	var o [6]float64
	for i, v := range m {
		o[i] = float64(v)
	}
	// Sample k of a halved plane covers pixels 2k and 2k+1.
	if p.sx == 1 {
		o[0], o[1], o[2] = o[0]/2, o[1]/2, (o[2]+0.5)/2-0.5
	}
	if p.sy == 1 {
		o[3], o[4], o[5] = o[3]/2, o[4]/2, (o[5]+0.5)/2-0.5
	}
	return o
}

// planes gives the components that a tensor of so many channels needs.
func (m *Image) planes(l *layout, channels int) (ps [3]plane, n int) {
	luma := plane{data: m.Data[l.luma:], stride: l.stride, step: l.step, width: m.Width, height: m.Height}
	ps[0] = luma
	if m.Format == RGB24 {
		ps[1], ps[2] = luma, luma
		ps[1].data, ps[2].data = m.Data[1:], m.Data[2:]
		return ps, 3
	}
	if channels == 1 || !l.colour {
		return ps, 1
	}
	chroma := plane{
		stride: l.chromaStride, step: l.chromaStep, sx: l.sx, sy: l.sy,
		width: (m.Width + 1<<l.sx - 1) >> l.sx, height: (m.Height + 1<<l.sy - 1) >> l.sy,
	}
	ps[1], ps[2] = chroma, chroma
	ps[1].data, ps[2].data = m.Data[l.u:], m.Data[l.v:]
	return ps, 3
}

// boxRow samples one destination row of one plane, any map, any place.
func boxRow(dst []uint8, p *plane, m *[6]float64, y int, t *Target) {
	bw := max(1/float64(int(1)<<p.sx), math.Hypot(m[0], m[1]))
	bh := max(1/float64(int(1)<<p.sy), math.Hypot(m[3], m[4]))
	wide, high := int(math.Round(bw*256)), int(math.Round(bh*256))
	for x := range dst {
		u := m[0]*float64(x) + m[1]*float64(y) + m[2]
		v := m[3]*float64(x) + m[4]*float64(y) + m[5]
		left := int(math.Floor((u+0.5-bw/2)*256 + 0.5))
		top := int(math.Floor((v+0.5-bh/2)*256 + 0.5))
		dst[x] = box(p, left, top, wide, high, t)
	}
}

// box is the mean over a box given in 1/256 samples from the plane's corner.
func box(p *plane, left, top, wide, high int, t *Target) uint8 {
	x0, x1 := left>>8, (left+wide-1)>>8
	y0, y1 := top>>8, (top+high-1)>>8
	var sum uint64
	for y := y0; y <= y1; y++ {
		wy := min(top+high, (y+1)<<8) - max(top, y<<8)
		row := min(max(y, 0), p.height-1) * p.stride
		var line uint64
		for x := x0; x <= x1; x++ {
			wx := min(left+wide, (x+1)<<8) - max(left, x<<8)
			v := p.data[row+min(max(x, 0), p.width-1)*p.step]
			line += uint64(wx) * uint64(v)
		}
		sum += line * uint64(wy)
	}
	area := uint64(wide) * uint64(high)
	return uint8((sum + area/2) / area)
}

// emit turns the sampled components of row y into tensor elements.
func (s *Sampler) emit(dst []byte, y int, img *Image, n int) {
	t := &s.target
	size := t.Channels * t.Type.Size()
	out := dst[y*t.Width*size:][:t.Width*size]
	for x := range t.Width {
		a := s.row[0][x]
		r, g, b := a, a, a
		if n == 3 {
			r, g, b = a, s.row[1][x], s.row[2][x]
			if img.Format != RGB24 {
				r, g, b = rgb(a, g, b, img.FullRange)
			}
		}
		if t.Channels == 1 {
			if n == 3 {
				r = grey(r, g, b)
			}
			s.put(out[x*size:], 0, r)
			continue
		}
		s.put(out[x*size:], 0, r)
		s.put(out[x*size+size/3:], 1, g)
		s.put(out[x*size+2*size/3:], 2, b)
	}
}

func (s *Sampler) put(out []byte, channel int, v uint8) {
	e := s.tables[channel][v]
	if s.target.Type == Float32 {
		binary.LittleEndian.PutUint32(out, e)
		return
	}
	out[0] = uint8(e)
}

// grey is ITU-R BT.601's luma, in 1/65536.
func grey(r, g, b uint8) uint8 {
	return uint8((19595*uint32(r) + 38470*uint32(g) + 7471*uint32(b) + 1<<15) >> 16)
}

// rgb converts by ITU-R BT.601, in 1/65536.
func rgb(y, u, v uint8, full bool) (r, g, b uint8) {
	c, d, e := int32(y), int32(u)-128, int32(v)-128
	const half = 1 << 15
	if full {
		c <<= 16
		return clamp(c + 91881*e + half), clamp(c - 22554*d - 46802*e + half), clamp(c + 116130*d + half)
	}
	c = (c - 16) * 76309
	return clamp(c + 104597*e + half), clamp(c - 25675*d - 53279*e + half), clamp(c + 132201*d + half)
}

func clamp(v int32) uint8 {
	return uint8(min(max(v>>16, 0), 255))
}
