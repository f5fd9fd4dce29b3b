package pixel

import "golang.org/x/sys/cpu"

var hasAVX2 = cpu.X86.HasAVX2

// lumaFromPacked copies n samples that lie 2 bytes apart, each less 128; n is a
// multiple of 32. It reads 2*n bytes.
//
//go:noescape
func lumaFromPacked(dst, src *byte, n int)

// lumaFromPlanar copies n adjacent samples, each less 128; n is a multiple of 32.
//
//go:noescape
func lumaFromPlanar(dst, src *byte, n int)

// boxes4 fills n bytes of dst, a multiple of 8, with table entries for the means
// of boxes of up to 4 x 4 samples of a patch, in quarters. u, v, du and dv are
// in 1/65536 samples; u and v may not lead out of the patch.
//
//go:noescape
func boxes4(dst *byte, n int, patch *byte, stride int, u, v, du, dv int32, x *[256][16]uint8, y *[256][8]int16, table *[1024]byte)

// boxes8 is boxes4 for boxes of up to 8 x 8 samples.
//
//go:noescape
func boxes8(dst *byte, n int, patch *byte, stride int, u, v, du, dv int32, x *[256][16]uint8, y *[256][32]int16, table *[1024]byte)

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
