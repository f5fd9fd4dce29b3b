package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"mien/model/affect"
	"mien/model/tflite"
)

var both = []string{tflite.LiteRT, tflite.TFLite}

// What it prints is what the cards of the tests' own networks hold.
func TestAnswersAreTheCards(t *testing.T) {
	for _, name := range []string{"bare", "full"} {
		folder := "../../model/affect/testdata"
		card, _, err := affect.Load(filepath.Join(folder, name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := run(&out, filepath.Join(folder, name+".tflite"), both); err != nil {
			t.Fatal(err)
		}
		var f facts
		if err := json.Unmarshal(out.Bytes(), &f); err != nil {
			t.Fatal(err)
		}
		if f.File != card.File || f.SHA256 != card.SHA256 || len(f.Inputs) != 1 || f.Inputs[0].Shape[1] != card.Input.Height {
			t.Errorf("%s: %s", name, out.String())
		}
		if card.KnownAnswer != nil && !reflect.DeepEqual(f.Known, *card.KnownAnswer) {
			t.Errorf("%s: %v, the card has %v", name, f.Known, *card.KnownAnswer)
		}
	}
}

func TestBadFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.tflite")
	if err := os.WriteFile(path, []byte("no network"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, filepath.Dir(path), path + ".none"} {
		if err := run(new(bytes.Buffer), p, both); err == nil || !strings.Contains(err.Error(), p) {
			t.Errorf("%s: %v", p, err)
		}
	}
}
