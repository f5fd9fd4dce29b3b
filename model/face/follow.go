package face

import (
	"math"

	"mien/model/pixel"
)

// pose is where the patch lies on the picture: a similarity from patch
// coordinates, counted from the patch's middle, to picture pixels.
type pose struct {
	x, y float32 // the middle
	a, b float32 // picture = middle + (a*px - b*py, b*px + a*py)
}

// patchSide is the patch's side in values.
const patchSide = 20

// poseOf puts the patch over the face's box.
func poseOf(f *Face) pose {
	c := f.Box.Centre()
	return pose{c.X, c.Y, (f.Box.Width() + f.Box.Height()) / 2 / patchSide, 0}
}

// affine maps the patch's values to picture pixels.
func (p pose) affine() pixel.Affine {
	const m = (patchSide - 1) / 2.0
	return pixel.Affine{p.a, -p.b, p.x - m*(p.a-p.b), p.b, p.a, p.y - m*(p.b+p.a)}
}

// move takes a face along from one pose to another.
func (f *Face) move(from, to pose) {
	n := from.a*from.a + from.b*from.b
	if n == 0 {
		return
	}
	// s = to/from as complex numbers: the turn and scale between the two.
	a, b := (to.a*from.a+to.b*from.b)/n, (to.b*from.a-to.a*from.b)/n
	at := func(p Point) Point {
		x, y := p.X-from.x, p.Y-from.y
		return Point{to.x + a*x - b*y, to.y + b*x + a*y}
	}
	for k, p := range f.Keypoints {
		f.Keypoints[k] = at(p)
	}
	// The box stays upright.
	c := at(f.Box.Centre())
	s := float32(math.Sqrt(float64(a*a + b*b)))
	w, h := f.Box.Width()*s/2, f.Box.Height()*s/2
	f.Box = Rect{c.X - w, c.Y - h, c.X + w, c.Y + h}
}

// match is how a frame's patch compares with the kept one.
type match int

const (
	still match = iota // the same place, within noise
	near               // a small movement, followed
	far                // moved further than can be followed
	apart              // looks different
)

// follower keeps a face's patch and finds small movements of it: one
// Gauss-Newton step a frame on shift, turn and scale, with the derivatives
// taken on the kept patch (inverse compositional alignment, Baker and
// Matthews, IJCV 2004), so that they are computed once a detection.
type follower struct {
	patch [patchSide * patchSide]int32 // of the present frame

	want     [patchSide * patchSide]float32    // kept: mean 0, length 1
	slopes   [4][patchSide * patchSide]float32 // how want changes with x, y, turn, scale
	solve    [4][4]float32                     // inverse of slopes * slopes'
	flat     bool                              // nothing in the patch to hold on to
	likeness float32                           // of the last look: its correlation after the step
	origin   pose                              // at the last detection
}

// Limits of following, in parts of the face's width except where it says so.
const (
	stillLimit = 0.004 // below, a movement is noise
	stepLimit  = 0.08  // further in one frame: beyond the step's reach
	totalLimit = 0.30  // further since the last detection
	turnLimit  = 0.15  // in a frame, radian, and parts of the size
	minStart   = 0.50  // correlation below, before the step: no place to start from
	minMatch   = 0.90  // correlation below, after it: another picture
)

// anchor keeps what the face looks like now.
func (w *follower) anchor(img *pixel.Image, at pose) error {
	mean, scale, ok, err := w.look(img, at)
	if err != nil {
		return err
	}
	w.origin = at
	w.flat = !ok
	for i, v := range w.patch {
		w.want[i] = (float32(v) - mean) * scale
	}
	const n = patchSide
	for y := range n {
		for x := range n {
			i := y*n + x
			var gx, gy float32
			if x > 0 && x < n-1 {
				gx = (w.want[i+1] - w.want[i-1]) / 2
			}
			if y > 0 && y < n-1 {
				gy = (w.want[i+n] - w.want[i-n]) / 2
			}
			px, py := float32(x)-(n-1)/2.0, float32(y)-(n-1)/2.0
			w.slopes[0][i] = gx
			w.slopes[1][i] = gy
			w.slopes[2][i] = gy*px - gx*py
			w.slopes[3][i] = gx*px + gy*py
		}
	}
	var h [4][4]float64
	for r := range 4 {
		for c := r; c < 4; c++ {
			var sum float32
			for i, v := range w.slopes[r] {
				sum += v * w.slopes[c][i]
			}
			h[r][c], h[c][r] = float64(sum), float64(sum)
		}
	}
	if !w.flat {
		w.flat = !invert(&h, &w.solve)
	}
	return nil
}

