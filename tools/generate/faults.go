package main

import (
	"fmt"
	"io"
	"time"

	"mien/firmware/health"
)

// faultTable writes every fault, in the order of its bit.
func faultTable(w io.Writer) error {
	_, err := fmt.Fprintln(w, "| code | bit | fault | what it means | effect | detected within | how it ends |\n|---|---|---|---|---|---|---|")
	for _, f := range health.Faults() {
		if err != nil {
			return err
		}
		i := f.Info()
		effect := "degrades"
		if i.Effect == health.Stops {
			effect = "**stops**"
		}
		detect := fmt.Sprintf("%g s", i.Detect.Seconds())
		if i.Detect >= 24*time.Hour {
			detect = fmt.Sprintf("%g days", i.Detect.Hours()/24)
		}
		_, err = fmt.Fprintf(w, "| %s | %d | %s | %s | %s | %s | %s |\n", i.Code, f, i.Name, i.Text, effect, detect, i.Back)
	}
	return err
}
