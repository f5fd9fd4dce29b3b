package main

import (
	"encoding/binary"
	"encoding/hex"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"mien/firmware/alarm"
	"mien/tools/hil/wire"
)

// waiting is what the disk has not taken yet, in memory.
const waiting = `(/run/mien|/dev/shm/mien-\d+)/waiting-[0-9a-f]{8}(/(lock|events\.log(\.new)?))?`

// privacyScenarios look at the unit from below: its system calls and what the
// kernel says of it.
var privacyScenarios = []scenario{
	{name: "own user, no capabilities, no network; what its systemd unit takes away is gone", ci: true, run: func(b *bench) {
		p, err := b.m.spawn(mienUser, nil, "/init", "trespass")
		b.need(err)
		b.check(p.wait(slack), "the trespasser does not end")
		code, how := p.state()
		b.check(code == 0, "%s: what is confined so could do what it must not: %s", how, p.output())
		text, code := b.command(nil, "/init", "trespass")
		b.check(code != 0 && strings.Contains(text, "/usr/lib/mien is not read-only") && strings.Contains(text, "socket of family 2"), "a free program finds nothing: %d: %s", code, text)
		b.seeing("neutral")
		list := b.processes()
		b.check(len(list) == 1, "%d processes", len(list))
		status := list[0]["status"]
		for _, want := range []string{"Uid:\t990\t990\t990\t990", "Gid:\t990\t990\t990\t990", "CapInh:\t0000000000000000", "CapPrm:\t0000000000000000",
			"CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "CapAmb:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"} {
			b.check(strings.Contains(status, want), "no %q in\n%s", want, status)
		}
		net := regexp.MustCompile(`(?m)^\s*(\S+):`).FindAllStringSubmatch(list[0]["net/dev"], -1)
		b.check(len(net) == 1 && net[0][1] == "lo", "network interfaces: %v", net)
		allowed := regexp.MustCompile(`^(/dev/(video0|gpiochip0|ttyS0|null|pts/\d+)|socket:.*|pipe:.*|anon_inode:.*|/sys/.*|/var/lib/mien/.*|/var/lib/mien|/usr/lib/mien/.*|` + waiting + `|)$`)
		for _, fd := range strings.Split(list[0]["fd"], "\n") {
			b.check(allowed.MatchString(fd), "an open file that it has no need of: %s", fd)
		}
		group, err := b.m.get("/proc/" + list[0]["pid"] + "/cgroup")
		b.need(err)
		b.check(strings.Contains(string(group), "/mien\n"), "its control group: %s", group)
		peak, err := b.m.get(wire.ControlGroup + "/memory.peak")
		b.need(err)
		bytes, err := strconv.Atoi(strings.TrimSpace(string(peak)))
		b.need(err)
		b.devicesAllowed()
		b.logf("user 990, no capability, only lo, a file system to read, no socket of another family; it works: %d results so far; memory at most %d of %d MiB",
			b.registers(4, 1)[0], bytes>>20, mienUser.MemoryMax>>20)
	}},
	{name: "system calls of a whole run: no socket but its own, no file but state and journal, no picture", ci: true, run: func(b *bench) {
		b.stopUnit()
		b.show("neutral")
		b.start(baseConfig, "/bin/strace", "--seccomp-bpf", "-f", "-qq", "-y", "-xx", "-s", "16384", "-o", "/run/hil/strace.log",
			"-e", "trace=%network,%file,write,pwrite64,writev,pwritev,pwritev2,sendfile,splice,vmsplice,tee,copy_file_range,memfd_create,process_vm_writev,io_uring_setup,ftruncate,fallocate,prctl",
			// The unit hides its memory from others of its user, and so from this strace.
			"-e", "inject=prctl:retval=0")
		b.toggles(2, 2*slack)
		b.show("frown")
		b.becomes(lamp, true, 2*slack)
		b.becomes(horn, true, slack)
		b.press(ackLine, func() { b.becomes(horn, false, slack) })
		b.registers(0, 60)
		b.check(b.alarm(brow).State == alarm.Acknowledged, "%+v", b.alarm(brow))
		b.need(b.m.call("chmod", map[string]any{"Name": "/run/hil/strace.log", "Value": 0o644}, nil))
		b.endAll(syscall.SIGTERM) // strace with a file to write passes no signal on
		b.check(b.unit.wait(slack), "strace does not end")
		b.unit = nil
		trace, err := b.m.get("/run/hil/strace.log")
		b.need(err)
		b.judge(string(trace))
	}},
}

// devicesAllowed checks that the names by which mien.service allows devices are
// those that the kernel gives them in /proc/devices.
func (b *bench) devicesAllowed() {
	drivers, err := b.m.get("/proc/devices")
	b.need(err)
	for name, dev := range map[string]string{"video4linux": "/sys/class/video4linux/video0/dev", "gpiochip": "/sys/bus/gpio/devices/gpiochip*/dev", // it has another number when it was away
		"ttyS": "/sys/class/tty/ttyS0/dev", "ttyAMA": "/sys/class/tty/ttyAMA0/dev"} {
		var found []string
		b.need(b.m.call("glob", dev, &found))
		b.check(len(found) == 1, "%s: %v", dev, found)
		number, err := b.m.get(found[0])
		b.need(err)
		major, _, _ := strings.Cut(string(number), ":")
		b.check(regexp.MustCompile(`(?m)^\s*`+major+` `+name+`$`).Match(drivers), "%s is %s, which is no %s in\n%s", dev, number, name, drivers)
		b.check(strings.Contains(b.service, "\nDeviceAllow=char-"+name+" rw\n"), "mien.service does not allow char-%s", name)
	}
}

