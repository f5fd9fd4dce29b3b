package main

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"sync"
)

// number64 is a float64 that JSON holds as null where it is not defined, and in
// six digits where it is.
type number64 float64

func (v number64) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, float64(v), 'g', 6, 64), nil
}

func (v *number64) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		*v = number64(math.NaN())
		return nil
	}
	return json.Unmarshal(text, (*float64)(v))
}

// interval is a score with its 95 % bootstrap interval.
type interval struct {
	Value number64 `json:"value"`
	Low   number64 `json:"low"`
	High  number64 `json:"high"`
}

func (s interval) known() bool { return s.Value == s.Value }

// sampler draws pictures with replacement; pictures of one person are drawn
// together, since they are not independent of each other.
type sampler struct {
	clusters [][]int // pictures
	pictures int
	rounds   int
	seed     uint64
}

func newSampler(persons []string, rounds int, seed uint64) *sampler {
	s := &sampler{pictures: len(persons), rounds: rounds, seed: seed}
	at := map[string]int{}
	for i, p := range persons {
		if k, known := at[p]; known && p != "" {
			s.clusters[k] = append(s.clusters[k], i)
			continue
		}
		at[p] = len(s.clusters)
		s.clusters = append(s.clusters, []int{i})
	}
	return s
}

// draw sets how often each picture counts in a round. A round's draw depends on
// the seed and its number alone.
func (s *sampler) draw(round int, w []float64) {
	rng := rand.New(rand.NewPCG(s.seed, uint64(round)))
	clear(w)
	for range s.clusters {
		for _, i := range s.clusters[rng.IntN(len(s.clusters))] {
			w[i]++
		}
	}
}

func ones(n int) []float64 { return slices.Repeat([]float64{1}, n) }

// run computes scores for the pictures as they are and for each round, and gives
// intervals. score fills one value for each name and must not keep w; it runs
// on several goroutines.
func (s *sampler) run(names int, score func(w []float64, out []float64)) []interval {
	values, rounds := s.samples(names, score)
	out := make([]interval, names)
	for k := range out {
		low, high := spread(rounds[k], 0.95)
		out[k] = interval{number64(values[k]), number64(low), number64(high)}
	}
	return out
}

// samples gives the plain scores, and for each score those of the rounds.
func (s *sampler) samples(names int, score func(w []float64, out []float64)) (values []float64, rounds [][]float64) {
	values = make([]float64, names)
	score(ones(s.pictures), values)
	rounds = make([][]float64, names)
	for k := range rounds {
		rounds[k] = make([]float64, s.rounds)
	}
	var wg sync.WaitGroup
	workers := runtime.NumCPU()
	for worker := range workers {
		wg.Go(func() {
			w, out := make([]float64, s.pictures), make([]float64, names)
			for round := worker; round < s.rounds; round += workers {
				s.draw(round, w)
				score(w, out)
				for k, v := range out {
					rounds[k][round] = v
				}
			}
		})
	}
	wg.Wait()
	return values, rounds
}

// spread gives the bounds that hold the middle share of samples; NaN where less
// than half of them are defined.
func spread(samples []float64, share float64) (low, high float64) {
	known := slices.DeleteFunc(slices.Clone(samples), math.IsNaN)
	if len(known) == 0 || 2*len(known) < len(samples) {
		return math.NaN(), math.NaN()
	}
	slices.Sort(known)
	return quantile(known, (1-share)/2), quantile(known, (1+share)/2)
}

// quantile interpolates between the order statistics of a sorted list.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}
