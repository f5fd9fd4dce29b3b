package mqtt

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"mien/firmware/alarm"
	"mien/firmware/operator"
)

// holds says whether a statement of the Sparkplug specification holds. Each stands in
// docs/mqtt.md with the test that says so (TestStatements).
func holds(t *testing.T, is bool, what string, ids ...string) {
	t.Helper()
	if !is {
		t.Errorf("%s: %s", strings.Join(ids, ", "), what)
	}
}

const (
	nbirth = "spBv1.0/mien/NBIRTH/press 4"
	ndata  = "spBv1.0/mien/NDATA/press 4"
	ndeath = "spBv1.0/mien/NDEATH/press 4"
	ncmd   = "spBv1.0/mien/NCMD/press 4"
)

// kinds gives the types of the packets, and the topics of messages.
func kinds(list []*packets.ControlPacket) (out []string) {
	for _, p := range list {
		switch v := p.Content.(type) {
		case *packets.Connect:
			out = append(out, "CONNECT")
		case *packets.Subscribe:
			out = append(out, "SUBSCRIBE")
		case *packets.Publish:
			out = append(out, v.Topic)
		case *packets.Disconnect:
			out = append(out, fmt.Sprintf("DISCONNECT %#x", v.ReasonCode))
		}
	}
	return out
}

// subscription gives the first one.
func subscription(list []*packets.ControlPacket) *packets.Subscribe {
	for _, p := range list {
		if v, is := p.Content.(*packets.Subscribe); is {
			return v
		}
	}
	return nil
}

func connects(list []*packets.ControlPacket) (out []*packets.Connect) {
	for _, p := range list {
		if v, is := p.Content.(*packets.Connect); is {
			out = append(out, v)
		}
	}
	return out
}

