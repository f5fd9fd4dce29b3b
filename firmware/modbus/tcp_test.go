package modbus_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"mien/firmware/modbus"
	"mien/firmware/modbus/modbustest"
)

var tcpFrames = flag.Int("tcp-frames", 20000, "hostile frames for TestHostileTCP")

func dial(t testing.TB, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// askTCP sends a request and gives the PDU of the answer.
func askTCP(t testing.TB, c net.Conn, pdu ...byte) []byte {
	t.Helper()
	if _, err := c.Write(modbustest.TCPFrame(0x1234, 1, pdu)); err != nil {
		t.Fatal(err)
	}
	answer, err := modbustest.TCPAnswer(c, 0x1234, 1, modbustest.AnswerTime)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// closed tells whether the other side hangs up within wait.
func closed(c net.Conn, wait time.Duration) bool {
	c.SetReadDeadline(time.Now().Add(wait))
	_, err := io.Copy(io.Discard, c)
	var timeout net.Error
	return err == nil || !errors.As(err, &timeout) || !timeout.Timeout()
}

func TestTCPConformance(t *testing.T) {
	n := modbustest.StartTCP(t, nil)
	tried, err := modbustest.TCPConformance(n.Address, n.Facts)
	if err != nil {
		t.Error(err)
	}
	headers, err := modbustest.TCPHeaders(n.Address, n.Facts)
	if err != nil {
		t.Error(err)
	}
	if cases := len(modbustest.TCPCases(n.Facts)) + headers; cases < 270 || tried+headers < 400 {
		t.Errorf("%d cases, %d tried", cases, tried+headers)
	} else {
		t.Logf("%d cases of the line and %d of the header, %d tried", cases-headers, headers, tried+headers)
	}
}

// Other people's masters.

func TestSimonvetterTCP(t *testing.T) {
	n := modbustest.StartTCP(t, nil)
	modbustest.Simonvetter(t, "tcp://"+n.Address, n.Facts)
}

func TestMbpollTCP(t *testing.T) {
	n := modbustest.StartTCP(t, nil)
	modbustest.Mbpoll(t, "tcp://"+n.Address, n.Facts)
}

func TestPymodbusTCP(t *testing.T) {
	n := modbustest.StartTCP(t, nil)
	modbustest.Pymodbus(t, "tcp://"+n.Address, n.Facts)
}

// Where nobody has allowed it, no function that writes is there.
func TestTCPReadOnly(t *testing.T) {
	n := modbustest.StartTCP(t, func(o *modbus.ServerConfig) { o.Write = false })
	c := dial(t, n.Address)
	for _, pdu := range [][]byte{words(5, 0, 0xFF00), words(6, 0, 1), append(words(15, 0, 1), 1, 1), append(words(16, 0, 1), 2, 0, 1), words(22, 0, 0, 1), append(words(23, 0, 1, 0, 1), 2, 0, 1)} {
		if answer := askTCP(t, c, pdu...); !bytes.Equal(answer, []byte{pdu[0] | 0x80, 1}) {
			t.Errorf("function %d: % X", pdu[0], answer)
		}
	}
	if answer := askTCP(t, c, words(4, 50, 1)...); !bytes.Equal(answer, []byte{4, 2, 0x12, 0x34}) {
		t.Errorf("% X", answer)
	}
	if _, commands := n.Recorder.Take(); len(commands) > 0 || len(n.Recorder.Refused()) > 0 {
		t.Errorf("%v", commands)
	}
}

// A gateway without its unit has no values to give, and none to take; what was written
// before it came back is dropped.
func TestTCPWithoutUnit(t *testing.T) {
	n := modbustest.StartTCP(t, nil)
	c := dial(t, n.Address)
	askTCP(t, c, words(5, 0, 0)...)
	if askTCP(t, c, words(5, 0, 0xFF00)...); len(taken(n)) != 1 {
		t.Error("the coil gave no command")
	}
	n.Away.Store(true)
	for _, pdu := range [][]byte{words(4, 0, 10), words(3, 1000, 10), words(1, 0, 8), words(2, 0, 8), words(6, 0, 1), words(5, 0, 0), {43, 14, 1, 0}, words(8, 0, 1), {99}} {
		if answer := askTCP(t, c, pdu...); !bytes.Equal(answer, []byte{pdu[0] | 0x80, 0x0B}) {
			t.Errorf("function %d: % X", pdu[0], answer)
		}
	}
	n.Run.Add(1)
	n.Away.Store(false)
	if answer := askTCP(t, c, words(1, 0, 1)...); answer[2] != 0 {
		t.Error("a coil of before is read back")
	}
	if askTCP(t, c, words(5, 0, 0xFF00)...); len(taken(n)) != 0 {
		t.Error("what was left at 1 gave a command to a unit that is new")
	}
	n.Recorder.Fail(1, 1, fmt.Errorf("%w: it has gone", modbus.ErrAway))
	if askTCP(t, c, words(5, 0, 0)...); !bytes.Equal(askTCP(t, c, words(5, 0, 0xFF00)...), []byte{0x85, 0x0B}) {
		t.Error("a unit that went while it was asked")
	}
}

// taken are the commands since the last call that ask for something.
func taken(n *modbustest.Network) (list []modbus.Command) {
	_, commands := n.Recorder.Take()
	for _, c := range commands {
		if c.Op != modbus.OpHeld {
			list = append(list, c)
		}
	}
	return list
}

// Each address is a master of its own: two that write the same coil in every cycle, one 0
// and one 1, give no command with each cycle. Its connections are one master.
func TestTCPMasters(t *testing.T) {
	who := map[string]bool{}
	var mu sync.Mutex
	n := modbustest.StartTCP(t, func(o *modbus.ServerConfig) {
		unit := o.Unit
		o.Unit = func(name string) (modbus.Source, modbus.Commands) {
			mu.Lock()
			defer mu.Unlock()
			who[name] = true
			return unit(name)
		}
	})
	from := func(address string) net.Conn {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
		c, err := d.Dial("tcp", n.Address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	a, b := from("127.0.0.2"), from("127.0.0.3")
	for range 10 {
		askTCP(t, a, words(5, 0, 0xFF00)...)
		askTCP(t, b, words(5, 0, 0)...)
	}
	if list := taken(n); len(list) != 0 {
		t.Errorf("%v", list)
	}
	if answer := askTCP(t, a, words(1, 0, 1)...); answer[2] != 1 {
		t.Error("a does not read back what it wrote")
	}
	a.Close()
	again := from("127.0.0.2")
	if answer := askTCP(t, again, words(1, 0, 1)...); answer[2] != 1 {
		t.Error("a that comes again does not read back what it wrote")
	}
	askTCP(t, again, words(5, 0, 0)...)
	askTCP(t, from("127.0.0.2"), words(5, 0, 0xFF00)...)
	if list := taken(n); len(list) != 1 || list[0].Op != modbus.OpAckAll {
		t.Errorf("%v", list)
	}
	mu.Lock()
	defer mu.Unlock()
	if !who["modbus_tcp 127.0.0.2"] || !who["modbus_tcp 127.0.0.3"] {
		t.Errorf("%v", who)
	}
}

// Who is not allowed is not answered, and that is told, once.
func TestTCPAllow(t *testing.T) {
	var told atomic.Int32
	n := modbustest.StartTCP(t, func(o *modbus.ServerConfig) {
		o.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.7/32")}
		o.Say = func(format string, args ...any) {
			if strings.Contains(fmt.Sprintf(format, args...), "127.0.0.1 ") {
				told.Add(1)
			}
		}
	})
	for range 20 {
		c, err := net.Dial("tcp", n.Address)
		if errors.Is(err, syscall.ECONNRESET) {
			continue // so soon
		}
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.Write(modbustest.TCPFrame(1, 1, words(4, 0, 1)))
		c.SetReadDeadline(time.Now().Add(2 * time.Second))
		if got, err := c.Read(make([]byte, 1)); err == nil || got > 0 {
			t.Fatal("it was answered")
		}
	}
	if n.Clients() != 0 || told.Load() != 1 {
		t.Errorf("%d clients, told %d times", n.Clients(), told.Load())
	}
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP("127.0.0.7")}}
	c, err := d.Dial("tcp", n.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	askTCP(t, c, words(4, 0, 1)...)
}

// Sixteen are served; with all places taken one address cannot keep another out, nor half
// a request a place.
func TestTCPPlaces(t *testing.T) {
	n := modbustest.StartTCP(t, nil)
	var own []net.Conn
	for range 16 {
		c := dial(t, n.Address)
		askTCP(t, c, words(4, 0, 1)...)
		own = append(own, c)
	}
	c, err := net.Dial("tcp", n.Address)
	if err == nil {
		defer c.Close()
	} else if !errors.Is(err, syscall.ECONNRESET) { // so soon
		t.Fatal(err)
	}
	if err == nil && !closed(c, 10*time.Second) || n.Clients() != 16 {
		t.Errorf("a seventeenth of the same address was let in: %d clients", n.Clients())
	}
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP("127.0.0.9")}}
	other, err := d.Dial("tcp", n.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	askTCP(t, other, words(4, 0, 1)...)
	if !closed(own[0], 10*time.Second) {
		t.Error("the quietest kept its place")
	}
	for _, c := range own[1:] {
		askTCP(t, c, words(4, 0, 1)...)
	}
	half := own[5]
	half.Write(modbustest.TCPFrame(1, 1, words(4, 0, 1))[:9])
	began := time.Now()
	if !closed(half, 30*time.Second) {
		t.Error("half a request keeps its place")
	}
	t.Logf("half a request lost its place after %v", time.Since(began).Round(time.Millisecond))
	askTCP(t, dial(t, n.Address), words(4, 0, 1)...)
}

// A request is answered when it is there, though half of the next has come with it.
func TestTCPHalfBehind(t *testing.T) {
	n := modbustest.StartTCP(t, nil)
	request := modbustest.TCPFrame(9, 1, words(4, 50, 1))
	for cut := 1; cut < len(request); cut++ {
		c := dial(t, n.Address)
		c.Write(append(slices.Clone(request), request[:cut]...))
		if _, err := modbustest.TCPAnswer(c, 9, 1, time.Second); err != nil {
			t.Fatalf("with %d bytes of the next: %v", cut, err)
		}
		c.Write(request[cut:])
		if _, err := modbustest.TCPAnswer(c, 9, 1, time.Second); err != nil {
			t.Fatalf("the next, after %d bytes: %v", cut, err)
		}
		c.Close()
	}
}

// A client that asks and asks, and does not read, is cut off, and costs the others nothing.
func TestTCPWhoDoesNotRead(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for a full buffer")
	}
	n := modbustest.StartTCP(t, nil)
	deaf := dial(t, n.Address)
	piece := bytes.Repeat(modbustest.TCPFrame(1, 1, words(4, 0, 125)), 100)
	deaf.SetWriteDeadline(time.Now().Add(30 * time.Second))
	var err error
	for err == nil {
		_, err = deaf.Write(piece)
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		t.Error("it was not cut off")
	}
	askTCP(t, dial(t, n.Address), words(4, 0, 1)...)
}

// All the words of an answer belong to one frame, whatever the pipeline does meanwhile.
func TestTCPSnapshot(t *testing.T) {
	n := modbustest.StartTCP(t, nil)
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
	// On a busy machine one side may do much before the other comes to its turn.
	for n, end := 0, time.Now().Add(time.Minute); n < 2000 || len(seen) < 10 && time.Now().Before(end); n++ {
		answer := askTCP(t, c, words(4, 0, 60)...)
		at := func(register int) uint16 { return binary.BigEndian.Uint16(answer[2+2*register:]) }
		if at(1) != at(4) || at(46) != at(1) || at(47) != at(1) {
			t.Fatalf("heartbeat %d, sequence %d, CRCs %d and %d in one answer", at(1), at(4), at(46), at(47))
		}
		seen[at(1)] = true
	}
	if len(seen) < 10 {
		t.Errorf("only %d snapshots were seen", len(seen))
	}
}

// Whatever comes, each right request has its one right answer, in order; memory does not
// grow. -tcp-frames 1000000 is the whole.
func TestHostileTCP(t *testing.T) {
	n := modbustest.StartTCP(t, nil)
	rng := rand.New(rand.NewPCG(3, 4))
	type due struct {
		transaction uint16
		unit        byte
		answer      []byte // nil: an answer to noise, which only must be an exception or of the function asked
		fc          byte
	}
	right := []struct{ ask, answer []byte }{
		{words(4, 50, 4), []byte{4, 8, 0x12, 0x34, 0x56, 0x78, 0x3F, 0x80, 0, 0}}, {words(3, 1050, 2), []byte{3, 4, 0x12, 0x34, 0x56, 0x78}},
		{words(8, 0, 0xA537), words(8, 0, 0xA537)}, {words(4, 0, 126), []byte{0x84, 3}}, {words(3, 328, 1), []byte{0x83, 2}}, {words(6, 0, 7), words(6, 0, 7)},
		{[]byte{43, 14, 4, 0}, []byte{43, 14, 4, 0x82, 0, 0, 1, 0, 4, 'm', 'i', 'e', 'n'}}, {[]byte{66, 1, 2}, []byte{0xC2, 1}},
	}
	noise := func(most int) []byte {
		p := make([]byte, 1+rng.IntN(most))
		for i := range p {
			p[i] = byte(rng.Uint32())
		}
		return p
	}
	frames, answers, ends := 0, 0, 0
	var before, after runtime.MemStats
	for frames < *tcpFrames {
		c, err := net.Dial("tcp", n.Address)
		if err != nil {
			t.Fatal(err)
		}
		c.(*net.TCPConn).SetLinger(0)
		var piece []byte
		var dues []due
		broken := false
		for range 1 + rng.IntN(60) {
			frames++
			tr := uint16(rng.Uint32())
			switch kind := rng.IntN(12); {
			case kind < 6:
				w := right[rng.IntN(len(right))]
				unit := []byte{1, 0, 255}[rng.IntN(3)]
				piece = append(piece, modbustest.TCPFrame(tr, unit, w.ask)...)
				dues = append(dues, due{tr, unit, w.answer, w.ask[0]})
			case kind < 8: // any PDU, which must not be one that commands: those are answered too
				pdu := noise(253)
				piece = append(piece, modbustest.TCPFrame(tr, 1, pdu)...)
				dues = append(dues, due{tr, 1, nil, pdu[0]})
			case kind == 8: // another protocol
				f := modbustest.TCPFrame(tr, 1, noise(253))
				f[2+rng.IntN(2)] = byte(1 + rng.IntN(255))
				piece = append(piece, f...)
			case kind == 9: // another unit
				unit := byte(2 + rng.IntN(252))
				pdu := noise(100)
				piece = append(piece, modbustest.TCPFrame(tr, unit, pdu)...)
				dues = append(dues, due{tr, unit, []byte{pdu[0] | 0x80, 0x0B}, pdu[0]})
			case kind == 10: // a length that is none: nothing behind it counts
				f := modbustest.TCPFrame(tr, 1, noise(20))
				binary.BigEndian.PutUint16(f[4:], []uint16{0, 1, 255, 0xFFFF, uint16(255 + rng.IntN(60000))}[rng.IntN(5)])
				piece = append(piece, f...)
				broken = true
			default: // the client goes in the middle of it
				f := modbustest.TCPFrame(tr, 1, noise(200))
				piece = append(piece, f[:rng.IntN(len(f))]...)
				broken = true
			}
			if broken {
				piece = append(piece, noise(30)...)
				break
			}
		}
		if broken {
			ends++
		}
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			for len(piece) > 0 {
				k := len(piece)
				if cut := 1 + rand.IntN(400); cut < k {
					k = cut
				}
				if _, err := c.Write(piece[:k]); err != nil {
					return
				}
				piece = piece[k:]
			}
			c.(*net.TCPConn).CloseWrite()
		}()
		for i, d := range dues {
			answer, err := modbustest.TCPAnswer(c, d.transaction, d.unit, 5*time.Second)
			if err != nil {
				if broken && errors.Is(err, syscall.ECONNRESET) { // it was cut off before it had read the last answers
					break
				}
				t.Fatalf("after %d frames, answer %d of %d: %v", frames, i, len(dues), err)
			}
			answers++
			switch {
			case d.answer != nil && !bytes.Equal(answer, d.answer):
				t.Fatalf("% X, want % X", answer, d.answer)
			case d.answer == nil && answer[0]&0x7F != d.fc&0x7F:
				t.Fatalf("function %02X is answered by % X", d.fc, answer)
			}
		}
		if rest, err := io.ReadAll(c); len(rest) > 0 && err == nil && !broken {
			t.Fatalf("% X came unasked", rest)
		}
		<-sent
		c.Close()
		if before.HeapAlloc == 0 && frames > *tcpFrames/10 {
			runtime.GC()
			runtime.ReadMemStats(&before)
		}
	}
	for range 50 { // they leave when they are ready
		if n.Clients() == 0 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	n.Recorder.Take()
	runtime.GC()
	runtime.ReadMemStats(&after)
	t.Logf("%d frames, %d answers, %d broken connections; heap %d kB, then %d kB; %d goroutines", frames, answers, ends, before.HeapAlloc>>10, after.HeapAlloc>>10, runtime.NumGoroutine())
	if n.Clients() != 0 || after.HeapAlloc > before.HeapAlloc+2<<20 {
		t.Errorf("%d clients are left; heap %d kB, then %d kB", n.Clients(), before.HeapAlloc>>10, after.HeapAlloc>>10)
	}
}

// Sixteen clients as fast as they can: how long an answer takes.
func BenchmarkTCP(b *testing.B) {
	n := modbustest.StartTCP(b, nil)
	request := modbustest.TCPFrame(1, 1, words(4, 0, 124))
	times := make([][]time.Duration, 16)
	var clients sync.WaitGroup
	for k := range times {
		c := dial(b, n.Address)
		clients.Go(func() {
			buf := make([]byte, 300)
			for range b.N / 16 {
				began := time.Now()
				c.Write(request)
				if _, err := io.ReadFull(c, buf[:7+250]); err != nil {
					b.Error(err)
					return
				}
				times[k] = append(times[k], time.Since(began))
			}
		})
	}
	clients.Wait()
	all := slices.Sorted(slices.Values(slices.Concat(times...)))
	if len(all) > 0 {
		b.ReportMetric(float64(all[len(all)/2])/1e6, "p50-ms")
		b.ReportMetric(float64(all[len(all)*99/100])/1e6, "p99-ms")
	}
}
