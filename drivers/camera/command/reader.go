package command

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"mien/drivers/camera"
	"mien/drivers/camera/mjpeg"
	"mien/drivers/camera/y4m"
)

// What a program may write. A picture of 4096x4096 in 4:2:0 is 24 MiB, and three are
// kept: the sides are bounded, and the bytes of a picture as well.
const (
	maxSide    = 4096           // pixels
	maxPicture = 20 << 20       // bytes; of 4:2:0 that is 4056x3040, the largest of a Raspberry Pi's own cameras
	maxJPEG    = 8 << 20        // bytes
	maxHead    = 64 << 10       // bytes in which the first picture begins
	maxBetween = 1 << 20        // bytes between two JPEGs
	maxRate    = 500            // pictures a second, over a second
	maxBytes   = 500 << 20      // likewise; 4:2:0 of 1920x1080 at 60 is 187 MB/s
	maxOdd     = 5              // JPEGs of another size in a row until it is believed
	maxCorrupt = 50             // damaged JPEGs in a row
	firstJPEG  = 256 << 10      // bytes of memory that a JPEG gets at first
	slack      = y4m.MaxFrame   // bytes of memory for a frame's line
	overRead   = 32 << 10       // bytes read at a time where a picture's end is not known
	keep       = 2 + 16 + 1 - 1 // bytes that may begin a JPEG that mjpeg.Next has not seen whole
)

// errEnded: the program has closed its standard output.
var errEnded = errors.New("its output has ended")

// reader makes pictures of a program's output.
type reader struct {
	source *source
	from   io.Reader
	seq    uint32 // of the next picture
	width  int
	height int
	odd    int  // JPEGs of another size, in a row
	first  bool // a picture was there
	ahead  []byte

	began    time.Duration // of the second that is counted
	pictures int
	bytes    int
}

// read is from.Read, after what was read ahead. It counts.
func (r *reader) read(p []byte) (int, error) {
	if len(r.ahead) > 0 {
		n := copy(p, r.ahead)
		r.ahead = r.ahead[n:]
		return n, nil
	}
	n, err := r.from.Read(p)
	if err != nil && n == 0 {
		return 0, errEnded
	}
	now := r.source.now()
	if now-r.began >= time.Second {
		r.began, r.bytes, r.pictures = now, 0, 0
	}
	if r.bytes += n; r.bytes > maxBytes {
		return n, fmt.Errorf("it writes more than %d MB/s, more than a camera: let it go at a camera's pace (ffmpeg: -re), or play a file by camera.clip", maxBytes>>20)
	}
	return n, nil
}

// run reads until there is nothing more, or nothing that makes sense.
func (r *reader) run() error {
	head := make([]byte, 0, maxHead)
	for {
		n, err := r.read(head[len(head):min(cap(head), len(head)+4096)])
		head = head[:len(head)+n]
		if err == nil && bytes.HasPrefix(head, []byte(y4m.Magic)) {
			if end := bytes.IndexByte(head, '\n'); end >= 0 && end < y4m.MaxHeader {
				h, err := y4m.Parse(head[:end])
				if err == nil {
					err = r.size(h.Width, h.Height, h.Length)
				}
				if err != nil {
					return err
				}
				r.ahead = head[end+1:]
				return r.frames(h)
			} else if len(head) >= y4m.MaxHeader {
				return fmt.Errorf("its YUV4MPEG2 header has no end in %d bytes", y4m.MaxHeader)
			}
			continue
		}
		if err == nil {
			view := view(head)
			if at, _ := mjpeg.Next(&view, 0); at >= 0 { // of memory: no error
				r.ahead = head[at:]
				return r.jpegs()
			}
		}
		if err == nil && len(head) < cap(head) {
			continue
		}
		if len(head) == 0 {
			return err
		}
		what := fmt.Errorf("what it writes is neither YUV4MPEG2 nor JPEG, it begins with %.40q%s", head, hint(head))
		if err != nil && !errors.Is(err, errEnded) {
			return err
		} else if err != nil {
			return fmt.Errorf("%w, and then ended", what)
		}
		return what
	}
}