// TestSession is a session from its first packet to its last.
func TestSession(t *testing.T) {
	b, u := newBroker(t), newUnit(t)
	_, _, stop := node(t, u, settings(t, b.url()))
	eventually(t, "a birth", func() bool { return len(b.verbs("NBIRTH")) == 1 })
	u.alarm("brow lowered", alarm.Unacknowledged)
	eventually(t, "data", func() bool { return len(b.verbs("NDATA")) >= 1 })
	before := time.Now()
	stop()
	eventually(t, "its end", func() bool { k := kinds(b.all()); return strings.HasPrefix(k[len(k)-1], "DISCONNECT") })
	list := b.all()
	what := kinds(list)
	t.Log(what)

	c := connects(list)[0]
	holds(t, c.CleanStart && *c.Properties.SessionExpiryInterval == 0, "clean start, no session kept", "tck-id-principles-persistence-clean-session-50")
	holds(t, c.WillFlag, "a will", "tck-id-message-flow-edge-node-birth-publish-will-message", "tck-id-payloads-ndeath-will-message")
	holds(t, c.WillTopic == ndeath, c.WillTopic, "tck-id-message-flow-edge-node-birth-publish-will-message-topic", "tck-id-topics-ndeath-topic")
	holds(t, c.WillQOS == 1, "QoS 1", "tck-id-message-flow-edge-node-birth-publish-will-message-qos", "tck-id-payloads-ndeath-will-message-qos")
	holds(t, !c.WillRetain, "not retained", "tck-id-message-flow-edge-node-birth-publish-will-message-will-retained", "tck-id-payloads-ndeath-will-message-retain")
	will, err := see(c.WillTopic, c.WillMessage, c.WillQOS, c.WillRetain)
	holds(t, err == nil && will.hasAt, "a payload", "tck-id-message-flow-edge-node-birth-publish-will-message-payload")
	holds(t, len(will.metrics) == 1 && will.metrics[0].name == "bdSeq", "one metric, bdSeq", "tck-id-topics-ndeath-payload")
	holds(t, will.metrics[0].kind == typeInt64 && will.metrics[0].value == uint64(0), "Int64, 0 the first time", "tck-id-message-flow-edge-node-birth-publish-will-message-payload-bdSeq", "tck-id-topics-nbirth-bdseq-increment")
	holds(t, will.seq == noSeq, "no seq", "tck-id-topics-ndeath-seq", "tck-id-payloads-ndeath-seq")

	holds(t, slices.Equal(what[:2], []string{"CONNECT", "SUBSCRIBE"}), "CONNECT, then SUBSCRIBE", "tck-id-message-flow-edge-node-birth-publish-connect")
	sub := subscription(list)
	holds(t, sub.Subscriptions[0].Topic == ncmd && sub.Subscriptions[0].QoS == 1, "the node's NCMD, QoS 1", "tck-id-message-flow-edge-node-ncmd-subscribe")
	published := slices.DeleteFunc(slices.Clone(what), func(k string) bool { return !strings.HasPrefix(k, "spBv1.0/") })
	holds(t, published[0] == nbirth, published[0], "tck-id-principles-birth-certificates-order", "tck-id-topics-nbirth-topic", "tck-id-message-flow-edge-node-birth-publish-nbirth-topic", "tck-id-topic-structure", "tck-id-topic-structure-namespace-a")

	birth := b.verbs("NBIRTH")[0]
	holds(t, birth.qos == 0, "QoS 0", "tck-id-topics-nbirth-mqtt", "tck-id-message-flow-edge-node-birth-publish-nbirth-qos", "tck-id-payloads-nbirth-qos")
	holds(t, !birth.retain, "not retained", "tck-id-message-flow-edge-node-birth-publish-nbirth-retained", "tck-id-payloads-nbirth-retain")
	holds(t, birth.seq == 0, "seq 0", "tck-id-topics-nbirth-seq-num", "tck-id-message-flow-edge-node-birth-publish-nbirth-payload-seq", "tck-id-payloads-nbirth-seq", "tck-id-payloads-sequence-num-zero-nbirth")
	holds(t, birth.hasAt && before.UnixMilli()-birth.at < 20_000 && birth.at <= time.Now().UnixMilli(), "a timestamp, of now, UTC", "tck-id-topics-nbirth-timestamp", "tck-id-payloads-nbirth-timestamp", "tck-id-payloads-timestamp-in-UTC")
	seq := birth.metric("bdSeq")
	holds(t, seq != nil && seq.kind == typeInt64, "bdSeq, Int64", "tck-id-topics-nbirth-bdseq-included", "tck-id-message-flow-edge-node-birth-publish-nbirth-payload-bdSeq", "tck-id-payloads-nbirth-bdseq", "tck-id-message-flow-edge-node-birth-publish-nbirth-payload")
	holds(t, seq.value == will.metrics[0].value, "bdSeq as in the will", "tck-id-topics-nbirth-bdseq-matching", "tck-id-payloads-nbirth-bdseq-repeat", "tck-id-payloads-ndeath-bdseq")
	rebirth := birth.metric("Node Control/Rebirth")
	holds(t, rebirth != nil, "it is there", "tck-id-operational-behavior-data-commands-rebirth-name")
	holds(t, rebirth.kind == typeBoolean, "a Boolean", "tck-id-operational-behavior-data-commands-rebirth-datatype")
	holds(t, rebirth.value == false, "false", "tck-id-operational-behavior-data-commands-rebirth-value", "tck-id-topics-nbirth-rebirth-metric", "tck-id-payloads-nbirth-rebirth-req")
	holds(t, rebirth.alias == 0, "no alias", "tck-id-operational-behavior-data-commands-rebirth-name-aliases")
	aliases, names := map[uint64]bool{}, map[string]bool{}
	at := int64(0)
	for _, m := range birth.metrics {
		holds(t, m.name != "" && m.kind != 0 && (m.value != nil || m.null), m.name+": name, datatype, value", "tck-id-topics-nbirth-metrics", "tck-id-payloads-name-requirement", "tck-id-payloads-metric-datatype-req")
		holds(t, m.null == (m.value == nil), m.name+": a value, or null", "tck-id-operational-behavior-data-publish-nbirth-values")
		holds(t, typeNames[m.kind] != "", m.name+": a datatype of the specification", "tck-id-payloads-metric-datatype-value", "tck-id-payloads-metric-datatype-value-type")
		holds(t, m.hasAt && m.at > before.Add(-time.Minute).UnixMilli() && m.at <= time.Now().UnixMilli(), m.name+": a time, UTC", "tck-id-payloads-name-birth-data-requirement", "tck-id-payloads-metric-timestamp-in-UTC")
		holds(t, m.at >= at, m.name+": in the order of time", "tck-id-operational-behavior-data-publish-nbirth-order")
		at = m.at
		if m.name != "Node Control/Rebirth" {
			holds(t, m.alias != 0, m.name+": an alias", "tck-id-payloads-alias-birth-requirement")
			holds(t, !aliases[m.alias], m.name+": its own alias", "tck-id-payloads-alias-uniqueness")
			aliases[m.alias] = true
		}
		holds(t, !names[strings.ToLower(m.name)], m.name+": its own name", "tck-id-case-sensitivity-metric-names")
		names[strings.ToLower(m.name)] = true
	}
	for _, name := range []string{"Unit/Name", "Health/Valid", "Faults/F01 camera lost", "Alarms/brow lowered/State", "Alarms/眠気/Active", "Outputs/lamp", "Inputs/ack"} {
		holds(t, birth.metric(name) != nil, name, "tck-id-topics-nbirth-metric-reqs", "tck-id-operational-behavior-data-publish-nbirth")
	}
	if birth.metric("Levels/au4") != nil {
		t.Error("a level is told that nobody asked for")
	}

	data := b.verbs("NDATA")[0]
	holds(t, data.topic == ndata, data.topic, "tck-id-topics-ndata-topic")
	holds(t, data.qos == 0 && !data.retain, "QoS 0, not retained", "tck-id-topics-ndata-mqtt", "tck-id-payloads-ndata-qos", "tck-id-payloads-ndata-retain")
	holds(t, data.seq == 1, "seq 1", "tck-id-topics-ndata-seq-num", "tck-id-payloads-ndata-seq", "tck-id-payloads-ndata-seq-inc", "tck-id-payloads-sequence-num-always-included")
	holds(t, data.hasAt && data.at >= birth.at, "a timestamp", "tck-id-topics-ndata-timestamp", "tck-id-payloads-ndata-timestamp")
	holds(t, slices.Index(published, ndata) > slices.Index(published, nbirth), "after the birth", "tck-id-payloads-ndata-order")
	state := birth.metric("Alarms/brow lowered/State")
	i := slices.IndexFunc(data.metrics, func(m seenMetric) bool { return m.alias == state.alias })
	holds(t, i >= 0 && data.metrics[i].value == "unacknowledged", "the alarm's state", "tck-id-topics-ndata-payload")
	for _, m := range data.metrics {
		holds(t, m.name == "" && m.alias != 0, "an alias, no name", "tck-id-payloads-alias-data-cmd-requirement")
		holds(t, m.kind == 0, "no datatype", "tck-id-payloads-metric-datatype-not-req")
		holds(t, m.hasAt, "a time", "tck-id-payloads-name-birth-data-requirement")
	}

	holds(t, published[len(published)-1] == ndeath, "the last message is a death", "tck-id-operational-behavior-edge-node-intentional-disconnect-ndeath", "tck-id-payloads-ndeath-will-message-publisher")
	holds(t, what[len(what)-1] == "DISCONNECT 0x4", "disconnect with will", "tck-id-payloads-ndeath-will-message-publisher-disconnect-mqtt50", "tck-id-operational-behavior-edge-node-intentional-disconnect-packet")
	for _, id := range []string{nbirth, ndata, ndeath, ncmd} {
		holds(t, len(strings.Split(id, "/")) == 4, "no device", "tck-id-topic-structure-namespace-device-id-non-associated-message-types")
	}
}

