package main

import (
	"strings"
	"testing"
)

func TestJudge(t *testing.T) {
	series := func(change func(i int, s *sample)) []sample {
		all := make([]sample, 100)
		for i := range all {
			all[i] = sample{rss: 40 + float64(i%3), descriptors: 12, goroutines: 20 + i%2}
			change(i, &all[i])
		}
		return all
	}
	for _, test := range []struct {
		name string
		all  []sample
		want string
	}{
		{"flat", series(func(int, *sample) {}), ""},
		{"a peak", series(func(i int, s *sample) {
			if i%10 == 5 {
				s.rss, s.descriptors, s.goroutines = 90, 30, 50
			}
		}), ""},
		{"warming up", series(func(i int, s *sample) {
			if i < 8 {
				s.rss = 20
			}
		}), ""},
		{"memory leaks", series(func(i int, s *sample) { s.rss += float64(i) / 10 }), "memory"},
		{"a descriptor leaks", series(func(i int, s *sample) { s.descriptors += i / 50 }), "descriptors"},
		{"goroutines leak", series(func(i int, s *sample) { s.goroutines += i / 30 }), "goroutines"},
		{"too short", series(func(int, *sample) {})[:20], "too short"},
	} {
		_, grown := judge(test.all, 4)
		got := strings.Join(grown, "; ")
		if test.want == "" && got != "" || !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
	if resident() < 1 || descriptors() < 3 || heap() <= 0 {
		t.Error("the process itself cannot be measured")
	}
}
