package mqtt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

const (
	namespace   = "spBv1.0"
	mostSent    = 200 // changes of one message
	rebirthEach = time.Second
)

// sparkplug is a session of a Sparkplug B edge node: tck-id- names in its test are those
// of the specification, 3.0.
type sparkplug struct {
	*Node
	group, node, client string
	deaths              uint8 // bdSeq: which connection this is

	c       connection
	seq     int // of the next message
	births  int
	aliases map[string]uint64
	specs   []spec
	next    uint64        // number of the change that comes next
	sent    atomic.Uint64 // the same, for who confirms
	born    bool
	bornAt  time.Time
}

func (s *sparkplug) topic(verb string) string {
	return namespace + "/" + s.group + "/" + verb + "/" + s.node
}

func (s *sparkplug) will() message {
	s.deaths = s.sequence.next()
	return message{s.topic("NDEATH"), s.death(), 1, false}
}

func (s *sparkplug) death() []byte {
	at := time.Now().UnixMilli()
	return encode(at, noSeq, []sent{{metric: metric{nameSeq, typeInt64, int64(s.deaths), at}}})
}

func (s *sparkplug) run(ctx context.Context, c connection) error {
	s.c = c
	topics := []string{s.topic("NCMD")}
	host := ""
	if id := s.o.Config.PrimaryHost; id != "" {
		host = namespace + "/STATE/" + id
		topics = append(topics, host)
	}
	if err := c.subscribe(topics, []string{s.topic("NBIRTH")}); err != nil {
		return err
	}
	failed := make(chan error, 1)
	if host == "" {
		if err := s.birth(); err != nil {
			return err
		}
	}
	go s.confirming(c, s.sent.Load, failed)
	var again <-chan time.Time // when a birth that was asked for comes
	for {
		select {
		case <-ctx.Done():
			return s.farewell(nil)
		case <-c.gone():
			return c.why()
		case err := <-failed:
			return err
		case <-again:
			again = nil
			if err := s.birth(); err != nil {
				return err
			}
		case m := <-s.in:
			switch m.topic {
			case host:
				switch s.hosts.hears(m.payload, s.say) {
				case hostOnline:
					if !s.born {
						if err := s.birth(); err != nil {
							return err
						}
					}
				case hostOffline:
					if s.born {
						return s.farewell(fmt.Errorf("the primary host %s is offline", s.o.Config.PrimaryHost))
					}
				}
			case s.topic("NBIRTH"):
				s.say("mqtt: another edge node is called %s/%s: one of the two needs another mqtt.node", s.group, s.node)
			case s.topic("NCMD"):
				if s.commanded(m) && s.born && again == nil {
					again = time.After(rebirthEach - time.Since(s.bornAt))
				}
			}
			continue
		case <-s.known.wake:
		}
		if !s.born || again != nil { // no data between a wish for a birth and the birth
			if _, lost, heard := s.known.state(); !heard {
				return s.farewell(s.away(lost))
			}
			continue
		}
		if err := s.data(); err != nil {
			return err
		}
	}
}

var errAway = errors.New("the unit is away")

func (s *sparkplug) away(lost string) error { return fmt.Errorf("%w: %s", errAway, lost) }

// farewell ends the session in good order: a death, though the broker sends the will too.
func (s *sparkplug) farewell(why error) error {
	if s.born {
		s.c.publish(message{s.topic("NDEATH"), s.death(), 1, false})
	}
	return why
}

// birth tells what the node has and what it is worth, then what happened before.
func (s *sparkplug) birth() error {
	b, ok := s.known.begin(s.next)
	if !ok {
		_, lost, _ := s.known.state()
		return s.farewell(s.away(lost))
	}
	at := time.Now().UnixMilli()
	s.births, s.seq, s.specs, s.aliases = b.number, 0, b.specs, make(map[string]uint64, len(b.list))
	list := []sent{{metric: metric{nameSeq, typeInt64, int64(s.deaths), at}, alias: 1}, {metric: metric{nameRebirth, typeBoolean, false, at}}}
	for i, m := range b.list {
		s.aliases[m.name] = uint64(i + 2)
		list = append(list, sent{metric: m, alias: uint64(i + 2)})
	}
	slices.SortStableFunc(list, func(a, b sent) int { return int(max(-1, min(1, a.at-b.at))) })
	if err := s.c.publish(message{s.topic("NBIRTH"), encode(at, s.number(), list), 0, false}); err != nil {
		return err
	}
	s.born, s.bornAt = true, time.Now()
	for part := range slices.Chunk(b.history, mostSent) {
		if err := s.tell(part, true); err != nil {
			return err
		}
	}
	s.next = b.next
	s.sent.Store(s.next)
	return nil
}

