package v4l2

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"mien/drivers/camera"
)

// layoutFacts are the sizes, offsets and numbers that the kernel sees, as C
// expressions with their values here.
func layoutFacts() []struct {
	c     string
	value uintptr
} {
	var (
		b v4l2Buffer
		f v4l2Format
		p v4l2StreamParm
		k v4l2Capability
		r v4l2RequestBuffers
		m v4l2PixFormatMplane
		l v4l2Plane
		z v4l2FrmSizeEnum
		i v4l2FrmIvalEnum
		q v4l2QueryCtrl
	)
	return []struct {
		c     string
		value uintptr
	}{
		{"sizeof(struct v4l2_capability)", unsafe.Sizeof(k)},
		{"offsetof(struct v4l2_capability, device_caps)", unsafe.Offsetof(k.deviceCaps)},
		{"sizeof(struct v4l2_pix_format)", unsafe.Sizeof(f.pix)},
		{"sizeof(struct v4l2_format)", unsafe.Sizeof(f)},
		{"offsetof(struct v4l2_format, fmt.pix)", unsafe.Offsetof(f.pix)},
		{"offsetof(struct v4l2_pix_format, bytesperline)", unsafe.Offsetof(f.pix.bytesPerLine)},
		{"offsetof(struct v4l2_pix_format, sizeimage)", unsafe.Offsetof(f.pix.sizeImage)},
		{"sizeof(struct v4l2_requestbuffers)", unsafe.Sizeof(r)},
		{"sizeof(struct v4l2_streamparm)", unsafe.Sizeof(p)},
		{"offsetof(struct v4l2_streamparm, parm.capture.capability)", unsafe.Offsetof(p.capability)},
		{"offsetof(struct v4l2_streamparm, parm.capture.timeperframe)", unsafe.Offsetof(p.timePerFrame)},
		{"sizeof(struct v4l2_buffer)", unsafe.Sizeof(b)},
		{"offsetof(struct v4l2_buffer, bytesused)", unsafe.Offsetof(b.bytesUsed)},
		{"offsetof(struct v4l2_buffer, flags)", unsafe.Offsetof(b.flags)},
		{"offsetof(struct v4l2_buffer, timestamp.tv_sec)", unsafe.Offsetof(b.sec)},
		{"offsetof(struct v4l2_buffer, timestamp.tv_usec)", unsafe.Offsetof(b.usec)},
		{"sizeof(((struct v4l2_buffer *)0)->timestamp.tv_sec)", unsafe.Sizeof(b.sec)},
		{"offsetof(struct v4l2_buffer, timecode)", unsafe.Offsetof(b.timecode)},
		{"offsetof(struct v4l2_buffer, sequence)", unsafe.Offsetof(b.sequence)},
		{"offsetof(struct v4l2_buffer, memory)", unsafe.Offsetof(b.memory)},
		{"offsetof(struct v4l2_buffer, m.offset)", unsafe.Offsetof(b.offset)},
		{"offsetof(struct v4l2_buffer, length)", unsafe.Offsetof(b.length)},
		{"offsetof(struct v4l2_buffer, request_fd)", unsafe.Offsetof(b.requestFD)},
		{"sizeof(struct v4l2_pix_format_mplane)", unsafe.Sizeof(m)},
		{"offsetof(struct v4l2_pix_format_mplane, plane_fmt)", unsafe.Offsetof(m.plane)},
		{"sizeof(struct v4l2_plane_pix_format)", unsafe.Sizeof(m.plane[0])},
		{"offsetof(struct v4l2_plane_pix_format, bytesperline)", unsafe.Offsetof(m.plane[0].bytesPerLine)},
		{"offsetof(struct v4l2_pix_format_mplane, num_planes)", unsafe.Offsetof(m.planes)},
		{"sizeof(struct v4l2_plane)", unsafe.Sizeof(l)},
		{"offsetof(struct v4l2_plane, m.mem_offset)", unsafe.Offsetof(l.offset)},
		{"offsetof(struct v4l2_plane, data_offset)", unsafe.Offsetof(l.dataOffset)},
		{"sizeof(((struct v4l2_buffer *)0)->m.planes)", unsafe.Sizeof(uintptr(0))},
		{"offsetof(struct v4l2_buffer, m.planes)", unsafe.Offsetof(b.offset)},
		{"sizeof(struct v4l2_fmtdesc)", unsafe.Sizeof(v4l2FmtDesc{})},
		{"offsetof(struct v4l2_fmtdesc, pixelformat)", unsafe.Offsetof(v4l2FmtDesc{}.pixelFormat)},
		{"sizeof(struct v4l2_frmsizeenum)", unsafe.Sizeof(z)},
		{"offsetof(struct v4l2_frmsizeenum, discrete.height)", unsafe.Offsetof(z.maxWidth)},
		{"offsetof(struct v4l2_frmsizeenum, stepwise.step_width)", unsafe.Offsetof(z.stepWidth)},
		{"offsetof(struct v4l2_frmsizeenum, stepwise.max_height)", unsafe.Offsetof(z.maxHeight)},
		{"sizeof(struct v4l2_frmivalenum)", unsafe.Sizeof(i)},
		{"offsetof(struct v4l2_frmivalenum, discrete)", unsafe.Offsetof(i.min)},
		{"offsetof(struct v4l2_frmivalenum, stepwise.max)", unsafe.Offsetof(i.max)},
		{"sizeof(struct v4l2_control)", unsafe.Sizeof(v4l2Control{})},
		{"sizeof(struct v4l2_queryctrl)", unsafe.Sizeof(q)},
		{"offsetof(struct v4l2_queryctrl, minimum)", unsafe.Offsetof(q.min)},
		{"offsetof(struct v4l2_queryctrl, default_value)", unsafe.Offsetof(q.preset)},
		{"offsetof(struct v4l2_queryctrl, flags)", unsafe.Offsetof(q.flags)},
		{"sizeof(struct v4l2_querymenu)", unsafe.Sizeof(v4l2QueryMenu{})},
		{"offsetof(struct v4l2_querymenu, name)", unsafe.Offsetof(v4l2QueryMenu{}.name)},
		{"VIDIOC_ENUM_FMT", vidiocEnumFmt},
		{"VIDIOC_ENUM_FRAMESIZES", vidiocEnumSizes},
		{"VIDIOC_ENUM_FRAMEINTERVALS", vidiocEnumRates},
		{"VIDIOC_QUERYCTRL", vidiocQueryCtrl},
		{"VIDIOC_QUERYMENU", vidiocQueryMenu},
		{"VIDIOC_G_CTRL", vidiocGCtrl},
		{"VIDIOC_S_CTRL", vidiocSCtrl},
		{"V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE", bufTypeVideoCaptureMplane},
		{"V4L2_FRMSIZE_TYPE_DISCRETE", frmDiscrete},
		{"V4L2_FRMSIZE_TYPE_STEPWISE", frmStepwise},
		{"V4L2_FRMIVAL_TYPE_DISCRETE", frmDiscrete},
		{"V4L2_FRMIVAL_TYPE_CONTINUOUS", frmContinuous},
		{"V4L2_CTRL_TYPE_INTEGER", ctrlInteger},
		{"V4L2_CTRL_TYPE_BOOLEAN", ctrlBoolean},
		{"V4L2_CTRL_TYPE_MENU", ctrlMenu},
		{"V4L2_CTRL_TYPE_BITMASK", ctrlBitmask},
		{"V4L2_CTRL_TYPE_INTEGER_MENU", ctrlIntegerMenu},
		{"V4L2_CTRL_FLAG_DISABLED", ctrlFlagDisabled},
		{"V4L2_CTRL_FLAG_READ_ONLY", ctrlFlagReadOnly},
		{"V4L2_CTRL_FLAG_INACTIVE", ctrlFlagInactive},
		{"V4L2_CTRL_FLAG_WRITE_ONLY", ctrlFlagWriteOnly},
		{"V4L2_CTRL_FLAG_NEXT_CTRL", ctrlFlagNext},
		{"V4L2_PIX_FMT_NV12M", uintptr(fourccNV12M)},
		{"V4L2_PIX_FMT_YUV420M", uintptr(fourccYUV420M)},
		{"V4L2_PIX_FMT_YUV422M", uintptr(fourccYUV422M)},
		{"V4L2_PIX_FMT_YUV422P", uintptr(camera.YUV422P)},
		{"VIDIOC_QUERYCAP", vidiocQueryCap},
		{"VIDIOC_S_FMT", vidiocSFmt},
		{"VIDIOC_REQBUFS", vidiocReqBufs},
		{"VIDIOC_QUERYBUF", vidiocQueryBuf},
		{"VIDIOC_QBUF", vidiocQBuf},
		{"VIDIOC_DQBUF", vidiocDQBuf},
		{"VIDIOC_STREAMON", vidiocStreamOn},
		{"VIDIOC_STREAMOFF", vidiocStreamOff},
		{"VIDIOC_S_PARM", vidiocSParm},
		{"V4L2_CAP_DEVICE_CAPS", capDeviceCaps},
		{"V4L2_CAP_IO_MC", capIOMC},
		{"V4L2_CAP_META_CAPTURE", capMetaCapture},
		{"V4L2_CAP_VIDEO_CAPTURE", capVideoCapture},
		{"V4L2_CAP_VIDEO_CAPTURE_MPLANE", capVideoCaptureMplane},
		{"V4L2_CAP_VIDEO_M2M", capVideoM2M},
		{"V4L2_CAP_VIDEO_M2M_MPLANE", capVideoM2MMplane},
		{"V4L2_CAP_VIDEO_OUTPUT", capVideoOutput},
		{"V4L2_CAP_STREAMING", capStreaming},
		{"V4L2_CAP_TIMEPERFRAME", parmTimePerFrame},
		{"V4L2_BUF_FLAG_ERROR", bufFlagError},
		{"V4L2_BUF_FLAG_TIMESTAMP_MASK", bufFlagTimestampMask},
		{"V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC", bufFlagTimestampMono},
		{"V4L2_BUF_FLAG_TIMESTAMP_COPY", bufFlagTimestampCopied},
		{"V4L2_FIELD_NONE", fieldNone},
		{"V4L2_FIELD_INTERLACED_BT", fieldInterlacedBT},
		{"V4L2_PIX_FMT_GREY", uintptr(camera.GREY)},
		{"V4L2_PIX_FMT_YUYV", uintptr(camera.YUYV)},
		{"V4L2_PIX_FMT_UYVY", uintptr(camera.UYVY)},
		{"V4L2_PIX_FMT_NV12", uintptr(camera.NV12)},
		{"V4L2_PIX_FMT_YUV420", uintptr(camera.YUV420)},
		{"V4L2_PIX_FMT_RGB24", uintptr(camera.RGB24)},
		{"V4L2_PIX_FMT_MJPEG", uintptr(camera.MJPEG)},
		{"V4L2_PIX_FMT_JPEG", uintptr(fourccJPEG)},
	}
}

