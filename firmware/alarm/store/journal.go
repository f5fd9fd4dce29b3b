package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"path/filepath"
	"strconv"

	"mien/firmware/alarm"
)

// Files of the journal: the one being written and the one before it.
const (
	journalFile = "events.log"
	journalOld  = "events.log.old"

	maxRecord = 8 << 10 // a line longer than this is damage
)

// encodeRecord appends one event as a line: the CRC-32C of the rest in eight
// hexadecimal digits, a blank, and the event as JSON.
func encodeRecord(dst []byte, ev *alarm.Event) ([]byte, error) {
	body, err := json.Marshal(ev)
	if err != nil {
		return dst, fmt.Errorf("encode event %d: %w", ev.Number, err)
	}
	dst = fmt.Appendf(dst, "%08x ", crc32.Checksum(body, castagnoli))
	dst = append(dst, body...)
	return append(dst, '\n'), nil
}

// decodeRecord reads a line without its end. number is right also for an event
// that a newer version wrote and this one cannot read.
func decodeRecord(line []byte, ev *alarm.Event) (number uint64, err error) {
	if len(line) < 10 || line[8] != ' ' || len(line) > maxRecord {
		return 0, errors.New("not a record")
	}
	sum, err := strconv.ParseUint(string(line[:8]), 16, 32)
	body := line[9:]
	if err != nil || uint32(sum) != crc32.Checksum(body, castagnoli) {
		return 0, errors.New("damaged record")
	}
	var head struct {
		Number uint64 `json:"n"`
	}
	first, stands := firstNumber(body)
	if ev == nil && stands { // what follows need not be read
		return first, nil
	}
	if err := json.Unmarshal(body, &head); err != nil {
		return 0, fmt.Errorf("not an event: %w", err)
	}
	if stands && first != head.Number {
		return 0, errors.New("a record with two numbers")
	}
	if ev != nil {
		if err := json.Unmarshal(body, ev); err != nil {
			return head.Number, fmt.Errorf("event %d: %w", head.Number, err)
		}
	}
	return head.Number, nil
}

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

// contents is what a journal file holds.
type contents struct {
	whole   int64  // bytes up to the end of the last whole line
	torn    bool   // there is more behind it
	damaged int    // lines in the middle that cannot be read
	last    uint64 // greatest number
}

// scan goes through a journal file and gives each event with a number above
// after to visit, in the order of their numbers: a record that was written
// twice, because the disk was not sure of the first time, is given once.
func scan(data []byte, after uint64, visit func(*alarm.Event)) contents {
	var c contents
	for rest := data; len(rest) > 0; {
		line, next, whole := bytes.Cut(rest, []byte("\n"))
		if !whole {
			c.torn = true
			break
		}
		rest = next
		c.whole = int64(len(data) - len(rest))
		if len(line) == 0 {
			continue // left by a writer that closed a torn line
		}
		number, err := decodeRecord(line, nil)
		if err == nil && number > max(after, c.last) {
			var ev alarm.Event
			if number, err = decodeRecord(line, &ev); err == nil {
				visit(&ev)
			}
		}
		if err != nil {
			c.damaged++
		}
		c.last = max(c.last, number)
	}
	return c
}

// journal appends to the newer of two files. What is appended outlives the
// process; what is synced outlives a power loss.
type journal struct {
	fs    FS
	dir   string
	most  int64 // bytes of one file
	file  File
	size  int64 // of the file, up to the last record that is synced
	laid  int64 // bytes of whole records behind size, appended and not synced
	fresh bool  // the file's name may not be durable yet
	torn  bool  // something that could not be taken away stands behind size
	buf   []byte
}

