package mqtt

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
	"google.golang.org/protobuf/encoding/protowire"

	"mien/firmware/alarm"
	"mien/firmware/config"
	"mien/firmware/gateway"
	"mien/firmware/operator"
)

// unit is a unit's socket, without a unit: it tells what a test sets, and notes what it
// is asked.
type unit struct {
	path string

	mu      sync.Mutex // covers what is below
	l       net.Listener
	conns   []net.Conn
	about   operator.About
	now     operator.Now
	events  []alarm.Event
	asked   []operator.Request
	version int
}

func newUnit(t *testing.T) *unit {
	u := &unit{path: filepath.Join(t.TempDir(), "unit.sock")}
	u.about = operator.About{Unit: "press 4", Version: "test", Outputs: []string{"lamp"}, Inputs: []string{"ack"},
		Signals: []operator.Kind{{Name: "au4", Max: 1}, {Name: "perclos", Max: 1}},
		Alarms:  []operator.Condition{{Name: "brow lowered", Priority: "high"}, {Name: "眠気", Priority: "critical"}}}
	u.now = operator.Now{Valid: true, Rate: 15, Latency: 40, Available: 1, Temperature: 50, Levels: []float32{0.1, float32(math.NaN())},
		Alarms:  []operator.Shown{{Name: "brow lowered", State: "normal"}, {Name: "眠気", State: "normal"}},
		Outputs: []bool{false}, Inputs: []bool{false}}
	u.start(t)
	t.Cleanup(u.stop)
	return u
}

func (u *unit) start(t *testing.T) {
	os.Remove(u.path)
	l, err := net.Listen("unix", u.path)
	if err != nil {
		t.Fatal(err)
	}
	u.mu.Lock()
	u.l = l
	u.mu.Unlock()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			u.mu.Lock()
			u.conns = append(u.conns, c)
			u.mu.Unlock()
			go u.serve(c)
		}
	}()
}

// stop takes the unit away.
func (u *unit) stop() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.l.Close()
	for _, c := range u.conns {
		c.Close()
	}
	u.conns = nil
}

func (u *unit) serve(c net.Conn) {
	defer c.Close()
	lines := bufio.NewScanner(c)
	to := json.NewEncoder(c)
	for lines.Scan() {
		var r operator.Request
		if json.Unmarshal(lines.Bytes(), &r) != nil {
			return
		}
		u.mu.Lock()
		switch r.Ask {
		case operator.AskStream:
			u.mu.Unlock()
			u.stream(to)
			return
		case operator.AskEvents:
			var list []alarm.Event
			for _, e := range u.events {
				if e.Number > r.After {
					list = append(list, e)
				}
			}
			u.mu.Unlock()
			to.Encode(operator.Reply{Events: list})
		default:
			u.asked = append(u.asked, r)
			u.mu.Unlock()
			if !r.Role.May(r.Right()) {
				to.Encode(operator.Reply{Denied: true, Error: fmt.Sprintf("%q is not for the role %q", r.Right(), r.Role)})
				continue
			}
			to.Encode(operator.Reply{Done: []string{"it"}})
		}
	}
}

func (u *unit) stream(to *json.Encoder) {
	came, crc := -1, -1
	for {
		u.mu.Lock()
		version := u.version
		if came < 0 {
			came = max(0, len(u.events)-64)
		}
		news := slices.Clone(u.events[came:])
		came = len(u.events)
		u.now.Last = uint64(len(u.events))
		u.now.Clock.Time = time.Now().UTC()
		about, now := u.about, u.now
		now.Alarms, now.Faults = slices.Clone(now.Alarms), slices.Clone(now.Faults)
		now.Outputs, now.Inputs, now.Levels = slices.Clone(now.Outputs), slices.Clone(now.Inputs), slices.Clone(now.Levels)
		u.mu.Unlock()
		var err error
		if crc != int(about.CRC) {
			crc = int(about.CRC)
			err = to.Encode(operator.Told{About: &about})
		}
		if len(news) > 0 && err == nil {
			err = to.Encode(operator.Told{Events: news})
		}
		if err == nil {
			err = to.Encode(operator.Told{State: &now})
		}
		if err != nil {
			return
		}
		for began := time.Now(); time.Since(began) < 500*time.Millisecond; time.Sleep(2 * time.Millisecond) {
			u.mu.Lock()
			newer := u.version != version
			u.mu.Unlock()
			if newer {
				break
			}
		}
	}
}

