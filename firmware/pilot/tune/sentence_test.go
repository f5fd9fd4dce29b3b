package tune

import "testing"

func TestFigure(t *testing.T) {
	for x, want := range map[float64]string{0: "0", 0.61498: "0.615", 6.06: "6.06", 100: "100", 999.6: "1000", 1483.2: "1483", 1967: "1967", 2.5e6: "2500000",
		0.00001234: "0.0000123", -1234.5: "-1234"} {
		if got := Figure(x); got != want {
			t.Errorf("%v is written %s, should be %s", x, got, want)
		}
	}
}
