package affect

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"
)

// TestKeptStageGoesOn stops stages at many frames, takes another on from what was
// kept, by way of JSON, and holds every level of the next frames against the first.
func TestKeptStageGoesOn(t *testing.T) {
	card, _, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(7, 8))
	settings := DefaultSettings()
	settings.PerclosWindow, settings.PerclosKnown = 5*time.Second, time.Second
	for _, kind := range []string{Box, Gaussian, NoFilter} {
		for _, f := range []*Filter{&settings.Expression, &settings.ValenceArousal, &settings.ActionUnits, &settings.Compound} {
			f.Kind = kind
		}
		first, err := NewStage(settings, card)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Duration(0)
		result := func() []*Result {
			if rng.IntN(10) == 0 {
				return nil
			}
			r := &Result{}
			r.size(card)
			for i := range r.ActionUnits {
				r.ActionUnits[i] = rng.Float32()
			}
			for i := range r.Expression {
				r.Expression[i] = rng.Float32()
			}
			return []*Result{r}
		}
		for stop := range 40 {
			for range stop * 7 {
				now += time.Duration(1 + rng.IntN(80_000_000))
				first.Step(now, result())
			}
			text, err := json.Marshal(first.Keep(true))
			if err != nil {
				t.Fatal(err)
			}
			var kept Kept
			if err := json.Unmarshal(text, &kept); err != nil {
				t.Fatal(err)
			}
			second, _ := NewStage(settings, card)
			if err := second.Resume(&kept); err != nil {
				t.Fatal(err)
			}
			for range 60 {
				now += time.Duration(1 + rng.IntN(80_000_000))
				r := result()
				want := first.Step(now, r)
				got := second.Step(now, r)
				for i := range want {
					if want[i] != got[i] && (want[i] == want[i] || got[i] == got[i]) {
						t.Fatalf("%s, stop %d: %s is %v, should be %v", kind, stop, first.Signals()[i], got[i], want[i])
					}
				}
			}
			if text, _ := json.Marshal(first.Keep(false)); bytes.Contains(text, []byte("NaN")) {
				t.Fatal("NaN")
			}
		}
	}
}

// TestKeptWithoutEmotions: what somebody feels is in no copy that is kept without
// a purpose.
func TestKeptWithoutEmotions(t *testing.T) {
	card, _, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	s, _ := NewStage(DefaultSettings(), card)
	r := &Result{}
	r.size(card)
	for i := range r.Expression {
		r.Expression[i] = 0.5
	}
	for i := range 10 {
		s.Step(time.Duration(i)*33*time.Millisecond, []*Result{r})
	}
	count := func(k *Kept) (known int) {
		for i, g := range s.groups {
			for j, l := range k.Groups[i].Rows {
				if emotion(s.signals[g.from+j%g.bank.width]) && l == l {
					known++
				}
			}
		}
		return
	}
	if n := count(s.Keep(true)); n == 0 {
		t.Error("with emotions there is none")
	}
	if n := count(s.Keep(false)); n != 0 {
		t.Errorf("%d levels of emotions are kept without a purpose", n)
	}
}

// TestRecordedNetworkReadsTheSame: what was kept of a network's outputs gives the
// same result as the network itself gave.
func TestRecordedNetworkReadsTheSame(t *testing.T) {
	card, model, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	net := unloadedNetwork(t, card, model)
	made, err := net.Made()
	if err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(made)
	var back Made
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	again, err := Recorded(back)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	var want, got Result
	for range 200 {
		for _, o := range net.net.Outputs() {
			for i := range o.Data {
				o.Data[i] = byte(rng.Uint32())
			}
		}
		net.read(&want)
		for _, emotions := range []bool{true, false} {
			raw := net.AppendRaw(nil, emotions)
			if len(raw) != net.RawSize(emotions) {
				t.Fatalf("%d bytes, %d said", len(raw), net.RawSize(emotions))
			}
			if rest, err := again.ReadRaw(raw, emotions, &got); err != nil || len(rest) != 0 {
				t.Fatal(rest, err)
			}
			a, b := make([]float32, 64), make([]float32, 64)
			want.Levels(a)
			got.Levels(b)
			for i := range a {
				if a[i] != b[i] && a[i] == a[i] && (emotions || b[i] == b[i]) {
					t.Fatalf("level %d is %v, should be %v", i, b[i], a[i])
				}
			}
			if got.Covered != want.Covered {
				t.Fatal("covered differs")
			}
			if _, err := again.ReadRaw(raw[1:], emotions, &got); err == nil {
				t.Fatal("a short one is taken")
			}
		}
	}
}

func unloadedNetwork(t *testing.T, card *Card, model []byte) *Network {
	t.Helper()
	net, err := card.Unloaded(model)
	if err != nil {
		t.Fatal(err)
	}
	return net
}
