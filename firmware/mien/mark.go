package main

import (
	"fmt"

	"mien/firmware/alarm"
	"mien/firmware/operator"
	"mien/firmware/state"
)

// operatorMark is `mien mark`: somebody says whether an alarm was right.
func operatorMark(c *call) error {
	ago := c.Duration("ago", 0, "how long `AGO` it was, such as 2m; without: just now, or the newest alarm")
	return c.tell(2, func() (operator.Request, error) {
		r := operator.Request{Ask: operator.AskMark, Mark: c.Arg(0), Alarm: c.Arg(1), For: *ago}
		if _, err := state.ParseTruth(c.Arg(0)); err != nil {
			return r, usageError("say right, false, missed or withdraw: mien mark missed \"eyes closed\" -ago 2m")
		}
		if *ago < 0 {
			return r, usageError(fmt.Sprintf("-ago %s is in the future; write how long ago it was, such as 2m", alarm.Time(*ago)))
		}
		return r, nil
	})
}