// TestNothingIsToldWithoutAChange waits for data that must not come.
func TestNothingIsToldWithoutAChange(t *testing.T) {
	b, u := newBroker(t), newUnit(t)
	node(t, u, settings(t, b.url()))
	eventually(t, "a birth", func() bool { return len(b.verbs("NBIRTH")) == 1 })
	time.Sleep(1500 * time.Millisecond) // the unit tells its state three times meanwhile
	holds(t, len(b.verbs("NDATA")) == 0, "no change, no data", "tck-id-operational-behavior-data-publish-nbirth-change", "tck-id-principles-rbe-recommended")
}

// TestSequence sends more than 256 messages.
func TestSequence(t *testing.T) {
	b, u := newBroker(t), newUnit(t)
	node(t, u, settings(t, b.url()))
	eventually(t, "a birth", func() bool { return len(b.verbs("NBIRTH")) == 1 })
	for i := range 300 {
		u.alarm("brow lowered", []alarm.State{alarm.Unacknowledged, alarm.Acknowledged}[i%2])
		eventually(t, "data", func() bool { return len(b.verbs("NDATA")) > i })
	}
	for i, s := range b.told()[1:301] {
		holds(t, s.seq == (i+1)%256, fmt.Sprintf("message %d has %d", i+1, s.seq), "tck-id-payloads-sequence-num-incrementing", "tck-id-topics-ndata-seq-num", "tck-id-payloads-ndata-seq-inc")
	}
}

