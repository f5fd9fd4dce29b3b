package modbus_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mien/firmware/modbus"
	"mien/firmware/modbus/modbustest"
)

// slmpFrame is a 3E request for the own station; little is low byte first.
func slmpFrame(body ...byte) []byte {
	frame := []byte{0x50, 0, 0, 0xFF, 0xFF, 3, 0, 0, 0, 0x10, 0}
	binary.LittleEndian.PutUint16(frame[7:], uint16(2+len(body)))
	return append(frame, body...)
}

func little(values ...int) (list []byte) {
	for _, v := range values {
		list = binary.LittleEndian.AppendUint16(list, uint16(v))
	}
	return list
}

// slmpRange is a command on points data registers from first on.
func slmpRange(command, first, points int, words ...int) []byte {
	body := append(little(command, 0), byte(first), byte(first>>8), byte(first>>16), 0xA8)
	return append(append(body, little(points)...), little(words...)...)
}

// slmpAnswer reads one answer and gives its end code and what follows.
func slmpAnswer(c net.Conn, wait time.Duration) (code uint16, data []byte, err error) {
	c.SetReadDeadline(time.Now().Add(wait))
	head := make([]byte, 11)
	if _, err := io.ReadFull(c, head); err != nil {
		return 0, nil, err
	}
	if !bytes.Equal(head[:7], []byte{0xD0, 0, 0, 0xFF, 0xFF, 3, 0}) {
		return 0, nil, fmt.Errorf("head % X", head)
	}
	data = make([]byte, int(binary.LittleEndian.Uint16(head[7:]))-2)
	_, err = io.ReadFull(c, data)
	return binary.LittleEndian.Uint16(head[9:]), data, err
}

func askSLMP(t testing.TB, c net.Conn, body ...byte) (uint16, []byte) {
	t.Helper()
	c.Write(slmpFrame(body...))
	code, data, err := slmpAnswer(c, modbustest.AnswerTime)
	if err != nil {
		t.Fatalf("% X: %v", body, err)
	}
	return code, data
}

var slmpCases = []struct {
	name string
	body []byte
	code uint16
	data []byte // of code 0
}{
	{"the order of a word's bytes", slmpRange(0x0401, 1052, 1), 0, []byte{0, 0}},
	{"a word", slmpRange(0x0401, 1046, 1), 0, []byte{0xEF, 0xBE}},
	{"the version of the map", slmpRange(0x0401, 1000, 1), 0, little(modbus.MapVersion)},
	{"32 bits are low word first", slmpRange(0x0401, 1050, 4), 0, []byte{0x34, 0x12, 0x78, 0x56, 0, 0, 0x80, 0x3F}},
	{"the most words", slmpRange(0x0401, 1000, 125), 0, nil},
	{"a word too many", slmpRange(0x0401, 1000, 126), 0xC052, nil},
	{"no word", slmpRange(0x0401, 1000, 0), 0xC052, nil},
	{"65,535 words", slmpRange(0x0401, 0, 65535), 0xC052, nil},
	{"the last word", slmpRange(0x0401, 1000+modbus.Size(modbus.Input)-1, 1), 0, []byte{0, 0}},
	{"behind the last word", slmpRange(0x0401, 1000+modbus.Size(modbus.Input), 1), 0xC056, nil},
	{"beyond the last word", slmpRange(0x0401, 1000+modbus.Size(modbus.Input)-1, 2), 0xC056, nil},
	{"between the tables", slmpRange(0x0401, modbus.Size(modbus.Holding), 1), 0xC056, nil},
	{"D65536", slmpRange(0x0401, 65536, 1), 0xC056, nil},
	{"D16777215", slmpRange(0x0401, 0xFFFFFF, 1), 0xC056, nil},
	{"a word is written", slmpRange(0x1401, 0, 1, 7), 0, []byte{}},
	{"and read back", slmpRange(0x0401, 0, 1), 0, []byte{7, 0}},
	{"an input register is written", slmpRange(0x1401, 1000, 1, 7), 0xC056, nil},
	{"the most that is written", slmpRange(0x1401, 0, 124, make([]int, 124)...), 0xC052, nil},
	{"960 words", slmpRange(0x1401, 0, 960, make([]int, 960)...), 0xC052, nil},
	{"a word is missing", slmpRange(0x1401, 0, 2, 7), 0xC061, nil},
	{"a word too many is written", slmpRange(0x1401, 0, 1, 7, 7), 0xC061, nil},
	{"data in a read", slmpRange(0x0401, 0, 1, 7), 0xC061, nil},
	{"a command alone", little(0x0401, 0), 0xC061, nil},
	{"half a range", slmpRange(0x0401, 0, 1)[:9], 0xC061, nil},
	{"bits of a word device", append(little(0x0401, 1), slmpRange(0x0401, 0, 1)[4:]...), 0xC05C, nil},
	{"the form of iQ-R", append(little(0x0401, 2), 0, 0, 0, 0, 0xA8, 0, 1, 0), 0xC059, nil},
	{"random read", append(little(0x0403, 0), 1, 0, 0, 0, 0, 0xA8), 0xC059, nil},
	{"remote stop", little(0x1002, 0, 1), 0xC059, nil},
	{"remote reset", little(0x1006, 0, 1), 0xC059, nil},
	{"M0", func() []byte { b := slmpRange(0x0401, 0, 1); b[7] = 0x90; return b }(), 0xC05B, nil},
	{"W0", func() []byte { b := slmpRange(0x1401, 0, 1, 1); b[7] = 0xB4; return b }(), 0xC05B, nil},
}

