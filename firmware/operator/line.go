package operator

import (
	"encoding/json"
	"strconv"
	"time"
)

// writer writes JSON. encoding/json would do, at four times the cost: fifteen times a
// second, in a process that has just run a network and has nothing of it in its caches
// (BenchmarkStreamLine; a test compares what both write).
type writer struct {
	b    []byte
	next bool // a comma comes first
}

func (w *writer) begin(bracket byte) {
	w.b, w.next = append(w.b, bracket), false
}

func (w *writer) end(bracket byte) {
	w.b, w.next = append(w.b, bracket), true
}

// item begins one of a list.
func (w *writer) item() *writer {
	if w.next {
		w.b = append(w.b, ',')
	}
	w.next = true
	return w
}

// key begins one of an object.
func (w *writer) key(name string) *writer {
	w.item()
	w.b = append(w.b, '"')
	w.b = append(w.b, name...)
	w.b = append(w.b, '"', ':')
	return w
}

func (w *writer) whole(n int64)   { w.b = strconv.AppendInt(w.b, n, 10) }
func (w *writer) count(n uint64)  { w.b = strconv.AppendUint(w.b, n, 10) }
func (w *writer) flag(on bool)    { w.b = strconv.AppendBool(w.b, on) }
func (w *writer) level(v float32) { w.b = appendLevel(w.b, float64(v)) }

func (w *writer) text(s string) {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			w.any(s)
			return
		}
	}
	w.b = append(w.b, '"')
	w.b = append(w.b, s...)
	w.b = append(w.b, '"')
}

func (w *writer) time(t time.Time) {
	w.b = append(w.b, '"')
	w.b = t.AppendFormat(w.b, time.RFC3339Nano)
	w.b = append(w.b, '"')
}

func (w *writer) flags(list []bool) {
	w.begin('[')
	for _, on := range list {
		w.item().flag(on)
	}
	w.end(']')
}

func (w *writer) levels(list []float32) {
	w.begin('[')
	for _, v := range list {
		w.item().level(v)
	}
	w.end(']')
}

// any is for what is rare.
func (w *writer) any(v any) {
	text, err := json.Marshal(v)
	if err != nil {
		text = []byte("null")
	}
	w.b = append(w.b, text...)
}

// append writes the line of the stream that tells n.
func (n *Now) append(b []byte) []byte {
	w := &writer{b: b}
	w.begin('{')
	w.key("state").begin('{')
	w.key("n").count(n.Results)
	w.key("at").whole(n.At)
	w.key("taken").whole(n.Taken)
	w.key("up_ms").whole(n.Up)
	w.key("valid").flag(n.Valid)
	w.key("trusted").flag(n.Trusted)
	w.key("beat").count(uint64(n.Beat))
	w.key("reason").text(n.Reason)
	w.key("advice").text(n.Advice)
	w.key("rate").level(float32(n.Rate))
	w.key("latency_ms").level(float32(n.Latency))
	w.key("dropped").count(n.Dropped)
	w.key("available").level(float32(n.Available))
	w.key("levels").levels(n.Levels)
	w.key("covered").begin('[')
	for _, part := range n.Covered {
		w.item().text(part)
	}
	w.end(']')
	if n.Expression != "" {
		w.key("expression").text(n.Expression)
	}
	w.key("expression_level").level(float32(n.Likely))
	if n.Compound != "" {
		w.key("compound").text(n.Compound)
	}
	w.key("compound_level").level(float32(n.Together))
	w.aim(&n.Aim)
	w.key("faults").begin('[')
	for _, f := range n.Faults {
		w.item().any(f)
	}
	w.end(']')
	w.key("alarms").begin('[')
	for i := range n.Alarms {
		w.alarm(&n.Alarms[i])
	}
	w.end(']')
	w.key("numbering").count(uint64(n.Numbering))
	w.key("newest").begin('{')
	w.key("alarm").whole(int64(n.Newest.Alarm))
	w.key("at").whole(n.Newest.At)
	w.key("horn").flag(n.Newest.Horn)
	w.key("lamp").flag(n.Newest.Lamp)
	w.end('}')
	w.key("outputs").flags(n.Outputs)
	w.key("inputs").flags(n.Inputs)
	w.key("test_ms").whole(n.Testing)
	if n.Tested != "" {
		w.key("tested").text(n.Tested)
	}
	w.key("inhibit_ms").whole(n.Inhibit)
	w.key("clock").begin('{')
	w.key("time").time(n.Clock.Time)
	w.key("source").text(n.Clock.Source)
	w.key("offset").whole(int64(n.Clock.Offset))
	w.key("settable").flag(n.Clock.Settable)
	w.end('}')
	w.key("synced").flag(n.Synced)
	w.key("temperature").level(float32(n.Temperature))
	w.pilot(n.Pilot)
	w.key("last").count(n.Last)
	w.end('}')
	w.end('}')
	return append(w.b, '\n')
}

