package modbus

// CRC is CRC-16/MODBUS: polynomial 0x8005 reflected, start 0xFFFF (V1.02,
// 6.2.2). It is sent low byte first, so that the CRC of a whole frame is 0.
func CRC(p []byte) uint16 {
	crc := uint16(0xFFFF)
	for _, b := range p {
		crc = AddCRC(crc, b)
	}
	return crc
}

// AddCRC is the CRC with one character more.
func AddCRC(crc uint16, b byte) uint16 { return crc>>8 ^ crcTable[byte(crc)^b] }

var crcTable = func() (t [256]uint16) {
	for i := range t {
		crc := uint16(i)
		for range 8 {
			if crc&1 != 0 {
				crc = crc>>1 ^ 0xA001
			} else {
				crc >>= 1
			}
		}
		t[i] = crc
	}
	return t
}()
