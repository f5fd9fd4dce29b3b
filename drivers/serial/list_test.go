package serial

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// fakeSys builds the parts of /sys and /dev that List looks at, as Linux has
// them for a Raspberry Pi with two USB adapters.
func fakeSys(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	file := func(path, content string) {
		t.Helper()
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	link := func(path, to string) {
		t.Helper()
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(to, path); err != nil {
			t.Fatal(err)
		}
	}
	usb := "sys/devices/usb1/1-1"
	file(usb+"/product", "FT232R USB UART\n")
	file(usb+"/manufacturer", "FTDI\n")
	file("sys/bus/drivers/ftdi_sio/bind", "")
	file("sys/bus/drivers/uart-pl011/bind", "")
	file("sys/bus/drivers/serial8250/bind", "")
	file(usb+"/1-1:1.0/ttyUSB0/x", "")
	link(usb+"/1-1:1.0/ttyUSB0/driver", filepath.Join(root, "sys/bus/drivers/ftdi_sio"))
	link("sys/class/tty/ttyUSB0/device", filepath.Join(root, usb+"/1-1:1.0/ttyUSB0"))
	link("dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A1-if00-port0", "../../ttyUSB0")
	link("dev/serial/by-path/platform-usb-0:1:1.0-port0", "../../ttyUSB0")

	file("sys/devices/serial@7d001000/x", "")
	link("sys/devices/serial@7d001000/driver", filepath.Join(root, "sys/bus/drivers/uart-pl011"))
	link("sys/class/tty/ttyAMA0/device", filepath.Join(root, "sys/devices/serial@7d001000"))
	file("sys/class/tty/ttyAMA0/type", "32\n")

	file("sys/devices/serial8250/x", "")
	link("sys/devices/serial8250/driver", filepath.Join(root, "sys/bus/drivers/serial8250"))
	link("sys/class/tty/ttyS0/device", filepath.Join(root, "sys/devices/serial8250"))
	file("sys/class/tty/ttyS0/type", "4\n")
	link("sys/class/tty/ttyS1/device", filepath.Join(root, "sys/devices/serial8250"))
	file("sys/class/tty/ttyS1/type", "0\n") // no UART there
	file("sys/class/tty/tty1/active", "")   // a virtual terminal
	file("sys/class/tty/ptmx/dev", "5:2\n") // virtual
	file("sys/class/tty/console/active", "tty0 ttyS0\n")
	return root
}

func TestList(t *testing.T) {
	got, err := list(fakeSys(t))
	if err != nil {
		t.Fatal(err)
	}
	want := []PortInfo{
		{Path: "/dev/ttyAMA0", Driver: "uart-pl011"},
		{Path: "/dev/ttyS0", Driver: "serial8250", Console: true},
		{Path: "/dev/ttyUSB0", Driver: "ftdi_sio", Product: "FTDI FT232R USB UART",
			ByID: "/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A1-if00-port0", ByPath: "/dev/serial/by-path/platform-usb-0:1:1.0-port0"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	if b := want[2].Best(); b != want[2].ByID {
		t.Errorf("best is %q", b)
	}
	if b := want[0].Best(); b != "/dev/ttyAMA0" {
		t.Errorf("best is %q", b)
	}
}

// Two adapters of one kind without serial numbers share the name by-id: each is told
// by its socket.
func TestAdaptersThatShareAName(t *testing.T) {
	root := fakeSys(t)
	for i, id := range []string{"", "usb-1a86_USB_Serial-if00-port0"} {
		name := fmt.Sprintf("ttyUSB%d", i+1)
		dir := filepath.Join(root, "sys/devices/usb2", name)
		for _, d := range []string{dir, filepath.Join(root, "sys/class/tty", name)} {
			if err := os.MkdirAll(d, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		os.WriteFile(filepath.Join(dir, "product"), []byte("USB Serial\n"), 0o644)
		os.Symlink(dir, filepath.Join(root, "sys/class/tty", name, "device"))
		os.Symlink("../../"+name, filepath.Join(root, "dev/serial/by-path", fmt.Sprintf("usb-0:%d:1.0-port0", i)))
		if id != "" {
			os.Symlink("../../"+name, filepath.Join(root, "dev/serial/by-id", id))
		}
	}
	ports, err := list(root)
	if err != nil || len(ports) != 5 {
		t.Fatalf("%+v, %v", ports, err)
	}
	for _, p := range ports {
		want, shared := p.Path, false
		switch p.Path {
		case "/dev/ttyUSB0":
			want = p.ByID
		case "/dev/ttyUSB1":
			want, shared = "/dev/serial/by-path/usb-0:0:1.0-port0", true
		case "/dev/ttyUSB2":
			want, shared = "/dev/serial/by-path/usb-0:1:1.0-port0", true
		}
		if p.Best() != want || p.Shared != shared {
			t.Errorf("%s: %s, shared %v; want %s", p.Path, p.Best(), p.Shared, want)
		}
	}
}

func TestListWithoutSys(t *testing.T) {
	if got, err := list(t.TempDir()); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
	live, err := List()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range live {
		if _, err := os.Stat(p.Path); err != nil {
			t.Errorf("%+v: %v", p, err)
		}
	}
}
