package mqtt

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/operator"
)

func born(b *broker) func() bool { return func() bool { return len(b.verbs("NBIRTH")) > 0 } }

// A broker that refuses is told with its reason, and tried again.
func TestRefusal(t *testing.T) {
	b, u := newBroker(t), newUnit(t)
	b.set(func() { b.refuse = 0x86 })
	_, said, _ := node(t, u, settings(t, b.url()))
	eventually(t, "the reason is told", func() bool { return said.has("wrong user or password (0x86)") })
	b.set(func() { b.refuse = 0 })
	eventually(t, "a birth", born(b))
}

// What is no MQTT, a packet without an end, one of 200 MB, and silence: the node comes
// again, and takes no memory for it.
func TestBrokersThatAreNone(t *testing.T) {
	for name, garbage := range map[string][]byte{
		"HTTP":                 []byte("HTTP/1.1 400 Bad Request\r\n\r\n"),
		"a length without end": {0x20, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"200 MB":               {0x20, 0x80, 0x84, 0xaf, 0x5f},
		"a CONNACK too short":  {0x20, 0x00},
		"a PUBLISH first":      {0x30, 0x05, 0x00, 0x01, 'a', 0x00, 'x'},
	} {
		t.Run(name, func(t *testing.T) {
			b, u := newBroker(t), newUnit(t)
			b.set(func() { b.garbage = garbage })
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, said, _ := node(t, u, settings(t, b.url()))
			time.Sleep(300 * time.Millisecond)
			runtime.ReadMemStats(&after)
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<20 {
				t.Errorf("it took %d MB", grown>>20)
			}
			if name != "HTTP" { // whose H says that it is of 1 GB, and is waited for
				eventually(t, "it is told", func() bool { return said.has("mqtt: mqtt://") })
			}
			b.set(func() { b.garbage = nil })
			b.cut()
			eventually(t, "a birth", born(b))
		})
	}
}

// A packet of 200 MB within a session ends it; so does one that is longer than the node
// said that it takes.
func TestPacketsThatAreTooLong(t *testing.T) {
	b, u := newBroker(t), newUnit(t)
	node(t, u, settings(t, b.url()))
	eventually(t, "a birth", born(b))
	b.set(func() {
		for _, c := range b.conns {
			c.Write([]byte{0x30, 0x80, 0x84, 0xaf, 0x5f, 0, 1, 'a'})
		}
	})
	eventually(t, "another birth", func() bool { return len(b.verbs("NBIRTH")) == 2 })
}

// A broker that does not answer is left after a time, and one that does not read holds
// nobody but the node: the unit's stream goes on, and what happened is told to the next.
func TestSlowBrokers(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for 10 s")
	}
	b, u := newBroker(t), newUnit(t)
	n, said, _ := node(t, u, settings(t, b.url()))
	eventually(t, "a birth", born(b))
	b.set(func() { b.deaf = true })
	for i := range 3000 {
		u.alarm("brow lowered", []alarm.State{alarm.Unacknowledged, alarm.Acknowledged}[i%2])
		if i%20 == 0 {
			time.Sleep(3 * time.Millisecond)
		}
	}
	eventually(t, "all are taken from the stream", func() bool {
		n.known.mu.Lock()
		defer n.known.mu.Unlock()
		return n.known.last == 3000
	})
	eventually(t, "it is told", func() bool { return said.has("does not answer") || said.has("timeout") || said.has("hung up") })
	b.set(func() { b.deaf = false })
	eventually(t, "another birth", func() bool { return len(b.verbs("NBIRTH")) == 2 })
	states := func() (n int) {
		alias := b.verbs("NBIRTH")[0].metric("Alarms/brow lowered/State").alias
		at := map[int64]int{}
		for _, s := range b.verbs("NDATA") {
			for _, m := range s.metrics {
				if m.alias == alias {
					at[m.at]++
					n++
				}
			}
		}
		return n
	}
	eventually(t, "each state", func() bool { return states() >= 3000 })
}

