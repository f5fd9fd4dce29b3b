package affect

import (
	"testing"

	"mien/model/face"
	"mien/model/pixel"
	"mien/model/tflite"
)

// BenchmarkInfer is what the network that ships costs from a camera picture to
// levels; BenchmarkInvoke is the interpreter's share of it.
func BenchmarkInfer(b *testing.B) {
	card, model, err := Embedded()
	if err != nil {
		b.Fatal(err)
	}
	n, err := Open(card, model, tflite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer n.Close()
	img := pixel.Image{Format: pixel.YUYV, Width: 640, Height: 480, Data: noise(640 * 480 * 2)}
	var f face.Face
	f.Keypoints[face.RightEye], f.Keypoints[face.LeftEye] = face.Point{X: 280, Y: 220}, face.Point{X: 350, Y: 224}
	var r Result
	b.ReportAllocs()
	for b.Loop() {
		if err := n.Infer(&img, &f, &r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkInvoke(b *testing.B) {
	card, model, err := Embedded()
	if err != nil {
		b.Fatal(err)
	}
	n, err := Open(card, model, tflite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer n.Close()
	for b.Loop() {
		if err := n.net.Invoke(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStep is a frame of derived signals and filters, windows full, at 30
// frames a second.
func BenchmarkStep(b *testing.B) {
	card, _, err := Embedded()
	if err != nil {
		b.Fatal(err)
	}
	stage, err := NewStage(DefaultSettings(), card)
	if err != nil {
		b.Fatal(err)
	}
	results := []*Result{frameOf(card, map[string]float32{"au4": 0.5, "expression.neutral": 1})}
	frame := 0
	b.ReportAllocs()
	for b.Loop() {
		frame++
		stage.Step(at(frame), results)
	}
}
