package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"mien/tools/hil/wire"
)

// machine is one emulated machine with its cables.
type machine struct {
	dir     string // of its sockets and logs
	cmd     *exec.Cmd
	ended   chan struct{} // closed when QEMU has ended, as cmd.ProcessState says
	pins    *pins
	modbus  net.Conn // the far end of the serial cable
	hellos  chan string
	release string

	mu    sync.Mutex // covers what is below
	link  net.Conn
	next  uint32
	calls map[uint32]chan *wire.Message
	down  bool // the link has broken
}

// Serial ports in the machine: one for the PLC, two with a crossed cable between
// them (16550s), and the console's (a PL011).
const (
	plcPort     = "/dev/ttyS0"
	crossedA    = "/dev/ttyS1"
	crossedB    = "/dev/ttyS2"
	consolePort = "/dev/ttyAMA0"
)

// processor is a Raspberry Pi 5's, near a Jetson Orin's too: with the dot
// product instructions, for which the network's library has kernels of its own.
// The machine raspi3b has a processor without them.
const processor = "cortex-a76"

// bootTime is the most that a start may take on a busy host.
const bootTime = 4 * time.Minute

// startVirt starts QEMU's `virt` machine: PL061 GPIO, vivid as the camera,
// i6300esb as the watchdog, a 16550 as the serial port, ext4 on virtio-blk for
// what outlives a reset.
func startVirt(ctx context.Context, s *system, image, disk, dir string) (m *machine, err error) {
	m = newMachine(dir)
	m.cmd = exec.CommandContext(ctx, "qemu-system-aarch64", "-M", "virt", "-accel", "tcg,thread=multi", "-cpu", processor, "-smp", "2", "-m", "1024",
		"-nodefaults", "-display", "none", "-kernel", s.kernel(), "-initrd", image,
		"-append", "console=ttyAMA0 quiet loglevel=5 panic=-1 random.trust_cpu=on 8250.nr_uarts=4",
		"-qtest", "unix:qtest.sock,server=on,wait=off", "-qtest-log", "none",
		"-monitor", "unix:monitor.sock,server=on,wait=off", "-serial", "file:kernel.log",
		"-chardev", "socket,id=plc,path=plc.sock,server=on,wait=off", "-device", "pci-serial,chardev=plc",
		"-chardev", "socket,id=a,path=crossed.sock,server=on,wait=off", "-device", "pci-serial,chardev=a",
		"-chardev", "socket,id=b,path=crossed.sock", "-device", "pci-serial,chardev=b",
		"-device", "virtio-serial-pci", "-chardev", "socket,id=link,path=link.sock,server=on,wait=off",
		"-device", "virtserialport,chardev=link,name="+wire.Port,
		"-drive", "if=none,id=disk,format=raw,file="+disk, "-device", "virtio-blk-pci,drive=disk",
		"-device", "i6300esb", "-action", "watchdog=reset")
	if err := m.start(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			m.stop()
		}
	}()
	if m.link, err = m.dial("link.sock"); err != nil {
		return nil, err
	}
	go m.receive()
	if m.modbus, err = m.dial("plc.sock"); err != nil {
		return nil, err
	}
	tree, err := m.monitor("info qom-tree")
	if err != nil {
		return nil, err
	}
	found := regexp.MustCompile(`/(device\[\d+\]) \(pl061\)`).FindStringSubmatch(tree)
	if found == nil {
		return nil, fmt.Errorf("this QEMU shows no PL061: %s", tree)
	}
	if m.pins, err = openPins(filepath.Join(m.dir, "qtest.sock"), "/machine/unattached/"+found[1]); err != nil {
		return nil, err
	}
	return m, m.booted(bootTime)
}

func newMachine(dir string) *machine {
	return &machine{dir: dir, ended: make(chan struct{}), hellos: make(chan string, 8), calls: map[uint32]chan *wire.Message{}}
}

