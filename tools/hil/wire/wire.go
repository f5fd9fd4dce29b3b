// Package wire is what tools/hil and the agent inside the emulated machine say
// to each other over a virtio-serial port: messages with a header in JSON and,
// behind it, bytes as they are.
package wire

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// Port is the name of the virtio-serial port.
const Port = "mien.hil"

// Kinds of message. The host asks with Run, Signal, Stdin, Put, Get or Call; the agent
// answers under the same ID with Out and Err as long as a process writes, and
// with one Done. Hello comes by itself, once a start of the machine.
const (
	Hello  = "hello"
	Run    = "run"
	Signal = "signal"
	Stdin  = "stdin"
	Put    = "put"
	Get    = "get"
	Call   = "call"
	Out    = "out"
	Err    = "err"
	Done   = "done"
)

// Message is one message. Which fields count depends on its Kind.
type Message struct {
	ID      uint32          `json:"id"`
	Kind    string          `json:"kind"`
	Text    string          `json:"text,omitempty"` // Hello: the kernel; Call: the function's name; Put, Get: the path
	Args    []string        `json:"args,omitempty"` // Run: program and arguments
	Env     []string        `json:"env,omitempty"`  // Run: beside PATH and HOME
	Rows    int             `json:"rows,omitempty"` // Run: on a terminal of this size; 0: none
	Cols    int             `json:"cols,omitempty"`
	Input   bool            `json:"input,omitempty"` // Run: its standard input comes by Stdin
	Confine *Confinement    `json:"confine,omitempty"`
	Target  uint32          `json:"target,omitempty"` // Signal, Stdin: the ID of the Run
	Number  int             `json:"number,omitempty"` // Signal: which; Put: the mode; Done: exit status, -1 by a signal
	Error   string          `json:"error,omitempty"`  // Done: why not
	Data    json.RawMessage `json:"data,omitempty"`   // Call: its parameters; Done: its result
	Blob    []byte          `json:"-"`                // Put, Get, Stdin, Out, Err: the bytes
}

// Confinement is what a service manager does to a process before it starts: a
// user without capabilities, a network of its own with nobody in it, a file system
// to read, few system calls.
type Confinement struct {
	UID, GID  int
	Groups    []int
	Writable  []string // folders
	MemoryMax int64    // bytes
}

// ControlGroup is the folder of the control group of what is confined.
const ControlGroup = "/sys/fs/cgroup/mien"

// Show is the parameter of the call "show": pictures to play in a loop, by the
// paths they were put at.
type Show struct {
	Pictures []string
	Every    time.Duration
}

// USBShow is the parameter of the calls "plug" and "usbshow": the JPEGs that the
// USB camera sends in a loop, by the paths they were put at; none: it sends
// nothing.
type USBShow struct {
	Pictures []string
	Every    time.Duration
	CutEvery int // each n-th picture is cut off; 0: none
}

// Node is the parameter of the calls "format", what a video node carries, and
// "timings" (size only), what its cable does.
type Node struct {
	Device        string
	Output        bool
	Format        uint32
	Width, Height int
	Stride        int
}

// Control is the parameter of the calls "control", "chown" and "chmod" (Name is the
// path there).
type Control struct {
	Device string
	Name   string
	Value  int32
}

// Hold is the parameter of the call "hold".
type Hold struct {
	PID     int
	Library string // part of its path
	Crash   bool   // not to stand still, but to fail
}

// Spoil is the parameter of the calls "spoil" and "restore".
type Spoil struct {
	PID      int
	Function string // of a Go program, with its package's path
}

// Capture is the parameter of the call "capture".
type Capture struct {
	Device, Format        string
	Width, Height, Stride int
	Frames                int
	// Want ends the capture early once a frame has this SHA-256.
	Want string
}

// Captured is its result.
type Captured struct {
	Device, Format        string
	Width, Height, Stride int
	Stamped               bool
	Frames                []Picture
}

// Picture is one frame as it came.
type Picture struct {
	Sequence uint32
	Time     time.Duration
	Age      time.Duration // when it was handed out
	Lost     uint32
	Size     int
	Sum      string // SHA-256
}

// Most that a header and a blob may be.
const (
	mostHeader = 1 << 20
	mostBlob   = 256 << 20
)

// Write writes one message.
func Write(w io.Writer, m *Message) error {
	header, err := json.Marshal(m)
	if err != nil {
		return err
	}
	b := make([]byte, 8, 8+len(header)+len(m.Blob))
	binary.LittleEndian.PutUint32(b, uint32(len(header)))
	binary.LittleEndian.PutUint32(b[4:], uint32(len(m.Blob)))
	b = append(append(b, header...), m.Blob...)
	_, err = w.Write(b)
	return err
}

// Read reads one message.
func Read(r io.Reader) (*Message, error) {
	var sizes [8]byte
	if _, err := io.ReadFull(r, sizes[:]); err != nil {
		return nil, err
	}
	h, n := binary.LittleEndian.Uint32(sizes[:]), binary.LittleEndian.Uint32(sizes[4:])
	if h > mostHeader || n > mostBlob {
		return nil, fmt.Errorf("message of %d and %d bytes: out of step", h, n)
	}
	b := make([]byte, h+n)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, err
	}
	m := &Message{Blob: b[h:]}
	return m, json.Unmarshal(b[:h], m)
}
