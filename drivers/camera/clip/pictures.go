package clip

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"mien/drivers/camera"
	"mien/drivers/camera/mjpeg"
	"mien/given"
)

// pictures is a folder played as a clip, one picture a frame. A JPEG is given as
// it is; PNG and PGM become GREY, or RGB24 when they have colour.
type pictures struct {
	dir   string
	names []string
	jpegs mjpeg.Checker
	file  []byte // the last file read
	pixel []byte // the last picture decoded
}

// Bounds of one picture: bytes of its file, and of a PNG that is decoded.
const (
	maxPictureFile = 64 << 20
	maxPNG         = 64 << 20
)

func openPictures(dir string) (*pictures, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	p := &pictures{dir: dir}
	for _, e := range entries { // ReadDir sorts by name
		if !e.IsDir() && pictureKind(e.Name()) != 0 {
			p.names = append(p.names, e.Name())
		}
	}
	if len(p.names) == 0 {
		return nil, fmt.Errorf("%w: no .jpg, .jpeg, .png or .pgm in the folder", camera.ErrUnsupported)
	}
	return p, nil
}

func (p *pictures) count() int   { return len(p.names) }
func (p *pictures) cut() error   { return nil }
func (p *pictures) close() error { return nil }

func (p *pictures) load(i int, f *camera.Frame) error {
	name := p.names[i]
	err := p.read(filepath.Join(p.dir, name))
	if err == nil {
		switch pictureKind(name) {
		case kindJPEG:
			f.Format, f.Stride = camera.MJPEG, 0
			f.Data, f.Width, f.Height, err = p.jpegs.Whole(p.file)
		case kindPNG:
			err = p.png(f)
		case kindPGM:
			err = p.pgm(f)
		}
	}
	if err != nil {
		return &damaged{fmt.Sprintf("picture %s: %v", name, err)}
	}
	return nil
}

// read fills p.file, reusing it.
func (p *pictures) read(path string) error {
	file, st, err := given.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if st.Size() > maxPictureFile {
		return fmt.Errorf("%d bytes, the limit is %d", st.Size(), maxPictureFile)
	}
	p.file = sized(p.file, int(st.Size()))
	n, err := io.ReadFull(file, p.file)
	p.file = p.file[:n]
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return nil // shorter than a moment ago; the decoder will say
	}
	return err
}

func sized(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}

func checkSides(w, h int) error {
	if w < 1 || h < 1 || w > camera.MaxSide || h > camera.MaxSide || w*h > 64<<20 {
		return fmt.Errorf("it says %dx%d pixels; at most %d each way and %d million together are taken", w, h, camera.MaxSide, 64)
	}
	return nil
}

func (p *pictures) png(f *camera.Frame) error {
	cfg, err := png.DecodeConfig(bytes.NewReader(p.file))
	if err != nil {
		return err
	}
	if err := checkSides(cfg.Width, cfg.Height); err != nil {
		return err
	}
	img, err := given.PNG(p.file, maxPNG)
	if err != nil {
		return err
	}
	w, h := cfg.Width, cfg.Height
	f.Width, f.Height = w, h
	if cfg.ColorModel == color.GrayModel || cfg.ColorModel == color.Gray16Model {
		p.pixel = sized(p.pixel, w*h)
		grey := &image.Gray{Pix: p.pixel, Stride: w, Rect: image.Rect(0, 0, w, h)}
		draw.Draw(grey, grey.Rect, img, img.Bounds().Min, draw.Src)
		f.Format, f.Stride, f.Data = camera.GREY, w, p.pixel
		return nil
	}
	p.pixel = sized(p.pixel, 3*w*h)
	row := image.NewRGBA(image.Rect(0, 0, w, 1)) // what is transparent becomes black
	for y := range h {
		draw.Draw(row, row.Rect, img, image.Pt(img.Bounds().Min.X, img.Bounds().Min.Y+y), draw.Src)
		for i, o := 0, 3*w*y; o < 3*w*(y+1); i, o = i+4, o+3 {
			p.pixel[o], p.pixel[o+1], p.pixel[o+2] = row.Pix[i], row.Pix[i+1], row.Pix[i+2]
		}
	}
	f.Format, f.Stride, f.Data = camera.RGB24, 3*w, p.pixel
	return nil
}

// pgm reads a binary portable graymap of 8 bits (netpbm, pgm(5)): "P5", width,
// height and maximum in ASCII with comments between, one white space, the rows.
func (p *pictures) pgm(f *camera.Frame) error {
	b := p.file
	if len(b) < 2 || b[0] != 'P' || b[1] != '5' {
		return errors.New("not a binary PGM (P5)")
	}
	at := 2
	var v [3]int
	for i := range v {
		for at < len(b) && (isSpace(b[at]) || b[at] == '#') {
			if b[at] == '#' {
				for at < len(b) && b[at] != '\n' {
					at++
				}
				continue
			}
			at++
		}
		from := at
		for at < len(b) && b[at] >= '0' && b[at] <= '9' {
			at++
		}
		n, err := strconv.Atoi(string(b[from:at]))
		if err != nil {
			return fmt.Errorf("its PGM header: %w", err)
		}
		v[i] = n
	}
	if at >= len(b) || !isSpace(b[at]) {
		return errors.New("its PGM header is cut short")
	}
	at++
	w, h, top := v[0], v[1], v[2]
	if err := checkSides(w, h); err != nil {
		return err
	}
	if top < 1 || top > 255 {
		return fmt.Errorf("a PGM with maximum %d; 8-bit ones (255) are read", top)
	}
	if len(b)-at < w*h {
		return fmt.Errorf("a PGM cut short: %d of %d bytes", len(b)-at, w*h)
	}
	f.Format, f.Width, f.Height, f.Stride, f.Data = camera.GREY, w, h, w, b[at:at+w*h]
	if top != 255 {
		for i, x := range f.Data { // p.file is ours to change
			f.Data[i] = uint8(min(int(x)*255/top, 255))
		}
	}
	return nil
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }
