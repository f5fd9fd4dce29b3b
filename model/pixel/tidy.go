package pixel

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// JPEG markers (ITU-T T.81, table B.1).
const (
	markSOI   = 0xd8
	markEOI   = 0xd9
	markSOS   = 0xda
	markDHT   = 0xc4
	markSOF0  = 0xc0 // baseline
	markSOF1  = 0xc1 // extended sequential
	markSOF15 = 0xcf
	markDAC   = 0xcc
	markDRI   = 0xdd
	markTEM   = 0x01
	markRST   = 0xd0 // to 0xd7
)

func standsAlone(mark byte) bool {
	return mark == 0 || mark == markTEM || mark == markSOI || mark >= markRST && mark < markRST+8
}

// tidy gives the frame itself, or a copy in which all stands as T.81 wants it and
// decoders take without a warning. Cheap cameras leave out the Huffman tables (which
// UVC allows) or the end marker, repeat the start marker, pad between segments, and
// say 0 for the last coefficient of a baseline scan. None of this loses picture.
func (d *Decoder) tidy(jpeg []byte) ([]byte, error) {
	if len(jpeg) < 4 || jpeg[0] != 0xff || jpeg[1] != markSOI {
		return nil, fmt.Errorf("does not begin as a jpeg: %w", ErrCorrupt)
	}
	head := append(d.whole[:0], 0xff, markSOI)
	tables, sequential := false, false
	d.restarts = false
	for at := 2; ; {
		start := at
		for at < len(jpeg) && jpeg[at] != 0xff { // padding: skip as decoders do
			at++
		}
		for at < len(jpeg) && jpeg[at] == 0xff { // fill bytes, T.81 B.1.1.2
			at++
		}
		if at >= len(jpeg) || at-start > maxStray {
			return nil, fmt.Errorf("ends before its picture: %w", ErrCorrupt)
		}
		mark := jpeg[at]
		at++
		switch {
		case mark == markEOI:
			return nil, fmt.Errorf("holds no picture: %w", ErrCorrupt)
		case standsAlone(mark):
			continue
		case mark == markDHT:
			tables = true
		case mark == markDRI:
			d.restarts = true
		case mark == markSOF0, mark == markSOF1:
			sequential = true
		}
		if at+2 > len(jpeg) {
			return nil, fmt.Errorf("ends in its header: %w", ErrCorrupt)
		}
		end := at + int(binary.BigEndian.Uint16(jpeg[at:]))
		if end > len(jpeg) {
			return nil, fmt.Errorf("ends in its header: %w", ErrCorrupt)
		}
		if mark == markSOS && !tables {
			head = append(head, standardTables...)
		}
		head = append(head, 0xff, mark)
		head = append(head, jpeg[at:end]...)
		if at = end; mark != markSOS {
			continue
		}
		if n := len(head); sequential && n >= 5 {
			copy(head[n-3:], []byte{0, 63, 0}) // T.81 B.2.3: Ss, Se, Ah and Al of a sequential scan
		}
		d.whole = head
		ended := bytes.LastIndex(jpeg[at:], []byte{0xff, markEOI}) >= 0
		if ended && bytes.Equal(head, jpeg[:at]) {
			return jpeg, nil
		}
		if d.whole = append(head, jpeg[at:]...); !ended {
			d.whole = append(d.whole, 0xff, markEOI)
		}
		return d.whole, nil
	}
}

// maxStray is how much padding may stand in one place of the header, in bytes.
const maxStray = 4096
