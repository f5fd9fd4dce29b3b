package main

import (
	"fmt"
	"math"
	"slices"
)

// comparison is the scores by which groups are compared: each must be the same
// thing in a group and in the rest. Average precision rises with the share of
// positives, and the calibration error falls with the number of pictures,
// whatever the network does: they are listed for each group, but not compared.
type comparison struct {
	common []string               // scores over all classes and units
	units  []string               // of one unit each, behind the common ones
	family int                    // how many units there are
	score  func(w, out []float64) // fills one value a name
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
	c := d.comparison(in)
	g.scores, g.units = c.common, c.units
	for k := range g.Groups {
		x := &g.Groups[k]
		x.compare(in[k], c, len(g.Groups), s)
		x.All.Warnings = []string{}
		alone := d.of(in[k])
		alone.score(&x.All, newSampler(alone.persons(), s.rounds, s.seed))
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
func (g *groupScores) compare(in []bool, c *comparison, groups int, s *sampler) {
	names := slices.Concat(c.common, c.units)
	n := len(names)
	values, rounds := s.samples(3*n, func(w, out []float64) {
		here, rest := make([]float64, len(w)), make([]float64, len(w))
		for i, v := range w {
			if in[i] {
				here[i] = v
			} else {
				rest[i] = v
			}
		}
		c.score(here, out[:n])
		c.score(rest, out[n:2*n])
		for k := range n {
			out[2*n+k] = out[k] - out[n+k]
		}
	})
	for k, name := range names {
		alike := groups // so many comparisons are of one kind
		if k >= len(c.common) {
			alike *= c.family
		}
		low, high := spread(rounds[k], 0.95)
		g.Scores[name] = interval{number64(values[k]), number64(low), number64(high)}
		low, high = spread(rounds[2*n+k], 1-0.05/float64(alike))
		g.Differences[name] = interval{number64(values[2*n+k]), number64(low), number64(high)}
		g.differs[name] = low > 0 || high < 0
	}
}

// comparison gives the scores for which every group has enough labels, over
// classes and units that every group has enough of.
func (d *data) comparison(groups [][]bool) *comparison {
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
	c := &comparison{}
	var classes []int
	if o := d.card.Outputs.Expression; o != nil && every(func(i int) bool { return d.truth.expression[i] >= 0 }) {
		c.common = append(c.common, "accuracy")
		for k := range o.Classes {
			if every(func(i int) bool { return d.truth.expression[i] == k }) {
				classes = append(classes, k)
			}
		}
		if len(classes) > 1 {
			c.common = append(c.common, "expression macro F1")
		}
	}
	both := func(truth, answer []float64) bool {
		return every(func(i int) bool { return truth[i] == truth[i] && answer[i] == answer[i] })
	}
	valence, arousal := both(d.truth.valence, d.answer.valence), both(d.truth.arousal, d.answer.arousal)
	if valence {
		c.common = append(c.common, "valence CCC")
	}
	if arousal {
		c.common = append(c.common, "arousal CCC")
	}
	var rankings []ranking
	var thresholds []float64
	for k, u := range d.units {
		if every(func(i int) bool {
			return d.truth.units[k][i] >= d.present(k) && d.answer.units[k][i] == d.answer.units[k][i]
		}) {
			t, _ := d.card.Threshold(u)
			rankings, thresholds = append(rankings, newRanking(d.answer.units[k], d.truth.units[k], d.present(k))), append(thresholds, float64(t))
			c.units = append(c.units, fmt.Sprintf("AU%d F1", u), fmt.Sprintf("AU%d AUC", u))
		}
	}
	if c.family = len(rankings); c.family > 0 {
		c.common = append(c.common, "action unit macro F1", "action unit AUC")
	}
	mtl := len(classes) > 1 && valence && arousal && len(rankings) > 0
	if mtl {
		c.common = append(c.common, "P_MTL")
	}
	n, labelled := len(c.common), slices.Contains(c.common, "accuracy")
	c.score = func(w, out []float64) {
		at := 0
		put := func(v float64) float64 {
			out[at] = v
			at++
			return v
		}
		var sum float64 // P_MTL
		if labelled {
			m := confusion(d.truth.expression, d.answer.expression, w, len(d.card.Outputs.Expression.Classes))
			put(accuracy(m))
			if len(classes) > 1 {
				f := make([]float64, len(classes))
				for i, k := range classes {
					f[i] = classCounts(m, k).f1()
				}
				sum += put(meanKnown(f))
			}
		}
		if valence {
			sum += put(ccc(d.truth.valence, d.answer.valence, w)) / 2
		}
		if arousal {
			sum += put(ccc(d.truth.arousal, d.answer.arousal, w)) / 2
		}
		if len(rankings) > 0 {
			f, auc := make([]float64, len(rankings)), make([]float64, len(rankings))
			for k := range rankings {
				f[k], auc[k] = rankings[k].at(thresholds[k], w).f1(), rankings[k].auc(w)
				out[n+2*k], out[n+2*k+1] = f[k], auc[k]
			}
			sum += put(meanKnown(f))
			put(meanKnown(auc))
		}
		if mtl {
			put(sum)
		}
	}
	return c
}

// mostUnitWarnings is how many differences of single units are listed one by one.
const mostUnitWarnings = 12

// rank finds the worst and the best group by each score, and warns.
func (d *data) rank(r *report, g *groupReport) {
	g.scores = slices.DeleteFunc(slices.Clone(g.scores), func(name string) bool {
		worst, _ := g.ends(name)
		return worst == nil
	})
	for _, name := range slices.Concat(g.scores, g.units) {
		ratio := number64(math.NaN())
		if worst, best := g.ends(name); worst != nil && best.Scores[name].Value > 0 {
			ratio = worst.Scores[name].Value / best.Scores[name].Value
		}
		g.WorstToBest[name] = ratio
	}
	for _, name := range g.scores {
		n := g.warn(r, name, len(g.Groups))
		if ratio := g.WorstToBest[name]; ratio < 0.9 {
			chance := ""
			if n == 0 {
				chance = ", but no group differs from the others by more than chance: more pictures would tell"
			}
			worst, best := g.ends(name)
			r.warn("groups: %s of %s is %.2f of that of %s%s", name, worst.Group, ratio, best.Group, chance)
		}
	}
	n := 0
	for _, name := range g.units {
		n += g.warn(r, name, max(mostUnitWarnings-n, 0))
	}
	if n > mostUnitWarnings {
		r.warn("groups: %d more differences of single units: the tables mark them", n-mostUnitWarnings)
	}
	if len(g.Left) > 0 {
		r.warn("groups: too few pictures to compare (less than %d): %s", fewPictures, list(g.Left))
	}
}

// ends finds the groups with the lowest and the highest score; nil where no
// group has one.
func (g *groupReport) ends(name string) (worst, best *groupScores) {
	for k := range g.Groups {
		x := &g.Groups[k]
		if v := x.Scores[name]; v.known() {
			if worst == nil || v.Value < worst.Scores[name].Value {
				worst = x
			}
			if best == nil || v.Value > best.Scores[name].Value {
				best = x
			}
		}
	}
	return worst, best
}

// warn tells of the groups that differ by a score, of most of them at most, and
// gives how many do.
func (g *groupReport) warn(r *report, name string, most int) (n int) {
	for k := range g.Groups {
		x := &g.Groups[k]
		if !x.differs[name] {
			continue
		}
		if n++; n <= most {
			diff := x.Differences[name]
			r.warn("groups: %s of %s is %.3f, %+.3f against all other pictures (interval for all such comparisons together %+.3f to %+.3f): more than chance",
				name, x.Group, x.Scores[name].Value, diff.Value, diff.Low, diff.High)
		}
	}
	return n
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