// change changes what the unit knows.
func (u *unit) change(f func(a *operator.About, n *operator.Now)) {
	u.mu.Lock()
	f(&u.about, &u.now)
	u.version++
	u.mu.Unlock()
}

// alarm brings an alarm into a state, at a moment of its own.
func (u *unit) alarm(name string, to alarm.State) alarm.Event {
	u.mu.Lock()
	defer u.mu.Unlock()
	i := slices.IndexFunc(u.now.Alarms, func(a operator.Shown) bool { return a.Name == name })
	var from alarm.State
	from.UnmarshalText([]byte(u.now.Alarms[i].State))
	e := alarm.Event{Number: uint64(len(u.events) + 1), Wall: time.Now().UTC().Truncate(time.Millisecond), Trigger: alarm.Raise, Alarm: name, From: from, To: to}
	u.events = append(u.events, e)
	u.now.Alarms[i].State = to.String()
	if to == alarm.Unacknowledged {
		u.now.Alarms[i].Count++
	}
	u.version++
	return e
}

func (u *unit) orders() []operator.Request {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.asked)
}

// seen is a message as a host sees it.
type seen struct {
	topic, verb string
	payload     []byte
	qos         byte
	retain      bool
	at          int64
	hasAt       bool
	seq         int // noSeq: it has none
	metrics     []seenMetric
}

type seenMetric struct {
	name       string
	alias      uint64
	at         int64
	hasAt      bool
	kind       datatype
	historical bool
	null       bool
	value      any
}

func (s *seen) metric(name string) *seenMetric {
	for i := range s.metrics {
		if s.metrics[i].name == name {
			return &s.metrics[i]
		}
	}
	return nil
}

// see reads a payload whole; encode's other half, for tests alone.
func see(topic string, payload []byte, qos byte, retain bool) (s seen, err error) {
	parts := strings.Split(topic, "/")
	s = seen{topic: topic, payload: payload, qos: qos, retain: retain, seq: noSeq}
	if len(parts) > 2 {
		s.verb = parts[2]
	}
	if s.verb == "STATE" || parts[1] == "STATE" {
		s.verb = "STATE"
		return s, nil
	}
	err = fields(payload, func(n protowire.Number, _ protowire.Type, v uint64, text []byte) error {
		switch n {
		case 1:
			s.at, s.hasAt = int64(v), true
		case 3:
			s.seq = int(v)
		case 2:
			var m seenMetric
			err := fields(text, func(n protowire.Number, _ protowire.Type, v uint64, text []byte) error {
				switch n {
				case 1:
					m.name = string(text)
				case 2:
					m.alias = v
				case 3:
					m.at, m.hasAt = int64(v), true
				case 4:
					m.kind = datatype(v)
				case 5:
					m.historical = v != 0
				case 7:
					m.null = v != 0
				case 10:
					m.value = int32(uint32(v))
				case 11:
					m.value = v
				case 12:
					m.value = math.Float32frombits(uint32(v))
				case 14:
					m.value = v != 0
				case 15:
					m.value = string(text)
				}
				return nil
			})
			s.metrics = append(s.metrics, m)
			return err
		}
		return nil
	})
	return s, err
}

// broker is one of our own, for what a real one does not show: each packet that a client
// sends, and what it does where a broker misbehaves.
type broker struct {
	t *testing.T
	l net.Listener

	mu       sync.Mutex // covers what is below
	packets  []*packets.ControlPacket
	conns    []net.Conn
	refuse   byte               // CONNACK's reason
	mute     bool               // it reads, and does not answer
	deaf     bool               // it does not read
	garbage  []byte             // it sends, in place of CONNACK
	retained []*packets.Publish // given to who subscribes
}

