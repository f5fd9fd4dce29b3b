package pixel

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
)

// plainDecode is Decode by Go's decoder, which decodes everything.
func (d *Decoder) plainDecode(data []byte, colour bool) (img Image, err error) {
	defer func() {
		if r := recover(); r != nil {
			img, err = Image{}, fmt.Errorf("go image/jpeg: %v: %w", r, ErrCorrupt)
		}
	}()
	head, err := jpeg.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return Image{}, fmt.Errorf("go image/jpeg: %v: %w", err, ErrCorrupt)
	}
	if err := checkSize(head.Width, head.Height); err != nil {
		return Image{}, err
	}
	decoded, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		return Image{}, fmt.Errorf("go image/jpeg: %v: %w", err, ErrCorrupt)
	}
	w, h := head.Width, head.Height
	grey := Image{Format: GREY, Width: w, Height: h, FullRange: true}
	switch p := decoded.(type) {
	case *image.Gray:
		grey.Data = d.room(w * h)
		copyPlane(grey.Data, w, h, p.Pix, p.Stride)
		return grey, nil
	case *image.YCbCr:
		if !colour {
			grey.Data = d.room(w * h)
			copyPlane(grey.Data, w, h, p.Y, p.YStride)
			return grey, nil
		}
		return d.planar(p, w, h), nil
	}
	return Image{}, fmt.Errorf("go image/jpeg: gives a %T: %w", decoded, ErrFormat)
}

// goSamplings are the formats of Go's subsample ratios, where there is one.
var goSamplings = map[image.YCbCrSubsampleRatio]Format{
	image.YCbCrSubsampleRatio444: YUV444P,
	image.YCbCrSubsampleRatio422: YUV422P,
	image.YCbCrSubsampleRatio420: YUV420,
}

// planar copies the planes of a colour picture, or makes RGB24 of them.
func (d *Decoder) planar(p *image.YCbCr, w, h int) Image {
	img := Image{Format: planarFormat(goSamplings[p.SubsampleRatio], w, h), Width: w, Height: h, FullRange: true}
	img.Data = d.room(img.planarSize())
	if img.Format == RGB24 {
		for y := range h {
			for x := range w {
				c := p.COffset(x, y)
				r, g, b := full.rgb(uint16(p.Y[p.YOffset(x, y)])<<8, uint16(p.Cb[c])<<8, uint16(p.Cr[c])<<8)
				copy(img.Data[3*(y*w+x):], []byte{uint8((r + 2) >> 2), uint8((g + 2) >> 2), uint8((b + 2) >> 2)})
			}
		}
		return img
	}
	cw, ch := img.chromaSize()
	copyPlane(img.Data, w, h, p.Y, p.YStride)
	copyPlane(img.Data[w*h:], cw, ch, p.Cb, p.CStride)
	copyPlane(img.Data[w*h+cw*ch:], cw, ch, p.Cr, p.CStride)
	return img
}

func copyPlane(dst []byte, w, h int, src []byte, stride int) {
	for y := range h {
		copy(dst[y*w:][:w], src[y*stride:])
	}
}
