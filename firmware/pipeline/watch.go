package pipeline

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"mien/drivers/camera"
	"mien/firmware/alarm"
	"mien/firmware/config"
	"mien/firmware/health"
	"mien/model/assets"
)

// frameWait is how long one look for a frame may take; between looks the loop
// notes that it turns, and sees that it is to end.
const frameWait = 200 * time.Millisecond

// watcher is the goroutine that owns the camera and the networks.
type watcher struct {
	unit *Unit
	open func() (camera.Source, error)

	source  camera.Source
	eye     *Eye
	look    func(*camera.Frame) (*Sight, error) // the eye's
	signals []string                            // likewise
	modelAt health.Backoff
	camAt   health.Backoff
	lookAt  health.Backoff
	rested  time.Duration // when it last let others run, or waited

	limits    config.Health
	arrivals  arrivals      // of its frames
	reopened  time.Duration // when the camera was last opened
	why       string        // it is lost, or was last
	whyTold   time.Duration // when another reason for that was last told; 0: since it is lost, none
	warned    int           // of its warnings, those that were told when it was opened; -1: all that its first picture brought too
	dates     dates         // of its frames
	doubted   time.Duration // when it was last told that they are not believed; 0: never
	doubtTold bool          // and not yet that they are again
	old       health.Held   // its pictures are too old
	refused   refused       // pictures that could not be read
	frozen    health.Frozen
	stiff     health.Frozen // of the face alone
	faceAt    time.Duration // when one was last seen
	dark      health.Held
	unread    health.Held // frames come but cannot be read

	unreadable unreadable
	still      still
}

func (u *Unit) newWatcher() *watcher {
	h := u.settings().Health
	back := health.Backoff{First: h.RetryFirst, Most: h.RetryMost}
	now := u.now()
	return &watcher{
		unit: u, limits: h, open: u.openSource, modelAt: back, camAt: back, lookAt: back,
		arrivals: arrivals{stale: h.Stale, last: now},
		frozen:   health.Frozen{Held: health.Held{For: h.Frozen}},
		stiff:    health.Frozen{Held: health.Held{For: h.Frozen}},
		dark:     health.Held{For: h.Dark},
		unread:   health.Held{For: h.Stale},
		old:      health.Held{For: h.Stale},
	}
}

// run looks at frames until ctx ends or a clip does. Every device it needs is
// opened again, with growing, bounded waits, for as long as it takes.
func (w *watcher) run(ctx context.Context) error {
	defer w.close()
	for ctx.Err() == nil {
		w.unit.health.Turn(w.unit.now())
		var wait time.Duration
		var err error
		switch {
		case w.eye == nil:
			wait = w.loadEye()
		case w.source == nil:
			wait = w.openCamera()
		default:
			wait, err = w.frame()
		}
		if errors.Is(err, errEnded) {
			w.unit.ended()
			return nil
		}
		if wait > 0 && !sleep(ctx, wait) {
			return nil
		}
	}
	return nil
}

// loadEye loads the networks; it gives the wait before the next try, 0 when
// they are there.
func (w *watcher) loadEye() time.Duration {
	u := w.unit
	cfg := u.settings()
	var eye *Eye
	cards, _, err := Cards(cfg.Model)
	if err == nil {
		err = u.sameCards(cards)
	}
	if err == nil {
		eye, err = tryEye(cfg, func() { u.health.Turn(u.now()) })
	}
	if err != nil {
		// Whatever is in the way (a file that is missing, damaged or none, a library
		// that will not open, a wrong answer): no frame was given to it yet.
		u.health.Begin(health.ModelRefused, u.now(), err.Error())
		return w.modelAt.Next()
	}
	w.eye, w.look, w.signals = eye, eye.Look, eye.Signals()
	u.files.use(eye.files)
	u.pilot.Eye(eye.made())
	w.modelAt.Reset()
	for _, f := range []health.Fault{health.ModelRefused, health.InferenceFailed} {
		u.health.End(f)
	}
	u.health.Set(health.AcceleratorLost, u.settings().Model.Accelerator != config.NoAccelerator && !eye.Accelerated(), u.now(),
		"the processor computes instead")
	backends := eye.Backends()
	for _, b := range backends {
		if strings.Contains(b, assets.ErrAltered.Error()) { // another library does its work, and is known to
			u.health.Begin(health.SelfTestFailed, u.now(), b)
		}
	}
	u.say("networks loaded", backends...)
	debug.FreeOSMemory() // what loading took is not needed again for years
	return 0
}

