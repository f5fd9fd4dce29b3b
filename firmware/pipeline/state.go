package pipeline

import (
	"fmt"
	"slices"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/health"
	"mien/firmware/modbus"
)

// result takes what a frame gave: alarms, snapshot, lines. signals are the names
// of its levels: what a network gave that a reload has replaced meanwhile is no
// result.
func (u *Unit) result(s *Sight, signals []string, lost uint32, now time.Duration) {
	wall := u.wall()
	u.mu.Lock()
	defer u.mu.Unlock()
	if !slices.Equal(signals, u.signals) {
		return
	}
	u.health.Result(now)
	trusted := u.health.Trusted(now)
	r := alarm.Reading{At: now, Wall: wall, Sequence: u.health.Results(), Levels: s.Levels}
	snap := &u.snapshot
	if trusted {
		u.places.see(s, snap)
		if snap.Reason != 0 {
			r.Reason = s.Reason.String()
		}
	} else {
		r.Levels, r.Reason = nil, "camera fault"
		blind(snap, reasonCamera)
	}
	if r.Sequence == 1 {
		u.say(fmt.Sprintf("first result %.0f ms after the start", float64(now-u.started)/1e6))
	}
	snap.Sequence = uint32(r.Sequence)
	snap.ResultAt, snap.Latency = now, max(now-s.At, 0)
	snap.Dropped += lost
	// A picture that nobody may act on keeps no heartbeat going either.
	if trusted && (u.beat == 0 || now-u.beat >= time.Second) {
		u.beat = max(u.beat+time.Second, now-time.Second/2)
		snap.Heartbeat++
	}
	u.step(r, trusted)
}