var (
	unhex  = regexp.MustCompile(`\\x([0-9a-f]{2})`)
	traced = regexp.MustCompile(`^\d+\s+(\w+)\((.*)$`)
	target = regexp.MustCompile(`^\d+<((?:[^<>\\]|\\x[0-9a-f]{2})*)>`)
	quoted = regexp.MustCompile(`"((?:\\x[0-9a-f]{2})*)"`)
)

func plainText(s string) string {
	return unhex.ReplaceAllStringFunc(s, func(h string) string {
		b, _ := hex.DecodeString(h[2:])
		return string(b)
	})
}

// judge reads a trace of system calls, and says what it saw.
func (b *bench) judge(trace string) {
	grams := b.grams()
	writes, bytes, largest := 0, 0, 0
	var wrote, sockets []string
	note := func(list *[]string, what string) {
		if !slices.Contains(*list, what) {
			*list = append(*list, what)
		}
	}
	writing := regexp.MustCompile(`O_(WRONLY|RDWR|CREAT|TRUNC|APPEND|TMPFILE)`)
	// /dev/vcio is the Raspberry Pi's firmware, which tells of under-voltage.
	files := regexp.MustCompile(`^(/dev/(video0|gpiochip0|ttyS0|null|vcio)|/var/lib/mien(/.*)?|` + waiting + `)$`)
	ends := regexp.MustCompile(`^(/dev/(ttyS0)|/var/lib/mien/.*|` + waiting + `|pipe:.*|socket:.*|UNIX.*|anon_inode:\[eventfd\])$`)
	for _, line := range strings.Split(trace, "\n") {
		m := traced.FindStringSubmatch(line)
		if m == nil {
			continue // the end of a call that another thread interrupted, or a signal
		}
		call, rest := m[1], m[2]
		switch call {
		case "socket", "socketpair":
			note(&sockets, field(rest, `^(\w+)`))
			b.check(strings.HasPrefix(rest, "AF_UNIX"), "a socket: %s", line)
		case "connect": // to its own socket: does another unit listen there?
			b.check(strings.Contains(plainText(rest), `sa_family=AF_UNIX, sun_path="/run/mien/mien.sock"`), "connected: %s", plainText(line))
		case "sendto", "sendmsg", "sendmmsg":
			b.check(false, "it sends by itself: %s", plainText(line))
		case "bind":
			b.check(strings.Contains(plainText(rest), "/run/mien/mien.sock"), "bound elsewhere: %s", plainText(line))
		case "sendfile", "splice", "vmsplice", "tee", "copy_file_range", "memfd_create", "process_vm_writev", "io_uring_setup", "pwritev", "pwritev2":
			b.fatalf("%s", plainText(line))
		case "openat", "open", "creat":
			if writing.MatchString(rest) || call == "creat" {
				path := plainText(field(rest, `"([^"]*)"`))
				if at := target.FindStringSubmatch(rest); at != nil && !strings.HasPrefix(path, "/") {
					path = plainText(at[1]) + "/" + path // of the folder that is open
				}
				note(&wrote, path)
				b.check(files.MatchString(path) || strings.Contains(line, " = -1 "), "opened for writing: %s", plainText(line))
			}
		case "mkdirat", "renameat", "renameat2", "linkat", "symlinkat", "mknodat":
			path := plainText(field(rest, `"([^"]*)"`))
			b.check(strings.HasPrefix(path, "/var/lib/mien") || strings.HasPrefix(path, "/run/mien") || strings.HasPrefix(path, "/dev/shm/mien-") || !strings.HasPrefix(path, "/"), "%s", plainText(line))
		case "write", "pwrite64", "writev":
			to := target.FindStringSubmatch(rest)
			b.check(to != nil && ends.MatchString(plainText(to[1])), "written elsewhere: %s", plainText(line))
			for _, q := range quoted.FindAllStringSubmatch(rest, -1) {
				data, err := hex.DecodeString(strings.ReplaceAll(q[1], `\x`, ""))
				b.need(err)
				writes, bytes, largest = writes+1, bytes+len(data), max(largest, len(data))
				b.check(!seen(grams, data), "picture bytes: %s", line)
			}
			b.check(!strings.Contains(rest, `"...`), "a write too long to see: %.300s", line)
		}
	}
	b.check(slices.ContainsFunc(wrote, regexp.MustCompile("^"+waiting+"$").MatchString), "no file in memory for events that wait for the disk: %v", wrote)
	b.check(writes > 10, "the trace shows %d writes only:\n%s", writes, tail(trace, 5))
	b.logf("sockets %v; opened for writing %v; %d writes, %d bytes, the largest %d: no 8 bytes of the pictures among them", sockets, wrote, writes, bytes, largest)
}

// grams are all runs of 8 bytes with at least 6 different values in the pictures
// that were shown.
func (b *bench) grams() map[uint64]bool {
	set := map[uint64]bool{}
	for _, scene := range []string{"neutral", "frown"} {
		list, err := b.pictures.series(scene)
		b.need(err)
		for _, p := range list {
			for i := 0; i+8 <= len(p); i++ {
				if varied(p[i : i+8]) {
					set[binary.LittleEndian.Uint64(p[i:])] = true
				}
			}
		}
	}
	b.check(len(set) > 10000, "the pictures have %d different runs only", len(set))
	return set
}

func varied(b []byte) bool {
	var values [256]bool
	n := 0
	for _, v := range b {
		if !values[v] {
			values[v] = true
			n++
		}
	}
	return n >= 6
}

func seen(grams map[uint64]bool, data []byte) bool {
	for i := 0; i+8 <= len(data); i++ {
		if grams[binary.LittleEndian.Uint64(data[i:])] {
			return true
		}
	}
	return false
}
