package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestDocumentsAreFresh(t *testing.T) {
	for _, d := range documents {
		var b bytes.Buffer
		if err := d.write(&b); err != nil {
			t.Errorf("%s: %v", d.file, err)
			continue
		}
		old, err := os.ReadFile(filepath.Join("..", "..", "docs", d.file))
		if err != nil {
			t.Error(err)
		} else if !bytes.Equal(old, b.Bytes()) {
			t.Errorf("docs/%s is stale: make generate", d.file)
		}
	}
}

func TestGenerateWritesAllAndThenNothing(t *testing.T) {
	dir := t.TempDir()
	if err := generate(dir); err != nil {
		t.Fatal(err)
	}
	for _, d := range documents {
		if s, err := os.Stat(filepath.Join(dir, d.file)); err != nil || s.Size() == 0 {
			t.Errorf("%s: %v", d.file, err)
		}
	}
}
