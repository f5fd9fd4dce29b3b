package camera

import (
	"bytes"
	"testing"
	"time"
)

// BenchmarkCapture is our own cost of a frame: the kernel is simulated.
func BenchmarkCapture(b *testing.B) {
	for _, format := range []uint32{YUYV, MJPEG} {
		b.Run(FormatName(format), func(b *testing.B) {
			s := newSim()
			s.fill = func(seq uint32, buf []byte) int { return len(buf) }
			if format == MJPEG {
				picture := jpegOf(64, 48)
				s.fill = func(seq uint32, buf []byte) int { return copy(buf, picture) }
			}
			c := started(b, s, format)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Next(time.Second); err != nil {
					b.Fatal(err)
				}
				c.Release()
			}
		})
	}
}

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
		s, err := NewClip("clip", mj, ClipOptions{Fast: true, Loop: true})
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
