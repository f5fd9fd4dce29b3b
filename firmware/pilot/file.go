package pilot

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

const (
	magic   = "mienrec"
	version = '1'

	chunkHead = 8
	stored    = 1 << 31
	// chunkMost bounds a chunk as it is stored and as it is read: two buffers of a
	// recorder, or a Beginning.
	chunkMost = 4 << 20
)

// ErrVersion: the recording was made by another version of mien.
var ErrVersion = errors.New("is a recording of another version")

// errNoBeginning: the unit or its disk ended before the recording had any frame.
var errNoBeginning = errors.New("its beginning is cut or damaged")

// ErrNoRecording: the file is none.
var ErrNoRecording = errors.New("is no recording")

var table = crc32.MakeTable(crc32.Castagnoli)

// packer makes chunks. Its memory is used again.
type packer struct {
	out bytes.Buffer
	zip *flate.Writer
}

// pack gives a chunk with this body, valid until the next.
func (p *packer) pack(body []byte) ([]byte, error) {
	p.out.Reset()
	p.out.Write(make([]byte, chunkHead))
	if p.zip == nil {
		p.zip, _ = flate.NewWriter(&p.out, flate.DefaultCompression) // the level is a right one
	} else {
		p.zip.Reset(&p.out)
	}
	if _, err := p.zip.Write(body); err != nil {
		return nil, err
	}
	if err := p.zip.Close(); err != nil {
		return nil, err
	}
	var flag uint32
	if p.out.Len() >= chunkHead+len(body) {
		p.out.Truncate(chunkHead)
		p.out.Write(body)
		flag = stored
	}
	chunk := p.out.Bytes()
	binary.LittleEndian.PutUint32(chunk, uint32(len(chunk)-chunkHead)|flag)
	binary.LittleEndian.PutUint32(chunk[4:], crc32.Update(crc32.Checksum(chunk[:4], table), table, chunk[chunkHead:]))
	return chunk, nil
}

// reader gives the chunks of one file.
type reader struct {
	file  *os.File
	path  string
	at    int64 // where the next chunk begins
	in    []byte
	body  bytes.Buffer
	unzip io.ReadCloser
}

// open opens a recording and reads its Beginning. Errors name the file and what is
// wrong with it.
func open(path string) (*reader, *Beginning, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	r := &reader{file: file, path: path, at: int64(len(magic) + 1)}
	b, err := r.begin()
	if err != nil {
		file.Close()
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, b, nil
}

func (r *reader) begin() (*Beginning, error) {
	if info, err := r.file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, ErrNoRecording)
	}
	head := make([]byte, len(magic)+1)
	if _, err := io.ReadFull(r.file, head); err != nil || string(head[:len(magic)]) != magic {
		return nil, ErrNoRecording
	}
	if v := head[len(magic)]; v != version {
		return nil, fmt.Errorf("%w: it has %q, this mien reads %q", ErrVersion, v, version)
	}
	body, err := r.next()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoBeginning, err)
	}
	b := new(Beginning)
	if err := json.Unmarshal(body, b); err != nil {
		return nil, fmt.Errorf("its beginning: %w", err)
	}
	if b.Filters == nil || b.Engine == nil || len(b.Eye.Networks) == 0 {
		return nil, fmt.Errorf("its beginning: %w", errRecord)
	}
	return b, nil
}

// errCut: the file ends within a chunk, or one is damaged.
var errCut = errors.New("the file is cut or damaged")

// next gives the body of the next chunk, valid until the one after it. io.EOF: the
// file ends here; errCut: what follows cannot be read.
func (r *reader) next() ([]byte, error) {
	var head [chunkHead]byte
	switch n, err := io.ReadFull(r.file, head[:]); {
	case n == 0 && errors.Is(err, io.EOF):
		return nil, io.EOF
	case err != nil:
		return nil, fmt.Errorf("%w at byte %d", errCut, r.at)
	}
	size := binary.LittleEndian.Uint32(head[:])
	n := int(size &^ stored)
	if n > chunkMost {
		return nil, fmt.Errorf("%w at byte %d", errCut, r.at)
	}
	if cap(r.in) < n {
		r.in = make([]byte, n)
	}
	r.in = r.in[:n]
	if _, err := io.ReadFull(r.file, r.in); err != nil ||
		crc32.Update(crc32.Checksum(head[:4], table), table, r.in) != binary.LittleEndian.Uint32(head[4:]) {
		return nil, fmt.Errorf("%w at byte %d", errCut, r.at)
	}
	body := r.in
	if size&stored == 0 {
		if r.unzip == nil {
			r.unzip = flate.NewReader(bytes.NewReader(r.in))
		} else {
			r.unzip.(flate.Resetter).Reset(bytes.NewReader(r.in), nil)
		}
		r.body.Reset()
		if n, err := io.Copy(&r.body, io.LimitReader(r.unzip, chunkMost+1)); err != nil || n > chunkMost {
			return nil, fmt.Errorf("%w at byte %d", errCut, r.at)
		}
		body = r.body.Bytes()
	}
	r.at += int64(chunkHead + n)
	return body, nil
}

// RecordBytes is the size of a recording, without its beginning.
func RecordBytes(path string) (int64, error) {
	r, _, err := open(path)
	if err != nil {
		return 0, err
	}
	defer r.close()
	info, err := r.file.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size() - r.at, nil
}

func (r *reader) close() { r.file.Close() }
