//go:build !amd64

package pixel

const hasAVX2 = false

func lumaFromPacked(dst, src *byte, n int) {}

func lumaFromPlanar(dst, src *byte, n int) {}

func boxes4(dst *byte, n int, patch *byte, stride int, u, v, du, dv int32, x *[256][16]uint8, y *[256][8]int16, table *[1024]byte) {
}

func boxes8(dst *byte, n int, patch *byte, stride int, u, v, du, dv int32, x *[256][16]uint8, y *[256][32]int16, table *[1024]byte) {
}

func sumRows(even, odd *byte, src *byte, stride, rows, n int, shift uint) {}

func sumRowsInOrder(sums *byte, src *byte, stride, rows, n int, shift uint) {}