// Each answer, as it is, in pieces of one byte, and many in one piece.
func TestSLMP(t *testing.T) {
	n := modbustest.StartSLMP(t, nil)
	c := dial(t, n.Address)
	look := func(i int) {
		t.Helper()
		k := slmpCases[i]
		code, data, err := slmpAnswer(c, modbustest.AnswerTime)
		if err != nil {
			t.Fatalf("%s: %v", k.name, err)
		}
		want := k.data
		if k.code != 0 {
			want = append([]byte{0, 0xFF, 0xFF, 3, 0}, k.body[:4]...)
		}
		if code != k.code || want != nil && !bytes.Equal(data, want) || want == nil && len(data) != 250 {
			t.Errorf("%s: end code %04X, % X", k.name, code, data)
		}
	}
	for i := range slmpCases {
		c.Write(slmpFrame(slmpCases[i].body...))
		look(i)
	}
	for i := range slmpCases[:len(slmpCases)-1] {
		if len(slmpCases[i].body) > 500 {
			continue
		}
		for _, b := range slmpFrame(slmpCases[i].body...) {
			c.Write([]byte{b})
		}
		look(i)
	}
	var all []byte
	for i := range slmpCases {
		all = append(all, slmpFrame(slmpCases[i].body...)...)
	}
	go c.Write(all)
	for i := range slmpCases {
		look(i)
	}
	for at := range 5 { // another network, another PC: not this station; other modules of it are it
		frame := slmpFrame(slmpRange(0x0401, 1046, 1)...)
		frame[2+at] ^= 1
		c.Write(frame)
		answer := make([]byte, 11)
		c.SetReadDeadline(time.Now().Add(modbustest.AnswerTime))
		if _, err := io.ReadFull(c, answer); err != nil {
			t.Fatal(err)
		}
		if code, want := binary.LittleEndian.Uint16(answer[9:]), map[bool]uint16{true: 0xC05F}[at < 2]; code != want || !bytes.Equal(answer[2:7], frame[2:7]) {
			t.Errorf("byte %d of the route: % X", at, answer)
		}
		io.CopyN(io.Discard, c, int64(binary.LittleEndian.Uint16(answer[7:]))-2)
	}
	for _, head := range [][]byte{{0x54, 0, 0, 0xFF, 0xFF, 3, 0, 12, 0}, {0xD0, 0, 0, 0xFF, 0xFF, 3, 0, 12, 0}, []byte("500000FF03FF00"), {0x50, 0, 0, 0xFF, 0xFF, 3, 0, 5, 0}, {0x50, 0, 0, 0xFF, 0xFF, 3, 0, 0xFF, 0xFF}} {
		c := dial(t, n.Address)
		c.Write(append(head, slmpFrame(slmpRange(0x0401, 1046, 1)...)...))
		if !closed(c, 10*time.Second) {
			t.Errorf("% X: the connection is open", head)
		}
	}
}

