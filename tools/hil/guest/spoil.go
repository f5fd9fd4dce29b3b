package main

import (
	"debug/elf"
	"debug/gosym"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"

	"mien/tools/hil/wire"
)

// readNothing is what a spoiled function begins with: MOV X0, XZR; LDR X0, [X0]
// (Arm Architecture Reference Manual, C6.2). The Go runtime makes a panic of it.
var readNothing = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, 0xaa1f03e0), 0xf9400000)

// spoiled is what functions began with.
var (
	spoiledMu sync.Mutex // covers spoiled
	spoiled   = map[wire.Spoil][]byte{}
)

// spoil makes a function of a running Go program panic from its next call on, by
// a nil pointer, until restore.
func spoil(p wire.Spoil) (any, error) {
	spoiledMu.Lock()
	defer spoiledMu.Unlock()
	if spoiled[p] != nil {
		return nil, fmt.Errorf("%s is spoiled already", p.Function)
	}
	before := make([]byte, len(readNothing))
	err := inFunction(p, func(memory *os.File, entry int64) error {
		_, err := memory.ReadAt(before, entry)
		if err == nil {
			_, err = memory.WriteAt(readNothing, entry)
		}
		return err
	})
	if err == nil {
		spoiled[p] = before
	}
	return nil, err
}

// restore makes it as it was.
func restore(p wire.Spoil) (any, error) {
	spoiledMu.Lock()
	defer spoiledMu.Unlock()
	before := spoiled[p]
	if before == nil {
		return nil, fmt.Errorf("%s is not spoiled", p.Function)
	}
	delete(spoiled, p)
	return nil, inFunction(p, func(memory *os.File, entry int64) error {
		_, err := memory.WriteAt(before, entry)
		return err
	})
}

// inFunction opens a program's memory and finds a function there; the program says
// itself where its functions are, for its own stack traces.
func inFunction(p wire.Spoil, do func(memory *os.File, entry int64) error) error {
	f, err := elf.Open(fmt.Sprintf("/proc/%d/exe", p.PID))
	if err != nil {
		return err
	}
	defer f.Close()
	lines, text := f.Section(".gopclntab"), f.Section(".text")
	if lines == nil || text == nil || f.Type != elf.ET_EXEC {
		return fmt.Errorf("process %d is no Go program at fixed addresses", p.PID)
	}
	data, err := lines.Data()
	if err != nil {
		return err
	}
	table, err := gosym.NewTable(nil, gosym.NewLineTable(data, text.Addr))
	if err != nil {
		return err
	}
	fn := table.LookupFunc(p.Function)
	if fn == nil {
		return fmt.Errorf("process %d has no function %s", p.PID, p.Function)
	}
	memory, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", p.PID), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(do(memory, int64(fn.Entry)), memory.Close())
}
