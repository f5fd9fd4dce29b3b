package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"slices"
	"strconv"

	"mien/firmware/alarm"
)

// The journal is one file of records, each a line: the CRC-32C of the rest in
// eight hexadecimal digits, a blank, and JSON. A record is an event, which
// begins with its number, or the states of all alarms. The file begins with
// states; rotation writes a new one beside it and renames that over it.
const (
	journalFile = "events.log"
	journalNext = "events.log.new"

	maxRecord = 1 << 20 // a line longer than this is damage; the states of 2,000 alarms fit, those that a config no longer has among them
	version   = 2
)

// states is a record of the alarms' states.
type states struct {
	Version int         `json:"states"`
	Journal string      `json:"journal"` // tells this history from another one's
	Saved   alarm.Saved `json:"saved"`
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendRecord appends v as a record.
func appendRecord(dst []byte, v any) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return dst, fmt.Errorf("encode a record: %w", err)
	}
	dst = fmt.Appendf(dst, "%08x ", crc32.Checksum(body, castagnoli))
	dst = append(dst, body...)
	return append(dst, '\n'), nil
}

// checked gives the JSON of a record without its end, if its checksum is right.
func checked(line []byte) ([]byte, error) {
	if len(line) < 10 || line[8] != ' ' || len(line) > maxRecord {
		return nil, errors.New("not a record")
	}
	sum, err := strconv.ParseUint(string(line[:8]), 16, 32)
	if err != nil || uint32(sum) != crc32.Checksum(line[9:], castagnoli) {
		return nil, errors.New("a damaged record")
	}
	return line[9:], nil
}

// decodeRecord reads a line without its end: an event, states, or neither, of
// a newer version. The number is right also for an event that this version
// cannot read.
func decodeRecord(line []byte, ev *alarm.Event) (number uint64, st *states, err error) {
	body, err := checked(line)
	if err != nil {
		return 0, nil, err
	}
	if bytes.HasPrefix(body, []byte(`{"states":`)) {
		st = new(states)
		if err := json.Unmarshal(body, st); st.Version > version {
			return 0, nil, fmt.Errorf("states of version %d: %w", st.Version, errFuture)
		} else if err != nil {
			return 0, nil, fmt.Errorf("not the states: %w", err)
		}
		return 0, st, nil
	}
	first, stands := firstNumber(body)
	if ev == nil && stands { // what follows need not be read
		return first, nil, nil
	}
	var head struct {
		Number uint64 `json:"n"`
	}
	if err := json.Unmarshal(body, &head); err != nil {
		return 0, nil, fmt.Errorf("not an event: %w", err)
	}
	if stands && first != head.Number {
		return 0, nil, errors.New("a record with two numbers")
	}
	if ev != nil {
		if err := json.Unmarshal(body, ev); err != nil {
			return head.Number, nil, fmt.Errorf("event %d: %w", head.Number, err)
		}
	}
	return head.Number, nil, nil
}

// errFuture: a record of a version that this program does not know.
var errFuture = errors.New("written by a newer version")

// firstNumber reads the event's number where it stands first, as the encoder
// puts it.
func firstNumber(body []byte) (n uint64, ok bool) {
	rest, ok := bytes.CutPrefix(body, []byte(`{"n":`))
	if i := bytes.IndexByte(rest, ','); ok && i > 0 {
		n, err := strconv.ParseUint(string(rest[:i]), 10, 64)
		return n, err == nil
	}
	return 0, false
}

// content is what files have. Records may stand in several of them, and are
// taken once.
type content struct {
	events  []alarm.Event // in the order of their numbers
	last    uint64        // the highest number, also of events that cannot be read
	states  *states       // the newest; nil: none
	damaged int           // lines
	torn    int           // bytes behind the last whole line of the file that was read last
	size    int           // of that file
	future  bool          // a newer version wrote some of it
	unread  bool          // the journal's file is there and cannot be read
}

// add reads a file. Of events only those above a number are kept.
func (c *content) add(data []byte, above uint64) {
	c.size, c.torn = len(data), 0
	for rest := data; len(rest) > 0; {
		line, next, whole := bytes.Cut(rest, []byte("\n"))
		if !whole {
			c.torn = len(rest)
			break
		}
		if rest = next; len(line) == 0 {
			continue
		}
		number, st, err := decodeRecord(line, nil)
		if err == nil && st == nil && number > above {
			var ev alarm.Event
			if _, _, err = decodeRecord(line, &ev); err == nil {
				c.events = append(c.events, ev)
			}
		}
		if st != nil && (c.states == nil || st.Saved.Number >= c.states.Saved.Number) {
			c.states = st
		}
		if err != nil {
			c.damaged++
			c.future = c.future || errors.Is(err, errFuture)
		}
		c.last = max(c.last, number)
	}
	byNumber := func(a, b alarm.Event) int {
		switch {
		case a.Number < b.Number:
			return -1
		case a.Number > b.Number:
			return 1
		}
		return 0
	}
	if !slices.IsSortedFunc(c.events, byNumber) {
		slices.SortStableFunc(c.events, byNumber)
	}
	c.events = slices.CompactFunc(c.events, func(a, b alarm.Event) bool { return a.Number == b.Number })
}

// saved is what the content amounts to: the newest states, brought up to date
// with the events that follow them.
func (c *content) saved() (s alarm.Saved, replayed int) {
	if c.states != nil {
		copySaved(&s, &c.states.Saved)
	}
	for _, ev := range c.events {
		if ev.Number > s.Number {
			s.Replay(ev)
			replayed++
		}
	}
	s.Number = max(s.Number, c.last)
	return s, replayed
}

