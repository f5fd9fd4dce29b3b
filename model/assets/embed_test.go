package assets

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"os"
	"testing"
	"unsafe"
)

// TestDemoIsWhatItsScriptSays counts the clip's pictures.
func TestDemoIsWhatItsScriptSays(t *testing.T) {
	var s struct {
		FPS, Frames int
		Seconds     float64
		Events      []struct{ Start, End float64 }
	}
	if err := json.Unmarshal(DemoScript(), &s); err != nil {
		t.Fatal(err)
	}
	if s.FPS != DemoFPS {
		t.Errorf("the script says %d frames a second, DemoFPS %d", s.FPS, DemoFPS)
	}
	if n := bytes.Count(Demo(), []byte{0xff, 0xd8, 0xff}); n != s.Frames {
		t.Errorf("%d pictures, the script says %d", n, s.Frames)
	}
	if s.Seconds != float64(s.Frames)/float64(s.FPS) || len(s.Events) == 0 || s.Events[len(s.Events)-1].End > s.Seconds {
		t.Errorf("%v seconds, %d events", s.Seconds, len(s.Events))
	}
}

// TestIdleLetsPagesGoAndLosesNothing looks at the process's own page table.
func TestIdleLetsPagesGoAndLosesNothing(t *testing.T) {
	for name, data := range map[string][]byte{"network": Network(), "demo": Demo()} {
		before := sha256.Sum256(data)
		had := present(t, data)
		Idle(data)
		if has := present(t, data); has > 2 || had < 20 { // those at its ends may stay
			t.Errorf("%s: %d pages before, %d after", name, had, has)
		}
		if sha256.Sum256(data) != before {
			t.Errorf("%s is another one afterwards", name)
		}
	}
	mine := bytes.Repeat([]byte{7}, 1<<20)
	Idle(mine)
	if bytes.Count(mine, []byte{7}) != len(mine) {
		t.Error("bytes of the caller's own were lost")
	}
	Idle(nil)
}

// present counts the pages that the process has of data.
func present(t *testing.T, data []byte) (n int) {
	t.Helper()
	f, err := os.Open("/proc/self/pagemap")
	if err != nil {
		t.Skip(err)
	}
	defer f.Close()
	page := uintptr(os.Getpagesize())
	start := uintptr(unsafe.Pointer(&data[0])) / page
	entries := make([]byte, 8*(uintptr(len(data))/page+1))
	if _, err := f.ReadAt(entries, int64(8*start)); err != nil {
		t.Skip(err)
	}
	for ; len(entries) > 0; entries = entries[8:] {
		n += int(binary.LittleEndian.Uint64(entries) >> 63)
	}
	return n
}
