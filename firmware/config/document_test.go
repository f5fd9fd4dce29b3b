package config

import (
	"bytes"
	"os"
	"testing"
)

func TestDocumentIsFresh(t *testing.T) {
	var b bytes.Buffer
	if err := WriteDocument(&b); err != nil {
		t.Fatal(err)
	}
	have, err := os.ReadFile("../../docs/config.md")
	if err != nil || !bytes.Equal(have, b.Bytes()) {
		t.Errorf("docs/config.md is stale: run make generate (%v)", err)
	}
}
