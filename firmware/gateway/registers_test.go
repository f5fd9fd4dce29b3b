package gateway

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/config"
	"mien/firmware/health"
	"mien/firmware/modbus"
	"mien/firmware/modbus/modbustest"
	"mien/firmware/operator"
	"mien/firmware/state"
)

// plant is a gateway's Modbus TCP on loopback, and the unit behind it.
type plant struct {
	*unit
	socket  string
	stop    func() // of the unit
	address string
}

func newPlant(t *testing.T, write bool) *plant {
	p := &plant{socket: filepath.Join(t.TempDir(), "s")}
	p.unit, p.stop = newUnit(t, p.socket)
	t.Cleanup(func() { p.stop() })
	ctx, cancel := context.WithCancel(context.Background())
	dial := func() (*operator.Client, error) { return operator.Dial(p.socket) }
	cfg := config.Default()
	cfg.ModbusTCP.Write = write
	server, err := Registers{On: cfg.ModbusTCP, Modbus: cfg.Modbus, Name: "press", Version: "v1", Mirror: NewLink(ctx, dial).Mirror(ctx), Dial: dial}.ModbusTCP()
	if err != nil {
		t.Fatal(err)
	}
	l, err := Listen("modbus_tcp.listen", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.address = l.Addr().String()
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return p
}

// ask asks until the answer is good, or is the last.
func (p *plant) ask(t *testing.T, c net.Conn, good func([]byte) bool, pdu ...byte) (answer []byte) {
	t.Helper()
	for range 100 {
		c.Write(modbustest.TCPFrame(1, 1, pdu))
		var err error
		if answer, err = modbustest.TCPAnswer(c, 1, 1, 5*time.Second); err != nil {
			t.Fatal(err)
		}
		if good(answer) {
			return answer
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("% X", answer)
	return nil
}

func (p *plant) client(t *testing.T) net.Conn {
	c, err := net.Dial("tcp", p.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// rich is a state in which every register has something to say.
func rich() *state.State {
	s := new(state.State)
	s.Clear()
	s.About = &state.About{Unit: "press", Version: "v1", StaleAfter: time.Second, ConfigCRC: 0xBEEF, NetworkCRC: 0xCAFE, Outputs: []string{"lamp", "horn"}, Inputs: []string{"ack"}}
	for _, name := range []string{"au1", "au4", "au12", "au43", "expression.anger", "valence", "eyes.closed", "perclos", "own signal"} {
		s.About.Signals = append(s.About.Signals, state.Signal{Name: name, Min: -1, Max: 1})
		s.Levels = append(s.Levels, float32(len(s.Levels))/17-0.25)
	}
	s.Levels[2] = float32(math.NaN())
	s.Trusted, s.Reason, s.Results, s.Heartbeat, s.Latency, s.Rate, s.Dropped, s.Available = true, "", 0x12345, 4711, 34*time.Millisecond, 29.97, 17, 0.987
	s.ResultAt = time.Second - 25*time.Millisecond
	s.Faces, s.FaceScore, s.FaceSize, s.Covered = 2, 0.912, 143, []string{"mouth"}
	s.Aim = state.Aim{Width: 640, Height: 480, Found: true, Box: [4]float32{0.25, 0.1, 0.5, 0.6}}
	s.Expression, s.Compound = state.Choice{Name: "anger", Level: 0.733}, state.Choice{Name: "sadly_angry", Level: 0.512}
	s.Faults = []health.Active{{Fault: health.TooSlow}, {Fault: health.StorageFailed}, {Fault: health.CameraTurned}}
	for i := range 18 {
		st := alarm.Status{Name: fmt.Sprintf("brow lowered %d", i), Place: i, State: alarm.State(i % 9), Signal: "au4", Level: float32(i) / 20, Limit: 0.6, Off: 0.5,
			OnDelay: 1500 * time.Millisecond, OffDelay: 3 * time.Second, Unlocked: i%2 == 0, MaxShelve: time.Duration(i) * 10 * time.Minute,
			Unknown: i == 3, FirstOut: i == 4, Since: time.Duration(i) * 50 * time.Millisecond}
		if i == 5 {
			st.Side, st.Level = alarm.Below, float32(math.NaN())
		}
		st.Silenced = i == 1
		s.Alarms = append(s.Alarms, st)
		bit := uint64(1) << i
		for mask, on := range map[*uint64]bool{&s.Summary.Active: st.State.Active(), &s.Summary.Unacknowledged: st.State.NeedsAck(), &s.Summary.Latched: st.State.Latched(),
			&s.Summary.Covered: st.State.Covered(), &s.Summary.Unknown: st.Unknown, &s.Summary.Silenced: st.Silenced} {
			if on {
				*mask |= bit
			}
		}
	}
	s.Summary.FirstOut, s.Summary.Last, s.Summary.Events, s.Summary.LastWall = 4, 1, 0x10007, time.Unix(1_700_000_000, 0)
	s.Summary.Horn, s.Summary.Lamp = 0x8, 0x1F
	s.Summary.Inhibited, s.Summary.InhibitLeft = true, 90*time.Minute
	s.Numbering = 3
	s.Outputs, s.Inputs, s.Testing, s.TestEnds, s.TimeSynced = []bool{true, false}, []bool{true}, true, 8*time.Second, true
	s.Clock = state.Clock{Source: state.ClockSet, Settable: true, At: time.Second, Wall: time.Unix(1_764_531_000, 0)}
	s.Temperature = 51.3
	s.Pilot = state.Pilot{Recording: true, Frames: 99, Dropped: 3, Right: 4, False: 5, Missed: 6, Marked: state.Again, Left: 5 * time.Hour}
	return s
}

// What a PLC reads from the network is what it reads on the unit's own line, register by
// register: levels to the last of their thousandths, times to what the way takes.
func TestRegistersAreThoseOfTheLine(t *testing.T) {
	p := newPlant(t, false)
	s := rich()
	p.mu.Lock()
	p.state = *s
	p.latest.Store(&p.state)
	p.mu.Unlock()
	slave, err := modbus.New(modbus.Config{Address: 1, Now: func() time.Duration { return time.Second }}, modbus.Of(p.latest), modbus.Of(p.latest).Giving(nil))
	if err != nil {
		t.Fatal(err)
	}
	c := p.client(t)
	p.ask(t, c, func(a []byte) bool { return len(a) == 4 && binary.BigEndian.Uint16(a[2:]) == 0xBEEF }, 4, 0, 46, 0, 1)
	seen := 0
	for _, r := range modbus.Table() {
		var pdu []byte
		switch r.Space {
		case modbus.Input:
			pdu = []byte{4, byte(r.Address >> 8), byte(r.Address), 0, byte(r.Words)}
		case modbus.Discrete:
			pdu = []byte{2, byte(r.Address >> 8), byte(r.Address), 0, 1}
		case modbus.Holding:
			pdu = []byte{3, byte(r.Address >> 8), byte(r.Address), 0, byte(r.Words)}
		default:
			continue
		}
		c.Write(modbustest.TCPFrame(1, 1, pdu))
		got, err := modbustest.TCPAnswer(c, 1, 1, 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		want := bytes.Clone(slave.Answer(pdu))
		seen++
		if bytes.Equal(got, want) {
			continue
		}
		value := func(a []byte) int {
			switch {
			case len(a) < 4:
				return int(a[len(a)-1])
			case r.Words == 2:
				return int(binary.BigEndian.Uint32(a[2:]))
			case r.Type == modbus.Int16:
				return int(int16(binary.BigEndian.Uint16(a[2:])))
			}
			return int(binary.BigEndian.Uint16(a[2:]))
		}
		off := value(got) - value(want)
		switch name := r.Name; {
		case strings.HasPrefix(name, "bus_") || name == "host_age": // of each slave
		case name == "result_age" || name == "uptime" || r.Unit == "s" || name == "clock_time":
			if limit := map[bool]int{true: 4000, false: 4}[r.Unit == "ms"]; off < -limit || off > limit { // this test's unit stands still
				t.Errorf("%s: %d, want %d", name, value(got), value(want))
			}
		case name == "status" || name == "result_valid": // its result has grown old by the clock that goes
		case r.Scale == 1000 && (off == 1 || off == -1):
		default:
			t.Errorf("%v %d %s: % X, want % X", r.Space, r.Address, name, got, want)
		}
	}
	if seen < 400 {
		t.Errorf("only %d registers", seen)
	}
}

// What a PLC writes comes to the unit with its name and the role of a PLC, and in the
// order in which it came; without write nothing comes.
func TestRegistersCommand(t *testing.T) {
	p := newPlant(t, true)
	c := p.client(t)
	done := func(a []byte) bool { return a[0] == 5 }
	p.ask(t, c, done, 5, 0, 0, 0, 0)
	p.ask(t, c, func(a []byte) bool { return a[0] == 4 }, 4, 0, 46, 0, 1)
	p.ask(t, c, done, 5, 0, 0, 0xFF, 0)
	p.mu.Lock()
	var last alarm.Event
	for _, e := range p.journal {
		if e.Trigger == alarm.Acknowledge {
			last = e
		}
	}
	p.mu.Unlock()
	if !strings.HasPrefix(last.Who, "modbus_tcp 127.0.0.1 via ") {
		t.Errorf("%+v", last)
	}
	q := newPlant(t, false)
	if a := q.ask(t, q.client(t), func(a []byte) bool { return a[1] != 0x0B }, 5, 0, 0, 0xFF, 0); !bytes.Equal(a, []byte{0x85, 1}) {
		t.Errorf("% X", a)
	}
}

// A gateway whose unit has gone answers 0B to everything, within the time that the stream
// may be silent, and has the new unit's values once there is one.
func TestRegistersWithoutUnit(t *testing.T) {
	p := newPlant(t, true)
	c := p.client(t)
	well := func(a []byte) bool { return len(a) == 4 && a[0] == 4 }
	p.ask(t, c, well, 4, 0, 46, 0, 1)
	p.stop()
	began := time.Now()
	p.ask(t, c, func(a []byte) bool { return bytes.Equal(a, []byte{0x84, 0x0B}) }, 4, 0, 46, 0, 1)
	t.Logf("0B after %v", time.Since(began).Round(time.Millisecond))
	for _, pdu := range [][]byte{{5, 0, 0, 0xFF, 0}, {1, 0, 0, 0, 1}, {43, 14, 1, 0}} {
		p.ask(t, c, func(a []byte) bool { return bytes.Equal(a, []byte{pdu[0] | 0x80, 0x0B}) }, pdu...)
	}
	p.unit, p.stop = newUnit(t, p.socket)
	p.mu.Lock()
	about := *p.state.About
	about.ConfigCRC = 0x5EED
	p.state.About = &about
	p.latest.Store(&p.state)
	p.mu.Unlock()
	p.ask(t, c, func(a []byte) bool { return len(a) == 4 && binary.BigEndian.Uint16(a[2:]) == 0x5EED }, 4, 0, 46, 0, 1)
}