// hint says what the usual slips are.
func hint(head []byte) string {
	switch {
	case bytes.HasPrefix(head, []byte("Setting pipeline")), bytes.HasPrefix(head, []byte("Pipeline is")), bytes.Contains(head, []byte("Setting pipeline to PAUSED")):
		return ": gst-launch-1.0 needs -q, or it writes its messages among the pictures"
	case bytes.HasPrefix(head, []byte{0, 0, 0, 1}), bytes.HasPrefix(head, []byte{0, 0, 1}):
		return ": it is compressed video, of which no picture stands alone: --codec mjpeg of rpicam-vid, -f yuv4mpegpipe of ffmpeg"
	case bytes.HasPrefix(head, []byte("RIFF")):
		return ": it is AVI: let it write yuv4mpegpipe, or mjpeg"
	case len(bytes.Trim(head, "\x00")) == 0:
		return ": zeros alone"
	}
	return ""
}

// size refuses pictures that would take too much memory.
func (r *reader) size(width, height, length int) error {
	if width > maxSide || height > maxSide || length > maxPicture {
		return fmt.Errorf("%w: its pictures have %dx%d pixels; at most %d each way and %d MiB a picture are taken: let it write smaller ones, 640x480 is enough", camera.ErrUnsupported, width, height, maxSide, maxPicture>>20)
	}
	r.width, r.height = width, height
	return nil
}

// deliver gives a whole picture away, and returns memory for the next.
func (r *reader) deliver(p *picture, fps float64) (*picture, error) {
	s := r.source
	p.at, p.sequence = s.now(), r.seq
	r.seq++
	if !r.first {
		r.first = true
		s.mu.Lock()
		s.info.Format, s.info.Width, s.info.Height, s.info.Stride, s.info.FPS = p.format, p.width, p.height, p.stride, fps
		if p.format == camera.MJPEG {
			if turn := mjpeg.Upright(p.data); turn != "" {
				s.info.Warnings = append(s.info.Warnings, turn)
			}
		}
		s.mu.Unlock()
	}
	if r.pictures++; r.pictures > maxRate {
		return nil, fmt.Errorf("it gives more than %d pictures/s, more than a camera: let it go at a camera's pace (ffmpeg: -re; GStreamer: is-live=true), or play a file by camera.clip", maxRate)
	}
	return s.give(p), nil
}

// room makes room for n bytes, of which the first have are kept.
func (p *picture) room(n, have int) {
	if len(p.memory) < n {
		grown := make([]byte, n)
		copy(grown, p.memory[:have])
		p.memory = grown
	}
}

// frames reads the frames of a YUV4MPEG2 stream: each by itself, to its last byte and
// no further, into the memory in which it is handed out.
func (r *reader) frames(h y4m.Header) error {
	fps := 0.0
	if h.Num > 0 {
		fps = float64(h.Num) / float64(h.Den)
	}
	p := new(picture)
	for n := 1; ; n++ {
		p.room(slack+h.Length, 0)
		have, data, want := 0, 0, len("FRAME\n")+h.Length
		for have < want {
			got, err := r.read(p.memory[have:want])
			have += got
			if err != nil {
				if have > 0 && errors.Is(err, errEnded) {
					r.source.count(func(c *camera.Counts) { c.Short++ })
				}
				return err
			}
			if data > 0 {
				continue
			}
			if data, err = y4m.Frame(p.memory[:have]); err != nil {
				return r.step(n, p.memory[:have])
			}
			if data > 0 {
				want = data + h.Length
			} else {
				want = max(want, have+1)
			}
		}
		p.data = p.memory[data:want]
		p.format, p.width, p.height, p.stride = h.Format, h.Width, h.Height, h.Width
		var err error
		if p, err = r.deliver(p, fps); err != nil {
			return err
		}
	}
}

