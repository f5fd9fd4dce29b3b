package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"mien/drivers/camera"
	"mien/drivers/gpio"
	"mien/firmware/alarm"
	"mien/firmware/alarm/store"
	"mien/firmware/health"
	"mien/firmware/pipeline/rig"
	"mien/firmware/state"
	"mien/model/assets"
	"mien/model/pixel"
)

// kind is one kind of fault.
type kind struct {
	name  string
	fault health.Fault // the bit that must be set; none for what must be borne
	none  bool         // nothing may be set: the unit bears it
	// detect is the declared time from the cause to the bit, with the units'
	// settings.
	detect     time.Duration
	before     func(*unit) // what must be there first; nil: nothing
	begin, end func(*unit)
	atStart    bool // it is there when the unit starts; begin is called before that
	// wrong looks at what the unit bears, "" for all is well; nil: the faults say it.
	wrong func(*unit) string
}

// The units' settings, and what follows from them.
const (
	stale     = 500 * time.Millisecond
	frozen    = 700 * time.Millisecond
	dark      = 400 * time.Millisecond
	turned    = 2 * time.Second
	look      = 20 * time.Second // until the picture is next looked at upside down
	stuck     = 400 * time.Millisecond
	debounce  = 5 * time.Millisecond // the rig's
	host      = time.Second
	readBack  = 500 * time.Millisecond // pipeline's own
	sensing   = 5 * time.Second        // likewise
	rateKnown = 2 * 2 * time.Second    // two windows of the rate
	slowHeld  = 2 * time.Second
	silence   = 4 * time.Second
	undriven  = 600 * time.Millisecond
	// Networks are loaded within this, or refused: 14 MB of libraries are read from a
	// disk and summed up. A part that failed is started again within the other.
	loaded  = 2 * time.Second
	failing = 100 * time.Millisecond
	// The healthy line is written this often, if no other is: only then can a hang show.
	healthyHalf = 500 * time.Millisecond
	frame       = rig.Period
)

