package serial

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"mien/drivers/device"
)

// Pty is a pseudo-terminal whose one side is a Line of ours and whose other
// side any program can open as a serial port. It behaves as a wire does: what
// nobody listens to is lost, and the other program may come and go.
type Pty struct {
	Port
	slave int // kept open, so that the other side never hangs up
	link  string
	peer  string
}

var _ Line = (*Pty)(nil)

const (
	// unreadMax is how much may be unread on the other side before it is
	// thrown away: above any frame, below the kernel's buffer of 4096.
	unreadMax = 3500
	// idleReader is how long a listener may read nothing before it counts as
	// none. A busy machine can let one wait for tens of milliseconds.
	idleReader = 200 * time.Millisecond
)

// OpenPty makes a pty and, unless link is empty, a symbolic link to the side
// for others. A link left over from a run before is replaced; anything else of
// that name is left alone and reported.
func OpenPty(link string) (*Pty, error) {
	p, err := openPty(link)
	if err != nil {
		return nil, fmt.Errorf("open pty %s: %w", link, err)
	}
	return p, nil
}

func openPty(link string) (*Pty, error) {
	master, err := device.Open("/dev/ptmx", unix.O_RDWR)
	if err != nil {
		return nil, fmt.Errorf("/dev/ptmx: %w", err)
	}
	p := &Pty{slave: -1}
	p.fd = master
	p.char = Settings{}.CharacterTime()
	if err := p.connect(); err != nil {
		p.free()
		return nil, err
	}
	p.named(p.peer)
	p.info = Info{Path: p.peer, Device: p.peer}
	if link != "" {
		if err := replaceLink(link, p.peer); err != nil {
			p.free()
			return nil, err
		}
		p.named(link)
		p.link, p.info.Path = link, link
	}
	return p, nil
}

// connect opens the other side and makes it raw.
func (p *Pty) connect() error {
	if err := unix.IoctlSetPointerInt(p.fd, unix.TIOCSPTLCK, 0); err != nil {
		return fmt.Errorf("unlock: %w", err)
	}
	n, err := unix.IoctlGetInt(p.fd, unix.TIOCGPTN)
	if err != nil {
		return fmt.Errorf("number: %w", err)
	}
	p.peer = fmt.Sprintf("/dev/pts/%d", n)
	if p.slave, err = device.Open(p.peer, unix.O_RDWR); err != nil {
		return fmt.Errorf("%s: %w", p.peer, err)
	}
	t, err := unix.IoctlGetTermios(p.slave, unix.TCGETS2)
	if err != nil {
		return fmt.Errorf("TCGETS2: %w", err)
	}
	raw(t)
	t.Iflag = 0 // a pty has no bad characters to mark
	if err := unix.IoctlSetTermios(p.slave, unix.TCSETS2, t); err != nil {
		return fmt.Errorf("TCSETS2: %w", err)
	}
	p.bell, err = device.NewBell()
	return err
}

// Peer is the path that others open: the link, or the pty itself.
func (p *Pty) Peer() string { return p.name }

// Read is as Port.Read.
func (p *Pty) Read(b []byte, timeout time.Duration) (int, error) {
	n, err := p.Port.Read(b, timeout)
	if errors.Is(err, ErrTimeout) {
		p.open()
	}
	return n, err
}

// open lets the next program in, though the one before asked for the port for
// itself alone: that wish ends with the last close, and we never close.
func (p *Pty) open() {
	p.rd.Lock()
	defer p.rd.Unlock()
	if !p.closed.Load() {
		unix.IoctlSetInt(p.slave, unix.TIOCNXCL, 0)
	}
}

// Write is as Port.Write, but what nobody reads makes room for it. On the way
// to the other side there are at most some 16 KiB.
func (p *Pty) Write(b []byte, timeout time.Duration) (int, error) {
	start := time.Now()
	p.makeRoom(len(b), timeout)
	first := timeout
	if timeout < 0 || timeout > idleReader {
		first = idleReader
	}
	n, err := p.Port.Write(b, first)
	if errors.Is(err, ErrTimeout) && first != timeout {
		// The kernel's own queue is full, before what can be counted. What was
		// accepted of b is thrown away with the rest.
		p.drop()
		if timeout > 0 {
			timeout = max(timeout-time.Since(start), 0)
		}
		n, err = p.Port.Write(b, timeout)
	}
	return n, err
}

// makeRoom drops what is unread if n more would be too much and nobody
// reads on.
func (p *Pty) makeRoom(n int, timeout time.Duration) {
	last, start := -1, time.Now()
	for progress := start; !p.closed.Load(); p.pause(time.Millisecond) {
		unread, err := p.unread()
		if err != nil || unread == 0 || unread+n <= unreadMax {
			return
		}
		now := time.Now()
		if unread < last {
			progress = now
		}
		last = unread
		if now.Sub(progress) > idleReader || (timeout >= 0 && now.Sub(start) > timeout) {
			p.drop()
			return
		}
	}
}

func (p *Pty) unread() (int, error) {
	p.wr.Lock()
	defer p.wr.Unlock()
	if p.closed.Load() {
		return 0, ErrClosed
	}
	return unix.IoctlGetInt(p.slave, unix.TIOCINQ)
}

// drop empties both queues on the way to the other side.
func (p *Pty) drop() {
	p.wr.Lock()
	defer p.wr.Unlock()
	if !p.closed.Load() {
		unix.IoctlSetInt(p.fd, unix.TCFLSH, unix.TCOFLUSH)
		unix.IoctlSetInt(p.slave, unix.TCFLSH, unix.TCIFLUSH)
	}
}

// Close hangs up the other side and removes the link.
func (p *Pty) Close() error {
	p.unlink()
	err := p.Port.Close()
	p.rd.Lock()
	defer p.rd.Unlock()
	if p.slave >= 0 {
		unix.Close(p.slave)
		p.slave = -1
	}
	return err
}

// free undoes a half-made pty.
func (p *Pty) free() {
	for _, fd := range []int{p.fd, p.slave} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
	p.bell.Close()
}

// unlink removes the link if it is still ours.
func (p *Pty) unlink() {
	if to, err := os.Readlink(p.link); err == nil && to == p.peer {
		os.Remove(p.link)
	}
}

// replaceLink makes a link in one step, and only over another link to a pty.
func replaceLink(link, to string) error {
	old, err := os.Readlink(link)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("%s exists and is no link: %w", link, fs.ErrExist)
	case filepath.Dir(old) != "/dev/pts":
		return fmt.Errorf("%s is a link to %s, not to a pty: %w", link, old, fs.ErrExist)
	}
	tmp := fmt.Sprintf("%s.%d", link, os.Getpid())
	if err := os.Symlink(to, tmp); err != nil {
		return err
	}
	if err := os.Rename(tmp, link); err != nil {
		os.Remove(tmp)
		return err
	}
	return nil
}
