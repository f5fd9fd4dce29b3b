package modbus_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"reflect"
	"slices"
	"testing"
	"time"

	"mien/drivers/serial"
	"mien/firmware/health"
	"mien/firmware/modbus"
	"mien/firmware/modbus/modbustest"
)

func (r *rig) commands(t testing.TB, want ...modbus.Command) {
	t.Helper()
	_, got := r.recorder.Take()
	if !slices.Equal(got, want) {
		t.Errorf("commands %v, want %v", got, want)
	}
}

func words(fc byte, words ...int) []byte {
	p := []byte{fc}
	for _, w := range words {
		p = append(p, byte(w>>8), byte(w))
	}
	return p
}

// block is a request of function 16.
func block(at int, values ...int) []byte {
	return append(append(words(16, at, len(values)), byte(2*len(values))), words(0, values...)[1:]...)
}

func (r *rig) want(t testing.TB, request, answer []byte) {
	t.Helper()
	if got := r.ask(t, request...); string(got) != string(answer) {
		t.Errorf("% X: % X, want % X", request, got, answer)
	}
}

func refused(fc, code byte) []byte { return []byte{fc | 0x80, code} }

func TestCoilsActOnChange(t *testing.T) {
	r := newRig(t, nil)
	on, off := 0xFF00, 0
	for _, c := range []struct {
		coil int
		set  modbus.Command
		end  []modbus.Command
	}{
		{0, modbus.Command{Op: modbus.OpAckAll}, nil},
		{1, modbus.Command{Op: modbus.OpReset}, nil},
		{2, modbus.Command{Op: modbus.OpSilence}, nil},
		{3, modbus.Command{Op: modbus.OpTest, On: true}, []modbus.Command{{Op: modbus.OpTest}}},
		{4, modbus.Command{Op: modbus.OpInhibit, On: true}, []modbus.Command{{Op: modbus.OpInhibit}}},
		{8, modbus.Command{Op: modbus.OpAck, Alarm: 0}, nil},
		{12, modbus.Command{Op: modbus.OpAck, Alarm: 4}, nil},
	} {
		for range 3 { // again and again, as a cyclic writer does
			r.want(t, words(5, c.coil, on), words(5, c.coil, on))
		}
		r.commands(t, c.set)
		r.want(t, words(1, c.coil, 1), []byte{1, 1, 1})
		for range 2 {
			r.want(t, words(5, c.coil, off), words(5, c.coil, off))
		}
		r.commands(t, c.end...)
		r.want(t, words(1, c.coil, 1), []byte{1, 1, 0})
		r.want(t, words(5, c.coil, on), words(5, c.coil, on))
		r.commands(t, c.set)
	}
	if who, _ := r.recorder.Take(); who != "modbus" {
		t.Errorf("journaled as %q", who)
	}
}

// A whole cycle of a PLC in one request: several commands, taken together.
func TestBlockOfCoilsIsOneBatch(t *testing.T) {
	r := newRig(t, nil)
	r.want(t, append(words(15, 0, 16), 2, 0b00000111, 0b00000101), words(15, 0, 16))
	r.commands(t, modbus.Command{Op: modbus.OpAckAll}, modbus.Command{Op: modbus.OpReset}, modbus.Command{Op: modbus.OpSilence},
		modbus.Command{Op: modbus.OpAck, Alarm: 0}, modbus.Command{Op: modbus.OpAck, Alarm: 2})
	// One bad bit among good ones: nothing happens.
	r.want(t, append(words(15, 0, 24), 3, 0, 0, 0x80), refused(15, 2))
	r.commands(t)
	r.want(t, words(1, 0, 16), []byte{1, 2, 7, 5})
}

