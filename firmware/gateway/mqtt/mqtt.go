// Package mqtt tells a plant's MQTT broker what the unit knows, as a Sparkplug B 3.0 edge
// node or as plain topics with JSON, and takes commands from it where the config allows
// that.
//
// What counts is kept while the broker is away, so much and no more, and told when it is
// back. Nothing waits for a broker but the node itself.
package mqtt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/config"
	"mien/firmware/gateway"
	"mien/firmware/operator"
)

// Options are what a node is made of.
type Options struct {
	Config config.MQTT
	Folder string                           // the gateway's own: the node's number of connections
	Link   *gateway.Link                    // hears the unit
	Dial   func() (*operator.Client, error) // reaches it, for commands
	Say    func(format string, args ...any) // tells a technician; it must not wait
}

// Node is one MQTT client of one broker.
type Node struct {
	o        Options
	known    *known
	in       chan message
	asked    chan operator.Request // commands for the unit
	hosts    hostState
	retained map[string]bool // retained topics that the JSON style has set
	sequence *sequence
	retry    time.Duration // the first wait for a broker that is away

	mu     sync.Mutex // covers what is below
	said   string     // what a technician was told last,
	saidAt time.Time  // and when
}

// New gives a node; nothing is opened yet.
func New(o Options) *Node {
	c := o.Config
	return &Node{o: o, known: newKnown(c.Levels, c.LevelsEvery, c.Write, c.Keep), in: make(chan message, 64), asked: make(chan operator.Request, 16),
		sequence: openSequence(filepath.Join(o.Folder, "mqtt.json")), retry: 500 * time.Millisecond, retained: map[string]bool{}}
}

// session is what a style does with a connection until it ends.
type session interface {
	// will is asked for once a connection, just before its CONNECT.
	will() message
	// run tells the unit's state and changes until the connection or ctx ends.
	run(ctx context.Context, c connection) error
}

// Run talks to the broker until ctx ends.
func (n *Node) Run(ctx context.Context) error {
	reader := n.o.Link.Join()
	if reader == nil {
		return errors.New("mqtt: the gateway has too many readers")
	}
	defer reader.Leave()
	var parts sync.WaitGroup
	defer parts.Wait()
	parts.Go(func() { n.listen(ctx, reader) })
	parts.Go(func() { n.obey(ctx) })
	wait, short := n.retry, 0
	for ctx.Err() == nil {
		unit, lost, heard := n.known.state()
		if !heard {
			if lost != "" && unit != "" {
				n.say("mqtt: the unit is away, so is its node: %s", lost)
			}
			select {
			case <-ctx.Done():
			case <-n.known.wake:
			}
			continue
		}
		began := time.Now()
		err := n.talk(ctx, unit)
		if ctx.Err() != nil {
			break
		}
		if err == nil { // in good order: the unit is away, or the host is
			wait = n.retry
			continue
		}
		if time.Since(began) > 10*time.Second {
			wait, short = n.retry, 0
		}
		if errors.Is(err, errHungUp) {
			if short++; short >= 3 { // Mosquitto 2.0 gives no reason
				err = fmt.Errorf("%w soon after the connection, again and again: has another client this mqtt.client_id?", err)
			}
		}
		n.say("mqtt: %s: %v", n.o.Config.Broker, err)
		if errors.Is(err, errTakenOver) {
			wait = max(wait, 5*n.retry)
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait/2 + rand.N(wait)): // fifty units do not come at once
		}
		wait = min(2*wait, 60*n.retry)
	}
	return nil
}

// talk is one session with the broker.
func (n *Node) talk(ctx context.Context, unit string) error {
	c := n.o.Config
	node := c.Node
	if node == "" {
		node = clean(unit)
	}
	client := c.ClientID
	if client == "" {
		client = "mien-" + node
	}
	var s session
	if c.Style == config.JSON {
		s = &plain{Node: n, base: "mien/" + c.Group + "/" + node, node: node, client: client}
	} else {
		s = &sparkplug{Node: n, group: c.Group, node: node, client: client}
	}
	for len(n.in) > 0 { // of the session before
		<-n.in
	}
	d := &dialer{of: c, client: client, heard: func(m message) {
		select {
		case n.in <- m:
			return
		default:
		}
		if !strings.HasPrefix(m.topic, namespace+"/STATE/") {
			n.say("mqtt: more commands come than can be looked at: some are left out")
			return
		}
		select { // a host's state must not be lost in a flood of commands
		case n.in <- m:
		case <-time.After(answerWithin):
		}
	}}
	conn, err := d.connect(ctx, s.will)
	if err != nil {
		return err
	}
	n.sequence.keep()
	defer n.known.end()
	n.say("mqtt: connected to %s as %s/%s", c.Broker, c.Group, node)
	err = s.run(ctx, conn)
	conn.leave()
	<-conn.gone()
	return err
}

// listen takes what the unit tells until ctx ends.
func (n *Node) listen(ctx context.Context, reader *gateway.Listener) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-reader.Wake:
		}
		news := reader.Take()
		var events []alarm.Event
		for _, raw := range news.Events {
			var e alarm.Event
			if err := json.Unmarshal(raw, &e); err != nil {
				n.say("mqtt: an event of the unit: %v", err)
				continue
			}
			events = append(events, e)
		}
		if len(events) > 0 {
			if after, some := n.known.missing(events[0].Number); some {
				events = append(n.journal(after, events[0].Number), events...)
			}
		}
		if err := n.known.hear(news, events); err != nil {
			n.say("mqtt: %v", err)
		}
	}
}

// journal gives the events between two numbers, as far as the unit has them.
func (n *Node) journal(after, before uint64) (list []alarm.Event) {
	c, err := n.o.Dial()
	if err != nil {
		return nil
	}
	defer c.Close()
	reply, err := c.Ask(operator.Request{Ask: operator.AskEvents, After: after, Most: n.o.Config.Keep})
	if err != nil {
		n.say("mqtt: the unit's events %d to %d: %v", after+1, before-1, err)
		return nil
	}
	for _, e := range reply.Events {
		if e.Number < before {
			list = append(list, e)
		}
	}
	return list
}

// say tells a technician something, the same again once an hour at most.
func (n *Node) say(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	n.mu.Lock()
	again := text == n.said && time.Since(n.saidAt) < time.Hour
	if !again {
		n.said, n.saidAt = text, time.Now()
	}
	n.mu.Unlock()
	if !again {
		n.o.Say("%s", text)
	}
}

// confirmEvery is how often the broker is asked whether it has read all.
const confirmEvery = time.Second

// confirming asks the broker while there is something that it has not confirmed. sent
// gives the number after the newest change that went to it. The error says that it does
// not answer.
func (n *Node) confirming(c connection, sent func() uint64, failed chan<- error) {
	last := uint64(0)
	for tick := time.NewTicker(confirmEvery); ; {
		select {
		case <-c.gone():
			tick.Stop()
			return
		case <-tick.C:
		}
		next := sent()
		if next == last {
			continue
		}
		if err := c.confirm(); err != nil {
			select {
			case failed <- fmt.Errorf("the broker does not answer: %w", err):
			default:
			}
			tick.Stop()
			return
		}
		last = next
		n.known.confirmed(next)
	}
}
