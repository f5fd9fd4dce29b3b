package pixel

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// decoders gives both decoders; the one by libturbojpeg is left out, with a
// note, where the system has none.
func decoders(t testing.TB) map[string]*Decoder {
	ds := map[string]*Decoder{"go": NewDecoder("go")}
	if d := NewDecoder(""); d.turbo != nil {
		ds["turbo"] = d
		t.Cleanup(d.Close)
	} else {
		t.Logf("without libturbojpeg: %s", d.Backend())
	}
	return ds
}

// lens is a smooth picture, in colour.
func lens(w, h int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetRGBA(x, y, color.RGBA{uint8(x * 255 / w), uint8(y * 255 / h), uint8((x + y) * 127 / (w + h)), 255})
		}
	}
	return img
}

func encode(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestDecode(t *testing.T) {
	for name, d := range decoders(t) {
		for _, size := range [][2]int{{64, 48}, {65, 47}, {16, 16}, {1, 1}, {9, 200}} {
			w, h := size[0], size[1]
			colour := lens(w, h)
			data := encode(t, colour) // 4:2:0
			plain := image.NewGray(colour.Rect)
			for y := range h {
				for x := range w {
					plain.Set(x, y, colour.At(x, y))
				}
			}
			for _, c := range []struct {
				what   string
				data   []byte
				o      DecodeOptions
				format Format
			}{
				{"luma", data, DecodeOptions{}, GREY},
				{"colour", data, DecodeOptions{Colour: true}, YUV420},
				{"grey", encode(t, plain), DecodeOptions{}, GREY},
				{"grey as colour", encode(t, plain), DecodeOptions{Colour: true}, GREY},
			} {
				img, err := d.Decode(c.data, c.o)
				if err != nil {
					t.Errorf("%s, %s %dx%d: %v", name, c.what, w, h, err)
					continue
				}
				if c.format == YUV420 && (w%2 != 0 || h%2 != 0) {
					c.format = RGB24
				}
				if img.Format != c.format || img.Width != w || img.Height != h || !img.FullRange {
					t.Errorf("%s, %s: %s %dx%d", name, c.what, img.Format, img.Width, img.Height)
				}
				if err := img.Check(); err != nil {
					t.Errorf("%s, %s: %v", name, c.what, err)
				}
				for y := range h {
					for x := range w {
						p := plain.GrayAt(x, y).Y
						v := img.Data[y*w+x]
						if img.Format == RGB24 {
							i := 3 * (y*w + x)
							v = color.GrayModel.Convert(color.RGBA{img.Data[i], img.Data[i+1], img.Data[i+2], 255}).(color.Gray).Y
						}
						if v > p+12 || p > v+12 {
							t.Fatalf("%s, %s %dx%d: luma %d at %d, %d, want %d", name, c.what, w, h, v, x, y, p)
						}
					}
				}
			}
		}
	}
}

// Both decoders give the same picture, through all samplings and sizes.
func TestDecodersAgree(t *testing.T) {
	ds := decoders(t)
	turbo := ds["turbo"]
	if turbo == nil {
		t.Skip("libturbojpeg is not installed (Debian's package libturbojpeg0)")
	}
	for _, name := range []string{"420", "422", "444", "440", "grey"} {
		data, err := os.ReadFile(filepath.Join("testdata", name+".jpg"))
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range []DecodeOptions{{}, {Colour: true}} {
			what := fmt.Sprintf("%s %+v", name, o)
			a, err := turbo.Decode(data, o)
			if err != nil {
				t.Errorf("%s: %v", what, err)
				continue
			}
			b, err := ds["go"].Decode(data, o)
			if err != nil {
				t.Errorf("%s: %v", what, err)
				continue
			}
			if a.Format != b.Format || a.Width != b.Width || a.Height != b.Height || len(a.Data) != len(b.Data) {
				t.Errorf("%s: %s %dx%d against %s %dx%d", what, a.Format, a.Width, a.Height, b.Format, b.Width, b.Height)
				continue
			}
			// Chroma of RGB is interpolated: a difference is allowed where it is so.
			allowed, meanly := 2, 0.5
			if a.Format == RGB24 {
				allowed, meanly = 24, 6
			}
			sum := 0
			for i := range a.Data {
				d := int(a.Data[i]) - int(b.Data[i])
				d = max(d, -d)
				sum += d
				if d > allowed {
					t.Errorf("%s: byte %d is %d against %d", what, i, a.Data[i], b.Data[i])
					break
				}
			}
			if mean := float64(sum) / float64(len(a.Data)); mean > meanly {
				t.Errorf("%s: %.2f apart in the mean", what, mean)
			}
		}
	}
}

// withoutTables takes the Huffman tables out, as UVC cameras do.
func withoutTables(t testing.TB, data []byte) []byte {
	t.Helper()
	out := bytes.Clone(data[:2])
	for at := 2; ; {
		n := 2 + int(data[at+2])<<8 + int(data[at+3])
		if data[at+1] == markSOS {
			return append(out, data[at:]...)
		}
		if data[at+1] != markDHT {
			out = append(out, data[at:at+n]...)
		}
		at += n
	}
}

func TestDecodeWithoutHuffmanTables(t *testing.T) {
	data := encode(t, lens(70, 50)) // Go's encoder uses the tables of annex K
	bare := withoutTables(t, data)
	if len(bare) >= len(data)-400 {
		t.Fatal("the tables are still there")
	}
	for name, d := range decoders(t) {
		want, err := d.Decode(data, DecodeOptions{Colour: true})
		if err != nil {
			t.Fatal(err)
		}
		pixels := bytes.Clone(want.Data)
		got, err := d.Decode(bare, DecodeOptions{Colour: true})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !bytes.Equal(got.Data, pixels) {
			t.Errorf("%s: another picture without tables", name)
		}
	}
}

func TestDecodePaddedFrames(t *testing.T) {
	data := encode(t, lens(70, 50))
	end := len(data) - 2
	inside := append(append(bytes.Clone(data[:end]), 0, 0), data[end:]...)
	for name, d := range decoders(t) {
		want, err := d.Decode(data, DecodeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		pixels := bytes.Clone(want.Data)
		for what, padded := range map[string][]byte{
			"behind the end":   append(bytes.Clone(data), make([]byte, 500)...),
			"before the end":   inside,
			"fill bytes first": append(append(bytes.Clone(data[:2]), 0xff, 0xff), data[2:]...),
		} {
			if got, err := d.Decode(padded, DecodeOptions{}); err != nil || !bytes.Equal(got.Data, pixels) {
				t.Errorf("%s, %s: %v", name, what, err)
			}
		}
		if n := testing.AllocsPerRun(5, func() { d.Decode(inside, DecodeOptions{}) }); n != 0 && name == "turbo" {
			t.Errorf("%s: %v allocations a padded frame", name, n)
		}
	}
}

func TestDecodeRefusesDamage(t *testing.T) {
	data := encode(t, lens(320, 240))
	huge := bytes.Clone(data)
	at := bytes.Index(huge, []byte{0xff, 0xc0})
	copy(huge[at+5:], []byte{0xff, 0xff, 0xff, 0xff}) // 65535 x 65535
	none := bytes.Clone(data)
	copy(none[at+5:], []byte{0, 0, 0, 0})
	torn := bytes.Clone(data)
	for i := len(torn) / 2; i < len(torn)*3/4; i++ {
		torn[i] = 0
	}
	for name, d := range decoders(t) {
		for what, bad := range map[string][]byte{
			"nothing": nil, "a byte": data[:1], "the start": data[:2], "no picture": {0xff, 0xd8, 0xff, 0xd9},
			"a quarter": data[:len(data)/4], "a half": data[:len(data)/2], "all but a bit of it": data[:len(data)-6],
			"the header": data[:at+4], "no jpeg": []byte(strings.Repeat("mien", 100)), "torn": torn, "huge": huge, "no size": none,
			"a segment too long": {0xff, 0xd8, 0xff, 0xe0, 0xff, 0xff, 0, 0}, "a segment without end": {0xff, 0xd8, 0xff, 0xe0},
		} {
			_, err := d.Decode(bad, DecodeOptions{Colour: true})
			if !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s, %s: %v", name, what, err)
			}
			// The next frame is as good as ever.
			if _, err := d.Decode(data, DecodeOptions{}); err != nil {
				t.Errorf("%s, after %s: %v", name, what, err)
			}
		}
		print, err := os.ReadFile(filepath.Join("testdata", "cmyk.jpg"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Decode(print, DecodeOptions{Colour: true}); !errors.Is(err, ErrFormat) {
			t.Errorf("%s, CMYK: %v", name, err)
		}
	}
}

func TestDecoderWithoutItsLibrary(t *testing.T) {
	d := NewDecoder("libnotthere.so.9")
	if b := d.Backend(); !strings.Contains(b, "image/jpeg") || !strings.Contains(b, "libnotthere") || !strings.Contains(b, "install the package libturbojpeg0") {
		t.Errorf("backend %q", b)
	}
	if _, err := d.Decode(encode(t, lens(32, 32)), DecodeOptions{}); err != nil {
		t.Error(err)
	}
	if d := NewDecoder("libc.so.6"); d.turbo != nil || !strings.Contains(d.Backend(), "tjInitDecompress") || strings.Contains(d.Backend(), "install the package") {
		t.Errorf("libc decodes: %q", d.Backend())
	}
	d = NewDecoder("")
	d.Close()
	d.Close()
	if _, err := d.Decode(encode(t, lens(32, 32)), DecodeOptions{}); err != nil {
		t.Errorf("after Close: %v", err)
	}
}

func TestTurboDecodeAllocatesNothing(t *testing.T) {
	d := decoders(t)["turbo"]
	if d == nil {
		t.Skip("libturbojpeg is not installed (Debian's package libturbojpeg0)")
	}
	data := encode(t, lens(640, 480))
	bare := withoutTables(t, data)
	for _, o := range []DecodeOptions{{}, {Colour: true}} {
		if n := testing.AllocsPerRun(10, func() {
			for _, frame := range [][]byte{data, bare} {
				if _, err := d.Decode(frame, o); err != nil {
					t.Fatal(err)
				}
			}
		}); n != 0 {
			t.Errorf("%+v: %v allocations a frame", o, n)
		}
	}
}

func FuzzDecode(f *testing.F) {
	data := encode(f, lens(40, 30))
	f.Add(data)
	f.Add(withoutTables(f, data))
	f.Add(data[:len(data)/2])
	head, rows := intervals(f, scene(f, 0, 48, 32), true)
	f.Add(together(head, rows, func(i int) int { return i + 1 }, []byte{0xff, markEOI}))
	for _, name := range []string{"422", "440", "grey", "cmyk"} {
		b, err := os.ReadFile(filepath.Join("testdata", name+".jpg"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	ds := decoders(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		for name, d := range ds {
			for _, o := range []DecodeOptions{{}, {Colour: true}} {
				img, err := d.Decode(data, o)
				if err == nil {
					err = img.Check()
				} else if errors.Is(err, ErrCorrupt) || errors.Is(err, ErrFormat) {
					continue
				}
				if err != nil {
					t.Errorf("%s %+v: %v", name, o, err)
				}
			}
		}
	})
}

func benchmarkDecode(b *testing.B, d *Decoder, o DecodeOptions) {
	if d == nil {
		b.Skip("libturbojpeg is not installed (Debian's package libturbojpeg0)")
	}
	data := encode(b, lens(640, 480))
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := d.Decode(data, o); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeMJPEG640(b *testing.B) {
	benchmarkDecode(b, decoders(b)["turbo"], DecodeOptions{})
}

func BenchmarkDecodeMJPEG640Colour(b *testing.B) {
	benchmarkDecode(b, decoders(b)["turbo"], DecodeOptions{Colour: true})
}

func BenchmarkDecodeMJPEG640Go(b *testing.B) {
	benchmarkDecode(b, decoders(b)["go"], DecodeOptions{})
}
