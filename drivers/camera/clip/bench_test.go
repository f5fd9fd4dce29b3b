package clip

import (
	"bytes"
	"testing"
)

func BenchmarkClip(b *testing.B) {
	mj := bytes.Repeat(jpegOf(640, 480), 30)
	b.Run("index", func(b *testing.B) {
		b.SetBytes(int64(len(mj)))
		for b.Loop() {
			if _, err := openMJPEG(memory(mj)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("next", func(b *testing.B) {
		s, err := New("clip", mj, Options{Fast: true, Loop: true})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.Next(0); err != nil {
				b.Fatal(err)
			}
			s.Release()
		}
	})
}