func TestRefusalsBecomeExceptions(t *testing.T) {
	for _, c := range []struct {
		err  error
		code byte
	}{
		{modbus.ErrBusy, 6}, {modbus.ErrNoAlarm, 2}, {modbus.ErrLocked, 2}, {modbus.ErrRange, 3},
		{errors.New("out of paper"), 4}, {fmt.Errorf("queue of 64: %w", modbus.ErrBusy), 6},
	} {
		r := newRig(t, nil)
		r.recorder.Fail(1, 1, c.err)
		r.want(t, words(5, 0, 0xFF00), refused(5, c.code))
		r.want(t, words(1, 0, 1), []byte{1, 1, 0}) // nothing was changed: the next try is a change again
		r.want(t, words(5, 0, 0xFF00), words(5, 0, 0xFF00))
		r.commands(t, modbus.Command{Op: modbus.OpAckAll})
		if s := r.Stats(); c.code == 6 && s.Busy != 1 || s.Exceptions != 1 || s.Commands != 1 {
			t.Errorf("%v: %+v", c.err, s)
		}
	}
}

// A command that is done and not on the disk is told apart from one that is
// kept, as long as it takes, and is not done twice; what gives no command is
// answered as always.
func TestNotYetOnTheDisk(t *testing.T) {
	r := newRig(t, nil)
	ack := words(5, 0, 0xFF00)
	r.recorder.Pend(errors.New("the disk is slow"))
	r.want(t, ack, refused(5, 5))
	r.commands(t, modbus.Command{Op: modbus.OpAckAll})
	r.want(t, words(1, 0, 1), []byte{1, 1, 1}) // it is done
	r.want(t, words(6, 0, 7), words(6, 0, 7))  // the heartbeat
	r.want(t, words(6, 3, 20), words(6, 3, 20))
	for range 3 {
		r.want(t, ack, refused(5, 5))
		r.want(t, words(6, 2, 0), refused(6, 5)) // the mask as it is
	}
	r.commands(t)
	r.recorder.Pend(nil)
	r.want(t, ack, ack)
	r.want(t, words(6, 2, 0), words(6, 2, 0))
	r.commands(t)
	r.recorder.Pend(errors.New("the disk is slow"))
	r.want(t, ack, ack) // there is nothing more to keep
}

func TestShelveMask(t *testing.T) {
	r := newRig(t, nil)
	r.Reopen()
	// The snapshot has alarm 3 shelved: a master that goes on writing that
	// mask after a restart of the unit shelves nothing again.
	r.want(t, words(3, 2, 2), []byte{3, 4, 0, 8, 0, 30})
	r.want(t, words(6, 2, 8), words(6, 2, 8))
	r.commands(t)
	// Mask and time in one request.
	r.want(t, block(2, 0b01011, 45), words(16, 2, 2))
	r.commands(t, modbus.Command{Op: modbus.OpShelve, Alarm: 0, For: 45 * time.Minute}, modbus.Command{Op: modbus.OpShelve, Alarm: 1, For: 45 * time.Minute})
	r.want(t, words(6, 2, 0b00010), words(6, 2, 0b00010))
	r.commands(t, modbus.Command{Op: modbus.OpUnshelve, Alarm: 0}, modbus.Command{Op: modbus.OpUnshelve, Alarm: 3})
	// Setting single bits by mask write.
	r.want(t, words(22, 2, 0xFFFF&^1, 1), words(22, 2, 0xFFFF&^1, 1))
	r.commands(t, modbus.Command{Op: modbus.OpShelve, Alarm: 0, For: 45 * time.Minute})
	r.want(t, words(6, 2, 1<<5), refused(6, 3)) // there are five alarms
	r.want(t, words(6, 3, 481), refused(6, 3))
	r.want(t, words(6, 3, 480), words(6, 3, 480))

	s := modbustest.Snapshot(r.now)
	s.Alarms[4].ShelveMax = 10 * time.Minute
	s.Alarms[2].ShelveMax = 0
	r.latest.Store(s)
	r.want(t, words(6, 2, 0b10000), refused(6, 3))
	r.want(t, words(6, 2, 0b00100), refused(6, 3))
	r.want(t, block(2, 0b10000, 10), words(16, 2, 2))
	_, got := r.recorder.Take()
	if len(got) == 0 || got[len(got)-1] != (modbus.Command{Op: modbus.OpShelve, Alarm: 4, For: 10 * time.Minute}) {
		t.Errorf("%v", got)
	}
}

