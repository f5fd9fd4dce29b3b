// Package assets finds and holds the files a unit needs besides its binary:
// the embedded network with its card, and the fetched libraries, face
// detectors and plots beside the binary.
package assets

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Names of the fetched files; tools/fetch holds their origins and SHA-256.
const (
	LiteRT        = "libLiteRt.so"
	TFLiteC       = "libtensorflowlite_c.so"
	FaceShort     = "face_detection_short_range.tflite"
	FaceFullRange = "face_detection_full_range.tflite"
	Plots         = "uPlot.iife.min.js"
	PlotsStyle    = "uPlot.min.css"
)

// Find gives the path of a fetched file. It looks in $MIEN_LIB, in lib beside
// the executable, in /usr/lib/mien and /usr/local/lib/mien, and last, for a
// checkout, in .deps/lib of the working folder and the folders above it.
// The error names the places and wraps fs.ErrNotExist.
func Find(name string) (string, error) {
	var tried []string
	for _, dir := range places() {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
		tried = append(tried, dir)
	}
	return "", fmt.Errorf("find %s: not in %s: unpack the release archive whole, or run make deps in a checkout: %w",
		name, strings.Join(tried, ", "), fs.ErrNotExist)
}

func places() []string {
	if dir := os.Getenv("MIEN_LIB"); dir != "" {
		return []string{dir}
	}
	var dirs []string
	if exe, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(exe); err == nil {
			exe = real
		}
		dirs = append(dirs, filepath.Join(filepath.Dir(exe), "lib"))
	}
	dirs = append(dirs, "/usr/lib/mien", "/usr/local/lib/mien")
	dir, err := os.Getwd()
	for err == nil {
		if _, e := os.Stat(filepath.Join(dir, "go.mod")); e == nil {
			dirs = append(dirs, filepath.Join(dir, ".deps", "lib"))
			break
		} else if !errors.Is(e, fs.ErrNotExist) {
			break
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			break
		}
		dir = parent
	}
	return dirs
}
