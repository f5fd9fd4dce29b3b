package pilot

import (
	"bytes"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"mien/firmware/pilot/tune"
	"mien/firmware/state"
)

func TestSettle(t *testing.T) {
	mark := func(from, to float64, present bool) claim { return claim{span{from, to, present}, true, aMark} }
	drill := func(from, to float64, present bool) claim { return claim{span{from, to, present}, true, aDrill} }
	rest := claim{span{0, 100, false}, true, theRest}
	nobody := claim{span{40, 50, false}, false, aMark}
	for name, c := range map[string]struct {
		claims []claim
		want   []span
	}{
		"nothing":               {nil, nil},
		"one":                   {[]claim{mark(1, 2, true)}, []span{{1, 2, true}}},
		"two that overlap":      {[]claim{mark(1, 3, true), mark(2, 4, true)}, []span{{1, 4, true}}},
		"two that contradict":   {[]claim{mark(1, 3, true), mark(2, 4, false)}, []span{{1, 2, true}, {3, 4, false}}},
		"a mark in a drill":     {[]claim{drill(0, 10, true), mark(4, 6, false)}, []span{{0, 4, true}, {4, 6, false}, {6, 10, true}}},
		"the rest is absent":    {[]claim{rest, mark(10, 20, true), drill(30, 35, true)}, []span{{0, 10, false}, {10, 20, true}, {20, 30, false}, {30, 35, true}, {35, 100, false}}},
		"nobody knows which":    {[]claim{rest, nobody}, []span{{0, 40, false}, {50, 100, false}}},
		"nobody knows, but one": {[]claim{nobody, mark(44, 46, true)}, []span{{44, 46, true}}},
		"false in the rest":     {[]claim{rest, mark(10, 20, false)}, []span{{0, 100, false}}},
	} {
		if got := settle(c.claims); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// Where each alarm was marked, the rest of the session is observed; where one was
// not, it is not. The search for limits reads what is written.
func TestRestIsAbsentWhereAllIsMarked(t *testing.T) {
	u, list := recorded(t)
	tables := func() (*tune.Tables, string) {
		u.sync()
		var levels, truth bytes.Buffer
		if _, err := Tables(list, Export{Shift: 8 * time.Hour, Begins: 6 * time.Hour, In: time.UTC}, &levels, &truth); err != nil {
			t.Fatal(err)
		}
		table := func(name string, b []byte) tune.Table {
			return tune.Table{Name: name, Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }}
		}
		read, err := tune.ReadTables(table("levels", levels.Bytes()), table("truth", truth.Bytes()))
		if err != nil {
			t.Fatalf("%v\n%s", err, truth.String())
		}
		return read, truth.String()
	}
	known := func(read *tune.Tables) (spans, whole time.Duration) {
		err := read.Source("au4")(func(s *tune.Session) error {
			for _, span := range s.Spans {
				spans += span.To - span.From
			}
			whole += s.At[len(s.At)-1] - s.At[0]
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return spans, whole
	}
	raises := append([]raise(nil), u.marker.raises...)
	brow := 0
	for _, r := range raises {
		if r.alarm != "brow" {
			continue
		}
		brow++
		out, _, _, err := u.marker.Mark(state.Mark{Truth: state.Right, Alarm: r.alarm, Ago: u.clock - r.at}, "anna", u.clock, u.start, definitions())
		if err != nil {
			t.Fatal(err)
		}
		u.keeper.Mark(out)
		if brow == 1 && len(raises) > 1 {
			if spans, whole := known(first(tables())); spans >= whole/2 {
				t.Errorf("one of %d alarms is marked, and %v of %v are observed", len(raises), spans, whole)
			}
		}
	}
	if brow < 2 {
		t.Fatalf("%d alarms: %+v", brow, raises)
	}
	read, text := tables()
	spans, whole := known(read)
	if spans < whole-10*time.Millisecond || !strings.Contains(text, "absent") {
		t.Errorf("all is marked, and %v of %v are observed:\n%s", spans, whole, text)
	}
}

func first(t *tune.Tables, _ string) *tune.Tables { return t }
