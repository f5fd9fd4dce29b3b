package affect

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"mien/model/face"
	"mien/model/pixel"
	"mien/model/tflite"
)

var parityFolder = filepath.Join("..", "train", "testdata", "parity")

// parityWidth and parityHeight are those of the fixture's pictures.
const parityWidth, parityHeight = 320, 240

// parity is a fixture: what Python made of pictures of ours.
type parity struct {
	Width, Height, Channels, Tolerance int
	Mean, Std                          json.RawMessage // a number, or one a channel
	Scale                              float32
	ZeroPoint                          int `json:"zero_point"`
	Template                           Template
	Planes                             []string // red, green and blue of one picture
	Cases                              []struct {
		Picture, Tensor string
		RightEye        [2]float32 `json:"right_eye"`
		LeftEye         [2]float32 `json:"left_eye"`
	}
}

func readParity(t *testing.T, name string) parity {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(parityFolder, name))
	if err != nil {
		t.Fatal(err)
	}
	var p parity
	if err := json.Unmarshal(text, &p); err != nil {
		t.Fatal(err)
	}
	if len(p.Cases) == 0 {
		t.Fatal("no cases")
	}
	return p
}

// parityPicture reads the pixels of a PGM of the fixture.
func parityPicture(t *testing.T, name string) []byte {
	t.Helper()
	pgm, err := os.ReadFile(filepath.Join(parityFolder, name))
	if err != nil {
		t.Fatal(err)
	}
	pixels, ok := bytes.CutPrefix(pgm, []byte("P5\n320 240\n255\n"))
	if !ok {
		t.Fatalf("%s: not a PGM of 320x240", name)
	}
	return pixels
}

// TestTensorIsTheOneOfTraining holds the crop rule of the firmware and of
// model/train together: pictures and the tensors that Python made of them lie
// in model/train/testdata/parity.
func TestTensorIsTheOneOfTraining(t *testing.T) {
	p := readParity(t, "parity.json")
	var mean, std float32
	if json.Unmarshal(p.Mean, &mean) != nil || json.Unmarshal(p.Std, &std) != nil {
		t.Fatal("mean or std")
	}
	target := p.target([3]float32{mean}, [3]float32{std})
	for i, c := range p.Cases {
		p.check(t, i, target, &pixel.Image{Format: pixel.GREY, Width: parityWidth, Height: parityHeight, Data: parityPicture(t, c.Picture)})
	}
}

// TestColourTensorIsTheOneOfTheImport is the same for a network that reads
// colour, with a mean and a deviation for each channel.
func TestColourTensorIsTheOneOfTheImport(t *testing.T) {
	p := readParity(t, "colour.json")
	var mean, std [3]float32
	if json.Unmarshal(p.Mean, &mean) != nil || json.Unmarshal(p.Std, &std) != nil || len(p.Planes) != 3 {
		t.Fatal("mean, std or planes")
	}
	img := pixel.Image{Format: pixel.RGB24, Width: parityWidth, Height: parityHeight, Data: make([]byte, 3*parityWidth*parityHeight)}
	for k, name := range p.Planes {
		for i, v := range parityPicture(t, name) {
			img.Data[3*i+k] = v
		}
	}
	target := p.target(mean, std)
	for i := range p.Cases {
		p.check(t, i, target, &img)
	}
}

func (p *parity) target(mean, std [3]float32) pixel.Target {
	return pixel.Target{Width: p.Width, Height: p.Height, Channels: p.Channels, Type: tflite.Int8, Mean: mean, Std: std, Scale: p.Scale, ZeroPoint: p.ZeroPoint}
}

// check compares the tensor that the firmware makes of img for case i.
func (p *parity) check(t *testing.T, i int, target pixel.Target, img *pixel.Image) {
	t.Helper()
	sampler, err := pixel.NewSampler(target)
	if err != nil {
		t.Fatal(err)
	}
	c := p.Cases[i]
	want, err := os.ReadFile(filepath.Join(parityFolder, c.Tensor))
	if err != nil {
		t.Fatal(err)
	}
	var f face.Face
	f.Keypoints[face.RightEye] = face.Point{X: c.RightEye[0], Y: c.RightEye[1]}
	f.Keypoints[face.LeftEye] = face.Point{X: c.LeftEye[0], Y: c.LeftEye[1]}
	got := make([]byte, sampler.Target().Bytes())
	if len(got) != len(want) {
		t.Fatalf("%s: %d elements, not %d", c.Tensor, len(want), len(got))
	}
	if err := sampler.Fill(got, img, face.Align(f, p.Template.points())); err != nil {
		t.Fatal(err)
	}
	var by [256]int
	for i := range got {
		d := int(int8(got[i])) - int(int8(want[i]))
		by[max(d, -d)]++
	}
	t.Logf("%s: elements by steps apart: %v", c.Tensor, by[:4])
	far := 0
	for _, n := range by[p.Tolerance+1:] {
		far += n
	}
	if far > 0 {
		t.Errorf("%s: %d elements more than %d steps from Python's tensor", c.Tensor, far, p.Tolerance)
	}
}