// load reads both files from old to new.
func (j *journal) load(after uint64, visit func(*alarm.Event)) (last uint64, notes []string) {
	for _, name := range []string{journalOld, journalFile} {
		data, err := j.fs.ReadFile(filepath.Join(j.dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			notes = append(notes, fmt.Sprintf("%s cannot be read: %v", name, err))
			continue
		}
		c := scan(data, max(after, last), visit)
		if c.damaged > 0 {
			notes = append(notes, fmt.Sprintf("%s has %d damaged lines, left out", name, c.damaged))
		}
		if c.torn {
			notes = append(notes, fmt.Sprintf("%s ends in a torn line of %d bytes, left out", name, int64(len(data))-c.whole))
		}
		last = max(last, c.last)
	}
	return last, notes
}

// ready opens the file to append to, where it is not open or somebody has taken
// it away or emptied it. again: what was appended and not synced is to be
// appended again.
func (j *journal) ready() (again bool, err error) {
	path := filepath.Join(j.dir, journalFile)
	if j.file != nil {
		if n, err := j.fs.Size(path); err == nil && n == j.size+j.laid {
			return false, nil
		}
		j.close()
	}
	again = j.laid > 0
	j.laid = 0
	return again, j.open(path)
}

// open makes the file ready to append to. A torn line at its end is taken away.
func (j *journal) open(path string) error {
	data, err := j.fs.ReadFile(path)
	missing := errors.Is(err, fs.ErrNotExist)
	j.fresh = j.fresh || missing
	if err != nil && !missing {
		return fmt.Errorf("open journal: %w", err)
	}
	c := scan(data, 1<<64-1, nil)
	j.size, j.torn = c.whole, false
	if c.torn {
		if err := j.fs.Truncate(path, c.whole); err != nil {
			j.size, j.torn = int64(len(data)), true
		}
	}
	if j.file, err = j.fs.Append(path); err != nil {
		j.file = nil
		return fmt.Errorf("open journal: %w", err)
	}
	return nil
}

// encode makes the records of events ready for append.
func (j *journal) encode(events []alarm.Event) error {
	j.buf = append(j.buf[:0], '\n') // for a torn line in front
	for i := range events {
		var err error
		if j.buf, err = encodeRecord(j.buf, &events[i]); err != nil {
			return err
		}
	}
	return nil
}

// append writes what encode made ready, all or, with an error, nothing: what got
// into the file is taken out again. The file must be ready.
func (j *journal) append() error {
	records := j.buf[1:]
	if j.torn && j.laid == 0 { // afterwards torn stands until the sync, as size does
		records = j.buf
	}
	if _, err := j.file.Write(records); err != nil {
		if e := j.fs.Truncate(filepath.Join(j.dir, journalFile), j.size+j.laid); e != nil {
			err = errors.Join(err, e)
			j.close() // it is opened anew, and the torn line found
		}
		return fmt.Errorf("write journal: %w", err)
	}
	j.laid += int64(len(records))
	return nil
}

// sync makes what was appended durable and gives its length. With an error all
// that is not synced is taken out of the file, to be appended again. patiently
// runs what waits for the disk; the journal may be appended to meanwhile.
func (j *journal) sync(patiently func(func() error) error) (int64, error) {
	n, file, fresh := j.laid, j.file, j.fresh
	err := patiently(func() error {
		err := file.Sync()
		if err == nil && fresh {
			err = j.fs.SyncDir(j.dir)
		}
		return err
	})
	if err == nil && j.file != file {
		err = errors.New("the file was closed meanwhile")
	}
	if err != nil {
		// After a failed fsync the kernel may have dropped the pages: the file
		// is opened anew and the records are written again.
		j.close()
		if e := j.fs.Truncate(filepath.Join(j.dir, journalFile), j.size); e != nil {
			err = errors.Join(err, e) // they then stand there twice, and are read once
		}
		j.laid = 0
		return 0, fmt.Errorf("write journal: %w", err)
	}
	j.size, j.laid = j.size+n, j.laid-n
	j.fresh, j.torn = false, false
	return n, nil
}

// full says that what encode made ready does not fit into the file.
func (j *journal) full() bool {
	return j.size+j.laid > 0 && j.size+j.laid+int64(len(j.buf)) > j.most
}

// nearlyFull says that it is time to rotate, while there is still room for
// events that come meanwhile.
func (j *journal) nearlyFull() bool { return j.size+j.laid > j.most-j.most/8 }

// rotate makes the file, which is synced, the old one; the next append begins a
// new one.
func (j *journal) rotate() error {
	j.close()
	if err := j.fs.Rename(filepath.Join(j.dir, journalFile), filepath.Join(j.dir, journalOld)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("rotate journal: %w", err)
	}
	j.size = 0
	return nil
}

func (j *journal) close() {
	if j.file != nil {
		j.file.Close() // what counts was synced
		j.file = nil
	}
}
