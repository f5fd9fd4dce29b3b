package tune

import "math"

// UsualEvents is how many true events it takes, over some 90 sessions, until Search
// recommends a limit in most pilots: see TestByChance, whose lines have 5 to 6 a shift.
const UsualEvents = 500

// FewestShifts gives how many shifts must be observed, with so many false alarms in
// them, before the upper bound is at most so many a shift. differ is how much more
// than by chance sessions differ, as a ratio of variances; 1 is not at all.
func FewestShifts(most float64, seen int, differ float64) float64 {
	_, high := poisson(float64(seen) / differ)
	return high * differ / most
}

// FewestEvents gives how many true events must be observed, with so many of them
// missed, before the upper bound of the missed share is at most most, which is
// within 0 and 1.
func FewestEvents(most float64, missed int, differ float64) int {
	good := func(n float64) bool {
		_, high := binomial(float64(missed)/differ, n/differ)
		return high <= most
	}
	low, high := float64(missed), float64(missed)+1
	for !good(high) {
		low, high = high, 2*high
	}
	for high-low > 1 {
		if middle := math.Floor((low + high) / 2); good(middle) {
			high = middle
		} else {
			low = middle
		}
	}
	return max(int(high), fewestEvents)
}
