package alarm

import (
	"strings"
	"testing"
	"time"
)

// expected is the state table as ISA-18.2 and design have it, written down
// apart from Transitions. One line a state; one column a trigger, in their
// order. "!" marks a command that is refused, "=" that nothing changes, "b"
// that what lies beneath is shown. The alarm needs acknowledgement; where a
// latching alarm differs, it stands behind a slash.
const expected = `
            raise clear   ack  reset shelve unshelve expire suppress unsuppress takeout putback realarm
N           U     =       !    !     SH     !        =      SD       =          OS      !       =
U           =     RU/LU   A    !     SH     !        =      SD       =          OS      !       =
A           =     N/LA    !    !     SH     !        =      SD       =          OS      !       U
RU          U     =       N    !     SH     !        =      SD       =          OS      !       =
LU          U     =       LA   !     SH     !        =      SD       =          OS      !       =
LA          U     =       !    N     SH     !        =      SD       =          OS      !       =
SH          =     =       =    =     =      b        b      =        =          OS      !       =
SD          =     =       =    =     SH     !        =      =        b          OS      !       =
OS          =     =       =    =     !      !        =      =        =          !       b       =
`

var short = map[string]State{"N": Normal, "U": Unacknowledged, "A": Acknowledged, "RU": ReturnedUnacknowledged, "LU": LatchedUnacknowledged,
	"LA": LatchedAcknowledged, "SH": Shelved, "SD": SuppressedByDesign, "OS": OutOfService}