// TestRebirth asks for a birth.
func TestRebirth(t *testing.T) {
	b, u := newBroker(t), newUnit(t)
	_, said, _ := node(t, u, settings(t, b.url()))
	eventually(t, "a birth", func() bool { return len(b.verbs("NBIRTH")) == 1 })
	for range 3 { // a host that asks again and again gets one
		b.send(ncmd, asCommand(sent{metric: metric{nameRebirth, typeBoolean, true, 1}}), false)
	}
	b.send(ncmd, asCommand(sent{metric: metric{"none", typeBoolean, true, 1}}), false)
	eventually(t, "the node has read the commands", func() bool { return strings.Contains(said.String(), `no metric "none"`) })
	u.alarm("brow lowered", alarm.Unacknowledged)
	eventually(t, "a second birth", func() bool { return len(b.verbs("NBIRTH")) == 2 })
	time.Sleep(200 * time.Millisecond)
	told := b.told()
	second := b.verbs("NBIRTH")[1]
	at := slices.IndexFunc(told, func(s seen) bool {
		return bytes.Equal(s.payload, second.payload) && s.verb == "NBIRTH" && s.at == second.at
	})
	holds(t, at == 1, fmt.Sprintf("the birth is message %d", at), "tck-id-operational-behavior-data-commands-rebirth-action-1")
	holds(t, second.seq == 0 && len(second.metrics) == len(b.verbs("NBIRTH")[0].metrics), "it is complete", "tck-id-operational-behavior-data-commands-rebirth-action-2")
	holds(t, second.metric("bdSeq").value == b.verbs("NBIRTH")[0].metric("bdSeq").value && len(connects(b.all())) == 1, "the same bdSeq", "tck-id-operational-behavior-data-commands-rebirth-action-3")
	if second.metric("Alarms/brow lowered/State").value != "unacknowledged" {
		t.Error("the birth has not the newest state")
	}
	for _, s := range told[2:] {
		for _, m := range s.metrics {
			if !m.historical {
				t.Errorf("%v was told as news after a birth that has it", m)
			}
		}
	}
	if n := len(b.verbs("NBIRTH")); n != 2 {
		t.Errorf("%d births", n)
	}
}

// TestDeathsCount looks at bdSeq over connections and restarts.
func TestDeathsCount(t *testing.T) {
	b, u := newBroker(t), newUnit(t)
	folder := t.TempDir()
	os.WriteFile(folder+"/mqtt.json", []byte(`{"bdSeq":254}`), 0o600)
	_, _, stop := nodeIn(t, u, settings(t, b.url()), folder)
	for n := 1; n <= 3; n++ {
		eventually(t, "a birth", func() bool { return len(b.verbs("NBIRTH")) == n })
		b.cut()
	}
	eventually(t, "a birth", func() bool { return len(b.verbs("NBIRTH")) == 4 })
	stop()
	nodeIn(t, u, settings(t, b.url()), folder)
	eventually(t, "a birth", func() bool { return len(b.verbs("NBIRTH")) == 5 })
	births := b.verbs("NBIRTH")
	for i, c := range connects(b.all()) {
		will, _ := see(c.WillTopic, c.WillMessage, 1, false)
		want := uint64(254+i) % 256
		holds(t, will.metrics[0].value == want, fmt.Sprintf("connection %d has %v", i, will.metrics[0].value), "tck-id-message-flow-edge-node-birth-publish-will-message-payload-bdSeq", "tck-id-topics-nbirth-bdseq-increment")
		holds(t, births[i].metric("bdSeq").value == want, "the birth has it too", "tck-id-topics-nbirth-bdseq-matching")
	}
}

func state(online bool, at int64) []byte {
	return fmt.Appendf(nil, `{"online":%t,"timestamp":%d}`, online, at)
}

