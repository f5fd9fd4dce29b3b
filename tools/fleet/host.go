package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
	"google.golang.org/protobuf/encoding/protowire"
)

const (
	hostName  = "fleet"
	stateName = "Alarms/" + alarmName + "/State"
)

// change is one change of a unit's alarm, by the unit's own clock.
type change struct {
	unit  int
	at    int64
	state string
}

// heard is the plant's side: a Sparkplug host application, and what it was told.
type heard struct {
	mu      sync.Mutex // covers what is below
	due     map[change]time.Time
	raises  int
	took    []time.Duration // from a change to the host, of those that came at once
	late    []time.Duration // and of those that were kept meanwhile
	twice   int
	nodes   map[int]bool
	aliases map[int]uint64 // of stateName
	seq     map[int]int
	wrong   int // sequence numbers out of order
	joins   int
	bytes   int
	count   int
}

func newHeard() *heard {
	return &heard{due: map[change]time.Time{}, nodes: map[int]bool{}, aliases: map[int]uint64{}, seq: map[int]int{}}
}

func (h *heard) births() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.nodes)
}

func (h *heard) missing() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.due)
}

func (h *heard) raised(unit int, at int64, state string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.raises++
	h.due[change{unit, at, state}] = time.Now()
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return fmt.Sprintf("%d changes of alarms, %d not heard of yet, %d messages", h.raises, len(h.due), h.count)
}

// listen is a host application until ctx ends, through each restart of the broker.
func (h *heard) listen(ctx context.Context, broker string) {
	for ; ctx.Err() == nil; time.Sleep(200 * time.Millisecond) {
		h.session(ctx, broker)
	}
}

func (h *heard) session(ctx context.Context, broker string) error {
	conn, err := net.Dial("tcp", broker)
	if err != nil {
		return err
	}
	ended := make(chan struct{})
	over := sync.OnceFunc(func() { close(ended) })
	c := paho.NewClient(paho.ClientConfig{Conn: packets.NewThreadSafeConn(conn),
		OnPublishReceived: []func(paho.PublishReceived) (bool, error){func(p paho.PublishReceived) (bool, error) {
			h.take(p.Packet.Topic, p.Packet.Payload)
			return true, nil
		}},
		OnClientError:      func(error) { over() },
		OnServerDisconnect: func(*paho.Disconnect) { over() }})
	h.mu.Lock()
	h.joins++
	id := fmt.Sprintf("host-%d", h.joins)
	clear(h.seq) // what came while it was away is not known
	h.mu.Unlock()
	at := time.Now().UnixMilli()
	topic := "spBv1.0/STATE/" + hostName
	online := func(is bool) []byte { return fmt.Appendf(nil, `{"online":%t,"timestamp":%d}`, is, at) }
	if _, err := c.Connect(ctx, &paho.Connect{ClientID: id, KeepAlive: 10, CleanStart: true,
		WillMessage: &paho.WillMessage{Topic: topic, Payload: online(false), QoS: 1, Retain: true}}); err != nil {
		conn.Close()
		return err
	}
	defer c.Disconnect(&paho.Disconnect{})
	if _, err := c.Subscribe(ctx, &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: "spBv1.0/fleet/#", QoS: 1}}}); err != nil {
		return err
	}
	if _, err := c.Publish(ctx, &paho.Publish{Topic: topic, Payload: online(true), QoS: 1, Retain: true}); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case <-ended:
	}
	return nil
}

// take reads one message.
func (h *heard) take(topic string, payload []byte) {
	now := time.Now()
	parts := strings.Split(topic, "/")
	var unit int
	if len(parts) != 4 {
		return
	} else if _, err := fmt.Sscanf(parts[3], "unit%d", &unit); err != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.count++
	h.bytes += len(payload)
	seq, metrics, err := decode(payload)
	if err != nil {
		h.wrong++
		return
	}
	switch parts[2] {
	case "NDEATH":
		delete(h.seq, unit)
		return
	case "NBIRTH":
		h.nodes[unit] = true
	case "NDATA":
		if before, known := h.seq[unit]; known && seq != (before+1)%256 {
			h.wrong++
		}
	}
	h.seq[unit] = seq
	for _, m := range metrics {
		if m.name == stateName {
			h.aliases[unit] = m.alias
		}
		if m.name != stateName && (m.name != "" || m.alias != h.aliases[unit]) {
			continue
		}
		is := change{unit, m.at, m.text}
		raised, due := h.due[is]
		switch {
		case due && (m.historical || parts[2] == "NBIRTH"):
			h.late = append(h.late, now.Sub(raised))
		case due:
			h.took = append(h.took, now.Sub(raised))
		case parts[2] == "NDATA":
			h.twice++
		}
		delete(h.due, is)
	}
}

// metric is what of a metric matters here.
type metric struct {
	name       string
	alias      uint64
	at         int64
	historical bool
	text       string
}

var errPayload = errors.New("not a Sparkplug B payload")

// fields goes through a message of a protocol buffer.
func fields(b []byte, each func(n protowire.Number, v uint64, text []byte) error) error {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return errPayload
		}
		b = b[n:]
		var v uint64
		var text []byte
		switch kind {
		case protowire.VarintType:
			v, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			text, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(number, kind, b)
		}
		if n < 0 {
			return errPayload
		}
		if err := each(number, v, text); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// decode reads a payload by the numbers of the Sparkplug specification, 3.0, 6.4.1.
func decode(payload []byte) (seq int, list []metric, err error) {
	err = fields(payload, func(n protowire.Number, v uint64, text []byte) error {
		switch n {
		case 2:
			var m metric
			if err := fields(text, func(n protowire.Number, v uint64, text []byte) error {
				switch n {
				case 1:
					m.name = string(text)
				case 2:
					m.alias = v
				case 3:
					m.at = int64(v)
				case 5:
					m.historical = v != 0
				case 15:
					m.text = string(text)
				}
				return nil
			}); err != nil {
				return err
			}
			list = append(list, m)
		case 3:
			seq = int(v)
		}
		return nil
	})
	return seq, list, err
}

// share is the time that so much of a list is no longer than.
func share(list []time.Duration, q float64) time.Duration {
	if len(list) == 0 {
		return 0
	}
	list = slices.Sorted(slices.Values(list))
	return list[min(len(list)-1, int(q*float64(len(list))))]
}
