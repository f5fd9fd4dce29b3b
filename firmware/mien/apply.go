package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/config"
	"mien/firmware/operator"
	"mien/firmware/pipeline"
	"mien/firmware/state"
)

// keeper answers who asks for the config file and changes it: through the socket, by
// the unit itself, so that its rules hold whoever asks.
type keeper struct {
	ctx      context.Context
	session  *session
	unit     *pipeline.Unit
	path     string // of the config file; "" or "-": there is none
	versions config.Versions
	one      sync.Mutex // change at a time
	study    study
}

// vital are keys that only an administrator may change: what the unit may be used for,
// what it loads and runs, and who reaches it.
var vital = []string{"unit.purpose", "model.card", "model.second", "model.library", "gateway.", "page.", "mqtt.", "modbus_tcp.", "slmp.", "metrics.", "socket.", "state.", "watchdog."}

// byHand are keys that nobody changes over a network: they name a program to be run.
var byHand = []string{"camera.command"}

// answer answers what the operator room cannot.
func (k *keeper) answer(r operator.Request, who string) (reply operator.Reply, err error) {
	switch {
	case r.Ask == operator.AskCard:
		cards, _, err := pipeline.Cards(k.session.cfg.Load().Model)
		if err != nil {
			return reply, err
		}
		reply.Card, err = json.Marshal(cards[0])
		return reply, err
	case r.Ask == operator.AskSerial:
		reply.Serial = k.serial(r.After)
		return reply, nil
	case r.Ask == operator.AskTry:
		reply.Tried, err = k.try(r.Try)
		return reply, err
	case r.Ask == operator.AskStudy:
		reply.Study, err = k.study.answer(k, r.Study, who)
		return reply, err
	case r.Ask != operator.AskConfig:
		return reply, fmt.Errorf("cannot do %q", r.Ask)
	case k.path == "" || k.path == "-":
		return reply, errors.New("this unit was started without a config file")
	}
	reply.Config = &operator.Config{}
	do := operator.ConfigDo("")
	if r.Config != nil {
		do = r.Config.Do
	}
	switch do {
	case "":
		return reply, k.show(reply.Config)
	case operator.ConfigCheck:
		_, err := k.look([]byte(r.Config.Text), reply.Config)
		return reply, err
	case operator.ConfigSet:
		return reply, k.set(r.Config, reply.Config)
	case operator.ConfigVersion:
		one, err := k.versions.Get(r.Config.ID)
		if err != nil {
			return reply, err
		}
		reply.Config.Text, reply.Config.Base = one.Text, sum([]byte(one.Text))
		return reply, nil
	case operator.ConfigApply:
		done, err := k.apply(r, who, reply.Config)
		reply.Done = done
		return reply, err
	}
	return reply, fmt.Errorf("cannot do %q with the config", do)
}

func sum(text []byte) string {
	s := sha256.Sum256(text)
	return hex.EncodeToString(s[:])
}

func (k *keeper) show(out *operator.Config) error {
	text, err := readConfig(k.path)
	if err != nil {
		return err
	}
	out.File, out.Text, out.Base = k.path, string(text), sum(text)
	list, err := k.versions.List()
	for _, v := range list {
		out.Versions = append(out.Versions, operator.Version{ID: v.ID, At: v.At, Who: v.Who, Why: v.Why, Bytes: len(v.Text)})
	}
	return err
}

// look says what is wrong with a config, and what it would change. The config is nil
// where it is wrong.
func (k *keeper) look(text []byte, out *operator.Config) (*config.Config, error) {
	cfg, found, err := config.Examine(k.path, text, configSignals)
	if cfg != nil {
		found = append(found, wiring(cfg)...)
	}
	out.Problems = found
	if err != nil || len(found.Errors()) > 0 {
		return nil, err
	}
	for _, c := range config.Changes(k.session.cfg.Load(), cfg) {
		out.Changes = append(out.Changes, operator.Change{Path: c.Path, From: c.Old, To: c.New, Takes: c.Takes.String()})
	}
	out.Dangers = dangers(k.session.cfg.Load(), cfg)
	return cfg, nil
}