// More changes than there is room for: the oldest are lost, and it is told how many.
func TestMoreChangesThanRoom(t *testing.T) {
	b, u := newBroker(t), newUnit(t)
	b.set(func() { b.refuse = 0x88 })
	n, _, _ := node(t, u, settings(t, b.url(), "keep = 100"))
	eventually(t, "the unit is heard", func() bool { _, _, heard := n.known.state(); return heard })
	for i := range 200 {
		u.alarm("brow lowered", []alarm.State{alarm.Unacknowledged, alarm.Acknowledged}[i%2])
		if i%30 == 0 {
			time.Sleep(20 * time.Millisecond)
		}
	}
	eventually(t, "all are heard", func() bool {
		n.known.mu.Lock()
		defer n.known.mu.Unlock()
		return n.known.last == 200
	})
	time.Sleep(100 * time.Millisecond)
	b.set(func() { b.refuse = 0 })
	eventually(t, "a birth", born(b))
	birth := b.verbs("NBIRTH")[0]
	lost, _ := birth.metric("Gateway/Changes lost").value.(uint64)
	told := 0
	eventually(t, "those that are kept", func() bool {
		told = 0
		for _, s := range b.verbs("NDATA") {
			for _, m := range s.metrics {
				if m.historical {
					told++
				}
			}
		}
		return told >= 100
	})
	// Each of 200 events changes the state; every second one raises, which is one acknowledgement
	// needed more or less; the first one makes it active; the count goes with it.
	n.known.mu.Lock()
	all := n.known.base + uint64(len(n.known.queue))
	n.known.mu.Unlock()
	if told != 100 || lost+uint64(told) != all {
		t.Errorf("%d lost and %d told of %d", lost, told, all)
	}
}