func one(t *testing.T, d Definition) *Engine {
	t.Helper()
	if d.Name == "" {
		d.Name = "a"
	}
	if d.Conditions == nil {
		d.Conditions = []Condition{{Signal: "s", Limit: 0.5}}
	}
	e, err := New([]Definition{d}, []string{"s", "t"}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// put takes an alarm to a state with Normal beneath a cover.
func put(it *item, s State) {
	it.life, it.cover = s, cover{}
	switch s {
	case Shelved:
		it.life, it.shelved, it.until = Normal, true, time.Hour
	case SuppressedByDesign:
		it.life, it.suppressed = Normal, true
	case OutOfService:
		it.life, it.out = Normal, true
	}
}

func TestEveryStateWithEveryTrigger(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(expected), "\n")[1:]
	if len(lines) != len(States) {
		t.Fatalf("%d lines for %d states", len(lines), len(States))
	}
	pairs := 0
	for _, line := range lines {
		words := strings.Fields(line)
		from := short[words[0]]
		if len(words)-1 != len(Triggers()) {
			t.Fatalf("%v: %d columns for %d triggers", from, len(words)-1, len(Triggers()))
		}
		for i, on := range Triggers() {
			for _, latch := range []bool{false, true} {
				want := words[1+i]
				if a, b, ok := strings.Cut(want, "/"); ok {
					want = a
					if latch {
						want = b
					}
				}
				pairs++
				e := one(t, Definition{Latch: latch})
				it := e.items[0]
				put(it, from)
				if from.Covered() && (on == Acknowledge || on == Reset) {
					// They act beneath: give them something to act on.
					it.life = LatchedUnacknowledged
					if on == Reset {
						it.life = LatchedAcknowledged
					}
				}
				life := it.life
				refused := e.fire(it, on, "tester", "")
				to := it.shown()
				where := from.String() + " + " + on.String()
				if (refused != "") != (want == "!") {
					t.Errorf("%s: refused %q, want %s", where, refused, want)
				}
				wantState := from
				switch want {
				case "!", "=":
				case "b":
					wantState = Normal
				default:
					wantState = short[want]
				}
				if to != wantState {
					t.Errorf("%s (latch %v): %v, want %v", where, latch, to, wantState)
				}
				changed := to != from || it.life != life
				if changed && (len(e.events) == 0 || e.events[0].From != from || e.events[0].To != to || e.events[0].Life != it.life || e.events[0].Trigger != on) {
					t.Errorf("%s: changed without its event: %v", where, e.events)
				}
				if refused != "" && len(e.events) > 0 {
					t.Errorf("%s: refused, yet %v", where, e.events)
				}
				if r := row(from, on, true, latch); r.To != Beneath && r.To != to {
					t.Errorf("%s: the engine goes to %v, the table says %v", where, to, r.To)
				} else if r.Refused != (refused != "") {
					t.Errorf("%s: the engine refuses %q, the table %v", where, refused, r.Refused)
				}
			}
		}
	}
	if pairs != 9*12*2 {
		t.Errorf("%d pairs tried", pairs)
	}
}

// Each pair has exactly one row for each alarm that can be defined.
func TestTransitionsAreComplete(t *testing.T) {
	for _, from := range States {
		for _, on := range Triggers() {
			for _, ack := range []bool{false, true} {
				for _, latch := range []bool{false, true} {
					n := 0
					for _, r := range Transitions {
						if r.From == from && r.On == on && (r.If == Always || r.If == IfAck && ack || r.If == IfNoAck && !ack || r.If == IfLatch && latch || r.If == IfNoLatch && !latch) {
							n++
							if (r.Refused || r.To == r.From) && r.Note == "" {
								t.Errorf("%v + %v: no reason given", from, on)
							}
							if r.Refused && r.To != r.From {
								t.Errorf("%v + %v: refused, yet leads to %v", from, on, r.To)
							}
						}
					}
					if n != 1 {
						t.Errorf("%v + %v (ack %v, latch %v): %d rows", from, on, ack, latch, n)
					}
				}
			}
		}
	}
}

// What a cover hides comes back as it is by then.
func TestWhatLiesBeneath(t *testing.T) {
	covers := []struct {
		state State
		end   Trigger
	}{{Shelved, Unshelve}, {Shelved, Expire}, {SuppressedByDesign, Unsuppress}, {OutOfService, PutBack}}
	for _, c := range covers {
		for _, life := range States[:6] {
			for _, latch := range []bool{false, true} {
				for _, on := range []Trigger{Raise, Clear, Acknowledge, Reset} {
					e := one(t, Definition{Latch: latch})
					it := e.items[0]
					put(it, c.state)
					it.life = life
					it.present = life.Active()
					it.value = no
					e.fire(it, on, "", "")
					want := row(life, on, true, latch).To
					if on == Raise && (life == Normal || life == LatchedAcknowledged) {
						want = life // held back
					}
					if it.shown() != c.state || it.life != want {
						t.Fatalf("%v over %v + %v: shown %v, beneath %v, want %v", c.state, life, on, it.shown(), it.life, want)
					}
					e.fire(it, c.end, "", "")
					if it.shown() != want {
						t.Errorf("%v over %v + %v + %v: %v, want %v", c.state, life, on, c.end, it.shown(), want)
					}
				}
			}
		}
	}
}

func TestNamesRoundTrip(t *testing.T) {
	for _, s := range States {
		text, _ := s.MarshalText()
		var back State
		if err := back.UnmarshalText(text); err != nil || back != s {
			t.Errorf("%v: %v %v", s, back, err)
		}
	}
	for i := range triggers {
		text, _ := Trigger(i).MarshalText()
		var back Trigger
		if err := back.UnmarshalText(text); err != nil || back != Trigger(i) || len(text) == 0 {
			t.Errorf("%v: %v %v", Trigger(i), back, err)
		}
	}
	var s State
	var tr Trigger
	var p Priority
	var side Side
	if s.UnmarshalText([]byte("nonsense")) == nil || tr.UnmarshalText(nil) == nil || p.UnmarshalText([]byte("5")) == nil || side.UnmarshalText([]byte("beside")) == nil {
		t.Error("nonsense was taken")
	}
	// The numbers are in the register map.
	for i, s := range States {
		if int(s) != i {
			t.Errorf("%v is %d, published as %d", s, s, i)
		}
	}
}
