package affect

import "time"

// Views makes levels of what the networks say of the views of a face, frame by
// frame: as it is, or as in a mirror. A unit that looks and one whose recording
// is computed again both go through it. It allocates nothing after the first
// frames, and belongs to one goroutine.
type Views struct {
	networks []*Network
	seen     []seen // of each network
	results  []*Result
	stage    *Stage
}

// seen is what one network said: of the newest frame in each view, and their mean.
type seen struct {
	views [2]Result
	mean  Result
}

// NewViews prepares for these networks.
func NewViews(settings Settings, networks ...*Network) (*Views, error) {
	cards := make([]*Card, len(networks))
	for i, n := range networks {
		cards[i] = n.card
	}
	stage, err := NewStage(settings, cards...)
	if err != nil {
		return nil, err
	}
	v := &Views{networks: networks, seen: make([]seen, len(networks)), results: make([]*Result, len(networks)), stage: stage}
	for i, n := range networks { // so that a view that was never read, as a recording may have it, has its length
		v.seen[i].views[0].size(n.card)
		v.seen[i].views[1].size(n.card)
	}
	return v, nil
}

// View is where network i puts what it says of a frame in a view, 0 or 1.
func (v *Views) View(i, view int) *Result { return &v.seen[i].views[view&1] }

// Step gives the levels of the frame at a time, valid until the next Step. read:
// the networks have said something of it, in this view; if not, all is Unknown.
// paired: the frame before was read in the other view, and the mean of both
// counts. covered has bit i set where part i of the first network's card is.
func (v *Views) Step(at time.Duration, read bool, view int, paired bool) (levels []float32, covered uint8) {
	if !read {
		return v.stage.Step(at, nil), 0
	}
	for i, n := range v.networks {
		s := &v.seen[i]
		v.results[i] = &s.views[view&1]
		if paired {
			n.Mean(&s.mean, &s.views[0], &s.views[1])
			v.results[i] = &s.mean
		}
	}
	return v.stage.Step(at, v.results), v.results[0].Covered
}

// ReadRaw takes, for all networks, what AppendRaw kept of a frame in a view.
func (v *Views) ReadRaw(raw []byte, emotions bool, view int) error {
	var err error
	for i, n := range v.networks {
		if raw, err = n.ReadRaw(raw, emotions, v.View(i, view)); err != nil {
			return err
		}
	}
	return nil
}

// Stage is the filters behind the views.
func (v *Views) Stage() *Stage { return v.stage }
