package face

import "mien/model/pixel"

// Fake is a Finder for tests and demonstrations: its fields are what it sees.
type Fake struct {
	Faces  []Face // given at each call
	Calls  int    // so far
	FailAt int    // the call, counted from 1, that gives Err
	Err    error
}

var _ Finder = (*Fake)(nil)

// Detect gives Faces, or at call FailAt nothing and Err.
func (f *Fake) Detect(_ *pixel.Image, faces []Face) ([]Face, error) {
	f.Calls++
	if f.FailAt == f.Calls {
		return faces[:0], f.Err
	}
	return append(faces[:0], f.Faces...), nil
}
