package wire

import (
	"bytes"
	"reflect"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	var b bytes.Buffer
	sent := []*Message{
		{ID: 1, Kind: Run, Args: []string{"/init", "x y"}, Confine: &Confinement{UID: 990, Groups: []int{44}, Writable: []string{"/run/mien"}, MemoryMax: 1 << 20}, Blob: []byte{}},
		{ID: 2, Kind: Put, Text: "/tmp/a", Number: 0o600, Blob: bytes.Repeat([]byte{0, 255, 10}, 100000)},
		{Kind: Hello, Text: "6.1", Blob: []byte{}},
	}
	for _, m := range sent {
		if err := Write(&b, m); err != nil {
			t.Fatal(err)
		}
	}
	all := bytes.Clone(b.Bytes())
	for i, want := range sent {
		if got, err := Read(&b); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("message %d: %+v, %v", i, got, err)
		}
	}
	for _, n := range []int{0, 3, 8, 20, len(all) - 1} {
		r := bytes.NewReader(all[:n])
		var err error
		for err == nil {
			_, err = Read(r)
		}
	}
	if _, err := Read(bytes.NewReader(bytes.Repeat([]byte{0xff}, 64))); err == nil {
		t.Error("a stream out of step is read")
	}
}