func kinds() []kind {
	cam := func(change func(*camera.Fake)) func(*unit) {
		return func(u *unit) {
			u.rig.With(change)
		}
	}
	pictures := func(list ...[]byte) func(*unit) {
		return func(u *unit) { u.show(camera.MJPEG, list) }
	}
	good := func(u *unit) { u.show(camera.MJPEG, u.clip) }
	raw := func(fill func(i int) []byte) func(*unit) {
		var list [][]byte
		for i := range 8 {
			list = append(list, fill(i))
		}
		return func(u *unit) { u.show(camera.GREY, list) }
	}
	var tests atomic.Int64
	disk := func(op store.Op, err error) func(*unit) {
		return func(u *unit) {
			u.disk.Fail(store.Fault{Op: op, Count: -1, Err: err})
			u.unit.Do("faults", []state.Command{{Do: state.TestOutputs, For: time.Millisecond + time.Duration(tests.Add(1))}}) // something new to journal
		}
	}
	heal := func(u *unit) { u.disk.Heal() }
	gpioFault := func(op gpio.Op, n int, err error) func(*unit) {
		return func(u *unit) { u.chip.fail(op, n, err) }
	}
	gpioHeal := func(u *unit) { u.chip.heal() }
	file := func(name, text string) func(*unit) {
		return func(u *unit) { os.WriteFile(filepath.Join(u.root, name), []byte(text), 0o644) }
	}
	// A device whose times were once wrong is not believed until it is opened again:
	// so it is, for those kinds that need its times.
	believed := cam(func(f *camera.Fake) {
		f.Stamp, f.NextErrs = nil, map[int]error{f.Nexts + 1: camera.ErrGone}
	})
	// What lies beside the program is damaged and then loaded again: by a reload, or
	// because the watcher failed; or it was damaged before the start.
	detector, library, other := filepath.Join(libFolder, assets.FaceShort), filepath.Join(libFolder, assets.LiteRT), filepath.Join(libFolder, assets.TFLiteC)
	damaged := func(how func([]byte) []byte, paths ...string) func(*unit) {
		return func(u *unit) {
			for _, path := range paths {
				u.damage(path, how)
			}
		}
	}
	reloaded := func(how func([]byte) []byte) func(*unit) {
		return func(u *unit) {
			u.damage(detector, how)
			u.again()
		}
	}
	failed := func(path string, how func([]byte) []byte) func(*unit) {
		return func(u *unit) {
			u.damage(path, how)
			u.panics.Store(true)
		}
	}
	repaired := func(u *unit) {
		u.panics.Store(false)
		u.repair()
	}
	missing := func([]byte) []byte { return nil }
	// A program is the camera, and then does something else, each time it is started.
	program := func(sig unix.Signal, instead string) func(*unit) {
		return func(u *unit) { u.spoil(sig, instead) }
	}
	asProgram, noProgram := func(u *unit) { u.asProgram() }, func(u *unit) { u.program.Store(nil) }
	const zone, throttled = "sys/class/thermal/thermal_zone0/temp", "sys/devices/platform/soc/soc:firmware/get_throttled"
	eio := fmt.Errorf("injected: %w", unix.EIO)
	return []kind{
		{name: "camera unplugged", fault: health.CameraLost, detect: frame,
			begin: cam(func(f *camera.Fake) { f.Gone = true }), end: cam(func(f *camera.Fake) { f.Gone = false })},
		{name: "camera silent", fault: health.CameraLost, detect: stale + 200*time.Millisecond,
			begin: cam(func(f *camera.Fake) { f.Silent = true }), end: cam(func(f *camera.Fake) { f.Silent = false })},
		{name: "camera read error", fault: health.CameraLost, detect: frame, begin: cam(func(f *camera.Fake) {
			f.NextErrs = map[int]error{f.Nexts + 1: eio}
			f.OpenErrs = everyOpen(f.Opens, eio)
		}), end: cam(func(f *camera.Fake) { f.NextErrs, f.OpenErrs = nil, nil })},
		{name: "camera taken by another", fault: health.CameraLost, detect: frame, begin: cam(func(f *camera.Fake) {
			f.NextErrs = map[int]error{f.Nexts + 1: camera.ErrGone}
			f.OpenErrs = everyOpen(f.Opens, camera.ErrBusy)
		}), end: cam(func(f *camera.Fake) { f.NextErrs, f.OpenErrs = nil, nil })},
		{name: "camera without permission", fault: health.CameraLost, detect: frame, begin: cam(func(f *camera.Fake) {
			f.NextErrs = map[int]error{f.Nexts + 1: camera.ErrGone}
			f.OpenErrs = everyOpen(f.Opens, camera.ErrPermission)
		}), end: cam(func(f *camera.Fake) { f.NextErrs, f.OpenErrs = nil, nil })},
		{name: "camera program ends", fault: health.CameraLost, detect: 2*frame + failing, before: asProgram,
			begin: program(unix.SIGKILL, "echo no cameras available >&2; exit 7"), end: noProgram},
		{name: "camera program hangs", fault: health.CameraLost, detect: stale + 200*time.Millisecond, before: asProgram,
			begin: program(unix.SIGSTOP, "exec sleep 1000"), end: noProgram},
		{name: "camera program writes zeros", fault: health.CameraLost, detect: 2*frame + failing, before: asProgram,
			begin: program(unix.SIGKILL, "exec cat /dev/zero"), end: noProgram},
		{name: "camera program only talks", fault: health.CameraLost, detect: stale + 200*time.Millisecond, before: asProgram,
			begin: program(unix.SIGSTOP, "exec cat /dev/zero >&2"), end: noProgram},
		{name: "picture frozen", fault: health.CameraFrozen, detect: frozen + 2*frame,
			begin: cam(func(f *camera.Fake) { f.Frozen = true }), end: cam(func(f *camera.Fake) { f.Frozen = false })},
		{name: "two pictures in turn", fault: health.CameraFrozen, detect: frozen + 4*frame, end: good,
			begin: func(u *unit) { u.show(camera.MJPEG, u.clip[:2]) }},
		{name: "pictures kept back", fault: health.CameraFrozen, detect: 2*stale + 2*frame,
			begin: cam(func(f *camera.Fake) { f.Keep = 10 * time.Second }), end: cam(func(f *camera.Fake) { f.Keep = 0 })},
		{name: "pictures ten seconds old", fault: health.CameraFrozen, detect: stale + 3*frame, begin: cam(func(f *camera.Fake) {
			f.Keep, f.NextErrs = 10*time.Second, map[int]error{f.Nexts + 1: camera.ErrGone}
		}), end: cam(func(f *camera.Fake) { f.Keep = 0 })},
		{name: "picture times stand still", none: true, end: believed,
			begin: cam(func(f *camera.Fake) { f.Stamp = func(time.Duration) time.Duration { return time.Second } })},
		{name: "picture times jump", none: true, end: believed, begin: cam(func(f *camera.Fake) {
			f.Stamp = func(at time.Duration) time.Duration { return at - at/(300*time.Millisecond)%2*20*time.Second }
		})},
		{name: "picture black", fault: health.CameraDark, detect: dark + 5*frame + frame, end: good,
			begin: raw(func(i int) []byte { return noise(2, 3, i) })},
		{name: "picture white", fault: health.CameraDark, detect: dark + 5*frame + frame, end: good,
			begin: raw(func(i int) []byte { return noise(253, 3, i) })},
		{name: "lens blocked", fault: health.CameraDark, detect: dark + 5*frame + frame, end: good,
			begin: raw(func(i int) []byte { return noise(90, 2, i) })},
		{name: "camera upside down", fault: health.CameraTurned, detect: look + turned + 4*time.Second,
			begin: func(u *unit) { u.show(camera.GREY, upsideDown(u.clip[:onceRound])) }, end: func(u *unit) {
				good(u)
				// Until it is suspected such a face is read, and may have raised the alarm.
				u.unit.Do("faults", []state.Command{state.On(alarm.Command{Do: alarm.Acknowledge})})
			}},
		{name: "picture no jpeg", fault: health.CameraLost, detect: stale + 2*frame, end: good,
			begin: pictures([]byte("\xff\xd8 this is none \xff\xd9"))},
		{name: "picture cut short", fault: health.CameraLost, detect: stale + 2*frame, end: good,
			begin: func(u *unit) {
				u.show(camera.MJPEG, [][]byte{append(bytes.Clone(u.clip[0][:len(u.clip[0])/3]), 0xff, 0xd9)})
			}},
		{name: "frames lost", none: true, begin: cam(func(f *camera.Fake) { f.Skip = 3 }), end: func(*unit) {}},
		{name: "one damaged picture", none: true, end: good, begin: func(u *unit) {
			u.show(camera.MJPEG, append([][]byte{[]byte("\xff\xd8 bad \xff\xd9")}, u.clip[1:onceRound]...)) // is shown again and again
		}},
		{name: "camera slow", fault: health.TooSlow, detect: rateKnown + slowHeld,
			begin: cam(func(f *camera.Fake) { f.Period = 280 * time.Millisecond }),
			end:   cam(func(f *camera.Fake) { f.Period = frame })},
		{name: "results every 0.3 to 3 s", fault: health.TooSlow, detect: rateKnown + slowHeld,
			begin: func(u *unit) {
				u.slow.Store(int64(300*time.Millisecond + rand.N(2100*time.Millisecond)))
			}, end: func(u *unit) { u.slow.Store(0) }},
		{name: "a frame every 0.8 s", fault: health.TooSlow, detect: stale + 200*time.Millisecond + 3*800*time.Millisecond,
			begin: cam(func(f *camera.Fake) { f.Period = 800 * time.Millisecond }),
			end:   cam(func(f *camera.Fake) { f.Period = frame })},
		{name: "detector damaged", fault: health.ModelRefused, detect: loaded, begin: reloaded(misplace), end: repaired},
		{name: "detector missing", fault: health.ModelRefused, detect: loaded, begin: reloaded(missing), end: repaired},
		{name: "network damaged", fault: health.ModelRefused, detect: failing + loaded, begin: failed(networkFile(), misplace), end: repaired},
		{name: "card damaged", fault: health.ModelRefused, detect: failing + loaded, begin: failed(cardFile, misplaceBlocks), end: repaired},
		{name: "detector damaged at start", fault: health.ModelRefused, detect: loaded, atStart: true, begin: damaged(misplace, detector), end: repaired},
		{name: "libraries damaged at start", fault: health.ModelRefused, detect: loaded, atStart: true, begin: damaged(misplace, library, other), end: repaired},
		{name: "baseline damaged at start", fault: health.Drift, detect: loaded, atStart: true, begin: func(u *unit) {
			path := filepath.Join(u.root, pilotFolder, "drift.json")
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte("mien drift 1 00000000\n{}\n"), 0o600)); err != nil {
				panic(err) // a full disk below the program
			}
		}, end: func(u *unit) { u.unit.Do("faults", []state.Command{{Do: state.EraseBaseline}}) }},
		{name: "camera driver hangs", fault: health.TooSlow, detect: stale + silence + 200*time.Millisecond,
			begin: func(u *unit) { u.hangs.Lock() }, end: func(u *unit) { u.hangs.Unlock() }},
		{name: "output driver hangs", fault: health.OutputMismatch, detect: healthyHalf + undriven + 200*time.Millisecond,
			begin: func(u *unit) { u.chip.hangs.Lock() }, end: func(u *unit) { u.chip.hangs.Unlock() }},
		{name: "gpio chip gone", fault: health.OutputMismatch, detect: readBack + 100*time.Millisecond,
			begin: func(u *unit) { u.chip.Remove(rig.Label) }, end: func(u *unit) { u.chip.Restore(rig.Label) }},
		{name: "output cannot be set", fault: health.OutputMismatch, detect: readBack + 100*time.Millisecond,
			begin: gpioFault(gpio.OpSet, rig.Healthy, eio), end: gpioHeal},
		{name: "output shorted", fault: health.OutputMismatch, detect: readBack + 100*time.Millisecond,
			begin: gpioFault(gpio.OpRead, rig.Lamp, gpio.ErrMismatch), end: gpioHeal},
		{name: "output line gone", fault: health.OutputMismatch, detect: readBack + 100*time.Millisecond,
			begin: gpioFault(gpio.OpRead, rig.Failing, gpio.ErrGone), end: gpioHeal},
		{name: "input stuck", fault: health.InputStuck, detect: stuck + 300*time.Millisecond,
			begin: func(u *unit) { u.chip.Drive(rig.Line(rig.Button), true) }, end: func(u *unit) { u.chip.Drive(rig.Line(rig.Button), false) }},
		{name: "input floating", fault: health.InputStuck, detect: time.Second,
			begin: func(u *unit) { u.chatter() }, end: func(u *unit) { u.quiet() }},
		{name: "input cannot be read", fault: health.InputStuck, detect: 300 * time.Millisecond,
			begin: gpioFault(gpio.OpWait, rig.Button, eio), end: gpioHeal},
		{name: "input bounces", none: true, begin: func(u *unit) {
			for try := 0; (u.bounce(true) || u.bounce(false)) && try < 20; try++ {
				u.chip.Drive(rig.Line(rig.Button), false)
				time.Sleep(time.Second) // until what was no bounce counts no more
				u.healthy()
			}
		}, end: func(*unit) {}},
		{name: "serial port gone", fault: health.SerialLost, detect: 200 * time.Millisecond,
			begin: func(u *unit) { u.plc.unplug() }, end: func(u *unit) { u.plc.plug() }}, // what fails here is missed as the way back
		{name: "serial noise", none: true, begin: func(u *unit) { u.plc.noise.Store(true) }, end: func(u *unit) { u.plc.noise.Store(false) }},
		// It comes up with its coils left at 1, as retained memory has them.
		{name: "coils held by the PLC", none: true, begin: func(u *unit) {
			u.plc.unplug()
			u.plc.holds.Store(true)
			time.Sleep(200 * time.Millisecond)
			u.plc.plug()
			u.healthy() // the port is found again
		}, wrong: func(u *unit) string {
			var s state.State
			if u.unit.Latest().Load(&s); s.Testing || s.Summary.Inhibited {
				return fmt.Sprintf("coils that were 1 all the time act: test %v, inhibit %v", s.Testing, s.Summary.Inhibited)
			}
			return ""
		}, end: func(u *unit) { u.plc.holds.Store(false) }},
		{name: "host silent", fault: health.HostLost, detect: host + 100*time.Millisecond,
			begin: func(u *unit) { u.plc.beat.Store(false) }, end: func(u *unit) { u.plc.beat.Store(true) }},
		{name: "disk full", fault: health.StorageFailed, detect: 300 * time.Millisecond, begin: disk(store.OpWrite, unix.ENOSPC), end: heal},
		{name: "disk read-only", fault: health.StorageFailed, detect: 300 * time.Millisecond, begin: func(u *unit) {
			disk(store.OpOpen, unix.EROFS)(u)
			disk(store.OpWrite, unix.EROFS)(u)
		}, end: heal},
		{name: "disk failing", fault: health.StorageFailed, detect: 300 * time.Millisecond, begin: disk(store.OpSync, unix.EIO), end: heal},
		{name: "processor too hot", fault: health.Overheated, detect: sensing + 100*time.Millisecond,
			begin: file(zone, "95000\n"), end: file(zone, "50000\n")},
		{name: "under-voltage", fault: health.Overheated, detect: sensing + 100*time.Millisecond,
			begin: file(throttled, "50005\n"), end: file(throttled, "0\n")},
		{name: "config wrong", fault: health.ConfigRefused, detect: 100 * time.Millisecond,
			begin: func(u *unit) { u.unit.Refuse(errors.New("injected: camera.width is no number")) },
			end:   func(u *unit) { u.reload() }},
		{name: "model missing at reload", fault: health.ConfigRefused, detect: 200 * time.Millisecond,
			begin: func(u *unit) { u.reloadWithout() }, end: func(u *unit) { u.reload() }},
		{name: "clock jumps forward", fault: health.ClockJumped, detect: 100 * time.Millisecond,
			begin: func(u *unit) { u.wall.Add(int64(time.Hour)) }, end: func(*unit) {}},
		{name: "clock jumps back and forth", fault: health.ClockJumped, detect: 350 * time.Millisecond, begin: func(u *unit) {
			u.wall.Add(int64(-time.Hour))
			time.Sleep(250 * time.Millisecond) // a jump that is gone before anybody looks is none
			u.wall.Add(int64(time.Hour))
		}, end: func(*unit) {}},
		{name: "socket client panics", fault: health.Internal, detect: 100 * time.Millisecond,
			begin: func(u *unit) { u.unit.Guard("socket", func() { panic("injected: a client went mad") }) }, end: func(*unit) {}},
		{name: "camera driver panics", fault: health.Internal, detect: 100 * time.Millisecond,
			begin: func(u *unit) { u.panics.Store(true) }, end: func(u *unit) { u.panics.Store(false) }},
	}
}

