package main

import (
	"fmt"
	"math"
	"slices"
)

// groupScore is one score by which groups are compared; it must be the same
// thing in a group and in the rest.
type groupScore struct {
	name  string
	score func(w []float64) float64
}

// enough is how many pictures of a class, or positives of a unit, every group
// needs for it to count in the comparison.
const enough = 5

// mostGroups keeps a group column that holds persons from asking for a thousand
// comparisons.
const mostGroups = 50

// compare scores each group against all other pictures and warns where they
// differ by more than chance.
func (d *data) compare(r *report, s *sampler) {
	members := map[string][]bool{}
	for i, row := range d.rows {
		if row.group == "" {
			continue
		}
		if members[row.group] == nil {
			members[row.group] = make([]bool, len(d.rows))
		}
		members[row.group][i] = true
	}
	if len(members) < 2 {
		if len(members) == 1 {
			r.warn("groups: all pictures are of one group: nothing to compare")
		}
		return
	}
	g := &groupReport{WorstToBest: map[string]number64{}}
	var names []string
	for name, in := range members {
		n := 0
		for _, yes := range in {
			if yes {
				n++
			}
		}
		if n < fewPictures {
			g.Left = append(g.Left, fmt.Sprintf("%s (%d pictures)", name, n))
			continue
		}
		names = append(names, name)
		g.Groups = append(g.Groups, groupScores{Group: name, Pictures: n, Scores: map[string]interval{}, Differences: map[string]interval{}, differs: map[string]bool{}})
	}
	slices.Sort(g.Left)
	if len(names) > mostGroups {
		r.warn("groups: %d groups are too many to compare: the group column is for kinds of people or conditions; persons go in the person column", len(names))
		return
	}
	r.Groups = g
	slices.SortFunc(g.Groups, func(a, b groupScores) int { return compareNames(a.Group, b.Group) })
	in := make([][]bool, len(g.Groups))
	for k := range in {
		in[k] = members[g.Groups[k].Group]
	}
	scores := d.groupScores(in)
	for k := range g.Groups {
		g.Groups[k].compare(in[k], scores, len(g.Groups), s)
	}
	d.rank(r, g)
}

// compareNames sorts "size 24" before "size 112".
func compareNames(a, b string) int {
	for a != "" && b != "" {
		na, ra := digits(a)
		nb, rb := digits(b)
		if na >= 0 && nb >= 0 {
			if na != nb {
				return na - nb
			}
			a, b = ra, rb
			continue
		}
		if a[0] != b[0] {
			return int(a[0]) - int(b[0])
		}
		a, b = a[1:], b[1:]
	}
	return len(a) - len(b)
}

// digits reads the number that a text begins with; -1 for none.
func digits(s string) (int, string) {
	n, k := 0, 0
	for k < len(s) && s[k] >= '0' && s[k] <= '9' && k < 9 {
		n = n*10 + int(s[k]-'0')
		k++
	}
	if k == 0 {
		return -1, s
	}
	return n, s[k:]
}

// compare scores the group and all other pictures, draw by draw.
func (g *groupScores) compare(in []bool, scores []groupScore, groups int, s *sampler) {
	n := len(scores)
	values, rounds := s.samples(3*n, func(w, out []float64) {
		here, rest := make([]float64, len(w)), make([]float64, len(w))
		for i, v := range w {
			if in[i] {
				here[i] = v
			} else {
				rest[i] = v
			}
		}
		for k, sc := range scores {
			out[k], out[n+k] = sc.score(here), sc.score(rest)
			out[2*n+k] = out[k] - out[n+k]
		}
	})
	for k, sc := range scores {
		low, high := spread(rounds[k], 0.95)
		g.Scores[sc.name] = interval{number64(values[k]), number64(low), number64(high)}
		low, high = spread(rounds[2*n+k], 1-0.05/float64(groups))
		g.Differences[sc.name] = interval{number64(values[2*n+k]), number64(low), number64(high)}
		g.differs[sc.name] = low > 0 || high < 0
	}
}

