package operator

import (
	"fmt"
	"slices"

	"mien/firmware/alarm"
	"mien/firmware/state"
)

// Role is what a person may do whom a gateway let in. Each may what those before it
// may.
type Role string

const (
	Viewer        Role = "viewer"
	Operator      Role = "operator"
	Engineer      Role = "engineer"
	Administrator Role = "administrator"
)

// PLC is what a PLC may that reaches the unit through a gateway: what it may by its own
// line, and no more. No person has it.
const PLC Role = "plc"

var plcRights = []string{"status", "do.acknowledge", "do.reset", "do.silence", "do.shelve", "do.unshelve", "do.inhibit", "do.uninhibit", "do.set limits", "do.note",
	"test", "mark", "clock"}

var roles = []Role{Viewer, Operator, Engineer, Administrator}

// ParseRole reads the name of a role.
func ParseRole(word string) (Role, error) {
	if r := Role(word); slices.Contains(roles, r) {
		return r, nil
	}
	return "", fmt.Errorf("%q is not viewer, operator, engineer or administrator", word)
}

// rights are what can be asked, with the least role that may.
var rights = map[string]Role{
	"status": Viewer, "pilot.drift": Viewer, "alarms": Viewer, "events": Viewer, "stream": Viewer, "pilot": Viewer, "card": Viewer,

	"do.acknowledge": Operator, "do.reset": Operator, "do.silence": Operator, "do.shelve": Operator, "do.unshelve": Operator,
	"do.note": Operator, "mark": Operator, "pilot.drill": Operator,

	"do.take out": Engineer, "do.put back": Engineer, "do.inhibit": Engineer, "do.uninhibit": Engineer, "test": Engineer,
	"pilot.start": Engineer, "pilot.stop": Engineer, "pilot.baseline": Engineer,
	"study": Engineer, "serial": Engineer, "try": Engineer, "config.set": Engineer,
	"config": Engineer, "config.check": Engineer, "config.version": Engineer, "config.apply": Engineer, // less some keys: Vital

	"pilot.erase": Administrator, "pilot.erase baseline": Administrator, "clock": Administrator,
}

// Right is what a request needs: "status", "do.acknowledge", "config.apply".
func (r Request) Right() string {
	switch {
	case r.Ask == AskDo:
		return string(r.Ask) + "." + alarm.Trigger(r.Do).String()
	case r.Ask == AskPilot && r.Pilot != "":
		return string(r.Ask) + "." + string(r.Pilot)
	case r.Ask == AskConfig && r.Config != nil:
		return string(r.Ask) + "." + string(r.Config.Do)
	}
	return string(r.Ask)
}

// denied gives the first right that a request for somebody needs and lacks, "" for none.
func (r Request) denied() string {
	needs := []string{r.Right()}
	if r.Ask == AskBatch {
		needs = []string{"status"}
		for i := range r.Batch {
			needs = append(needs, rightTo(&r.Batch[i]))
		}
	}
	for _, right := range needs {
		if r.Who == "" || !r.Role.May(right) {
			return right
		}
	}
	return ""
}

// rightTo is what a command of a batch needs. What has a request of its own is not for
// batches.
func rightTo(c *state.Command) string {
	switch c.Do {
	case state.Alarms:
		return string(AskDo) + "." + c.Alarm.Do.String()
	case state.TestOutputs:
		return string(AskTest)
	case state.MarkAlarm:
		return string(AskMark)
	case state.SetClock:
		return string(AskClock)
	}
	return string(AskBatch) + "." + c.String()
}

// May tells whether the role has a right. What no table names, nobody has.
func (r Role) May(right string) bool {
	if r == PLC {
		return slices.Contains(plcRights, right)
	}
	least, known := rights[right]
	return known && slices.Contains(roles, r) && slices.Index(roles, r) >= slices.Index(roles, least)
}

// Rights lists what the role may, in the order of their names.
func (r Role) Rights() (list []string) {
	for right := range rights {
		if r.May(right) {
			list = append(list, right)
		}
	}
	slices.Sort(list)
	return list
}
