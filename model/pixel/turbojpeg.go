package pixel

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"unsafe"

	"github.com/ebitengine/purego"
)

// The TurboJPEG C API, turbojpeg.h of libjpeg-turbo 2.0; version 3 keeps it.
const (
	tjGrey     = 6 // TJPF_GRAY
	tjRGB      = 0 // TJPF_RGB
	tjSamp444  = 0 // TJSAMP_444, and so on
	tjSamp422  = 1
	tjSamp420  = 2
	tjSampGrey = 3
	tjCMYK     = 3 // TJCS_CMYK and up: colour spaces of print
)

// turbo is one TurboJPEG decompressor.
type turbo struct {
	arguments [9]uintptr // of the call in progress
	name      string
	handle    uintptr

	header, decompress, toPlanes, errorString, destroy uintptr

	// What the library writes to, or reads: C memory cannot point to a stack
	// that Go may move.
	head  struct{ width, height, sampling, space int32 }
	plane [3]uintptr
	pitch [3]int32
}

func openTurbo(library string) (*turbo, error) {
	lib, err := purego.Dlopen(library, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, errors.New(strings.TrimSpace(err.Error()))
	}
	t := &turbo{name: "libturbojpeg (" + library + ")"}
	var create uintptr
	for _, s := range []struct {
		name string
		to   *uintptr
	}{
		{"tjInitDecompress", &create},
		{"tjDecompressHeader3", &t.header},
		{"tjDecompress2", &t.decompress},
		{"tjDecompressToYUVPlanes", &t.toPlanes},
		{"tjGetErrorStr2", &t.errorString},
		{"tjDestroy", &t.destroy},
	} {
		if *s.to, err = purego.Dlsym(lib, s.name); err != nil {
			purego.Dlclose(lib)
			return nil, fmt.Errorf("%s has no %s: libjpeg-turbo 2.0 or newer is needed", library, s.name)
		}
	}
	if t.handle, _, _ = purego.SyscallN(create); t.handle == 0 {
		purego.Dlclose(lib)
		return nil, fmt.Errorf("%s: tjInitDecompress failed", library)
	}
	return t, nil
}

// close frees the decompressor. The library stays loaded: another Decoder may
// use it.
func (t *turbo) close() {
	purego.SyscallN(t.destroy, t.handle)
	t.handle = 0
}

func address(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }

// turboDecode is Decode by libturbojpeg.
func (d *Decoder) turboDecode(data []byte, colour bool, shrink int) (Image, error) {
	t := d.turbo
	head := &t.head
	rc := t.call(t.header, t.handle, address(data), uintptr(len(data)),
		uintptr(unsafe.Pointer(&head.width)), uintptr(unsafe.Pointer(&head.height)),
		uintptr(unsafe.Pointer(&head.sampling)), uintptr(unsafe.Pointer(&head.space)))
	if int32(rc) != 0 {
		return Image{}, t.fault()
	}
	if err := checkSize(int(head.width), int(head.height)); err != nil {
		return Image{}, err
	}
	if head.space >= tjCMYK {
		return Image{}, fmt.Errorf("colour space %d of print: %w", head.space, ErrFormat)
	}
	// TJSCALED of turbojpeg.h rounds up.
	w, h := (int(head.width)+shrink-1)/shrink, (int(head.height)+shrink-1)/shrink
	img := Image{Format: GREY, Width: w, Height: h, FullRange: true}
	cw, ch := 0, 0
	if colour {
		switch head.sampling {
		case tjSamp444:
			img.Format, cw, ch = YUV444P, w, h
		case tjSamp422:
			img.Format, cw, ch = YUV422P, (w+1)/2, h
		case tjSamp420:
			img.Format, cw, ch = YUV420, (w+1)/2, (h+1)/2
		case tjSampGrey:
		default:
			img.Format = RGB24
		}
	}
	switch {
	case img.Format == RGB24:
		img.Data = d.room(3 * w * h)
		rc = t.pixels(data, img.Data, w, h, 3*w, tjRGB)
	case img.Format == GREY:
		img.Data = d.room(w * h)
		rc = t.pixels(data, img.Data, w, h, w, tjGrey)
	default:
		img.Data = d.room(w*h + 2*cw*ch)
		t.plane = [3]uintptr{address(img.Data), address(img.Data[w*h:]), address(img.Data[w*h+cw*ch:])}
		t.pitch = [3]int32{int32(w), int32(cw), int32(cw)}
		rc = t.call(t.toPlanes, t.handle, address(data), uintptr(len(data)),
			uintptr(unsafe.Pointer(&t.plane)), uintptr(w), uintptr(unsafe.Pointer(&t.pitch)), uintptr(h), 0)
	}
	runtime.KeepAlive(data)
	runtime.KeepAlive(d)
	if int32(rc) != 0 {
		if err := t.fault(); !harmless(err) {
			return Image{}, err
		}
	}
	return img, nil
}

func (t *turbo) pixels(data, dst []byte, w, h, pitch, format int) uintptr {
	return t.call(t.decompress, t.handle, address(data), uintptr(len(data)),
		address(dst), uintptr(w), uintptr(pitch), uintptr(h), uintptr(format), 0)
}

// call passes the arguments in memory of the turbo's own: SyscallN's list
// escapes, and would be a new one for each frame.
func (t *turbo) call(function uintptr, arguments ...uintptr) uintptr {
	n := copy(t.arguments[:], arguments)
	rc, _, _ := purego.SyscallN(function, t.arguments[:n]...)
	return rc
}

// harmless tells the one warning with a whole picture behind it: many webcams
// pad their frames in front of a marker.
func harmless(err error) bool {
	return strings.Contains(err.Error(), "extraneous bytes before marker")
}

// fault gives the library's own words.
func (t *turbo) fault() error {
	p, _, _ := purego.SyscallN(t.errorString, t.handle)
	text := "unknown error"
	if p != 0 {
		start := *(**byte)(unsafe.Pointer(&p)) // C memory: Go's collector does not move it
		n := 0
		for n < 200 && *(*byte)(unsafe.Add(unsafe.Pointer(start), n)) != 0 {
			n++
		}
		text = string(unsafe.Slice(start, n))
	}
	return fmt.Errorf("libturbojpeg: %s: %w", text, ErrCorrupt)
}
