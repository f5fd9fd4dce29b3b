package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/vgimg"
)

func extension(file string) string { return strings.ToLower(filepath.Ext(file)) }

// writeCanvas writes a drawing into a file.
func writeCanvas(canvas vg.CanvasSizer, file string) error {
	var from io.WriterTo
	switch c := canvas.(type) {
	case *vgimg.Canvas:
		from = vgimg.PngCanvas{Canvas: c}
	case io.WriterTo:
		from = c
	}
	f, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("write the plot: %w", err)
	}
	_, err = from.WriteTo(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write the plot: %w", err)
	}
	return nil
}
