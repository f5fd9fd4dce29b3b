package board

import (
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// Accelerator is an Edge TPU that the kernel has found.
type Accelerator struct {
	Name string // "Coral USB Accelerator"
	Path string // "usb 2-1", "/dev/apex_0", "pci 0000:01:00.0"
	Note string // what keeps it from being used or makes it slow; "" for nothing
}

// Accelerators looks for Edge TPUs under root, "/" on a running machine. Opening
// one is for its library.
//
// A USB stick has the identity of its boot loader, 1a6e:089a, until it is first
// used, and 18d1:9302 from then on; the chip behind PCI Express is 1ac1:089a
// [coral.ai/docs/accelerator/get-started, coral.ai/docs/m2/get-started].
func Accelerators(root string) []Accelerator {
	var list []Accelerator
	for _, dir := range folders(root, "sys/bus/usb/devices/*") {
		switch strings.TrimSpace(readFile(dir, "idVendor")) + ":" + strings.TrimSpace(readFile(dir, "idProduct")) {
		case "1a6e:089a", "18d1:9302":
			a := Accelerator{Name: "Coral USB Accelerator", Path: "usb " + filepath.Base(dir)}
			if speed := strings.TrimSpace(readFile(dir, "speed")); speed == "480" || speed == "12" {
				a.Note = "on a USB 2 socket or cable, where it is slow: plug it into a USB 3 one"
			}
			list = append(list, a)
		}
	}
	for _, dir := range folders(root, "sys/bus/pci/devices/*") {
		if strings.TrimSpace(readFile(dir, "vendor")) != "0x1ac1" || strings.TrimSpace(readFile(dir, "device")) != "0x089a" {
			continue
		}
		a := Accelerator{Name: "Coral M.2 or PCIe Accelerator", Path: "pci " + filepath.Base(dir)}
		if apex := folders(dir, "apex/apex_*"); len(apex) > 0 {
			a.Path = "/dev/" + filepath.Base(apex[0])
		} else {
			a.Note = "no driver has taken it: install Coral's gasket-dkms"
		}
		list = append(list, a)
	}
	return list
}

// folders are those that match a pattern below root, in order.
func folders(root, pattern string) []string {
	all, _ := filepath.Glob(filepath.Join(root, pattern)) // fails on a malformed pattern only
	kept := all[:0]
	for _, dir := range all {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			kept = append(kept, dir)
		}
	}
	sort.Strings(kept)
	return kept
}
