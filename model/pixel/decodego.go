package pixel

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
)

// plainDecode is Decode by Go's decoder, which decodes everything at full size.
func (d *Decoder) plainDecode(data []byte, colour bool, shrink int) (img Image, err error) {
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
	w, h := (head.Width+shrink-1)/shrink, (head.Height+shrink-1)/shrink
	grey := Image{Format: GREY, Width: w, Height: h, FullRange: true}
	switch p := decoded.(type) {
	case *image.Gray:
		grey.Data = d.room(w * h)
		shrinkPlane(grey.Data, w, h, p.Pix, p.Stride, head.Width, head.Height, shrink)
		return grey, nil
	case *image.YCbCr:
		if !colour {
			grey.Data = d.room(w * h)
			shrinkPlane(grey.Data, w, h, p.Y, p.YStride, head.Width, head.Height, shrink)
			return grey, nil
		}
		return d.planar(p, w, h, shrink), nil
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
func (d *Decoder) planar(p *image.YCbCr, w, h, shrink int) Image {
	img := Image{Format: planarFormat(goSamplings[p.SubsampleRatio], w, h), Width: w, Height: h, FullRange: true}
	img.Data = d.room(img.planarSize())
	width, height := p.Rect.Dx(), p.Rect.Dy()
	if img.Format == RGB24 {
		for y := range h {
			for x := range w {
				r, g, b := meanRGB(p, x*shrink, y*shrink, min((x+1)*shrink, width), min((y+1)*shrink, height))
				copy(img.Data[3*(y*w+x):], []byte{r, g, b})
			}
		}
		return img
	}
	cw, ch := img.chromaSize()
	fullCW, fullCH := width, height
	if img.Format != YUV444P {
		fullCW = (width + 1) / 2
	}
	if img.Format == YUV420 {
		fullCH = (height + 1) / 2
	}
	shrinkPlane(img.Data, w, h, p.Y, p.YStride, width, height, shrink)
	shrinkPlane(img.Data[w*h:], cw, ch, p.Cb, p.CStride, fullCW, fullCH, shrink)
	shrinkPlane(img.Data[w*h+cw*ch:], cw, ch, p.Cr, p.CStride, fullCW, fullCH, shrink)
	return img
}

// meanRGB is the mean colour of a part of a picture.
func meanRGB(p *image.YCbCr, x0, y0, x1, y1 int) (r, g, b uint8) {
	var luma, u, v, n int
	for y := y0; y < y1; y++ {
		for x := x0; x < x1; x++ {
			c := p.COffset(x, y)
			luma += int(p.Y[p.YOffset(x, y)])
			u += int(p.Cb[c])
			v += int(p.Cr[c])
			n++
		}
	}
	red, green, blue := full.rgb(uint16(luma<<8/n), uint16(u<<8/n), uint16(v<<8/n))
	return uint8((red + 2) >> 2), uint8((green + 2) >> 2), uint8((blue + 2) >> 2)
}

// shrinkPlane writes w x h means of shrink x shrink samples, of fewer at the far
// edges.
func shrinkPlane(dst []byte, w, h int, src []byte, stride, srcWidth, srcHeight, shrink int) {
	if shrink == 1 {
		for y := range h {
			copy(dst[y*w:][:w], src[y*stride:])
		}
		return
	}
	for y := range h {
		y1 := min((y+1)*shrink, srcHeight)
		for x := range w {
			x1 := min((x+1)*shrink, srcWidth)
			sum, n := 0, 0
			for sy := min(y*shrink, srcHeight-1); sy < y1; sy++ {
				for sx := min(x*shrink, srcWidth-1); sx < x1; sx++ {
					sum += int(src[sy*stride+sx])
					n++
				}
			}
			dst[y*w+x] = uint8((sum + n/2) / n)
		}
	}
}
