package v4l2

import (
	"fmt"
	"strings"
	"testing"
	"unsafe"
)

// The older layout, for kernels before 5.6: the compiler's default on 32-bit ARM.
func TestTime32LayoutByCompiler(t *testing.T) {
	var b v4l2BufferTime32
	if unsafe.Sizeof(b) != 68 {
		t.Errorf("v4l2_buffer with 32-bit time: %d bytes, want 68", unsafe.Sizeof(b))
	}
	var src strings.Builder
	src.WriteString("#include <stddef.h>\n#include <sys/time.h>\n#include <linux/videodev2.h>\n")
	for _, f := range []struct {
		c     string
		value uintptr
	}{
		{"sizeof(struct v4l2_buffer)", unsafe.Sizeof(b)},
		{"offsetof(struct v4l2_buffer, timestamp.tv_sec)", unsafe.Offsetof(b.sec)},
		{"offsetof(struct v4l2_buffer, timestamp.tv_usec)", unsafe.Offsetof(b.usec)},
		{"offsetof(struct v4l2_buffer, sequence)", unsafe.Offsetof(b.sequence)},
		{"offsetof(struct v4l2_buffer, m.offset)", unsafe.Offsetof(b.offset)},
		{"offsetof(struct v4l2_buffer, length)", unsafe.Offsetof(b.length)},
		{"VIDIOC_QBUF", 0xc044560f},
		{"VIDIOC_DQBUF", 0xc0445611},
		{"VIDIOC_QUERYBUF", 0xc0445609},
	} {
		fmt.Fprintf(&src, "_Static_assert((unsigned long)(%s) == %dUL, \"%s\");\n", f.c, f.value, f.c)
	}
	compile(t, src.String(), []string{"arm-linux-gnueabihf-gcc"})
}

func TestTime32Translation(t *testing.T) {
	b := v4l2Buffer{index: 1, typ: 2, bytesUsed: 3, flags: 4, field: 5, sec: 6, usec: 7, timecode: v4l2Timecode{8}, sequence: 9,
		memory: 10, offset: 11, length: 12, requestFD: 13}
	var old v4l2BufferTime32
	var again v4l2Buffer
	old.from(&b)
	old.to(&again)
	if again != b {
		t.Errorf("%+v became %+v", b, again)
	}
}
