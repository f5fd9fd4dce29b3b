package main

import "strings"

// baseConfig is the unit's config on the machine. An Invoke takes about half a
// second there: nothing that depends on speed is asked for. The delays stand far
// above what the emulation adds.
const baseConfig = `[unit]
name = "hil"

[camera]
device = "/dev/video0"
format = "GREY"
width = 640
height = 480

[face]
detect_every = 1000

[model]
backend = "litert"

[filter]
kind = "none"

[health]
stale = "20s"
frozen = "25s"
min_rate = 0
retry_most = "1s"

[[alarm]]
name = "brow lowered"
signal = "au4"
high = 0.7
deadband = 0.2
on_delay = "3s"
off_delay = "3s"
priority = "high"
latch = true
unknown_hold = "1m"

[[alarm]]
name = "eyes closed"
signal = "eyes_closed"
high = 0.6
on_delay = "2s"
off_delay = "1s"
unknown_hold = "3s"

[[output]]
name = "healthy"
chip = "9030000.pl061"
line = 0
function = "healthy"

[[output]]
name = "lamp"
chip = "9030000.pl061"
line = 1
function = "lamp"

[[output]]
name = "eyes closed"
chip = "9030000.pl061"
line = 2
function = "alarm:eyes closed"
fail = "on"
start = "on"

[[output]]
name = "fault"
chip = "9030000.pl061"
line = 4
function = "fault"
fail = "on"

[[output]]
name = "horn"
chip = "9030000.pl061"
line = 7
function = "horn"

[[input]]
name = "ack button"
chip = "9030000.pl061"
line = 5
function = "acknowledge"
active = "high"
pull = "as-is"
debounce = "300ms"
stuck_after = "20s"

[[input]]
name = "reset key"
chip = "9030000.pl061"
line = 6
function = "reset"
active = "high"
pull = "as-is"
debounce = "300ms"

[serial]
device = "/dev/ttyS0"
protocol = "modbus"
baud = 115200

[state]
dir = "/var/lib/mien"

[socket]
path = "/run/mien/mien.sock"
`

// with gives the config with one text in place of another, which must be there.
func configWith(old, text string) string {
	if !strings.Contains(baseConfig, old) {
		panic("config has no " + old)
	}
	return strings.Replace(baseConfig, old, text, 1)
}
