package v4l2

import (
	"errors"
	"fmt"
	"math"
	"sort"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"mien/drivers/camera"
)

// Device describes one video node, for people to choose from.
type Device struct {
	Node     string   // /dev/video0
	Links    []string // its lasting names: /dev/v4l/by-id/…, then by-path; one that it shares comes last
	Shared   string   // the name by-id that another camera of the same kind would have as well: it is whichever came last
	Name     string   // the card's name
	Driver   string
	Bus      string
	Formats  []Format // in the order they would be tried
	Controls []Control
	Holders  []string // programs that have it open, as far as this user may see
	Problem  error    // why it cannot be used as a camera here; nil if it can
	typ      uint32   // of its buffers
	Other    string   // what it is, if it was never meant as a camera: "a video output"; Problem is set too
}

// Format is a pixel format a node offers.
type Format struct {
	FourCC      uint32
	Description string // the driver's words
	Sizes       []Size // empty: the driver does not list them
	Usable      bool   // mien reads this format
}

// Size is a picture size, or a range of sizes, with its frame rates.
type Size struct {
	Width, Height         int // pixels; the least of a range
	MaxWidth, MaxHeight   int // equal to them for a single size; 0 in a range whose bounds are not known
	StepWidth, StepHeight int
	FPS                   []float64 // frames a second, highest first; for a range of rates its two ends; empty: not listed
}

// List describes every video node of this machine, those that are no camera too,
// each with the reason. It opens nodes, and changes and starts nothing. The
// error is for a machine without any video node: ErrNotFound.
func List() ([]Device, error) { return machine.list() }

func (h *host) list() ([]Device, error) {
	nodes := h.nodes()
	if len(nodes) == 0 {
		return nil, fmt.Errorf("list cameras: %w: no %s/videoN here: plug in a USB camera, or see dmesg for why its driver did not take it", camera.ErrNotFound, h.dev)
	}
	links, holders := h.links(), h.holders()
	shared := h.shared(links)
	devices := make([]Device, 0, len(nodes))
	for _, path := range nodes {
		d := h.inspect(path, func(uint32) bool { return true })
		d.Links, d.Holders, d.Shared = links[realPath(path)], holders[realPath(path)], shared[realPath(path)]
		sort.SliceStable(d.Links, func(i, j int) bool { return d.Links[i] != d.Shared && d.Links[j] == d.Shared })
		devices = append(devices, d)
	}
	return devices, nil
}

// inspect asks one node what it is, and fills Problem when it is no camera.
//
// Sizes and rates are asked for the formats in detail; a driver such as vivid
// has thousands of them, which opening a camera does not wait for.
func (h *host) inspect(path string, detail func(fourcc uint32) bool) (d Device) {
	d.Node = path
	n, err := h.open(path)
	if err != nil {
		d.Problem = h.openError(path, err)
		return d
	}
	defer func() {
		if err := n.close(); err != nil && d.Problem == nil {
			d.Problem = fmt.Errorf("camera %s: close: %w", path, err)
		}
	}()
	var c v4l2Capability
	if err := n.ioctl(vidiocQueryCap, unsafe.Pointer(&c)); err != nil {
		if errors.Is(err, unix.ENODEV) {
			d.Problem = h.openError(path, err)
			return d
		}
		d.Problem = fmt.Errorf("camera %s: %w: it does not answer as a V4L2 device: %w", path, camera.ErrUnsupported, err)
		return d
	}
	d.Driver, d.Name, d.Bus = text(c.driver[:]), text(c.card[:]), text(c.busInfo[:])
	if d.Other, d.Problem = refuseNode(path, d.wayOut(), &c); d.Problem != nil {
		return d
	}
	d.typ = c.bufType()
	d.Formats = formats(n, d.typ, detail)
	d.Controls = controls(n)
	d.Problem = refuseFormats(path, d.wayOut(), d.Formats)
	return d
}

func text(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}

// mostListed bounds how many formats, sizes, rates, controls or menu items a driver is
// asked for.
const mostListed = 1024

// formats lists what a node of a buffer type gives.
func formats(n node, typ uint32, detail func(fourcc uint32) bool) []Format {
	var list []Format
	for i := range uint32(mostListed) {
		q := v4l2FmtDesc{index: i, typ: typ}
		if n.ioctl(vidiocEnumFmt, unsafe.Pointer(&q)) != nil {
			break
		}
		f := Format{FourCC: q.pixelFormat, Description: text(q.description[:]), Usable: usable(q.pixelFormat)}
		if detail(f.FourCC) {
			f.Sizes = sizes(n, f.FourCC)
		}
		list = append(list, f)
	}
	sort.SliceStable(list, func(i, j int) bool {
		if a, b := rank(list[i].FourCC), rank(list[j].FourCC); a != b {
			return a < b
		}
		return list[i].FourCC < list[j].FourCC
	})
	return list
}