// The numbers as recorded from each processor's C compiler (linux-libc-dev 6.1),
// so that they hold where there is none.
func TestKernelLayout(t *testing.T) {
	recorded := map[string]map[string]uintptr{
		"64": {"v4l2_buffer": 88, "v4l2_format": 208, "S_FMT": 0xc0d05605, "QUERYBUF": 0xc0585609, "QBUF": 0xc058560f, "DQBUF": 0xc0585611},
		"32": {"v4l2_buffer": 80, "v4l2_format": 204, "S_FMT": 0xc0cc5605, "QUERYBUF": 0xc0505609, "QBUF": 0xc050560f, "DQBUF": 0xc0505611},
	}[fmt.Sprint(8*unsafe.Sizeof(uintptr(0)))]
	for name, got := range map[string]uintptr{
		"v4l2_buffer": unsafe.Sizeof(v4l2Buffer{}), "v4l2_format": unsafe.Sizeof(v4l2Format{}),
		"S_FMT": vidiocSFmt, "QUERYBUF": vidiocQueryBuf, "QBUF": vidiocQBuf, "DQBUF": vidiocDQBuf,
	} {
		if want := recorded[name]; got != want {
			t.Errorf("%s: %#x, want %#x", name, got, want)
		}
	}
	for name, both := range map[string][2]uintptr{
		"QUERYCAP": {vidiocQueryCap, 0x80685600}, "REQBUFS": {vidiocReqBufs, 0xc0145608}, "STREAMON": {vidiocStreamOn, 0x40045612},
		"STREAMOFF": {vidiocStreamOff, 0x40045613}, "S_PARM": {vidiocSParm, 0xc0cc5616},
	} {
		if both[0] != both[1] {
			t.Errorf("VIDIOC_%s: %#x, want %#x", name, both[0], both[1])
		}
	}
}