func newBroker(t *testing.T) *broker {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &broker{t: t, l: l}
	t.Cleanup(func() { l.Close(); b.cut() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b.mu.Lock()
			b.conns = append(b.conns, c)
			b.mu.Unlock()
			go b.serve(c)
		}
	}()
	return b
}

func (b *broker) url() string { return "mqtt://" + b.l.Addr().String() }

func (b *broker) cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.conns {
		c.Close()
	}
	b.conns = nil
}

func (b *broker) set(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
}

func (b *broker) serve(c net.Conn) {
	defer c.Close()
	answer := func(kind byte, content packets.Packet) {
		p := packets.NewControlPacket(kind)
		if content != nil {
			p.Content = content
		}
		p.WriteTo(c)
	}
	for {
		b.mu.Lock()
		deaf := b.deaf
		b.mu.Unlock()
		if deaf {
			time.Sleep(50 * time.Millisecond)
			if _, err := c.Write(nil); err != nil {
				return
			}
			continue
		}
		p, err := packets.ReadPacket(c)
		if err != nil {
			return
		}
		b.mu.Lock()
		b.packets = append(b.packets, p)
		refuse, mute, garbage, retained := b.refuse, b.mute, b.garbage, b.retained
		b.mu.Unlock()
		if mute {
			continue
		}
		switch v := p.Content.(type) {
		case *packets.Connect:
			if garbage != nil {
				c.Write(garbage)
				continue
			}
			answer(packets.CONNACK, &packets.Connack{ReasonCode: refuse, Properties: &packets.Properties{}})
			if refuse != 0 {
				return
			}
		case *packets.Subscribe:
			reasons := make([]byte, len(v.Subscriptions))
			answer(packets.SUBACK, &packets.Suback{PacketID: v.PacketID, Reasons: reasons, Properties: &packets.Properties{}})
			for _, r := range retained {
				if slices.ContainsFunc(v.Subscriptions, func(s packets.SubOptions) bool { return s.Topic == r.Topic }) {
					answer(packets.PUBLISH, r)
				}
			}
		case *packets.Unsubscribe:
			answer(packets.UNSUBACK, &packets.Unsuback{PacketID: v.PacketID, Reasons: []byte{0x11}, Properties: &packets.Properties{}})
		case *packets.Publish:
			if v.QoS == 1 {
				answer(packets.PUBACK, &packets.Puback{PacketID: v.PacketID, Properties: &packets.Properties{}})
			}
		case *packets.Pingreq:
			answer(packets.PINGRESP, nil)
		case *packets.Disconnect:
			return
		}
	}
}

// send gives the node a message.
func (b *broker) send(topic string, payload []byte, retain bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.conns {
		p := packets.NewControlPacket(packets.PUBLISH)
		p.Content = &packets.Publish{Topic: topic, Payload: payload, Retain: retain, Properties: &packets.Properties{}}
		p.WriteTo(c)
	}
}

// all gives the packets so far.
func (b *broker) all() []*packets.ControlPacket {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.packets)
}

// told gives the messages so far, decoded.
func (b *broker) told() (list []seen) {
	for _, p := range b.all() {
		if v, is := p.Content.(*packets.Publish); is && strings.HasPrefix(v.Topic, namespace) {
			s, err := see(v.Topic, v.Payload, v.QoS, v.Retain)
			if err != nil {
				b.t.Errorf("%s: %v", v.Topic, err)
			}
			list = append(list, s)
		}
	}
	return list
}

func (b *broker) verbs(verb string) (list []seen) {
	for _, s := range b.told() {
		if s.verb == verb {
			list = append(list, s)
		}
	}
	return list
}

// eventually waits for a condition, for long: a busy machine is no fault.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for began := time.Now(); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatalf("after a minute not yet: %s", what)
		}
	}
}

// said is what a technician was told.
type said struct {
	mu   sync.Mutex
	text []string
}

