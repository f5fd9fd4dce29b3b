package clip

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"mien/drivers/camera"
	"mien/drivers/camera/mjpeg"
	"mien/given"
)

// Options say how a clip or a folder of pictures is played.
type Options struct {
	FPS   float64      // frames a second, whatever the file says; 0: as it says, else Else
	Else  float64      // frames a second of a file that does not say (motion JPEG, a folder); 0: 15
	Loop  bool         // begin again at the end; sequence and time go on
	Fast  bool         // every frame in turn, as fast as Next is called; otherwise in real time, late frames passed over as a camera's are
	Clock camera.Clock // nil: the system's
}

// defaultFPS is the rate of motion JPEG files and folders, which carry none, if
// nobody says another.
const defaultFPS = 15

// reel is what differs between kinds of clips: how picture i is found.
type reel interface {
	count() int
	// load points f at picture i. An error of type damaged concerns this picture
	// alone; any other one ends the clip.
	load(i int, f *camera.Frame) error
	// cut tells how the clip was cut short; nil if it is whole.
	cut() error
	close() error
}

// damaged is a picture that cannot be shown while others can.
type damaged struct{ why string }

func (d *damaged) Error() string { return d.why }

// Open opens a YUV4MPEG2 file (.y4m; mono, 4:2:0 and 4:2:2), a motion JPEG file
// (whole JPEGs one after the other), one picture, or a folder of pictures (.jpg
// .jpeg .png .pgm, in the order of their names). Files are told apart by their
// content. A motion JPEG file is indexed here, without decoding.
//
// A clip cut short plays as far as it is whole; the error of its end says where
// it was cut, and so does Info.Warnings. Damaged pictures are skipped, counted
// as Counts.Corrupt and, in a folder, named in Info.Warnings. So is a rate that no
// file tells.
//
// Errors: ErrNotFound, ErrPermission, and ErrUnsupported for anything that
// cannot be played, with the way out.
func Open(path string, o Options) (camera.Source, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fileError("open clip", path, err)
	}
	if st.IsDir() {
		r, err := openPictures(path)
		if err != nil {
			return nil, fmt.Errorf("open clip %s: %w", path, err)
		}
		return newClip(path, r, o)
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("open clip %s: %w: neither a file nor a folder", path, camera.ErrUnsupported)
	}
	if pictureKind(path) == kindPNG || pictureKind(path) == kindPGM {
		return newClip(path, &pictures{dir: filepath.Dir(path), names: []string{filepath.Base(path)}}, o)
	}
	f, _, err := given.Open(path)
	if err != nil {
		return nil, fileError("open clip", path, err)
	}
	r, err := openReel(&file{f: f, length: st.Size()})
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("open clip %s: %w", path, err)
	}
	return newClip(path, r, o)
}

// New plays a .y4m or motion JPEG file that is already in memory; frames
// point into data, which must not change.
func New(name string, data []byte, o Options) (camera.Source, error) {
	r, err := openReel(memory(data))
	if err != nil {
		return nil, fmt.Errorf("open clip %s: %w", name, err)
	}
	return newClip(name, r, o)
}

func openReel(s store) (reel, error) {
	head, err := s.View(0, 12)
	switch {
	case err != nil:
		return nil, err
	case bytes.HasPrefix(head, []byte("YUV4MPEG2")):
		return openY4M(s)
	case bytes.HasPrefix(head, []byte{0xff, 0xd8}):
		return openMJPEG(s)
	case bytes.HasPrefix(head, []byte("RIFF")):
		return nil, fmt.Errorf("%w: an AVI file; take the pictures out of it: ffmpeg -i FILE -c:v copy -f mjpeg OUT.mjpeg (or -pix_fmt yuv420p OUT.y4m if they are not JPEG)", camera.ErrUnsupported)
	case len(head) == 0:
		return nil, fmt.Errorf("%w: the file is empty", camera.ErrUnsupported)
	}
	return nil, fmt.Errorf("%w: neither YUV4MPEG2 nor motion JPEG; convert it: ffmpeg -i FILE -pix_fmt yuv420p OUT.y4m", camera.ErrUnsupported)
}

func fileError(what, path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s %s: %w: %w", what, path, camera.ErrNotFound, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s %s: %w: %w", what, path, camera.ErrPermission, err)
	}
	return fmt.Errorf("%s %s: %w", what, path, err)
}

