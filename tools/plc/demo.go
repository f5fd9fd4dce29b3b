package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// demo is a `mien demo` that was started on a pty.
type demo struct {
	cmd    *exec.Cmd
	folder string
	ended  chan error
	said   bytes.Buffer
}

// findMien looks for the binary beside this program, in bin/ from the working
// folder upwards, and in PATH.
func findMien(named string) (string, error) {
	if named != "" {
		if _, err := os.Stat(named); err != nil {
			return "", fmt.Errorf("-mien: %w", err)
		}
		return filepath.Abs(named)
	}
	var places []string
	if self, err := os.Executable(); err == nil {
		places = append(places, filepath.Join(filepath.Dir(self), "mien"))
	}
	if dir, err := os.Getwd(); err == nil {
		for ; ; dir = filepath.Dir(dir) {
			places = append(places, filepath.Join(dir, "bin", "mien"))
			if filepath.Dir(dir) == dir {
				break
			}
		}
	}
	for _, p := range places {
		if info, err := os.Stat(p); err == nil && info.Mode().IsRegular() {
			return p, nil
		}
	}
	if p, err := exec.LookPath("mien"); err == nil {
		return p, nil
	}
	return "", errors.New("found no mien to start: make build makes bin/mien, or name it with -mien")
}

// startDemo starts the unit and waits for its pty.
func startDemo(mien string) (*demo, error) {
	folder, err := os.MkdirTemp("", "mien-plc-")
	if err != nil {
		return nil, err
	}
	d := &demo{folder: folder, ended: make(chan error, 1)}
	d.cmd = exec.Command(mien, "demo", "-modbus", d.port())
	d.cmd.Stderr = &d.said
	ownGroup(d.cmd)
	if err := d.cmd.Start(); err != nil {
		os.RemoveAll(folder)
		return nil, fmt.Errorf("start %s: %w", mien, err)
	}
	go func() { d.ended <- d.cmd.Wait() }()
	for range 300 {
		if _, err := os.Stat(d.port()); err == nil {
			return d, nil
		}
		select {
		case err := <-d.ended:
			os.RemoveAll(folder)
			return nil, fmt.Errorf("%s demo ended at once (%v): %s", mien, err, bytes.TrimSpace(d.said.Bytes()))
		case <-time.After(100 * time.Millisecond):
		}
	}
	d.stop()
	return nil, fmt.Errorf("%s demo made no pty within 30 s", mien)
}

func (d *demo) port() string { return filepath.Join(d.folder, "plc") }

// stop ends the unit as Ctrl-C does, and by force after 5 s.
func (d *demo) stop() {
	d.cmd.Process.Signal(os.Interrupt)
	select {
	case <-d.ended:
	case <-time.After(5 * time.Second):
		d.cmd.Process.Kill()
		<-d.ended
	}
	os.RemoveAll(d.folder)
}
