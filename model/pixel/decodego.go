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

// planar copies the planes of a colour picture, or makes RGB24 of a layout that
// no Format has.
func (d *Decoder) planar(p *image.YCbCr, w, h, shrink int) Image {
	img := Image{Width: w, Height: h, FullRange: true}
	fullWidth, fullHeight := p.Rect.Dx(), p.Rect.Dy()
	cw, ch := w, h                          // the chroma planes made
	fullCW, fullCH := fullWidth, fullHeight // and those at hand
	switch p.SubsampleRatio {
	case image.YCbCrSubsampleRatio444:
		img.Format = YUV444P
	case image.YCbCrSubsampleRatio422:
		img.Format = YUV422P
		cw, fullCW = (w+1)/2, (fullWidth+1)/2
	case image.YCbCrSubsampleRatio420:
		img.Format = YUV420
		cw, ch, fullCW, fullCH = (w+1)/2, (h+1)/2, (fullWidth+1)/2, (fullHeight+1)/2
	default:
		img.Format = RGB24
		img.Data = d.room(3 * w * h)
		for y := range h {
			for x := range w {
				sx, sy := x*shrink, y*shrink
				c := p.COffset(sx, sy)
				o := img.Data[3*(y*w+x):]
				r, g, b := full.rgb(uint16(p.Y[p.YOffset(sx, sy)])<<8, uint16(p.Cb[c])<<8, uint16(p.Cr[c])<<8)
				o[0], o[1], o[2] = uint8((r+2)>>2), uint8((g+2)>>2), uint8((b+2)>>2)
			}
		}
		return img
	}
	img.Data = d.room(w*h + 2*cw*ch)
	shrinkPlane(img.Data, w, h, p.Y, p.YStride, fullWidth, fullHeight, shrink)
	shrinkPlane(img.Data[w*h:], cw, ch, p.Cb, p.CStride, fullCW, fullCH, shrink)
	shrinkPlane(img.Data[w*h+cw*ch:], cw, ch, p.Cr, p.CStride, fullCW, fullCH, shrink)
	return img
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
