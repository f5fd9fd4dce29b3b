package mqtt

import (
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	older "github.com/eclipse/paho.mqtt.golang/packets"

	"mien/firmware/alarm"
)

// TestSession311 is a session of MQTT 3.1.1, as a broker sees it.
func TestSession311(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var mu sync.Mutex // covers list and hungUp
	var list []older.ControlPacket
	hungUp := false
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		for {
			p, err := older.ReadPacket(c)
			mu.Lock()
			if err != nil {
				hungUp = true
				mu.Unlock()
				return
			}
			list = append(list, p)
			mu.Unlock()
			var answer older.ControlPacket
			switch p := p.(type) {
			case *older.ConnectPacket:
				answer = older.NewControlPacket(older.Connack)
			case *older.SubscribePacket:
				a := older.NewControlPacket(older.Suback).(*older.SubackPacket)
				a.MessageID, a.ReturnCodes = p.MessageID, make([]byte, len(p.Topics))
				answer = a
			case *older.UnsubscribePacket:
				a := older.NewControlPacket(older.Unsuback).(*older.UnsubackPacket)
				a.MessageID = p.MessageID
				answer = a
			case *older.PublishPacket:
				if p.Qos == 1 {
					a := older.NewControlPacket(older.Puback).(*older.PubackPacket)
					a.MessageID = p.MessageID
					answer = a
				}
			}
			if answer != nil {
				answer.Write(c)
			}
		}
	}()
	u := newUnit(t)
	_, _, stop := node(t, u, settings(t, "mqtt://"+l.Addr().String(), `version = "3.1.1"`))
	topics := func() (list2 []string) {
		mu.Lock()
		defer mu.Unlock()
		for _, p := range list {
			switch p := p.(type) {
			case *older.PublishPacket:
				list2 = append(list2, p.TopicName)
			case *older.UnsubscribePacket:
				list2 = append(list2, "UNSUBSCRIBE")
			case *older.DisconnectPacket:
				list2 = append(list2, "DISCONNECT")
			}
		}
		return list2
	}
	eventually(t, "a birth", func() bool { return slices.Contains(topics(), nbirth) })
	u.alarm("brow lowered", alarm.Unacknowledged)
	eventually(t, "data, and what confirms it", func() bool {
		k := topics()
		return slices.Contains(k, ndata) && slices.Index(k, "UNSUBSCRIBE") > slices.Index(k, ndata)
	})
	stop()
	eventually(t, "its end", func() bool { mu.Lock(); defer mu.Unlock(); return hungUp })
	connect := list[0].(*older.ConnectPacket)
	holds(t, connect.CleanSession && connect.ProtocolVersion == 4, "clean session", "tck-id-principles-persistence-clean-session-311")
	holds(t, connect.WillFlag && connect.WillTopic == ndeath && connect.WillQos == 1 && !connect.WillRetain, "a will", "tck-id-payloads-ndeath-will-message")
	told := topics()
	holds(t, told[len(told)-1] == ndeath || !slices.Contains(told, "DISCONNECT"), strings.Join(told, ", "), "tck-id-payloads-ndeath-will-message-publisher-disconnect-mqtt311")
	if !slices.Contains(told, ndeath) {
		t.Error("no death: ", told)
	}
}
