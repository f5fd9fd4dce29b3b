package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"mien/tools/hil/wire"
)

// process is a program in the machine.
type process struct {
	m    *machine
	id   uint32
	args []string

	mu   sync.Mutex // covers what is below
	text bytes.Buffer
	code int
	how  string // it ended; "" while it runs
	more chan struct{}
}

// errReset: the machine has started again, with nothing of what ran before.
var errReset = errors.New("the machine has started again")

// spawn starts a program in the machine.
func (m *machine) spawn(c *wire.Confinement, env []string, args ...string) (*process, error) {
	return m.begin(&wire.Message{Kind: wire.Run, Args: args, Env: env, Confine: c})
}

func (m *machine) begin(run *wire.Message) (*process, error) {
	id, answers, err := m.send(run)
	if err != nil {
		return nil, err
	}
	p := &process{m: m, id: id, args: run.Args, more: make(chan struct{})}
	go func() {
		for a := range answers {
			p.mu.Lock()
			switch a.Kind {
			case wire.Out, wire.Err:
				p.text.Write(a.Blob)
			case wire.Done:
				p.code, p.how = a.Number, a.Text
				if a.Error != "" {
					p.code, p.how = -1, a.Error
				}
			}
			close(p.more)
			p.more = make(chan struct{})
			p.mu.Unlock()
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.how == "" {
			p.code, p.how = -1, errReset.Error()
		}
		close(p.more)
		p.more = make(chan struct{})
	}()
	return p, nil
}

// until waits until seen says so of the output so far and of how it ended.
func (p *process) until(limit time.Duration, seen func(text, how string) bool) bool {
	end := time.After(limit)
	for {
		p.mu.Lock()
		text, how, more := p.text.String(), p.how, p.more
		p.mu.Unlock()
		if seen(text, how) {
			return true
		}
		select {
		case <-more:
		case <-end:
			return false
		}
	}
}

// says waits for a text in what comes after the first `after` bytes.
func (p *process) says(what string, after int, limit time.Duration) bool {
	ok := false
	p.until(limit, func(text, how string) bool {
		ok = strings.Contains(text[min(after, len(text)):], what)
		return ok || how != ""
	})
	return ok
}

// wait waits for its end.
func (p *process) wait(limit time.Duration) bool {
	return p.until(limit, func(_, how string) bool { return how != "" })
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

func (p *process) state() (code int, how string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.code, p.how
}

// types writes to its standard input.
func (p *process) types(text string) error {
	_, err := p.m.ask(&wire.Message{Kind: wire.Stdin, Target: p.id, Blob: []byte(text)}, time.Minute)
	return err
}

func (p *process) signal(number int) error {
	_, err := p.m.ask(&wire.Message{Kind: wire.Signal, Target: p.id, Number: number}, time.Minute)
	return err
}

// ask sends a message that has one answer.
func (m *machine) ask(msg *wire.Message, limit time.Duration) (*wire.Message, error) {
	_, answers, err := m.send(msg)
	if err != nil {
		return nil, err
	}
	select {
	case a, ok := <-answers:
		switch {
		case !ok:
			return nil, errReset
		case a.Error != "":
			return a, errors.New(a.Error)
		}
		return a, nil
	case <-time.After(limit):
		return nil, fmt.Errorf("%s %s: no answer in %v", msg.Kind, msg.Text, limit)
	}
}

// call runs one of the agent's functions.
func (m *machine) call(name string, parameter, result any) error {
	data, err := json.Marshal(parameter)
	if err != nil {
		return err
	}
	a, err := m.ask(&wire.Message{Kind: wire.Call, Text: name, Data: data}, 3*time.Minute)
	if a != nil && result != nil && len(a.Data) > 0 {
		err = errors.Join(err, json.Unmarshal(a.Data, result))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func (m *machine) put(path string, data []byte, mode int) error {
	_, err := m.ask(&wire.Message{Kind: wire.Put, Text: path, Number: mode, Blob: data}, time.Minute)
	return err
}

func (m *machine) get(path string) ([]byte, error) {
	a, err := m.ask(&wire.Message{Kind: wire.Get, Text: path}, time.Minute)
	if err != nil {
		return nil, err
	}
	return a.Blob, nil
}
