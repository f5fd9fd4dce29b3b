package tflite

import (
	"os"
	"path/filepath"
	"testing"
)

// backends of this build.
var backends = []string{LiteRT, TFLite}

// mutated are the models that the mutation tests start from.
var mutated = []string{"int8.tflite", "uint8.tflite", "float.tflite", "dense_per_channel.tflite", "grouped.tflite", "signature.tflite", "any_batch.tflite", "operators_float.tflite", "operators_int8.tflite", "newer_float.tflite"}

func readModel(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