// misplace damages a file as disks and file systems do: by blocks, or one bit of it.
func misplace(file []byte) []byte {
	if rand.IntN(5) == 0 {
		file[rand.IntN(len(file))] ^= 1 << rand.IntN(8)
		return file
	}
	return misplaceBlocks(file)
}

// misplaceBlocks damages a file by blocks of 4 KiB: some are in each other's place,
// are a copy of another, are empty, or are the last. A text says something else
// afterwards; one bit of it may say the same ("name" and "Name" are one key).
func misplaceBlocks(file []byte) []byte {
	const block = 4 << 10
	whole := bytes.Clone(file)
	at := func(i int) []byte { return file[i*block:][:block] }
	n := len(file) / block
	if n < 2 {
		return file[:len(file)/2]
	}
	for bytes.Equal(file, whole) {
		i, j := rand.IntN(n), rand.IntN(n)
		switch rand.IntN(4) {
		case 0:
			held := bytes.Clone(at(i))
			copy(at(i), at(j))
			copy(at(j), held)
		case 1:
			copy(at(i), at(j))
		case 2:
			clear(at(i))
		case 3:
			file = file[:i*block]
		}
	}
	return file
}

// everyOpen lets every open from now on fail.
func everyOpen(from int, err error) map[int]error {
	m := map[int]error{}
	for i := range 500 {
		m[from+1+i] = err
	}
	return m
}

// noise is a picture around a level, of a sensor that is alive.
func noise(level, spread byte, seed int) []byte {
	p := make([]byte, 640*480)
	x := uint32(seed + 1)
	for i := range p {
		x = x*1664525 + 1013904223
		p[i] = level - spread/2 + byte(x>>24)%spread
	}
	return p
}

// upsideDown gives the clip as raw grey pictures from a camera that hangs upside
// down.
func upsideDown(clip [][]byte) (list [][]byte) {
	d := pixel.NewDecoder("")
	defer d.Close()
	for _, jpeg := range clip {
		img, err := d.Decode(jpeg, pixel.DecodeOptions{})
		if err != nil {
			continue
		}
		grey := slices.Clone(img.Data[:img.Width*img.Height])
		slices.Reverse(grey)
		list = append(list, grey)
	}
	return list
}
