package affect

import "slices"

// blend mixes the base signals of networks by name.
type blend struct {
	signals [][]term    // what each signal is made of
	rows    [][]float32 // levels of each network, in its own order
	weights []float32
}

// term is one network's share in a signal.
type term struct {
	network, at int
	weight      float32 // of all terms of a signal: sum 1
}

func newBlend(signals []string, cards []*Card, weights []float32) blend {
	b := blend{signals: make([][]term, len(signals)), weights: weights}
	if weights == nil {
		b.weights = slices.Repeat([]float32{1}, len(cards))
	}
	for n, c := range cards {
		names := baseSignals([]*Card{c})
		b.rows = append(b.rows, make([]float32, len(names)))
		for at, name := range names {
			i := slices.Index(signals, name)
			b.signals[i] = append(b.signals[i], term{n, at, b.weights[n]})
		}
	}
	for _, terms := range b.signals {
		var sum float32
		for _, t := range terms {
			sum += t.weight
		}
		for i := range terms {
			terms[i].weight /= sum
		}
	}
	return b
}

// levels fills the base signals. One that any network with that signal calls
// Unknown (its region is covered) is Unknown: a network that cannot see covers
// would make a calm zero of it.
func (b *blend) levels(dst []float32, results []*Result) {
	for n, r := range results {
		r.Levels(b.rows[n])
	}
	for i, terms := range b.signals {
		var v float32
		for _, t := range terms {
			v += t.weight * b.rows[t.network][t.at]
		}
		dst[i] = v
	}
}

// eyesClosedAt is the cards' level of AU43 for closed eyes, blended as AU43.
func (b *blend) eyesClosedAt(cards []*Card) float32 {
	var sum, weight float32
	for n, c := range cards {
		if _, has := c.Threshold(unitEyesClosed); has {
			sum += b.weights[n] * c.eyesClosedAt()
			weight += b.weights[n]
		}
	}
	if weight == 0 {
		return closedShare
	}
	return sum / weight
}
