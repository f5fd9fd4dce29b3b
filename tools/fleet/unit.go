package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/config"
	"mien/firmware/gateway"
	"mien/firmware/gateway/mqtt"
	"mien/firmware/operator"
	"mien/firmware/state"
)

const alarmName = "brow lowered"

// unit is a made-up unit with its socket, and a gateway's MQTT and metrics beside it.
type unit struct {
	number int
	began  time.Time
	ahead  time.Duration // of its clock before the machine's
	latest *state.Latest
	socket *operator.Server
	heard  *heard

	mu      sync.Mutex // covers what is below
	state   state.State
	journal []alarm.Event
	resting bool
	last    time.Time // event
}

func nodeName(number int) string { return fmt.Sprintf("unit%04d", number) }

func newUnit(ctx context.Context, number int, o options, broker string, scraped *scraped, heard *heard) (*unit, error) {
	u := &unit{number: number, began: time.Now(), ahead: time.Duration(rand.N(int64(2*time.Hour))) - time.Hour, latest: state.NewLatest(), heard: heard}
	u.state.Clear()
	about := &state.About{Unit: nodeName(number), Version: "fleet", StaleAfter: 5 * time.Second, Outputs: []string{"healthy", "lamp", "horn"}, Inputs: []string{"ack button"}}
	for _, name := range []string{"au1", "au4", "au12", "au43", "perclos"} {
		about.Signals = append(about.Signals, state.Signal{Name: name, Human: name, Max: 1})
		u.state.Levels = append(u.state.Levels, 0)
	}
	u.state.About = about
	for i, name := range []string{alarmName, "eyes closed", "pain", "jaw"} {
		about.Alarms = append(about.Alarms, alarm.Definition{Name: name, Priority: alarm.High})
		u.state.Alarms = append(u.state.Alarms, alarm.Status{Name: name, Place: i, Priority: alarm.High})
	}
	u.state.Outputs, u.state.Inputs = make([]bool, 3), make([]bool, 1)
	u.tell()
	socket := path(o, strconv.Itoa(number))
	u.socket = operator.New(socket, "", u, u)
	go u.socket.Serve(ctx, func(error) {})
	for i := 0; ; i++ {
		if _, err := os.Stat(socket); err == nil {
			break
		} else if i > 1000 {
			return nil, fmt.Errorf("unit %d: %w", number, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	dial := func() (*operator.Client, error) { return operator.Dial(socket) }
	link := gateway.NewLink(ctx, dial)
	folder := socket + ".gateway"
	if err := os.Mkdir(folder, 0o700); err != nil {
		return nil, err
	}
	c := config.Default().MQTT
	c.Broker, c.Group, c.Node, c.PrimaryHost = "mqtt://"+broker, "fleet", nodeName(number), hostName
	go mqtt.New(mqtt.Options{Config: c, Folder: folder, Link: link, Dial: dial, Say: func(string, ...any) {}}).Run(ctx)
	scraped.add(number, gateway.Metrics{Mirror: link.Mirror(ctx)}.Handler())
	return u, nil
}

// tell publishes what is so now. The lock is held, or nobody else is there yet.
func (u *unit) tell() {
	s := &u.state
	now := u.Now()
	s.Trusted, s.Results, s.ResultAt, s.Latency, s.Rate, s.Available = true, s.Results+15, now, time.Duration(30+rand.N(20))*time.Millisecond, 14+2*rand.Float32(), 1
	s.Heartbeat++
	s.Temperature = 48 + 4*rand.Float32()
	for i := range s.Levels {
		s.Levels[i] = rand.Float32()
	}
	s.Clock = state.Clock{Source: state.ClockSystem, At: now, Wall: time.Now().Add(u.ahead).UTC()}
	s.Summary.Events = uint64(len(u.journal))
	u.latest.Store(s)
}

// live tells what the unit knows, and has its alarm come and go, until ctx ends.
func (u *unit) live(ctx context.Context, o options) {
	next := func() <-chan time.Time { return time.After(time.Duration(rand.ExpFloat64() * float64(o.alarms))) }
	time.Sleep(time.Duration(rand.N(int64(o.states)))) // they do not all tell at once
	states, change := time.Tick(o.states), next()
	for {
		select {
		case <-ctx.Done():
			return
		case <-states:
			u.mu.Lock()
			u.tell()
			u.mu.Unlock()
		case <-change:
			change = next()
			u.change()
		}
	}
}

// change lets the alarm come, or go.
func (u *unit) change() {
	u.mu.Lock()
	defer u.mu.Unlock()
	wall := time.Now().Add(u.ahead).UTC().Truncate(time.Millisecond)
	if u.resting || !wall.After(u.last) { // each has a time of its own
		return
	}
	u.last = wall
	a := &u.state.Alarms[0]
	from, trigger := a.State, alarm.Raise
	if a.State = alarm.Unacknowledged; from == alarm.Unacknowledged {
		a.State, trigger = alarm.Normal, alarm.Clear
	} else {
		a.Count++
	}
	u.heard.raised(u.number, wall.UnixMilli(), a.State.String())
	e := alarm.Event{Number: uint64(len(u.journal) + 1), At: u.Now(), Wall: wall, Trigger: trigger, Alarm: alarmName, From: from, To: a.State}
	u.journal = append(u.journal, e)
	u.socket.Event(e)
	u.tell()
}

// rest ends the changes.
func (u *unit) rest() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.resting = true
}

func (u *unit) Latest() *state.Latest { return u.latest }
func (u *unit) Now() time.Duration    { return time.Since(u.began) }
func (u *unit) Guard(_ string, run func()) error {
	run()
	return nil
}
func (u *unit) Do(string, []state.Command) (state.Receipt, error) {
	return state.Receipt{}, alarm.ErrRefused
}
func (u *unit) Kept(state.Receipt, time.Duration) error { return nil }

func (u *unit) Events(after uint64, most int) ([]alarm.Event, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	list := u.journal[min(after, uint64(len(u.journal))):]
	if most > 0 {
		list = list[max(0, len(list)-most):]
	}
	return list, nil
}

// scraped has the metrics of all units on one port, each under its number.
type scraped struct {
	address string
	mux     *http.ServeMux
}

func newScraped(ctx context.Context) (*scraped, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &scraped{l.Addr().String(), http.NewServeMux()}
	server := &http.Server{Handler: s.mux, ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() { server.Close() })
	go server.Serve(l)
	return s, nil
}

func (s *scraped) add(number int, h http.Handler) {
	at := fmt.Sprintf("/%d", number)
	s.mux.Handle(at+"/metrics", http.StripPrefix(at, h))
}
