package pixel

import (
	"bytes"
	"encoding/binary"
	"math"
	"unsafe"
)

// Rect is a part of the upright picture: columns X0 to X1-1, rows Y0 to Y1-1.
type Rect struct{ X0, Y0, X1, Y1 int }

// Stats describe the light in a part of a picture.
type Stats struct {
	Mean      float32 // of the luma, 0..255
	Contrast  float32 // standard deviation of the luma
	Dark      float32 // share of samples at 8 or below
	Bright    float32 // share of samples at 247 or above
	Sharpness float32 // how much detail of about the given reach there is, in the direction that has least
	Samples   int     // what the figures are made of; 0: the part lies outside
}

// Limits of Stats.Dark and Stats.Bright.
const (
	darkLimit   = 8
	brightLimit = 247
)

// maxSamples bounds the cost of Measure: a grid of about 20 x 20 points.
const maxSamples = 400

// Measure samples the luma on a grid over the part of the picture. Sharpness is
// made of second differences (2*centre - one side - the other) along rows, columns
// and both diagonals: of each direction the mean of those squared whose neighbours
// are 2*reach pixels away, less the mean of those with neighbours reach pixels away.
// A sensor's noise is the same in both and cancels out, detail that a lens in focus
// gives is not. The direction with the least counts: what moves is blurred along its
// way only. So that it means the same for a near and a far face, give the size of
// one network pixel in picture pixels as reach; 0 leaves it out. What lies outside
// the picture is left out; the error wraps ErrFormat or ErrSize.
func Measure(img *Image, part Rect, reach int) (Stats, error) {
	l, err := img.layout()
	if err != nil {
		return Stats{}, err
	}
	reach = min(max(reach, 0), maxSide)
	part = img.toSensor(part)
	part.X0, part.Y0 = max(part.X0, 0), max(part.Y0, 0)
	part.X1, part.Y1 = min(part.X1, img.Width), min(part.Y1, img.Height)
	if part.X0 >= part.X1 || part.Y0 >= part.Y1 {
		return Stats{}, nil
	}
	side := math.Sqrt(float64(part.X1-part.X0) * float64(part.Y1-part.Y0) / maxSamples)
	pitch := max(1, int(math.Ceil(side)))

	var c counts
	p := probe{data: img.Data[l.luma:l.need], step: l.step, stride: l.stride, reach: reach}
	// Columns whose neighbours lie in the picture.
	first := part.X0 + (part.X1-part.X0-1)%pitch/2
	from, to := max(part.X0, 2*reach), min(part.X1, img.Width-2*reach)
	for y := part.Y0 + (part.Y1-part.Y0-1)%pitch/2; y < part.Y1; y += pitch {
		x, inner := first, 0
		if reach > 0 && y >= 2*reach && y+2*reach < img.Height {
			outer := steps(x, min(from, part.X1), pitch)
			p.lights(&c, x, y, outer, pitch)
			x += outer * pitch
			inner = steps(x, to, pitch)
			p.details(&c, x, y, inner, pitch)
		}
		x += inner * pitch
		p.lights(&c, x, y, steps(x, part.X1, pitch), pitch)
	}
	return c.stats(), nil
}

// steps is how many points from x on, pitch apart, lie before end.
func steps(x, end, pitch int) int { return max(0, (end-x+pitch-1)/pitch) }

// probe reads the luma of single pixels.
type probe struct {
	data         []byte
	step, stride int
	reach        int
}

// at is the luma of a pixel; RGB24 is the only format of three bytes a pixel.
func (p *probe) at(x, y int) int {
	at := y*p.stride + x*p.step
	if p.step == 3 {
		b := p.data[at:][:3]
		return int(grey(uint16(b[0])<<8, uint16(b[1])<<8, uint16(b[2])<<8)+2) >> 2
	}
	return int(p.data[at])
}

// lights counts n pixels of a row from (x, y) on.
func (p *probe) lights(c *counts, x, y, n, pitch int) {
	sums := *c // beside the loop, so that they stay in registers
	for ; n > 0; n-- {
		sums.light(p.at(x, y))
		x += pitch
	}
	*c = sums
}