// dangers are what the author of a change must be told before: that it locks the
// author out, or opens something.
func dangers(old, now *config.Config) (list []string) {
	add := func(is bool, format string, args ...any) {
		if is {
			list = append(list, fmt.Sprintf(format, args...))
		}
	}
	a, b := old.Page, now.Page
	served := a.Serve && b.Serve
	add(a.Serve && !b.Serve, "page.serve is false: the page goes away, for you too")
	add(!b.Loopback() && b.Serve && (!a.Serve || a.Listen != b.Listen), "page.listen is %s: the page is open to the network there", b.Listen)
	add(served && a.Listen != b.Listen, "page.listen changes: the page is at %s from then on, and everybody must log in again", where(b.Listen))
	add(served && a.Listen == b.Listen && (a.Certificate != b.Certificate || a.Key != b.Key), "the page's certificate changes: if it is not right, the page does not come back")
	for _, name := range a.Names {
		add(served && !slices.Contains(b.Names, name), "page.names has %s no more: who reaches the page by this name is locked out", name)
	}
	for _, port := range []struct {
		table    string
		was, now config.OnNetwork
	}{{"modbus_tcp", old.ModbusTCP, now.ModbusTCP}, {"slmp", old.SLMP, now.SLMP}} {
		was, now := port.was, port.now
		served := now.Listen != ""
		add(served && (now.Listen != was.Listen || !slices.Equal(now.Allow, was.Allow)), "%s.listen is %s: %s may read the unit there, without a password", port.table, now.Listen, whom(now.Allow))
		add(served && now.Write && !(was.Write && was.Listen != ""), "%s.write is true: %s may command the unit, without a password", port.table, whom(now.Allow))
	}
	scraped, before := now.Metrics, old.Metrics
	add(scraped.Listen != "" && (scraped.Listen != before.Listen || !slices.Equal(scraped.Allow, before.Allow)), "metrics.listen is %s: %s may read there how the unit and its alarms are, without a password", scraped.Listen, whom(scraped.Allow))
	for _, name := range scraped.Levels {
		add(scraped.Listen != "" && !slices.Contains(before.Levels, name), "metrics.levels has %s: its level leaves the unit", name)
	}
	add(old.Gateway.Dir != now.Gateway.Dir, "gateway.dir changes: other users are there, or none, and who is not among them is locked out")
	add(old.MQTT.Broker != now.MQTT.Broker && now.MQTT.Broker != "", "mqtt.broker is %s: what the unit knows goes there", now.MQTT.Broker)
	add(now.MQTT.Broker != "" && now.MQTT.Write && (!old.MQTT.Write || old.MQTT.Broker != now.MQTT.Broker || old.MQTT.Role != now.MQTT.Role), "mqtt.write is true: who may write at that broker may command as %s", now.MQTT.Role)
	for _, name := range now.MQTT.Levels {
		add(!slices.Contains(old.MQTT.Levels, name), "mqtt.levels has %s: its level leaves the unit", name)
	}
	for _, name := range now.Modbus.Unlock {
		add(!slices.Contains(old.Modbus.Unlock, name) && !slices.Contains(old.Modbus.Unlock, "all"), "modbus.unlock has %q: the PLC may change its limits", name)
	}
	add(now.Clock.Settable && !old.Clock.Settable, "clock.settable is true: the PLC may set the unit's clock")
	add(old.Unit.Name != config.Default().Unit.Name && old.Unit.Name != now.Unit.Name, "unit.name changes from %q to %q: is this the config of this unit?", old.Unit.Name, now.Unit.Name)
	add(len(old.Alarms) > 0 && len(now.Alarms) == 0, "no alarm is left: the unit watches, and alarms on nothing")
	add(old.Unit.Purpose != now.Unit.Purpose && now.Unit.Purpose != "", "unit.purpose is %q: emotions are inferred from then on", now.Unit.Purpose)
	return list
}

// whom says who is allowed.
func whom(allow []string) string {
	if len(allow) == 0 {
		return "programs of this machine"
	}
	return strings.Join(allow, ", ")
}

