package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mien/firmware/operator"
)

// What setting a unit up asks of it beside the config: an output alone, a limit tried
// on levels, and recordings computed again by a child.
func TestSettingUpThroughTheUnit(t *testing.T) {
	p := newProcess(t)
	text := fmt.Sprintf("[camera]\nclip = \"demo.mjpeg\"\nloop = true\n[health]\nfrozen = \"1h\"\nmin_rate = 1\n[pilot]\nrecord = true\n[state]\ndir = %q\n[socket]\npath = %q\n"+
		"[[alarm]]\nname = \"brow\"\nsignal = \"au4\"\nhigh = 0.5\non_delay = \"100ms\"\noff_delay = \"100ms\"\ndeadband = 0.1\n",
		filepath.Join(p.dir, "state"), p.socket())
	if err := os.WriteFile(p.config(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p.start()
	p.until("the socket", func() bool { return exists(p.socket()) })
	as := func(r operator.Request) (operator.Reply, error) {
		r.Who, r.Role = "anna", operator.Engineer
		return p.ask(r)
	}
	if _, err := as(operator.Request{Ask: operator.AskTest, Output: "none", On: true, For: time.Second}); err == nil || !strings.Contains(err.Error(), `no output "none"`) {
		t.Errorf("a test of an output that is not there: %v", err)
	}
	if reply, err := as(operator.Request{Ask: operator.AskSerial}); err != nil || reply.Serial == nil || reply.Serial.Protocol != "" {
		t.Errorf("%+v %v", reply.Serial, err)
	}

	// A limit that is set, and tried: levels of 0.4 bring nothing at 0.5, and an alarm at 0.3.
	set, err := as(operator.Request{Ask: operator.AskConfig, Config: &operator.ConfigAsk{Do: operator.ConfigSet, Keys: []operator.KeySet{{Path: "alarm[brow].high", Value: "0.3"}}}})
	if err != nil || set.Config.Text != strings.Replace(text, "high = 0.5", "high = 0.3", 1) {
		t.Fatalf("%v\n%+v", err, set.Config)
	}
	try := &operator.Try{Text: set.Config.Text, Alarm: "brow", Levels: map[string][]*float32{"au4": nil}}
	for i := range int64(100) {
		level := float32(0.1)
		if i >= 20 && i < 60 {
			level = 0.4
		}
		try.Times = append(try.Times, 1_700_000_000_000+i*66)
		try.Levels["au4"] = append(try.Levels["au4"], &level)
	}
	reply, err := as(operator.Request{Ask: operator.AskTry, Try: try})
	if err != nil || len(reply.Tried.Now) != 0 || len(reply.Tried.Then) != 1 {
		t.Fatalf("%+v %v", reply.Tried, err)
	}
	if s := reply.Tried.Then[0]; s.From < try.Times[21] || s.From > try.Times[23] || s.To < try.Times[59] || s.To > try.Times[63] {
		t.Errorf("from %d to %d", s.From-try.Times[0], s.To-try.Times[0])
	}
	for _, wrong := range []*operator.Try{nil, {Text: text, Alarm: "brow"}, {Text: text, Alarm: "brow", Times: []int64{2, 1}}, {Text: text, Alarm: "brow", Times: []int64{1, 2}},
		{Text: text + "hgih = 1", Alarm: "brow", Times: try.Times, Levels: try.Levels}} {
		if reply, err := as(operator.Request{Ask: operator.AskTry, Try: wrong}); err == nil {
			t.Errorf("no error: %+v", reply.Tried)
		}
	}

	// Studies: without recordings, with one, one at a time.
	study := func(a operator.StudyAsk) (*operator.Study, error) {
		reply, err := as(operator.Request{Ask: operator.AskStudy, Study: &a})
		return reply.Study, err
	}
	done := func(a operator.StudyAsk) *operator.Study {
		t.Helper()
		if _, err := study(a); err != nil {
			t.Fatal(err)
		}
		var now *operator.Study
		p.until("the "+string(a.Do), func() bool { now, err = study(operator.StudyAsk{}); return err == nil && !now.Going })
		return now
	}
	if s := done(operator.StudyAsk{Do: operator.StudyReplay, Text: text}); !strings.Contains(s.Failed, "no recording") && !strings.Contains(s.Failed, "no such file") {
		t.Errorf("%+v", s)
	}
	if _, err := as(operator.Request{Ask: operator.AskPilot, Pilot: operator.PilotStart, For: time.Hour, Text: "a test"}); err != nil {
		t.Fatal(err)
	}
	p.until("frames", func() bool {
		r, err := as(operator.Request{Ask: operator.AskPilot})
		return err == nil && r.Pilot.Frames > 20 && r.Pilot.Bytes > 0
	})
	if _, err := as(operator.Request{Ask: operator.AskPilot, Pilot: operator.PilotStop}); err != nil {
		t.Fatal(err)
	}
	if s := done(operator.StudyAsk{Do: operator.StudyReplay, Text: set.Config.Text}); s.Failed != "" || !strings.Contains(string(s.Result), `"brow"`) && !strings.Contains(string(s.Result), `"alarms"`) {
		t.Errorf("%+v %s", s, s.Result)
	}
	if s := done(operator.StudyAsk{Do: operator.StudyTune, Signal: "au4", CostFalse: 1, CostMissed: 10, MostFalse: 1}); s.Failed == "" && !strings.Contains(string(s.Result), `"enough"`) {
		t.Errorf("%+v %s", s, s.Result)
	}
	if s := done(operator.StudyAsk{Do: operator.StudyReport, CostFalse: 1, CostMissed: 10, MostFalse: 1, Language: "ja"}); s.Failed != "" || s.Size < 1000 {
		t.Errorf("%+v", s)
	}
	if s, err := study(operator.StudyAsk{Page: true, From: 10}); err != nil || len(s.Page) != s.Size-10 {
		t.Errorf("%v %v", s, err)
	}
	if left, _ := os.ReadDir(filepath.Join(p.dir, "state", "study")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if _, err := p.ask(operator.Request{Ask: operator.AskStudy, Study: &operator.StudyAsk{}, Who: "otto", Role: operator.Operator}); err == nil {
		t.Error("an operator made a study")
	}
}
