package pipeline

import (
	"fmt"
	"math/bits"
	"slices"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/alarm/store"
	"mien/firmware/health"
	"mien/firmware/pilot"
	"mien/firmware/state"
	"mien/model/face"
)

// result takes what a frame gave: alarms, state, lines. signals are the names of
// its levels: what a network gave that a reload has replaced meanwhile is no
// result.
func (u *Unit) result(s *Sight, signals []string, lost uint32, now time.Duration) {
	wall := u.wall()
	u.mu.Lock()
	defer u.mu.Unlock()
	if !slices.Equal(signals, u.network.signals) {
		f := frameOf(s, now, wall)
		u.pilot.Frame(&f, s.Said)
		return
	}
	u.health.Result(now)
	f := frameOf(s, now, wall)
	f.Result, f.Trusted, f.Sequence = true, u.health.Trusted(now), u.health.Results()
	st := &u.state
	if f.Trusted {
		u.see(s)
	} else {
		f.Distrust = u.distrust()
		st.Blind(f.Why())
	}
	if f.Sequence == 1 {
		u.say(fmt.Sprintf("first result %s after the start", alarm.Time((now - u.started).Round(time.Millisecond))))
	}
	st.Results = f.Sequence
	st.ResultAt, st.Latency = now, max(now-s.At, 0)
	st.Dropped += uint64(lost)
	// A picture that nobody may act on keeps no heartbeat going either, nor do a few.
	if u.health.Flows(now) && (u.beat == 0 || now-u.beat >= time.Second) {
		u.beat = max(u.beat+time.Second, now-time.Second/2)
		st.Heartbeat++
	}
	u.step(&f, s)
	if s.eye != nil && u.pilot.Needs() {
		u.beginRecording(s)
	}
}

// frameOf is a frame as recordings have it, and from which its reading is made.
func frameOf(s *Sight, now time.Duration, wall time.Time) pilot.Frame {
	return pilot.Frame{Eye: true, At: s.At, Now: now, Wall: wall, Reason: s.Reason,
		Read: len(s.Said[1]) > 0, Mirrored: s.Mirrored, Paired: s.Paired,
		Found: s.View.Found, Size: s.View.Face.Box.Width(), Score: s.View.Face.Score,
		Light: uint8(min(max(s.Light.Mean, 0), 255)), Contrast: uint8(min(max(s.Light.Contrast, 0), 255))}
}

// unseen notes a frame that the filters have taken, and of which no result comes.
func (u *Unit) unseen(s *Sight, now time.Duration) {
	f := frameOf(s, now, u.wall())
	u.pilot.Frame(&f, s.Said)
}

// see notes what a frame showed. The lock is held.
func (u *Unit) see(s *Sight) {
	st := &u.state
	st.Reason, st.Advice = "", ""
	if s.Reason != face.Good {
		st.Reason, st.Advice = s.Reason.String(), s.Reason.Advice()
	}
	st.Aim = s.Aim()
	st.Faces, st.FaceScore, st.FaceSize = 0, unknown, unknown
	if s.View.Found {
		st.Faces = max(s.View.Count, 1)
		st.FaceScore, st.FaceSize = s.View.Face.Score, s.View.Face.Box.Width()
	}
	st.Covered = st.Covered[:0]
	for i, part := range u.network.parts {
		if s.Covered>>i&1 != 0 {
			st.Covered = append(st.Covered, part)
		}
	}
	for i, at := range u.shows {
		st.Levels[i] = s.Levels[at]
	}
	st.Expression, st.Compound = state.Choice{Level: unknown}, state.Choice{Level: unknown}
	if u.infers {
		st.Expression = state.Choice{Name: s.Class, Level: s.ClassP}
		st.Compound = state.Choice{Name: s.Compound, Level: s.CompoundP}
	}
}

// Aim is what a frame says of the camera's place.
func (s *Sight) Aim() state.Aim {
	a := state.Aim{Width: s.Width, Height: s.Height, Light: s.Light.Mean, Contrast: s.Light.Contrast, Turned: s.Turned, Found: s.View.Found && s.Width > 0 && s.Height > 0}
	if !a.Found {
		return a
	}
	w, h, b, q := float32(s.Width), float32(s.Height), &s.View.Face.Box, &s.Quality
	a.Box = [4]float32{b.X0 / w, b.Y0 / h, b.X1 / w, b.Y1 / h}
	for i, p := range s.View.Face.Keypoints {
		a.Points[i] = [2]float32{p.X / w, p.Y / h}
	}
	a.Eyes, a.Inside, a.Yaw, a.Pitch, a.Roll = q.Eyes, q.Inside, q.Yaw, q.Pitch, q.Roll
	a.FaceLight, a.FaceContrast, a.Dark, a.Bright, a.Sharpness = q.Light.Mean, q.Light.Contrast, q.Light.Dark, q.Light.Bright, q.Sharpness
	return a
}

