package store

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"testing"

	"mien/firmware/alarm"
)

// Whatever lies in the folder, the store starts, takes events, and finds them
// again.
func FuzzFiles(f *testing.F) {
	g := NewFake()
	s, _ := manual(g)
	s.Put(raises(1, 6))
	s.step(0)
	s.step(1 << 40)
	state, _ := g.ReadFile(dir + "/" + stateFile)
	journal, _ := g.ReadFile(dir + "/" + journalFile)
	_, body, _ := bytes.Cut(state, []byte("\n"))
	var bodies []byte
	for _, line := range bytes.Split(bytes.TrimSpace(journal), []byte("\n")) {
		bodies = append(append(bodies, line[9:]...), '\n')
	}
	f.Add(body, bodies, []byte("sealed"))
	f.Add(state, journal, []byte{})
	f.Add(state[:len(state)/2], journal[:len(journal)-7], journal)
	f.Add([]byte("mien-state 1 3 00000000\nabc"), []byte("00000000 {}\n\n"), []byte{0, 10, 13})
	f.Fuzz(func(t *testing.T, state, journal, old []byte) {
		if string(old) == "sealed" { // checksums that fit, whatever is in them
			state = append(fmt.Appendf(nil, "mien-state 1 %d %08x\n", len(state), crc32.Checksum(state, castagnoli)), state...)
			var lines []byte
			for _, line := range bytes.Split(journal, []byte("\n")) {
				lines = fmt.Appendf(lines, "%08x %s\n", crc32.Checksum(line, castagnoli), line)
			}
			journal = lines
		}
		g := NewFake()
		g.Put(dir+"/"+stateFile, state)
		g.Put(dir+"/"+journalFile, journal)
		g.Put(dir+"/"+journalOld, old)
		s, found := manual(g)
		number := found.Saved.Number
		if number > 1<<60 {
			return // would take more than the age of the universe to reach
		}
		read, err := Read(g, dir, 0, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for i := 1; i < len(read); i++ {
			if read[i].Number <= read[i-1].Number {
				t.Fatalf("%v", numbers(read))
			}
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
		g.locked = map[string]bool{}
		_, again := manual(g)
		if again.Saved.Number != number+1003 {
			t.Fatalf("%d, want %d", again.Saved.Number, number+1003)
		}
	})
}

// A record is what was written, or an error.
func FuzzRecord(f *testing.F) {
	ev := raises(1, 1)[0]
	line, _ := encodeRecord(nil, &ev)
	f.Add(line[:len(line)-1])
	f.Add([]byte(`00000000 {"n":1,"event":"raise"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		if len(line)%2 == 0 && len(line) > 9 {
			line = fmt.Appendf(nil, "%08x %s", crc32.Checksum(line[9:], castagnoli), line[9:])
		}
		number, err := decodeRecord(line, nil)
		var ev alarm.Event
		if n, err2 := decodeRecord(line, &ev); err == nil && err2 == nil && (n != number || ev.Number != n) {
			t.Fatalf("%d, %d, %d", number, n, ev.Number)
		}
		if err == nil && bytes.IndexByte(line, '\n') < 0 {
			visited := 0
			scan(append(line, '\n'), 0, func(*alarm.Event) { visited++ })
			if visited > 1 {
				t.Fatal(visited)
			}
		}
	})
}
