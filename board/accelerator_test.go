package board

import (
	"path/filepath"
	"slices"
	"testing"
)

func TestAcceleratorsAreFound(t *testing.T) {
	root := t.TempDir()
	if got := Accelerators(root); len(got) != 0 {
		t.Errorf("on an empty machine: %+v", got)
	}
	usb := func(name, vendor, product, speed string) {
		dir := filepath.Join("sys/bus/usb/devices", name)
		write(t, root, dir+"/idVendor", vendor+"\n")
		write(t, root, dir+"/idProduct", product+"\n")
		write(t, root, dir+"/speed", speed+"\n")
	}
	pci := func(name, vendor, device string) {
		write(t, root, "sys/bus/pci/devices/"+name+"/vendor", vendor+"\n")
		write(t, root, "sys/bus/pci/devices/"+name+"/device", device+"\n")
	}
	usb("1-1", "046d", "0825", "480") // a camera
	usb("1-2", "18d1", "9302", "480")
	usb("2-1", "1a6e", "089a", "5000")                     // not used yet
	usb("2-2", "1a6e", "9302", "5000")                     // of neither pair
	write(t, root, "sys/bus/usb/devices/1-2:1.0/x", "x\n") // an interface has no identity
	pci("0000:00:00.0", "0x14e4", "0x2711")                // a bridge
	pci("0000:01:00.0", "0x1ac1", "0x089a")                // with its driver
	write(t, root, "sys/bus/pci/devices/0000:01:00.0/apex/apex_0/temp", "40000\n")
	pci("0000:02:00.0", "0x1ac1", "0x089a") // without
	want := []Accelerator{
		{"Coral USB Accelerator", "usb 1-2", "on a USB 2 socket or cable, where it is slow: plug it into a USB 3 one"},
		{"Coral USB Accelerator", "usb 2-1", ""},
		{"Coral M.2 or PCIe Accelerator", "/dev/apex_0", ""},
		{"Coral M.2 or PCIe Accelerator", "pci 0000:02:00.0", "no driver has taken it: install Coral's gasket-dkms"},
	}
	if got := Accelerators(root); !slices.Equal(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}
