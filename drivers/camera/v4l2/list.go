package v4l2

import (
	"fmt"
	"math"
	"sort"
	"strings"
	"unsafe"

	"github.com/blackjack/webcam"

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

// Control is a camera setting such as "Power Line Frequency".
type Control struct {
	Name           string // as the driver names it
	Min, Max, Step int
	Value          int // now
	id             webcam.ControlID
	kind           int32
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
func (h *host) inspect(path string, detail func(fourcc uint32) bool) Device {
	d := Device{Node: path}
	n, err := h.open(path)
	if err != nil {
		d.Problem = h.openError(path, err)
		return d
	}
	var c v4l2Capability
	err = n.ioctl(vidiocQueryCap, unsafe.Pointer(&c))
	if e := n.close(); err == nil {
		err = e
	}
	if err != nil {
		d.Problem = fmt.Errorf("camera %s: %w: it does not answer as a V4L2 device: %w", path, camera.ErrUnsupported, err)
		return d
	}
	d.Driver, d.Name, d.Bus = text(c.driver[:]), text(c.card[:]), text(c.busInfo[:])
	if d.Other, d.Problem = refuseNode(path, d.wayOut(), &c); d.Problem != nil {
		return d
	}
	w, err := h.webcam(path)
	if err != nil {
		d.Problem = h.openError(path, err)
		return d
	}
	d.Formats, d.Controls = formats(w, detail), controls(w)
	d.Problem = refuseFormats(path, d.wayOut(), d.Formats)
	if err := w.Close(); err != nil && d.Problem == nil {
		d.Problem = fmt.Errorf("camera %s: close: %w", path, err)
	}
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

// formats lists what webcam finds. Its GetSupportedFrameSizes leaves a
// continuous range empty, and its GetSupportedFramerates ends at a continuous
// range of rates: both then count as not listed, and the driver decides.
func formats(w enumerator, detail func(fourcc uint32) bool) []Format {
	var list []Format
	for code, description := range w.GetSupportedFormats() {
		f := Format{FourCC: uint32(code), Description: description, Usable: usable(uint32(code))}
		if !detail(f.FourCC) {
			list = append(list, f)
			continue
		}
		for _, s := range w.GetSupportedFrameSizes(code) {
			size := Size{Width: int(s.MinWidth), Height: int(s.MinHeight), MaxWidth: int(s.MaxWidth), MaxHeight: int(s.MaxHeight),
				StepWidth: int(s.StepWidth), StepHeight: int(s.StepHeight)}
			if size.MaxWidth > 0 {
				at := size.nearest(defaultWidth, defaultHeight)
				size.FPS = rates(w.GetSupportedFramerates(code, uint32(at.Width), uint32(at.Height)))
			}
			f.Sizes = append(f.Sizes, size)
		}
		sort.SliceStable(f.Sizes, func(i, j int) bool {
			a, b := f.Sizes[i], f.Sizes[j]
			return a.MaxWidth*a.MaxHeight < b.MaxWidth*b.MaxHeight
		})
		list = append(list, f)
	}
	sort.Slice(list, func(i, j int) bool {
		if a, b := rank(list[i].FourCC), rank(list[j].FourCC); a != b {
			return a < b
		}
		return list[i].FourCC < list[j].FourCC
	})
	return list
}

// rates turns frame intervals into frames a second. In a range the least
// interval is the highest rate.
func rates(intervals []webcam.FrameRate) []float64 {
	var fps []float64
	add := func(num, den uint32) {
		if num > 0 && den > 0 {
			fps = append(fps, math.Round(float64(den)/float64(num)*1000)/1000)
		}
	}
	for _, r := range intervals {
		add(r.MinNumerator, r.MinDenominator)
		if r.MaxNumerator != r.MinNumerator || r.MaxDenominator != r.MinDenominator {
			add(r.MaxNumerator, r.MaxDenominator)
		}
	}
	sort.Sort(sort.Reverse(sort.Float64Slice(fps)))
	return fps
}

func controls(w enumerator) []Control {
	var list []Control
	for id, c := range w.GetControls() {
		value, err := w.GetControl(id)
		if err != nil {
			continue // a button or a write-only control has no value to show
		}
		list = append(list, Control{Name: c.Name, Min: int(c.Min), Max: int(c.Max), Step: int(c.Step), Value: int(value), id: id, kind: c.Type})
	}
	sort.Slice(list, func(i, j int) bool { return list[i].id < list[j].id })
	return list
}

// setControls sets named controls through webcam. Switches and menus come
// first: an exposure time is taken only once automatic exposure is off.
func setControls(path string, w enumerator, want map[string]int) error {
	if len(want) == 0 {
		return nil
	}
	have := controls(w)
	names := make([]string, 0, len(want))
	for name := range want {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, switches := range []bool{true, false} {
		for _, name := range names {
			c, err := findControl(have, name)
			if err != nil {
				return fmt.Errorf("open camera %s: %w", path, err)
			}
			if (c.kind != 0) != switches { // webcam: 0 integer, 1 boolean, 2 menu
				continue
			}
			value := want[name]
			if value < c.Min || value > c.Max {
				return fmt.Errorf("open camera %s: %w: control %q = %d: %d to %d", path, camera.ErrUnsupported, c.Name, value, c.Min, c.Max)
			}
			if err := w.SetControl(c.id, int32(value)); err != nil {
				return fmt.Errorf("open camera %s: set control %q = %d: %w", path, c.Name, value, err)
			}
		}
	}
	return nil
}

// findControl knows a control by the driver's name or by v4l2-ctl's way of
// writing it: "Power Line Frequency", "power_line_frequency".
func findControl(have []Control, name string) (Control, error) {
	var known []string
	for _, c := range have {
		if plain(c.Name) == plain(name) {
			return c, nil
		}
		known = append(known, plain(c.Name))
	}
	if len(known) == 0 {
		return Control{}, fmt.Errorf("%w: control %q: this camera has none", camera.ErrUnsupported, name)
	}
	return Control{}, fmt.Errorf("%w: control %q: this camera has %s", camera.ErrUnsupported, name, strings.Join(known, ", "))
}

func plain(name string) string {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9')
	})
	return strings.Join(words, "_")
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
	case caps&capVideoCapture == 0 && caps&capMetaCapture != 0:
		return is("a metadata node", ", it carries no pictures; the camera's pictures come from another node of "+text(c.busInfo[:])+", by its name the one that ends in index0")
	case caps&capVideoCapture == 0 && caps&capVideoCaptureMplane != 0:
		return refuse("it gives pictures only through the multi-planar interface of a camera pipeline; %s", wayOut)
	case caps&capVideoCapture == 0 && strings.Contains(driver, "loopback"):
		return refuse("a v4l2loopback device into which nothing is fed yet; start the program that feeds it, see docs/cameras.md#network-cameras")
	case caps&capVideoCapture == 0 && caps&capVideoOutput != 0:
		return is("a video output", ", not a camera")
	case caps&capVideoCapture == 0:
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
	if fourcc == fourccJPEG {
		return camera.MJPEG
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
