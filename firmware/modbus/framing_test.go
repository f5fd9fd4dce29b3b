package modbus_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"mien/firmware/modbus"
	"mien/firmware/modbus/modbustest"
)

func ours(pdu ...byte) []byte { return modbustest.Frame(1, pdu) }

func join(all ...[]byte) []byte { return bytes.Join(all, nil) }

// Each line is something that a bus does, and how many answers it brings.
func TestFraming(t *testing.T) {
	read := ours(words(4, 50, 2)...) // 8 bytes
	beat := ours(words(6, 0, 7)...)
	foreign := modbustest.Frame(9, words(3, 0, 20))
	reply := modbustest.Frame(9, append([]byte{3, 40}, make([]byte, 40)...))
	trap := modbustest.Frame(9, append([]byte{3, 40}, append(beat, make([]byte, 32)...)...))
	long := make([]byte, 300)
	for i := range long {
		long[i] = 0x55
	}
	gap, short, pause := 2*ms, 500*time.Microsecond, 16*ms
	for _, c := range []struct {
		name   string
		events []event
		want   int
	}{
		{"a request", []event{{gap, read}}, 1},
		{"one character at a time", []event{{gap, read[:1]}, {short, read[1:2]}, {short, read[2:3]}, {short, read[3:4]}, {short, read[4:5]}, {short, read[5:6]}, {short, read[6:7]}, {short, read[7:]}}, 1},
		{"an adapter's pause in the middle", []event{{gap, read[:3]}, {pause, read[3:]}}, 1},
		{"an adapter's pause before the last character", []event{{gap, read[:7]}, {pause, read[7:]}}, 1},
		{"half, and nothing more", []event{{gap, read[:5]}}, 0},
		{"half, and the rest much too late", []event{{gap, read[:5]}, {time.Second, read[5:]}}, 0},
		{"half, silence, whole", []event{{gap, read[:5]}, {gap, read}}, 1},
		{"half a long one, silence, whole", []event{{gap, ours(block(0, make([]int, 100)...)...)[:60]}, {gap, read}}, 1},
		{"wrong CRC, silence, whole", []event{{gap, append(bytes.Clone(read[:7]), 0)}, {gap, read}}, 1},
		{"noise, silence, whole", []event{{gap, []byte{0x80, 0xFF, 1, 4, 0}}, {gap, read}}, 1},
		{"noise longer than any frame, silence, whole", []event{{gap, long}, {short, long}, {gap, read}}, 1},
		{"noise right before", []event{{gap, join([]byte{0xFE}, read)}}, 0},
		{"FF right before", []event{{gap, join([]byte{0xFF}, read)}}, 1},
		{"00 right before", []event{{gap, join([]byte{0}, read)}}, 1},
		{"00 right before, character by character", []event{{gap, []byte{0}}, {short, read[:1]}, {short, read[1:2]}, {short, read[2:7]}, {short, read[7:]}}, 1},
		{"00 and FF right before", []event{{gap, join([]byte{0, 0xFF}, read)}}, 0},
		{"FF right before each", []event{{gap, join([]byte{0xFF}, read)}, {gap, join([]byte{0xFF}, beat)}, {gap, read}}, 3},
		{"a broadcast", []event{{gap, modbustest.Frame(0, words(6, 0, 1))}, {gap, read}}, 1},
		{"noise right behind", []event{{gap, join(read, []byte{0xFF})}}, 1},
		{"noise right behind each", []event{{gap, join(read, []byte{0xFF})}, {gap, join(read, []byte{0})}, {gap, join(read, []byte{1})}}, 3},
		{"another's exchange, then ours", []event{{gap, foreign}, {gap, reply}, {gap, read}}, 1},
		{"another's exchange and ours in one breath", []event{{gap, join(foreign, reply, read)}}, 1},
		{"another does not answer", []event{{gap, foreign}, {gap, read}}, 1},
		{"another's data look like a request for us", []event{{gap, foreign}, {gap, trap}, {gap, read}}, 1},
		{"... and come in pieces cut just there", []event{{gap, foreign}, {gap, trap[:3]}, {pause, trap[3:]}, {gap, read}}, 1},
		{"... and cut again behind it", []event{{gap, foreign}, {gap, trap[:3]}, {pause, trap[3:11]}, {short, trap[11:]}, {gap, read}}, 1},
		{"unknown function of another, glued", []event{{gap, join(modbustest.Frame(9, []byte{100, 1, 2, 3, 4, 5}), read)}}, 1},
		{"damaged character", nil, 0},
		{"two requests at once: only the newest is waited for", []event{{gap, join(beat, read)}}, 1},
		{"two masters that take turns", []event{{gap, read}, {gap, beat}, {gap, read}, {gap, beat}}, 4},
		{"one byte", []event{{gap, []byte{1}}}, 0},
		{"two bytes", []event{{gap, []byte{1, 3}}}, 0},
		{"break", []event{{gap, []byte{0}}}, 0},
		{"zeros", []event{{gap, make([]byte, 200)}, {gap, read}}, 1},
	} {
		r := newRig(t, nil)
		if c.events == nil {
			r.corrupt = true
			c.events, c.want = []event{{gap, read}, {gap, read}}, 1
		}
		got := r.play(t, c.events...)
		if len(got) != c.want {
			t.Errorf("%s: %d answers % X, want %d", c.name, len(got), got, c.want)
		}
		for _, a := range got {
			if modbus.CRC(a) != 0 || a[1]&0x80 != 0 {
				t.Errorf("%s: answer % X", c.name, a)
			}
		}
		// Whatever happened: after one silence, all is well.
		r.want(t, words(4, 50, 2), []byte{4, 4, 0x12, 0x34, 0x56, 0x78})
	}
}

