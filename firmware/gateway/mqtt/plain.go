package mqtt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const (
	online  = "online"
	offline = "offline"
)

// plain is a session of the JSON style: each metric has a topic with its newest value,
// retained; each change that counts is a message too, with its time; and availability says
// whether the unit is heard.
type plain struct {
	*Node
	base, node, client string

	c      connection
	births int
	specs  []spec
	next   uint64
	sent   atomic.Uint64
}

func (p *plain) availability(text string) message {
	return message{p.base + "/availability", []byte(text), 1, true}
}

func (p *plain) will() message { return p.availability(offline) }

// topic is where a metric's newest value is.
func (p *plain) topic(name string) string {
	return p.base + "/" + strings.Map(func(r rune) rune {
		if strings.ContainsRune("+#\x00", r) {
			return '_'
		}
		return r
	}, name)
}

func (p *plain) run(ctx context.Context, c connection) error {
	p.c = c
	set := p.base + "/set/"
	if p.o.Config.Write {
		if err := c.subscribe([]string{set + "#"}, nil); err != nil {
			return err
		}
	}
	err := p.birth()
	failed := make(chan error, 1)
	go p.confirming(c, p.sent.Load, failed)
	for err == nil {
		select {
		case <-ctx.Done():
			c.publish(p.availability(offline))
			return nil
		case <-c.gone():
			return c.why()
		case err = <-failed:
		case m := <-p.in:
			p.commanded(m, strings.TrimPrefix(m.topic, set))
		case <-p.known.wake:
			err = p.data()
		}
	}
	if errors.Is(err, errAway) {
		c.publish(p.availability(offline))
	}
	return err
}

// birth tells all that there is, and what happened before.
func (p *plain) birth() error {
	b, ok := p.known.begin(p.next)
	if !ok {
		_, lost, _ := p.known.state()
		return fmt.Errorf("%w: %s", errAway, lost)
	}
	p.births, p.specs = b.number, b.specs
	list, here := []message{}, map[string]bool{}
	for i, m := range b.list {
		if i >= len(b.specs) { // only its changes are still to be told
			continue
		}
		if p.o.Config.Discovery != "" {
			list = append(list, p.discover(&b, &b.specs[i]))
		}
		if b.specs[i].does == nil {
			list = append(list, message{p.topic(m.name), scalar(m.value), 1, true})
		}
	}
	for _, m := range list {
		here[m.topic] = true
	}
	for _, topic := range slices.Sorted(maps.Keys(p.retained)) {
		if !here[topic] { // of an alarm or a line that is no more
			list = append(list, message{topic, nil, 1, true})
		}
	}
	p.retained = here
	for _, m := range append(list, p.availability(online)) {
		if err := p.c.publish(m); err != nil {
			return err
		}
	}
	for _, m := range b.history {
		if err := p.changed(m, true); err != nil {
			return err
		}
	}
	p.next = b.next
	p.sent.Store(p.next)
	return nil
}

// data tells what has changed.
func (p *plain) data() error {
	for {
		list, next, again, away := p.known.after(p.next, mostSent, p.births)
		switch {
		case away:
			_, lost, _ := p.known.state()
			return fmt.Errorf("%w: %s", errAway, lost)
		case again:
			return p.birth()
		case len(list) == 0:
			return nil
		}
		for _, m := range list {
			if err := p.c.publish(message{p.topic(m.name), scalar(m.value), 1, true}); err != nil {
				return err
			}
			if slices.ContainsFunc(p.specs, func(s spec) bool { return s.name == m.name && s.keep }) {
				if err := p.changed(m, false); err != nil {
					return err
				}
			}
		}
		p.next = next
		p.sent.Store(next)
	}
}