// details counts n pixels of a row from (x, y) on with their neighbours, which lie
// in the picture.
func (p *probe) details(c *counts, x, y, n, pitch int) {
	if n == 0 {
		return
	}
	r := p.reach
	if p.step == 3 {
		for ; n > 0; n-- {
			v := p.at(x, y)
			c.light(v)
			for i, d := range [directions][2]int{{r, 0}, {0, r}, {r, r}, {r, -r}} {
				c.detail[i] += second(2*v-p.at(x-d[0], y-d[1])-p.at(x+d[0], y+d[1]),
					2*v-p.at(x-2*d[0], y-2*d[1])-p.at(x+2*d[0], y+2*d[1]))
			}
			c.inner++
			x += pitch
		}
		return
	}
	dx, dy, next := r*p.step, r*p.stride, pitch*p.step
	at := y*p.stride + x*p.step
	// One check for all: the first and the last byte.
	corner := 2 * (dx + dy)
	base := unsafe.Pointer(&p.data[at-corner : at+(n-1)*next+corner+1][corner])
	sums := *c
	along, down, falling, rising := c.detail[0], c.detail[1], c.detail[2], c.detail[3] // likewise in registers
	for offset := 0; offset < n*next; offset += next {
		luma := func(d int) int { return int(*(*byte)(unsafe.Add(base, offset+d))) }
		v := luma(0)
		sums.light(v)
		v *= 2
		along += second(v-luma(-dx)-luma(dx), v-luma(-2*dx)-luma(2*dx))
		down += second(v-luma(-dy)-luma(dy), v-luma(-2*dy)-luma(2*dy))
		falling += second(v-luma(-dy-dx)-luma(dy+dx), v-luma(-2*dy-2*dx)-luma(2*dy+2*dx))
		rising += second(v-luma(-dy+dx)-luma(dy-dx), v-luma(-2*dy+2*dx)-luma(2*dy-2*dx))
	}
	sums.inner += n
	sums.detail = [directions]int64{along, down, falling, rising}
	*c = sums
}

// Directions of detail: rows, columns, and the diagonals. There the neighbours lie
// further away by the root of 2 and differ more; in this part, measured on real
// faces, a movement is found alike in every direction.
const (
	directions = 4
	diagonal   = 0.3
)

// second is what a pixel adds to the detail of a direction.
func second(near, wide int) int64 { return int64(wide*wide - near*near) }

// counts is what the figures are made of.
type counts struct {
	n, dark, bright, inner int
	sum, squares           int64
	detail                 [directions]int64
}

func (c *counts) light(v int) {
	c.n++
	c.sum += int64(v)
	c.squares += int64(v * v)
	if v <= darkLimit {
		c.dark++
	}
	if v >= brightLimit {
		c.bright++
	}
}

func (c *counts) stats() Stats {
	n := float32(c.n)
	s := Stats{Mean: float32(c.sum) / n, Dark: float32(c.dark) / n, Bright: float32(c.bright) / n, Samples: c.n}
	s.Contrast = float32(math.Sqrt(variance(c.n, c.sum, c.squares)))
	if c.inner > 0 {
		d := &c.detail
		least := min(float32(min(d[0], d[1])), diagonal*float32(min(d[2], d[3])))
		s.Sharpness = max(0, least/float32(c.inner))
	}
	return s
}

func variance(n int, sum, squares int64) float64 {
	mean := float64(sum) / float64(n)
	return max(0, float64(squares)/float64(n)-mean*mean)
}

// toSensor turns a part of the upright picture into one of the camera's.
func (m *Image) toSensor(r Rect) Rect {
	if m.Mounting == (Mounting{}) || r.X0 >= r.X1 || r.Y0 >= r.Y1 {
		return r
	}
	a := m.Mounting.Affine(m.Width, m.Height)
	corner := func(x, y int) (int, int) { // in whole numbers: exact
		return int(a[0])*x + int(a[1])*y + int(a[2]), int(a[3])*x + int(a[4])*y + int(a[5])
	}
	x0, y0 := corner(r.X0, r.Y0)
	x1, y1 := corner(r.X1-1, r.Y1-1)
	return Rect{min(x0, x1), min(y0, y1), max(x0, x1) + 1, max(y0, y1) + 1}
}

