package operator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"mien/firmware/alarm"
)

// requests are lines as clients send them, right and wrong.
var requests = []string{
	`{"ask":"status"}`, `{"ask":"alarms"}`, `{"ask":"events","after":3,"most":2}`, `{"ask":"events","most":-1}`,
	`{"ask":"do","do":"acknowledge"}`, `{"ask":"do","do":"acknowledge","alarm":"frown"}`, `{"ask":"do","do":"reset"}`,
	`{"ask":"do","do":"shelve","alarm":"frown","for":60000000000}`, `{"ask":"do","do":"unshelve","alarm":"frown"}`,
	`{"ask":"do","do":"shelve","alarm":"frown","for":-1}`, `{"ask":"do","do":"shelve","alarm":"frown","for":9223372036854775807}`,
	`{"ask":"do","do":"take out","alarm":"frown","text":"a\u0000\ud800"}`, `{"ask":"do","do":"put back","alarm":"frown"}`,
	`{"ask":"do","do":"inhibit","for":1}`, `{"ask":"do","do":"uninhibit"}`, `{"ask":"do","do":"silence"}`, `{"ask":"do","do":"note","text":"x"}`,
	`{"ask":"do","do":"raise","alarm":"frown"}`, `{"ask":"do","do":"set limits","alarm":"frown"}`, `{"ask":"do","do":"start"}`,
	`{"ask":"test","for":1000000000}`, `{"ask":"test","for":-9223372036854775808}`, `{"ask":"dance"}`, `{}`, `null`, `[]`, `7`, ``,
	"\x00\xff{{{", `{"ask":"status"} {"ask":"alarms"}`, `{"ask":{"ask":{"ask":[[[[[[`, `{"ask":"do","do":3}`, `{"after":18446744073709551616}`,
	`{"ask":"stream"}`, `{"ask":"stream","role":"viewer"}`, `{"ask":"do","do":"reset","who":"eve","role":"viewer"}`, `{"ask":"do","do":"reset","role":"administrator"}`,
	`{"ask":"do","do":"acknowledge","who":"anna","role":"operator"}`, `{"ask":"status","who":"eve","role":"king"}`, `{"ask":"config","config":{"do":"apply","text":"[unit]"}}`, `{"ask":"card"}`,
}

// checkReply fails when a line is not one whole reply.
func checkReply(t *testing.T, line []byte) Reply {
	t.Helper()
	var reply Reply
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&reply); err != nil {
		t.Fatalf("reply %q: %v", line, err)
	}
	return reply
}

// wellAfter fails when the unit is no longer as its engine promises: events in
// sequence and readable, a state among those that there are.
func (u *unit) wellAfter(t *testing.T) {
	t.Helper()
	u.mu.Lock()
	defer u.mu.Unlock()
	for i, e := range u.journal {
		if e.Number != uint64(i+1) {
			t.Fatalf("event %d has number %d", i+1, e.Number)
		}
		data, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var back alarm.Event
		if err := json.Unmarshal(data, &back); err != nil || back.Number != e.Number || back.Who != e.Who || back.Cause != e.Cause {
			t.Fatalf("event %s reads back as %+v: %v", data, back, err)
		}
		if len(e.Who) > 64 || len(e.Cause) > 1000 {
			t.Fatalf("event with %d bytes of who, %d of cause", len(e.Who), len(e.Cause))
		}
	}
	if u.panics > 0 {
		t.Fatalf("%d panics", u.panics)
	}
}

// Any line is answered by one line, and what it did is journaled, or refused.
func FuzzCommand(f *testing.F) {
	for _, r := range requests {
		f.Add([]byte(r))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		u := newUnit(t)
		s := New("", "", u, u)
		before := len(u.journal)
		out, streams := s.reply(t.Context(), line, "anna")
		if streams {
			return
		}
		if len(out) == 0 || out[len(out)-1] != '\n' || bytes.Count(out, []byte("\n")) != 1 {
			t.Fatalf("%q is answered by %q", line, out)
		}
		reply := checkReply(t, out)
		var r Request
		if reply.Denied {
			// the note that tells it is not a refused command
		} else if json.Unmarshal(line, &r) == nil && r.Ask == AskDo {
			if len(u.journal) == before {
				t.Fatalf("%q is not journaled", line)
			}
			for _, e := range u.journal[before:] {
				if e.Refused != (reply.Error != "") {
					t.Fatalf("%q: %q, journaled as %v", line, reply.Error, e)
				}
			}
		} else if len(u.journal) != before {
			t.Fatalf("%q is journaled: %v", line, u.journal[before:])
		}
		u.wellAfter(t)
	})
}

// Many clients at once, who send whatever they like in whatever pieces, read or
// do not, and go when they like: every other client is served all the while, and
// none of them ends the unit.
func FuzzServer(f *testing.F) {
	for i, r := range requests {
		f.Add([]byte(r+"\n"), []byte(requests[(i+7)%len(requests)]), uint8(i))
	}
	f.Add(bytes.Repeat([]byte("x"), 3*maxLine), []byte("\n\n\n"), uint8(1))
	f.Add(bytes.Repeat([]byte(`{"ask":"events"}`+"\n"), 200), []byte(`{"ask":"sta`), uint8(3))
	f.Fuzz(func(t *testing.T, one, two []byte, how uint8) {
		u := newUnit(t)
		dir, err := os.MkdirTemp("", "mien-fuzz-") // t.TempDir's names are too long for a socket
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		path := filepath.Join(dir, "s")
		s := New(path, "", u, u)
		ctx, stop := context.WithCancel(context.Background())
		served := make(chan struct{})
		go func() { defer close(served); s.Serve(ctx, func(err error) { t.Error(err) }) }()
		opened(t, path)
		var clients sync.WaitGroup
		for i := range 3 {
			clients.Add(1)
			go func() {
				defer clients.Done()
				data := one
				if i == 1 {
					data = two
				}
				bad(t, path, data, how>>(2*i)&3)
			}()
		}
		c, err := Dial(path)
		if err != nil {
			t.Fatal(err)
		}
		if reply, err := c.Ask(Request{Ask: AskAlarms}); err != nil || len(reply.Alarms) != 1 {
			t.Errorf("a good client: %+v %v", reply, err)
		}
		c.Close()
		clients.Wait()
		stop()
		<-served
		u.wellAfter(t)
	})
}

// bad is a client: how 0 sends all and hears the answers out, 1 sends in small
// pieces, 2 goes without reading, 3 sends half a line more and goes.
func bad(t *testing.T, path string, data []byte, how uint8) {
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	switch how {
	case 1:
		for i := 0; i < len(data) && i < 64; i++ {
			c.Write(data[i : i+1]) // it may have cut us off
		}
		data = data[min(len(data), 64):]
	case 3:
		data = append(bytes.Clone(data), `{"ask":"do","do":"ackn`...)
	}
	heard := make(chan struct{})
	if how == 2 {
		close(heard)
	} else {
		go func() {
			defer close(heard)
			answers, err := io.ReadAll(c)
			if err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, os.ErrDeadlineExceeded) {
				return // cut off with something unread: a reset
			}
			for _, line := range bytes.SplitAfter(answers, []byte("\n")) {
				if bytes.HasSuffix(line, []byte("\n")) && !bytes.HasPrefix(line, []byte(`{"about":`)) && !bytes.HasPrefix(line, []byte(`{"state":`)) {
					checkReply(t, line)
				}
			}
		}()
	}
	c.Write(data)
	if how == 0 || how == 1 {
		c.(*net.UnixConn).CloseWrite()
		<-heard
		return
	}
	c.Close()
	<-heard
}
