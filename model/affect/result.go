package affect

// Result is what a network says of one face in one frame. Slices follow the
// order of the card; a network that lacks an output leaves its slice empty,
// and Valence and Arousal NaN. NaN is Unknown.
type Result struct {
	Expression       []float32 // probabilities, 0..1
	Valence, Arousal float32   // -1..1
	// ActionUnits are levels, 0..1; those of a covered region are NaN.
	ActionUnits []float32
	// Uncovered are the same levels without regard to what is covered: for
	// measuring a network, never for an alarm.
	Uncovered []float32
	Visible   []float32 // probability that the part is uncovered, 0..1
	Covered   uint8     // bit i: part i of the card is covered

	hasAffect bool
}

// Levels fills dst in the order of Signals(card). The signals that a Stage
// makes (compound expressions, closure) stay Unknown here.
func (r *Result) Levels(dst []float32) {
	n := copy(dst, r.Expression)
	if r.hasAffect {
		n += copy(dst[n:], []float32{r.Valence, r.Arousal})
	}
	n += copy(dst[n:], r.ActionUnits)
	n += copy(dst[n:], r.Visible)
	for i := n; i < len(dst); i++ {
		dst[i] = unknown
	}
}

// size gives the slices the lengths that the card asks for, once.
func (r *Result) size(c *Card) {
	fit := func(s []float32, n int) []float32 {
		if len(s) == n {
			return s
		}
		return make([]float32, n)
	}
	var classes, units, parts int
	if o := c.Outputs.Expression; o != nil {
		classes = len(o.Classes)
	}
	if o := c.Outputs.ActionUnits; o != nil {
		units = len(o.Units)
	}
	if o := c.Outputs.Visibility; o != nil {
		parts = len(o.Parts)
	}
	r.Expression = fit(r.Expression, classes)
	r.ActionUnits = fit(r.ActionUnits, units)
	r.Uncovered = fit(r.Uncovered, units)
	r.Visible = fit(r.Visible, parts)
	r.hasAffect = c.Outputs.ValenceArousal != nil
	if !r.hasAffect {
		r.Valence, r.Arousal = unknown, unknown
	}
	r.Covered = 0
}