// journal is the file that is appended to, in one folder. What is appended
// outlives the process; what is synced outlives a power loss.
type journal struct {
	folder  Folder // nil: not held
	most    int64  // bytes of the file
	limit   int64  // of this one, which had to begin with more than it should; at least most
	synced  bool   // on a disk; in memory there is nothing to sync
	file    File   // nil: the next record begins a new file
	size    int64  // of the file
	pending int64  // bytes of it that are not synced
	last    uint64 // number of the newest event in it
}

// open goes on with a file that was read, where nothing is wrong with it.
func (j *journal) open(size int64) {
	file, err := j.folder.Append(journalFile)
	if err != nil {
		return // a new file is begun
	}
	j.file, j.size, j.limit = file, size, j.most
}

// begin makes a new file of records, which takes the place of the one before
// once it is whole and durable, and has room for as many bytes as are to follow,
// however few a file should have. The next one's room is set aside at once, so that
// a full disk does not stop the journal.
func (j *journal) begin(records []byte, follow int) error {
	j.drop()
	file, err := j.folder.Create(journalNext, j.most)
	if err != nil {
		return fmt.Errorf("begin the journal: %w", err)
	}
	if _, err = file.Write(records); err == nil && j.synced {
		err = file.Sync()
	}
	if err == nil {
		err = j.folder.Rename(journalNext, journalFile)
	}
	if err != nil {
		file.Close()
		return fmt.Errorf("begin the journal: %w", err)
	}
	j.file, j.size = file, int64(len(records))
	j.limit = max(j.most, j.size+int64(follow)+j.most/4)
	if j.synced {
		if spare, err := j.folder.Create(journalNext, j.most); err == nil { // else it is tried by the next begin
			spare.Close()
		}
	}
	return nil
}

// fits says whether n more bytes may be appended: there is room for them, and
// nobody has taken the file away or changed it.
func (j *journal) fits(n int) bool {
	if j.file == nil || j.size+int64(n) > j.limit {
		return false
	}
	size, err := j.folder.Size(journalFile)
	return err == nil && size == j.size
}

// changed says that the file under its name is not the one that is written, or has
// become longer or shorter by somebody else.
func (j *journal) changed() bool {
	size, err := j.folder.Size(journalFile)
	return errors.Is(err, fs.ErrNotExist) || err == nil && size != j.size
}

// append adds records. After an error the file is not used any more: what got
// into it is read as torn, or twice.
func (j *journal) append(records []byte) error {
	if _, err := j.file.Write(records); err != nil {
		j.drop()
		return fmt.Errorf("write the journal: %w", err)
	}
	j.size += int64(len(records))
	j.pending += int64(len(records))
	return nil
}

// sync makes what was appended durable. After an error the kernel may have
// dropped what was written: the file is not used any more.
func (j *journal) sync() error {
	if err := j.file.Sync(); err != nil {
		j.drop()
		return fmt.Errorf("sync the journal: %w", err)
	}
	j.pending = 0
	return nil
}

func (j *journal) drop() {
	if j.file != nil {
		j.file.Close() // what counts was synced
	}
	j.file, j.pending = nil, 0
}

// release gives the folder back.
func (j *journal) release() {
	j.drop()
	if j.folder != nil {
		j.folder.Close()
		j.folder = nil
	}
}

// read reads the files of the journal, those of the version before among them.
func read(folder Folder, above uint64) (c content, notes []string) {
	for _, name := range []string{legacyOld, journalFile} {
		data, err := folder.Read(name)
		if errors.Is(err, fs.ErrNotExist) {
			c.size, c.torn = 0, 0
			continue
		}
		if err != nil {
			notes = append(notes, fmt.Sprintf("%s cannot be read: %v", name, err))
			c.size, c.torn, c.unread = 0, 0, true
			continue
		}
		before := c.damaged
		c.add(data, above)
		if n := c.damaged - before; n > 0 {
			notes = append(notes, fmt.Sprintf("%s has %s, left out", name, alarm.Count(n, "damaged line")))
		}
		if c.torn > 0 {
			notes = append(notes, fmt.Sprintf("%s ends in a torn line of %s, left out", name, alarm.Count(c.torn, "byte")))
		}
	}
	return c, notes
}

// Of a file's bytes rotation takes over the newest events: those of alarms get
// alarmPart of it, which nothing else can take; all together get keptPart.
const (
	alarmPart = 4.0 / 8
	keptPart  = 5.0 / 8
)

// retained gives the records of the events that rotation takes over: up to a
// number, as far as there is room.
func retained(events []alarm.Event, upto uint64, most int64) ([]byte, error) {
	records := make([][]byte, len(events))
	room := map[bool]int64{true: int64(alarmPart * float64(most)), false: 0}
	for _, alarms := range []bool{true, false} {
		if !alarms {
			room[false] = int64((keptPart-alarmPart)*float64(most)) + room[true]
		}
		for i := len(events) - 1; i >= 0 && room[alarms] > 0; i-- {
			ev := &events[i]
			if ofAlarm(ev) != alarms || ev.Number > upto {
				continue
			}
			record, err := appendRecord(nil, ev)
			if err != nil {
				return nil, err
			}
			if room[alarms] -= int64(len(record)); room[alarms] >= 0 {
				records[i] = record
			}
		}
		room[alarms] = max(room[alarms], 0)
	}
	return slices.Concat(records...), nil
}

// ofAlarm tells an alarm's own event from a note, a refused command and what
// else changes no alarm.
func ofAlarm(ev *alarm.Event) bool {
	return ev.Alarm != "" && !ev.Refused && ev.Trigger != alarm.Note
}
