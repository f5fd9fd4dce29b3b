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

// Search gives those of Faces whose middle lies in the part, or at call FailAt
// nothing and Err.
func (f *Fake) Search(_ *pixel.Image, part Part, faces []Face) ([]Face, error) {
	f.Calls++
	if f.FailAt == f.Calls {
		return faces[:0], f.Err
	}
	faces = faces[:0]
	for i := range f.Faces {
		if c := f.Faces[i].Box.Centre(); part.Rect == (Rect{}) || part.holds(c) {
			faces = append(faces, f.Faces[i])
		}
	}
	return faces, nil
}