// look reads the patch at a pose, smoothed so that what is finer than it can
// show does not count, and gives its mean, and what makes its length 1 once the
// mean is off: light and exposure then do not count either. It is not ok
// without contrast.
func (w *follower) look(img *pixel.Image, at pose) (mean, scale float32, ok bool, err error) {
	const n = patchSide
	var raw [n * n]uint8
	if err := pixel.Patch(raw[:], n, n, img, at.affine()); err != nil {
		return 0, 0, false, err
	}
	// A binomial filter of 3 x 3, the edge repeated: 16 times the mean.
	var across [n * n]int32
	for y := range n {
		in, out := raw[y*n:][:n], across[y*n:][:n]
		before, here := int32(in[0]), int32(in[0])
		for x := range n - 1 {
			next := int32(in[x+1])
			out[x] = before + 2*here + next
			before, here = here, next
		}
		out[n-1] = before + 3*here
	}
	sum, squares := int64(0), int64(0)
	for y := range n {
		above, here, below := across[max(y-1, 0)*n:][:n], across[y*n:][:n], across[min(y+1, n-1)*n:][:n]
		out := w.patch[y*n:][:n]
		for x := range out {
			v := above[x] + 2*here[x] + below[x]
			out[x] = v
			sum += int64(v)
			squares += int64(v) * int64(v)
		}
	}
	mean = float32(sum) / (n * n)
	variance := float32(float64(squares)/(n*n) - float64(mean)*float64(mean))
	if variance < 4*16*16 {
		return 0, 0, false, nil
	}
	return mean, 1 / float32(math.Sqrt(float64(variance*n*n))), true, nil
}

// step compares the frame's patch at a pose with the kept one and gives
// the pose that fits better. It looks a second time after a larger movement.
func (w *follower) step(img *pixel.Image, at pose) (pose, match, error) {
	moved, m, shift, err := w.once(img, at)
	if err != nil || m != near {
		return at, m, err
	}
	if shift > stepLimit/4 {
		var again match
		if moved, again, _, err = w.once(img, moved); err != nil || again == apart || again == far {
			return at, again, err
		}
	}
	wide := w.origin.a * patchSide
	if distance(Point{moved.x, moved.y}, Point{w.origin.x, w.origin.y}) > totalLimit*wide {
		return moved, far, nil
	}
	return moved, near, nil
}

// once is one Gauss-Newton step; shift is in parts of the face's width.
func (w *follower) once(img *pixel.Image, at pose) (moved pose, m match, shift float32, err error) {
	mean, scale, ok, err := w.look(img, at)
	if err != nil {
		return at, apart, 0, err
	}
	if w.flat || !ok {
		return at, apart, 0, nil
	}
	var squares, gx, gy, gt, gg float32 // each in a register
	x, y, turning, growing := &w.slopes[0], &w.slopes[1], &w.slopes[2], &w.slopes[3]
	for i, v := range w.patch {
		e := (float32(v)-mean)*scale - w.want[i]
		squares += e * e
		gx += e * x[i]
		gy += e * y[i]
		gt += e * turning[i]
		gg += e * growing[i]
	}
	g := [4]float32{gx, gy, gt, gg}
	var p [4]float32
	left := squares // of the difference, after the step
	for r := range p {
		p[r] = w.solve[r][0]*g[0] + w.solve[r][1]*g[1] + w.solve[r][2]*g[2] + w.solve[r][3]*g[3]
		left -= p[r] * g[r]
	}
	// Of two vectors of length 1 the difference's square is 2 - 2*correlation.
	w.likeness = 1 - left/2
	dx, dy, turn, size := p[0], p[1], p[2], p[3]
	shift = float32(math.Hypot(float64(dx), float64(dy))) / patchSide
	twist := max(abs(turn), abs(size))
	switch {
	case w.likeness < minMatch || !(squares < 2*(1-minStart)):
		return at, apart, shift, nil
	case shift < stillLimit && twist < 2*stillLimit:
		return at, still, shift, nil
	case shift > stepLimit || twist > turnLimit:
		return at, far, shift, nil
	}
	// The kept patch moved by p looks like the frame at this pose, so the
	// frame at this pose moved back by p looks like the kept one.
	return at.after(dx, dy, turn, size), near, shift, nil
}

// after gives the pose composed with the inverse of a small movement in patch
// coordinates.
func (p pose) after(dx, dy, turn, size float32) pose {
	// The movement is q = s*p + d with s = 1+size + i*turn; its inverse
	// is p = (q - d)/s.
	sa, sb := 1+size, turn
	n := sa*sa + sb*sb
	ia, ib := sa/n, -sb/n
	ox, oy := -(ia*dx - ib*dy), -(ib*dx + ia*dy)
	return pose{
		x: p.x + p.a*ox - p.b*oy,
		y: p.y + p.b*ox + p.a*oy,
		a: p.a*ia - p.b*ib,
		b: p.b*ia + p.a*ib,
	}
}

func abs(v float32) float32 { return max(v, -v) }

// invert inverts a symmetric positive definite matrix by elimination; false
// where it is nearly singular.
func invert(h *[4][4]float64, out *[4][4]float32) bool {
	var m [4][8]float64
	for r := range 4 {
		copy(m[r][:4], h[r][:])
		m[r][4+r] = 1
	}
	for c := range 4 {
		pivot := m[c][c]
		if !(pivot > 1e-9*h[c][c]) || pivot < 1e-12 {
			return false
		}
		for k := range m[c] {
			m[c][k] /= pivot
		}
		for r := range 4 {
			if r == c {
				continue
			}
			f := m[r][c]
			for k := range m[r] {
				m[r][k] -= f * m[c][k]
			}
		}
	}
	for r := range 4 {
		for c := range 4 {
			out[r][c] = float32(m[r][4+c])
		}
	}
	return true
}