func TestLimits(t *testing.T) {
	r := newRig(t, nil)
	at := 10 + 4*1 // alarm 1: unlocked, 0.6, 0.5, 1.5 s, 3 s
	r.want(t, words(3, at, 4), append([]byte{3, 8}, words(0, 600, 500, 150, 300)[1:]...))
	r.want(t, block(at, 800, 700, 25, 6000), words(16, at, 4))
	r.commands(t,
		modbus.Command{Op: modbus.OpSetLimit, Alarm: 1, Limit: modbus.OnLimit, Value: 0.8},
		modbus.Command{Op: modbus.OpSetLimit, Alarm: 1, Limit: modbus.OffLimit, Value: 0.7},
		modbus.Command{Op: modbus.OpSetLimit, Alarm: 1, Limit: modbus.OnDelay, Value: 0.25},
		modbus.Command{Op: modbus.OpSetLimit, Alarm: 1, Limit: modbus.OffDelay, Value: 60})
	// It reads back at once, before the pipeline has taken it over, but not for
	// ever if the pipeline does not. The requests of a rig are a second apart.
	r.want(t, words(3, at, 4), append([]byte{3, 8}, words(0, 800, 700, 25, 6000)[1:]...))
	r.play(t, event{5 * time.Second, []byte{1}})
	r.want(t, words(3, at, 4), append([]byte{3, 8}, words(0, 600, 500, 150, 300)[1:]...))

	for _, c := range []struct {
		name    string
		request []byte
		code    byte
	}{
		{"over the range", words(6, at, 1002), 3},
		{"under the range", words(6, at+1, 65535), 3},
		{"off over on", words(6, at+1, 601), 3},
		{"on under off", words(6, at, 499), 3},
		{"locked", words(6, 10+4*2, 600), 2},
		{"locked delay", words(6, 10+4*2+3, 1), 2},
		{"one locked among unlocked", block(at, 700, 600, 1, 1, 700), 2},
		{"no such alarm", words(6, 10+4*5, 600), 2},
		{"not a number", words(6, at, 0x8000), 3},
	} {
		if got := r.ask(t, c.request...); string(got) != string(refused(c.request[0], c.code)) {
			t.Errorf("%s: % X, want exception %d", c.name, got, c.code)
		}
	}
	r.commands(t)
	// Both at once may cross what was there.
	r.want(t, block(at, 300, 200), words(16, at, 2))
	r.want(t, words(6, at, 1000), words(6, at, 1000)) // the end of the range
	r.want(t, words(6, at+1, 0), words(6, at+1, 0))

	// A low alarm: its off-limit lies above.
	s := modbustest.Snapshot(r.now)
	s.Alarms[1].Below, s.Alarms[1].OnLimit, s.Alarms[1].OffLimit = true, 0.2, 0.3
	r.latest.Store(s)
	r.play(t, event{5 * time.Second, []byte{1}})
	r.want(t, words(6, at+1, 199), refused(6, 3))
	r.want(t, words(6, at+1, 400), words(6, at+1, 400))
}

func TestLockedBit(t *testing.T) {
	r := newRig(t, nil)
	r.want(t, words(2, 13, 1), []byte{2, 1, 0})
	s := modbustest.Snapshot(r.now)
	for i := range s.Alarms {
		s.Alarms[i].Unlocked = false
	}
	r.latest.Store(s)
	r.want(t, words(2, 13, 1), []byte{2, 1, 1})
}

