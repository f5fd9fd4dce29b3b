package pixel

import (
	"encoding/binary"
	"fmt"
	"math"
)

// blockSide is the side of the squares that Patch averages.
const blockSide = 4

// Patch fills dst with width x height coarse luma values: each is the mean of
// the 4 x 4 pixels around the point that m maps the value's place to, moved to
// whole pixels and into the picture. It costs a few microseconds whatever the
// scale, which makes it right for following and comparing, not for a network's
// input: where the points are more than 4 pixels apart, what lies between them
// is left out. Of RGB24 it takes the green.
//
// len(dst) must be width*height at least; errors wrap ErrFormat, ErrSize,
// ErrTarget or ErrAffine.
func Patch(dst []uint8, width, height int, img *Image, m Affine) error {
	l, err := img.layout()
	if err != nil {
		return err
	}
	if width < 1 || height < 1 || len(dst) < width*height {
		return fmt.Errorf("patch of %dx%d into %d bytes: %w", width, height, len(dst), ErrTarget)
	}
	if img.Mounting != (Mounting{}) {
		m = img.Mounting.Affine(img.Width, img.Height).After(m)
	}
	if err := checkReach(m, width, height); err != nil {
		return err
	}
	if l.step == 3 {
		l.luma++
	}
	data := img.Data[l.luma:l.need]
	w, h := min(blockSide, img.Width), min(blockSide, img.Height)
	whole := w == blockSide && h == blockSide && l.step < 3
	right, bottom := int64(img.Width-w), int64(img.Height-h)
	if img.Format == UYVY && whole && right > 0 {
		right-- // 8 bytes from the last block's luma would end behind the data
	}
	du, dv := fixed(m[0]), fixed(m[3])
	for y := range height {
		// A block starts 1.5 left of its centre; adding 0.5 rounds.
		u := fixed(m[1]*float32(y) + m[2] - 1)
		v := fixed(m[4]*float32(y) + m[5] - 1)
		row := dst[y*width:][:width]
		for x := range row {
			at := int(min(max(v>>32, 0), bottom))*l.stride + int(min(max(u>>32, 0), right))*l.step
			switch {
			case whole && l.step == 2 && at+3*l.stride+8 <= len(data):
				row[x] = packedBlock(data[at:], l.stride)
			case whole && l.step == 1:
				row[x] = planarBlock(data[at:], l.stride)
			default:
				row[x] = anyBlock(data[at:], l.stride, l.step, w, h)
			}
			u += du
			v += dv
		}
	}
	return nil
}

// fixed is a coordinate in 1/2^32 pixels.
func fixed(v float32) int64 { return int64(math.Round(float64(v) * (1 << 32))) }

// packedBlock is the mean of 4 x 4 samples that lie 2 bytes apart.
func packedBlock(b []byte, stride int) uint8 {
	const lanes = 0x00ff00ff00ff00ff
	sum := binary.LittleEndian.Uint64(b)&lanes + binary.LittleEndian.Uint64(b[stride:])&lanes +
		binary.LittleEndian.Uint64(b[2*stride:])&lanes + binary.LittleEndian.Uint64(b[3*stride:])&lanes
	// The product's top lane is the sum of all four.
	return uint8((sum*0x0001000100010001>>48 + 8) >> 4)
}

// planarBlock is the mean of 4 x 4 adjacent samples.
func planarBlock(b []byte, stride int) uint8 {
	const lanes = 0x00ff00ff
	var sum uint32
	for y := range blockSide {
		v := binary.LittleEndian.Uint32(b[y*stride:])
		sum += v&lanes + v>>8&lanes
	}
	return uint8((sum&0xffff + sum>>16 + 8) >> 4)
}

func anyBlock(b []byte, stride, step, w, h int) uint8 {
	sum := 0
	for y := range h {
		for x := range w {
			sum += int(b[y*stride+x*step])
		}
	}
	return uint8((sum + w*h/2) / (w * h))
}
