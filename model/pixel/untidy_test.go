package pixel

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/jpeg"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"

	"mien/model/assets"
)

// scene is a part of a picture of the demo clip.
func scene(t testing.TB, n, w, h int) *image.Gray {
	t.Helper()
	all := bytes.SplitAfter(assets.Demo(), []byte{0xff, markEOI})
	img, err := jpeg.Decode(bytes.NewReader(all[n%(len(all)-1)]))
	if err != nil {
		t.Fatal(err)
	}
	part := image.NewGray(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			part.Set(x, y, img.At(240+x, 120+y))
		}
	}
	return part
}

// intervals is a JPEG in parts, as cameras with restart intervals make them: what
// stands before its entropy-coded data, and the data of each interval, one row of
// MCUs. A row encoded by itself is just that. In colour, which is 4:2:0, what is grey
// often ends in a zero byte of its own.
func intervals(t testing.TB, img *image.Gray, colour bool) (head []byte, rows [][]byte) {
	t.Helper()
	side := 8
	if colour {
		side = 16
	}
	for y := 0; y < img.Rect.Dy(); y += side {
		row := img.SubImage(image.Rect(0, y, img.Rect.Dx(), y+side))
		if colour {
			rgba := image.NewRGBA(row.Bounds())
			draw.Draw(rgba, rgba.Rect, row, row.Bounds().Min, draw.Src)
			row = rgba
		}
		var b bytes.Buffer
		if err := jpeg.Encode(&b, row, &jpeg.Options{Quality: 60}); err != nil {
			t.Fatal(err)
		}
		one := b.Bytes()
		scan, _, err := findScan(one)
		if err != nil {
			t.Fatal(err)
		}
		data := scan + 2 + int(one[scan+2])<<8 + int(one[scan+3])
		if head == nil {
			sof := bytes.Index(one, []byte{0xff, markSOF0})
			one[sof+5], one[sof+6] = byte(img.Rect.Dy()>>8), byte(img.Rect.Dy())
			mcus := img.Rect.Dx() / side
			head = slices.Concat(one[:scan], []byte{0xff, markDRI, 0, 4, byte(mcus >> 8), byte(mcus)}, one[scan:data])
		}
		rows = append(rows, one[data:len(one)-2])
	}
	return head, rows
}

// together makes the JPEG, with what is put before each marker.
func together(head []byte, rows [][]byte, stuffing func(i int) int, end []byte) []byte {
	out := bytes.Clone(head)
	for i, r := range rows {
		out = append(append(out, r...), make([]byte, stuffing(i))...)
		if i < len(rows)-1 {
			out = append(out, 0xff, markRST+byte(i%8))
		}
	}
	return append(out, end...)
}

func none(int) int { return 0 }

