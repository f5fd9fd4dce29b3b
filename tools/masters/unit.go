package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"mien/drivers/serial"
	"mien/firmware/modbus/modbustest"
	"mien/firmware/operator"
)

// unit is a running `mien demo`.
type unit struct {
	cmd          *exec.Cmd
	folder       string
	port, socket string
	network      string // "tcp://127.0.0.1:PORT"
	said         bytes.Buffer
	ended        chan struct{}
	err          error // after ended
}

// start runs the demo in a loop, with its slave on a pty, and waits for its
// first results.
func start(mien string) (*unit, error) {
	folder, err := os.MkdirTemp("", "mien-masters-")
	if err != nil {
		return nil, err
	}
	u := &unit{folder: folder, port: filepath.Join(folder, "plc"), socket: filepath.Join(folder, "socket"), ended: make(chan struct{})}
	tables := filepath.Join(folder, "gateway.toml")
	if u.network, err = freePort(); err == nil {
		text := fmt.Sprintf("[gateway]\ndir = %q\n\n[modbus_tcp]\nlisten = %q\nwrite = true\n", filepath.Join(folder, "gateway"), strings.TrimPrefix(u.network, "tcp://"))
		err = os.WriteFile(tables, []byte(text), 0o600)
	}
	if err != nil {
		os.RemoveAll(folder)
		return nil, err
	}
	u.cmd = exec.Command(mien, "demo", "-modbus", u.port, "-socket", u.socket, "-gateway", tables)
	u.cmd.Stderr = &u.said
	u.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := u.cmd.Start(); err != nil {
		os.RemoveAll(folder)
		return nil, fmt.Errorf("start the unit (make build makes it): %w", err)
	}
	go func() { u.err = u.cmd.Wait(); close(u.ended) }()
	for range 300 {
		time.Sleep(100 * time.Millisecond)
		if err := u.died(); err != nil {
			os.RemoveAll(folder)
			return nil, err
		}
		if s, err := u.status(); err == nil && s.Trusted && s.Up > 3*time.Second {
			return u, nil
		}
	}
	u.stop()
	return nil, fmt.Errorf("%s demo had no result within 30 s: %s", mien, bytes.TrimSpace(u.said.Bytes()))
}

// freePort is an address of loopback that nobody has just now.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return "tcp://" + l.Addr().String(), nil
}

// onNetwork gives the address of a port that is "tcp://ADDRESS:PORT".
func onNetwork(port string) (address string, is bool) { return strings.CutPrefix(port, "tcp://") }

// died says how the unit ended, nil while it runs.
func (u *unit) died() error {
	select {
	case <-u.ended:
		return fmt.Errorf("the unit ended: %v: %s", u.err, bytes.TrimSpace(u.said.Bytes()))
	default:
		return nil
	}
}

func (u *unit) stop() {
	u.cmd.Process.Signal(os.Interrupt)
	select {
	case <-u.ended:
	case <-time.After(5 * time.Second):
		u.cmd.Process.Kill()
		<-u.ended
	}
	os.RemoveAll(u.folder)
}

// status asks the unit itself, without the PLC.
func (u *unit) status() (*operator.Status, error) {
	c, err := operator.Dial(u.socket)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return ask(c)
}

func ask(c *operator.Client) (*operator.Status, error) {
	reply, err := c.Ask(operator.Request{Ask: operator.AskStatus})
	if err != nil {
		return nil, err
	}
	return reply.Status, nil
}

// open opens the unit's port for raw frames.
func open(path string) (*serial.Port, error) {
	return serial.Open(serial.Settings{Path: path, Baud: 115200})
}

// facts are those of the demo's config.
func facts() modbustest.Facts {
	return modbustest.Facts{Address: 1, Alarms: 2, Unlocked: -1, Locked: 0, ShelveMax: 60,
		Static: map[int]uint16{0: 1, 50: 0x1234, 51: 0x5678, 52: 0x3F80, 53: 0, 62: 700, 66: 600, 124: 2}}
}
