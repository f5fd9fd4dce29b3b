package pixel

// shares says what of a box of size/256 samples, in parts of one, falls to each
// sample.
type shares struct {
	step int64 // of one 1/256 sample, in 1/2^32
	one  int32
}

func newShares(size int, one int32) shares {
	return shares{step: (int64(one)<<32 + int64(size)/2) / int64(size), one: one}
}

// weights gives what falls to each of the first taps samples of a box that begins
// phase/256 into the first of them: the differences of rounded running sums, so
// that the sum of all is one.
func (s *shares) weights(phase, taps int) (w [2 * maxTaps]int32) {
	before := int32(0)
	sum := int64(1)<<31 - int64(phase)*s.step
	for tap := range w[:taps] {
		sum += s.step << 8
		here := min(int32(sum>>32), s.one)
		w[tap] = here - before
		before = here
	}
	return w
}
