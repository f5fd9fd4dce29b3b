package pilot

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/state"
	"mien/model/affect"
)

// A recording whose content was changed by somebody who made its sums right again is
// refused, or computed: it is no panic, and takes no more than a bounded time.
func TestHostileRecordings(t *testing.T) {
	u, list := recorded(t)
	u.keeper.Source("anna", u.clock)
	u.keeper.Command(alarm.Command{Do: alarm.SetLimits, Alarm: "brow", Who: "anna", At: u.clock, Wall: u.wall})
	u.keeper.Reload(u.alarms, "reload", u.clock, u.wall)
	u.keeper.Eye(EyeSettings{Networks: []affect.Made{u.made}, Stage: affect.DefaultSettings()})
	u.keeper.Mark(Mark{Truth: state.Right, Shows: []Shown{{"au4", true}}})
	u.keeper.Drill(DrillStep{state.DrillStep{Script: "s", Number: "n", Absent: []string{"au4"}}, u.clock})
	u.frames(50)
	u.sync()
	whole, err := os.ReadFile(list[0])
	if err != nil {
		t.Fatal(err)
	}
	r, _, err := open(list[0])
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	r.file.Seek(int64(len(magic)+1), 0)
	var bodies [][]byte
	for body, err := r.next(); err == nil; body, err = r.next() {
		bodies = append(bodies, bytes.Clone(body))
	}
	if len(bodies) < 4 {
		t.Fatalf("%d chunks", len(bodies))
	}
	random := rand.New(rand.NewPCG(3, 1))
	var p packer
	path := filepath.Join(t.TempDir(), "x-000001.rec")
	refused, began := 0, time.Now()
	for range 150 {
		out := bytes.Clone(whole[:len(magic)+1])
		victim := random.IntN(len(bodies))
		for i, body := range bodies {
			if i == victim {
				body = bytes.Clone(body)
				for range 1 + random.IntN(4) {
					at := random.IntN(len(body))
					switch random.IntN(4) {
					case 0:
						body[at] = byte(random.Uint32())
					case 1:
						body[at] = "0123456789-e,]}\""[random.IntN(16)]
					case 2:
						body = append(body[:at], body[min(len(body), at+1+random.IntN(20)):]...)
					case 3:
						body = append(body[:at], append([]byte("9999999"), body[at:]...)...)
					}
					if len(body) == 0 {
						break
					}
				}
			}
			chunk, err := p.pack(body)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, chunk...)
		}
		os.WriteFile(path, out, 0o600)
		var levels, truth bytes.Buffer
		if told, err := Tables([]string{path}, Export{Shift: time.Hour, In: time.UTC}, &levels, &truth); err != nil || len(told.Damage) > 0 {
			refused++
		}
	}
	t.Logf("150 changed recordings, %d refused or cut short, %v", refused, time.Since(began))
	if refused < 40 || refused == 150 {
		t.Errorf("%d are refused", refused)
	}
}
