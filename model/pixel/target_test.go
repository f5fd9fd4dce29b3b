package pixel

import (
	"math/rand/v2"
	"testing"
)

// A quantiser makes just what the table does, and all targets that networks have
// get one.
func TestQuantiserIsTheTable(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 3))
	list := []Target{
		{Type: Int8, Mean: [3]float32{127.5}, Std: [3]float32{127.5}, Scale: 0.00784313958, ZeroPoint: -1},
		{Type: Int8, Mean: [3]float32{127.5}, Std: [3]float32{127.5}, Scale: 1 / 127.5},
		{Type: Int8, Std: [3]float32{255}, Scale: 1.0 / 255, ZeroPoint: -128},
		{Type: Int8, Std: [3]float32{255}, Scale: 0.003921569, ZeroPoint: -128},
		{Type: Int8, Scale: 1, ZeroPoint: -128},
		{Type: Uint8},
		{Type: Uint8, Mean: [3]float32{128}, Std: [3]float32{128}, Scale: 0.0078125, ZeroPoint: 128},
		{Type: Int8, Mean: [3]float32{0.485 * 255}, Std: [3]float32{0.229 * 255}, Scale: 0.0186584, ZeroPoint: -14},
	}
	sure := len(list)
	for range 300 {
		target := Target{Type: Int8, ZeroPoint: rnd.IntN(256) - 128,
			Mean: [3]float32{255 * rnd.Float32()}, Std: [3]float32{0.2 + 300*rnd.Float32()}, Scale: rnd.Float32() / 20}
		if rnd.IntN(2) == 0 {
			target.Type, target.ZeroPoint = Uint8, target.ZeroPoint+128
		}
		list = append(list, target)
	}
	used := 0
	for i, target := range list {
		target.Width, target.Height, target.Channels = 8, 8, 1
		want := target.tables(asItIs)
		q, ok := target.quantiser(&want[0])
		if !ok {
			if i < sure {
				t.Errorf("%+v has no quantiser", target)
			}
			continue
		}
		used++
		for v := range 1021 {
			if got := uint32(q.element(v)); got != want[0][v] {
				t.Fatalf("%+v: %d/4 gives %d, not %d", target, v, got, want[0][v])
			}
		}
	}
	if used < 290 {
		t.Errorf("only %d of %d targets have a quantiser", used, len(list))
	}
	for _, target := range []Target{{Type: Float32}, {Type: Int8, Scale: 1e-9}, {Type: Int8, ZeroPoint: 1 << 20}} {
		target.Width, target.Height, target.Channels = 8, 8, 1
		want := target.tables(asItIs)
		if _, ok := target.quantiser(&want[0]); ok {
			t.Errorf("%+v has a quantiser", target)
		}
	}
}
