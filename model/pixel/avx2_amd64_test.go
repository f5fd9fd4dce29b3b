package pixel

import "testing"

// The plain path must be right too where the processor running the tests has
// vector registers.
func TestFillWithoutVectors(t *testing.T) {
	if !hasAVX2 {
		t.Skip("this processor has no AVX2: the other tests take the plain path")
	}
	hasAVX2 = false
	defer func() { hasAVX2 = true }()
	t.Run("random maps", TestFillByRandomMaps)
	t.Run("inside", TestFillStaysInside)
	t.Run("mounted", TestFillOfAMountedCamera)
}

// The kernels make of each quarter just the element that the table has.
func TestBoxesQuantiseLikeTheTable(t *testing.T) {
	if !hasAVX2 {
		t.Skip("this processor has no AVX2")
	}
	for _, target := range []Target{
		{Type: Int8, Mean: [3]float32{127.5}, Std: [3]float32{127.5}, Scale: 0.00784313958, ZeroPoint: -1},
		{Type: Uint8},
		{Type: Uint8, Mean: [3]float32{100}, Std: [3]float32{3}, Scale: 0.3, ZeroPoint: 7},
	} {
		want := target.tables(asItIs)
		q, ok := target.quantiser(&want[0])
		if !ok {
			t.Fatalf("%+v has no quantiser", target)
		}
		var x [256][8]int16
		var y4 [256][16]uint8
		var y8 [256][64]uint8
		x[0] = [8]int16{1 << 14} // the first column; boxes4 has it once for each pair of rows
		x4 := x
		x4[0][4] = 1 << 14
		for v := range 1021 {
			upper, lower := byte(v/4)^0x80, byte(min(v/4+1, 255))^0x80
			patch := make([]byte, 16*16*2)
			for i := 0; i < len(patch); i += 2 {
				patch[i], patch[i+1] = upper, lower
			}
			share := uint8(v % 4 * 64) // of the lower row
			if share == 0 {
				lower = upper
				for i := 1; i < len(patch); i += 2 {
					patch[i] = lower
				}
				share = 128
			}
			for i := 0; i < 8; i += 2 {
				y4[0][i], y4[0][i+1] = -share, share
			}
			for i := 0; i < 16; i += 2 {
				y8[0][i], y8[0][i+1] = -share, share
			}
			var small, large [8]byte
			boxes4(&small[0], 8, &patch[0], 16, 0, 0, 0, 0, &x4, &y4, &q, &patch[0], 0, 0)
			boxes8(&large[0], 8, &patch[0], 16, 0, 0, 0, 0, &x, &y8, &q)
			for i := range 8 {
				if uint32(small[i]) != want[0][v] || uint32(large[i]) != want[0][v] {
					t.Fatalf("%+v: %d/4 gives %d and %d, not %d", target, v, small[i], large[i], want[0][v])
				}
			}
		}
	}
}
