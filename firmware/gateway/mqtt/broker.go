package mqtt

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/paho"

	"mien/firmware/config"
	"mien/given"
)

const (
	answerWithin = 10 * time.Second // a broker that takes longer is away
	maxPacket    = 128 << 10        // bytes of one from the broker
	maxPassword  = 4 << 10
)

// message is what a broker sends, or is to send.
type message struct {
	topic    string
	payload  []byte
	qos      byte
	retained bool
}

// connection is one MQTT session: it is never made again, so nothing can go to a broker
// before the birth that the next one begins with. That is why it stands on paho's client and
// not on autopaho, which connects again beneath its user.
type connection interface {
	// subscribe asks for topics. others: also for what others publish under the node's own
	// names.
	subscribe(topics []string, others []string) error
	publish(m message) error
	// confirm returns when the broker has read all that was published before. Sparkplug
	// publishes births and data with QoS 0, of which a broker says nothing; but it reads a
	// connection in order.
	confirm() error
	// leave ends it: the broker sends the will.
	leave()
	gone() <-chan struct{}
	why() error
}

// dialer reaches one broker.
type dialer struct {
	of     config.MQTT
	client string // its MQTT name
	heard  func(m message)
}

// secrets reads what a connection needs of files, each time anew: certificates and
// passwords change.
func (d *dialer) secrets() (user string, password []byte, t *tls.Config, err error) {
	if d.of.PasswordFile != "" {
		if password, err = readPassword(d.of.PasswordFile); err != nil {
			return "", nil, nil, err
		}
	}
	if !strings.HasPrefix(d.of.Broker, "mqtts://") {
		return d.of.User, password, nil, nil
	}
	host, _, _ := net.SplitHostPort(d.address())
	t = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	if d.of.CAFile != "" {
		pem, err := given.Read(d.of.CAFile, 1<<20)
		if err != nil {
			return "", nil, nil, fmt.Errorf("mqtt.ca_file: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return "", nil, nil, fmt.Errorf("mqtt.ca_file: %s has no certificate in PEM", d.of.CAFile)
		}
	}
	if d.of.Certificate != "" {
		c, err := tls.LoadX509KeyPair(d.of.Certificate, d.of.Key)
		if err != nil {
			return "", nil, nil, fmt.Errorf("mqtt.certificate: %w", err)
		}
		t.Certificates = []tls.Certificate{c}
	}
	return d.of.User, password, t, nil
}

// readPassword reads a password that only its owner may read.
func readPassword(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("mqtt.password_file: %w", err)
	}
	if wrong := config.TooOpen(info.Mode()); wrong != "" {
		return nil, fmt.Errorf("mqtt.password_file: %s: %s", path, wrong)
	}
	data, err := given.Read(path, maxPassword)
	if err != nil {
		return nil, fmt.Errorf("mqtt.password_file: %w", err)
	}
	return []byte(strings.TrimRight(string(data), "\r\n")), nil
}

// address is the broker's, with its port.
func (d *dialer) address() string {
	u, err := url.Parse(d.of.Broker)
	if err != nil {
		return ""
	}
	if u.Port() == "" {
		return net.JoinHostPort(u.Hostname(), map[string]string{"mqtt": "1883", "mqtts": "8883"}[u.Scheme])
	}
	return u.Host
}

// connect begins a session. will is what the broker sends when the node is gone.
func (d *dialer) connect(ctx context.Context, will func() message) (connection, error) {
	user, password, t, err := d.secrets()
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithTimeout(ctx, answerWithin)
	defer stop()
	raw, err := (&net.Dialer{KeepAlive: 15 * time.Second}).DialContext(ctx, "tcp", d.address())
	if err != nil {
		return nil, err
	}
	if t != nil {
		secure := tls.Client(raw, t)
		if err := secure.HandshakeContext(ctx); err != nil {
			raw.Close()
			return nil, err
		}
		raw = secure
	}
	var c connection
	if w := (&wire{Conn: raw}); d.of.Version == config.MQTT311 {
		c, err = d.connect3(ctx, w, user, password, will())
	} else {
		c, err = d.connect5(ctx, w, user, password, will())
	}
	if err != nil {
		raw.Close()
		return nil, err
	}
	return c, nil
}

// five is a session of MQTT 5.
type five struct {
	*paho.Client
	life   context.Context // ends with the connection: paho waits for answers of one that is gone
	reason chan error
}

func (d *dialer) connect5(ctx context.Context, w *wire, user string, password []byte, will message) (*five, error) {
	c := &five{reason: make(chan error, 1)}
	c.Client = paho.NewClient(paho.ClientConfig{
		Conn: w, PacketTimeout: answerWithin,
		OnPublishReceived: []func(paho.PublishReceived) (bool, error){func(p paho.PublishReceived) (bool, error) {
			d.heard(message{p.Packet.Topic, p.Packet.Payload, p.Packet.QoS, p.Packet.Retain})
			return true, nil
		}},
		OnClientError: c.because,
		OnServerDisconnect: func(p *paho.Disconnect) {
			if p.ReasonCode == takenOver {
				c.because(errTakenOver)
				return
			}
			c.because(fmt.Errorf("the broker ended the connection: reason 0x%02X", p.ReasonCode))
		},
	})
	atOnce, few, packet := uint32(0), uint16(32), uint32(maxPacket)
	ack, err := c.Connect(ctx, &paho.Connect{
		ClientID: d.client, KeepAlive: uint16(d.of.KeepAlive / time.Second), CleanStart: true,
		Username: user, UsernameFlag: user != "", Password: password, PasswordFlag: len(password) > 0,
		Properties:     &paho.ConnectProperties{SessionExpiryInterval: &atOnce, ReceiveMaximum: &few, MaximumPacketSize: &packet},
		WillMessage:    &paho.WillMessage{Topic: will.topic, Payload: will.payload, QoS: will.qos, Retain: will.retained},
		WillProperties: &paho.WillProperties{},
	})
	if err != nil {
		if ack != nil {
			return nil, refusal(ack.ReasonCode)
		}
		return nil, err
	}
	life, end := context.WithCancel(context.Background())
	c.life = life
	go func() {
		<-c.Done()
		end()
	}()
	return c, nil
}

