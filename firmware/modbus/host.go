package modbus

import (
	"sync/atomic"
	"time"
)

// HostState says how the master's heartbeat does.
type HostState struct {
	// Watched: a timeout is set, by the config or by the master.
	Watched bool
	// Beating: watched, and the heartbeat changed within the timeout.
	Beating bool
	// Age is the time since the heartbeat changed, or since it is watched.
	Age     time.Duration
	Timeout time.Duration
}

// host supervises the host heartbeat. Its methods may be called from any
// goroutine; only Serve writes.
type host struct {
	changedAt atomic.Int64 // time.Duration on the clock of Config.Now
	timeout   atomic.Int64 // time.Duration; 0: not watched
	seen      atomic.Bool  // the heartbeat has changed since it is watched
}

func (h *host) watch(timeout, now time.Duration) {
	if h.timeout.Swap(int64(timeout)) == 0 {
		h.seen.Store(false)
		h.changedAt.Store(int64(now))
	}
}

func (h *host) beat(now time.Duration) {
	h.changedAt.Store(int64(now))
	h.seen.Store(true)
}

func (h *host) state(now time.Duration) HostState {
	s := HostState{Age: now - time.Duration(h.changedAt.Load()), Timeout: time.Duration(h.timeout.Load())}
	s.Watched = s.Timeout > 0
	s.Beating = s.Watched && h.seen.Load() && s.Age <= s.Timeout
	return s
}

// Host is the state of the host heartbeat now. Where the config makes its loss
// a fault, firmware asks here: Watched, not Beating, and Age over Timeout.
func (s *Slave) Host() HostState { return s.host.state(s.cfg.Now()) }