// distrust says why there is no result to trust: the fault that stops the unit, or
// that none comes, as pilot.Frame has it.
func (u *Unit) distrust() uint8 {
	on := u.health.Word()
	for f := health.Fault(0); on>>f != 0; f++ {
		if health.Stopping(on & f.Bit()) {
			return uint8(f)
		}
	}
	return pilot.NotFresh
}

// stale tells the alarms that there is no result to trust.
func (u *Unit) stale(now time.Duration, wall time.Time) {
	f := pilot.Frame{Result: true, Now: now, Wall: wall, Distrust: u.distrust()}
	u.mu.Lock()
	defer u.mu.Unlock()
	f.Sequence = u.health.Results()
	u.state.Blind(f.Why())
	u.step(&f, nil)
}

// step gives what a frame showed, nil for none, to the alarms and publishes. What
// takes the trust away ends an output test, which would keep the lines from their
// fail value. The lock is held.
func (u *Unit) step(f *pilot.Frame, s *Sight) {
	u.tellFaults()
	if u.trusted && !f.Trusted && u.until != 0 {
		u.until = 0
		u.doLocked(alarm.Command{Do: alarm.Note, Text: "output test ended: no valid results"})
	}
	var levels []float32
	var said [2][]byte
	if s != nil {
		levels, said = s.Levels, s.Said
	}
	u.pilot.Frame(f, said)
	if s != nil {
		u.drift.Add(f, levels)
	}
	u.trusted = f.Trusted
	u.happened(u.engine.Step(f.Reading(levels)))
	u.publish()
}

// happened passes events on and keeps the alarms' state. The lock is held.
func (u *Unit) happened(events []alarm.Event) {
	u.summary = u.engine.Summary()
	if kept := u.options.Store; kept != nil {
		kept.Put(events) // before anybody is told
		if r := u.engine.Revision(); r != u.revision {
			u.revision = r
			u.engine.Save(&u.saved)
			kept.Keep(&u.saved)
		}
	}
	for _, e := range events {
		u.pilot.Event(e)
		u.marker.Event(&e, u.definition)
		u.options.OnEvent(e)
	}
}

// definition gives an alarm's, with the limits in force.
func (u *Unit) definition(name string) (alarm.Definition, bool) {
	if place := u.engine.Place(name); place >= 0 {
		return u.engine.Definition(place), true
	}
	return alarm.Definition{}, false
}

// publish brings the state up to date and gives it to the readers, and wakes the
// panel when there is something new to show. The lock is held.
func (u *Unit) publish() {
	st := &u.state
	st.Faults = u.health.List(st.Faults[:0])
	st.Alarms = st.Alarms[:0]
	for i := range u.engine.Len() {
		st.Alarms = append(st.Alarms, u.engine.Status(i))
	}
	st.Summary, st.Trusted, st.Testing, st.Tested, st.TestEnds = u.summary, u.trusted, u.until != 0, u.tested, u.until
	st.Numbering, st.Clock = u.engine.Numbering(), u.clock.tells()
	u.latest.Store(st)
	sum := &u.summary
	if is := (cause{sum.Active, sum.Unacknowledged, sum.Latched, sum.Horn, sum.Lamp, sum.Safe, st.FaultBits(), u.trusted, st.Testing, st.Tested}); is != u.woken {
		u.woken = is
		select {
		case u.wake <- struct{}{}:
		default:
		}
	}
}

// cause is all that a line may follow at once. The healthy line follows results,
// and blinking lamps the clock, when the panel looks by itself.
type cause struct {
	active, unacknowledged, latched, horn, lamp, safe uint64
	faults                                            uint32
	trusted, test                                     bool
	tested                                            state.OneOutput
}

// shown is what the panel needs to know.
type shown struct {
	summary alarm.Summary
	masks   [alarm.Low + 1]uint64 // alarms at least as urgent
	trusted bool
	healthy bool // results flow, and enough of them
	results uint64
	faults  uint32
	test    bool
	tested  state.OneOutput // of which
}

// shown gathers it, and finds the places of the alarms that lines stand for:
// a reload may have changed them.
func (u *Unit) shown(now time.Duration, lines []*output) shown {
	st := shown{trusted: u.health.Trusted(now), results: u.health.Results(), faults: u.health.Word()}
	st.healthy = u.health.Flows(now) && st.faults&health.TooSlow.Bit() == 0
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, o := range lines {
		if o.function == alarmLine {
			o.place = u.engine.Place(o.alarm)
		}
	}
	st.summary, st.test, st.tested = u.summary, u.until != 0, u.tested
	for p := alarm.Critical; p <= alarm.Low; p++ {
		st.masks[p] = u.engine.Priority(p)
	}
	return st
}

func (u *Unit) outputIs(i int, on bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if i < len(u.state.Outputs) {
		u.state.Outputs[i] = on
	}
}

