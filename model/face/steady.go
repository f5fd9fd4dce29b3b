package face

// Limits of steady, in parts of the eye distance. On the demo clip the detector's
// keypoints jitter by 0.4% from frame to frame, with a sensor's noise by 0.8%.
const (
	jitter   = 0.006
	movement = 0.025
	calm     = 0.5 // the share of a small difference that is taken over
)

// steady takes out the detector's jitter: each keypoint, and the box, moves
// from where it was (was, followed up to this frame) towards where it was
// detected, by half of the way while the difference is within the
// detector's jitter, all the way from a clear movement on, and in between by a
// share that grows evenly. One rule for all keypoints together keeps the face's
// shape.
func (f *Face) steady(was *Face) {
	var d float32
	for k := RightEye; k <= Mouth; k++ {
		d = max(d, distance(f.Keypoints[k], was.Keypoints[k]))
	}
	d /= max(was.EyeDistance(), 1)
	share := calm + (1-calm)*(d-jitter)/(movement-jitter)
	share = min(max(share, calm), 1)
	mix := func(a, b float32) float32 { return a + share*(b-a) }
	for k, p := range was.Keypoints {
		f.Keypoints[k] = Point{mix(p.X, f.Keypoints[k].X), mix(p.Y, f.Keypoints[k].Y)}
	}
	f.Box = Rect{
		mix(was.Box.X0, f.Box.X0), mix(was.Box.Y0, f.Box.Y0),
		mix(was.Box.X1, f.Box.X1), mix(was.Box.Y1, f.Box.Y1),
	}
}
