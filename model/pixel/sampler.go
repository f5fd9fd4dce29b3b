package pixel

import (
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
	target  Target
	tables  [3]table
	limited [3]table    // from luma of limited range, with FromLuma
	rows    [3][]uint16 // one destination row a component, in 1/256
	outside []byte      // a row of the value outside the picture

	kernels [2]kernel // of the luma and of the chroma
	grid    grid
}

// NewSampler prepares a Sampler; the error wraps ErrTarget.
func NewSampler(t Target) (*Sampler, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	s := &Sampler{target: t, tables: t.tables(asItIs)}
	if t.FromLuma {
		s.limited = t.tables(fromLimited)
	}
	for c := range s.rows {
		s.rows[c] = make([]uint16, max(t.Width, t.Height))
	}
	return s, nil
}

// Target gives the Target the Sampler was made for.
func (s *Sampler) Target() Target { return s.target }

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
	job := job{img: img, m: m, width: t.Width, height: t.Height, out: dst}
	job.nextX, job.nextY = t.Channels*t.Type.Size(), t.Width*t.Channels*t.Type.Size()
	if m[0] == 0 && m[4] == 0 {
		// A quarter turn: go through the tensor by columns, so that the picture is
		// read along its rows.
		job.m = Affine{m[1], m[0], m[2], m[4], m[3], m[5]}
		job.width, job.height = job.height, job.width
		job.nextX, job.nextY = job.nextY, job.nextX
	}
	channels := t.Channels
	if t.FromLuma {
		channels = 1
	}
	job.planes, job.n = img.planes(&l, channels)
	// Boxes of luma alone that are small are read sooner each on its own.
	small := job.n == 1 && max(math.Abs(float64(job.m[0])), math.Abs(float64(job.m[4]))) < 2*maxTaps-1
	if !small && job.m[1] == 0 && job.m[3] == 0 && s.grid.fits(&job) {
		s.fillGrid(&job)
	} else {
		s.fillTurned(&job)
	}
	return nil
}

// job is one call of Fill.
type job struct {
	img           *Image
	m             Affine // from the rows and columns that are gone through
	width, height int    // of those
	out           []byte
	nextX, nextY  int // bytes to the next column and row in the tensor
	planes        [3]plane
	n             int // planes in use
}

// maxReach bounds the source coordinates a map may lead to, in pixels.
const maxReach = 1 << 20

func checkReach(m Affine, width, height int) error {
	w, h := float32(width-1), float32(height-1)
	for _, p := range [4][2]float32{{0, 0}, {w, 0}, {0, h}, {w, h}} {
		u, v := m.Apply(p[0], p[1])
		if !(math.Abs(float64(u)) < maxReach && math.Abs(float64(v)) < maxReach) {
			return fmt.Errorf("map %v leads to (%g, %g): %w", m, u, v, ErrAffine)
		}
	}
	for _, v := range m { // of a tensor of one pixel the corners do not show the slopes
		if !(math.Abs(float64(v)) < maxReach) {
			return fmt.Errorf("map %v: %w", m, ErrAffine)
		}
	}
	return nil
}

// plane is one component of a picture.
type plane struct {
	data          []byte
	stride, step  int
	base, row     int // where the rows begin in data, their bytes
	offset        int // of the first sample in data
	width, height int
	sx, sy        uint // subsampling against the luma
	chroma        bool
	same          bool // lies in the rows of the plane before
}

// kind is 0 for a plane of the picture's full size, 1 for one of less.
func (p *plane) kind() int { return int(p.sx | p.sy) }

// planes gives the components that a tensor of so many channels needs.
func (m *Image) planes(l *layout, channels int) (ps [3]plane, n int) {
	ps[0] = plane{
		data: m.Data[:l.need], stride: l.stride, step: l.step, row: l.row, offset: l.luma,
		width: m.Width, height: m.Height,
	}
	if m.Format == RGB24 {
		ps[1], ps[2] = ps[0], ps[0]
		ps[1].offset, ps[2].offset = 1, 2
		ps[1].same, ps[2].same = true, true
		return ps, 3
	}
	if channels == 1 || !l.colour {
		return ps, 1
	}
	chroma := plane{
		chroma: true, data: m.Data[:l.need], stride: l.chromaStride, step: l.chromaStep, sx: l.sx, sy: l.sy,
		width: (m.Width + 1<<l.sx - 1) >> l.sx, height: (m.Height + 1<<l.sy - 1) >> l.sy,
	}
	chroma.row = chroma.width * chroma.step
	ps[1], ps[2] = chroma, chroma
	ps[1].offset, ps[2].offset = l.u, l.v
	switch m.Format {
	case YUYV, UYVY:
		ps[1].same, ps[2].same = true, true
	case NV12:
		ps[1].base, ps[2].base = l.u, l.u
		ps[2].same = true
	default:
		ps[1].base, ps[2].base = l.u, l.v
	}
	return ps, 3
}

// line is the way of one destination row through a plane, in samples.
type line struct {
	u, v   float64 // the first pixel's box: its middle
	du, dv float64
	bw, bh float64 // the box
}

// line gives the way of row y by map m.
func (p *plane) line(m *Affine, y int) line {
	l := p.way(m, y)
	a, b, d, e := float64(m[0]), float64(m[1]), float64(m[3]), float64(m[4])
	l.bw, l.bh = math.Max(1, math.Hypot(a, b)), math.Max(1, math.Hypot(d, e))
	if p.sx == 1 {
		l.bw /= 2
	}
	if p.sy == 1 {
		l.bh /= 2
	}
	return l
}

// way is line without the box.
func (p *plane) way(m *Affine, y int) line {
	l := line{
		u: float64(m[1])*float64(y) + float64(m[2]), v: float64(m[4])*float64(y) + float64(m[5]),
		du: float64(m[0]), dv: float64(m[3]),
	}
	// Sample k of a halved plane covers the pixels 2k and 2k+1.
	if p.sx == 1 {
		l.u, l.du = (l.u+0.5)/2-0.5, l.du/2
	}
	if p.sy == 1 {
		l.v, l.dv = (l.v+0.5)/2-0.5, l.dv/2
	}
	return l
}

// inside gives the part of row y whose centres lie in the picture, for a
// constant border; else the whole row.
func (s *Sampler) inside(j *job, y int) (x0, x1 int) {
	if s.target.Border != Constant {
		return 0, j.width
	}
	l := j.planes[0].way(&j.m, y)
	in := func(x int) bool {
		u, v := l.u+l.du*float64(x), l.v+l.dv*float64(x)
		return u >= -0.5 && v >= -0.5 && u < float64(j.img.Width)-0.5 && v < float64(j.img.Height)-0.5
	}
	lo, hi := 0.0, float64(j.width-1)
	clip := func(start, slope, size float64) {
		a, b := (-0.5-start)/slope, (size-0.5-start)/slope
		if slope == 0 {
			return // in decides
		}
		lo, hi = math.Max(lo, math.Min(a, b)), math.Min(hi, math.Max(a, b))
	}
	clip(l.u, l.du, float64(j.img.Width))
	clip(l.v, l.dv, float64(j.img.Height))
	if !(lo <= hi+1) {
		return 0, 0
	}
	// The ends are exact but for rounding.
	x0, x1 = max(int(lo)-1, 0), min(int(hi)+2, j.width)
	for x0 < x1 && !in(x0) {
		x0++
	}
	for x1 > x0 && !in(x1-1) {
		x1--
	}
	return x0, x1
}
