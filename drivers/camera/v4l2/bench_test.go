package v4l2

import (
	"testing"
	"time"

	"mien/drivers/camera"
	"mien/drivers/camera/cameratest"
)

// BenchmarkCapture is our own cost of a frame: the kernel is simulated.
func BenchmarkCapture(b *testing.B) {
	for _, format := range []uint32{camera.YUYV, camera.MJPEG} {
		b.Run(camera.FormatName(format), func(b *testing.B) {
			s := newSim()
			s.fill = func(seq uint32, buf []byte) int { return len(buf) }
			if format == camera.MJPEG {
				picture := cameratest.JPEG(64, 48)
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
