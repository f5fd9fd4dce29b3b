package main

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

// npy is an array as NumPy saves it, one dimension of the type.
func npy(t *testing.T, kind string, data any) []byte {
	t.Helper()
	header := "{'descr': '" + kind + "', 'fortran_order': False, 'shape': (0,), }\n"
	var b bytes.Buffer
	b.WriteString("\x93NUMPY\x01\x00")
	binary.Write(&b, binary.LittleEndian, uint16(len(header)))
	b.WriteString(header)
	if err := binary.Write(&b, binary.LittleEndian, data); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestReadPictures(t *testing.T) {
	write := func(arrays map[string][]byte) string {
		path := filepath.Join(t.TempDir(), "p.npz")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		z := zip.NewWriter(f)
		for name, data := range arrays {
			w, err := z.Create(name + ".npy")
			if err != nil {
				t.Fatal(err)
			}
			w.Write(data)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return path
	}
	jpeg := npy(t, "|u1", []byte("onetwo"))
	for kind, offset := range map[string]any{"<i8": []int64{0, 3, 6}, "<u4": []uint32{0, 3, 6}} {
		list, err := readPictures(write(map[string][]byte{"jpeg": jpeg, "offset": npy(t, kind, offset)}))
		if err != nil || len(list) != 2 || string(list[0]) != "one" || string(list[1]) != "two" {
			t.Errorf("%s: %q, %v", kind, list, err)
		}
	}
	if list, err := readPictures(write(map[string][]byte{"jpeg": jpeg, "offset": npy(t, "<i8", []int64{-1, 5, 900})})); err != nil || len(list) != 0 {
		t.Errorf("offsets beside the bytes: %q, %v", list, err)
	}
	for name, arrays := range map[string]map[string][]byte{
		"no offset": {"jpeg": jpeg},
		"no array":  {"jpeg": jpeg, "offset": []byte("x")},
		"floats":    {"jpeg": jpeg, "offset": npy(t, "<f8", []float64{0, 3})},
	} {
		if _, err := readPictures(write(arrays)); err == nil {
			t.Errorf("%s is read", name)
		}
	}
}
