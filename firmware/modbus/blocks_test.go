package modbus_test

import (
	"slices"
	"testing"
	"time"

	"mien/firmware/modbus"
	"mien/firmware/modbus/modbustest"
)

// Masters round a read up to whole blocks: what is behind the last register of a
// table reads 0, and is not there to be written.
func TestWholeBlocksAreRead(t *testing.T) {
	r := newRig(t, nil)
	zeros := func(fc byte, bytes int) []byte { return append([]byte{fc, byte(bytes)}, make([]byte, bytes)...) }
	end := map[modbus.Space]int{}
	for _, row := range modbus.Table() {
		end[row.Space] = row.End()
	}
	for space, read := range map[modbus.Space]byte{modbus.Coil: 1, modbus.Discrete: 2, modbus.Input: 4, modbus.Holding: 3} {
		n := modbus.Size(space) - end[space]
		bytes := 2 * n
		if read <= 2 {
			bytes = (n + 7) / 8
		}
		if n <= 0 || modbus.Size(space)%16 != 0 {
			t.Errorf("%v: %d addresses, %d of them in the map", space, modbus.Size(space), end[space])
		}
		r.want(t, words(read, end[space], n), zeros(read, bytes))
		r.want(t, words(read, end[space], n+1), refused(read, 2))
		r.want(t, words(read, 20000, 1), refused(read, 2))
	}
	r.want(t, words(3, modbus.MirrorBase+end[modbus.Input], 1), zeros(3, 2))
	r.want(t, words(3, modbus.MirrorBase+modbus.Size(modbus.Input), 1), refused(3, 2))
	// From inside to past the end: alarm 15 is not there, then come no registers.
	r.want(t, words(3, 72, 8), append([]byte{3, 16, 0xFF, 0xFF, 0xFF, 0xFF}, make([]byte, 12)...))
	r.want(t, words(5, end[modbus.Coil], 0xFF00), refused(5, 2))
	r.want(t, words(6, end[modbus.Holding], 0), refused(6, 2))
}

// Of a write that is refused somebody is told which register it was, and why: the
// master's exception does not say.
func TestRefusedWritesAreTold(t *testing.T) {
	r := newRig(t, nil)
	for _, c := range []struct {
		request []byte
		told    string
	}{
		{words(5, 0, 1), "write to coil 0 refused: a coil takes FF00 or 0000"},
		{words(5, 40, 0), "write to coil 40 refused: there is no such coil"},
		{words(5, 6, 0xFF00), "write to coil 6 refused: it is reserved"},
		{append(words(15, 8, 8), 1, 0x20), "write to coil 13 refused: there is no such alarm"},
		{words(6, 5, 1), "write to holding register 5 refused: it is reserved"},
		{words(6, 1002, 1), "write to holding register 1002 refused: there is no such register, or it is read-only"},
		{words(6, 2, 1<<5), "write to holding register 2 refused: a bit is set that stands for no alarm"},
		{words(6, 3, 0), "write to holding register 3 refused: it is 0, or longer than any alarm may be shelved"},
		{words(6, 18, 600), "write to holding register 18 refused: it is locked: unlock of [modbus] does not name its alarm"},
		{words(6, 10+4*5, 600), "write to holding register 30 refused: there is no such alarm"},
		{words(6, 14, 1002), "write to holding register 14 refused: the limit is outside what its signal can be"},
		{words(6, 15, 601), "write to holding register 15 refused: on_limit and off_limit would be the wrong way round"},
		{words(22, 80, 0, 0), "write to holding register 80 refused: there is no such register, or it is read-only"},
		{block(3, 0, 1), "write to holding register 4 refused: it is reserved"}, // an address goes before a value
		{words(5, 0, 0xFF00), ""},
		{words(3, 20000, 1), ""}, // nothing was to be written
	} {
		var want []string
		if c.told != "" {
			want = []string{c.told}
		}
		r.ask(t, c.request...)
		if got := r.recorder.Refused(); !slices.Equal(got, want) {
			t.Errorf("% X: told %q, want %q", c.request, got, want)
		}
	}
	// A master whose mistake comes again and again keeps its place for commands.
	before, asked := r.now, 0
	for ; r.now < before+10*time.Second; asked++ {
		r.play(t, event{100 * time.Millisecond, modbustest.Frame(1, words(6, 5, asked))})
	}
	if n := len(r.recorder.Refused()); n < 2 || n > 11 || asked < 20 {
		t.Errorf("%d of %d refused writes were told in 10 s", n, asked)
	}
}

// What a reload lets alarms be shelved for holds at once.
func TestShelveLimitFollowsTheAlarms(t *testing.T) {
	r := newRig(t, func(c *modbus.Config) { c.ShelveMax = 0 })
	r.want(t, words(6, 3, 480), words(6, 3, 480))
	r.want(t, words(6, 3, 481), refused(6, 3))
	allow := func(most time.Duration) {
		s := modbustest.Snapshot(r.now)
		for i := range s.Alarms {
			s.Alarms[i].ShelveMax = most
		}
		r.latest.Store(s)
	}
	allow(20 * time.Minute)
	r.want(t, words(3, 3, 1), []byte{3, 2, 0, 20})
	r.want(t, words(6, 3, 21), refused(6, 3))
	allow(10 * time.Hour)
	r.want(t, words(6, 3, 600), words(6, 3, 600))
}
