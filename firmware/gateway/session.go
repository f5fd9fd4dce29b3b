package gateway

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"sync"
	"time"

	"mien/firmware/operator"
)

const (
	longest      = 12 * time.Hour // a session, whatever is done in it
	maxSessions  = 200
	sessionsEach = 8 // of one user; a new one ends the oldest
)

// session is one log-in.
type session struct {
	user User
	csrf string
	from time.Time
	seen time.Time // when the person last did something
	why  error     // why it is over; it is kept until the next log-in, for each page that has it open
}

// sessions are in memory only: a restart ends them all. They are known by the SHA-256
// of what the cookie has, so that a look into this memory gives nobody a cookie. Times
// have Go's monotonic clock in them: whoever sets the clock ends none, and keeps none.
type sessions struct {
	users *Users
	idle  time.Duration
	now   func() time.Time

	mu   sync.Mutex // covers what is below
	open map[[32]byte]*session
}

func token() string {
	b := make([]byte, 32)
	rand.Read(b) // it never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b)
}

// begin opens a session, and gives what its cookie has.
func (s *sessions) begin(u User) (cookie, csrf string) {
	cookie, csrf = token(), token()
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	var oldest [32]byte
	own := 0
	for key, x := range s.open {
		if x.why != nil || s.over(x, now) {
			delete(s.open, key)
		} else if x.user.Name == u.Name {
			if own++; own == 1 || x.from.Before(s.open[oldest].from) {
				oldest = key
			}
		}
	}
	if own >= sessionsEach {
		s.open[oldest].why = errElsewhere
	}
	for key := range s.open { // any: who has that many is not at work
		if len(s.open) < maxSessions {
			break
		}
		delete(s.open, key)
	}
	s.open[sha256.Sum256([]byte(cookie))] = &session{user: u, csrf: csrf, from: now, seen: now}
	return cookie, csrf
}

func (s *sessions) over(x *session, now time.Time) bool {
	return now.Sub(x.seen) >= s.idle || now.Sub(x.from) >= longest
}

// find gives the session of a cookie as it is now: with the role that the user has
// now. An error says why there is none. touch: the person did something.
func (s *sessions) find(cookie string, touch bool) (session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key, now := sha256.Sum256([]byte(cookie)), s.now()
	x := s.open[key]
	switch {
	case x == nil:
		return session{}, errNoSession
	case x.why != nil:
		return session{}, x.why
	}
	u, there, err := s.users.Find(x.user.Name)
	switch {
	case err != nil:
		return session{}, err // the file cannot be read just now: nobody gets in, and the session stays
	case now.Sub(x.from) >= longest:
		x.why = errLong
	case s.over(x, now):
		x.why = errIdle
	case !there || !u.Made.Equal(x.user.Made): // or there is another of that name now
		x.why = errRemoved
	case u.Hash != x.user.Hash:
		x.why = errPassword
	}
	if x.why != nil {
		return session{}, x.why
	}
	x.user = u
	if touch {
		x.seen = now
	}
	return *x, nil
}

// renew keeps a session whose user has changed the own password; all others of that user
// are over.
func (s *sessions) renew(cookie string, u User) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.open[sha256.Sum256([]byte(cookie))]; x != nil && x.user.Name == u.Name {
		x.user = u
	}
}

func (s *sessions) end(cookie string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, sha256.Sum256([]byte(cookie)))
}

type sessionError string

func (e sessionError) Error() string { return string(e) }

const (
	errNoSession sessionError = "logged out" // here or at another page of the same browser, or by a new start of the gateway
	errElsewhere sessionError = "logged in elsewhere"
	errLong      sessionError = "long"
	errIdle      sessionError = "idle"
	errRemoved   sessionError = "user removed"
	errPassword  sessionError = "password changed"
)

// may lists what a session's role may.
func (x *session) may() []string { return operator.Role(x.user.Role).Rights() }

// doors keep those out who guess: by name and address, by name, by address. Each
// wrong password beyond what is free doubles the time until the next may be tried.
type doors struct {
	now func() time.Time

	mu    sync.Mutex // covers what is below
	wrong map[string]*wrong
}

type wrong struct {
	times int
	last  time.Time
	until time.Time
}

const (
	freeTries  = 5  // of one address for one name
	freeOthers = 30 // of all addresses for one name, of one address for all names
	firstLock  = 30 * time.Second
	longLock   = 15 * time.Minute
	wrongFor   = time.Hour
	maxWrong   = 4096
)

func keys(name, address string) []string {
	return []string{"both " + name + "\x00" + address, "name " + name, "from " + address}
}

// closed tells for how long nobody may try.
func (d *doors) closed(name, address string) (left time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, k := range keys(name, address) {
		if w := d.wrong[k]; w != nil {
			left = max(left, w.until.Sub(d.now()))
		}
	}
	return left
}

// guessed counts a try as wrong, before it is looked at: many at once are many. It
// tells whether the door is closed from now on.
func (d *doors) guessed(name, address string) (locked bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	if len(d.wrong) > maxWrong {
		for k, w := range d.wrong {
			if now.Sub(w.last) > time.Minute && now.After(w.until) || len(d.wrong) > 2*maxWrong {
				delete(d.wrong, k)
			}
		}
	}
	for i, k := range keys(name, address) {
		w := d.wrong[k]
		if w == nil || now.Sub(w.last) > wrongFor {
			w = new(wrong)
			d.wrong[k] = w
		}
		w.times++
		w.last = now
		free := freeOthers
		if i == 0 {
			free = freeTries
		}
		if over := w.times - free; over >= 0 {
			w.until = now.Add(min(firstLock<<min(over, 10), longLock))
			locked = true
		}
	}
	return locked
}

// opened takes back the try that was right, and counts those of the same person
// before it no more.
func (d *doors) opened(name, address string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, k := range keys(name, address) {
		w := d.wrong[k]
		if w == nil {
			continue
		}
		if w.times--; i == 0 || w.times <= 0 {
			delete(d.wrong, k)
		} else if w.times < freeOthers {
			w.until = time.Time{}
		}
	}
}

// buckets bound how often one address asks.
type buckets struct {
	now  func() time.Time
	rate float64 // a second; 0: no bound
	most float64 // at once

	mu   sync.Mutex // covers what is below
	left map[string]*bucket
}

type bucket struct {
	left float64
	at   time.Time
}

func (b *buckets) take(address string) bool {
	if b.rate == 0 {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	x := b.left[address]
	if x == nil {
		if len(b.left) > maxWrong {
			clear(b.left)
		}
		x = &bucket{b.most, now}
		b.left[address] = x
	}
	x.left = min(b.most, x.left+now.Sub(x.at).Seconds()*b.rate)
	x.at = now
	if x.left < 1 {
		return false
	}
	x.left--
	return true
}

func seconds(d time.Duration) string { return fmt.Sprint(int(d.Seconds()) + 1) }