// stale tells the alarms that there is no result to trust.
func (u *Unit) stale(now time.Duration, wall time.Time) {
	reason, text := uint8(reasonStale), "no fresh result"
	if u.health.On(health.CameraLost) || u.health.On(health.CameraFrozen) || u.health.On(health.CameraDark) {
		reason, text = reasonCamera, "camera fault"
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	blind(&u.snapshot, reason)
	u.step(alarm.Reading{At: now, Wall: wall, Sequence: u.health.Results(), Reason: text}, false)
}

// step gives a reading to the alarms and publishes. What takes the trust away
// ends an output test, which would keep the lines from their fail value. The
// lock is held.
func (u *Unit) step(r alarm.Reading, trusted bool) {
	if u.trusted && !trusted && u.until != 0 {
		u.until = 0
		u.doLocked(alarm.Command{Do: alarm.Note, Text: "output test ended: no valid results"})
	}
	u.reading, u.trusted = r, trusted
	u.happened(u.engine.Step(r))
	u.publish()
}

// happened passes events on and keeps the alarms' state. The lock is held.
func (u *Unit) happened(events []alarm.Event) {
	u.summary = u.engine.Summary()
	kept := u.options.Store
	for _, e := range events {
		u.options.OnEvent(e)
	}
	if kept == nil {
		return
	}
	kept.Put(events)
	if r := u.engine.Revision(); r != u.revision {
		u.revision = r
		u.engine.Save(&u.saved)
		kept.Keep(&u.saved)
	}
}

// publish brings the snapshot up to date, and wakes the panel when there is
// something new to show. The lock is held.
func (u *Unit) publish() {
	snap, sum := &u.snapshot, &u.summary
	word := u.health.Word()
	snap.Faults, snap.MoreFaults = uint16(word), uint16(word>>16)
	bit := func(on bool, b uint16) {
		if on {
			snap.Status |= b
		}
	}
	locked := true
	snap.AlarmCount = min(u.engine.Len(), modbus.MaxAlarms)
	snap.Shelved, snap.Suppressed, snap.OutOfService = 0, 0, 0
	for i := range snap.Alarms[:snap.AlarmCount] {
		st := u.engine.Status(i)
		snap.Alarms[i] = modbus.Alarm{Name: st.Name, State: modbus.AlarmState(st.State), Value: st.Level,
			Below: st.Side == alarm.Below, OnLimit: st.Limit, OffLimit: st.Off, OnDelay: st.OnDelay, OffDelay: st.OffDelay,
			Min: u.ranges[st.Signal][0], Max: u.ranges[st.Signal][1], Unlocked: st.Unlocked,
			ShelveMax: u.engine.Definition(i).MaxShelve, Since: max(st.Since, u.started)}
		locked = locked && !st.Unlocked
		switch st.State {
		case alarm.Shelved:
			snap.Shelved |= 1 << i
		case alarm.SuppressedByDesign:
			snap.Suppressed |= 1 << i
		case alarm.OutOfService:
			snap.OutOfService |= 1 << i
		}
	}
	snap.Active, snap.Unacknowledged, snap.Latched = uint16(sum.Active), uint16(sum.Unacknowledged), uint16(sum.Latched)
	snap.Unknown = uint16(sum.Unknown)
	snap.FirstOut, snap.LastAlarm = int8(sum.FirstOut), int8(sum.Last)
	snap.Events = uint32(sum.Events)
	if !sum.LastWall.IsZero() {
		snap.LastAlarmAt = sum.LastWall.Unix()
	}
	snap.Annunciator = 0
	if sum.Horn != 0 {
		snap.Annunciator |= modbus.AnnunciatorHorn
	}
	if sum.Lamp != 0 {
		snap.Annunciator |= modbus.AnnunciatorLamp
	}
	if sum.Silenced != 0 {
		snap.Annunciator |= modbus.AnnunciatorSilenced
	}
	started := u.health.Results() > 0
	snap.Status = 0
	bit(u.trusted, modbus.StatusReady)
	bit(u.trusted, modbus.StatusResultValid)
	bit(!started, modbus.StatusInitialising)
	bit(snap.Faces > 0, modbus.StatusFacePresent)
	bit(snap.Reason == 0, modbus.StatusQualityOK)
	bit(sum.Active != 0, modbus.StatusAnyActive)
	bit(sum.Unacknowledged != 0, modbus.StatusAnyUnack)
	bit(sum.Latched != 0, modbus.StatusAnyLatched)
	bit(sum.Covered != 0, modbus.StatusAnySuppressed)
	bit(word != 0, modbus.StatusFault)
	bit(word != 0 && !health.Stopping(word), modbus.StatusDegraded)
	bit(u.until != 0 || sum.Inhibited, modbus.StatusTestMode)
	bit(locked, modbus.StatusLocked)
	bit(u.synced, modbus.StatusTimeSynced)
	u.latest.Store(snap)
	if is := (cause{sum.Active, sum.Unacknowledged, sum.Latched, sum.Horn, sum.Lamp, sum.Safe, word, u.trusted, u.until != 0}); is != u.woken {
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
}

// shown is what the panel needs to know.
type shown struct {
	summary alarm.Summary
	masks   [alarm.Low + 1]uint64 // alarms at least as urgent
	trusted bool
	results uint64
	faults  uint32
	test    bool
}

// shown gathers it, and finds the places of the alarms that lines stand for:
// a reload may have changed them.
func (u *Unit) shown(now time.Duration, lines []*output) shown {
	st := shown{trusted: u.health.Trusted(now), results: u.health.Results(), faults: u.health.Word()}
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, o := range lines {
		if o.function == alarmLine {
			o.place = u.engine.Place(o.alarm)
		}
	}
	st.summary, st.test = u.summary, u.until != 0
	for p := alarm.Critical; p <= alarm.Low; p++ {
		st.masks[p] = u.engine.Priority(p)
	}
	return st
}

func (u *Unit) outputIs(i int, on bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if i < 16 {
		setBit(&u.snapshot.Outputs, i, on)
	}
}

// inputIs notes an input's level and its trouble, "" for none.
func (u *Unit) inputIs(i int, active bool, trouble string) {
	u.mu.Lock()
	if i < 16 {
		setBit(&u.snapshot.Inputs, i, active)
	}
	if i < len(u.inputs) {
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

func setBit(word *uint16, i int, on bool) {
	*word &^= 1 << i
	if on {
		*word |= 1 << i
	}
}

func (u *Unit) availabilityIs(share float32) {
	u.mu.Lock()
	u.snapshot.Availability = share
	u.mu.Unlock()
}

func (u *Unit) rateIs(perSecond float32) {
	u.mu.Lock()
	u.snapshot.FramesPerSecond = perSecond
	u.mu.Unlock()
}

func (u *Unit) syncedIs(on bool) {
	u.mu.Lock()
	u.synced = on
	u.mu.Unlock()
}

func (u *Unit) temperatureIs(celsius float32) {
	u.mu.Lock()
	u.snapshot.Temperature = celsius
	u.mu.Unlock()
}

// faultChanged journals and tells a fault that begins or ends.
func (u *Unit) faultChanged(f health.Fault, began bool, detail string) {
	info := f.Info()
	text := fmt.Sprintf("%s %s ended", info.Code, info.Name)
	if began {
		text = fmt.Sprintf("%s %s: %s", info.Code, info.Name, detail)
	}
	u.note(text, "")
	u.options.OnFault(f, began, text)
}

// note puts a text into the journal.
func (u *Unit) note(text, who string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.doLocked(alarm.Command{Do: alarm.Note, Text: text, Who: who})
}

// checkHost makes a PLC that stopped its heartbeat a fault, where the config
// asks for that.
func (u *Unit) checkHost(now time.Duration) {
	slave := u.slave.Load()
	if slave == nil || u.settings().Modbus.HostTimeout == 0 {
		u.health.End(health.HostLost)
		return
	}
	h := slave.Host()
	if !h.Watched || h.Beating || h.Age <= h.Timeout {
		u.health.End(health.HostLost)
	} else if !u.health.On(health.HostLost) {
		u.health.Begin(health.HostLost, now, fmt.Sprintf("no change of the host heartbeat for %v", h.Timeout))
	}
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
		default:
			u.health.End(health.StorageFailed)
			u.tellMissing(st.Dropped)
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.until != 0 && now >= u.until {
		u.until = 0
		u.doLocked(alarm.Command{Do: alarm.Note, Text: "output test ended"})
		u.publish()
	}
}

// tellMissing journals how many events the disk did not take and the memory had
// no room for either, once the disk takes events again.
func (u *Unit) tellMissing(dropped uint64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if dropped > u.missing {
		u.doLocked(alarm.Command{Do: alarm.Note, Text: fmt.Sprintf("%d events are missing before this one: the disk took none, and the memory for them was full", dropped-u.missing)})
		u.missing = dropped
	}
}

// status is one line for the service manager.
func (u *Unit) status() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return fmt.Sprintf("%.1f results/s, %d faults, %d alarms unacknowledged", u.snapshot.FramesPerSecond,
		bits(u.snapshot.Faults)+bits(u.snapshot.MoreFaults), bits(u.snapshot.Unacknowledged))
}

func bits(word uint16) (n int) {
	for ; word != 0; word &= word - 1 {
		n++
	}
	return n
}
