package mqtt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	older "github.com/eclipse/paho.mqtt.golang"
)

// three is a session of MQTT 3.1.1, for brokers that speak nothing newer.
type three struct {
	c    older.Client
	wire *wire
	end  chan struct{} // closed when the connection is gone
	over func()        // closes it

	mu      sync.Mutex // covers what is below
	reason  error
	waiting []older.Token // of messages that the broker answers
}

func (d *dialer) connect3(ctx context.Context, w *wire, user string, password []byte, will message) (*three, error) {
	t := &three{wire: w, end: make(chan struct{})}
	t.over = sync.OnceFunc(func() { close(t.end) })
	o := older.NewClientOptions().AddBroker("tcp://" + d.address()).SetClientID(d.client).SetProtocolVersion(4).SetCleanSession(true)
	o.SetAutoReconnect(false).SetConnectRetry(false).SetOrderMatters(true).SetKeepAlive(d.of.KeepAlive).SetPingTimeout(answerWithin).SetConnectTimeout(answerWithin)
	o.SetBinaryWill(will.topic, will.payload, will.qos, will.retained)
	if user != "" {
		o.SetUsername(user).SetPassword(string(password))
	}
	o.SetCustomOpenConnectionFn(func(*url.URL, older.ClientOptions) (net.Conn, error) { return w, nil })
	o.SetDefaultPublishHandler(func(_ older.Client, m older.Message) {
		d.heard(message{m.Topic(), m.Payload(), m.Qos(), m.Retained()})
	})
	o.SetConnectionLostHandler(func(_ older.Client, err error) {
		t.mu.Lock()
		t.reason = err
		t.mu.Unlock()
		t.over()
	})
	t.c = older.NewClient(o)
	connected := t.c.Connect()
	select {
	case <-connected.Done():
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := connected.Error(); err != nil {
		if connected, is := connected.(*older.ConnectToken); is && connected.ReturnCode() > 0 && connected.ReturnCode() < 6 {
			return nil, fmt.Errorf("the broker refused the connection: %w", err)
		}
		return nil, err
	}
	return t, nil
}

// wait waits for the broker's answer.
func (t *three) wait(answer older.Token) error {
	select {
	case <-answer.Done():
		return answer.Error()
	case <-t.end:
		return t.why()
	case <-time.After(answerWithin):
		return errors.New("no answer came")
	}
}

func (t *three) why() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.reason == nil || errors.Is(t.reason, io.EOF) {
		return errHungUp
	}
	return t.reason
}

func (t *three) gone() <-chan struct{} { return t.end }

// subscribe asks for topics only: in 3.1.1 who subscribes to what others publish hears
// itself too.
func (t *three) subscribe(topics, _ []string) error {
	filters := map[string]byte{}
	for _, topic := range topics {
		filters[topic] = 1
	}
	answer := t.c.SubscribeMultiple(filters, nil)
	if err := t.wait(answer); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	for topic, code := range answer.(*older.SubscribeToken).Result() {
		if code >= 0x80 {
			return fmt.Errorf("the broker refused to subscribe %s", strings.TrimSpace(topic))
		}
	}
	return nil
}

func (t *three) publish(m message) error {
	sent := t.c.Publish(m.topic, m.qos, m.retained, m.payload)
	if m.qos == 0 { // it is sent when it is written
		return t.wait(sent)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waiting = append(t.waiting, sent)
	return nil
}

// confirm waits for the answers that come of themselves, and then for one that comes after
// the rest.
func (t *three) confirm() error {
	t.mu.Lock()
	waiting := t.waiting
	t.waiting = nil
	t.mu.Unlock()
	for _, w := range waiting {
		if err := t.wait(w); err != nil {
			return err
		}
	}
	return t.wait(t.c.Unsubscribe(barrier))
}

// leave hangs up without a DISCONNECT, with which a broker of 3.1.1 would not send the will.
func (t *three) leave() {
	t.mu.Lock()
	waiting := t.waiting
	t.waiting = nil
	t.mu.Unlock()
	soon := time.After(time.Second)
	for _, w := range waiting {
		select {
		case <-w.Done():
		case <-t.end:
		case <-soon:
		}
	}
	t.wire.Close()
	t.c.Disconnect(0) // which it cannot send: it ends what is left
	t.over()
}