// A write that a later request overtook is obeyed, but not answered.
func TestOvertakenRequestIsObeyed(t *testing.T) {
	r := newRig(t, nil)
	got := r.play(t, event{time.Second, join(ours(words(6, 0, 0xABCD)...), ours(words(3, 0, 1)...))})
	if len(got) != 1 || !bytes.Equal(got[0], ours(3, 2, 0xAB, 0xCD)) {
		t.Errorf("% X", got)
	}
	// Another's request behind ours: the master has moved on.
	got = r.play(t, event{time.Second, join(ours(words(3, 0, 1)...), modbustest.Frame(9, words(3, 0, 1)))})
	if len(got) != 0 {
		t.Errorf("% X", got)
	}
	if s := r.Stats(); s.NoResponses != 2 {
		t.Errorf("%+v", s)
	}
}

func TestDelay(t *testing.T) {
	r := newRig(t, func(c *modbus.Config) { c.Delay = 5 * ms })
	var at []time.Duration
	r.wrote = func(now time.Duration, p []byte) { at = append(at, now) }
	start := r.now
	r.play(t, event{time.Second, ours(words(3, 0, 1)...)})
	if len(at) != 1 || at[0]-start != time.Second+5*ms {
		t.Errorf("answered after %v", at)
	}
	// The master asks again before the answer: one answer, to the new request.
	at = nil
	start = r.now
	r.play(t, event{time.Second, ours(words(3, 0, 1)...)}, event{3 * ms, ours(words(3, 0, 1)...)})
	if len(at) != 1 || at[0]-start != time.Second+8*ms {
		t.Errorf("answered after %v, %v", at, start)
	}
}

// A request that was obeyed just before the end is answered all the same.
func TestEndAnswersWhatWaits(t *testing.T) {
	r := newRig(t, func(c *modbus.Config) { c.Delay = 500 * ms })
	ctx, stop := context.WithCancel(t.Context())
	asked := false
	r.script = func() (time.Duration, []byte, bool) {
		if asked {
			stop()
			return r.now + time.Hour, []byte{0}, true
		}
		asked = true
		return r.now + ms, ours(words(3, 0, 1)...), true
	}
	var got [][]byte
	r.wrote = func(_ time.Duration, p []byte) { got = append(got, bytes.Clone(p)) }
	if err := r.Serve(ctx, &r.bus); !errors.Is(err, context.Canceled) || len(got) != 1 || got[0][1] != 3 {
		t.Errorf("%v after % X", err, got)
	}
}

// A line that gives back what we send: nothing of it is taken for a request,
// whatever the settings say.
func TestEcho(t *testing.T) {
	r := newRig(t, nil)
	queue := []event{}
	ask := [][]byte{
		ours(words(3, 0, 1)...), ours(words(1, 0, 24)...), ours(block(0, 1)...), ours(words(3, 400, 1)...),
		ours(words(6, 0, 1)...), ours(words(6, 0, 1)...), ours(words(8, 0, 1)...), ours(43, 14, 1, 0),
	}
	answers, i := 0, 0
	r.wrote = func(_ time.Duration, p []byte) {
		answers++
		queue = append(queue, event{ms, bytes.Clone(p)})
	}
	r.script = func() (time.Duration, []byte, bool) {
		if len(queue) == 0 {
			if i == len(ask) {
				return 0, nil, false
			}
			queue = append(queue, event{100 * ms, ask[i]})
			i++
		}
		e := queue[0]
		queue = queue[1:]
		return r.now + e.after, e.p, true
	}
	// The script looks for an echo only when the slave reads again, which it
	// does after it has answered.
	if err := r.Serve(t.Context(), &r.bus); err == nil {
		t.Fatal("no end")
	}
	if s := r.Stats(); answers != len(ask) || int(s.Echoes+s.ForeignReplies) != len(ask) {
		t.Errorf("%d answers to %d requests: %+v", answers, len(ask), s)
	}
}