// What hosts should not write, and what becomes of it.
func TestCommands(t *testing.T) {
	b, u := newBroker(t), newUnit(t)
	_, said, _ := node(t, u, settings(t, b.url(), "write = true"))
	eventually(t, "a birth", born(b))
	birth := b.verbs("NBIRTH")[0]
	answers := func() (list []string) {
		for _, s := range b.verbs("NDATA") {
			for _, m := range s.metrics {
				if m.alias == birth.metric(nameAnswer).alias && m.value != nil {
					list = append(list, fmt.Sprint(m.value))
				}
			}
		}
		return list
	}
	const ack = "Alarms/brow lowered/Acknowledge"
	for _, c := range []struct {
		what    string
		metric  sent
		retain  bool
		answer  string
		ordered string
	}{
		{"by name", sent{metric: metric{ack, typeBoolean, true, 1}}, false, "acknowledge brow lowered: done", "do.acknowledge brow lowered"},
		{"by alias", sent{metric: metric{"", typeBoolean, true, 1}, alias: birth.metric("Alarms/眠気/Reset").alias, noName: true, noKind: true}, false, "reset 眠気: done", "do.reset 眠気"},
		{"shelve", sent{metric: metric{"Alarms/brow lowered/Shelve", typeInt32, int32(60), 1}}, false, "shelve brow lowered: done", "do.shelve brow lowered"},
		{"unshelve", sent{metric: metric{"Alarms/brow lowered/Shelve", typeInt32, int32(0), 1}}, false, "unshelve brow lowered: done", "do.unshelve brow lowered"},
		{"negative", sent{metric: metric{"Alarms/brow lowered/Shelve", typeInt32, int32(-1), 1}}, false, "refused: Alarms/brow lowered/Shelve takes 0 to 86400 seconds", ""},
		{"not for the role", sent{metric: metric{nameInhibit, typeInt32, int32(60), 1}}, false, `inhibit: refused: "do.inhibit" is not for the role "operator"`, "do.inhibit "},
		{"unknown", sent{metric: metric{"Alarms/nod/Acknowledge", typeBoolean, true, 1}}, false, `refused: there is no metric "Alarms/nod/Acknowledge" (alias 0)`, ""},
		{"unknown alias", sent{metric: metric{"", typeBoolean, true, 1}, alias: 4711, noName: true}, false, `refused: there is no metric "" (alias 4711)`, ""},
		{"another type", sent{metric: metric{ack, typeString, "yes", 1}}, false, "refused: " + ack + " is a Boolean", ""},
		{"another value", sent{metric: metric{ack, typeBoolean, int64(1), 1}, noKind: true}, false, "refused: " + ack + " takes a Boolean", ""},
		{"false", sent{metric: metric{ack, typeBoolean, false, 1}}, false, "refused: " + ack + " does something for true only", ""},
		{"null", sent{metric: metric{ack, typeBoolean, nil, 1}}, false, "refused: " + ack + " takes a Boolean", ""},
		{"what cannot be written", sent{metric: metric{"Health/Valid", typeBoolean, true, 1}}, false, "refused: Health/Valid cannot be written", ""},
		{"retained", sent{metric: metric{ack, typeBoolean, true, 1}}, true, "refused: it is retained: it may be of last year", ""},
		{"bdSeq", sent{metric: metric{"bdSeq", typeInt64, int64(1), 1}}, false, `refused: there is no metric "bdSeq" (alias 0)`, ""},
	} {
		before, ordered := len(answers()), len(u.orders())
		b.send(ncmd, asCommand(c.metric), c.retain)
		eventually(t, c.what+": an answer", func() bool { return len(answers()) > before })
		if got := answers()[before]; got != c.answer {
			t.Errorf("%s: answered %q, not %q", c.what, got, c.answer)
		}
		var orders []string
		for _, r := range u.orders()[ordered:] {
			if r.Who != "mqtt mien-press 4" || r.Role != operator.Operator {
				t.Errorf("%s: asked by %q as %q", c.what, r.Who, r.Role)
			}
			if r.Do != alarm.Note {
				orders = append(orders, r.Right()+" "+r.Alarm)
			}
		}
		if got := strings.Join(orders, ", "); got != c.ordered {
			t.Errorf("%s: the unit was asked %q, not %q", c.what, got, c.ordered)
		}
	}
	eventually(t, "the unit's journal has refusals", func() bool {
		return slices.ContainsFunc(u.orders(), func(r operator.Request) bool { return r.Do == alarm.Note && strings.Contains(r.Text, "retained") })
	})
	if !said.has("a command was refused: it is retained") {
		t.Error("the technician was not told")
	}
	for _, payload := range [][]byte{nil, {}, {0xff}, {0x12, 0x7f}, []byte(`{"ack": true}`), slices.Repeat([]byte{0x12, 0x00}, 100), make([]byte, 100<<10)} {
		b.send(ncmd, payload, false)
	}
	b.send(ncmd, asCommand(sent{metric: metric{ack, typeBoolean, true, 1}}), false)
	eventually(t, "it goes on", func() bool { l := answers(); return l[len(l)-1] == "acknowledge brow lowered: done" })
	if n := len(connects(b.all())); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// A unit that may only be read is not asked for anything.
func TestReadOnly(t *testing.T) {
	b, u := newBroker(t), newUnit(t)
	_, said, _ := node(t, u, settings(t, b.url()))
	eventually(t, "a birth", born(b))
	if b.verbs("NBIRTH")[0].metric("Alarms/brow lowered/Acknowledge") != nil {
		t.Error("the birth has metrics to write")
	}
	b.send(ncmd, asCommand(sent{metric: metric{"Health/Valid", typeBoolean, true, 1}}), false)
	eventually(t, "it is told", func() bool { return said.has("mqtt.write is false") })
	b.send(ncmd, asCommand(sent{metric: metric{"Alarms/brow lowered/Acknowledge", typeBoolean, true, 1}}), false)
	eventually(t, "it is told", func() bool { return said.has("there is no metric") })
	time.Sleep(100 * time.Millisecond)
	for _, r := range u.orders() {
		if r.Do != alarm.Note {
			t.Errorf("the unit was asked %+v", r)
		}
	}
}

// Ten thousand commands as fast as they come: bounded, and the node lives.
func TestFloodOfCommands(t *testing.T) {
	b, u := newBroker(t), newUnit(t)
	node(t, u, settings(t, b.url(), "write = true"))
	eventually(t, "a birth", born(b))
	for range 10000 {
		b.send(ncmd, asCommand(sent{metric: metric{"x", typeBoolean, true, 1}}), false)
	}
	u.alarm("brow lowered", alarm.Unacknowledged)
	alias := b.verbs("NBIRTH")[0].metric("Alarms/brow lowered/State").alias
	eventually(t, "an alarm", func() bool {
		for _, s := range b.verbs("NDATA") {
			if slices.ContainsFunc(s.metrics, func(m seenMetric) bool { return m.alias == alias }) {
				return true
			}
		}
		return false
	})
}

// Two nodes with one name: each says so.
func TestTwoNodesOfOneName(t *testing.T) {
	b, u := newBroker(t), newUnit(t)
	_, said, _ := node(t, u, settings(t, b.url()))
	eventually(t, "a birth", born(b))
	b.send(nbirth, b.verbs("NBIRTH")[0].payload, false) // it asked for what others publish there
	eventually(t, "it is told", func() bool { return said.has("another edge node is called mien/press 4") })
}

// A password file that others may read is not used.
func TestPasswordFile(t *testing.T) {
	b, u := newBroker(t), newUnit(t)
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte("secret\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	os.Chmod(path, 0o644)
	_, said, _ := node(t, u, settings(t, b.url(), `user = "anna"`, `password_file = "`+path+`"`))
	eventually(t, "it is told", func() bool { return said.has("others may use it (mode 0644)") })
	if n := len(connects(b.all())); n != 0 {
		t.Fatalf("%d connections", n)
	}
	os.Chmod(path, 0o640)
	eventually(t, "a birth", born(b))
	if c := connects(b.all())[0]; c.Username != "anna" || string(c.Password) != "secret" {
		t.Errorf("%q %q", c.Username, c.Password)
	}
	if strings.Contains(said.String(), "secret") {
		t.Error("the password was told")
	}
}

// authority signs certificates.
type authority struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pem  []byte
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t}
	a.key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	of := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "plant"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, of, of, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	a.cert, _ = x509.ParseCertificate(der)
	a.pem = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return a
}