func (s *said) add(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = append(s.text, fmt.Sprintf(format, args...))
}

func (s *said) has(part string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.text, func(t string) bool { return strings.Contains(t, part) })
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.text, "\n")
}

// settings is a config for a broker, as a file gives it.
func settings(t *testing.T, url string, more ...string) config.MQTT {
	t.Helper()
	text := "[mqtt]\nbroker = \"" + url + "\"\n" + strings.Join(more, "\n") + "\n"
	cfg, err := config.Parse("mien.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return cfg.MQTT
}

// node runs a node for a unit until the test ends, or stop is called.
func node(t *testing.T, u *unit, c config.MQTT) (n *Node, told *said, stop func()) {
	t.Helper()
	return nodeIn(t, u, c, t.TempDir())
}

func nodeIn(t *testing.T, u *unit, c config.MQTT, folder string) (n *Node, told *said, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	dial := func() (*operator.Client, error) { return operator.Dial(u.path) }
	told = &said{}
	n = New(Options{Config: c, Folder: folder, Link: gateway.NewLink(ctx, dial), Dial: dial, Say: told.add})
	n.retry = 20 * time.Millisecond
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(15 * time.Second):
			t.Error("the node does not end")
		}
	})
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			t.Logf("said:\n%s", told)
		}
	})
	return n, told, stop
}

// mosquitto is a real broker on loopback.
type mosquitto struct {
	t      *testing.T
	conf   string
	port   int
	folder string
	cmd    *exec.Cmd
	log    *os.File
}

