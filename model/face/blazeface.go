package face

import (
	"math"
	"slices"
)

// BlazeFace's output, decoded as MediaPipe's face_detection.pbtxt and its
// calculators SsdAnchors, TensorsToDetections and NonMaxSuppression do.

// Range is one of the two BlazeFace networks. What they find depends on the size of
// the face in what they are shown: of real faces in a whole picture of 640x480 the
// short range, without colour, found a quarter at 80 pixels wide and all at 200. The
// Tracker shows them parts; docs/integration.md has what it finds by size. Larger
// pictures shift these limits in proportion.
type Range int

// The networks.
const (
	Short Range = iota // 128x128
	Full               // 192x192, for a far mounting, at more than three times the cost
)

// String names the range.
func (r Range) String() string {
	if r == Full {
		return "full range"
	}
	return "short range"
}

// values a box: centre, width, height and six keypoints, in input pixels
// relative to the anchor (num_coords).
const coords = 4 + 2*Keypoints

const (
	suppression = 0.3 // min_suppression_threshold, intersection over union
	clipLogit   = 100 // score_clipping_thresh
)

// side gives the input's side in pixels; strides, and how many anchors each of
// their cells has: two for each layer of the short range, whose interpolated
// aspect ratio is set; one for the full range.
func (r Range) layers() (side int, strides, each []int) {
	if r == Full {
		return 192, []int{4}, []int{1}
	}
	return 128, []int{8, 16}, []int{2, 6}
}

// defaultScore is MediaPipe's min_score_thresh.
func (r Range) defaultScore() float32 {
	if r == Full {
		return 0.6
	}
	return 0.5
}

// anchors gives the anchor centres in input pixels (fixed_anchor_size: all are
// as large as the input), in the order of the network's boxes.
func (r Range) anchors() []Point {
	side, strides, each := r.layers()
	var out []Point
	for i, stride := range strides {
		cells := side / stride
		for y := range cells {
			for x := range cells {
				p := Point{(float32(x) + 0.5) * float32(stride), (float32(y) + 0.5) * float32(stride)}
				for range each[i] {
					out = append(out, p)
				}
			}
		}
	}
	return out
}

// logit is the raw score whose sigmoid is p.
func logit(p float32) float32 {
	return float32(math.Log(float64(p) / (1 - float64(p))))
}

func sigmoid(raw float32) float32 {
	raw = min(max(raw, -clipLogit), clipLogit)
	return float32(1 / (1 + math.Exp(-float64(raw))))
}

// decode reads one box; the result is in input pixels from the input's corner.
func decode(raw []float32, anchor Point, score float32) Face {
	raw = raw[:coords]
	x, y := raw[0]+anchor.X, raw[1]+anchor.Y
	w, h := raw[2]/2, raw[3]/2
	f := Face{Box: Rect{x - w, y - h, x + w, y + h}, Score: score}
	for k := range f.Keypoints {
		f.Keypoints[k] = Point{raw[4+2*k] + anchor.X, raw[5+2*k] + anchor.Y}
	}
	return f
}

// suppress merges the candidates that overlap the best one into their mean,
// weighted by score, as long as there are any; the merged face keeps the best
// score. It appends to faces, best first, and uses up the candidates.
func suppress(candidates, faces []Face) []Face {
	slices.SortStableFunc(candidates, func(a, b Face) int {
		switch {
		case a.Score > b.Score:
			return -1
		case a.Score < b.Score:
			return 1
		}
		return 0
	})
	for len(candidates) > 0 {
		best := candidates[0]
		var sum Face
		rest := candidates[:0]
		for i, c := range candidates {
			if i > 0 && overlap(best.Box, c.Box) <= suppression {
				rest = append(rest, c)
				continue
			}
			s := c.Score
			sum.Score += s
			sum.Box.X0 += s * c.Box.X0
			sum.Box.Y0 += s * c.Box.Y0
			sum.Box.X1 += s * c.Box.X1
			sum.Box.Y1 += s * c.Box.Y1
			for k, p := range c.Keypoints {
				sum.Keypoints[k].X += s * p.X
				sum.Keypoints[k].Y += s * p.Y
			}
		}
		n := 1 / sum.Score
		sum.Box = Rect{sum.Box.X0 * n, sum.Box.Y0 * n, sum.Box.X1 * n, sum.Box.Y1 * n}
		for k := range sum.Keypoints {
			sum.Keypoints[k].X *= n
			sum.Keypoints[k].Y *= n
		}
		sum.Score = best.Score
		faces = append(faces, sum)
		candidates = rest
	}
	return faces
}
