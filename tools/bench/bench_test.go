package main

import (
	"strings"
	"testing"
)

func TestMedianAndQuantile(t *testing.T) {
	list := []float64{9, 1, 5, 3, 7}
	if m := median(list); m != 5 {
		t.Errorf("median %g", m)
	}
	if q := quantile(list, 0.99); q != 9 {
		t.Errorf("quantile %g", q)
	}
	if list[0] != 9 {
		t.Error("the list was sorted in place")
	}
}

// The document says which figures are missed, and which were not measured.
func TestDocumentIsHonest(t *testing.T) {
	f := figures{"pipeline_over_invoke": 1.3, "mjpeg_over_bare": 1.05, "python_cpu_over_mien": 1.04, "rss_mb": 35, "allocs_per_frame": 0}
	text := document(f, nil, nil, 3, "1.25", "2.50")
	for _, want := range []string{
		"| 1.300 | **missed**: <= 1.053 |", "| 1.050 | <= 1.1 |", "| 1.04 | **missed**: >= 1.05 |", "| 0.000 | <= 0 |",
		"| not measured | >= 7 |", "load average of 1.25 at the start and 2.50 at the end", "Missed in this run: `pipeline_over_invoke`, `python_cpu_over_mien`.",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the document does not say %q", want)
		}
	}
}

// The schedule is the one by which the unit runs its networks.
func TestSchedule(t *testing.T) {
	c, err := loadClip()
	if err != nil {
		t.Fatal(err)
	}
	if !c.detected[0] || len(c.detected) != warmup+counted || len(c.inferred) != warmup+counted {
		t.Fatalf("%d frames, the first searched: %v", len(c.detected), c.detected[0])
	}
	if s := share(c.detected); s < 1.0/15 || s > 0.2 {
		t.Errorf("%.0f%% of the frames searched", 100*s)
	}
	if r := share(c.inferred); r < 0.95 {
		t.Errorf("%.0f%% of the frames read", 100*r)
	}
}