// Pictures as cheap cameras send them: what is only untidy is read, and is the same
// picture; what lost some of its data is refused. By both decoders.
func TestUntidyPictures(t *testing.T) {
	const w, h = 160, 96
	count := 2000
	if testing.Short() {
		count = 200
	}
	rng := rand.New(rand.NewPCG(1, 2))
	eoi := []byte{0xff, markEOI}
	ds := decoders(t)
	read, refused, zeros := 0, 0, 0
	for n := 0; read+refused < count; n++ {
		head, rows := intervals(t, scene(t, n*7, w, h), n%2 == 1)
		for _, r := range rows {
			if r[len(r)-1] == 0 {
				zeros++
			}
		}
		whole := together(head, rows, none, eoi)
		scan, _, _ := findScan(whole)
		dht := bytes.Index(whole, []byte{0xff, markDHT})
		some := rng.IntN(9) + 1
		stuffed := together(head, rows, func(i int) int { return rng.IntN(5) }, eoi)
		put := func(jpeg []byte, at int, what ...byte) []byte { return slices.Concat(jpeg[:at], what, jpeg[at:]) }
		sequential := bytes.Clone(whole)
		sequential[len(head)-2] = 0 // Se
		untidy := map[string][]byte{
			"as it should be":         whole,
			"stuffed":                 stuffed,
			"half of it stuffed":      together(head, rows, func(i int) int { return i % 2 * some }, eoi),
			"zeros before the end":    together(head, rows, func(i int) int { return i / (len(rows) - 1) * 100 }, eoi),
			"start twice":             put(whole, 2, 0xff, markSOI),
			"a stray byte":            put(whole, 2, 0),
			"zeros behind a comment":  put(whole, 2, append([]byte{0xff, 0xfe, 0, 4, 1, 2}, make([]byte, 600)...)...),
			"stray bytes in the head": put(whole, dht, 1, 2, 3),
			"no end":                  together(head, rows, none, nil),
			"no end, stuffed":         together(head, rows, func(i int) int { return some % (i + 1) }, nil),
			"Se = 0":                  sequential,
			"bytes behind the end":    append(bytes.Clone(whole), 1, 2, 3),
		}
		lossy := map[string][]byte{
			"cut in the scan":         whole[:len(head)+rng.IntN(len(whole)-len(head)-10)],
			"cut, with an end":        append(bytes.Clone(whole[:len(head)+rng.IntN(len(whole)-len(head)-10)]), eoi...),
			"cut in the head":         whole[:rng.IntN(scan)],
			"all but one interval":    together(head, rows[:len(rows)-1], func(i int) int { return i / (len(rows) - 2) * 3 }, eoi),
			"an interval is missing":  together(head, slices.Delete(slices.Clone(rows), 2, 3), none, eoi),
			"an interval lost bytes":  together(head, append([][]byte{rows[0], rows[1][:len(rows[1])-8]}, rows[2:]...), none, eoi),
			"stuffed, and cut in one": together(head, append([][]byte{rows[0], rows[1][:len(rows[1])-8]}, rows[2:]...), func(i int) int { return i % 3 }, eoi),
		}
		for name, d := range ds {
			img, err := d.Decode(whole, DecodeOptions{})
			if err != nil {
				t.Fatalf("%s: picture %d: %v", name, n, err)
			}
			want := bytes.Clone(img.Data)
			for what, data := range untidy {
				img, err := d.Decode(data, DecodeOptions{})
				if err != nil {
					t.Errorf("%s: picture %d, %s: %v", name, n, what, err)
					continue
				}
				for i, v := range img.Data {
					if v != want[i] && v != want[i]+1 && v != want[i]-1 {
						t.Errorf("%s: picture %d, %s: another picture", name, n, what)
						break
					}
				}
			}
			for what, data := range lossy {
				if _, err := d.Decode(data, DecodeOptions{}); !errors.Is(err, ErrCorrupt) {
					t.Errorf("%s: picture %d, %s: %v", name, n, what, err)
				}
			}
		}
		read, refused = read+len(untidy), refused+len(lossy)
	}
	t.Logf("%d pictures read, %d refused, %d intervals end in a zero of their own", read, refused, zeros)
}

// A camera that stuffs each frame costs no memory: its frames are put in order
// before they are decoded.
func TestUntidyPicturesAllocateNothing(t *testing.T) {
	d := decoders(t)["turbo"]
	if d == nil {
		t.Skip("libturbojpeg is not installed (Debian's package libturbojpeg0)")
	}
	head, rows := intervals(t, scene(t, 0, 160, 96), true)
	stuffed := together(head, rows, func(i int) int { return i%4 + 1 }, []byte{0xff, markEOI})
	if n := testing.AllocsPerRun(10, func() {
		if _, err := d.Decode(stuffed, DecodeOptions{}); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

// libjpeg keeps the text of its last warning by thread. Decoders that run at the same
// time, while Go moves goroutines between threads, each get their own.
func TestDecodersDoNotMixTheirErrors(t *testing.T) {
	if decoders(t)["turbo"] == nil {
		t.Skip("libturbojpeg is not installed (Debian's package libturbojpeg0)")
	}
	// A goroutine goes on on another thread when its processor was taken away while the
	// library computed, and others wait for one: few processors, long calls, others.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	stop := make(chan struct{})
	defer close(stop)
	for range 4 {
		go func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
			}
		}()
	}
	img := image.NewGray(image.Rect(0, 0, 1600, 1200))
	for i := range img.Pix {
		img.Pix[i] = byte(i * i / 1000)
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	whole := b.Bytes()
	end := len(whole) - 2
	frames := [][]byte{
		slices.Concat(whole[:end], []byte{1}, whole[end:]), // one byte too many: harmless
		slices.Concat(whole[:end-200], whole[end:]),        // too few
		whole,
	}
	var wait sync.WaitGroup
	wrong := make(chan string, 100)
	for g := range 8 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			d := NewDecoder("")
			defer d.Close()
			for i := range 12 {
				n := (g + i) % len(frames)
				_, err := d.turboDecode(frames[n], false)
				if lost := n == 1; lost != (err != nil) || lost && (mayBeWhole(err) || !bytes.Contains([]byte(err.Error()), []byte("premature end"))) {
					select {
					case wrong <- fmt.Sprintf("frame %d: %v", n, err):
					default:
					}
				}
			}
		}()
	}
	wait.Wait()
	close(wrong)
	for w := range wrong {
		t.Error(w)
	}
}