func (w *writer) aim(a *Aim) {
	w.key("aim").begin('{')
	w.key("width").whole(int64(a.Width))
	w.key("height").whole(int64(a.Height))
	w.key("light").level(a.Light)
	w.key("contrast").level(a.Contrast)
	w.key("turned").whole(int64(a.Turned))
	w.key("faces").whole(int64(a.Faces))
	if f := a.Face; f != nil {
		w.key("face").begin('{')
		w.key("box").levels(f.Box[:])
		w.key("points").begin('[')
		for i := range f.Points {
			w.item().levels(f.Points[i][:])
		}
		w.end(']')
		w.key("score").level(f.Score)
		w.key("size").level(f.Size)
		w.key("eyes").level(f.Eyes)
		w.key("inside").level(f.Inside)
		w.key("yaw").level(f.Yaw)
		w.key("pitch").level(f.Pitch)
		w.key("roll").level(f.Roll)
		w.key("light").level(f.Light)
		w.key("contrast").level(f.Contrast)
		w.key("dark").level(f.Dark)
		w.key("bright").level(f.Bright)
		w.key("sharpness").level(f.Sharpness)
		w.end('}')
	}
	w.key("advice").begin('[')
	for _, v := range a.Advice {
		w.item().begin('{')
		w.key("code").text(v.Code)
		w.key("by").level(v.By)
		if v.Unit != "" {
			w.key("unit").text(v.Unit)
		}
		w.end('}')
	}
	w.end(']')
	w.end('}')
}

func (w *writer) alarm(a *Shown) {
	w.item().begin('{')
	w.key("name").text(a.Name)
	w.key("priority").text(a.Priority)
	w.key("state").text(a.State)
	w.key("for_ms").whole(a.For)
	w.key("signal").text(a.Signal)
	w.key("condition").whole(int64(a.Condition))
	w.key("level").level(float32(a.Level))
	w.key("side").text(a.Side)
	w.key("limit").level(float32(a.Limit))
	w.key("off").level(float32(a.Off))
	w.key("count").count(a.Count)
	w.key("active").flag(a.Active)
	w.key("needs_ack").flag(a.NeedsAck)
	w.key("latched").flag(a.Latched)
	w.key("first_out").flag(a.FirstOut)
	w.key("silenced").flag(a.Silenced)
	w.key("unknown").flag(a.Unknown)
	w.key("shelved_ms").whole(a.Shelved)
	w.key("max_shelve_ms").whole(a.MaxShelve)
	w.key("re_alarm_ms").whole(a.ReAlarm)
	w.key("why").text(a.Why)
	w.key("since_ms").whole(a.Since)
	w.key("on_delay_ms").whole(a.OnDelay)
	w.key("off_delay_ms").whole(a.OffDelay)
	w.key("unlocked").flag(a.Unlocked)
	w.end('}')
}

func (w *writer) pilot(p *Pilot) {
	w.key("pilot").begin('{')
	w.key("allowed").flag(p.Allowed)
	w.key("recording").flag(p.Recording)
	w.key("purpose").text(p.Purpose)
	if !p.Begun.IsZero() {
		w.key("begun").time(p.Begun)
	}
	if !p.Ends.IsZero() {
		w.key("ends").time(p.Ends)
	}
	if p.Ended != "" {
		w.key("ended").text(p.Ended)
	}
	if p.Trouble != "" {
		w.key("trouble").text(p.Trouble)
	}
	w.key("files").whole(int64(p.Files))
	w.key("bytes").whole(p.Bytes)
	w.key("frames").count(p.Frames)
	w.key("dropped").count(p.Dropped)
	w.key("marks_right").whole(int64(p.Right))
	w.key("marks_false").whole(int64(p.False))
	w.key("marks_missed").whole(int64(p.Missed))
	w.key("marked").count(uint64(p.Marked))
	w.key("left_ms").whole(p.Left)
	w.end('}')
}
