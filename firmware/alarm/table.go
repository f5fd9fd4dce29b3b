package alarm

// Guard is a property of an alarm on which a transition depends.
type Guard uint8

const (
	Always    Guard = iota
	IfAck           // the alarm needs acknowledgement
	IfNoAck         // it does not
	IfLatch         // the alarm latches
	IfNoLatch       // it does not
)

var guardNames = [...]string{"", "needs acknowledgement", "needs none", "latching", "not latching"}

// String gives the guard in words, "" for Always.
func (g Guard) String() string { return guardNames[g] }

// Transition is one row of the state table.
type Transition struct {
	From State
	On   Trigger
	If   Guard
	To   State // Beneath: what the cover hid. Equal to From: nothing changes as shown
	// Refused says that a command is not possible in this state; Note is then
	// the reason that whoever gave it is told.
	Refused bool
	Note    string
}

// Transitions is the one table of states and events: every state with every
// trigger from Raise to ReAlarm, once for each guard that tells apart. The
// engine runs it and the picture in the documents is drawn from it.
//
// In the three covering states Raise, Clear, Acknowledge and Reset act on the
// life beneath, by the rows of the life's own state; only a Raise from Normal
// or LatchedAcknowledged is held back until the cover goes.
var Transitions = []Transition{
	{Normal, Raise, IfAck, Unacknowledged, false, ""},
	{Normal, Raise, IfNoAck, Acknowledged, false, ""},
	{Normal, Clear, Always, Normal, false, "already gone"},
	{Normal, Acknowledge, Always, Normal, true, "there is nothing to acknowledge"},
	{Normal, Reset, Always, Normal, true, "it is not latched"},

	{Unacknowledged, Raise, Always, Unacknowledged, false, "already raised"},
	{Unacknowledged, Clear, IfLatch, LatchedUnacknowledged, false, ""},
	{Unacknowledged, Clear, IfNoLatch, ReturnedUnacknowledged, false, ""},
	{Unacknowledged, Acknowledge, Always, Acknowledged, false, ""},
	{Unacknowledged, Reset, Always, Unacknowledged, true, "its condition is present, and it is not acknowledged"},

	{Acknowledged, Raise, Always, Acknowledged, false, "already raised"},
	{Acknowledged, Clear, IfLatch, LatchedAcknowledged, false, ""},
	{Acknowledged, Clear, IfNoLatch, Normal, false, ""},
	{Acknowledged, Acknowledge, Always, Acknowledged, true, "it is acknowledged already"},
	{Acknowledged, Reset, Always, Acknowledged, true, "its condition is present"},

	{ReturnedUnacknowledged, Raise, Always, Unacknowledged, false, ""},
	{ReturnedUnacknowledged, Clear, Always, ReturnedUnacknowledged, false, "already gone"},
	{ReturnedUnacknowledged, Acknowledge, Always, Normal, false, ""},
	{ReturnedUnacknowledged, Reset, Always, ReturnedUnacknowledged, true, "it is not latched, and not acknowledged"},

	{LatchedUnacknowledged, Raise, Always, Unacknowledged, false, ""},
	{LatchedUnacknowledged, Clear, Always, LatchedUnacknowledged, false, "already gone"},
	{LatchedUnacknowledged, Acknowledge, Always, LatchedAcknowledged, false, ""},
	{LatchedUnacknowledged, Reset, Always, LatchedUnacknowledged, true, "it is not acknowledged"},

	{LatchedAcknowledged, Raise, IfAck, Unacknowledged, false, ""},
	{LatchedAcknowledged, Raise, IfNoAck, Acknowledged, false, ""},
	{LatchedAcknowledged, Clear, Always, LatchedAcknowledged, false, "already gone"},
	{LatchedAcknowledged, Acknowledge, Always, LatchedAcknowledged, true, "it is acknowledged already"},
	{LatchedAcknowledged, Reset, Always, Normal, false, ""},

	{Normal, Shelve, Always, Shelved, false, ""},
	{Normal, Unshelve, Always, Normal, true, "it is not shelved"},
	{Normal, Expire, Always, Normal, false, "not shelved"},
	{Normal, Suppress, Always, SuppressedByDesign, false, ""},
	{Normal, Unsuppress, Always, Normal, false, "not suppressed"},
	{Normal, TakeOut, Always, OutOfService, false, ""},
	{Normal, PutBack, Always, Normal, true, "it is in service"},
	{Normal, ReAlarm, Always, Normal, false, "not acknowledged"},

	{Unacknowledged, Shelve, Always, Shelved, false, ""},
	{Unacknowledged, Unshelve, Always, Unacknowledged, true, "it is not shelved"},
	{Unacknowledged, Expire, Always, Unacknowledged, false, "not shelved"},
	{Unacknowledged, Suppress, Always, SuppressedByDesign, false, ""},
	{Unacknowledged, Unsuppress, Always, Unacknowledged, false, "not suppressed"},
	{Unacknowledged, TakeOut, Always, OutOfService, false, ""},
	{Unacknowledged, PutBack, Always, Unacknowledged, true, "it is in service"},
	{Unacknowledged, ReAlarm, Always, Unacknowledged, false, "not acknowledged"},

	{Acknowledged, Shelve, Always, Shelved, false, ""},
	{Acknowledged, Unshelve, Always, Acknowledged, true, "it is not shelved"},
	{Acknowledged, Expire, Always, Acknowledged, false, "not shelved"},
	{Acknowledged, Suppress, Always, SuppressedByDesign, false, ""},
	{Acknowledged, Unsuppress, Always, Acknowledged, false, "not suppressed"},
	{Acknowledged, TakeOut, Always, OutOfService, false, ""},
	{Acknowledged, PutBack, Always, Acknowledged, true, "it is in service"},
	{Acknowledged, ReAlarm, IfAck, Unacknowledged, false, ""},
	{Acknowledged, ReAlarm, IfNoAck, Acknowledged, false, "needs no acknowledgement"},

	{ReturnedUnacknowledged, Shelve, Always, Shelved, false, ""},
	{ReturnedUnacknowledged, Unshelve, Always, ReturnedUnacknowledged, true, "it is not shelved"},
	{ReturnedUnacknowledged, Expire, Always, ReturnedUnacknowledged, false, "not shelved"},
	{ReturnedUnacknowledged, Suppress, Always, SuppressedByDesign, false, ""},
	{ReturnedUnacknowledged, Unsuppress, Always, ReturnedUnacknowledged, false, "not suppressed"},
	{ReturnedUnacknowledged, TakeOut, Always, OutOfService, false, ""},
	{ReturnedUnacknowledged, PutBack, Always, ReturnedUnacknowledged, true, "it is in service"},
	{ReturnedUnacknowledged, ReAlarm, Always, ReturnedUnacknowledged, false, "not acknowledged"},

	{LatchedUnacknowledged, Shelve, Always, Shelved, false, ""},
	{LatchedUnacknowledged, Unshelve, Always, LatchedUnacknowledged, true, "it is not shelved"},
	{LatchedUnacknowledged, Expire, Always, LatchedUnacknowledged, false, "not shelved"},
	{LatchedUnacknowledged, Suppress, Always, SuppressedByDesign, false, ""},
	{LatchedUnacknowledged, Unsuppress, Always, LatchedUnacknowledged, false, "not suppressed"},
	{LatchedUnacknowledged, TakeOut, Always, OutOfService, false, ""},
	{LatchedUnacknowledged, PutBack, Always, LatchedUnacknowledged, true, "it is in service"},
	{LatchedUnacknowledged, ReAlarm, Always, LatchedUnacknowledged, false, "not acknowledged"},

	{LatchedAcknowledged, Shelve, Always, Shelved, false, ""},
	{LatchedAcknowledged, Unshelve, Always, LatchedAcknowledged, true, "it is not shelved"},
	{LatchedAcknowledged, Expire, Always, LatchedAcknowledged, false, "not shelved"},
	{LatchedAcknowledged, Suppress, Always, SuppressedByDesign, false, ""},
	{LatchedAcknowledged, Unsuppress, Always, LatchedAcknowledged, false, "not suppressed"},
	{LatchedAcknowledged, TakeOut, Always, OutOfService, false, ""},
	{LatchedAcknowledged, PutBack, Always, LatchedAcknowledged, true, "it is in service"},
	{LatchedAcknowledged, ReAlarm, Always, LatchedAcknowledged, false, "its condition is gone"},

	{Shelved, Raise, Always, Shelved, false, "the life beneath goes on"},
	{Shelved, Clear, Always, Shelved, false, "the life beneath goes on"},
	{Shelved, Acknowledge, Always, Shelved, false, "the life beneath is acknowledged"},
	{Shelved, Reset, Always, Shelved, false, "the life beneath is reset"},
	{Shelved, Shelve, Always, Shelved, false, "the time begins again"},
	{Shelved, Unshelve, Always, Beneath, false, ""},
	{Shelved, Expire, Always, Beneath, false, ""},
	{Shelved, Suppress, Always, Shelved, false, "suppressed as well, once no longer shelved"},
	{Shelved, Unsuppress, Always, Shelved, false, "no longer suppressed as well"},
	{Shelved, TakeOut, Always, OutOfService, false, "the shelving ends"},
	{Shelved, PutBack, Always, Shelved, true, "it is in service"},
	{Shelved, ReAlarm, Always, Shelved, false, "held back until it is no longer hidden"},

	{SuppressedByDesign, Raise, Always, SuppressedByDesign, false, "the life beneath goes on"},
	{SuppressedByDesign, Clear, Always, SuppressedByDesign, false, "the life beneath goes on"},
	{SuppressedByDesign, Acknowledge, Always, SuppressedByDesign, false, "the life beneath is acknowledged"},
	{SuppressedByDesign, Reset, Always, SuppressedByDesign, false, "the life beneath is reset"},
	{SuppressedByDesign, Shelve, Always, Shelved, false, "suppressed as well, once no longer shelved"},
	{SuppressedByDesign, Unshelve, Always, SuppressedByDesign, true, "it is not shelved"},
	{SuppressedByDesign, Expire, Always, SuppressedByDesign, false, "not shelved"},
	{SuppressedByDesign, Suppress, Always, SuppressedByDesign, false, "suppressed already"},
	{SuppressedByDesign, Unsuppress, Always, Beneath, false, ""},
	{SuppressedByDesign, TakeOut, Always, OutOfService, false, ""},
	{SuppressedByDesign, PutBack, Always, SuppressedByDesign, true, "it is in service"},
	{SuppressedByDesign, ReAlarm, Always, SuppressedByDesign, false, "held back until it is no longer hidden"},

	{OutOfService, Raise, Always, OutOfService, false, "the life beneath goes on"},
	{OutOfService, Clear, Always, OutOfService, false, "the life beneath goes on"},
	{OutOfService, Acknowledge, Always, OutOfService, false, "the life beneath is acknowledged"},
	{OutOfService, Reset, Always, OutOfService, false, "the life beneath is reset"},
	{OutOfService, Shelve, Always, OutOfService, true, "it is out of service"},
	{OutOfService, Unshelve, Always, OutOfService, true, "it is out of service, not shelved"},
	{OutOfService, Expire, Always, OutOfService, false, "not shelved"},
	{OutOfService, Suppress, Always, OutOfService, false, "suppressed as well, once put back"},
	{OutOfService, Unsuppress, Always, OutOfService, false, "no longer suppressed as well"},
	{OutOfService, TakeOut, Always, OutOfService, true, "it is out of service already"},
	{OutOfService, PutBack, Always, Beneath, false, ""},
	{OutOfService, ReAlarm, Always, OutOfService, false, "held back until it is no longer hidden"},
}

// rows finds a transition by state, trigger, and whether the alarm needs
// acknowledgement and latches.
var rows = func() (m [len(States)][tableTriggers][2][2]*Transition) {
	for i := range Transitions {
		t := &Transitions[i]
		for ack := range 2 {
			for latch := range 2 {
				switch {
				case t.If == IfAck && ack == 0, t.If == IfNoAck && ack == 1,
					t.If == IfLatch && latch == 0, t.If == IfNoLatch && latch == 1:
					continue
				}
				m[t.From][t.On][ack][latch] = t
			}
		}
	}
	return m
}()

// row gives the transition that applies to an alarm so defined.
func row(from State, on Trigger, needsAck, latch bool) *Transition {
	a, l := 0, 0
	if needsAck {
		a = 1
	}
	if latch {
		l = 1
	}
	return rows[from][on][a][l]
}
