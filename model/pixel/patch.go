package pixel

import (
	"fmt"
	"math"
	"unsafe"
)

// Patch fills dst with width x height coarse luma values: each is the mean of a
// block of pixels around the point that m maps the value's place to, moved to
// whole pixels and into the picture. A block is 4 x 4 pixels; where the points are
// 6 pixels or more apart it is 8 pixels wide, and its 4 rows lie further apart,
// so that the blocks about meet. The cost is a few microseconds whatever the
// scale, which makes Patch right for following and comparing, not for a network's
// input: some pixels are left out. Of RGB24 it takes the green.
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
	b := blockFor(img, &l, math.Hypot(float64(m[0]), float64(m[3])))
	data := img.Data[l.luma:l.need]
	right, bottom := int64(img.Width-b.width), int64(img.Height-(b.rows-1)*b.pitch-1)
	if img.Format == UYVY && right > 0 {
		right-- // the last word of a block ends one byte late
	}
	du, dv := fixed(m[0]), fixed(m[3])
	for y := range height {
		// From the block's middle to its first pixel; a half more rounds.
		u := fixed(m[1]*float32(y) + m[2] - float32(b.width)/2 + 1)
		v := fixed(m[4]*float32(y) + m[5] - float32((b.rows-1)*b.pitch)/2 + 0.5)
		row := dst[y*width:][:width]
		for x := range row {
			at := int(min(max(v>>32, 0), bottom))*l.stride + int(min(max(u>>32, 0), right))*l.step
			if b.words == 0 {
				row[x] = b.meanOf(data[at:])
			} else {
				// A block lies in the picture with all that its words read.
				row[x] = b.mean(unsafe.Pointer(&data[at]))
			}
			u += du
			v += dv
		}
	}
	return nil
}

// block is how one value of a patch is read.
type block struct {
	width, rows, pitch int
	stride, step       int // bytes from one read row to the next, from one pixel to the next
	words              int // of 4 pixels, in a row; 0: pixel by pixel
}

func blockFor(img *Image, l *layout, apart float64) block {
	b := block{width: 4, rows: 4, pitch: 1, step: l.step}
	if apart >= 6 {
		b.width, b.pitch = 8, min(max(int(apart/4+0.5), 1), 8)
	}
	b.words = b.width / 4
	if img.Width <= b.width || img.Height < b.rows*b.pitch || l.step == 3 {
		b.words = 0
		b.width, b.rows, b.pitch = min(b.width, img.Width), min(b.rows, img.Height), 1
	}
	b.stride = l.stride * b.pitch
	return b
}

// mean is the mean of a block that is read in words.
func (b *block) mean(p unsafe.Pointer) uint8 {
	var sum uint64
	switch {
	case b.step == 2 && b.words == 2:
		sum = packedAt(p) + packedAt(unsafe.Add(p, 8))
		p = unsafe.Add(p, b.stride)
		sum += packedAt(p) + packedAt(unsafe.Add(p, 8))
		p = unsafe.Add(p, b.stride)
		sum += packedAt(p) + packedAt(unsafe.Add(p, 8))
		p = unsafe.Add(p, b.stride)
		sum += packedAt(p) + packedAt(unsafe.Add(p, 8))
		return uint8((sum*allLanes>>48 + 16) >> 5)
	case b.step == 2:
		sum = packedAt(p)
		p = unsafe.Add(p, b.stride)
		sum += packedAt(p)
		p = unsafe.Add(p, b.stride)
		sum += packedAt(p)
		p = unsafe.Add(p, b.stride)
		sum += packedAt(p)
	case b.words == 2:
		at := 0 // a pointer is made for a row that is read, and for none behind the picture
		for range b.rows {
			v := *(*uint64)(unsafe.Add(p, at)) // even and odd samples, in lanes of their own
			sum += v&lanes + v>>8&lanes
			at += b.stride
		}
		return uint8((sum*allLanes>>48 + 16) >> 5)
	default:
		at := 0
		for range b.rows {
			sum += planarAt(unsafe.Add(p, at))
			at += b.stride
		}
	}
	// The product's top lane is the sum of all 4.
	return uint8((sum*allLanes>>48 + 8) >> 4)
}

// meanOf is the mean of a block pixel by pixel.
func (b *block) meanOf(data []byte) uint8 {
	sum := 0
	for y := range b.rows {
		for x := range b.width {
			sum += int(data[y*b.stride+x*b.step])
		}
	}
	return uint8((sum + b.width*b.rows/2) / (b.width * b.rows))
}

// fixed is a coordinate in 1/2^32 pixels.
func fixed(v float32) int64 { return int64(math.Round(float64(v) * (1 << 32))) }
