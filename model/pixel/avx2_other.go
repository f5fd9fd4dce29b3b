//go:build !amd64

package pixel

const hasAVX2 = false

func lumaPairsPacked(dst, src *byte, n, rows, dstStride, srcStride int, shift uint) {}

func lumaPairsPlanar(dst, src *byte, n, rows, dstStride, srcStride int) {}

func boxes4(dst *byte, n int, patch *byte, stride int, u, v, du, dv int32, x *[256][8]int16, y *[256][16]uint8, q *quantiser, ahead *byte, aheadStride, aheadStep int) {
}

func boxes8(dst *byte, n int, patch *byte, stride int, u, v, du, dv int32, x *[256][8]int16, y *[256][64]uint8, q *quantiser) {
}

func sumRows(even, odd *byte, src *byte, stride, rows, n int, shift uint) {}

func sumRowsInOrder(sums *byte, src *byte, stride, rows, n int, shift uint) {}

func wholeColumns(dst *byte, n int, sums *byte, each int, gain, offset, low, high float32) {}

func blocksPacked(dst *byte, n int, data *byte, stride, pitch int, u, v, du, dv, nextU, nextV int64) {
}

func fetchLines(at *byte, stride, rows int) {}
