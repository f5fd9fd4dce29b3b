package pipeline

import (
	"fmt"
	"time"
)

// dates tells when frames were taken. The time base is the clock of this machine
// when a frame arrives. A device's own time is nearer to the moment of exposure,
// and the only thing that tells of pictures that were kept back, so it is used for
// as long as it is plausible. One that once stood still, went back, was in the
// future or long ago is believed no more until the camera is opened again.
type dates struct {
	live  bool          // times can be compared with the clock; a clip played fast makes up its own
	any   bool          // a frame came before
	stamp time.Duration // the device's, of that frame
	last  time.Duration // what was made of it
	doubt string        // why the device's times are not believed; "" if they are
}

// ahead is how far a stamp may lie in the future: a driver that stamps the end of
// a frame in advance (vivid) is up to one frame early.
const ahead = time.Second

// LongAgo is how old a picture may be by its stamp. None is kept back for so long:
// the device counts from another moment than this machine.
const LongAgo = time.Hour

// date gives the time of a frame that came now, later than the one before, and how
// old the picture is. wrong says in words why the device's times are not believed,
// once, at the first that is not.
func (d *dates) date(stamp, now time.Duration) (at, age time.Duration, wrong string) {
	if d.doubt == "" {
		switch off := stamp - d.stamp; {
		case d.any && off == 0:
			wrong = "two frames have the same time"
		case d.any && off < 0:
			wrong = fmt.Sprintf("a frame is dated %v before the one before it", (-off).Round(time.Millisecond))
		case d.live && stamp > now+ahead:
			wrong = fmt.Sprintf("a frame is dated %v in the future", (stamp - now).Round(time.Millisecond))
		case d.live && stamp < now-LongAgo:
			wrong = fmt.Sprintf("a frame is dated %v in the past", (now - stamp).Round(time.Second))
		}
		d.doubt = wrong
	}
	at = stamp
	switch {
	case d.doubt != "":
		at = now
	case d.live:
		at = min(stamp, now)
		age = now - at
	}
	if d.any && at <= d.last {
		at = d.last + 1
	}
	d.any, d.stamp, d.last = true, stamp, at
	return at, age, wrong
}