// sign writes a certificate and its key to NAME.crt and NAME.key of a folder.
func (a *authority) sign(folder, name string) {
	a.t.Helper()
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	of := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, of, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	secret, _ := x509.MarshalPKCS8PrivateKey(key)
	a.write(filepath.Join(folder, name+".crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	a.write(filepath.Join(folder, name+".key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
}

func (a *authority) write(path string, data []byte) {
	a.t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// A broker with TLS that asks for a client's certificate, and changes its own.
func TestCertificates(t *testing.T) {
	first, second := newAuthority(t), newAuthority(t)
	folder := t.TempDir()
	first.sign(folder, "server")
	first.sign(folder, "client")
	ca := filepath.Join(folder, "ca.pem")
	first.write(ca, first.pem)
	first.write(filepath.Join(folder, "clients.pem"), first.pem)
	m := newMosquitto(t, "allow_anonymous true", "cafile "+folder+"/clients.pem", "certfile "+folder+"/server.crt", "keyfile "+folder+"/server.key", "require_certificate true")
	u := newUnit(t)
	own := t.TempDir()
	n, said, _ := nodeIn(t, u, settings(t, "mqtts://"+m.address(), `ca_file = "`+ca+`"`, `certificate = "`+folder+`/client.crt"`, `key = "`+folder+`/client.key"`), own)
	connected := func(times int) func() bool {
		return func() bool {
			n.known.mu.Lock()
			defer n.known.mu.Unlock()
			return int(openSequence(filepath.Join(own, "mqtt.json")).Next) == times && n.known.live
		}
	}
	eventually(t, "a session", connected(1))
	second.sign(folder, "server")
	m.restart()
	eventually(t, "the certificate is told", func() bool { return said.has("certificate signed by unknown authority") })
	first.write(ca, second.pem)
	eventually(t, "a session", connected(2))
	os.Remove(ca)
	m.restart()
	eventually(t, "the file is told", func() bool { return said.has("mqtt.ca_file") })
}
