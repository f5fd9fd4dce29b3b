package operator

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

// The line that is written by hand says what encoding/json would, whatever the state is.
func TestLineIsWhatJSONSays(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var n Now
		fillIn(r, reflect.ValueOf(&n).Elem())
		n.Clock.Time = time.Unix(r.Int64N(1<<33), r.Int64N(1e9)).UTC()
		n.Pilot = new(Pilot)
		fillIn(r, reflect.ValueOf(n.Pilot).Elem())
		n.Pilot.Signals = nil // the stream has them elsewhere
		if r.IntN(2) == 0 {
			n.Pilot.Begun, n.Pilot.Ends = n.Clock.Time, n.Clock.Time.Add(time.Hour)
		}
		line := n.append(nil)
		want, err := json.Marshal(Told{State: &n})
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(line) || line[len(line)-1] != '\n' {
			t.Fatalf("no line of JSON: %s", line)
		}
		if !reflect.DeepEqual(loose(t, line), loose(t, want)) {
			t.Fatalf("\n%s, want\n%s", line, want)
		}
	}
}

func loose(t *testing.T, text []byte) (v any) {
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return v
}

var awkward = []string{"", "lamp", "警報", "a \"quoted\" \\ name", "<script>&", "\x00\x1f\u2028", "\xff\xfe", "µ"}

// fillIn sets every field of what the stream tells, the empty and the awkward among them.
func fillIn(r *rand.Rand, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fillIn(r, v.Field(i))
			}
		}
	case reflect.Pointer:
		if r.IntN(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fillIn(r, v.Elem())
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), r.IntN(4), 4)) // never nil: read makes none
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			fillIn(r, v.Index(i))
		}
	case reflect.String:
		v.SetString(awkward[r.IntN(len(awkward))])
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Int, reflect.Int64:
		v.SetInt(r.Int64() - math.MaxInt64/2)
	case reflect.Uint64:
		v.SetUint(r.Uint64())
	case reflect.Float32:
		x := places(float32(r.NormFloat64() * 100))
		if v.Type() == reflect.TypeFor[level]() && r.IntN(5) == 0 {
			x = float32(math.NaN())
		}
		v.SetFloat(float64(x))
	}
}