func (m *machine) start() error {
	if err := os.RemoveAll(m.dir); err != nil {
		return err
	}
	if err := os.MkdirAll(m.dir, 0o755); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(m.dir, "qemu.log"))
	if err != nil {
		return err
	}
	m.cmd.Dir, m.cmd.Stdout, m.cmd.Stderr = m.dir, log, log
	// QEMU goes when we go, however that happens: it is bound to the main thread.
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := m.cmd.Start(); err != nil {
		return err
	}
	go func() {
		m.cmd.Wait() // its log says why it ended
		log.Close()
		close(m.ended)
	}()
	return nil
}

func (m *machine) stop() {
	m.cmd.Process.Kill()
	<-m.ended
}

// running tells whether QEMU still runs.
func (m *machine) running() bool {
	select {
	case <-m.ended:
		return false
	default:
		return true
	}
}

func (m *machine) dial(name string) (net.Conn, error) {
	path := filepath.Join(m.dir, name)
	for range 200 {
		if c, err := net.Dial("unix", path); err == nil {
			return c, nil
		}
		if !m.running() {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	text, _ := os.ReadFile(filepath.Join(m.dir, "qemu.log"))
	return nil, fmt.Errorf("QEMU opens no %s: %s", name, text)
}

// monitor gives a command to QEMU's monitor.
func (m *machine) monitor(command string) (string, error) {
	c, err := m.dial("monitor.sock")
	if err != nil {
		return "", err
	}
	defer c.Close()
	r := bufio.NewReader(c)
	prompt := func() (string, error) {
		var text strings.Builder
		c.SetReadDeadline(time.Now().Add(30 * time.Second))
		for !strings.HasSuffix(text.String(), "(qemu) ") {
			b, err := r.ReadByte()
			if err != nil {
				return "", fmt.Errorf("monitor: %w", err)
			}
			text.WriteByte(b)
		}
		return text.String(), nil
	}
	if _, err := prompt(); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintln(c, command); err != nil {
		return "", err
	}
	return prompt()
}

// booted waits for the agent.
func (m *machine) booted(limit time.Duration) error {
	select {
	case m.release = <-m.hellos:
		return nil
	case <-m.ended:
		return fmt.Errorf("QEMU has ended (%v); see %s", m.cmd.ProcessState, filepath.Join(m.dir, "qemu.log"))
	case <-time.After(limit):
		return fmt.Errorf("no agent after %v; see %s", limit, filepath.Join(m.dir, "kernel.log"))
	}
}

// wasReset tells whether the machine has started again since it was last asked,
// or since booted.
func (m *machine) wasReset() bool {
	select {
	case m.release = <-m.hellos:
		return true
	default:
		return false
	}
}

// receive sorts what the agent says.
func (m *machine) receive() {
	r := bufio.NewReaderSize(m.link, 1<<20)
	for {
		msg, err := wire.Read(r)
		if err != nil {
			m.mu.Lock()
			m.down = true
			m.drop()
			m.mu.Unlock()
			return
		}
		m.mu.Lock()
		if msg.Kind == wire.Hello {
			m.drop() // a new start: nobody answers what was asked before
			m.hellos <- msg.Text
		} else if c := m.calls[msg.ID]; c != nil {
			if msg.Kind == wire.Done {
				delete(m.calls, msg.ID)
			}
			c <- msg
			if msg.Kind == wire.Done {
				close(c)
			}
		}
		m.mu.Unlock()
	}
}

// drop ends all calls. The lock is held.
func (m *machine) drop() {
	for id, c := range m.calls {
		delete(m.calls, id)
		close(c)
	}
}

// send gives a message to the agent; its answers come through the channel, which
// is closed after the last or when the machine starts again.
func (m *machine) send(msg *wire.Message) (uint32, <-chan *wire.Message, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return 0, nil, fmt.Errorf("the machine is gone")
	}
	m.next++
	msg.ID = m.next
	c := make(chan *wire.Message, 4096)
	m.calls[msg.ID] = c
	return msg.ID, c, wire.Write(m.link, msg)
}
