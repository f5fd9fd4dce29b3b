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

// Link is the gateway's end of the unit's stream: one, whatever the number of readers
// (pages, and what else joins). It passes on what the unit tells byte for byte, to each
// reader the newest.
type Link struct {
	dial func() (*operator.Client, error)
	ctx  context.Context

	mu     sync.Mutex // covers what is below
	pages  map[*Listener]bool
	runs   bool
	about  []byte // newest,
	state  []byte
	counts struct{ about, state int } // and how many there were
	events [keepsLast]json.RawMessage
	came   int    // events so far
	last   uint64 // number of the newest
	lost   string // why the unit is away; "": it is there
}

// NewLink gives the link that dial reaches the unit for, until ctx ends.
func NewLink(ctx context.Context, dial func() (*operator.Client, error)) *Link {
	return &Link{dial: dial, ctx: ctx, pages: map[*Listener]bool{}}
}

// Listener is one reader, such as an open page. It is woken when there is something new,
// and takes the newest when it is ready.
type Listener struct {
	Wake         chan struct{}
	of           *Link
	about, state int
	events       int
	lost         string
}

// News is what a reader has not seen yet.
type News struct {
	About, State []byte            // operator.About and operator.Now; nil: nothing new
	Events       []json.RawMessage // the new ones, oldest first, at most the newest 64
	Lost         string            // why the unit is away; About comes when it is there again
}

// Join adds a reader; nil: there are too many.
func (l *Link) Join() *Listener {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.pages) >= maxPages {
		return nil
	}
	p := &Listener{Wake: make(chan struct{}, 1), of: l}
	l.pages[p] = true
	if !l.runs {
		l.runs = true
		l.about, l.state, l.lost = nil, nil, "" // what was known once is old
		p.state = l.counts.state
		go l.run()
	}
	p.Wake <- struct{}{}
	return p
}

// Leave ends the reader.
func (p *Listener) Leave() {
	l := p.of
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.pages, p)
}

// Take gives what is new.
func (p *Listener) Take() (n News) {
	l := p.of
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.about != nil && p.about != l.counts.about {
		p.about, n.About = l.counts.about, l.about
	}
	for i := max(p.events, l.came-keepsLast); i < l.came; i++ {
		n.Events = append(n.Events, l.events[i%keepsLast])
	}
	p.events = l.came
	if l.state != nil && p.state != l.counts.state {
		p.state, n.State = l.counts.state, l.state
	}
	if l.lost != p.lost {
		p.lost, n.Lost = l.lost, l.lost
	}
	return n
}

// tell changes what is known, and wakes the pages.
func (l *Link) tell(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
	for p := range l.pages {
		select {
		case p.Wake <- struct{}{}:
		default:
		}
	}
}

// run hears the unit while there are pages.
func (l *Link) run() {
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

func (l *Link) hear() error {
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
func (l *Link) happened(events []json.RawMessage) {
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
