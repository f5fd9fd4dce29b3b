// Command kill starts a real unit, lets a client watch and command it, kills it
// at a random moment (SIGKILL, no warning), and starts it again, many times:
// nothing that the client was told may be lost.
//
//	go run ./tools/kill [-n 1000] [-seed 1] [-mien bin/mien] [-turn 50ms]
//
// The unit plays the demo clip as fast as it can, and a dozen alarms with their
// limits in the middle of what it shows come and go many times a second, while
// the client acknowledges, resets, shelves and unshelves them. One kill in five
// comes while the unit is still starting.
//
// What is checked after each start, all through the unit's own socket:
//   - the start is not refused, and no storage fault is on;
//   - the events go on from the last that was confirmed, numbered without a gap;
//   - each event that the client had seen long enough before the kill is there,
//     unchanged. The store hands each event to the kernel at once, where a kill
//     leaves it, whatever the disk does (firmware/alarm/store). So long enough is
//     -turn: what the scheduler of a busy machine takes. Younger ones may be gone,
//     and are counted;
//   - each alarm that was listed as unacknowledged, latched or shelved that long
//     before the kill still is, but where an event says why not;
//   - the state of each alarm is the one with which the journal's story ends.
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
	"time"
)

func main() {
	n := flag.Int("n", 1000, "kills")
	seed := flag.Uint64("seed", 1, "of the moments and commands")
	mien := flag.String("mien", "bin/mien", "the binary")
	turn := flag.Duration("turn", 50*time.Millisecond, "an event seen this long before the kill must be kept")
	flag.Parse()
	wrong, err := campaign(*n, *seed, *mien, *turn)
	if err != nil {
		fmt.Fprintln(os.Stderr, "kill:", err)
		os.Exit(1)
	}
	if wrong > 0 {
		os.Exit(1)
	}
}

func campaign(n int, seed uint64, mien string, turn time.Duration) (wrong int, err error) {
	u, err := newUnit(mien)
	if err != nil {
		return 0, err
	}
	l, random, began := newLedger(), rand.New(rand.NewPCG(seed, 9)), time.Now()
	fmt.Printf("%d kills, seed %d, %s\n", n, seed, mien)
	blind, refused, commands := 0, 0, 0
	for round := 1; round <= n; round++ {
		before := len(l.wrong)
		if err := u.start(); err != nil {
			return len(l.wrong), err
		}
		if random.IntN(5) == 0 { // while it starts
			time.Sleep(time.Duration(random.Int64N(int64(150 * time.Millisecond))))
			u.kill()
			blind++
		} else if client, err := u.dial(); err != nil {
			refused++
			l.fail("start refused: %v", err)
			u.kill()
		} else {
			if err := verify(client, l); err != nil {
				l.fail("after the start: %v", err)
			}
			c, err := load(client, l, random, turn+time.Duration(random.Int64N(int64(700*time.Millisecond))))
			if err != nil {
				l.fail("under load: %v", err)
			}
			commands += c
			at := u.kill()
			l.killed(at, turn)
			client.Close()
		}
		for _, w := range l.wrong[before:] {
			fmt.Printf("round %d: %s\n", round, w)
		}
		if round%50 == 0 {
			fmt.Printf("%d kills, %d events, %.0f s\n", round, l.events, time.Since(began).Seconds())
		}
		if len(l.wrong) >= 50 {
			fmt.Println("too much is wrong to go on")
			break
		}
	}
	// The last kill is verified too.
	if err := u.start(); err != nil {
		return len(l.wrong), err
	}
	if client, err := u.dial(); err != nil {
		refused++
		l.fail("last start refused: %v", err)
	} else {
		if err := verify(client, l); err != nil {
			l.fail("after the last start: %v", err)
		}
		client.Close()
	}
	u.kill()
	fmt.Printf("%d kills (%d while starting) in %.0f s: %d commands, %d events seen\n", n, blind, time.Since(began).Seconds(), commands, l.events)
	fmt.Printf("of these %d had to outlive a kill; %d did, younger ones among them, and %d younger ones were gone; %d times an alarm had to want attention still\n",
		l.owed, l.kept, l.young, l.attention)
	fmt.Printf("%d starts refused, %d wrong in all\n", refused, len(l.wrong))
	if len(l.wrong) > 0 {
		fmt.Println("state kept in", u.dir)
		return len(l.wrong), nil
	}
	return 0, errors.Join(os.RemoveAll(u.dir), os.RemoveAll(u.shm))
}
