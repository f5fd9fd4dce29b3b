package serial

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// PortInfo describes a port of the machine, for people.
type PortInfo struct {
	Path    string // "/dev/ttyUSB0"
	ByID    string // "/dev/serial/by-id/…": the adapter, wherever it is plugged in
	ByPath  string // "/dev/serial/by-path/…": the socket, whatever is plugged in
	Driver  string // "ftdi_sio"
	Product string // what a USB adapter calls itself
	Console bool   // the kernel or a login talks on it
	// Shared: another adapter of the same kind is here, of which none has a serial
	// number, or both the same: ByID is that of the one that came last.
	Shared bool
}

// Best is the name to put into a config: the one that survives replugging.
func (p PortInfo) Best() string {
	switch {
	case p.ByID != "" && !p.Shared:
		return p.ByID
	case p.ByPath != "":
		return p.ByPath
	}
	return p.Path
}

// List finds the ports that have hardware behind them, without opening any.
func List() ([]PortInfo, error) { return list("/") }

// list reads /sys/class/tty and /dev under root.
func list(root string) ([]PortInfo, error) {
	class := filepath.Join(root, "sys/class/tty")
	entries, err := os.ReadDir(class)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	active := strings.Fields(text(class, "console/active"))
	byID, byPath := links(root, "dev/serial/by-id"), links(root, "dev/serial/by-path")
	var ports []PortInfo
	for _, e := range entries {
		name := e.Name()
		// A tty without a device is virtual; one of type 0 is a UART that the
		// 8250 driver could have but has not (PORT_UNKNOWN).
		if _, err := os.Stat(filepath.Join(class, name, "device")); err != nil || text(class, name, "type") == "0" {
			continue
		}
		driver, _ := filepath.EvalSymlinks(filepath.Join(class, name, "device/driver"))
		p := PortInfo{Path: "/dev/" + name, Driver: filepath.Base(driver), ByID: byID[name], ByPath: byPath[name], Product: product(class, name)}
		if driver == "" {
			p.Driver = ""
		}
		for _, c := range active {
			p.Console = p.Console || c == name
		}
		ports = append(ports, p)
	}
	sort.Slice(ports, func(i, j int) bool { return ports[i].Path < ports[j].Path })
	for i := range ports {
		for j := range ports {
			p, q := &ports[i], &ports[j]
			if p.ByID != "" && q.ByID == "" && q.ByPath != "" && p.Driver == q.Driver && p.Product == q.Product {
				p.Shared, q.Shared = true, true
			}
		}
	}
	return ports, nil
}

// links maps device names to the links of a udev folder.
func links(root, dir string) map[string]string {
	m := map[string]string{}
	entries, _ := os.ReadDir(filepath.Join(root, dir))
	for _, e := range entries {
		if to, err := os.Readlink(filepath.Join(root, dir, e.Name())); err == nil {
			m[filepath.Base(to)] = "/" + filepath.Join(dir, e.Name())
		}
	}
	return m
}

// product looks upwards from the tty for the USB device's own words.
func product(class, name string) string {
	dir, err := filepath.EvalSymlinks(filepath.Join(class, name, "device"))
	if err != nil {
		return ""
	}
	for range 4 { // port, interface, device
		if p := text(dir, "product"); p != "" {
			return strings.TrimSpace(text(dir, "manufacturer") + " " + p)
		}
		dir = filepath.Dir(dir)
	}
	return ""
}

// text is the content of a small file, or "".
func text(parts ...string) string {
	b, _ := os.ReadFile(filepath.Join(parts...))
	return strings.TrimSpace(string(b))
}
