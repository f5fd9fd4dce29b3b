// Package command makes a camera of a program that writes pictures to its standard
// output: YUV4MPEG2 (mono, 4:2:0 or 4:2:2 of 8 bits) or motion JPEG. So rpicam-vid,
// GStreamer and ffmpeg bring the cameras that V4L2 alone cannot read.
//
//	src, err := command.Open([]string{"rpicam-vid", "-n", "-t", "0", "--codec", "mjpeg", "-o", "-"})
//
// # The program
//
// It is started as it is named, without a shell, with this process's rights and
// environment and no more: no descriptor but its three standard ones, no new
// privileges, no socket to a network, no core file, a process group of its own. It
// ends with this process, whatever ends that (PR_SET_PDEATHSIG), and is killed
// for want of memory before it. Close asks it to end as Ctrl-C does, and kills its
// whole group after a second.
//
// # Its pictures
//
// What it writes is read all the time, and only the newest whole picture kept, so
// that neither it nor the caller ever waits for the other, and nobody sees an old
// one. Memory is bounded: three pictures. A picture's time is when its last
// byte came; how long the program kept it before that cannot be seen.
//
// A program that ends, falls out of step, changes its pictures' size, or
// writes what is no picture or more than any camera has is ErrGone, with the reason and its last words: close
// it and open it again. One that writes nothing is ErrTimeout, as a silent camera is.
package command

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"mien/drivers/camera"
	"mien/drivers/device"
)

// startsWithin is how long a program may take to its first picture: libcamera loads
// tuning files, GStreamer looks through its plugins, a sensor finds its exposure.
const startsWithin = 10 * time.Second

// endsWithin is how long a program may take to end by itself, and then to be killed.
// One that hangs in a driver may take for ever, and is not waited for.
const endsWithin = time.Second

// source is a program that is running, or was.
type source struct {
	child *child
	now   func() time.Duration
	fresh chan struct{} // a picture came
	over  chan struct{} // closed when no more will come; why is set before
	stop  chan struct{} // closed by Close
	once  sync.Once
	why   error

	next   sync.Mutex // held by Next and Release; covers what follows
	timer  *time.Timer
	held   *picture
	frame  camera.Frame
	handed uint32 // sequence of the next picture, when one was handed out last

	mu     sync.Mutex // covers what follows
	newest *picture   // nil: none since the last one handed out
	spare  *picture   // nil: the reader has it, or Next
	info   camera.Info
}

// picture is memory for one, which only grows.
type picture struct {
	memory        []byte
	data          []byte // of memory
	width, height int
	format        uint32
	stride        int
	sequence      uint32
	at            time.Duration
}

// Open starts a program; the command is its name, looked for in PATH, and its
// arguments. It does not wait for a picture: until one came, Info has no format and
// no size.
//
// Errors: ErrNotFound (no such program), ErrPermission, and the system's own.
func Open(command []string) (camera.Source, error) {
	if len(command) == 0 || command[0] == "" {
		return nil, fmt.Errorf("open camera: %w: an empty command", camera.ErrUnsupported)
	}
	c, err := start(command)
	if err != nil {
		return nil, fmt.Errorf("start camera %s: %w", command[0], err)
	}
	s := &source{child: c, now: device.Now, fresh: make(chan struct{}, 1), over: make(chan struct{}), stop: make(chan struct{}), spare: new(picture)}
	s.info = camera.Info{Name: filepath.Base(command[0]), Device: strings.Join(command, " "), Driver: "command", Live: true, Starts: startsWithin}
	if c.open {
		s.info.Warnings = append(s.info.Warnings, "this kernel cannot keep the program from the network: see that its service does (docs/cameras.md#what-a-program-may-do)")
	}
	go s.read()
	return s, nil
}

// wrap names the program in an error; its last words follow.
func (s *source) wrap(err error) error {
	text := s.child.said.String()
	if text != "" {
		text = "; it said: " + text
	}
	return fmt.Errorf("camera %s: %w%s", s.info.Name, err, text)
}

