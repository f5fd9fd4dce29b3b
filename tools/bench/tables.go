package main

import (
	"fmt"
	"os"
	"strings"

	"mien/tools/bench/reel"
)

// row is one line of a table: what the unit costs on one kind of picture.
type row struct {
	name           string
	clip           *clip
	searches       float64 // share of the frames on which the unit searches for faces
	read           float64 // share on which it runs the affect network
	pipeline, bare []float64
}

// few pictures are enough for a table: three seconds, again and again.
const few = 3 * reel.FPS

func newRow(name string, r *reel.Reel) (*row, error) {
	c, err := schedule(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &row{name: name, clip: c, searches: share(c.detected[warmup:]), read: share(c.inferred[warmup:])}, nil
}

func share(list []bool) float64 {
	n := 0
	for _, b := range list {
		if b {
			n++
		}
	}
	return float64(n) / float64(len(list))
}

// measure lets all rows take turns.
func measure(rows []*row, rounds int) error {
	bare, err := openBare()
	if err != nil {
		return err
	}
	defer bare.close()
	for range rounds {
		for _, r := range rows {
			p, _, err := unitCost(r.clip, false)
			if err != nil {
				return err
			}
			r.pipeline, r.bare = append(r.pipeline, p), append(r.bare, bare.cost(r.clip, false, true))
		}
	}
	return nil
}

// table writes one in Markdown.
func table(b *strings.Builder, first string, rows []*row) {
	fmt.Fprintf(b, "| %s | whole unit, ms a frame | networks alone, ms a frame | the rest, ms a frame | frames searched for faces | frames read |\n|---|---|---|---|---|---|\n", first)
	for _, r := range rows {
		var rest []float64 // of each round, whose two runs were side by side
		for i := range r.pipeline {
			rest = append(rest, r.pipeline[i]-r.bare[i])
		}
		fmt.Fprintf(b, "| %s | %.3f | %.3f | %.3f | %.0f%% | %.0f%% |\n", r.name, median(r.pipeline), median(r.bare), median(rest), 100*r.searches, 100*r.read)
	}
}

// writeTables measures cost by picture size and by faces, and writes them with
// the figures to a document.
func writeTables(f figures, c *clip, path string, rounds int, before string) error {
	var sizes, faces []*row
	for _, s := range [][2]int{{320, 240}, {640, 480}, {1280, 720}, {1920, 1080}} {
		r, err := newRow(fmt.Sprintf("%d x %d", s[0], s[1]), c.Scaled(s[0], s[1], few))
		if err != nil {
			return err
		}
		sizes = append(sizes, r)
	}
	for _, n := range []int{0, 1, 2, 4} {
		r, err := newRow(fmt.Sprint(n), c.Faces(n, few))
		if err != nil {
			return err
		}
		faces = append(faces, r)
	}
	if err := measure(append(sizes[:len(sizes):len(sizes)], faces...), rounds); err != nil {
		return err
	}
	var b strings.Builder
	table(&b, "picture", sizes)
	b.WriteString("\n")
	table(&b, "faces", faces)
	fmt.Print(b.String())
	if err := os.WriteFile(path, []byte(document(f, sizes, faces, rounds, before, loadAverage())), 0o644); err != nil {
		return err
	}
	fmt.Println("written:", path)
	return nil
}
