package main

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"

	"mien/given"
	"mien/model/pixel"
)

// errUnreadable: a picture that cannot be decoded.
var errUnreadable = errors.New("unreadable picture")

// readPicture decodes a JPEG, PNG or binary PGM file. A JPEG goes through the
// unit's own decoder; without colour a PNG becomes grey too, by the same matrix.
// The picture is valid until the decoder's next use.
func readPicture(path string, d *pixel.Decoder, colour bool) (pixel.Image, error) {
	data, err := given.Read(path, 64<<20)
	if err != nil {
		return pixel.Image{}, fmt.Errorf("read picture: %w", err)
	}
	var img pixel.Image
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xd8")):
		img, err = d.Decode(data, pixel.DecodeOptions{Colour: colour})
	case bytes.HasPrefix(data, []byte("\x89PNG")):
		img, err = decodePNG(data, colour)
	case bytes.HasPrefix(data, []byte("P5")):
		img, err = decodePGM(data)
	default:
		err = errors.New("is neither JPEG, PNG nor binary PGM")
	}
	if err != nil {
		return pixel.Image{}, fmt.Errorf("%w: %s: %w", errUnreadable, path, err)
	}
	return img, nil
}

func decodePNG(data []byte, colour bool) (pixel.Image, error) {
	p, err := given.PNG(data, 256<<20)
	if err != nil {
		return pixel.Image{}, err
	}
	b := p.Bounds()
	w, h := b.Dx(), b.Dy()
	if g, ok := p.(*image.Gray); ok {
		return pixel.Image{Format: pixel.GREY, Width: w, Height: h, Stride: g.Stride, Data: g.Pix}, nil
	}
	grey := !colour || p.ColorModel() == color.Gray16Model
	out := make([]byte, 0, 3*w*h)
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			c := color.NRGBAModel.Convert(p.At(x, y)).(color.NRGBA) // alpha is ignored
			if grey {
				luma, _, _ := color.RGBToYCbCr(c.R, c.G, c.B) // JFIF's, which JPEGs have
				out = append(out, luma)
			} else {
				out = append(out, c.R, c.G, c.B)
			}
		}
	}
	if grey {
		return pixel.Image{Format: pixel.GREY, Width: w, Height: h, Data: out}, nil
	}
	return pixel.Image{Format: pixel.RGB24, Width: w, Height: h, Data: out}, nil
}

// decodePGM reads Netpbm's binary grey format of 8 bits [netpbm.sourceforge.net,
// pgm(5)].
func decodePGM(data []byte) (pixel.Image, error) {
	var v [3]int
	at := 2
	for i := range v {
		for at < len(data) && (data[at] == '#' || bytes.IndexByte([]byte(" \t\r\n"), data[at]) >= 0) {
			if data[at] == '#' {
				for at < len(data) && data[at] != '\n' {
					at++
				}
				continue
			}
			at++
		}
		start := at
		for at < len(data) && data[at] >= '0' && data[at] <= '9' && at-start < 6 {
			v[i] = v[i]*10 + int(data[at]-'0')
			at++
		}
		if at == start {
			return pixel.Image{}, errors.New("damaged PGM header")
		}
	}
	at++ // one white space
	w, h := v[0], v[1]
	if v[2] != 255 || w < 1 || h < 1 || w > 1<<14 || h > 1<<14 {
		return pixel.Image{}, fmt.Errorf("PGM of %dx%d with a maximum of %d: only 8 bits (255) are read", w, h, v[2])
	}
	if len(data)-at < w*h {
		return pixel.Image{}, fmt.Errorf("PGM of %dx%d is cut short: %d bytes of %d", w, h, max(len(data)-at, 0), w*h)
	}
	return pixel.Image{Format: pixel.GREY, Width: w, Height: h, Data: data[at : at+w*h]}, nil
}