func (s *source) Next(timeout time.Duration) (*camera.Frame, error) {
	s.next.Lock()
	defer s.next.Unlock()
	s.putBack()
	if s.timer == nil {
		s.timer = time.NewTimer(timeout)
	} else {
		s.timer.Reset(timeout)
	}
	defer s.timer.Stop()
	for {
		select {
		case <-s.stop:
			return nil, fmt.Errorf("camera %s: %w", s.info.Name, camera.ErrClosed)
		default:
		}
		if f := s.take(); f != nil {
			return f, nil
		}
		select {
		case <-s.stop:
		case <-s.fresh:
		case <-s.over:
			if f := s.take(); f != nil { // came between the two looks
				return f, nil
			}
			return nil, s.why
		case <-s.timer.C:
			if f := s.take(); f != nil {
				return f, nil
			}
			select {
			case <-s.over:
				return nil, s.why
			default:
			}
			return nil, s.wrap(fmt.Errorf("%w: waited %v", camera.ErrTimeout, max(timeout, 0)))
		}
	}
}

// take hands out the newest picture, or gives nil.
func (s *source) take() *camera.Frame {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.newest
	if p == nil {
		return nil
	}
	s.newest, s.held = nil, p
	lost := p.sequence - s.handed
	s.handed = p.sequence + 1
	s.info.Counts.Frames++
	s.info.Counts.Lost += uint64(lost)
	s.frame = camera.Frame{Data: p.data, Format: p.format, Width: p.width, Height: p.height, Stride: p.stride,
		Sequence: p.sequence, Time: p.at, Lost: lost}
	return &s.frame
}

// putBack gives the memory of the picture that was handed out back to the reader.
func (s *source) putBack() {
	if s.held == nil {
		return
	}
	s.mu.Lock()
	s.spare = s.held
	s.mu.Unlock()
	s.held = nil
}

// give makes a picture the newest one, and returns memory for the next: that of the
// one passed over, else the spare. There are three: the reader's, the newest, and the
// one handed out or spare.
func (s *source) give(p *picture) *picture {
	s.mu.Lock()
	old := s.newest
	s.newest = p
	if old != nil {
		s.info.Counts.PassedOver++
	} else if old = s.spare; old != nil {
		s.spare = nil
	} else {
		old = new(picture) // the third, once
	}
	s.mu.Unlock()
	select {
	case s.fresh <- struct{}{}:
	default:
	}
	return old
}

func (s *source) count(change func(*camera.Counts)) {
	s.mu.Lock()
	change(&s.info.Counts)
	s.mu.Unlock()
}

func (s *source) Release() error {
	s.next.Lock()
	defer s.next.Unlock()
	s.putBack()
	return nil
}

func (s *source) Info() camera.Info {
	s.mu.Lock()
	defer s.mu.Unlock()
	info := s.info
	info.Warnings = append([]string(nil), s.info.Warnings...)
	info.Said = s.child.said.String()
	return info
}

func (s *source) Close() error {
	var err error
	s.once.Do(func() {
		close(s.stop)
		err = s.child.end() // what it still writes is read meanwhile, so that it can end
		if e := s.child.out.Close(); err == nil {
			err = e
		}
		<-s.over
	})
	if err != nil {
		return fmt.Errorf("close camera %s: %w", s.info.Name, err)
	}
	return nil
}

// read is the goroutine that reads what the program writes, until that ends.
func (s *source) read() {
	defer close(s.over)
	defer func() {
		if r := recover(); r != nil {
			s.why = s.wrap(fmt.Errorf("%w: a fault in mien itself: %v", camera.ErrGone, r))
		}
	}()
	err := (&reader{source: s, from: s.child.out}).run()
	if errors.Is(err, errEnded) {
		err = s.child.how()
	}
	s.why = s.wrap(fmt.Errorf("%w: %w", camera.ErrGone, err))
	// It may run on and fill its pipe: Close ends it.
}

var _ camera.Source = (*source)(nil)