// number gives the sequence number of a message.
func (s *sparkplug) number() int {
	n := s.seq
	s.seq = (s.seq + 1) % 256
	return n
}

// data tells what has changed.
func (s *sparkplug) data() error {
	for {
		list, next, again, away := s.known.after(s.next, mostSent, s.births)
		switch {
		case away:
			_, lost, _ := s.known.state()
			return s.farewell(s.away(lost))
		case again:
			return s.birth()
		case len(list) == 0:
			return nil
		}
		if err := s.tell(list, false); err != nil {
			return err
		}
		s.next = next
		s.sent.Store(next)
	}
}

func (s *sparkplug) tell(changes []metric, historical bool) error {
	list := make([]sent, 0, len(changes))
	for _, m := range changes {
		if alias := s.aliases[m.name]; alias != 0 { // all that a birth has
			list = append(list, sent{metric: m, alias: alias, noName: true, noKind: true, historical: historical})
		}
	}
	if len(list) == 0 {
		return nil
	}
	return s.c.publish(message{s.topic("NDATA"), encode(time.Now().UnixMilli(), s.number(), list), 0, false})
}

// commanded looks at a command; it gives whether a birth is wanted.
func (s *sparkplug) commanded(m message) (rebirth bool) {
	if m.retained {
		s.refuse(s.client, "it is retained: it may be of last year")
		return false
	}
	list, err := decode(m.payload)
	if err != nil {
		s.refuse(s.client, err.Error())
		return false
	}
	for _, t := range list {
		if t.name == nameRebirth {
			if on, is := t.value.(bool); !is {
				s.refuse(s.client, nameRebirth+" takes a Boolean")
			} else if on {
				rebirth = true
			}
			continue
		}
		i := slices.IndexFunc(s.specs, func(p spec) bool {
			return t.name != "" && p.name == t.name || t.name == "" && t.alias != 0 && s.aliases[p.name] == t.alias
		})
		if i < 0 {
			s.refuse(s.client, fmt.Sprintf("there is no metric %.80q (alias %d)", t.name, t.alias))
			continue
		}
		if !s.o.Config.Write {
			s.refuse(s.client, s.specs[i].name+": mqtt.write is false")
			continue
		}
		if t.kind != 0 && t.kind != s.specs[i].kind {
			s.refuse(s.client, fmt.Sprintf("%s is a %s", s.specs[i].name, typeNames[s.specs[i].kind]))
			continue
		}
		r, err := command(&s.specs[i], t.value)
		if err != nil {
			s.refuse(s.client, err.Error())
			continue
		}
		s.order(s.client, r)
	}
	return rebirth
}

// hostState is what is known of the primary host.
type hostState struct {
	heard bool
	at    int64 // timestamp of the newest state that counted
}

type hostIs uint8

const (
	hostUnheard hostIs = iota // nothing that counts
	hostOnline
	hostOffline
)

// hears reads a STATE message. One that is older than what was heard before does not
// count.
func (h *hostState) hears(payload []byte, say func(string, ...any)) hostIs {
	var s struct {
		Online    *bool  `json:"online"`
		Timestamp *int64 `json:"timestamp"`
	}
	if err := json.Unmarshal(payload, &s); err != nil || s.Online == nil || s.Timestamp == nil {
		say("mqtt: the primary host's STATE is not the JSON of Sparkplug 3.0: %.80q", strings.ToValidUTF8(string(payload), "?"))
		return hostUnheard
	}
	if h.heard && *s.Timestamp < h.at {
		say("mqtt: a STATE of the primary host is older than the one before, and is ignored: %d, not %d or later", *s.Timestamp, h.at)
		return hostUnheard
	}
	h.heard, h.at = true, *s.Timestamp
	if *s.Online {
		return hostOnline
	}
	return hostOffline
}