// openCamera opens the camera; it gives the wait before the next try.
func (w *watcher) openCamera() time.Duration {
	u := w.unit
	src, err := w.open()
	if err != nil {
		w.lost(err.Error(), u.now())
		return w.camAt.Next()
	}
	info := src.Info()
	w.source, w.reopened, w.warned = src, u.now(), len(info.Warnings)
	w.arrivals.opened(w.reopened, info.Starts)
	w.dates = dates{live: info.Live}
	w.refused.count = 0
	if info.Starts > 0 {
		u.say("camera started", append([]string{info.Device}, info.Warnings...)...)
	} else {
		u.say("camera open", append([]string{opened(&info)}, info.Warnings...)...)
	}
	return 0
}

// opened tells what a camera gives.
func opened(i *camera.Info) string {
	return fmt.Sprintf("%s (%s) %s %dx%d at %g frames/s", i.Name, i.Device, camera.FormatName(i.Format), i.Width, i.Height, i.FPS)
}

// frame takes the newest frame through the eye; it gives the wait before the
// next turn.
func (w *watcher) frame() (time.Duration, error) {
	u := w.unit
	if u.files.doubted() { // the networks answer their known question again
		w.eye.Close()
		w.eye = nil
		return 0, nil
	}
	asked := u.now()
	f, err := w.source.Next(frameWait)
	now := u.now()
	switch {
	case err == nil:
	case errors.Is(err, camera.ErrTimeout):
		lost, reopen := w.arrivals.lost(now, u.health.On(health.TooSlow))
		if lost {
			i := w.source.Info()
			text := fmt.Sprintf("%s: no frame for %v", i.Name, (now - w.arrivals.last).Round(100*time.Millisecond))
			if i.Said != "" {
				text += "; it said: " + i.Said
			}
			if !u.health.On(health.CameraLost) { // its text says how long
				w.lost(text, now)
			}
		}
		if reopen {
			w.drop() // some drivers work again only after they are opened again
			return w.camAt.Next(), nil
		}
		return 0, nil
	case errors.Is(err, camera.ErrEnd):
		i := w.source.Info()
		text := fmt.Sprintf("%s, %d lost, %d damaged", alarm.Count(int(i.Counts.Frames), "frame"), i.Counts.Lost, i.Counts.Corrupt)
		if n := w.refused.count; n > 0 {
			text += fmt.Sprintf(", %d could not be read: %v", n, w.refused.why)
		}
		u.say("the clip has ended", append([]string{text}, i.Warnings...)...)
		return 0, errEnded
	default:
		w.lost(err.Error(), now)
		w.drop()
		return w.camAt.Next(), nil
	}
	if w.warned >= 0 { // what the first picture showed
		i := w.source.Info()
		more := i.Warnings[min(w.warned, len(i.Warnings)):]
		if i.Starts > 0 {
			u.say("camera open", append([]string{opened(&i)}, more...)...)
		} else if len(more) > 0 {
			u.say("camera", more...)
		}
		w.warned = -1
	}
	w.rest(asked, now)
	if w.late(f, now) {
		return 0, nil
	}
	lost := f.Lost
	sight, err := w.look(f)
	w.source.Release() // an error here comes again with the next Next
	now = u.now()
	w.arrivals.frame(now, !errors.Is(err, ErrPicture))
	u.cameraIs(w.arrivals.slow(), now)
	if errors.Is(err, ErrPicture) {
		u.unseen(sight, now)
		if w.refused.update(err, now) {
			text := fmt.Sprintf("pictures could not be read: %d since the camera was opened", w.refused.count)
			u.inform(text + ": " + err.Error())
		}
		if w.unread.Update(true, now) {
			u.health.Begin(health.CameraLost, now, err.Error())
		}
		return 0, nil
	}
	w.unread.Update(false, now)
	if w.arrivals.back() {
		w.camAt.Reset()
		u.health.End(health.CameraLost)
	}
	if err != nil {
		u.health.Begin(health.InferenceFailed, now, err.Error())
		w.eye.Close()
		w.eye = nil
		return w.lookAt.Next(), nil
	}
	w.lookAt.Reset()
	w.judge(sight, now)
	w.tell(sight, now)
	u.result(sight, w.signals, lost, now)
	return 0, nil
}

// Where frames come as fast as they are looked at, the watcher never waits. After
// 10 ms Go's monitor thread then takes its processor away in each long call of a
// network's library, to be found again after it, and looks every 20 us whether it
// should: 5% of all that the unit computes, by tools/bench. A goroutine that lets
// others run before that has a new slice of time. One that waits for each frame is
// better off without: its processor is taken at once when it waits, and the monitor
// thread sleeps.
const (
	slice  = 5 * time.Millisecond
	waited = time.Millisecond
)