// Hash gives a number that stays the same only when the camera delivers the
// very same picture again: sensor noise changes it from frame to frame. It covers
// pixels alone. What counts beside them (a JPEG's header and comments, what follows
// its end marker, the padding of rows and buffers) would make a picture that stands
// still look alive. Of MJPEG it reads all of the coded picture, of other formats
// two thousand bytes spread over the picture, in few pieces, because each
// costs a page and a cache line to fetch.
func Hash(img *Image) uint64 {
	h := hash(14695981039346656037)
	if img.Format == MJPEG {
		h.add(coded(img.Data))
		return uint64(h)
	}
	l, err := img.layout()
	if err != nil {
		h.add(img.Data)
		return uint64(h)
	}
	// 61/64: no whole number of rows, so that the pieces lie in many columns, and
	// not all in a black bar at the side.
	size := l.stride * img.Height
	pitch := max(hashPiece, size/hashPieces*61/64&^63)
	for at := min(pitch, size) / 2; at < size; at += pitch { // some cameras count frames in the first pixels
		row := img.Data[at/l.stride*l.stride:][:l.row]
		column := min(at%l.stride, max(l.row-hashPiece, 0))
		h.add(row[column:min(column+hashPiece, l.row)])
	}
	return uint64(h)
}

// HashPart is Hash of the luma in a part of the picture, 16 rows of it. It tells a
// picture that stands still from one that lives where something else in it changes:
// a clock that a camera writes into it. 0: the part lies outside. It takes no MJPEG,
// but what was decoded of it.
func HashPart(img *Image, part Rect) uint64 {
	l, err := img.layout()
	if err != nil {
		return 0
	}
	part = img.toSensor(part)
	part.X0, part.Y0 = max(part.X0, 0), max(part.Y0, 0)
	part.X1, part.Y1 = min(part.X1, img.Width), min(part.Y1, img.Height)
	rows := part.Y1 - part.Y0
	if part.X0 >= part.X1 || rows <= 0 {
		return 0
	}
	h := hash(14695981039346656037)
	size := (part.X1 - part.X0) * l.step
	for i := range min(hashPieces, rows) {
		row := img.Data[l.luma+(part.Y0+i*rows/hashPieces)*l.stride+part.X0*l.step:]
		spare := max(size-hashPiece, 0) // the pieces lie in many columns
		from := spare * (i * 7 % hashPieces) / hashPieces
		h.add(row[from:min(from+hashPiece, size, len(row))])
	}
	return uint64(h)
}

// What Hash reads: so many pieces of so many bytes.
const (
	hashPieces = 16
	hashPiece  = 128
)

// coded is the part of a JPEG that codes its pixels, as far as it goes: what is
// behind the header of its first scan, up to the end marker, which that cannot
// hold (ITU-T T.81, B.1.1.5). All of it, where there is no scan.
func coded(jpeg []byte) []byte {
	scan, _, err := findScan(jpeg)
	if err != nil {
		return jpeg
	}
	jpeg = jpeg[scan:]
	if end := bytes.Index(jpeg, []byte{0xff, markEOI}); end >= 0 {
		jpeg = jpeg[:end]
	}
	return jpeg
}

// hash is FNV-1a, on words of 8 bytes.
type hash uint64

func (h *hash) add(data []byte) {
	const prime = 1099511628211
	v := *h ^ hash(len(data))
	for ; len(data) >= 8; data = data[8:] {
		v = (v ^ hash(binary.LittleEndian.Uint64(data))) * prime
		v ^= v >> 32
	}
	for _, b := range data {
		v = (v ^ hash(b)) * prime
	}
	*h = v
}