// inputIs notes an input's level and its trouble, "" for none.
func (u *Unit) inputIs(i int, active bool, trouble string) {
	u.mu.Lock()
	if i < len(u.state.Inputs) {
		u.state.Inputs[i] = active
		u.inputs[i] = trouble
	}
	all := ""
	for _, t := range u.inputs {
		if t != "" {
			all = t
		}
	}
	u.mu.Unlock()
	u.health.Set(health.InputStuck, all != "", u.now(), all)
}

func (u *Unit) availabilityIs(share float32) {
	u.mu.Lock()
	u.state.Available = share
	u.mu.Unlock()
}

func (u *Unit) rateIs(perSecond float32) {
	u.mu.Lock()
	u.state.Rate = perSecond
	u.mu.Unlock()
}

// unread tells why alarms have no reading; "" while all have.
func (u *Unit) unread() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.summary.Unknown == 0:
		return ""
	case u.state.Reason == "":
		return "a signal unknown"
	}
	return u.state.Reason
}

func (u *Unit) temperatureIs(celsius float32) {
	u.mu.Lock()
	u.state.Temperature = celsius
	u.mu.Unlock()
}

// tellFaults journals and tells what faults have begun and ended, in that order.
// Whoever sets one only queues it, and so may hold the unit's lock; here it must
// be held.
func (u *Unit) tellFaults() {
	var untold int
	u.changes, untold = u.health.Changes(u.changes[:0])
	if untold > 0 {
		u.doLocked(alarm.Command{Do: alarm.Note, Text: alarm.Count(untold, "fault") + " began or ended before the next one, too fast to be told"})
	}
	for _, c := range u.changes {
		info := c.Fault.Info()
		text := fmt.Sprintf("%s %s ended", info.Code, info.Name)
		if c.Began {
			text = fmt.Sprintf("%s %s: %s", info.Code, info.Name, c.Detail)
		}
		u.options.OnFault(c.Fault, c.Began, text)
		u.doLocked(alarm.Command{Do: alarm.Note, Text: text})
	}
}

// inform tells a technician something, with details, and journals it.
func (u *Unit) inform(text string, details ...string) {
	u.say(text, details...)
	u.note(text, "")
}

// note puts a text into the journal.
func (u *Unit) note(text, who string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.tellFaults()
	u.doLocked(alarm.Command{Do: alarm.Note, Text: text, Who: who})
}

// diskStuck is how long an event may wait for a disk that gives no error.
const diskStuck = 5 * time.Second

// expire ends the output test, and looks whether what is kept is kept.
func (u *Unit) expire(now time.Duration) {
	if kept := u.options.Store; kept != nil {
		st := kept.Status()
		switch {
		case st.Err != nil:
			u.health.Begin(health.StorageFailed, now, st.Err.Error())
		case st.Behind > diskStuck:
			u.health.Begin(health.StorageFailed, now, "the disk does not answer")
		case u.drift.Trouble() != "":
			u.health.Begin(health.StorageFailed, now, u.drift.Trouble())
			u.tellMissing(st)
		default:
			u.health.End(health.StorageFailed)
			u.tellMissing(st)
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.driftIs(now)
	u.tellFaults()
	u.pilotIs()
	if u.until != 0 && now >= u.until {
		u.until = 0
		u.doLocked(alarm.Command{Do: alarm.Note, Text: "output test ended"})
		u.publish()
	}
}

// driftIs begins or ends the fault that days are not as in the pilot. One that is
// about other quantities than before is another one. The lock is held.
func (u *Unit) driftIs(now time.Duration) {
	c := u.drift.Changed()
	if c.About == u.drifted {
		return
	}
	u.drifted = c.About
	u.health.End(health.Drift)
	if c.Text != "" {
		u.health.Begin(health.Drift, now, c.Text)
	}
}

// tellMissing journals how many events the disk did not take and the memory had
// no room for either, once the disk takes events again; that somebody took the
// journal away; and which file it had to put aside.
func (u *Unit) tellMissing(st store.Status) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if st.Dropped > u.missing {
		u.doLocked(alarm.Command{Do: alarm.Note, Text: fmt.Sprintf("missing before this event: %s; the disk took none, and the memory for them was full", alarm.Count(int(st.Dropped-u.missing), "event"))})
		u.missing = st.Dropped
	}
	if st.Changed > u.changed {
		u.changed = st.Changed
		u.doLocked(alarm.Command{Do: alarm.Note, Text: "the journal's file was taken away or changed by somebody else: it was begun anew with the alarm states, and events before this one may be missing"})
	}
	if st.Aside != u.aside {
		u.aside = st.Aside
		u.doLocked(alarm.Command{Do: alarm.Note, Text: "the journal could not go on with the file that was there, which is kept as " + st.Aside})
	}
}

// status is one line for the service manager.
func (u *Unit) status() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return fmt.Sprintf("%.1f results/s, %s, %s unacknowledged", u.state.Rate,
		alarm.Count(len(u.state.Faults), "fault"), alarm.Count(bits.OnesCount64(u.summary.Unacknowledged), "alarm"))
}