// where says how a person reaches what listens there.
func where(listen string) string {
	if a, err := netip.ParseAddrPort(listen); err == nil && a.Addr().IsUnspecified() {
		return fmt.Sprintf("port %d of each address of this machine", a.Port())
	}
	return listen
}

// apply checks a config whole, keeps the one before, writes it, takes it over, and
// journals who did. Where that fails, the one before is back.
func (k *keeper) apply(r operator.Request, who string, out *operator.Config) (done []string, err error) {
	k.one.Lock()
	defer k.one.Unlock()
	defer func() {
		if err != nil {
			k.note(who, "config refused: "+err.Error())
		}
	}()
	before, err := readConfig(k.path)
	if err != nil {
		return nil, err
	}
	text := []byte(r.Config.Text)
	if sum(before) != r.Config.Base {
		return nil, errors.New("the config is not the one any more that was changed: somebody else has changed it; look at it anew")
	}
	cfg, err := k.look(text, out)
	switch {
	case err != nil:
		return nil, err
	case cfg == nil:
		return nil, fmt.Errorf("the config has %s", alarm.Count(len(out.Problems.Errors()), "mistake"))
	case len(out.Dangers) > 0 && !r.Config.Confirm:
		return nil, errors.New("this needs to be confirmed: " + strings.Join(out.Dangers, "; "))
	case len(out.Changes) == 0 && string(before) == string(text):
		return nil, nil // there is nothing to do
	}
	var names []string
	for _, c := range out.Changes {
		names = append(names, c.Path)
		if c.Takes == config.Restart.String() {
			return nil, fmt.Errorf("%s: only a restart takes it over: change it on the machine", c.Path)
		}
		if r.Role != "" && slices.Contains(byHand, c.Path) {
			return nil, fmt.Errorf("%s names a program that the unit runs: change it on the machine", c.Path)
		}
		if r.Role != "" && r.Role != operator.Administrator && slices.ContainsFunc(vital, func(v string) bool { return strings.HasPrefix(c.Path, v) }) {
			return nil, fmt.Errorf("%s: only an administrator may change it", c.Path)
		}
	}
	why := alarm.Command{Text: r.Config.Why}.Clean().Text
	if err := k.versions.Keep(config.Version{At: time.Now().UTC(), Who: who, Why: why, Text: string(before)}); err != nil {
		return nil, err
	}
	if err := k.put(text); err != nil {
		return nil, err
	}
	if err := k.unit.Reload(k.ctx, cfg, pipeline.Mark(text)); err != nil {
		if back := k.put(before); back != nil {
			err = fmt.Errorf("%w; and the file before could not be put back: %w", err, back)
		}
		return nil, err
	}
	k.session.cfg.Store(cfg)
	what := fmt.Sprintf("config changed to %.8s, %s", sum(text), alarm.Count(len(names), "key"))
	if why != "" {
		what += ": " + why
	}
	k.note(who, what)
	return append([]string{what}, names[:min(len(names), 50)]...), nil
}

// set gives a config's text with other values of some keys.
func (k *keeper) set(ask *operator.ConfigAsk, out *operator.Config) error {
	text := []byte(ask.Text)
	if len(text) == 0 {
		if err := k.show(out); err != nil {
			return err
		}
		text = []byte(out.Text)
	}
	for _, key := range ask.Keys {
		var err error
		if text, err = config.Set(text, key.Path, key.Value); err != nil {
			return err
		}
	}
	out.Text = string(text)
	return nil
}

func (k *keeper) note(who, text string) {
	k.unit.Do(who, []state.Command{state.On(alarm.Command{Do: alarm.Note, Text: text})})
}

// put writes the config file; a link to it stays one.
func (k *keeper) put(text []byte) error {
	path, err := filepath.EvalSymlinks(k.path)
	if err == nil {
		err = config.WriteFile(path, text, 0o644)
	}
	if errors.Is(err, os.ErrPermission) || errors.Is(err, errReadOnly) {
		err = fmt.Errorf("%w: the unit may not write there: docs/gateway.md says how it may", err)
	}
	return err
}
