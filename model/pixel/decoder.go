package pixel

import (
	"errors"
	"fmt"
)

// Decoder turns JPEG files, one a frame, into pictures. It uses libturbojpeg
// where the system has it, and Go's image/jpeg elsewhere. With libturbojpeg it
// allocates nothing once it has seen the largest frame. It serves one goroutine
// at a time.
type Decoder struct {
	turbo *turbo
	why   error  // why not libturbojpeg
	whole []byte // a frame put in order

	restarts bool   // it has restart markers
	plain    []byte // a frame without what stuffs it
	walk     walk
	stuff    bool   // the last frame was stuffed
	out      []byte // the picture
}

// DecodeOptions say how much of a JPEG is wanted.
type DecodeOptions struct {
	// Colour asks for the chroma too. Without it only the luma is decoded,
	// which is cheaper.
	Colour bool
}

// NewDecoder looks for libturbojpeg by library, a path or a name that the
// dynamic linker knows; empty stands for the system's libturbojpeg.so.0, and
// "go" keeps to Go's decoder. A library that is not there is no error: Backend
// tells.
func NewDecoder(library string) *Decoder {
	d := &Decoder{}
	switch library {
	case "go":
		d.why = errors.New("chosen")
	case "":
		if d.turbo, d.why = openTurbo("libturbojpeg.so.0"); d.why != nil {
			if other, err := openTurbo("libturbojpeg.so"); err == nil {
				d.turbo, d.why = other, nil
			}
		}
	default:
		d.turbo, d.why = openTurbo(library)
	}
	return d
}

// Backend names what decodes, and why it is not libturbojpeg.
func (d *Decoder) Backend() string {
	if d.turbo != nil {
		return d.turbo.name
	}
	return fmt.Sprintf("go image/jpeg (libturbojpeg: %v)", d.why)
}

// Close gives the library's memory back; the Decoder goes on with Go's decoder
// if it is used again.
func (d *Decoder) Close() {
	if d.turbo != nil {
		d.turbo.close()
		d.turbo, d.why = nil, errors.New("closed")
	}
}

// Decode gives the picture: GREY without Colour, else YUV420, YUV422P, YUV444P or
// GREY as the JPEG has it, and RGB24 for rarer layouts and for odd sizes, always
// with FullRange set. Its Data is valid until the next Decode. Data that is no JPEG, or one
// of which picture is lost (cut short, a bad code, out of step), gives an error
// that wraps ErrCorrupt; a JPEG of a kind no camera makes (CMYK) one that wraps
// ErrFormat. What is only untidy is read.
func (d *Decoder) Decode(jpeg []byte, o DecodeOptions) (Image, error) {
	var img Image
	whole, err := d.tidy(jpeg)
	switch {
	case err != nil:
	case d.turbo != nil:
		img, err = d.tryTurbo(whole, o.Colour)
	default:
		img, err = d.plainDecode(whole, o.Colour)
	}
	if err != nil {
		return Image{}, fmt.Errorf("decode jpeg of %d bytes: %w", len(jpeg), err)
	}
	return img, nil
}

// tryTurbo decodes by libturbojpeg, which stops at whatever it warns of.
// Where that is no loss of picture the frame is tried without what stuffs it, which
// costs little, and at last Go's decoder says whether picture is lost: it reads
// layouts that libturbojpeg does not, and passes over what stands before a marker.
func (d *Decoder) tryTurbo(whole []byte, colour bool) (img Image, err error) {
	stuffed := d.stuff // a camera that stuffs one frame stuffs the next
	if !stuffed {
		if img, err = d.turboDecode(whole, colour); err == nil || !mayBeWhole(err) {
			return img, err
		}
	}
	if plain, e := d.unstuff(whole); e == nil {
		if img, e = d.turboDecode(plain, colour); e == nil {
			d.stuff = len(plain) < len(whole)
			return img, nil
		}
	}
	if d.stuff = false; stuffed { // this one is another, or damaged
		if img, err = d.turboDecode(whole, colour); err == nil || !mayBeWhole(err) {
			return img, err
		}
	}
	img, e := d.plainDecode(whole, colour)
	if e != nil {
		return Image{}, fmt.Errorf("%w; %w", err, e)
	}
	return img, nil
}

// maxPixels keeps a damaged header from asking for all memory.
const maxPixels = 1 << 24

func checkSize(width, height int) error {
	if width < 1 || height < 1 || width > maxSide || height > maxSide || width*height > maxPixels {
		return fmt.Errorf("header says %dx%d; 1 to %d each way and %d million pixels together are taken: %w",
			width, height, maxSide, maxPixels>>20, ErrCorrupt)
	}
	return nil
}

// noFormat stands for a sampling of chroma that no Format has.
const noFormat Format = 0

// planarFormat is what a JPEG of a sampling decodes to in a size: the planes as
// they are, or RGB24 where the chroma does not come out even, which no camera
// does.
func planarFormat(sampling Format, w, h int) Format {
	switch {
	case sampling == noFormat,
		sampling != YUV444P && w%2 != 0,
		sampling == YUV420 && h%2 != 0:
		return RGB24
	}
	return sampling
}

// chromaSize is the size of a chroma plane of a decoded picture.
func (m *Image) chromaSize() (w, h int) {
	switch m.Format {
	case YUV420:
		return m.Width / 2, m.Height / 2
	case YUV422P:
		return m.Width / 2, m.Height
	case YUV444P:
		return m.Width, m.Height
	}
	return 0, 0
}

// planarSize is how many bytes a decoded picture has.
func (m *Image) planarSize() int {
	n := m.Width * m.Height
	if m.Format == RGB24 {
		return 3 * n
	}
	w, h := m.chromaSize()
	return n + 2*w*h
}

// room gives n bytes that are kept for the next frame.
func (d *Decoder) room(n int) []byte {
	if cap(d.out) < n {
		d.out = make([]byte, n)
	}
	return d.out[:n]
}
