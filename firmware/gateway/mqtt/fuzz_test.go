package mqtt

import (
	"strings"
	"testing"

	"mien/firmware/operator"
)

// Whatever a host sends: no crash, bounded, and a value of a type that command knows.
func FuzzPayload(f *testing.F) {
	f.Add(asCommand(sent{metric: metric{nameRebirth, typeBoolean, true, 1}}))
	f.Add(asCommand(sent{metric: metric{"Alarms/a/Shelve", typeInt32, int32(-1), 1}, alias: 7}, sent{metric: metric{"s", typeString, "眠気", 1}}, sent{metric: metric{"f", typeFloat, float32(1), 1}}))
	f.Add([]byte(strings.Repeat("\x12\x00", 100)))
	f.Add([]byte{0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	specs := newKnown(nil, 0, true, 100).specsOf(&operator.About{Alarms: []operator.Condition{{Name: "a"}}})
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := decode(b)
		if len(list) > maxCommands {
			t.Fatalf("%d metrics", len(list))
		}
		if err != nil {
			return
		}
		for _, m := range list {
			switch m.value.(type) {
			case nil, bool, string, int64, uint64, float64, struct{}:
			default:
				t.Fatalf("a value of type %T", m.value)
			}
			for i := range specs {
				r, err := command(&specs[i], m.value)
				if err == nil && (specs[i].does == nil || r.For < 0 || r.For > longestCommand) {
					t.Fatalf("%s took %v: %+v", specs[i].name, m.value, r)
				}
			}
		}
		see("spBv1.0/g/NDATA/n", b, 0, false)
	})
}
