package drift

import "mien/firmware/state"

// tell makes the table. The lock is held.
func (w *Watch) tell() {
	t := &state.Drift{State: state.DriftNone, Why: w.changed.Load().Text, Fewest: Fewest}
	b, c := w.kept.Baseline, &w.kept.Course
	w.frame.Lock()
	t.Today, t.TodayRead = w.frame.day.Date, w.frame.day.Read/3600
	w.frame.Unlock()
	if b != nil {
		t.First, t.Last, t.Days, t.By, t.Network, t.DayRead = b.First, b.Last, b.Days, b.By, b.Network, b.Read/3600
		t.Compared, t.Passed, t.PassedWhy = c.Compared, c.Passed, c.Why
		if n := len(c.Days); n > 0 {
			t.Newest = c.Days[n-1].Date
		}
	}
	switch l := w.kept.Learning; {
	case w.damaged != "":
		t.State = state.DriftRefused
	case l != nil:
		t.State, t.Learnt, t.Wants, t.Passed, t.PassedWhy = state.DriftLearns, l.Days, l.Wants, l.Passed, ""
	case b != nil && !w.usable():
		t.State = state.DriftRefused
	case b != nil:
		t.State = state.DriftCompares
	}
	if t.State == state.DriftCompares {
		for i := range b.Of {
			t.Of = append(t.Of, c.row(&b.Of[i], i))
		}
	}
	w.table.Store(t)
}

func (c *Course) row(n *Norm, i int) state.DriftOf {
	back := n.kind.back
	r := state.DriftOf{Name: n.Name, Unit: n.kind.unit(), Days: n.N, Baseline: back(n.Mean), Spread: n.Spread, Since: c.Told[n.Name]}
	r.Between = (back(n.Mean+n.Between) - back(n.Mean-n.Between)) / 2
	r.Below, r.Above = back(n.Mean-n.limits[1]), back(n.Mean+n.limits[1])
	if least := kinds[n.kind].least; n.kind == Pixels {
		r.Below, r.Above = min(r.Below, r.Baseline/(1+least)), max(r.Above, r.Baseline*(1+least))
	} else {
		r.Below, r.Above = min(r.Below, r.Baseline-least), max(r.Above, r.Baseline+least)
	}
	for k, days := range windows {
		if m, ok := c.mean(i, days); ok {
			m = back(m)
			r.Mean[k] = &m
		}
	}
	if n.kind == Share {
		r.Above = min(r.Above, 1)
	}
	if n.kind != Level { // valence goes below 0
		r.Below = max(r.Below, 0)
	}
	return r
}

func (k Kind) unit() string {
	return [...]string{Level: "level", Share: "share of time", Luma: "luma", Pixels: "pixels", Score: "score"}[k]
}
