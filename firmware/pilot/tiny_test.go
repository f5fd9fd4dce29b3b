package pilot

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A file system that is really full ends the recording with a word; what is in it
// stays whole. Only root can make one.
func TestFullFileSystem(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "size=128k"); err != nil {
		t.Skipf("a small file system cannot be mounted: %v", err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	u := newUnit(t, dir+"/pilot", func(o *Options) { o.Reserve = -1 << 40 }) // else it would end before
	u.begin()
	for n := 0; n < 100 && u.keeper.Status().Recording; n++ {
		u.frames(100)
		u.sync()
	}
	u.sync()
	s := u.keeper.Status()
	if s.Recording || !u.told("recording ended") || s.Frames < 1000 {
		t.Fatalf("%+v, %v", s, u.notes)
	}
	if !strings.Contains(s.Ended, "no space") {
		t.Errorf("it ended: %s", s.Ended)
	}
	list, _ := Files(dir + "/pilot")
	sum, err := Replay(list, nil, Visitor{})
	if err != nil || sum.Differs > 0 || sum.Frames < 1000 || len(sum.Damage) > 0 {
		t.Errorf("%+v, %v", sum, err)
	}
	t.Logf("%s; %d frames are whole", s.Ended, sum.Frames)
}