func TestHostHeartbeat(t *testing.T) {
	r := newRig(t, func(c *modbus.Config) { c.HostTimeout, c.HostRequired = 3*time.Second, true })
	bit := func() byte { return r.ask(t, words(2, 12, 1)...)[2] }
	if h := r.Host(); !h.Watched || h.Beating || h.Age != 0 {
		t.Errorf("at the start: %+v", h)
	}
	if bit() != 0 {
		t.Error("host ok before the first heartbeat")
	}
	r.want(t, words(6, 0, 1), words(6, 0, 1))
	if bit() != 1 || !r.Host().Beating {
		t.Error("not ok after a heartbeat")
	}
	r.want(t, words(6, 0, 1), words(6, 0, 1)) // the same value is no heartbeat
	r.want(t, words(6, 0, 1), words(6, 0, 1))
	r.want(t, words(6, 0, 1), words(6, 0, 1))
	if h := r.Host(); bit() != 0 || h.Beating || h.Age <= h.Timeout {
		t.Errorf("still ok after %v", h.Age)
	}
	r.want(t, words(6, 0, 2), words(6, 0, 2))
	if bit() != 1 {
		t.Error("not ok again")
	}
	r.want(t, words(6, 1, 0), refused(6, 3)) // the config requires it
	r.want(t, words(6, 1, 60000), words(6, 1, 60000))
	if h := r.Host(); h.Timeout != time.Minute {
		t.Errorf("%+v", h)
	}

	free := newRig(t, nil)
	if h := free.Host(); h.Watched || h.Beating {
		t.Errorf("watched without a timeout: %+v", h)
	}
	free.want(t, words(6, 1, 1500), words(6, 1, 1500))
	free.want(t, words(6, 0, 7), words(6, 0, 7))
	if h := free.Host(); !h.Watched || !h.Beating {
		t.Errorf("%+v", h)
	}
	free.want(t, words(6, 1, 0), words(6, 1, 0))
	if h := free.Host(); h.Watched {
		t.Errorf("%+v", h)
	}
}

func TestAge(t *testing.T) {
	r := newRig(t, nil)
	ask := func() (status, age int) {
		a := r.ask(t, words(4, 2, 4)...)
		return int(a[2])<<8 | int(a[3]), int(a[8])<<8 | int(a[9])
	}
	s := modbustest.Snapshot(r.now + 950*ms)
	r.latest.Store(s)
	if status, age := ask(); status&int(modbus.StatusResultValid) == 0 || age != 75 {
		t.Errorf("fresh: status %04X, age %d", status, age)
	}
	if status, age := ask(); status&int(modbus.StatusResultValid) != 0 || age < 1000 {
		t.Errorf("stale: status %04X, age %d", status, age)
	}
	r.now += 100 * time.Second
	if _, age := ask(); age != 65535 {
		t.Errorf("age %d", age)
	}
	s.Sequence = 0
	s.ResultAt = r.now
	r.latest.Store(s)
	if status, age := ask(); status&int(modbus.StatusResultValid) != 0 || age != 65535 {
		t.Errorf("without a result: status %04X, age %d", status, age)
	}
}

// A unit that has not seen a frame says so in every register.
func TestNothingKnown(t *testing.T) {
	r := newRig(t, nil)
	r.latest.Store(func() *modbus.Snapshot { s := new(modbus.Snapshot); s.Clear(); return s }())
	want := map[string]uint16{
		"status": modbus.StatusInitialising | modbus.StatusLocked, "faults": 0, "sequence": 0, "result_age": 65535,
		"face_score": 0x8000, "face_size": 0xFFFF, "expression": 0xFFFF, "valence": 0x8000, "arousal": 0x8000, "au1": 0x8000,
		"au9": 0x8000, "au43": 0x8000, "expression_fear": 0x8000, "last_alarm": 0xFFFF, "temperature": 0x8000,
		"availability": 0xFFFF, "perclos": 0x8000, "pain_index": 0x8000, "alarm0_state": 0xFFFF, "alarm15_state": 0xFFFF,
		"alarm0_value": 0x8000, "alarm0_limit": 0x8000, "alarm0_seconds": 0, "first_out": 0xFFFF, "compound": 0xFFFF,
		"no_reading_reason": 1, "alarm_count": 0, "alarm0_name": 0, "eyes_closed": 0x8000,
	}
	for _, reg := range modbus.Table() {
		value, ok := want[reg.Name]
		if !ok || reg.Space != modbus.Input {
			continue
		}
		a := r.ask(t, words(4, reg.Address, 1)...)
		if got := uint16(a[2])<<8 | uint16(a[3]); got != value {
			t.Errorf("%s: %04X, want %04X", reg.Name, got, value)
		}
		delete(want, reg.Name)
	}
	for name := range want {
		t.Errorf("no register %s", name)
	}
	r.want(t, words(3, 10, 4), []byte{3, 8, 0x80, 0, 0x80, 0, 0xFF, 0xFF, 0xFF, 0xFF})
	r.want(t, words(5, 8, 0xFF00), refused(5, 2)) // no alarm at all
}