// An echo of an answer that equals its request, as the first thing on the line: the
// unit asks by a "busy", once, and never answers an echo again.
func TestEchoOfAWriteComesFirst(t *testing.T) {
	write := ours(words(6, 0, 1)...)
	for name, damaged := range map[string]bool{"whole": false, "the first one damaged": true} {
		r := newRig(t, nil)
		var queue []event
		var answers [][]byte
		r.wrote = func(_ time.Duration, p []byte) {
			answers = append(answers, bytes.Clone(p))
			back := bytes.Clone(p)
			if damaged && len(answers) == 1 {
				back[3] ^= 1
			}
			queue = append(queue, event{ms, back})
		}
		asks := 0
		r.script = func() (time.Duration, []byte, bool) {
			if len(queue) == 0 {
				if asks == 20 {
					return 0, nil, false
				}
				asks++
				queue = append(queue, event{100 * ms, write})
			}
			e := queue[0]
			queue = queue[1:]
			if len(answers) > 1000 {
				return 0, nil, false
			}
			return r.now + e.after, e.p, true
		}
		if err := r.Serve(t.Context(), &r.bus); err == nil {
			t.Fatal("no end")
		}
		busy := 0
		for _, a := range answers {
			if bytes.Equal(a, ours(0x86, 6)) {
				busy++
			} else if !bytes.Equal(a, write) {
				t.Errorf("%s: answered % X", name, a)
			}
		}
		if busy != 1 || len(answers) > 20+1+longRun || !damaged && len(answers) != 20+1 {
			t.Errorf("%s: %d answers to 20 requests, %d of them busy", name, len(answers), busy)
		}
	}
}

const longRun = 100 // the slave's

// Without an echo, the same request again and again is a request.
func TestRepeatedRequestIsNoEcho(t *testing.T) {
	r := newRig(t, nil)
	var events []event
	for range 50 {
		events = append(events, event{2 * ms, ours(words(6, 0, 1)...)})
	}
	if got := r.play(t, events...); len(got) != 50 {
		t.Errorf("%d answers", len(got))
	}
}

func TestSilentIntervalFollowsTheBaudRate(t *testing.T) {
	// At 1200 baud a character takes 9.2 ms: pieces 20 ms apart belong
	// together without any doubt, and 40 ms are a silence.
	r := newRig(t, func(c *modbus.Config) { c.CharacterTime = 11 * time.Second / 1200 })
	read := ours(words(4, 50, 2)...)
	if got := r.play(t, event{time.Second, read[:4]}, event{20 * ms, read[4:]}); len(got) != 1 {
		t.Errorf("% X", got)
	}
	if got := r.play(t, event{time.Second, []byte{1, 4, 9}}, event{40 * ms, read}); len(got) != 1 {
		t.Errorf("% X", got)
	}
}

func TestNoAllocation(t *testing.T) {
	r := newRig(t, nil)
	r.recorder.Reserve(100_000)
	r.wrote = func(time.Duration, []byte) {}
	requests := [][]byte{
		ours(words(3, 0, 74)...), ours(words(4, 0, 125)...), ours(words(4, 200, 125)...), ours(words(1, 0, 24)...), ours(words(2, 0, 96)...),
		ours(words(6, 0, 1)...), ours(block(10+4, 800, 700, 1, 1)...), ours(words(22, 0, 0, 1)...), ours(words(8, 12, 0)...), ours(43, 14, 2, 0),
		ours(99), ours(words(3, 400, 1)...), ours(words(5, 0, 0xFF00)...), ours(words(5, 0, 0)...), {1, 2, 3}, modbustest.Frame(0, words(6, 0, 1)),
	}
	i, left := 0, 0
	r.script = func() (time.Duration, []byte, bool) {
		if left == 0 {
			return 0, nil, false
		}
		left--
		i++
		return r.now + 3*ms, requests[i%len(requests)], true
	}
	const rounds = 8
	serve := func() {
		left = rounds * len(requests)
		r.next.held = false
		_ = r.Serve(t.Context(), &r.bus)
	}
	serve()
	// What Serve allocates at its end, for its error, is not a request's. It
	// is not the same at each end (the race detector lets pools lose things by
	// chance), but a request that allocates does so in every round.
	end := testing.AllocsPerRun(50, func() { left = 0; r.next.held = false; _ = r.Serve(t.Context(), &r.bus) })
	if n := testing.AllocsPerRun(50, serve); n-end >= rounds/2 {
		t.Errorf("%.1f allocations in %d requests", n-end, rounds*len(requests))
	}
}
