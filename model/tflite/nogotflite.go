//go:build !gotflite

package tflite

import "fmt"

const hasGoTFLite = false

// openGoTFLite stands in for the third backend in a build without its tag.
func openGoTFLite([]byte, *Options, *Description) (opened, error) {
	return nil, fmt.Errorf("this program was built without the backend gotflite (go build -tags gotflite, with cgo): %w", ErrOptions)
}