func newMosquitto(t *testing.T, more ...string) *mosquitto {
	t.Helper()
	path, err := exec.LookPath("mosquitto")
	if err != nil {
		if path = "/usr/sbin/mosquitto"; !exists(path) {
			t.Skip("Mosquitto is not here: sudo apt-get install --no-install-recommends mosquitto")
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &mosquitto{t: t, folder: t.TempDir(), port: l.Addr().(*net.TCPAddr).Port}
	l.Close()
	m.conf = filepath.Join(m.folder, "mosquitto.conf")
	if len(more) == 0 {
		more = []string{"allow_anonymous true"}
	}
	text := fmt.Sprintf("listener %d 127.0.0.1\n%s\nuser %s\n", m.port, strings.ReplaceAll(strings.Join(more, "\n"), "FOLDER", m.folder), "root")
	if err := os.WriteFile(m.conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if m.log, err = os.Create(filepath.Join(m.folder, "log")); err != nil {
		t.Fatal(err)
	}
	m.start(path)
	t.Cleanup(func() {
		m.kill()
		if t.Failed() {
			text, _ := os.ReadFile(m.log.Name())
			t.Logf("mosquitto:\n%s", text[max(0, len(text)-3000):])
		}
	})
	return m
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

func (m *mosquitto) start(path string) {
	m.t.Helper()
	m.cmd = exec.Command(path, "-c", m.conf)
	m.cmd.Stdout, m.cmd.Stderr = m.log, m.log
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	eventually(m.t, "mosquitto listens", func() bool {
		c, err := net.Dial("tcp", m.address())
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// kill ends it as a power cut does.
func (m *mosquitto) kill() {
	if m.cmd != nil {
		m.cmd.Process.Kill()
		m.cmd.Wait()
	}
}

func (m *mosquitto) restart() {
	m.kill()
	m.start(m.cmd.Path)
}

func (m *mosquitto) address() string { return fmt.Sprintf("127.0.0.1:%d", m.port) }

// host is an application at a broker: it hears all that nodes say, and is a primary host
// where it has a name.
type host struct {
	t  *testing.T
	to string
	id string

	mu   sync.Mutex // covers what is below
	c    *paho.Client
	list []seen
	ids  []int64
}

func newHost(t *testing.T, address, id string) *host {
	h := &host{t: t, to: address, id: id}
	h.connect()
	t.Cleanup(func() { h.c.Disconnect(&paho.Disconnect{}) })
	return h
}

func (h *host) connect() {
	h.t.Helper()
	conn, err := net.Dial("tcp", h.to)
	if err != nil {
		h.t.Fatal(err)
	}
	c := paho.NewClient(paho.ClientConfig{Conn: packets.NewThreadSafeConn(conn), OnPublishReceived: []func(paho.PublishReceived) (bool, error){func(p paho.PublishReceived) (bool, error) {
		m := p.Packet
		s := seen{topic: m.Topic, payload: m.Payload, qos: m.QoS, retain: m.Retain, seq: noSeq}
		var err error
		if strings.HasPrefix(m.Topic, namespace+"/") {
			s, err = see(m.Topic, m.Payload, m.QoS, m.Retain)
		}
		if err != nil {
			h.t.Errorf("%s: %v", m.Topic, err)
		}
		h.mu.Lock()
		h.list = append(h.list, s)
		h.mu.Unlock()
		return true, nil
	}}})
	at := time.Now().UnixMilli()
	state := func(online bool) []byte { return fmt.Appendf(nil, `{"online":%t,"timestamp":%d}`, online, at) }
	cp := &paho.Connect{ClientID: fmt.Sprintf("host-%d", rand.Uint64()), KeepAlive: 30, CleanStart: true}
	if h.id != "" {
		cp.WillMessage = &paho.WillMessage{Topic: namespace + "/STATE/" + h.id, Payload: state(false), QoS: 1, Retain: true}
	}
	if _, err := c.Connect(context.Background(), cp); err != nil {
		h.t.Fatal(err)
	}
	if _, err := c.Subscribe(context.Background(), &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: "#", QoS: 1}}}); err != nil {
		h.t.Fatal(err)
	}
	h.mu.Lock()
	h.c = c
	h.mu.Unlock()
	if h.id != "" {
		h.publish(namespace+"/STATE/"+h.id, state(true), 1, true)
	}
}

func (h *host) publish(topic string, payload []byte, qos byte, retain bool) {
	h.t.Helper()
	if _, err := h.c.Publish(context.Background(), &paho.Publish{Topic: topic, Payload: payload, QoS: qos, Retain: retain}); err != nil {
		h.t.Error(err)
	}
}

func (h *host) all() []seen {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.list)
}

func (h *host) verbs(verb string) (list []seen) {
	for _, s := range h.all() {
		if s.verb == verb {
			list = append(list, s)
		}
	}
	return list
}

// count tells how many messages of a kind came.
func (h *host) count(verb string) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.list {
		if h.list[i].verb == verb {
			n++
		}
	}
	return n
}

// proxy is the network between a node and a broker, which can be cut.
type proxy struct {
	l  net.Listener
	to string

	mu    sync.Mutex // covers what is below
	conns []net.Conn
	shut  bool
}

func newProxy(t *testing.T, to string) *proxy {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{l: l, to: to}
	t.Cleanup(func() { l.Close(); p.cut() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.mu.Lock()
			shut := p.shut
			p.mu.Unlock()
			other, err := net.Dial("tcp", to)
			if err != nil || shut {
				c.Close()
				if other != nil {
					other.Close()
				}
				continue
			}
			p.mu.Lock()
			p.conns = append(p.conns, c, other)
			p.mu.Unlock()
			go func() { io.Copy(other, c); other.Close(); c.Close() }()
			go func() { io.Copy(c, other); other.Close(); c.Close() }()
		}
	}()
	return p
}

func (p *proxy) url() string { return "mqtt://" + p.l.Addr().String() }

// cut ends the connections as a network does that goes: with what is under way.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		if t, is := c.(*net.TCPConn); is {
			t.SetLinger(0)
		}
		c.Close()
	}
	p.conns = nil
}

func (p *proxy) close(shut bool) {
	p.mu.Lock()
	p.shut = shut
	p.mu.Unlock()
}

// asCommand is what a host writes.
func asCommand(list ...sent) []byte { return encode(time.Now().UnixMilli(), noSeq, list) }
