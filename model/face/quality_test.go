package face

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"mien/model/pixel"
)

// changed gives a picture with every value passed through f.
func changed(img *pixel.Image, f func(v float64) float64) *pixel.Image {
	out := *img
	out.Data = bytes.Clone(img.Data)
	for i, v := range out.Data {
		out.Data[i] = uint8(math.Round(min(max(f(float64(v)), 0), 255)))
	}
	return &out
}

// blurred gives the mean over squares of n pixels.
func blurred(t *testing.T, img *pixel.Image, n int) *pixel.Image {
	t.Helper()
	small, err := pixel.NewSampler(pixel.Grey8(img.Width/n, img.Height/n))
	if err != nil {
		t.Fatal(err)
	}
	low := grey(img.Width/n, img.Height/n, 0)
	half := float32(n-1) / 2
	if err := small.Fill(low.Data, img, pixel.Affine{float32(n), 0, half, 0, float32(n), half}); err != nil {
		t.Fatal(err)
	}
	return moved(t, &pixel.Image{Format: pixel.GREY, Width: img.Width, Height: img.Height, Data: enlarge(low, n)}, pixel.Identity)
}

// smeared is the picture, without gaps between rows, of what moved n steps of (dx, dy).
func smeared(img *pixel.Image, n, dx, dy int) *pixel.Image {
	out := *img
	out.Data = bytes.Clone(img.Data)
	for y := range img.Height {
		for x := range img.Width {
			sum := 0
			for k := -n / 2; k <= n/2; k++ {
				u, v := min(max(x+k*dx, 0), img.Width-1), min(max(y+k*dy, 0), img.Height-1)
				sum += int(img.Data[v*img.Width+u])
			}
			out.Data[y*img.Width+x] = uint8(sum / n)
		}
	}
	return &out
}

// enlarge repeats each pixel n by n, blended with its neighbours.
func enlarge(img *pixel.Image, n int) []byte {
	s, err := pixel.NewSampler(pixel.Grey8(img.Width*n, img.Height*n))
	if err != nil {
		panic(err)
	}
	out := make([]byte, img.Width*n*img.Height*n)
	k := 1 / float32(n)
	if err := s.Fill(out, img, pixel.Affine{k, 0, k/2 - 0.5, 0, k, k/2 - 0.5}); err != nil {
		panic(err)
	}
	return out
}