const takenOver = 0x8E

var errHungUp = errors.New("the broker hung up")

var errTakenOver = errors.New("another client connected with this mqtt.client_id: each unit needs its own")

// refusal is what a broker says to a connection that it does not want.
func refusal(code byte) error {
	words := map[byte]string{0x84: "it does not speak MQTT 5 (mqtt.version)", 0x85: "it does not take this mqtt.client_id", 0x86: "wrong user or password",
		0x87: "not authorised", 0x88: "it is not available", 0x89: "it is busy", 0x8A: "banned", 0x8C: "it wants another way to log in", 0x97: "quota exceeded", 0x9F: "too many connections"}
	if w := words[code]; w != "" {
		return fmt.Errorf("the broker refused the connection: %s (0x%02X)", w, code)
	}
	return fmt.Errorf("the broker refused the connection: reason 0x%02X", code)
}

func (c *five) because(err error) {
	select {
	case c.reason <- err:
	default: // the first one counts
	}
}

// why says why a connection is gone. paho tells it just after that.
func (c *five) why() error {
	select {
	case err := <-c.reason:
		if !errors.Is(err, io.EOF) {
			return err
		}
	case <-time.After(200 * time.Millisecond):
	}
	return errHungUp
}

func (c *five) gone() <-chan struct{} { return c.Done() }

func (c *five) subscribe(topics, others []string) error {
	s := &paho.Subscribe{}
	for _, t := range topics { // retained ones are wanted of a state only: its reader looks at the flag
		s.Subscriptions = append(s.Subscriptions, paho.SubscribeOptions{Topic: t, QoS: 1, RetainAsPublished: true})
	}
	ack, err := c.Subscribe(c.life, s)
	if err != nil {
		if ack != nil {
			return fmt.Errorf("the broker refused to subscribe %s: reasons % X", strings.Join(topics, ", "), ack.Reasons)
		}
		if c.life.Err() != nil {
			return c.why()
		}
		return fmt.Errorf("subscribe: %w", err)
	}
	for _, t := range others { // a broker may forbid it
		c.Subscribe(c.life, &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: t, QoS: 0, NoLocal: true, RetainHandling: 2}}})
	}
	return nil
}

func (c *five) publish(m message) error {
	_, err := c.PublishWithOptions(c.life, &paho.Publish{Topic: m.topic, Payload: m.payload, QoS: m.qos, Retain: m.retained},
		paho.PublishOptions{Method: paho.PublishMethod_AsyncSend})
	return err
}

// barrier is a topic that nobody subscribes: to be told that it is none takes the broker's
// answer, which comes after it has read all before.
const barrier = "mien/nothing"

func (c *five) confirm() error {
	_, err := c.Unsubscribe(c.life, &paho.Unsubscribe{Topics: []string{barrier}})
	return err
}

func (c *five) leave() {
	c.Disconnect(&paho.Disconnect{ReasonCode: 0x04}) // and send the will
}

// wire is a connection that writes each packet at once, waits for neither side for ever,
// and takes no packet that is too long. paho locks what it writes to for each packet.
type wire struct {
	net.Conn
	mu     sync.Mutex // covers what is below
	locked bool
	out    []byte

	in struct { // the reader's own
		part  int // 0: a packet's type comes next, 1: its length, 2: the rest
		left  int
		shift uint
	}
}

func (w *wire) Lock() {
	w.mu.Lock()
	w.locked = true
}

func (w *wire) Unlock() {
	w.locked = false
	if len(w.out) > 0 {
		w.Conn.SetWriteDeadline(time.Now().Add(answerWithin))
		if _, err := w.Conn.Write(w.out); err != nil {
			w.Conn.Close() // the reader tells it
		}
		w.out = w.out[:0]
	}
	w.mu.Unlock()
}

func (w *wire) Write(b []byte) (int, error) {
	if w.locked {
		w.out = append(w.out, b...)
		return len(b), nil
	}
	w.Conn.SetWriteDeadline(time.Now().Add(answerWithin))
	return w.Conn.Write(b)
}

var errPacket = fmt.Errorf("the broker sent a packet of more than %d KiB", maxPacket>>10)

func (w *wire) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	for i := 0; i < n; i++ {
		switch w.in.part {
		case 0:
			w.in.part, w.in.left, w.in.shift = 1, 0, 0
		case 1:
			w.in.left |= int(b[i]&0x7f) << w.in.shift
			w.in.shift += 7
			if w.in.left > maxPacket || w.in.shift > 28 {
				w.Conn.Close()
				return 0, errPacket
			}
			if b[i] < 0x80 {
				w.in.part = 2
				if w.in.left == 0 {
					w.in.part = 0
				}
			}
		case 2:
			skip := min(w.in.left, n-i)
			i += skip - 1
			if w.in.left -= skip; w.in.left == 0 {
				w.in.part = 0
			}
		}
	}
	return n, err
}