// rest lets other goroutines run if no frame was waited for in a while; the last
// one was asked for and came at these times.
func (w *watcher) rest(asked, came time.Duration) {
	switch {
	case came-asked >= waited:
	case came-w.rested >= slice:
		runtime.Gosched()
	default:
		return
	}
	w.rested = came
}

// late dates a frame and tells that its picture is too old to be looked at. Such a
// frame goes back and no result comes of it, as if there had been none. When no
// other comes the camera is opened again, which empties whatever keeps them back.
func (w *watcher) late(f *camera.Frame, now time.Duration) bool {
	at, age, change, wrong := w.dates.date(f.Time, now)
	f.Time = at
	switch {
	case change == notBelieved && (w.doubted == 0 || now-w.doubted >= tellAgain):
		w.doubted, w.doubtTold = now, true
		w.unit.inform("the camera's clock is not believed: "+wrong, "its frames are dated by when they come")
	case change == believedAgain && w.doubtTold:
		w.doubtTold = false
		w.unit.inform("the camera's clock is believed again", fmt.Sprintf("its times were plausible for %v", trustAfter))
	}
	if age <= w.limits.Stale {
		w.old.Update(false, now)
		return false
	}
	w.source.Release()
	w.arrivals.frame(now, false)
	if w.old.Update(true, now) {
		w.unit.health.End(health.CameraLost) // frames do come
		w.unit.health.Begin(health.CameraFrozen, now, fmt.Sprintf("pictures are %.1f s old by the camera's own clock", age.Seconds()))
		w.renew(now)
	}
	return true
}

// renew opens a camera again that sends nothing new, every reopenFrozen.
func (w *watcher) renew(now time.Duration) {
	if now-w.reopened >= reopenFrozen {
		w.drop()
	}
}

// judge finds a picture that stands still, shows nothing or is not upright.
func (w *watcher) judge(s *Sight, now time.Duration) {
	h := w.limits
	// No face keeps each of its pixels: where it does and the picture changes, that
	// is a clock which the camera writes into it.
	stiff := false
	if s.FaceHash != 0 {
		stiff, w.faceAt = w.stiff.Update(s.FaceHash, now), now
	}
	switch {
	case w.frozen.Update(s.Hash, now):
		w.unit.health.Begin(health.CameraFrozen, now, fmt.Sprintf("the same picture, or a few in turn, for %s", alarm.Time(h.Frozen)))
		w.renew(now)
	case stiff:
		w.unit.health.Begin(health.CameraFrozen, now, fmt.Sprintf("the face is the same in each pixel for %s, only other parts of the picture change", alarm.Time(h.Frozen)))
		w.renew(now)
	case w.frozen.Lively() && (w.stiff.Lively() || now-w.faceAt > h.Stale):
		w.unit.health.End(health.CameraFrozen)
	}
	l := &s.Light
	useless := l.Mean < float32(h.DarkBelow) || l.Mean > float32(h.BrightAbove) || l.Contrast < float32(h.FlatBelow)
	if w.dark.Update(useless, now) {
		w.unit.health.Begin(health.CameraDark, now, fmt.Sprintf("mean luma %.0f, contrast %.1f", l.Mean, l.Contrast))
	} else if !useless {
		w.unit.health.End(health.CameraDark)
	}
	switch {
	case s.TurnedFor >= h.Turned && s.Turned != 0:
		rotate := (w.unit.settings().Camera.Rotate + s.Turned) % 360
		w.unit.health.Begin(health.CameraTurned, now, fmt.Sprintf("a face is upright when the picture is turned by %d degrees: set camera.rotate = %d", s.Turned, rotate))
	case s.Turned == 0:
		w.unit.health.End(health.CameraTurned)
	}
}

// reopenFrozen is how often a camera that sends nothing new is opened again.
const reopenFrozen = 5 * time.Second

// lost says why there is no camera. While there is none the reason may change: a
// program was killed, and then finds no camera. The new one is told, not too often.
func (w *watcher) lost(why string, now time.Duration) {
	h := w.unit.health
	switch {
	case !h.On(health.CameraLost):
		w.whyTold = 0
		h.Begin(health.CameraLost, now, why)
	case why != w.why:
		h.Restate(health.CameraLost, why)
		if w.whyTold == 0 || now-w.whyTold >= tellAgain {
			w.whyTold = now
			w.unit.inform("the camera is still lost: " + why)
		}
	}
	w.why = why
}

func (w *watcher) drop() {
	if w.source != nil {
		w.source.Close() // it is lost; why is known already
		w.source = nil
	}
}

func (w *watcher) close() {
	w.drop()
	if w.eye != nil {
		w.eye.Close()
		w.eye = nil
	}
}