func TestGateNamesWhatIsWrong(t *testing.T) {
	frames, _ := clip()
	d := openDetector(t, DetectorOptions{})
	img := &frames[40]
	f := faceOf(t, d, img)
	g := DefaultGate()
	turnedBy := func(yaw, pitch float64) Face {
		h := head(yaw, pitch, 0)
		return h
	}
	low := f
	low.Score = 0.3
	far := f
	for k := range far.Keypoints { // nearer together, about the nose
		far.Keypoints[k].X = f.Keypoints[NoseTip].X + (f.Keypoints[k].X-f.Keypoints[NoseTip].X)/8
		far.Keypoints[k].Y = f.Keypoints[NoseTip].Y + (f.Keypoints[k].Y-f.Keypoints[NoseTip].Y)/8
	}
	edge := f
	edge.Box.X0, edge.Box.X1 = -60, 140
	gone := f
	gone.Keypoints[LeftEye].X = 700
	for name, c := range map[string]struct {
		img  *pixel.Image
		f    Face
		want Reason
	}{
		"good":             {img, f, Good},
		"low score":        {img, low, Unsure},
		"over the edge":    {img, edge, CutOff},
		"an eye outside":   {img, gone, CutOff},
		"far away":         {img, far, TooSmall},
		"leaning":          {img, head(0, 0, 50), Rolled},
		"turned":           {img, turnedBy(55, 0), Turned},
		"looking down":     {img, turnedBy(0, -45), Tilted},
		"looking up":       {img, turnedBy(0, 45), Tilted},
		"dark":             {changed(img, func(v float64) float64 { return v / 12 }), f, TooDark},
		"black in places":  {changed(img, func(v float64) float64 { return (v - 155) * 8 }), f, TooDark},
		"bright":           {changed(img, func(v float64) float64 { return 245 + v/25 }), f, TooBright},
		"white in places":  {changed(img, func(v float64) float64 { return (v - 120) * 12 }), f, TooBright},
		"fog":              {changed(img, func(v float64) float64 { return 120 + v/10 }), f, Flat},
		"out of focus":     {blurred(t, img, 16), f, Blurred},
		"nodding":          {smeared(img, 61, 0, 1), f, Blurred},
		"shaken":           {smeared(img, 61, 1, 0), f, Blurred},
		"falling":          {smeared(img, 41, 1, 1), f, Blurred},
		"rising":           {smeared(img, 41, 1, -1), f, Blurred},
		"behind the frame": {img, Face{Score: 0.9, Box: Rect{700, 500, 900, 700}}, CutOff},
	} {
		q, err := Assess(c.img, &c.f)
		if err != nil {
			t.Fatal(err)
		}
		r := g.Judge(&q)
		if r != c.want {
			t.Errorf("%s: %v, want %v; %+v", name, r, c.want, q)
		}
		text := g.Explain(r, &q)
		if !strings.HasPrefix(text, r.String()) || r != Good && !strings.Contains(text, ": ") {
			t.Errorf("%s: explained as %q", name, text)
		}
	}
	var open Gate
	q, err := Assess(blurred(t, img, 16), &low)
	if err != nil {
		t.Fatal(err)
	}
	if r := open.Judge(&q); r != Good {
		t.Errorf("a gate without limits: %v", r)
	}
	nan := Quality{Score: float32(math.NaN())}
	if r := g.Judge(&nan); r == Good {
		t.Error("figures that are no numbers pass")
	}
}

func TestGatePassesTheClip(t *testing.T) {
	frames, s := clip()
	d := openDetector(t, DetectorOptions{})
	g := DefaultGate()
	for i := 0; i < len(frames); i += 4 {
		if whole, _ := s.there(i); !whole {
			continue
		}
		f := faceOf(t, d, &frames[i])
		q, err := Assess(&frames[i], &f)
		if err != nil {
			t.Fatal(err)
		}
		if r := g.Judge(&q); r != Good {
			t.Errorf("frame %d: %s", i, g.Explain(r, &q))
		}
	}
}

// Noise must neither hide that a face is blurred nor make a sharp one so.
func TestSharpnessInNoise(t *testing.T) {
	frames, _ := clip()
	d := openDetector(t, DetectorOptions{})
	img := &frames[40]
	f := faceOf(t, d, img)
	noise := randomPicture(640, 480)
	grain := func(img *pixel.Image) *pixel.Image {
		out := changed(img, func(v float64) float64 { return v })
		for i := range out.Data {
			out.Data[i] = uint8(min(max(int(out.Data[i])+int(noise.Data[i])/13-9, 0), 255)) // +-9
		}
		return out
	}
	g := DefaultGate()
	for name, c := range map[string]struct {
		img  *pixel.Image
		want Reason
	}{"sharp": {grain(img), Good}, "blurred": {grain(blurred(t, img, 16)), Blurred}} {
		q, err := Assess(c.img, &f)
		if err != nil {
			t.Fatal(err)
		}
		if r := g.Judge(&q); r != c.want {
			t.Errorf("%s with grain: %v, sharpness %.3f", name, r, q.Sharpness)
		}
	}
}

