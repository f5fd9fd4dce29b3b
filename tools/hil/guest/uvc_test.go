package main

import (
	"encoding/binary"
	"testing"
)

// The descriptors join up: each length leads to the next, and the totals are
// those of what they count.
func TestDescriptors(t *testing.T) {
	if n := len(deviceDescriptor()); n != 18 {
		t.Errorf("the device descriptor has %d bytes, USB 2.0 says 18", n)
	}
	b := configDescriptor()
	if total := int(binary.LittleEndian.Uint16(b[2:])); total != len(b) {
		t.Errorf("wTotalLength %d of %d bytes", total, len(b))
	}
	kinds := map[byte]int{}
	class, from, want := 0, 0, 0 // bytes of class descriptors since the last interface
	for at := 0; at < len(b); {
		n := int(b[at])
		if n < 2 || at+n > len(b) {
			t.Fatalf("a descriptor of %d bytes at %d", n, at)
		}
		d := b[at : at+n]
		kinds[d[1]]++
		switch {
		case d[1] == 4 || d[1] == 5:
			if class != want {
				t.Errorf("the class descriptors from %d on have %d bytes, their header says %d", from, class, want)
			}
			class, want, from = 0, 0, at+n
		case d[1] == 0x24:
			if class == 0 && n == 13 { // of the control interface
				want = int(binary.LittleEndian.Uint16(d[5:]))
			} else if class == 0 {
				want = int(binary.LittleEndian.Uint16(d[4:]))
			}
			class += n
		}
		at += n
	}
	if kinds[4] != 2 || kinds[5] != 1 || kinds[11] != 1 || kinds[0x24] != 7 {
		t.Errorf("descriptors by kind: %v", kinds)
	}
	if n := len(probeControl()); n != 34 {
		t.Errorf("the probe control has %d bytes, UVC 1.1 says 34", n)
	}
}

// What the camera does not know is stalled.
func TestControl(t *testing.T) {
	c := &usbCamera{probe: probeControl()}
	for _, r := range []struct {
		what   string
		setup  [8]byte
		bytes  int
		status int32
	}{
		{"device descriptor", [8]byte{0x80, 6, 0, 1, 0, 0, 18}, 18, 0},
		{"device qualifier", [8]byte{0x80, 6, 0, 6}, 0, -32},
		{"a string that is not there", [8]byte{0x80, 6, 9, 3}, 0, -32},
		{"set configuration", [8]byte{0, 9, 1}, 0, 0},
		{"clear halt", [8]byte{2, 1, 0, 0, 0x81}, 0, 0},
		{"current probe", [8]byte{0xa1, 0x81, 0, 1, 1, 0, 34}, 34, 0},
		{"commit", [8]byte{0x21, 1, 0, 2, 1, 0, 34}, 0, 0},
		{"a control of the camera terminal", [8]byte{0xa1, 0x81, 0, 4, 0, 1, 4}, 0, -32},
	} {
		in, status := c.control(r.setup)
		if len(in) != r.bytes || status != r.status {
			t.Errorf("%s: %d bytes, status %d; want %d, %d", r.what, len(in), status, r.bytes, r.status)
		}
	}
}
