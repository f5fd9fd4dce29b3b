package store

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"testing"

	"mien/firmware/alarm"
)

// Whatever lies in the folder, in memory, and of the version before, the store
// starts, takes events, and finds them again.
func FuzzFiles(f *testing.F) {
	g := NewFake()
	s, _ := ready(Options{Dir: dir, FS: g, Memory: inMemory})
	s.Put(raises(1, 6))
	s.step(0)
	journal := g.Get(dir + "/" + journalFile)
	s.Put(raises(7, 9))
	memory := g.Get(inMemory + "/" + journalFile)
	var bodies []byte
	for _, line := range bytes.Split(bytes.TrimSpace(journal), []byte("\n")) {
		bodies = append(append(bodies, line[9:]...), '\n')
	}
	body := []byte(`{"generation":3,"saved":{"number":4,"start":1,"alarms":[{"name":"alarm 0","life":1,"priority":2}]}}` + "\n")
	f.Add(body, bodies, []byte("sealed"), []byte{})
	f.Add([]byte{}, journal, []byte{}, memory)
	f.Add(body[:len(body)/2], journal[:len(journal)-7], journal, memory[:len(memory)-9])
	f.Add([]byte("mien-state 1 3 00000000\nabc"), []byte("00000000 {}\n\n"), []byte{0, 10, 13}, journal)
	f.Fuzz(func(t *testing.T, state, journal, old, memory []byte) {
		if string(old) == "sealed" { // checksums that fit, whatever is in them
			state = append(fmt.Appendf(nil, "mien-state 1 %d %08x\n", len(state), crc32.Checksum(state, castagnoli)), state...)
			var lines []byte
			for _, line := range bytes.Split(journal, []byte("\n")) {
				lines = fmt.Appendf(lines, "%08x %s\n", crc32.Checksum(line, castagnoli), line)
			}
			journal = lines
		}
		g := NewFake()
		g.Put(dir+"/alarms.state", state)
		g.Put(dir+"/"+journalFile, journal)
		g.Put(dir+"/"+legacyOld, old)
		g.Put(inMemory+"/"+journalFile, memory)
		s, found := ready(Options{Dir: dir, FS: g, Memory: inMemory})
		number := found.Saved.Number
		if number > 1<<60 {
			return // would take more than the age of the universe to reach
		}
		e, err := alarm.New(nil, nil, alarm.Options{})
		if err != nil {
			t.Fatal(err)
		}
		s.Put(e.Restore(found.Saved, 0, wall0))
		events := raises(number+1000, number+1003)
		s.Put(events)
		s.step(0)
		if st := s.Status(); st.Err != nil || st.Durable != number+1003 {
			t.Fatalf("%+v", st)
		}
		read, err := s.Events(0, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for i := 1; i < len(read); i++ {
			if read[i].Number <= read[i-1].Number {
				t.Fatalf("%v", numbers(read))
			}
		}
		g.Kill()
		_, again := manual(g)
		if again.Saved.Number != number+1003 {
			t.Fatalf("%d, want %d", again.Saved.Number, number+1003)
		}
	})
}

// A record is what was written, or an error.
func FuzzRecord(f *testing.F) {
	ev := raises(1, 1)[0]
	line, _ := appendRecord(nil, &ev)
	f.Add(line[:len(line)-1])
	f.Add([]byte(`00000000 {"n":1,"event":"raise"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		if len(line)%2 == 0 && len(line) > 9 {
			line = fmt.Appendf(nil, "%08x %s", crc32.Checksum(line[9:], castagnoli), line[9:])
		}
		number, st, err := decodeRecord(line, nil)
		var ev alarm.Event
		if n, st2, err2 := decodeRecord(line, &ev); err == nil && err2 == nil && (n != number || ev.Number != n || (st == nil) != (st2 == nil)) {
			t.Fatalf("%d, %d, %d", number, n, ev.Number)
		}
		var c content
		if c.add(append(line, '\n'), 0); bytes.IndexByte(line, '\n') < 0 && len(c.events) > 1 {
			t.Fatal(numbers(c.events))
		}
	})
}
