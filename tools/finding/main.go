// Finding measures on pictures of real people how the unit finds faces: how often, by
// the size of the face, and how often a camera that is not upright is found.
//
//	go run ./tools/finding people320.npz
//	go run ./tools/finding -unit people320.npz
//	go run ./tools/finding -scenes FOLDER
//
// The second form measures the unit's default way alone and writes CSV, for the model
// card. The third writes as CSV what the unit makes of each JPEG of a folder.
//
// The file of the first two holds pictures as JPEG: an .npz with the arrays jpeg (bytes) and offset
// (picture i is jpeg[offset[i]:offset[i+1]]). Each is put into a picture of 640 x
// 480, as a camera would give it. No picture leaves the program.
package main

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"

	"mien/model/pixel"
)

func main() {
	every := flag.Int("every", 1, "take every n-th picture")
	unit := flag.Bool("unit", false, "measure the unit's default way alone, by size, as CSV")
	folder := flag.String("scenes", "", "write what the unit makes of each .jpg of this folder, as CSV")
	flag.Parse()
	var err error
	switch {
	case *folder != "" && flag.NArg() == 0 && !*unit:
		err = scenes(*folder, os.Stdout)
	case *folder == "" && flag.NArg() == 1:
		err = measure(flag.Arg(0), *every, *unit)
	default:
		fmt.Fprintln(os.Stderr, "usage: finding [-every n] [-unit] FILE.npz, or finding -scenes FOLDER")
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "finding:", err)
		os.Exit(1)
	}
}

func measure(path string, every int, unit bool) error {
	list, err := readPictures(path)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	var some [][]byte
	for i := 0; i < len(list); i += every {
		some = append(some, list[i])
	}
	if unit {
		return unitSizes(some, os.Stdout)
	}
	fmt.Printf("%d pictures of %s\n", len(some), path)
	if err := turned(some); err != nil {
		return err
	}
	return sizes(some)
}

// readPictures reads the JPEGs of an .npz.
func readPictures(path string) ([][]byte, error) {
	z, err := zip.OpenReader(path)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	jpeg, _, err := readArray(z, "jpeg")
	if err != nil {
		return nil, err
	}
	raw, kind, err := readArray(z, "offset")
	if err != nil {
		return nil, err
	}
	var offset []uint64
	switch kind {
	case "<i8", "<u8":
		offset = make([]uint64, len(raw)/8)
		err = binary.Read(bytes.NewReader(raw), binary.LittleEndian, offset)
	case "<i4", "<u4":
		for ; len(raw) >= 4; raw = raw[4:] {
			offset = append(offset, uint64(binary.LittleEndian.Uint32(raw)))
		}
	default:
		err = fmt.Errorf("offset is of type %q", kind)
	}
	if err != nil {
		return nil, err
	}
	var list [][]byte
	for i := 1; i < len(offset); i++ {
		if a, b := offset[i-1], offset[i]; a <= b && b <= uint64(len(jpeg)) {
			list = append(list, jpeg[a:b])
		}
	}
	return list, nil
}

var descr = regexp.MustCompile(`'descr': '([^']+)'`)

// readArray reads one array of an .npz: its bytes and NumPy's name of its type.
func readArray(z *zip.ReadCloser, name string) (data []byte, kind string, err error) {
	f, err := z.Open(name + ".npy")
	if err != nil {
		return nil, "", err
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		return nil, "", err
	}
	// Format version 1.0: magic, version, length of the header, header.
	if len(b) < 10 || len(b) < 10+int(binary.LittleEndian.Uint16(b[8:])) {
		return nil, "", fmt.Errorf("%s is no array", name)
	}
	n := 10 + int(binary.LittleEndian.Uint16(b[8:]))
	m := descr.FindSubmatch(b[:n])
	if m == nil {
		return nil, "", fmt.Errorf("%s names no type", name)
	}
	return b[n:], string(m[1]), nil
}

// The camera's picture.
const (
	width  = 640
	height = 480
)

// canvas is a camera's picture, with and without colour.
type canvas struct {
	grey, colour           pixel.Image
	greySampler, rgbSample *pixel.Sampler
}

func newCanvas() (*canvas, error) {
	c := &canvas{
		grey:   pixel.Image{Format: pixel.GREY, Width: width, Height: height, FullRange: true, Data: make([]byte, width*height)},
		colour: pixel.Image{Format: pixel.RGB24, Width: width, Height: height, Data: make([]byte, 3*width*height)},
	}
	target := pixel.Grey8(width, height)
	target.Border, target.Outside = pixel.Constant, 110
	var err error
	if c.greySampler, err = pixel.NewSampler(target); err != nil {
		return nil, err
	}
	target.Channels = 3
	c.rgbSample, err = pixel.NewSampler(target)
	return c, err
}

// fill makes it one of a part of another picture: m maps its pixels to those. What
// is outside is grey.
func (c *canvas) fill(img *pixel.Image, m pixel.Affine) error {
	if err := c.greySampler.Fill(c.grey.Data, img, m); err != nil {
		return err
	}
	return c.rgbSample.Fill(c.colour.Data, img, m)
}
