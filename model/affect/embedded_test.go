package affect

import (
	"slices"
	"testing"

	"mien/model/tflite"
)

// TestEmbeddedNetwork opens what ships, with its known answer, on both
// libraries.
func TestEmbeddedNetwork(t *testing.T) {
	card, model, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	for _, backend := range []string{tflite.LiteRT, tflite.TFLite} {
		n, err := Open(card, model, tflite.Options{Backend: backend})
		if err != nil {
			t.Fatalf("%s: %v", backend, err)
		}
		var r Result
		if err := n.InferTensor(noise(card.Input.Width*card.Input.Height*card.Input.Channels), &r); err != nil {
			t.Errorf("%s: %v", backend, err)
		}
		n.Close()
	}
	signals := Signals(card)
	for _, want := range []string{"expression.neutral", Valence, Arousal, "au1", "au2", "au4", "au6", "au7", "au9", "au10", "au12",
		"au15", "au23", "au24", "au25", "au26", "au43", "visible.eyes", "visible.mouth", EyesClosed, Perclos} {
		if !slices.Contains(signals, want) {
			t.Errorf("the network that ships does not give %s", want)
		}
	}
	if in, _ := Describe(Valence, card); !in.Derived {
		t.Error("valence is not called derived")
	}
}
