package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"mien/tools/hil/wire"
)

// Lines of the machine's GPIO chip, a PL061 of 8. Line 3 is the power button's,
// once its driver is loaded.
const (
	healthy   = 0
	lamp      = 1
	eyesLine  = 2
	powerLine = 3
	faultLine = 4
	ackLine   = 5
	resetLine = 6
	horn      = 7
)

var lineNames = [8]string{"healthy", "lamp", "eyes closed", "power button", "fault", "ack button", "reset key", "horn"}

const chipLabel = "9030000.pl061"

// runVirt runs scenarios on the machine `virt`.
func runVirt(ctx context.Context, k *kit, list []scenario, tell func(scenario, string, []string, time.Duration)) error {
	b, err := openVirt(ctx, k, list)
	if err != nil {
		keepLogs(filepath.Join(k.work, "virt"), filepath.Join(k.work, "logs", "virt"))
		return err
	}
	defer b.m.stop()
	for _, s := range list {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		began := time.Now()
		why := b.try(s)
		if ctx.Err() != nil {
			return fmt.Errorf("stopped during %q", s.name)
		}
		tell(s, why, b.said, time.Since(began))
		if why != "" {
			name := regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(s.name), "-")
			b.keep(filepath.Join(k.work, "logs", name), s.name, why)
			b.recover()
		}
		if !b.m.running() {
			return fmt.Errorf("QEMU has ended: %v", b.m.cmd.ProcessState)
		}
	}
	return nil
}

// openVirt builds what the scenarios need and starts the machine.
func openVirt(ctx context.Context, k *kit, list []scenario) (*bench, error) {
	extra := map[string]string{}
	for _, s := range list {
		to, at := "usr/lib/hil/"+filepath.Base(s.tests)+".test", filepath.Join(k.work, "tests", filepath.Base(s.tests))
		if s.tests == "" || extra[to] != "" {
			continue
		}
		if err := goBuild(ctx, "test", at, "./drivers/"+s.tests); err != nil {
			return nil, err
		}
		extra[to] = at
	}
	image := filepath.Join(k.work, "virt.cpio")
	if err := writeImage(ctx, k.system, image, k.stage, virtModules, virtSpare, extra); err != nil {
		return nil, err
	}
	disk := filepath.Join(k.work, "disk.raw")
	if err := makeDisk(ctx, disk); err != nil {
		return nil, err
	}
	p, err := openPictures()
	if err != nil {
		return nil, err
	}
	service, err := os.ReadFile(filepath.Join(k.stage, "mien.service"))
	if err != nil {
		return nil, err
	}
	began := time.Now()
	m, err := startVirt(ctx, k.system, image, disk, filepath.Join(k.work, "virt"))
	if err != nil {
		return nil, err
	}
	fmt.Printf("hil: virt is up after %.1f s: Linux %s\n", time.Since(began).Seconds(), m.release)
	b := &bench{m: m, service: string(service), pictures: p, loaded: map[string]bool{}}
	if err := b.openCable(); err != nil {
		m.stop()
		return nil, err
	}
	if why := b.try(scenario{run: (*bench).settle}); why != "" {
		m.stop()
		return nil, fmt.Errorf("set up the machine: %s", why)
	}
	return b, nil
}

// makeDisk makes a small ext4 file system for the unit's state.
func makeDisk(ctx context.Context, path string) error {
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	mke2fs, err := exec.LookPath("mke2fs")
	if err != nil {
		mke2fs = "/sbin/mke2fs"
	}
	if out, err := exec.CommandContext(ctx, mke2fs, "-q", "-t", "ext4", "-O", "^has_journal", path, "16M").CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", mke2fs, err, out)
	}
	return nil
}

// settle does what an installation does: the state folder, and who may use
// which device. It is done again after each start of the machine.
func (b *bench) settle() {
	b.loaded, b.shown, b.unit, b.config = map[string]bool{}, "", nil, ""
	b.need(b.m.call("mount", []string{"/dev/vda", "/var/lib/mien", "ext4", ""}, nil))
	b.need(b.m.call("chown", wire.Control{Name: "/var/lib/mien", Value: 990}, nil))
	b.need(b.m.call("chown", wire.Control{Name: "/run/mien", Value: 990}, nil))
	b.need(b.m.call("chmod", wire.Control{Name: "/run/mien", Value: 0o755}, nil))
	b.devices()
}

// devices gives the device files to the groups that udev gives them to.
func (b *bench) devices() {
	for pattern, group := range map[string]int32{"/dev/video*": 44, "/dev/ttyS*": 20, "/dev/gpiochip*": 991, "/dev/watchdog*": 990} {
		var found []string
		b.need(b.m.call("glob", pattern, &found))
		for _, path := range found {
			b.need(b.m.call("chown", wire.Control{Name: path, Value: group}, nil))
			b.need(b.m.call("chmod", wire.Control{Name: path, Value: 0o660}, nil))
		}
	}
}

// recover brings the machine back to where the next scenario can begin, as far
// as the failed one allows.
func (b *bench) recover() {
	b.try(scenario{run: func(b *bench) {
		for _, line := range []int{ackLine, resetLine} {
			b.m.pins.drive(line, false)
		}
		b.unit = nil
		if b.m.wasReset() {
			b.settle()
			return
		}
		b.endAll(syscall.SIGKILL)
		b.m.call("stopplay", nil, nil) // what it failed at is reported already
		b.shown = ""
		b.control(cameraNode, "percentage_of_dropped_buffers", 0)
	}})
}
