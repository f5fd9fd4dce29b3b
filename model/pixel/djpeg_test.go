package pixel

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mien/model/assets"
)

// djpeg gives the luma that libjpeg-turbo's own program makes of a JPEG, row after
// row, nil where it makes none, and what it complains of.
func djpeg(t *testing.T, file string, data []byte) (luma []byte, said string) {
	t.Helper()
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	var out, complaints bytes.Buffer
	// Not so much verbose it tells its first complaint only.
	cmd := exec.Command("djpeg", "-verbose", "-verbose", "-verbose", "-grayscale", "-pnm", file)
	cmd.Stdout, cmd.Stderr = &out, &complaints
	cmd.Run() // it ends with 2 where it has complained
	var w, h, most int
	if n, _ := fmt.Sscanf(out.String(), "P5\n%d %d\n%d\n", &w, &h, &most); n == 3 && out.Len() > w*h {
		luma = out.Bytes()[out.Len()-w*h:]
	}
	return luma, complaints.String()
}

// within1 says whether two pictures have the same luma, within 1 of 255.
func within1(a, b []byte) bool {
	for i := range a {
		if d := int(a[i]) - int(b[i]); d < -1 || d > 1 {
			return false
		}
	}
	return len(a) == len(b)
}

// 2,000 pictures of the demo clip, cut, stuffed and padded: what djpeg reads whole is
// read and has the same luma, what it ends before its time is refused. Only where an
// end marker is all that is missing djpeg complains too, and has lost nothing.
func TestAgainstDjpeg(t *testing.T) {
	if testing.Short() {
		t.Skip("starts djpeg thousands of times; left out by -short")
	}
	if _, err := exec.LookPath("djpeg"); err != nil {
		t.Skip("no djpeg here (Debian: libjpeg-turbo-progs)")
	}
	const count = 2000
	rng := rand.New(rand.NewPCG(3, 4))
	ds, file := decoders(t), filepath.Join(t.TempDir(), "p.jpg")
	clip := bytes.SplitAfter(assets.Demo(), []byte{0xff, markEOI})
	eoi := []byte{0xff, markEOI}
	zeros := func() []byte { return make([]byte, 1+rng.IntN(200)) }
	read, refused := map[string]int{}, map[string]int{}
	for n := range count {
		whole := clip[rng.IntN(len(clip)-1)]
		scan, _, err := findScan(whole)
		if err != nil {
			t.Fatal(err)
		}
		body := scan + 2 + int(whole[scan+2])<<8 + int(whole[scan+3])
		var what string
		var data []byte
		switch n % 8 {
		case 0:
			what, data = "cut in the scan", whole[:body+rng.IntN(len(whole)-body-16)]
		case 1:
			what, data = "cut in the scan, with an end", append(bytes.Clone(whole[:body+rng.IntN(len(whole)-body-16)]), eoi...)
		case 2:
			what, data = "cut in the head", whole[:2+rng.IntN(scan-2)]
		case 3:
			what, data = "without an end", whole[:len(whole)-2]
		case 4:
			what, data = "padded before the end", slices.Concat(whole[:len(whole)-2], zeros(), eoi)
		case 5:
			what, data = "padded behind the end", slices.Concat(whole, zeros())
		case 6: // between the segments of the head
			at := bytes.Index(whole, []byte{0xff, markDHT})
			what, data = "padded in the head", slices.Concat(whole[:at], zeros(), whole[at:])
		case 7:
			head, rows := intervals(t, scene(t, n, 160, 96), n%16 == 15)
			what = "stuffed before its restart markers"
			if data = together(head, rows, func(int) int { return rng.IntN(5) }, eoi); n%3 == 0 {
				what, data = "stuffed, and cut", data[:len(head)+rng.IntN(len(data)-len(head)-16)]
			}
		}
		want, said := djpeg(t, file, data)
		early := want == nil || strings.Contains(said, "remature end")
		if early && what == "without an end" {
			if plain, _ := djpeg(t, file, whole); !within1(plain, want) {
				t.Fatalf("picture %d: djpeg loses something where only the end marker is missing: %s", n, said)
			}
			early = false
		}
		for name, d := range ds {
			img, err := d.Decode(data, DecodeOptions{})
			switch {
			case early && !errors.Is(err, ErrCorrupt):
				t.Errorf("%s: picture %d, %s: djpeg says %q; here: %v", name, n, what, strings.TrimSpace(said), err)
			case !early && err != nil:
				t.Errorf("%s: picture %d, %s: djpeg reads it (%q); here: %v", name, n, what, strings.TrimSpace(said), err)
			case !early && !within1(img.Data, want):
				t.Errorf("%s: picture %d, %s: another picture than djpeg's", name, n, what)
			}
		}
		if early {
			refused[what]++
		} else {
			read[what]++
		}
	}
	t.Logf("of %d pictures djpeg reads %v and ends %v early; %d decoders say the same", count, read, refused, len(ds))
}