// A coil's way of acting is the same: a command by its register acts once, on its change.
func TestSLMPCommands(t *testing.T) {
	n := modbustest.StartSLMP(t, nil)
	c := dial(t, n.Address)
	at := holdingNamed(t, "shelve_mask")
	askSLMP(t, c, slmpRange(0x1401, at, 1, 0)...)
	n.Recorder.Take()
	for range 3 {
		if code, _ := askSLMP(t, c, slmpRange(0x1401, at, 1, 1)...); code != 0 {
			t.Fatalf("end code %04X", code)
		}
	}
	if list := taken(n); len(list) != 1 {
		t.Errorf("%v", list)
	}
	n.Recorder.Fail(1, 1, fmt.Errorf("%w: it has gone", modbus.ErrAway))
	if code, _ := askSLMP(t, c, slmpRange(0x1401, at, 1, 3)...); code != 0xC05F {
		t.Errorf("a unit that went while it was asked: end code %04X", code)
	}
	who := atomic.Value{}
	n = modbustest.StartSLMP(t, func(o *modbus.ServerConfig) {
		unit := o.Unit
		o.Write = false
		o.Unit = func(name string) (modbus.Source, modbus.Commands) { who.Store(name); return unit(name) }
	})
	c = dial(t, n.Address)
	if code, _ := askSLMP(t, c, slmpRange(0x1401, at, 1, 1)...); code != 0xC059 || len(taken(n)) != 0 {
		t.Errorf("written where nobody has allowed it: end code %04X", code)
	}
	if name := who.Load(); name != "slmp 127.0.0.1" {
		t.Errorf("it is %v", name)
	}
	n.Away.Store(true)
	for _, body := range [][]byte{slmpRange(0x0401, 1000, 10), slmpRange(0x0401, 0, 1), slmpRange(0x1401, 0, 1, 1)} {
		if code, data := askSLMP(t, c, body...); code != 0xC05F || len(data) != 9 {
			t.Errorf("without a unit: end code %04X, % X", code, data)
		}
	}
}

// holdingNamed is the number of a holding register.
func holdingNamed(t *testing.T, name string) int {
	t.Helper()
	for _, r := range modbus.Table() {
		if r.Space == modbus.Holding && r.Name == name {
			return r.Address
		}
	}
	t.Fatalf("there is no holding register %s", name)
	return 0
}

// Who is not allowed is told by the table's own name.
func TestSLMPAllow(t *testing.T) {
	told := make(chan string, 10)
	n := modbustest.StartSLMP(t, func(o *modbus.ServerConfig) {
		o.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.7/32")}
		o.Say = func(format string, args ...any) { told <- fmt.Sprintf(format, args...) }
	})
	if c, err := net.Dial("tcp", n.Address); err == nil {
		defer c.Close()
		if !closed(c, 10*time.Second) {
			t.Error("it was let in")
		}
	}
	if text := <-told; text != "slmp: 127.0.0.1 is not in slmp.allow, and is not answered" {
		t.Error(text)
	}
}

// All words of an answer belong to one frame.
func TestSLMPSnapshot(t *testing.T) {
	n := modbustest.StartSLMP(t, nil)
	stop := make(chan struct{})
	var stores sync.WaitGroup
	stores.Go(func() {
		s := modbustest.Snapshot(time.Hour)
		s.StaleAfter = 0
		for i := uint32(1); ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			s.Sequence, s.Heartbeat, s.ConfigCRC, s.ModelCRC = i&0xFFFF, uint16(i), uint16(i), uint16(i)
			n.Latest.Store(s)
		}
	})
	defer stores.Wait()
	defer close(stop)
	c := dial(t, n.Address)
	seen := map[uint16]bool{}
	for k, end := 0, time.Now().Add(time.Minute); k < 1000 || len(seen) < 10 && time.Now().Before(end); k++ {
		_, data := askSLMP(t, c, slmpRange(0x0401, 1000, 60)...)
		at := func(register int) uint16 { return binary.LittleEndian.Uint16(data[2*register:]) }
		if at(1) != at(4) || at(46) != at(1) || at(47) != at(1) {
			t.Fatalf("heartbeat %d, sequence %d, CRCs %d and %d in one answer", at(1), at(4), at(46), at(47))
		}
		seen[at(1)] = true
	}
	if len(seen) < 10 {
		t.Errorf("only %d snapshots were seen", len(seen))
	}
}