// TestPrimaryHost is a host that comes and goes.
func TestPrimaryHost(t *testing.T) {
	b, u := newBroker(t), newUnit(t)
	const topic = "spBv1.0/STATE/scada"
	_, said, _ := node(t, u, settings(t, b.url(), `primary_host = "scada"`))
	births := func(n int) func() bool { return func() bool { return len(b.verbs("NBIRTH")) == n } }
	none := func(n int, what string, ids ...string) {
		t.Helper()
		time.Sleep(150 * time.Millisecond)
		holds(t, births(n)(), what, ids...)
	}
	subscribed := func() bool { return slices.Contains(kinds(b.all()), "SUBSCRIBE") }
	eventually(t, "it subscribes", subscribed)
	sub := subscription(b.all())
	holds(t, slices.ContainsFunc(sub.Subscriptions, func(s packets.SubOptions) bool { return s.Topic == topic }), "the host's STATE", "tck-id-operational-behavior-primary-application-state-with-multiple-servers-state-subs")
	none(0, "no birth before the host is online", "tck-id-message-flow-edge-node-birth-publish-phid-wait", "tck-id-operational-behavior-edge-node-birth-sequence-wait")
	b.send("spBv1.0/STATE/other", state(true, 1000), false)
	none(0, "another host", "tck-id-message-flow-edge-node-birth-publish-phid-wait-id")
	b.send(topic, state(false, 1000), true)
	none(0, "offline", "tck-id-message-flow-edge-node-birth-publish-phid-wait-online")
	b.send(topic, []byte("ONLINE"), true) // as Sparkplug 2.2 had it
	none(0, "not JSON", "tck-id-message-flow-edge-node-birth-publish-phid-wait-online")
	if !said.has("not the JSON of Sparkplug 3.0") {
		t.Error("nobody was told that the host is of another version")
	}
	b.send(topic, state(true, 999), true)
	none(0, "older than the one before", "tck-id-message-flow-edge-node-birth-publish-phid-wait-timestamp")
	b.send(topic, state(true, 2000), true)
	eventually(t, "a birth", births(1))

	b.send(topic, state(false, 1999), false)
	none(1, "an old death", "tck-id-operational-behavior-edge-node-termination-host-offline-timestamp")
	if n := len(connects(b.all())); n != 1 {
		t.Fatalf("%d connections", n)
	}
	b.send(topic, state(false, 2000), false)
	eventually(t, "it connects again", func() bool { return len(connects(b.all())) == 2 })
	what := kinds(b.all())
	death, end := slices.Index(what, ndeath), slices.Index(what, "DISCONNECT 0x4")
	holds(t, death > 0 && end > death, fmt.Sprint(what), "tck-id-message-flow-edge-node-birth-publish-phid-offline", "tck-id-operational-behavior-edge-node-termination-host-offline")
	holds(t, end < slices.Index(what[1:], "CONNECT")+1, "the next connection comes after it", "tck-id-operational-behavior-edge-node-termination-host-offline-reconnect",
		"tck-id-operational-behavior-primary-application-state-with-multiple-servers-walk", "tck-id-operational-behavior-primary-application-state-with-multiple-servers-single-server")
	none(1, "no birth while the host is away", "tck-id-operational-behavior-edge-node-birth-sequence-wait")
	e := u.alarm("brow lowered", alarm.Unacknowledged)
	time.Sleep(100 * time.Millisecond)
	u.alarm("brow lowered", alarm.Acknowledged)
	time.Sleep(100 * time.Millisecond)
	b.send(topic, state(true, 3000), true)
	eventually(t, "a birth", births(2))
	alias := b.verbs("NBIRTH")[1].metric("Alarms/brow lowered/State").alias
	eventually(t, "what happened meanwhile", func() bool {
		for _, s := range b.verbs("NDATA") {
			for _, m := range s.metrics {
				if m.alias == alias && m.value == "unacknowledged" {
					return m.historical && m.at == e.Wall.UnixMilli()
				}
			}
		}
		return false
	})
}

// TestNamesThatTopicsCannotHave is in the config: firmware/config/mistakes_test.go.

