package serial

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		s    Settings
		want string // "" is fine
	}{
		{Settings{Path: "x"}, ""},
		{Settings{Path: "x", Baud: 1200, DataBits: 7, Parity: EvenParity, StopBits: 1}, ""},
		{Settings{Path: "x", Baud: 921600, DataBits: 8, Parity: OddParity, StopBits: 2}, ""},
		{Settings{Path: "x", RS485: RS485RTS, BeforeSend: 100 * time.Millisecond, AfterSend: time.Millisecond}, ""},
		{Settings{}, "no serial port"},
		{Settings{Path: "x", Baud: 1199}, "1199"},
		{Settings{Path: "x", Baud: 921601}, "921601"},
		{Settings{Path: "x", Baud: -1}, "-1"},
		{Settings{Path: "x", DataBits: 6}, "7 or 8"},
		{Settings{Path: "x", DataBits: 9}, "7 or 8"},
		{Settings{Path: "x", StopBits: 3}, "1 or 2"},
		{Settings{Path: "x", StopBits: -1}, "1 or 2"},
		{Settings{Path: "x", Parity: 3}, "parity"},
		{Settings{Path: "x", RS485: 4}, "RS-485"},
		{Settings{Path: "x", AfterSend: 101 * time.Millisecond}, "100 ms"},
		{Settings{Path: "x", BeforeSend: -1}, "100 ms"},
	} {
		err := c.s.Check()
		if (err == nil) != (c.want == "") || (err != nil && !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: %v, want %q", c.s, err, c.want)
		}
	}
}

func TestCharacterTime(t *testing.T) {
	for _, c := range []struct {
		s    Settings
		want time.Duration
		text string
	}{
		{Settings{Path: "p"}, 520833 * time.Nanosecond, "p 19200 8N1"},
		{Settings{Path: "p", Baud: 19200, Parity: EvenParity}, 572916 * time.Nanosecond, "p 19200 8E1"},
		{Settings{Path: "p", Baud: 115200, StopBits: 2}, 95486 * time.Nanosecond, "p 115200 8N2"},
		{Settings{Path: "p", Baud: 1200, DataBits: 7, Parity: OddParity, StopBits: 2}, 9166666 * time.Nanosecond, "p 1200 7O2"},
	} {
		if got := c.s.CharacterTime(); got != c.want {
			t.Errorf("%v: %v, want %v", c.s, got, c.want)
		}
		if got := c.s.String(); got != c.text {
			t.Errorf("%q, want %q", got, c.text)
		}
	}
}

func TestNames(t *testing.T) {
	for _, p := range []Parity{NoParity, EvenParity, OddParity} {
		if got, err := ParseParity(p.String()); err != nil || got != p {
			t.Errorf("%v: %v, %v", p, got, err)
		}
	}
	if _, err := ParseParity("mark"); err == nil || !strings.Contains(err.Error(), "none, even, odd") {
		t.Errorf("%v", err)
	}
	if Parity(9).String() != "Parity(9)" || RS485(9).String() != "RS485(9)" {
		t.Error("values outside have no name")
	}
}

// marked is what n_tty makes of characters, after n_tty_receive_parity_error
// and n_tty_receive_char of drivers/tty/n_tty.c.
func marked(good []byte, bad map[int]bool) []byte {
	var out []byte
	for i, c := range good {
		switch {
		case bad[i]:
			out = append(out, 0xff, 0x00, c)
		case c == 0xff:
			out = append(out, 0xff, 0xff)
		default:
			out = append(out, c)
		}
	}
	return out
}

func TestUnmarker(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		good, bad := make([]byte, rng.IntN(40)), map[int]bool{}
		for i := range good {
			good[i] = []byte{0x00, 0xff, byte(rng.Uint32())}[rng.IntN(3)]
			bad[i] = rng.IntN(10) == 0
		}
		in := marked(good, bad)
		var u unmarker
		var got []byte
		anyBad := false
		for len(in) > 0 { // in pieces of any size
			n := 1 + rng.IntN(len(in))
			piece := append([]byte(nil), in[:n]...)
			in = in[n:]
			m, b := u.decode(piece)
			got = append(got, piece[:m]...)
			anyBad = anyBad || b
		}
		wantBad := false
		for _, b := range bad {
			wantBad = wantBad || b
		}
		if !bytes.Equal(got, good) || anyBad != wantBad {
			t.Fatalf("% x, bad %v became % x, %v", good, bad, got, anyBad)
		}
	}
}

func TestBreakIsACorruptZero(t *testing.T) {
	var u unmarker
	b := []byte{0xff, 0x00, 0x00}
	if n, bad := u.decode(b); n != 1 || !bad || b[0] != 0 {
		t.Errorf("%d, %v, %#x", n, bad, b[0])
	}
}

func FuzzUnmarker(f *testing.F) {
	f.Add([]byte{0xff, 0xff, 0x00}, 1)
	f.Add([]byte{0xff, 0x00, 0xff, 0x41}, 2)
	f.Fuzz(func(t *testing.T, in []byte, cut int) {
		whole := append([]byte(nil), in...)
		var a, b unmarker
		n, bad := a.decode(whole)
		cut = max(0, min(cut, len(in)))
		first, second := append([]byte(nil), in[:cut]...), append([]byte(nil), in[cut:]...)
		n1, bad1 := b.decode(first)
		n2, bad2 := b.decode(second)
		if got := append(first[:n1], second[:n2]...); !bytes.Equal(got, whole[:n]) || bad != (bad1 || bad2) || a != b {
			t.Errorf("% x cut at %d: % x, whole % x", in, cut, got, whole[:n])
		}
	})
}

func TestEchoFilterForgetsTheOldest(t *testing.T) {
	var e echoFilter
	e.on = true
	now := time.Now()
	long := make([]byte, 3000)
	for i := range long {
		long[i] = byte(i * 7)
	}
	e.expect(long, now, time.Microsecond)
	tail := append([]byte(nil), long[len(long)-len(e.buf):]...)
	if n, clash := e.drop(tail, now); n != 0 || clash {
		t.Errorf("the newest are not dropped: %d, %v", n, clash)
	}
	e.expect([]byte("abcd"), now, time.Microsecond)
	e.unexpect(2)
	b := []byte("abcd")
	if n, clash := e.drop(b, now); n != 2 || clash || string(b[:n]) != "cd" {
		t.Errorf("%q, %v", b[:n], clash)
	}
}
