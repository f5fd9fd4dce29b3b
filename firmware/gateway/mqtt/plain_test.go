package mqtt

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/operator"
)

const plainBase = "mien/mien/press 4/"

// newest gives what a topic holds, as who subscribes now is told.
func (h *host) newest(topic string) (text string, retain bool) {
	for _, s := range h.all() {
		if s.topic == topic {
			text, retain = string(s.payload), s.retain
		}
	}
	return text, retain
}

func (h *host) is(t *testing.T, topic, want string) {
	t.Helper()
	eventually(t, topic+" is "+want, func() bool { got, _ := h.newest(topic); return got == want })
}

// The JSON style at a real broker: values, changes, availability, commands, discovery.
func TestJSON(t *testing.T) {
	inBoth(t, func(t *testing.T, version string) {
		m, u := newMosquitto(t), newUnit(t)
		link := newProxy(t, m.address())
		h := newHost(t, m.address(), "")
		_, said, stop := node(t, u, settings(t, link.url(), version, `style = "json"`, "write = true", `discovery = "homeassistant"`, `levels = ["au4", "perclos"]`, `levels_every = "100ms"`))
		h.is(t, plainBase+"availability", "online")
		h.is(t, plainBase+"Alarms/brow lowered/State", `"normal"`)
		h.is(t, plainBase+"Levels/au4", "0.1")
		h.is(t, plainBase+"Levels/perclos", "null")
		h.is(t, plainBase+"Faults/F01 camera lost", "false")

		e := u.alarm("眠気", alarm.Unacknowledged)
		h.is(t, plainBase+"Alarms/眠気/Active", "true")
		changes := func() (list []string) {
			for _, s := range h.all() {
				if s.topic == plainBase+"change" {
					list = append(list, string(s.payload))
				}
			}
			return list
		}
		want := `{"name":"Alarms/眠気/State","value":"unacknowledged","time":"` + e.Wall.Format("2006-01-02T15:04:05.999Z07:00") + `"}`
		eventually(t, want, func() bool { return slices.Contains(changes(), want) })

		h.publish(plainBase+"set/Alarms/眠気/Acknowledge", []byte("true"), 1, false)
		h.publish(plainBase+"set/Alarms/眠気/Shelve", []byte("60"), 1, false)
		eventually(t, "both are asked of the unit", func() bool { return len(u.orders()) == 2 })
		if o := u.orders(); o[0].Do != alarm.Acknowledge || o[0].Alarm != "眠気" || o[0].Who != "mqtt mien-press 4" || o[0].Role != operator.Operator || o[1].Do != alarm.Shelve || o[1].For != time.Minute {
			t.Errorf("%+v", o)
		}
		h.is(t, plainBase+"Gateway/Answer", `"shelve 眠気: done"`)
		for payload, answer := range map[string]string{"yes": "takes a Boolean", "false": "for true only", "1": "takes a Boolean", "": "takes a Boolean"} {
			h.publish(plainBase+"set/Alarms/眠気/Acknowledge", []byte(payload), 1, false)
			eventually(t, answer, func() bool { got, _ := h.newest(plainBase + "Gateway/Answer"); return strings.Contains(got, answer) })
		}
		h.publish(plainBase+"set/nothing", []byte("true"), 1, false)
		eventually(t, "it is told", func() bool { return said.has(`there is no metric "nothing"`) })
		if strings.Contains(version, "5") { // an older broker does not say that what it passes on is retained
			h.publish(plainBase+"set/Alarms/眠気/Acknowledge", []byte("true"), 1, true)
			eventually(t, "it is told", func() bool { return said.has("retained") })
			h.publish(plainBase+"set/Alarms/眠気/Acknowledge", nil, 1, true)
		}

		// What Home Assistant needs.
		found := map[string]int{}
		for _, s := range h.all() {
			parts := strings.Split(s.topic, "/")
			if parts[0] != "homeassistant" {
				continue
			}
			var c map[string]any
			if err := json.Unmarshal(s.payload, &c); err != nil {
				t.Fatal(err)
			}
			found[parts[1]]++
			if len(parts) != 4 || parts[3] != "config" || c["unique_id"] != parts[2] || c["availability_topic"] != plainBase+"availability" {
				t.Errorf("%s: %s", s.topic, s.payload)
			}
			if state, is := c["state_topic"].(string); is {
				if got, _ := h.newest(state); got == "" {
					t.Errorf("%s: nothing is told at %s", s.topic, state)
				}
			} else if c["command_topic"] == nil {
				t.Errorf("%s: %s", s.topic, s.payload)
			}
		}
		if found["binary_sensor"] < 20 || found["sensor"] < 8 || found["button"] != 7 || found["number"] != 3 {
			t.Errorf("found %v", found)
		}

		// Another config: an alarm goes, and so do its topics.
		u.change(func(a *operator.About, n *operator.Now) { a.Alarms, n.Alarms = a.Alarms[1:], n.Alarms[1:]; a.CRC++ })
		h.is(t, plainBase+"Alarms/brow lowered/State", "")

		// The link is cut, a change meanwhile is told afterwards.
		link.close(true)
		link.cut()
		h.is(t, plainBase+"availability", "offline")
		u.alarm("眠気", alarm.Acknowledged)
		time.Sleep(50 * time.Millisecond)
		link.close(false)
		h.is(t, plainBase+"availability", "online")
		eventually(t, "the change, as one of before", func() bool {
			return slices.ContainsFunc(changes(), func(c string) bool {
				return strings.Contains(c, `"Alarms/眠気/State","value":"acknowledged"`) && strings.Contains(c, `"historical":true`)
			})
		})

		// Who comes later is told all of it.
		late := newHost(t, m.address(), "")
		late.is(t, plainBase+"Alarms/眠気/State", `"acknowledged"`)
		if _, retain := late.newest(plainBase + "Alarms/眠気/State"); !retain {
			t.Error("it is not retained")
		}
		u.stop()
		h.is(t, plainBase+"availability", "offline")
		stop()
	})
}
