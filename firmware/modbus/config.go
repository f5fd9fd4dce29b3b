package modbus

import (
	"errors"
	"fmt"
	"time"
)

// Identity is what function 43/14 (read device identification) tells, objects
// 0 to 6, ASCII, together at most 200 bytes.
type Identity struct {
	Vendor, Product, Revision              string // basic: objects 0 to 2
	VendorURL, ProductName, Model, Station string // regular: objects 3 to 6
}

// Config of a slave. The zero value of each field but Address is a default.
type Config struct {
	Address byte // unit identifier, 1 to 247
	// CharacterTime is how long one character is on the wire; 0 is that of
	// 19200 8E1. It gives the silent interval of 3.5 characters, which is
	// 1.75 ms from 19200 baud up.
	CharacterTime time.Duration
	// Delay is the least time from the end of a request to the answer, for
	// masters that are slow to turn an RS-485 line around. 0 answers at once, which is
	// for lines without a wire: frames are to be Silence apart.
	Delay time.Duration
	// LowWordFirst puts the low word of 32-bit values at the lower address.
	LowWordFirst bool

	// HostTimeout is how long the host heartbeat may stand still before
	// StatusHostOK goes; 0 watches nothing until a master sets a timeout.
	HostTimeout time.Duration
	// HostRequired says that the config makes a stopped host heartbeat a
	// fault: the timeout then cannot be set to 0.
	HostRequired bool

	// ShelveMax bounds the shelve time a master may ask for; 0 is the longest that
	// an alarm of the snapshot allows, 8 h where none allows any.
	ShelveMax time.Duration
	// ShelveDefault is what the shelve-minutes register holds at start; 0 is
	// 30 min or what ShelveMax says, whichever is less.
	ShelveDefault time.Duration

	// Trace, if there is one, is given each whole frame that came or went. It is called
	// by Serve: it does not wait, and keeps nothing of the frame.
	Trace func(out bool, frame []byte)

	Identity Identity
	Who      string // how commands are journaled; "" is "modbus"
	// Now is the monotonic clock of the Snapshot; nil is the time since New.
	Now func() time.Duration
}

// silence is the interval that separates frames: 3.5 characters, and never
// less than 1.75 ms (V1.02, 2.5.1.1).
func (c *Config) silence() time.Duration { return Silence(c.CharacterTime) }

// Silence is the least time between two frames, by the time of one character.
func Silence(character time.Duration) time.Duration {
	return max(character*7/2, 1750*time.Microsecond)
}

func (c *Config) complete() error {
	if c.Address < 1 || c.Address > 247 {
		return fmt.Errorf("modbus: slave address %d is outside 1 to 247", c.Address)
	}
	if c.CharacterTime < 0 || c.Delay < 0 || c.HostTimeout < 0 || c.ShelveMax < 0 || c.ShelveDefault < 0 {
		return errors.New("modbus: a time is negative")
	}
	if c.CharacterTime == 0 {
		c.CharacterTime = 11 * time.Second / 19200
	}
	if c.HostRequired && c.HostTimeout == 0 {
		return errors.New("modbus: a host heartbeat is required but has no timeout")
	}
	if c.HostTimeout > 65535*time.Millisecond {
		return fmt.Errorf("modbus: host timeout %v is over 65.535 s", c.HostTimeout)
	}
	most := c.ShelveMax
	if most == 0 {
		most = 65535 * time.Minute // a snapshot tells less
	}
	if most < time.Minute || most > 65535*time.Minute {
		return fmt.Errorf("modbus: longest shelve time %v is outside 1 min to 65535 min", c.ShelveMax)
	}
	if c.ShelveDefault == 0 {
		c.ShelveDefault = min(30*time.Minute, most)
	}
	if c.ShelveDefault < time.Minute || c.ShelveDefault > most {
		return fmt.Errorf("modbus: shelve time %v is outside 1 min to %v", c.ShelveDefault, most)
	}
	if c.Who == "" {
		c.Who = "modbus"
	}
	if c.Now == nil {
		start := time.Now()
		c.Now = func() time.Duration { return time.Since(start) }
	}
	return nil
}