// The C compiler of this processor, where there is one, checks every size,
// offset and number against the kernel's header.
func TestKernelLayoutByCompiler(t *testing.T) {
	compilers := map[string][]string{
		"amd64": {"gcc"},
		"arm64": {"aarch64-linux-gnu-gcc", "gcc"},
		"arm":   {"arm-linux-gnueabihf-gcc", "-D_TIME_BITS=64", "-D_FILE_OFFSET_BITS=64"},
	}[runtime.GOARCH]
	var src strings.Builder
	src.WriteString("#include <stddef.h>\n#include <sys/time.h>\n#include <linux/videodev2.h>\n")
	for _, f := range layoutFacts() {
		fmt.Fprintf(&src, "_Static_assert((unsigned long)(%s) == %dUL, \"%s\");\n", f.c, f.value, f.c)
	}
	compile(t, src.String(), compilers)
}

// compile checks C source by the first of the compilers that is installed.
func compile(t *testing.T, src string, compilers []string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "layout.c")
	if err := os.WriteFile(path, []byte(src), 0o600); err != nil {
		t.Fatal(err)
	}
	var flags, names []string
	for _, c := range compilers {
		if strings.HasPrefix(c, "-") {
			flags = append(flags, c)
		} else {
			names = append(names, c)
		}
	}
	for _, name := range names {
		gcc, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		if machine, err := exec.Command(gcc, "-dumpmachine").Output(); err != nil || !compilesFor(string(machine)) {
			continue
		}
		probe := append(append([]string{}, flags...), "-fsyntax-only", "-x", "c", "-")
		header := exec.Command(gcc, probe...)
		header.Stdin = strings.NewReader("#include <sys/time.h>\n#include <linux/videodev2.h>\n")
		if header.Run() != nil {
			continue // a compiler without the headers
		}
		if out, err := exec.Command(gcc, append(flags, "-fsyntax-only", path)...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		return
	}
	t.Skipf("no C compiler for %s with linux/videodev2.h here (tried %s); the recorded numbers are checked all the same", runtime.GOARCH, strings.Join(names, ", "))
}

func compilesFor(machine string) bool {
	arch, _, _ := strings.Cut(machine, "-")
	return map[string]string{"x86_64": "amd64", "aarch64": "arm64", "arm": "arm"}[arch] == runtime.GOARCH
}
