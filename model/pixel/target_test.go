package pixel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Whole numbers make the elements that the rule makes, but where it lies halfway.
func TestQuantiserFollowsTheRule(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 3))
	used := 0
	for range 300 {
		target := Target{Width: 8, Height: 8, Channels: 1, Type: Int8, ZeroPoint: rnd.IntN(256) - 128,
			Mean: [3]float32{255 * rnd.Float32()}, Std: [3]float32{0.2 + 300*rnd.Float32()}, Scale: rnd.Float32() / 20}
		if rnd.IntN(2) == 0 {
			target.Type, target.ZeroPoint = Uint8, target.ZeroPoint+128
		}
		if rnd.IntN(4) == 0 {
			target.Mean, target.Std, target.Scale = [3]float32{}, [3]float32{}, 0
		}
		q, ok := target.quantiser(0)
		if !ok {
			continue
		}
		used++
		for v := range 1021 {
			got := float64(int8(q.element(v)))
			if target.Type == Uint8 {
				got = float64(q.element(v))
			}
			x := float64(v)/4 + 1e-9
			low, high := element(target, 0, x), element(target, 0, x)
			for _, near := range []float64{-1e-3, 1e-3} { // of an element
				std, scale := float64(target.Std[0]), float64(target.Scale)
				if std == 0 {
					std, scale = 1, 1
				}
				e := element(target, 0, x+near*std*scale)
				low, high = math.Min(low, e), math.Max(high, e)
			}
			if got < low || got > high {
				t.Fatalf("%+v: %d/4 gives %v, not %v to %v", target, v, got, low, high)
			}
		}
	}
	if used < 250 {
		t.Errorf("only %d of 300 targets had a quantiser", used)
	}
	if _, ok := (Target{Channels: 1, Type: Float32}).quantiser(0); ok {
		t.Error("floats have a quantiser")
	}
	if _, ok := (Target{Channels: 1, Type: Int8, Scale: 1e-9}).quantiser(0); ok {
		t.Error("a scale of 1e-9 has a quantiser")
	}
}
