package pixel

// running says what of a box, in parts of one, lies in its first 0, 1, 2, ...
// 1/256 samples.
type running [(largeBox + 2) << 8]int32

// fill makes the table for a box of size/256 samples.
func (r *running) fill(size int, one int32) {
	step := (int64(one)<<32 + int64(size)/2) / int64(size)
	sum := int64(1) << 31
	for i := range r {
		r[i] = min(int32(sum>>32), one)
		sum += step
	}
}

// weights gives what falls to each of the first taps samples of a box that begins
// phase/256 into the first of them: the differences of rounded running sums, so
// that the sum of all is one.
func (r *running) weights(phase, taps int) (w [largeBox + 1]int32) {
	before := int32(0)
	for tap := range w[:taps] {
		sum := r[(tap+1)<<8-phase]
		w[tap] = sum - before
		before = sum
	}
	return w
}