// sizes lists those of a format, each with the rates at the size in it that is
// nearest to the usual one.
func sizes(n node, fourcc uint32) (list []Size) {
	for i := range uint32(mostListed) {
		q := v4l2FrmSizeEnum{index: i, pixelFormat: fourcc}
		if n.ioctl(vidiocEnumSizes, unsafe.Pointer(&q)) != nil {
			break
		}
		s := Size{Width: int(q.minWidth), Height: int(q.maxWidth)} // the two numbers of a discrete one
		if s.MaxWidth, s.MaxHeight = s.Width, s.Height; q.typ != frmDiscrete {
			s = Size{Width: int(q.minWidth), Height: int(q.minHeight), MaxWidth: int(q.maxWidth), MaxHeight: int(q.maxHeight),
				StepWidth: int(q.stepWidth), StepHeight: int(q.stepHeight)}
		}
		if s.MaxWidth > 0 && s.MaxHeight > 0 {
			at := s.nearest(defaultWidth, defaultHeight)
			s.FPS = rates(n, fourcc, uint32(at.Width), uint32(at.Height))
		}
		list = append(list, s)
		if q.typ != frmDiscrete { // it is the only one
			break
		}
	}
	sort.SliceStable(list, func(i, j int) bool {
		return list[i].MaxWidth*list[i].MaxHeight < list[j].MaxWidth*list[j].MaxHeight
	})
	return list
}

// rates turns frame intervals into frames a second. In a range the least interval is
// the highest rate.
func rates(n node, fourcc, width, height uint32) (fps []float64) {
	add := func(t v4l2Fract) {
		if t.numerator > 0 && t.denominator > 0 {
			fps = append(fps, math.Round(float64(t.denominator)/float64(t.numerator)*1000)/1000)
		}
	}
	for i := range uint32(mostListed) {
		q := v4l2FrmIvalEnum{index: i, pixelFormat: fourcc, width: width, height: height}
		if n.ioctl(vidiocEnumRates, unsafe.Pointer(&q)) != nil {
			break
		}
		if add(q.min); q.typ != frmDiscrete {
			add(q.max)
			break
		}
	}
	sort.Sort(sort.Reverse(sort.Float64Slice(fps)))
	return fps
}

// wayOut is what a person does whose camera gives no picture that mien reads.
func (d *Device) wayOut() string {
	switch {
	case strings.Contains(d.Driver, "loopback"):
		return "let the program that feeds it give I420"
	case d.Driver == "uvcvideo", strings.HasPrefix(d.Bus, "usb-"):
		return "choose a camera that lists MJPG or YUYV (v4l2-ctl --list-formats-ext), see docs/cameras.md#usb-cameras"
	case strings.Contains(d.Driver, "tegra"):
		return "use a USB (UVC) camera, or let nvarguscamerasrc make pictures of it, by camera.command: docs/cameras.md#csi-on-a-jetson has the line, mien probe prints it"
	}
	return "use a USB (UVC) camera, or let libcamera make pictures of it, by camera.command: docs/cameras.md#csi-on-a-raspberry-pi has the line, mien probe prints it"
}

// refuseNode says why a node is no camera by its capabilities, and for one that
// is something else altogether, what it is.
func refuseNode(path, wayOut string, c *v4l2Capability) (other string, err error) {
	caps, driver := c.caps(), text(c.driver[:])
	refuse := func(format string, args ...any) (string, error) {
		return "", fmt.Errorf("camera %s (%s): %w: %s", path, text(c.card[:]), camera.ErrUnsupported, fmt.Sprintf(format, args...))
	}
	is := func(what, more string) (string, error) {
		_, err := refuse("%s%s", what, more)
		return what, err
	}
	switch {
	case caps&(capVideoM2M|capVideoM2MMplane) != 0:
		return is("a codec or scaler", ", not a camera")
	case caps&capIOMC != 0:
		return refuse("one part of a camera that must first be set up through the media controller; %s", wayOut)
	case caps&(capVideoCapture|capVideoCaptureMplane) == 0 && caps&capMetaCapture != 0:
		return is("a metadata node", ", it carries no pictures; the camera's pictures come from another node of "+text(c.busInfo[:])+", by its name the one that ends in index0")
	case caps&(capVideoCapture|capVideoCaptureMplane) == 0 && strings.Contains(driver, "loopback"):
		return refuse("a v4l2loopback device into which nothing is fed yet; start the program that feeds it, see docs/cameras.md#network-cameras")
	case caps&(capVideoCapture|capVideoCaptureMplane) == 0 && caps&capVideoOutput != 0:
		return is("a video output", ", not a camera")
	case caps&(capVideoCapture|capVideoCaptureMplane) == 0:
		return is("no video capture", "")
	case driver == "bcm2835-isp":
		return is("the image processor of a Raspberry Pi", ", without a sensor of its own; "+wayOut)
	case caps&capStreaming == 0:
		return refuse("it offers no streaming I/O")
	}
	return "", nil
}

