package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"mien/firmware/operator"
)

const (
	deafFor   = 2500 * time.Millisecond // without a line from the unit: it is away
	comeAgain = 500 * time.Millisecond
	restAfter = 5 * time.Second // the last page has gone: the unit need not tell any more
	keepsLast = 64              // events, for a page that opens
	maxPages  = 64
)

// link is the gateway's end of the unit's stream: one, whatever the number of pages.
// It passes on what the unit tells byte for byte, to each page the newest.
type link struct {
	dial func() (*operator.Client, error)
	ctx  context.Context

	mu     sync.Mutex // covers what is below
	pages  map[*listener]bool
	runs   bool
	about  []byte // newest,
	state  []byte
	counts struct{ about, state int } // and how many there were
	events [keepsLast]json.RawMessage
	came   int    // events so far
	last   uint64 // number of the newest
	lost   string // why the unit is away; "": it is there
}

// listener is one open page. It is woken when there is something new, and takes the
// newest when it is ready.
type listener struct {
	wake         chan struct{}
	about, state int
	events       int
	lost         string
}

// news is what a page has not seen yet.
type news struct {
	about, state []byte
	events       []json.RawMessage
	lost         string
}

func (l *link) join() *listener {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.pages) >= maxPages {
		return nil
	}
	p := &listener{wake: make(chan struct{}, 1)}
	l.pages[p] = true
	if !l.runs {
		l.runs = true
		l.about, l.state, l.lost = nil, nil, "" // what was known once is old
		p.state = l.counts.state
		go l.run()
	}
	p.wake <- struct{}{}
	return p
}

func (l *link) leave(p *listener) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.pages, p)
}

func (l *link) take(p *listener) (n news) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.about != nil && p.about != l.counts.about {
		p.about, n.about = l.counts.about, l.about
	}
	for i := max(p.events, l.came-keepsLast); i < l.came; i++ {
		n.events = append(n.events, l.events[i%keepsLast])
	}
	p.events = l.came
	if l.state != nil && p.state != l.counts.state {
		p.state, n.state = l.counts.state, l.state
	}
	if l.lost != p.lost {
		p.lost, n.lost = l.lost, l.lost
	}
	return n
}

// tell changes what is known, and wakes the pages.
func (l *link) tell(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
	for p := range l.pages {
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
}

// run hears the unit while there are pages.
func (l *link) run() {
	for {
		err := l.hear()
		l.mu.Lock()
		if errors.Is(err, errNobody) || l.ctx.Err() != nil {
			l.runs = len(l.pages) > 0 && l.ctx.Err() == nil // one may have come just now
			if !l.runs {
				l.mu.Unlock()
				return
			}
		}
		l.mu.Unlock()
		if err != nil && !errors.Is(err, errNobody) {
			l.tell(func() { l.lost, l.state, l.about = err.Error(), nil, nil })
		}
		select {
		case <-l.ctx.Done():
		case <-time.After(comeAgain):
		}
	}
}

var errNobody = errors.New("nobody listens")

func (l *link) hear() error {
	c, err := l.dial()
	if err != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		if len(l.pages) == 0 {
			return errNobody
		}
		return err
	}
	defer c.Close()
	defer context.AfterFunc(l.ctx, func() { c.Close() })()
	next, err := c.Stream(deafFor)
	if err != nil {
		return err
	}
	var told struct {
		About  json.RawMessage
		State  json.RawMessage
		Events []json.RawMessage
	}
	empty := time.Now()
	for {
		line, err := next()
		if err != nil {
			return err
		}
		told.About, told.State, told.Events = nil, nil, nil
		if err := json.Unmarshal(line, &told); err != nil {
			return err
		}
		if told.About == nil && told.State == nil && told.Events == nil {
			return errors.New("the unit does not know what a stream is: is it of another version?")
		}
		l.tell(func() {
			switch {
			case told.About != nil:
				l.about, l.lost = told.About, ""
				l.counts.about++
			case told.State != nil:
				l.state = told.State
				l.counts.state++
			}
			l.happened(told.Events)
			if len(l.pages) > 0 {
				empty = time.Now()
			}
		})
		if time.Since(empty) > restAfter {
			return errNobody
		}
	}
}

// happened takes events that are new: a unit that is reached again tells the newest
// once more, and one whose numbers begin anew is another.
func (l *link) happened(events []json.RawMessage) {
	number := func(e json.RawMessage) uint64 {
		var is struct{ N uint64 }
		json.Unmarshal(e, &is) // one without a number is 0
		return is.N
	}
	if n := len(events); n > 0 && number(events[n-1]) < l.last {
		l.last = 0
	}
	for _, e := range events {
		if n := number(e); n > l.last || n == 0 {
			l.last = n
			l.events[l.came%keepsLast] = e
			l.came++
		}
	}
}
