package face

import (
	"math"
	"testing"
)

func TestAnchors(t *testing.T) {
	short := Short.anchors()
	if len(short) != 896 {
		t.Fatalf("short range: %d anchors, the network has 896 boxes", len(short))
	}
	// 16x16 cells of 8 pixels with 2 anchors each, then 8x8 of 16 with 6.
	for i, want := range map[int]Point{0: {4, 4}, 1: {4, 4}, 2: {12, 4}, 32: {4, 12}, 511: {124, 124}, 512: {8, 8}, 517: {8, 8}, 518: {24, 8}, 895: {120, 120}} {
		if short[i] != want {
			t.Errorf("short range: anchor %d at %v, want %v", i, short[i], want)
		}
	}
	full := Full.anchors()
	if len(full) != 2304 {
		t.Fatalf("full range: %d anchors, the network has 2304 boxes", len(full))
	}
	for i, want := range map[int]Point{0: {2, 2}, 1: {6, 2}, 48: {2, 6}, 2303: {190, 190}} {
		if full[i] != want {
			t.Errorf("full range: anchor %d at %v, want %v", i, full[i], want)
		}
	}
}

func TestDecode(t *testing.T) {
	raw := make([]float32, coords)
	copy(raw, []float32{1, -2, 20, 30, 3, 4, 5, 6})
	f := decode(raw, Point{60, 44}, 0.7)
	if f.Box != (Rect{51, 27, 71, 57}) || f.Score != 0.7 {
		t.Errorf("box %v, score %v", f.Box, f.Score)
	}
	if f.Keypoints[RightEye] != (Point{63, 48}) || f.Keypoints[LeftEye] != (Point{65, 50}) || f.Keypoints[LeftEar] != (Point{60, 44}) {
		t.Errorf("keypoints %v", f.Keypoints)
	}
}

func TestScores(t *testing.T) {
	for p, raw := range map[float32]float32{0.5: 0, 0.75: 1.0986123, 0.25: -1.0986123} {
		if got := sigmoid(raw); math.Abs(float64(got-p)) > 1e-6 {
			t.Errorf("sigmoid(%v) = %v, want %v", raw, got, p)
		}
		if got := logit(p); math.Abs(float64(got-raw)) > 1e-6 {
			t.Errorf("logit(%v) = %v, want %v", p, got, raw)
		}
	}
	if high, low := sigmoid(1e30), sigmoid(-1e30); high != 1 || !(low >= 0 && low < 1e-30) {
		t.Errorf("sigmoid of what is clipped: %v, %v", high, low)
	}
}

func TestSuppressMergesByScore(t *testing.T) {
	at := func(x, y, side, score float32) Face {
		f := Face{Box: Rect{x, y, x + side, y + side}, Score: score}
		for k := range f.Keypoints {
			f.Keypoints[k] = Point{x + float32(k), y}
		}
		return f
	}
	// Two pairs that overlap, far from each other, and one alone, worst first.
	got := suppress([]Face{at(300, 0, 20, 0.55), at(102, 100, 40, 0.6), at(4, 0, 40, 0.6), at(0, 0, 40, 0.9), at(100, 100, 40, 0.6)}, nil)
	if len(got) != 3 {
		t.Fatalf("%d faces: %v", len(got), got)
	}
	near := func(a, b float32) bool { return math.Abs(float64(a-b)) < 1e-3 }
	x := float32(4*0.6) / (0.6 + 0.9) // the mean of 0 and 4, weighted
	if f := got[0]; f.Score != 0.9 || !near(f.Box.X0, x) || !near(f.Box.X1, x+40) || !near(f.Keypoints[Mouth].X, x+Mouth) {
		t.Errorf("first %v", f)
	}
	if f := got[1]; f.Score != 0.6 || !near(f.Box.X0, 101) || !near(f.Box.Y0, 100) {
		t.Errorf("second %v", f)
	}
	if f := got[2]; f.Box != (Rect{300, 0, 320, 20}) {
		t.Errorf("third %v", f)
	}
	if got := suppress(nil, got[:0]); len(got) != 0 {
		t.Errorf("of nothing: %v", got)
	}
}

func TestInsaneBoxesAreDropped(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	good := Face{Box: Rect{0, 0, 10, 10}}
	if !good.sane() {
		t.Error("a good box is not sane")
	}
	for _, f := range []Face{
		{Box: Rect{nan, 0, 10, 10}}, {Box: Rect{0, 0, inf, 10}}, {Box: Rect{10, 0, 0, 10}}, {Box: Rect{0, 0, 10, 0}},
		{Box: Rect{0, 0, 10, 10}, Keypoints: [Keypoints]Point{2: {nan, 0}}},
	} {
		if f.sane() {
			t.Errorf("%v is sane", f)
		}
	}
}
