package pixel

import "golang.org/x/sys/cpu"

var hasAVX2 = cpu.X86.HasAVX2

// lumaPairsPacked copies rows of n samples, a multiple of 32, that lie 2 bytes apart,
// each less 128 and followed by the one below it: it reads one row more than it
// writes. src is where a pair of bytes begins; shift is 0 where the luma is its
// first byte, 8 where it is its second.
//
//go:noescape
func lumaPairsPacked(dst, src *byte, n, rows, dstStride, srcStride int, shift uint)

// lumaPairsPlanar is lumaPairsPacked for adjacent samples.
//
//go:noescape
func lumaPairsPlanar(dst, src *byte, n, rows, dstStride, srcStride int)

// boxes4 fills n bytes of dst, a multiple of 8, with the elements that q makes of
// the means, in quarters, of boxes of up to 4 x 4 samples of a patch of pairs, whose
// rows are stride pairs apart. u, v, du and dv are in 1/65536 samples; u and v may
// not lead out of the patch. For each 8 boxes it asks for the cache lines at ahead
// and in the two rows below, and goes aheadStep bytes further.
//
//go:noescape
func boxes4(dst *byte, n int, patch *byte, stride int, u, v, du, dv int32, x *[256][8]int16, y *[256][16]uint8, q *quantiser, ahead *byte, aheadStride, aheadStep int)

// boxes8 is boxes4 for boxes of up to 8 x 8 samples.
//
//go:noescape
func boxes8(dst *byte, n int, patch *byte, stride int, u, v, du, dv int32, x *[256][8]int16, y *[256][64]uint8, q *quantiser)

// sumRows adds the bytes of rows of n bytes, a multiple of 64, that lie stride
// apart: the even ones to 16-bit numbers at even, the odd ones to odd, both times
// 1<<shift.
//
//go:noescape
func sumRows(even, odd *byte, src *byte, stride, rows, n int, shift uint)

// sumRowsInOrder is sumRows with all numbers in the order of their bytes.
//
//go:noescape
func sumRowsInOrder(sums *byte, src *byte, stride, rows, n int, shift uint)

// wholeColumns makes n pixels, a multiple of 4, of three equal floats each: of the
// sum of so many words, 1 to 8, one pixel's after the other's, less 32768 for each
// word, times gain, plus offset, held to low and high. It reads 8 words for each.
//
//go:noescape
func wholeColumns(dst *byte, n int, sums *byte, each int, gain, offset, low, high float32)

// blocksPacked fills n bytes of dst with the means of blocks of 8 x 4 samples that
// lie 2 bytes apart, their rows pitch bytes apart. The first begins at pixel
// (u, v), in 1/2^32, and so on by (du, dv); all must lie in data. The cache lines
// of blocks that are (nextU, nextV) further are asked for.
//
//go:noescape
func blocksPacked(dst *byte, n int, data *byte, stride, pitch int, u, v, du, dv, nextU, nextV int64)

// fetchLines asks for the cache lines at a place in so many rows.
//
//go:noescape
func fetchLines(at *byte, stride, rows int)
