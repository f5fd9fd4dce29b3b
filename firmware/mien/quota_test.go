package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mien/firmware/operator"
	"mien/model/assets"
)

// A unit that gets hardly any of the processor (another program, heat, a quota)
// tells of what it watches all the same, in the time that docs/alarms.md promises:
// it raises the alarm or declares it Unknown, and says that it is too slow. With
// its processor back all is well by itself.
func TestUnitWithoutProcessorTells(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	for _, c := range []struct {
		name  string
		share float64 // of one processor
		with  func(t *testing.T, pid int, share float64) (release func(), why string)
	}{
		{"a quota of a tenth", 0.1, quota},
		{"a quota of 4 ms a second", 0.004, quota},
		{"stopped for nine tenths of the time", 0.1, stopAndGo},
		{"stopped for all but 30 ms of each second", 0.03, stopAndGo},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newProcess(t)
			frames := filepath.Join(p.dir, "frames")
			if err := os.Mkdir(frames, 0o700); err != nil {
				t.Fatal(err)
			}
			all := bytes.SplitAfter(assets.Demo(), []byte{0xff, 0xd9})
			for i, picture := range all[3:20] { // a calm face; no whole number of seconds, of which a part is always the same picture
				if err := os.WriteFile(filepath.Join(frames, fmt.Sprintf("%02d.jpg", i)), picture, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			text := fmt.Sprintf("%s[camera]\nclip = %q\nloop = true\nfps = 15\n[[alarm]]\nname = \"calm\"\nsignal = \"au12\"\nlow = 0.95\ndeadband = 0.01\non_delay = \"3s\"\nunknown_hold = \"2s\"\n",
				strings.Replace(string(p.settings("slow")), "[camera]\ndevice = \"/nowhere/camera\"\n", "", 1), frames)
			if err := os.WriteFile(p.config(), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			p.start()
			p.until("the first result", func() bool { return strings.Contains(p.logged(), "first result") })
			release, why := c.with(t, p.Process.Pid, c.share)
			if why != "" {
				t.Skip(why)
			}
			defer release()
			began := time.Now()
			told := func(what ...string) bool {
				log := p.logged()
				for _, w := range what {
					if strings.Contains(log, w) {
						return true
					}
				}
				return false
			}
			// That an alarm is Unknown is in no log: whoever asks is told.
			blind := func() bool {
				reply, err := p.ask(operator.Request{Ask: operator.AskAlarms})
				return err == nil && len(reply.Alarms) > 0 && reply.Alarms[0].Unknown
			}
			// Two on-delays, a hold, stale, and what a unit needs to do anything.
			const promised = 2*3*time.Second + 2*time.Second + time.Second + 6*time.Second
			p.until("the alarm, or that it is Unknown", func() bool { return told("calm: raise") || blind() })
			if took := time.Since(began); took > promised {
				t.Errorf("told after %v", took)
			}
			p.until("the fault, or the alarm itself", func() bool { return told("F05 too slow", "calm: raise") })
			release()
			p.until("the alarm", func() bool { return told("calm: raise") })
			if told("F05 too slow") {
				p.until("the end of the fault", func() bool { return told("F05 too slow ended") })
			}
			t.Logf("too slow %v", told("F05 too slow"))
		})
	}
}

// quota gives a process a share of one processor, by a control group of its own.
func quota(t *testing.T, pid int, share float64) (release func(), why string) {
	const period = 1_000_000 // microseconds, the longest there is: it runs in bursts, once a second
	limit := strconv.Itoa(int(share * period))
	for _, v := range []struct {
		parent, file, value, free string
		first                     string // is written before, "" for none
	}{
		{"/sys/fs/cgroup", "cpu.max", limit + " " + strconv.Itoa(period), "max", ""},
		{"/sys/fs/cgroup/cpu", "cpu.cfs_quota_us", limit, "-1", "cpu.cfs_period_us"},
	} {
		dir := filepath.Join(v.parent, fmt.Sprintf("mien-test-%d", pid))
		if os.Mkdir(dir, 0o755) != nil {
			continue
		}
		t.Cleanup(func() { os.Remove(dir) }) // after the process has ended
		write := func(name, text string) error { return os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644) }
		if _, err := os.Stat(filepath.Join(dir, v.file)); err != nil {
			continue
		}
		if v.first != "" && write(v.first, strconv.Itoa(period)) != nil {
			continue
		}
		if write(v.file, v.value) != nil || write("cgroup.procs", strconv.Itoa(pid)) != nil {
			continue
		}
		return func() { write(v.file, v.free) }, ""
	}
	return nil, "no control group can be made here: a quota on the processor needs one"
}

// stopAndGo lets a process run for a share of each second only, by its signals.
func stopAndGo(t *testing.T, pid int, share float64) (release func(), why string) {
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		defer syscall.Kill(pid, syscall.SIGCONT)
		for {
			syscall.Kill(pid, syscall.SIGSTOP)
			if wait(end, time.Duration((1-share)*float64(time.Second))) {
				return
			}
			syscall.Kill(pid, syscall.SIGCONT)
			if wait(end, time.Duration(share*float64(time.Second))) {
				return
			}
		}
	}()
	return sync.OnceFunc(func() { close(end); <-done }), ""
}

// wait waits for a while, and tells whether end came before.
func wait(end <-chan struct{}, lasts time.Duration) bool {
	select {
	case <-end:
		return true
	case <-time.After(lasts):
		return false
	}
}
