package gpio

import (
	"time"
)

// debouncer lets a level count once it has stood still for a period. It works
// as the kernel's does (gpiolib-cdev.c, debounce_work_func): every raw edge
// starts the period again, and what is reported carries the time of its end.
type debouncer struct {
	period time.Duration
	stable bool // what counts
	raw    bool // what was seen last
	since  time.Duration
	moving bool // raw changed, and its period is not over
}

// feed takes one raw level with its time. If the period of the level before it
// was over by then, that change comes back first.
func (d *debouncer) feed(raw bool, at time.Duration) (Edge, bool) {
	e, ok := d.due(at)
	if raw != d.raw {
		d.raw, d.since, d.moving = raw, at, true
		if d.period <= 0 && !ok {
			return d.due(at)
		}
	}
	return e, ok
}

// due gives the change whose period is over at time now, once.
func (d *debouncer) due(now time.Duration) (Edge, bool) {
	if !d.moving || now < d.since+d.period {
		return Edge{}, false
	}
	d.moving = false
	if d.raw == d.stable {
		return Edge{}, false // a bounce that came back
	}
	d.stable = d.raw
	return Edge{Active: d.stable, At: d.since + d.period}, true
}

// next is the time at which due has something to decide.
func (d *debouncer) next() (time.Duration, bool) { return d.since + d.period, d.moving }

// edgeQueue holds debounced edges until Wait takes them. Like the kernel's
// buffer it drops the oldest when it is full, and counts them.
type edgeQueue struct {
	edges [16]Edge // the kernel's default depth for one line
	first int
	n     int
	lost  uint32
}

func (q *edgeQueue) push(e Edge) {
	if q.n == len(q.edges) {
		q.lost += 1 + q.edges[q.first].Lost
		q.first = (q.first + 1) % len(q.edges)
		q.n--
	}
	q.edges[(q.first+q.n)%len(q.edges)] = e
	q.n++
}

func (q *edgeQueue) pop() (Edge, bool) {
	if q.n == 0 {
		return Edge{}, false
	}
	e := q.edges[q.first]
	q.first = (q.first + 1) % len(q.edges)
	q.n--
	e.Lost += q.lost
	q.lost = 0
	return e, true
}
