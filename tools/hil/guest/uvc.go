package main

import (
	"encoding/binary"
	"unicode/utf16"

	"golang.org/x/sys/unix"
)

// What the camera says of itself: USB 2.0, 9.6, and the video class 1.1, 3.

const (
	cameraWidth, cameraHeight = 640, 480
	cameraFrame               = 1 << 20 // most bytes of a picture
	cameraPayload             = 16384
	cameraInterval            = 1000000 // 100 ns: 10 pictures a second
)

func word(v int) []byte  { return binary.LittleEndian.AppendUint16(nil, uint16(v)) }
func dword(v int) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(v)) }

// descriptor joins the parts and puts their length before them.
func descriptor(parts ...[]byte) []byte {
	b := []byte{0}
	for _, p := range parts {
		b = append(b, p...)
	}
	b[0] = byte(len(b))
	return b
}

func deviceDescriptor() []byte {
	return descriptor([]byte{1, 0x00, 0x02, 0xef, 2, 1, 64}, word(0x1209), word(0x0001), word(0x0100), []byte{1, 2, 3, 1})
}

func configDescriptor() []byte {
	camera := descriptor([]byte{0x24, 2, 1}, word(0x0201), []byte{0, 0}, make([]byte, 6), []byte{3, 0, 0, 0})
	output := descriptor([]byte{0x24, 3, 2}, word(0x0101), []byte{0, 1, 0})
	control := descriptor([]byte{0x24, 1}, word(0x0110), word(13+len(camera)+len(output)), dword(1000000), []byte{1, 1})
	format := descriptor([]byte{0x24, 6, 1, 1, 0, 1, 0, 0, 0, 0})
	frame := descriptor([]byte{0x24, 7, 1, 0}, word(cameraWidth), word(cameraHeight), dword(1000000), dword(80000000), dword(cameraFrame),
		dword(cameraInterval), []byte{1}, dword(cameraInterval))
	colour := descriptor([]byte{0x24, 13, 1, 1, 4})
	input := descriptor([]byte{0x24, 1, 1}, word(14+len(format)+len(frame)+len(colour)), []byte{0x81, 0, 2, 0, 0, 0, 1, 0})
	var all []byte
	for _, d := range [][]byte{
		descriptor([]byte{11, 0, 2, 14, 3, 0, 2}), // the two interfaces are one camera
		descriptor([]byte{4, 0, 0, 0, 14, 1, 0, 2}), control, camera, output,
		descriptor([]byte{4, 1, 0, 1, 14, 2, 0, 0}), input, format, frame, colour,
		descriptor([]byte{5, 0x81, 2}, word(512), []byte{0}),
	} {
		all = append(all, d...)
	}
	return append(descriptor([]byte{2}, word(9+len(all)), []byte{2, 1, 0, 0x80, 50}), all...)
}

func stringDescriptor(n int) []byte {
	switch n {
	case 0:
		return descriptor([]byte{3}, word(0x0409))
	case 1, 2, 3:
		var text []byte
		for _, u := range utf16.Encode([]rune([]string{"mien", "mien test camera", "0001"}[n-1])) {
			text = append(text, word(int(u))...)
		}
		return descriptor([]byte{3}, text)
	}
	return nil
}

// probeControl is the only setting that the camera knows (table 4-75).
func probeControl() []byte {
	b := append([]byte{0, 0, 1, 1}, dword(cameraInterval)...)
	b = append(b, make([]byte, 10)...)
	b = append(append(append(b, dword(cameraFrame)...), dword(cameraPayload)...), dword(1000000)...)
	return append(b, 0, 0, 0, 0)
}

// control answers a request at endpoint 0, with a stall where it knows none.
func (c *usbCamera) control(setup [8]byte) (in []byte, status int32) {
	kind, request := setup[0], setup[1]
	value, index := binary.LittleEndian.Uint16(setup[2:]), setup[4]
	const stall = -int32(unix.EPIPE)
	switch {
	case kind == 0x80 && request == 6: // get descriptor
		switch value >> 8 {
		case 1:
			in = deviceDescriptor()
		case 2:
			in = configDescriptor()
		case 3:
			in = stringDescriptor(int(value & 0xff))
		}
	case kind&0x60 == 0 && kind&0x80 != 0 && request == 0: // get status
		in = []byte{0, 0}
	case kind&0xe0 == 0 && (request == 1 || request == 9 || request == 11): // clear feature, set configuration, set interface
		return nil, 0
	case kind == 0x21 && index == 1 && request == 1: // there is one setting: it stays
		return nil, 0
	case kind == 0xa1 && index == 1 && (value>>8 == 1 || value>>8 == 2):
		switch request {
		case 0x81, 0x82, 0x83, 0x87: // current, least, most, default
			in = c.probe
		case 0x85:
			in = word(len(c.probe))
		case 0x86:
			in = []byte{3}
		}
	}
	if in == nil {
		return nil, stall
	}
	return in, 0
}
