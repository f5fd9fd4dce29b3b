package affect

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"mien/model/face"
	"mien/model/pixel"
)

// TestTensorIsTheOneOfTraining holds the crop rule of the firmware and of
// model/train together: pictures and the tensors that Python made of them lie
// in model/train/testdata/parity.
func TestTensorIsTheOneOfTraining(t *testing.T) {
	dir := filepath.Join("..", "train", "testdata", "parity")
	text, err := os.ReadFile(filepath.Join(dir, "parity.json"))
	if err != nil {
		t.Fatal(err)
	}
	var p struct {
		Width, Height, Channels, Tolerance int
		Mean, Std, Scale                   float32
		ZeroPoint                          int `json:"zero_point"`
		Template                           Template
		Cases                              []struct {
			Picture, Tensor string
			RightEye        [2]float32 `json:"right_eye"`
			LeftEye         [2]float32 `json:"left_eye"`
		}
	}
	if err := json.Unmarshal(text, &p); err != nil {
		t.Fatal(err)
	}
	if len(p.Cases) == 0 {
		t.Fatal("no cases")
	}
	sampler, err := pixel.NewSampler(pixel.Target{Width: p.Width, Height: p.Height, Channels: p.Channels, Type: pixel.Int8,
		Mean: [3]float32{p.Mean}, Std: [3]float32{p.Std}, Scale: p.Scale, ZeroPoint: p.ZeroPoint})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range p.Cases {
		pgm, err := os.ReadFile(filepath.Join(dir, c.Picture))
		if err != nil {
			t.Fatal(err)
		}
		header := []byte("P5\n320 240\n255\n")
		if !bytes.HasPrefix(pgm, header) {
			t.Fatalf("%s: not a PGM of 320x240", c.Picture)
		}
		want, err := os.ReadFile(filepath.Join(dir, c.Tensor))
		if err != nil {
			t.Fatal(err)
		}
		img := pixel.Image{Format: pixel.GREY, Width: 320, Height: 240, Data: pgm[len(header):]}
		var f face.Face
		f.Keypoints[face.RightEye] = face.Point{X: c.RightEye[0], Y: c.RightEye[1]}
		f.Keypoints[face.LeftEye] = face.Point{X: c.LeftEye[0], Y: c.LeftEye[1]}
		got := make([]byte, sampler.Target().Bytes())
		if err := sampler.Fill(got, &img, face.Align(f, p.Template.points())); err != nil {
			t.Fatal(err)
		}
		var by [256]int
		for i := range got {
			d := int(int8(got[i])) - int(int8(want[i]))
			by[max(d, -d)]++
		}
		t.Logf("%s: elements by steps apart: %v", c.Picture, by[:4])
		far := 0
		for _, n := range by[p.Tolerance+1:] {
			far += n
		}
		if far > 0 {
			t.Errorf("%s: %d elements more than %d steps from training's tensor", c.Picture, far, p.Tolerance)
		}
	}
}
