package modbus

import "sync/atomic"

// Stats counts what happened on the line since New, or since a master cleared
// the counters by function 8, sub-function 1 or 10. The first seven are those
// of function 8, sub-functions 11 to 18 (V1.1b3, 6.8).
type Stats struct {
	BusMessages uint32 // frames with a right CRC, whoever they were for
	CommErrors  uint32 // pieces dropped for a wrong CRC, a length or a damaged character
	Exceptions  uint32 // exception answers
	Messages    uint32 // frames for us, broadcasts included
	NoResponses uint32 // of those, not answered: broadcast, listen-only, or the master had moved on
	NAKs        uint32 // negative acknowledge (exception 07); this slave gives none
	Busy        uint32 // exception 06
	Overruns    uint32 // more characters without a pause than a frame has

	Echoes         uint32 // our own answers, heard again
	ForeignReplies uint32 // answers under our address that were not ours
	Commands       uint32 // commands handed on
	WriteTimeouts  uint32 // answers that the port did not take in time
}

// counters are Stats that other goroutines may read.
type counters struct {
	BusMessages, CommErrors, Exceptions, Messages, NoResponses, NAKs, Busy, Overruns atomic.Uint32
	Echoes, ForeignReplies, Commands, WriteTimeouts                                  atomic.Uint32
}

func (c *counters) all() [12]*atomic.Uint32 {
	return [12]*atomic.Uint32{&c.BusMessages, &c.CommErrors, &c.Exceptions, &c.Messages, &c.NoResponses, &c.NAKs,
		&c.Busy, &c.Overruns, &c.Echoes, &c.ForeignReplies, &c.Commands, &c.WriteTimeouts}
}

func (c *counters) clear() {
	for _, n := range c.all() {
		n.Store(0)
	}
}

// Stats may be called at any time.
func (s *Slave) Stats() Stats {
	c := &s.stats
	return Stats{
		BusMessages: c.BusMessages.Load(), CommErrors: c.CommErrors.Load(), Exceptions: c.Exceptions.Load(),
		Messages: c.Messages.Load(), NoResponses: c.NoResponses.Load(), NAKs: c.NAKs.Load(),
		Busy: c.Busy.Load(), Overruns: c.Overruns.Load(),
		Echoes: c.Echoes.Load(), ForeignReplies: c.ForeignReplies.Load(),
		Commands: c.Commands.Load(), WriteTimeouts: c.WriteTimeouts.Load(),
	}
}

func (c *counters) add(counter *atomic.Uint32, n uint32) {
	if n > 0 {
		counter.Add(n)
	}
}
