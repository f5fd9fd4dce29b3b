//go:build gotflite

package tflite

import (
	"errors"
	"strings"
	"testing"

	"mien/model/assets"
)

func init() { backends = append(backends, GoTFLite) }

func TestLinkedLibraryIsFixed(t *testing.T) {
	model := readModel(t, "int8.tflite")
	_, err := Open(model, Options{Backend: GoTFLite, Library: found(t, assets.TFLiteC)})
	if !errors.Is(err, ErrOptions) || !strings.Contains(err.Error(), "is linked with its library") {
		t.Error(err)
	}
	if list := Backends(); len(list) != 3 || list[2] != GoTFLite {
		t.Errorf("backends %q", list)
	}
	net := open(t, "int8.tflite", Options{Backend: GoTFLite})
	if net.Backend() != "gotflite, tflite 2.9.0, xnnpack" || Why(net) != "the configuration says gotflite" {
		t.Errorf("%s because %q", net.Backend(), Why(net))
	}
}
