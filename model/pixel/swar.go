package pixel

import "encoding/binary"

// word reads 8 bytes, little endian: one load on the processors that matter.
func word(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }
