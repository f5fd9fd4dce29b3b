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