// clip plays a reel. All times come from a whole frame number, so that nothing
// drifts however long it loops.
type clip struct {
	reel     reel
	clock    camera.Clock
	loop     bool
	fast     bool
	num, den int64 // frames a second = num/den
	stop     chan struct{}
	stopOnce sync.Once

	next  sync.Mutex // held by Next, Release and the end of Close; covers what follows
	frame camera.Frame
	at    int64 // number of the next frame since the start, through all loops
	start time.Duration
	begun bool
	lost  uint32
	bad   int // damaged pictures in a row
	done  bool

	state sync.Mutex // covers info, which any goroutine may ask for
	info  camera.Info
}

func newClip(name string, r reel, o Options) (camera.Source, error) {
	c := &clip{reel: r, clock: o.Clock, loop: o.Loop, fast: o.Fast, stop: make(chan struct{})}
	if c.clock == nil {
		c.clock = camera.SystemClock()
	}
	c.info = camera.Info{Name: filepath.Base(name), Device: name, Driver: "clip", Frames: r.count(), Live: !o.Fast}
	c.num, c.den = defaultFPS, 1
	fps, untold := o.FPS, false
	if y, ok := r.(*y4m); ok && y.Num > 0 {
		c.num, c.den = y.Num, y.Den
	} else if fps == 0 {
		fps = o.Else
		untold = !o.Fast && r.count() > 1
	}
	if fps != 0 {
		if !(fps >= 0.001 && fps <= 1000) {
			r.close()
			return nil, fmt.Errorf("open clip %s: %w: %v frames/s: 0.001 to 1000", name, camera.ErrUnsupported, fps)
		}
		c.num, c.den = int64(math.Round(fps*1000)), 1000
	}
	c.info.FPS = float64(c.num) / float64(c.den)
	if untold {
		c.info.Warnings = append(c.info.Warnings, fmt.Sprintf("the clip does not say its frame rate, and is played at %g frames/s: delays judged from it are right only if it was taken at that rate (camera.fps)", c.info.FPS))
	}
	if o.Loop {
		c.info.Frames = 0
	}
	if err := r.cut(); err != nil {
		c.info.Warnings = append(c.info.Warnings, err.Error())
	}
	if err := c.first(); err != nil {
		r.close()
		return nil, fmt.Errorf("open clip %s: %w", name, err)
	}
	return c, nil
}

// first finds one picture that can be shown: it gives Info its size, and a clip
// without any is refused at once.
func (c *clip) first() error {
	var f camera.Frame
	var why error
	for i := range c.reel.count() {
		err := c.reel.load(i, &f)
		if err == nil {
			c.info.Format, c.info.Width, c.info.Height, c.info.Stride = f.Format, f.Width, f.Height, f.Stride
			c.turned(&f)
			return nil
		}
		if why = err; !isDamaged(err) {
			break
		}
	}
	if why == nil {
		why = c.reel.cut()
	}
	if why == nil {
		return fmt.Errorf("%w: no picture in it", camera.ErrUnsupported)
	}
	return fmt.Errorf("%w: no whole picture in it: %w", camera.ErrUnsupported, why)
}

// turned warns of pictures that whoever took them means to be turned: they are read
// as they are stored.
func (c *clip) turned(f *camera.Frame) {
	if f.Format != camera.MJPEG {
		return
	}
	if way := mjpeg.Upright(f.Data); way != "" {
		c.info.Warnings = append(c.info.Warnings, way)
	}
}

func isDamaged(err error) bool {
	d := (*damaged)(nil)
	return errors.As(err, &d)
}

// offset is the time of frame n after the start. Whole seconds are split off so
// that years of looping do not overflow.
func (c *clip) offset(n int64) time.Duration {
	q, r := n/c.num, n%c.num
	return time.Duration(q*c.den)*time.Second + time.Duration(r*c.den)*time.Second/time.Duration(c.num)
}

// due is the number of the last frame whose time has come after d.
func (c *clip) due(d time.Duration) int64 {
	n := int64(d.Seconds() * float64(c.num) / float64(c.den)) // right within a frame or so; the rest is exact
	for c.offset(n+1) <= d {
		n++
	}
	for n > 0 && c.offset(n) > d {
		n--
	}
	return n
}