// head gives the keypoints of a head turned by degrees, projected without
// perspective, in the middle of a picture of 640x480.
func head(yaw, pitch, roll float64) Face {
	const rad = math.Pi / 180
	sy, cy := math.Sincos(yaw * rad)
	sp, cp := math.Sincos(pitch * rad)
	sr, cr := math.Sincos(roll * rad)
	at := func(x, y, z float64) Point { // right, down, towards the camera, in eye distances
		x, z = x*cy+z*sy, -x*sy+z*cy
		y, z = y*cp-z*sp, y*sp+z*cp
		x, y = x*cr-y*sr, x*sr+y*cr
		return Point{float32(320 + 90*x), float32(200 + 90*y)}
	}
	f := Face{Score: 0.9, Box: Rect{220, 120, 420, 320}}
	f.Keypoints = [Keypoints]Point{
		RightEye: at(-0.5, 0, 0), LeftEye: at(0.5, 0, 0), NoseTip: at(0, noseBelow, noseDepth),
		Mouth: at(0, mouthBelow, mouthDepth), RightEar: at(-1, 0.1, -1), LeftEar: at(1, 0.1, -1),
	}
	return f
}

func TestAngles(t *testing.T) {
	for _, c := range [][3]float64{{0, 0, 0}, {20, 0, 0}, {-35, 0, 0}, {0, 15, 0}, {0, -20, 0}, {0, 0, 25}, {0, 0, -40}, {15, 10, 10}} {
		f := head(c[0], c[1], c[2])
		roll, yaw, pitch := angles(&f)
		// Turned and tilted at once is only estimated.
		allowed := 0.1
		if c[0] != 0 && c[1] != 0 {
			allowed = 6
		}
		for i, got := range []float32{yaw, pitch, roll} {
			if math.Abs(float64(got)-c[i]) > allowed {
				t.Errorf("yaw %v, pitch %v, roll %v: got %.1f, %.1f, %.1f", c[0], c[1], c[2], yaw, pitch, roll)
				break
			}
		}
	}
	var f Face
	if roll, yaw, pitch := angles(&f); roll != 0 || yaw != 90 || pitch != 0 {
		t.Errorf("of one point: %v, %v, %v", roll, yaw, pitch)
	}
}

func TestReasonsSpeak(t *testing.T) {
	seen := map[string]bool{}
	for r := Good; r < reasons; r++ {
		if s := r.String(); s == "" || seen[s] || strings.HasPrefix(s, "reason") {
			t.Errorf("reason %d is %q", int(r), s)
		}
		seen[r.String()] = true
		if (r.Advice() == "") != (r == Good) {
			t.Errorf("%v: advice %q", r, r.Advice())
		}
	}
	if s := reasons.String(); s != "reason 12" || reasons.Advice() != "" || Reason(-1).String() != "reason -1" {
		t.Errorf("an unknown reason: %q", s)
	}
}

func TestAssessAnswersForAnyFace(t *testing.T) {
	img := grey(64, 48, 100)
	big, nan := float32(1e30), float32(math.NaN())
	for _, f := range []Face{
		{}, {Box: Rect{big, big, -big, -big}}, {Box: Rect{nan, nan, nan, nan}},
		{Keypoints: [Keypoints]Point{{big, big}, {-big, big}, {nan, 0}, {0, nan}}},
	} {
		q, err := Assess(img, &f)
		if err != nil {
			t.Errorf("%v: %v", f, err)
		}
		g := DefaultGate()
		if r := g.Judge(&q); r == Good {
			t.Errorf("%v passes: %+v", f, q)
		}
	}
	if _, err := Assess(&pixel.Image{Format: pixel.GREY, Width: 10, Height: 10}, &Face{}); !errors.Is(err, pixel.ErrSize) {
		t.Errorf("without data: %v", err)
	}
}

func TestAssessAllocatesNothing(t *testing.T) {
	frames, _ := clip()
	img, f, g := yuyv(&frames[40]), standing(320, 240, 200), DefaultGate()
	if n := testing.AllocsPerRun(10, func() {
		q, err := Assess(img, &f)
		if err != nil {
			t.Fatal(err)
		}
		g.Judge(&q)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAssess(b *testing.B) {
	frames, _ := clip()
	img, f := yuyv(&frames[40]), standing(320, 240, 200)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Assess(img, &f); err != nil {
			b.Fatal(err)
		}
	}
}