// changed tells one change with its time.
func (p *plain) changed(m metric, historical bool) error {
	text, err := json.Marshal(struct {
		Name       string    `json:"name"`
		Value      any       `json:"value"`
		Time       time.Time `json:"time"`
		Historical bool      `json:"historical,omitempty"`
	}{m.name, m.value, time.UnixMilli(m.at).UTC(), historical})
	if err != nil {
		return fmt.Errorf("tell %s: %w", m.name, err)
	}
	return p.c.publish(message{p.base + "/change", text, 1, false})
}

// scalar is a value as JSON.
func scalar(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil { // no number is: those that JSON cannot say are nil here
		return []byte("null")
	}
	return text
}

// commanded looks at a command for a metric.
func (p *plain) commanded(m message, name string) {
	if m.retained {
		p.refuse(p.client, "it is retained: it may be of last year")
		return
	}
	i := slices.IndexFunc(p.specs, func(s spec) bool { return p.topic(s.name) == p.base+"/"+name })
	if i < 0 {
		p.refuse(p.client, fmt.Sprintf("there is no metric %.80q", name))
		return
	}
	text := strings.TrimSpace(string(m.payload[:min(len(m.payload), 80)]))
	var value any = text
	if seconds, err := strconv.ParseInt(text, 10, 64); err == nil {
		value = seconds
	} else if text == "true" || text == "false" {
		value = text == "true"
	}
	r, err := command(&p.specs[i], value)
	if err != nil {
		p.refuse(p.client, err.Error())
		return
	}
	p.order(p.client, r)
}

// Home Assistant's names for what a metric is of.
var classes = map[string][3]string{ // unit, device class, state class
	"Health/Latency":     {"ms", "duration", "measurement"},
	"Health/Rate":        {"1/s", "", "measurement"},
	"Health/Temperature": {"°C", "temperature", "measurement"},
	"Health/Dropped":     {"", "", "total_increasing"},
}

// discover is the message by which Home Assistant finds a metric.
func (p *plain) discover(b *birth, s *spec) message {
	hash := fnv.New32a()
	hash.Write([]byte(p.base + "/" + s.name))
	id := fmt.Sprintf("mien_%s_%08x", slug(p.node+"_"+s.name), hash.Sum32())
	about := map[string]any{
		"name": s.name, "unique_id": id, "object_id": id, "availability_topic": p.base + "/availability",
		"device": map[string]any{"identifiers": []string{"mien_" + slug(p.base)}, "name": b.about.Unit, "model": "mien", "sw_version": b.about.Version},
	}
	component := "sensor"
	switch {
	case s.does != nil && s.kind == typeBoolean:
		component = "button"
		about["command_topic"], about["payload_press"] = p.base+"/set/"+strings.TrimPrefix(p.topic(s.name), p.base+"/"), "true"
	case s.does != nil:
		component = "number"
		about["command_topic"], about["min"], about["max"], about["mode"], about["unit_of_measurement"] = p.base+"/set/"+strings.TrimPrefix(p.topic(s.name), p.base+"/"), 0, int64(longestCommand/time.Second), "box", "s"
	case s.kind == typeBoolean:
		component = "binary_sensor"
		about["state_topic"], about["payload_on"], about["payload_off"] = p.topic(s.name), "true", "false"
		if strings.HasPrefix(s.name, "Faults/") || strings.HasPrefix(s.name, "Alarms/") {
			about["device_class"] = "problem"
		}
	default:
		about["state_topic"], about["value_template"] = p.topic(s.name), "{{ value_json }}"
		if s.kind == typeFloat {
			about["state_class"] = "measurement"
		}
		for i, key := range []string{"unit_of_measurement", "device_class", "state_class"} {
			if v := classes[s.name][i]; v != "" {
				about[key] = v
			}
		}
	}
	text, err := json.Marshal(about)
	if err != nil { // texts and numbers
		text = nil
	}
	return message{p.o.Config.Discovery + "/" + component + "/" + id + "/config", text, 1, true}
}

// slug is a name of letters that each topic and each identifier can have.
func slug(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '_'
	}, name)
}