// refuseFormats says why none of a node's formats can be used.
func refuseFormats(path, wayOut string, list []Format) error {
	if len(list) == 0 {
		return fmt.Errorf("camera %s: %w: it offers no picture format; is anything plugged in at its input?", path, camera.ErrUnsupported)
	}
	var names []string
	bayer, video := true, true
	for _, f := range list {
		if f.Usable {
			return nil
		}
		names = append(names, camera.FormatName(f.FourCC))
		bayer, video = bayer && isBayer(f.FourCC), video && isVideo(f.FourCC)
	}
	switch {
	case bayer:
		return fmt.Errorf("camera %s: %w: it gives only the raw Bayer data of its sensor (%s): %s", path, camera.ErrUnsupported, strings.Join(names, " "), wayOut)
	case video:
		return fmt.Errorf("camera %s: %w: it gives only compressed video (%s), of which no picture stands alone: %s", path, camera.ErrUnsupported, strings.Join(names, " "), wayOut)
	}
	return fmt.Errorf("camera %s: %w: it offers only %s; mien reads %s: %s", path, camera.ErrUnsupported, strings.Join(names, " "), camera.FormatNames(), wayOut)
}

// isVideo knows the compressed formats whose pictures build on earlier ones.
func isVideo(fourcc uint32) bool {
	switch camera.FormatName(fourcc) {
	case "H264", "AVC1", "M264", "HEVC", "H263", "MPEG", "MPG1", "MPG2", "MPG4", "XVID", "VC1G", "VC1L", "VP80", "VP90", "AV10":
		return true
	}
	return false
}

// isBayer knows the V4L2_PIX_FMT_S{RGGB,GRBG,GBRG,BGGR}... codes by their
// pattern: 8, 10, 12, 14 and 16 bits, packed, compressed by A-law or DPCM, and
// those of Intel's (IPU3) and Raspberry Pi's (PiSP) image processors.
func isBayer(fourcc uint32) bool {
	name := camera.FormatName(fourcc)
	switch name {
	case "RGGB", "GRBG", "GBRG", "BA81", // 8 bits
		"BG10", "GB10", "BA10", "RG10", "BG12", "GB12", "BA12", "RG12",
		"BG14", "GB14", "GR14", "RG14", "BYR2", "GB16", "GR16", "RG16",
		"aBA8", "aGA8", "agA8", "aRA8", "bBA8", "bGA8", "BD10", "bRA8",
		"ip3b", "ip3g", "ip3G", "ip3r":
		return true
	}
	if len(name) != 4 {
		return false
	}
	switch name[:1] + name[2:] {
	case "pAA", "pCC", "pEE": // pBAA, pgCC, … 10, 12 and 14 bits packed
		return strings.ContainsRune("BGgR", rune(name[1]))
	}
	return name[:2] == "PC" && strings.ContainsRune("BGgRM", rune(name[3])) // PiSP compressed
}

// given is the name under which a format is handed out.
func given(fourcc uint32) uint32 {
	switch fourcc {
	case fourccJPEG:
		return camera.MJPEG
	case fourccNV12M:
		return camera.NV12
	case fourccYUV420M:
		return camera.YUV420
	case fourccYUV422M:
		return camera.YUV422P
	}
	return fourcc
}

func usable(fourcc uint32) bool {
	_, ok := camera.Rank(given(fourcc))
	return ok
}

// rank is a format's place in the order in which they are tried.
func rank(fourcc uint32) int {
	place, _ := camera.Rank(given(fourcc))
	if place *= 2; given(fourcc) != fourcc {
		place++
	}
	return place
}
