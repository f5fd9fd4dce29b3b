package board

import (
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Sensors reads what the board measures of itself. It is for one goroutine.
type Sensors struct {
	root  string
	zones []string // folders of the thermal zones to watch; nil: look for them
	types []string
	last  [4]int64 // Jetson's event counters, OC1 to OC3; -1 before the first
}

// NewSensors reads under root, "/" on a running machine. The board may be nil.
func NewSensors(root string, b *Board) *Sensors {
	s := &Sensors{root: root, last: [4]int64{-1, -1, -1, -1}}
	if b != nil {
		s.types = b.Thermal
	}
	return s
}

// Temperature is that of the processor in °C: the hottest of its thermal
// zones, or of all zones where none is known to be the processor's. ok is
// false where there is none to read, or none that can be right.
func (s *Sensors) Temperature() (celsius float64, ok bool) {
	if s.zones == nil {
		s.zones = s.findZones()
	}
	for _, z := range s.zones {
		milli, err := strconv.Atoi(strings.TrimSpace(readFile(z, "temp")))
		if err != nil {
			continue // a zone can be switched off while others go on
		}
		if c := float64(milli) / 1000; c >= coldest && c <= hottest && (!ok || c > celsius) {
			celsius, ok = c, true
		}
	}
	if !ok {
		s.zones = nil // they may have been renumbered
	}
	return celsius, ok
}

// What a thermal zone says beyond these, in °C, is no temperature of a processor that
// computes: a sensor that is off, not yet ready (-274, 0x7fff) or counts in other
// units.
const coldest, hottest = -55, 150

func (s *Sensors) findZones() []string {
	all, _ := filepath.Glob(filepath.Join(s.root, "sys/class/thermal/thermal_zone*"))
	var own []string
	for _, z := range all {
		zone := strings.TrimSpace(readFile(z, "type"))
		for _, t := range s.types {
			if zone == t {
				own = append(own, z)
			}
		}
	}
	if own == nil {
		return all
	}
	return own
}

// Power is what the board says about its supply.
type Power struct {
	UnderVoltage bool // now (on a Jetson: since the last reading)
	Throttled    bool // slowed down, for the supply or for heat, likewise
	// EverUnderVoltage and EverThrottled: since the start of the machine.
	EverUnderVoltage bool
	EverThrottled    bool
}

// Power asks the Raspberry Pi's firmware or the Jetson's event counters. ok is
// false where neither is to be had.
func (s *Sensors) Power() (p Power, ok bool) {
	if bits, ok := s.throttled(); ok {
		return piPower(bits), true
	}
	if p, ok := s.overcurrent(); ok {
		return p, true
	}
	// A Raspberry Pi with a kernel of kernel.org: the alarm alone
	// (drivers/hwmon/raspberrypi-hwmon.c).
	for _, d := range s.hwmon("rpi_volt") {
		switch strings.TrimSpace(readFile(d, "in0_lcrit_alarm")) {
		case "0":
			return Power{}, true
		case "1":
			return Power{UnderVoltage: true, EverUnderVoltage: true}, true
		}
	}
	return Power{}, false
}

// piPower reads the bits of get_throttled (Raspberry Pi documentation,
// vcgencmd): 0 under-voltage, 1 frequency capped, 2 throttled, 3 soft
// temperature limit; from 16 on the same, ever since the start.
func piPower(bits uint32) Power {
	const underVoltage, slowed = 1 << 0, 1<<1 | 1<<2 | 1<<3
	return Power{
		UnderVoltage:     bits&underVoltage != 0,
		Throttled:        bits&slowed != 0,
		EverUnderVoltage: bits>>16&underVoltage != 0,
		EverThrottled:    bits>>16&slowed != 0,
	}
}

// throttledBits are those that have a meaning; a word with another one is no answer
// (a firmware that fails gives all of them).
const throttledBits = 0xf000f

// throttled asks sysfs, which anybody may read, or else the firmware, which is
// for group video.
func (s *Sensors) throttled() (bits uint32, ok bool) {
	for _, pattern := range []string{
		"sys/devices/platform/soc/soc:firmware/get_throttled",
		"sys/devices/platform/soc@*/soc@*:firmware/get_throttled",
	} {
		files, _ := filepath.Glob(filepath.Join(s.root, pattern))
		for _, f := range files {
			text := strings.TrimPrefix(strings.TrimSpace(readFile(f)), "0x")
			if v, err := strconv.ParseUint(text, 16, 32); err == nil && v&^throttledBits == 0 {
				return uint32(v), true
			}
		}
	}
	return mailbox(filepath.Join(s.root, "dev/vcio"))
}

// mailbox asks the firmware by its property interface: tag 0x00030046, get
// throttled. A request value of 0 leaves the "ever" bits as they are.
func mailbox(path string) (bits uint32, ok bool) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, false
	}
	defer unix.Close(fd)
	// size, request, tag, value size, request size, value, end tag; the
	// interface wants 16-byte alignment.
	type message struct {
		_    [0]uint64
		word [8]uint32
	}
	m := &message{word: [8]uint32{32, 0, 0x00030046, 4, 4, 0, 0, 0}}
	// IOCTL_MBOX_PROPERTY of drivers/char/broadcom/vcio.c: _IOWR(100, 0, char *).
	req := uintptr(3<<30 | unsafe.Sizeof(uintptr(0))<<16 | 100<<8)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), req, uintptr(unsafe.Pointer(&m.word)))
	runtime.KeepAlive(m)
	const done = 0x80000000
	if errno != 0 || m.word[1] != done || m.word[5]&^throttledBits != 0 {
		return 0, false
	}
	return m.word[5], true
}

// overcurrent reads the Jetson Orin's counters: OC1 under-voltage, OC2 average
// and OC3 instantaneous over-current; the last two slow the module down.
func (s *Sensors) overcurrent() (p Power, ok bool) {
	for _, d := range s.hwmon("soctherm_oc") {
		for oc := 1; oc <= 3; oc++ {
			n, err := strconv.ParseInt(strings.TrimSpace(readFile(d, "oc"+strconv.Itoa(oc)+"_event_cnt")), 10, 64)
			if err != nil || n < 0 {
				continue
			}
			ok = true
			rose := s.last[oc] >= 0 && n > s.last[oc]
			s.last[oc] = n
			if oc == 1 {
				p.UnderVoltage, p.EverUnderVoltage = rose, n > 0
			} else {
				p.Throttled, p.EverThrottled = p.Throttled || rose, p.EverThrottled || n > 0
			}
		}
	}
	return p, ok
}

// hwmon finds the folders of a hardware monitor by its name; the numbers move.
func (s *Sensors) hwmon(name string) []string {
	dirs, _ := filepath.Glob(filepath.Join(s.root, "sys/class/hwmon/hwmon*"))
	var found []string
	for _, d := range dirs {
		if strings.TrimSpace(readFile(d, "name")) == name {
			found = append(found, d)
		}
	}
	return found
}