// groupScores are the scores by which the groups are compared: those for which
// every group has enough labels, over classes and units that every group has
// enough of.
func (d *data) groupScores(groups [][]bool) []groupScore {
	every := func(has func(i int) bool) bool {
		for _, in := range groups {
			n := 0
			for i, yes := range in {
				if yes && has(i) {
					n++
				}
			}
			if n < enough {
				return false
			}
		}
		return true
	}
	var out []groupScore
	add := func(name string, score func(w []float64) float64) { out = append(out, groupScore{name, score}) }
	if o := d.card.Outputs.Expression; o != nil && every(func(i int) bool { return d.truth.expression[i] >= 0 }) {
		var shared []int
		for c := range o.Classes {
			if every(func(i int) bool { return d.truth.expression[i] == c }) {
				shared = append(shared, c)
			}
		}
		matrix := func(w []float64) [][]float64 {
			return confusion(d.truth.expression, d.answer.expression, w, len(o.Classes))
		}
		add("accuracy", func(w []float64) float64 { return accuracy(matrix(w)) })
		if len(shared) > 1 {
			add("expression macro F1", func(w []float64) float64 {
				m := matrix(w)
				f := make([]float64, len(shared))
				for k, c := range shared {
					f[k] = classCounts(m, c).f1()
				}
				return meanKnown(f)
			})
		}
	}
	for _, s := range []struct {
		name          string
		truth, answer []float64
	}{{"valence CCC", d.truth.valence, d.answer.valence}, {"arousal CCC", d.truth.arousal, d.answer.arousal}} {
		if every(func(i int) bool { return s.truth[i] == s.truth[i] && s.answer[i] == s.answer[i] }) {
			add(s.name, func(w []float64) float64 { return ccc(s.truth, s.answer, w) })
		}
	}
	type shared struct {
		ranking   ranking
		threshold float64
	}
	var units []shared
	for k, u := range d.units {
		if every(func(i int) bool {
			return d.truth.units[k][i] >= d.positive && d.answer.units[k][i] == d.answer.units[k][i]
		}) {
			t, _ := d.card.Threshold(u)
			units = append(units, shared{newRanking(d.answer.units[k], d.truth.units[k], d.positive), float64(t)})
		}
	}
	if len(units) > 0 {
		add("action unit macro F1", func(w []float64) float64 {
			f := make([]float64, len(units))
			for k := range units {
				f[k] = units[k].ranking.at(units[k].threshold, w).f1()
			}
			return meanKnown(f)
		})
	}
	return out
}

// rank finds the worst and the best group by each score, and warns.
func (d *data) rank(r *report, g *groupReport) {
	for _, name := range []string{"accuracy", "expression macro F1", "valence CCC", "arousal CCC", "action unit macro F1"} {
		worst, best := -1, -1
		for k := range g.Groups {
			v, ok := g.Groups[k].Scores[name]
			if !ok || !v.known() {
				continue
			}
			if worst < 0 || v.Value < g.Groups[worst].Scores[name].Value {
				worst = k
			}
			if best < 0 || v.Value > g.Groups[best].Scores[name].Value {
				best = k
			}
		}
		if worst < 0 {
			continue
		}
		g.scores = append(g.scores, name)
		ratio := number64(math.NaN())
		if top := g.Groups[best].Scores[name].Value; top > 0 {
			ratio = g.Groups[worst].Scores[name].Value / top
		}
		g.WorstToBest[name] = ratio
		differ := false
		for k := range g.Groups {
			if x := &g.Groups[k]; x.differs[name] {
				differ = true
				diff := x.Differences[name]
				r.warn("groups: %s of %s is %.3f, %+.3f against all other pictures (interval for all groups together %+.3f to %+.3f): more than chance",
					name, x.Group, x.Scores[name].Value, diff.Value, diff.Low, diff.High)
			}
		}
		if ratio < 0.9 {
			chance := ""
			if !differ {
				chance = ", but no group differs from the others by more than chance: more pictures would tell"
			}
			r.warn("groups: %s of %s is %.2f of that of %s%s", name, g.Groups[worst].Group, ratio, g.Groups[best].Group, chance)
		}
	}
	if len(g.Left) > 0 {
		r.warn("groups: too few pictures to compare (less than %d): %s", fewPictures, list(g.Left))
	}
}

func list(words []string) string {
	text := ""
	for i, w := range words {
		if i == 12 {
			return text + fmt.Sprintf(" and %d more", len(words)-i)
		}
		if i > 0 {
			text += ", "
		}
		text += w
	}
	return text
}