func (c *clip) Next(timeout time.Duration) (*camera.Frame, error) {
	c.next.Lock()
	defer c.next.Unlock()
	now := c.clock.Now()
	if !c.begun {
		c.begun, c.start = true, now
	}
	deadline := now + max(timeout, 0)
	count := int64(c.reel.count())
	for {
		select {
		case <-c.stop:
			return nil, fmt.Errorf("clip %s: %w", c.info.Device, camera.ErrClosed)
		default:
		}
		if !c.fast {
			last := c.due(now - c.start)
			if !c.loop {
				last = min(last, count-1)
			}
			if last > c.at {
				c.passOver(uint32(last - c.at))
				c.at = last
			}
		}
		if c.done || !c.loop && c.at >= count {
			return nil, c.end(nil)
		}
		if !c.fast {
			if at := c.start + c.offset(c.at); at > now {
				if !c.clock.Wait(min(at, deadline)-now, c.stop) {
					continue
				}
				if now = c.clock.Now(); at > deadline && now >= deadline {
					return nil, fmt.Errorf("clip %s: %w: waited %v", c.info.Device, camera.ErrTimeout, timeout)
				}
				continue
			}
		}
		err := c.reel.load(int(c.at%count), &c.frame)
		n := c.at
		c.at++
		if err != nil {
			if !isDamaged(err) {
				return nil, c.end(err)
			}
			c.lost++
			if c.bad++; c.corrupt(err) >= count {
				return nil, c.end(fmt.Errorf("no picture of it can be shown any more: %w", err))
			}
			continue
		}
		c.frame.Sequence, c.frame.Time, c.frame.Lost = uint32(n), c.start+c.offset(n), c.lost
		c.delivered()
		return &c.frame, nil
	}
}

func (c *clip) passOver(n uint32) {
	c.lost += n
	c.state.Lock()
	c.info.Counts.PassedOver += uint64(n)
	c.state.Unlock()
}

// maxWarnings bounds the text a long-running clip can gather.
const maxWarnings = 8

// corrupt counts a damaged picture, names it once, and returns how many came in
// a row.
func (c *clip) corrupt(err error) int64 {
	c.state.Lock()
	defer c.state.Unlock()
	c.info.Counts.Corrupt++
	text := "skipped " + err.Error()
	for _, w := range c.info.Warnings {
		if w == text {
			return int64(c.bad)
		}
	}
	if len(c.info.Warnings) < maxWarnings {
		c.info.Warnings = append(c.info.Warnings, text)
	}
	return int64(c.bad)
}

func (c *clip) delivered() {
	c.state.Lock()
	c.info.Counts.Frames++
	c.info.Counts.Lost += uint64(c.frame.Lost)
	c.state.Unlock()
	c.lost, c.bad = 0, 0
}

// end makes the error of a clip that is over, and keeps it over.
func (c *clip) end(why error) error {
	c.done = true
	if why == nil {
		why = c.reel.cut()
	} else {
		c.state.Lock()
		if text := why.Error(); len(c.info.Warnings) < maxWarnings {
			c.info.Warnings = append(c.info.Warnings, text)
		}
		c.state.Unlock()
	}
	if why != nil {
		return fmt.Errorf("clip %s: %w: %w", c.info.Device, camera.ErrEnd, why)
	}
	return fmt.Errorf("clip %s: %w after frame %d", c.info.Device, camera.ErrEnd, c.reel.count())
}

func (c *clip) Release() error {
	c.next.Lock()
	defer c.next.Unlock()
	c.frame.Data = nil
	return nil
}

func (c *clip) Info() camera.Info {
	c.state.Lock()
	defer c.state.Unlock()
	info := c.info
	info.Warnings = append([]string(nil), c.info.Warnings...)
	return info
}

func (c *clip) Close() error {
	var err error
	c.stopOnce.Do(func() {
		close(c.stop)
		c.next.Lock() // a Next that was waiting has returned
		defer c.next.Unlock()
		err = c.reel.close()
	})
	if err != nil {
		return fmt.Errorf("close clip %s: %w", c.info.Device, err)
	}
	return nil
}

// pictureKind tells a picture file by its name.
func pictureKind(name string) int {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".jpg", ".jpeg":
		return kindJPEG
	case ".png":
		return kindPNG
	case ".pgm":
		return kindPGM
	}
	return 0
}

const (
	kindJPEG = 1 + iota
	kindPNG
	kindPGM
)