// step says what stands where a frame should begin.
func (r *reader) step(n int, b []byte) error {
	if bytes.HasPrefix(b, []byte(y4m.Magic)) {
		if end := bytes.IndexByte(b, '\n'); end > 0 {
			if h, err := y4m.Parse(b[:end]); err == nil && (h.Width != r.width || h.Height != r.height) {
				return fmt.Errorf("its pictures' size changed from %dx%d to %dx%d", r.width, r.height, h.Width, h.Height)
			}
		}
		return errors.New("its stream began anew in the middle")
	}
	return fmt.Errorf("frame %d does not begin where it should (%w, but %.20q): the one before was cut short, or not only pictures are written", n, y4m.ErrNoFrame, b)
}

// view is memory in which JPEGs are looked for.
type view []byte

func (v *view) View(off int64, n int) ([]byte, error) {
	off = min(off, int64(len(*v)))
	return (*v)[off:min(off+int64(n), int64(len(*v)))], nil
}
func (v *view) Size() int64 { return int64(len(*v)) }

// jpegs reads a stream of JPEGs, with whatever stands between them. What was read
// behind a picture's end is copied to the memory of the next.
func (r *reader) jpegs() error {
	p := new(picture)
	p.room(firstJPEG, 0)
	var (
		have, between, bad int
		begun, ends        bool // a start marker is at 0; the pictures have end markers
		walk               mjpeg.Walker
		seen               view
	)
	drop := func(n int) {
		have = copy(p.memory, p.memory[n:have])
		begun, walk = false, mjpeg.Walker{}
	}
	for {
		if seen = p.memory[:have]; !begun {
			at, _ := mjpeg.Next(&seen, 0) // of memory: no error
			if at < 0 && have > keep {
				if between += have - keep; between > maxBetween {
					return fmt.Errorf("no JPEG in %d bytes behind picture %d", maxBetween, r.seq)
				}
				drop(have - keep)
			}
			if at >= 0 {
				drop(int(at))
				begun, between, seen = true, 0, p.memory[:have]
			}
		}
		if begun {
			f, err := walk.Walk(&seen, 0)
			whole := err == nil && (f.Ended || f.End < int64(have))
			switch {
			case whole && (f.Ended || !ends):
				ends, bad = f.Ended, 0
				rest := p.memory[f.End:have]
				next := p
				if ok, err := r.agreed(f.Width, f.Height); err != nil {
					return err
				} else if ok {
					p.data = p.memory[:f.End]
					p.format, p.width, p.height, p.stride = camera.MJPEG, f.Width, f.Height, 0
					if next, err = r.deliver(p, 0); err != nil {
						return err
					}
					next.room(max(firstJPEG, len(rest)), 0)
				}
				have = copy(next.memory, rest)
				p, begun, walk = next, false, mjpeg.Walker{}
				continue
			case !whole && (err == nil || errors.Is(err, mjpeg.ErrNoEOI)):
				// the rest of it is yet to come
			default:
				r.seq++
				r.source.count(func(c *camera.Counts) { c.Corrupt++ })
				if bad++; bad > maxCorrupt {
					return fmt.Errorf("%d damaged JPEGs in a row", bad)
				}
				drop(2)
				continue
			}
		}
		if have == len(p.memory) {
			if have >= maxJPEG {
				return fmt.Errorf("a JPEG of more than %d MiB, or one without an end", maxJPEG>>20)
			}
			p.room(min(2*have, maxJPEG), have)
		}
		n, err := r.read(p.memory[have:min(len(p.memory), have+overRead)])
		have += n
		if err != nil {
			if begun && errors.Is(err, errEnded) {
				r.source.count(func(c *camera.Counts) { c.Short++ })
			}
			return err
		}
	}
}

// agreed tells whether a JPEG has the size of the first. One of another size is left
// out; several in a row are an error.
func (r *reader) agreed(width, height int) (bool, error) {
	switch {
	case !r.first:
		return true, r.size(width, height, 0)
	case width == r.width && height == r.height:
		r.odd = 0
		return true, nil
	}
	if r.odd++; r.odd >= maxOdd {
		return false, fmt.Errorf("its pictures' size changed from %dx%d to %dx%d", r.width, r.height, width, height)
	}
	r.seq++
	r.source.count(func(c *camera.Counts) { c.WrongSize++ })
	return false, nil
}