// What one snapshot holds is what every register shows.
func TestEveryValue(t *testing.T) {
	for _, low := range []bool{false, true} {
		r := newRig(t, func(c *modbus.Config) { c.LowWordFirst = low })
		var got [400]uint16
		for from := 0; from < 328; from += 82 {
			a := r.ask(t, words(4, from, 82)...)
			for i := range 82 {
				got[from+i] = uint16(a[2+2*i])<<8 | uint16(a[3+2*i])
			}
		}
		long := func(n int) uint32 {
			if low {
				return uint32(got[n+1])<<16 | uint32(got[n])
			}
			return uint32(got[n])<<16 | uint32(got[n+1])
		}
		i16 := func(v float64) uint16 { return uint16(int16(math.Round(v))) }
		for n, want := range map[int]uint16{
			0: modbus.MapVersion, 1: 4711, 3: uint16(health.TooSlow.Bit() | health.StorageFailed.Bit()), 4: 0x2345, 6: 300, 7: 34, 8: 2, 9: 912, 10: 143, 11: 4, 12: 733,
			13: i16(-437), 14: 655, 15: 0, 16: 50, 17: 100, 18: 150, 19: 200, 20: 250, 21: 350, 22: 0x8000, 23: 450, 24: 500, 25: 550,
			26: 600, 27: 650, 55: 300, 56: 700, 28: 28, 35: 222, 36: 3, 37: 2, 38: 4, 39: 0x18, 40: 7, 41: 1, 46: 0xBEEF, 47: 0xCAFE,
			48: 513, 49: 17, 50: 0x1234, 51: 0x5678, 54: 99, 57: 30, 58: 0x8000, 59: 2, 60: 0, 61: 0, 62: 600, 64: 1, 65: 100, 66: 600,
			76: 4, 77: 400, 80: 0xFFFF, 81: 0x8000, 124: 5, 125: 1, 126: 3, 127: 8, 128: 0x10, 129: 0, 130: 0x20, 131: 0, 132: 4, 133: 512, 134: 125,
			135: 5, 136: 2, 137: 0xFFFF, 150: 1, 151: 2, 154: 0, 155: 0, 158: 0, 200: 'b'<<8 | 'r', 206: ' '<<8 | '0', 207: 0, 214: ' '<<8 | '1', 240: 0,
		} {
			if got[n] != want {
				t.Errorf("low word first %v: input register %d is %d (%04X), want %d", low, n, got[n], got[n], want)
			}
		}
		// A few seconds have passed for the requests before.
		if clock := long(152); clock < 1_764_531_001 || clock > 1_764_531_006 || got[156] < 2 || got[156] > 7 || got[157] < 5395 || got[157] > 5400 {
			t.Errorf("low word first %v: the clock is %d, %d s of the test and %d s of the inhibit are left", low, clock, got[156], got[157])
		}
		if long(42) != 1_700_000_000 || long(52) != math.Float32bits(1) || long(138) != 0x10007 || long(140) != 0x12345 || long(44) < 4711 || long(44) > 4716 {
			t.Errorf("low word first %v: % X", low, got[42:54])
		}
	}
}

func TestBitsOfFaultsAndFlags(t *testing.T) {
	for tag, fault := range map[string]health.Fault{
		"camera_lost": health.CameraLost, "frozen": health.CameraFrozen, "dark_or_blocked": health.CameraDark, "inference": health.InferenceFailed,
		"slow": health.TooSlow, "accelerator_lost": health.AcceleratorLost, "model_checksum": health.ModelRefused, "config": health.ConfigRefused,
		"output_mismatch": health.OutputMismatch, "serial": health.SerialLost, "thermal": health.Overheated, "storage": health.StorageFailed,
		"self_test": health.SelfTestFailed, "input_stuck": health.InputStuck, "host_lost": health.HostLost, "internal": health.Internal,
		"clock_jumped": health.ClockJumped, "picture_turned": health.CameraTurned, "drift": health.Drift,
	} {
		word, bit := "faults", fault.Bit()
		if bit > 0xFFFF {
			word, bit = "faults_2", bit>>16
		}
		for _, r := range modbus.Table() {
			if r.Name == word && r.Names[bits.TrailingZeros32(bit)] != tag {
				t.Errorf("%v is bit %04X of %s, which names it %q", fault, bit, word, r.Names[bits.TrailingZeros32(bit)])
			}
		}
	}
	if modbus.StatusReady != 1 || modbus.StatusToggle != 0x8000 || modbus.StatusLocked != 0x2000 {
		t.Error("the bits of the status word have moved")
	}
}