// Whatever comes, right requests before it have their answers, and the server goes on.
func TestHostileSLMP(t *testing.T) {
	n := modbustest.StartSLMP(t, nil)
	rng := rand.New(rand.NewPCG(5, 6))
	for range *tcpFrames / 100 {
		c, err := net.Dial("tcp", n.Address)
		if err != nil {
			t.Fatal(err)
		}
		c.(*net.TCPConn).SetLinger(0)
		var piece []byte
		right := 1 + rng.IntN(20)
		for range right {
			piece = append(piece, slmpFrame(slmpRange(0x0401, 1050, 2)...)...)
		}
		for range 30 {
			f := slmpFrame(slmpRange([]int{0x0401, 0x1401, rng.IntN(65536)}[rng.IntN(3)], rng.IntN(1500), rng.IntN(200))...)
			f[rng.IntN(len(f))] = byte(rng.Uint32())
			piece = append(piece, f[:len(f)-rng.IntN(2)]...)
		}
		go c.Write(piece)
		for range right {
			if code, data, err := slmpAnswer(c, modbustest.AnswerTime); err != nil || code != 0 || !bytes.Equal(data, []byte{0x34, 0x12, 0x78, 0x56}) {
				t.Fatalf("end code %04X, % X, %v", code, data, err)
			}
		}
		c.Close()
	}
	askSLMP(t, dial(t, n.Address), slmpRange(0x0401, 1000, 1)...)
}

// pymcprotocol is a client by others.
const pymcprotocolScript = `
import sys, pymcprotocol
plc = pymcprotocol.Type3E()
plc.connect(sys.argv[1], int(sys.argv[2]))
assert plc.batchread_wordunits(headdevice="D1046", readsize=2)[0] == 0xBEEF - 0x10000
words = plc.batchread_wordunits(headdevice="D1050", readsize=4)
assert words == [0x1234, 0x5678, 0, 0x3F80], words
assert len(plc.batchread_wordunits(headdevice="D1000", readsize=125)) == 125
plc.batchwrite_wordunits(headdevice="D0", values=[4711])
assert plc.batchread_wordunits(headdevice="D0", readsize=1) == [4711]
refused = []
for ask in (lambda: plc.batchread_wordunits(headdevice="D60000", readsize=1), lambda: plc.batchread_wordunits(headdevice="W0", readsize=1),
            lambda: plc.batchread_bitunits(headdevice="M0", readsize=8), lambda: plc.randomread(word_devices=["D0"], dword_devices=["D1050"]),
            lambda: plc.batchwrite_wordunits(headdevice="D1000", values=[1]), lambda: plc.remote_stop()):
    try:
        ask()
        refused.append("done")
    except Exception as e:
        refused.append(str(getattr(e, "errorcode", e)).upper())
assert len(refused) == 6 and all("0XC05" in r or "NOT SUPPORTED" in r for r in refused), refused
plc.close()
print("all well", refused)
`

func TestPymcprotocol(t *testing.T) {
	python, ok := modbustest.PythonWith(".venv-modbus")
	if !ok {
		t.Skip("pymcprotocol is not installed: python3 -m venv .venv-modbus && .venv-modbus/bin/pip install -r tools/plc/requirements.txt")
	}
	n := modbustest.StartSLMP(t, nil)
	host, port, _ := net.SplitHostPort(n.Address)
	out, err := exec.Command(python, "-c", pymcprotocolScript, host, port).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "all well") {
		t.Errorf("pymcprotocol: %v\n%s", err, out)
	}
	t.Logf("%s", out)
}
