package drift

import (
	"encoding/json"
	"fmt"
	"math"
)

// number is one that may be unknown: NaN, which JSON has as null.
type number float64

func (n number) MarshalJSON() ([]byte, error) {
	if n != n {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

func (n *number) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		*n = number(math.NaN())
		return nil
	}
	return json.Unmarshal(text, (*float64)(n))
}

// hours says so many seconds in hours.
func hours(seconds float64) string { return fmt.Sprintf("%.1f h", seconds/3600) }