func TestConfigIsChecked(t *testing.T) {
	latest, recorder := modbustest.NewLatest(), &modbustest.Recorder{}
	for _, c := range []modbus.Config{
		{}, {Address: 248}, {Address: 1, Delay: -1}, {Address: 1, HostRequired: true}, {Address: 1, HostTimeout: 66 * time.Second},
		{Address: 1, ShelveMax: time.Second}, {Address: 1, ShelveMax: time.Minute, ShelveDefault: time.Hour},
		{Address: 1, Identity: modbus.Identity{Vendor: "M\u00fcller"}}, {Address: 1, Identity: modbus.Identity{Vendor: string(make([]byte, 201))}},
	} {
		if _, err := modbus.New(c, latest, recorder); err == nil {
			t.Errorf("accepted: %+v", c)
		}
	}
	if _, err := modbus.New(modbus.Config{Address: 1}, nil, recorder); err == nil {
		t.Error("accepted no snapshot")
	}
	for _, address := range []byte{1, 247} {
		if _, err := modbus.New(modbus.Config{Address: address}, latest, recorder); err != nil {
			t.Error(err)
		}
	}
}

func TestLineFails(t *testing.T) {
	r := newRig(t, nil)
	r.werr = fmt.Errorf("write: %w", serial.ErrGone)
	r.script = func() (time.Duration, []byte, bool) { return r.now, modbustest.Frame(1, words(3, 0, 1)), true }
	if err := r.Serve(context.Background(), &r.bus); !errors.Is(err, serial.ErrGone) {
		t.Errorf("%v", err)
	}
	// A port that does not take the answer in time loses it, and nothing else.
	r.werr = fmt.Errorf("write: %w", serial.ErrTimeout)
	r.play(t, event{time.Second, modbustest.Frame(1, words(3, 0, 1))})
	if n := r.Stats().WriteTimeouts; n != 1 {
		t.Errorf("%d write timeouts", n)
	}
	r.werr = nil
	r.want(t, words(3, 0, 1), []byte{3, 2, 0, 0})

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := r.Serve(ctx, &r.bus); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// What a master wrote, and the counters, outlive the line.
func TestStateOutlivesTheLine(t *testing.T) {
	r := newRig(t, nil)
	r.want(t, words(6, 0, 0x1111), words(6, 0, 0x1111))
	r.want(t, words(5, 0, 0xFF00), words(5, 0, 0xFF00)) // each ask is a Serve of its own
	r.want(t, words(3, 0, 1), []byte{3, 2, 0x11, 0x11})
	if s := r.Stats(); s.Messages != 3 || s.BusMessages != 3 {
		t.Errorf("%+v", s)
	}
}

func TestCounters(t *testing.T) {
	r := newRig(t, nil)
	count := func(sub int) int {
		a := r.ask(t, words(8, sub, 0)...)
		return int(a[3])<<8 | int(a[4])
	}
	r.ask(t, words(8, 10, 0)...)
	r.play(t, event{time.Second, []byte{1, 3, 0, 0, 0, 1, 0xDE, 0xAD}}) // wrong CRC
	r.askAt(t, 9, words(3, 0, 1)...)                                    // another's
	r.askAt(t, 0, words(6, 0, 1)...)                                    // broadcast
	r.ask(t, 99)                                                        // exception
	r.recorder.Fail(1, 1, modbus.ErrBusy)
	r.ask(t, words(5, 0, 0xFF00)...)
	got := []int{count(11), count(12), count(13), count(14), count(15), count(16), count(17), count(18)}
	// The counts are taken while the asking goes on: each counts the requests
	// before it and itself.
	if want := []int{5, 1, 2, 7, 1, 0, 1, 0}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	r.ask(t, words(8, 10, 0)...)
	if s := r.Stats(); s != (modbus.Stats{}) {
		t.Errorf("after clearing: %+v", s)
	}
}
