// Command kill starts a real unit, lets clients watch and command it, kills it
// (SIGKILL, no warning) just after it told them something, and starts it again,
// many times: nothing that they were told may be lost.
//
//	go run ./tools/kill [-n 2000] [-seed 1] [-mien bin/mien] [-busy]
//
// The unit plays the demo clip as fast as it can, and a dozen alarms with their
// limits in the middle of what it shows come and go many times a second. A person
// at the socket and a PLC, which speaks Modbus in one life of the unit and ASCII in
// the next, are told states and events and acknowledge, shelve and unshelve; the person
// starts, stops and erases recordings too. The
// kill comes within a millisecond after one of them was told something; one in five
// comes while the unit is still starting. -busy lets another program write and sync
// on the same disk all the time.
//
// What is checked after each start, all through the unit's own socket:
//   - the start is not refused, and no storage fault is on;
//   - the events go on from the last that was confirmed, numbered without a gap;
//   - each event that was told is there, unchanged;
//   - of each command that was answered as done, over whatever, the event is there;
//   - of each state in which an alarm was told, over whatever, the event is there;
//   - the state of each alarm is the one with which the journal's story ends;
//   - a recording that was told as started, stopped or erased is so, on the disk or not
//     yet, and a start that goes on with one has told that.
//
// A kill leaves what the kernel has taken, synced or not; power loss, which does
// not, is injected in the tests of firmware/alarm/store.
package main

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"mien/firmware/alarm"
)

func main() {
	n := flag.Int("n", 2000, "kills")
	seed := flag.Uint64("seed", 1, "of the moments and commands")
	mien := flag.String("mien", "bin/mien", "the binary")
	busy := flag.Bool("busy", false, "another program writes and syncs on the same disk")
	flag.Parse()
	wrong, err := campaign(*n, *seed, *mien, *busy)
	if err != nil {
		fmt.Fprintln(os.Stderr, "kill:", err)
		os.Exit(1)
	}
	if wrong > 0 {
		os.Exit(1)
	}
}

func campaign(n int, seed uint64, mien string, busy bool) (wrong int, err error) {
	u, err := newUnit(mien)
	if err != nil {
		return 0, err
	}
	if busy {
		go disturb(filepath.Join(u.dir, "filler"))
	}
	l, random, began := newLedger(), rand.New(rand.NewPCG(seed, 9)), time.Now()
	t := &times{of: map[string][]time.Duration{}}
	fmt.Printf("%d kills, seed %d, %s\n", n, seed, mien)
	blind := 0
	for round := 1; round <= n+1; round++ { // the last kill is verified too
		before := len(l.wrong)
		protocol := protocols[round%len(protocols)]
		if err := u.start(protocol); err != nil {
			return len(l.wrong), err
		}
		if round <= n && random.IntN(5) == 0 { // while it starts
			time.Sleep(time.Duration(random.Int64N(int64(150 * time.Millisecond))))
			blind++
		} else if err := life(u, protocol, l, random, t); err != nil {
			l.fail("%v", err)
		}
		u.kill()
		for _, w := range l.wrong[before:] {
			fmt.Printf("round %d: %s\n", round, w)
		}
		if round%50 == 0 {
			fmt.Printf("%d kills, %d events, %d commands, %.0f s\n", round, l.events, l.commands, time.Since(began).Seconds())
		}
		if len(l.wrong) >= 50 {
			fmt.Println("too much is wrong to go on")
			break
		}
	}
	fmt.Printf("%d kills (%d while starting) in %.0f s: of what was told %d events, %d commands, %d states of alarms and %d changes of recordings had to outlive a kill\n",
		n, blind, time.Since(began).Seconds(), l.events, l.commands, l.told, l.recordings)
	for _, via := range []string{"socket", "modbus", "ascii", "recordings"} {
		list := t.of[via]
		fmt.Printf("%s: %d commands, answered within %v (half), %v (99 %%), %v (all)\n", via, len(list),
			percentile(list, 0.5).Round(10*time.Microsecond), percentile(list, 0.99).Round(10*time.Microsecond), percentile(list, 1).Round(10*time.Microsecond))
	}
	fmt.Printf("%d answered as not yet on the disk, %d refused; %d wrong in all\n", t.pending, t.refused, len(l.wrong))
	if len(l.wrong) > 0 {
		fmt.Println("state kept in", u.dir)
		return len(l.wrong), nil
	}
	return 0, errors.Join(os.RemoveAll(u.dir), os.RemoveAll(u.shm))
}

// life is a unit's from its start until just before its kill.
func life(u *unit, protocol string, l *ledger, random *rand.Rand, t *times) error {
	socket, err := u.dial()
	if err != nil {
		return fmt.Errorf("start refused: %w", err)
	}
	defer socket.Close()
	if err := verify(socket, l); err != nil {
		return fmt.Errorf("after the start: %w", err)
	}
	goesOn := l.recorded.on
	c := &client{socket: socket, folder: u.recordings(), plc: modbusMaster{u.pty}, ledger: l, random: random, times: t, heard: l.confirmed}
	if protocol == "ascii" {
		c.plc = &asciiMaster{pty: u.pty, is: map[int]alarm.State{}}
	}
	for began := time.Now(); !c.plc.ready(); {
		if time.Since(began) > 30*time.Second {
			return fmt.Errorf("no answer over %s", protocol)
		}
	}
	for began := time.Now(); goesOn && !l.goesOn(); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > 10*time.Second {
			l.fail("it goes on with a recording, and the journal has nothing of it")
			break
		}
		if _, err := c.look(); err != nil {
			return fmt.Errorf("after the start: %w", err)
		}
	}
	if err := c.load(time.Duration(random.Int64N(int64(400 * time.Millisecond)))); err != nil {
		return fmt.Errorf("under load: %w", err)
	}
	time.Sleep(time.Duration(random.Int64N(int64(time.Millisecond))))
	return nil
}

// disturb writes and syncs for ever.
func disturb(path string) {
	data := make([]byte, 4<<20)
	for {
		f, err := os.Create(path)
		if err != nil {
			return // the folder is gone: the campaign has ended
		}
		for range 8 {
			f.Write(data)
			f.Sync()
		}
		f.Close()
	}
}