// TestTheUnitIsAway is a node that dies with its unit, and is born with it.
func TestTheUnitIsAway(t *testing.T) {
	b, u := newBroker(t), newUnit(t)
	_, said, _ := node(t, u, settings(t, b.url()))
	eventually(t, "a birth", func() bool { return len(b.verbs("NBIRTH")) == 1 })
	u.stop()
	eventually(t, "a death", func() bool { return len(b.verbs("NDEATH")) == 1 })
	eventually(t, "it is told", func() bool { return said.has("the unit is away") })
	time.Sleep(300 * time.Millisecond)
	if n := len(connects(b.all())); n != 1 {
		t.Errorf("%d connections while there is nothing to tell", n)
	}
	for range 100 { // more than the stream tells anew: the rest is in the unit's journal
		u.alarm("brow lowered", alarm.Unacknowledged)
		u.alarm("brow lowered", alarm.Acknowledged)
	}
	u.start(t)
	eventually(t, "a birth", func() bool { return len(b.verbs("NBIRTH")) == 2 })
	alias := b.verbs("NBIRTH")[1].metric("Alarms/brow lowered/State").alias
	states := func() (n int) {
		for _, s := range b.verbs("NDATA") {
			for _, m := range s.metrics {
				if m.alias == alias && m.historical {
					n++
				}
			}
		}
		return n
	}
	eventually(t, "each state that the alarm had", func() bool { return states() >= 200 })
	if n := states(); n != 200 {
		t.Errorf("%d states of 200", n)
	}
}

// TestAnotherConfig is one with another alarm: a birth that has it.
func TestAnotherConfig(t *testing.T) {
	b, u := newBroker(t), newUnit(t)
	node(t, u, settings(t, b.url(), `levels = ["au4"]`, `levels_every = "100ms"`))
	eventually(t, "a birth", func() bool { return len(b.verbs("NBIRTH")) == 1 })
	first := b.verbs("NBIRTH")[0]
	if m := first.metric("Levels/au4"); m == nil || m.value != float32(0.1) || first.metric("Levels/perclos") != nil {
		t.Errorf("levels: %+v", m)
	}
	u.change(func(a *operator.About, n *operator.Now) {
		a.Alarms = append(slices.Clone(a.Alarms[1:]), operator.Condition{Name: "nod", Priority: "low"})
		n.Alarms = append(slices.Clone(n.Alarms[1:]), operator.Shown{Name: "nod", State: "normal"})
		a.CRC++
	})
	eventually(t, "a birth", func() bool { return len(b.verbs("NBIRTH")) == 2 })
	second := b.verbs("NBIRTH")[1]
	if second.metric("Alarms/nod/State") == nil || second.metric("Alarms/brow lowered/State") != nil || second.seq != 0 {
		t.Errorf("the second birth: %+v", second.metrics)
	}
	u.change(func(a *operator.About, n *operator.Now) { n.Levels = []float32{0.7, 0.2} })
	eventually(t, "the level", func() bool {
		for _, s := range b.verbs("NDATA") {
			for _, m := range s.metrics {
				if m.value == float32(0.7) {
					return true
				}
			}
		}
		return false
	})
}

// TestStatements compares the table of docs/mqtt.md with the statements that the tests
// above look at.
func TestStatements(t *testing.T) {
	var code []byte
	for _, file := range []string{"sparkplug_test.go", "three_test.go"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		code = append(code, text...)
	}
	doc, err := os.ReadFile("../../../docs/mqtt.md")
	if err != nil {
		t.Fatal(err)
	}
	tested := map[string][]string{}
	name := ""
	for line := range strings.Lines(string(code)) {
		if m := regexp.MustCompile(`^func (Test\w+)`).FindStringSubmatch(line); m != nil {
			name = m[1]
		}
		for _, m := range regexp.MustCompile(`"(tck-id-[A-Za-z0-9-]+)"`).FindAllStringSubmatch(line, -1) {
			if !slices.Contains(tested[m[1]], name) {
				tested[m[1]] = append(tested[m[1]], name)
			}
		}
	}
	in := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^\| (tck-id-\S+) \| (.+?) \|`).FindAllStringSubmatch(string(doc), -1) {
		in[m[1]] = m[2]
	}
	for id, names := range tested {
		if want := strings.Join(names, ", "); in[id] != want {
			t.Errorf("docs/mqtt.md: | %s | %s | is missing or other: %q", id, want, in[id])
		}
	}
	for id, by := range in {
		if strings.HasPrefix(by, "Test") && tested[id] == nil {
			t.Errorf("docs/mqtt.md: no test looks at %s", id)
		}
	}
	if len(tested) < 60 {
		t.Errorf("only %d statements are tested", len(tested))
	}
}
