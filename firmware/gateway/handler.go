package gateway

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"path"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/operator"
)

const noteTrigger = alarm.Note

const (
	maxBody   = 1 << 20
	maxLogin  = 4 << 10
	aliveEach = 10 * time.Second // a comment on a stream that has nothing to tell
	lookEach  = time.Second      // whether a stream's session is still good
	writeIn   = 5 * time.Second
	mostTold  = 20_000 // events at once
)

// policy is what a browser may do with what it gets here: nothing from and to another
// host, no script and no style but files of this one, no frame.
var policy = map[string]string{
	"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; " +
		"require-trusted-types-for 'script'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
	"X-Content-Type-Options":       "nosniff",
	"X-Frame-Options":              "DENY",
	"Referrer-Policy":              "no-referrer",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Cross-Origin-Embedder-Policy": "require-corp",
	"Permissions-Policy":           "camera=(), microphone=(), geolocation=(), usb=(), serial=()",
	"Cache-Control":                "no-store",
}

// Handler answers a browser.
func (g *Gateway) Handler() http.Handler {
	routes := http.NewServeMux()
	routes.HandleFunc("/", g.static)
	routes.HandleFunc("POST /api/login", g.login)
	routes.HandleFunc("GET /api/me", g.signed(g.me))
	routes.HandleFunc("POST /api/logout", g.signed(g.logout))
	routes.HandleFunc("POST /api/password", g.signed(g.password))
	routes.HandleFunc("POST /api/ask", g.signed(g.ask))
	routes.HandleFunc("GET /api/stream", g.signed(g.stream))
	routes.HandleFunc("GET /api/events", g.signed(g.events))
	routes.HandleFunc("GET /api/events.csv", g.signed(g.eventsCSV))
	routes.HandleFunc("GET /api/report", g.signed(g.report))
	routes.HandleFunc("GET /api/about", g.signed(g.about))
	routes.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) { refuse(w, http.StatusNotFound, "there is no such route") })
	origin := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range policy {
			w.Header().Set(name, value)
		}
		if g.Certificate() != nil {
			w.Header().Set("Strict-Transport-Security", "max-age=31536000")
		}
		switch err := origin.Check(r); {
		case !g.rate.take(hostOf(r.RemoteAddr)):
			w.Header().Set("Retry-After", "1")
			refuse(w, http.StatusTooManyRequests, "too many requests")
		case !g.known(r):
			refuse(w, http.StatusMisdirectedRequest, "this page is not served under that name: page.names in the config has those that are")
		case err != nil:
			refuse(w, http.StatusForbidden, "another site asks: "+err.Error())
		default:
			routes.ServeHTTP(&timed{w, http.NewResponseController(w)}, r)
		}
	})
}

// timed is an answer that a browser must go on reading: one that stops would keep its
// place, and what it has not read, for as long as it likes. A slow one has writeIn for
// each part, however long the whole takes; the unit's own time to answer is not counted.
type timed struct {
	http.ResponseWriter
	to *http.ResponseController
}

// Unwrap lets a ResponseController reach what is below.
func (h *timed) Unwrap() http.ResponseWriter { return h.ResponseWriter }

func (h *timed) Write(data []byte) (n int, err error) {
	for n < len(data) && err == nil {
		h.to.SetWriteDeadline(time.Now().Add(writeIn)) // by the machine's own clock, whatever a test's says
		var wrote int
		wrote, err = h.ResponseWriter.Write(data[n:min(n+sendBuffer, len(data))])
		n += wrote
	}
	return n, err
}

// known tells whether the page was asked for under a name of its own: a name that
// somebody else gave its address is refused, or that site could read it (DNS
// rebinding). An address is no name.
func (g *Gateway) known(r *http.Request) bool {
	host := hostOf(r.Host)
	_, err := netip.ParseAddr(host)
	return err == nil || g.hosts[host]
}

// refuse answers with an error.
func refuse(w http.ResponseWriter, status int, text string) {
	answer(w, status, map[string]string{"error": text})
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) // a browser that has gone hears nothing
}

// file is one of the page's, packed once.
type file struct {
	kind, tag     string
	plain, packed []byte
}

// kinds are what the page may be made of; not the machine's own table, which differs.
var kinds = map[string]string{".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".json": "application/json",
	".svg": "image/svg+xml", ".png": "image/png", ".woff2": "font/woff2", ".webmanifest": "application/manifest+json", ".txt": "text/plain; charset=utf-8"}

// pack reads the page's files.
func pack(files map[string][]byte) (map[string]*file, error) {
	all := map[string]*file{}
	for name, data := range files {
		kind := kinds[path.Ext(name)]
		if kind == "" {
			return nil, fmt.Errorf("%s: a file of this kind is not served", name)
		}
		var packed bytes.Buffer
		z, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression) // the level is a good one
		z.Write(data)
		z.Close()
		sum := sha256.Sum256(data)
		all["/"+name] = &file{kind, `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`, data, packed.Bytes()}
	}
	if all["/index.html"] == nil {
		return nil, errors.New("there is no index.html")
	}
	all["/"] = all["/index.html"]
	return all, nil
}

// static serves a file of the page. It has no secret: it needs no log-in.
func (g *Gateway) static(w http.ResponseWriter, r *http.Request) {
	f := g.files[r.URL.Path]
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		refuse(w, http.StatusMethodNotAllowed, "a page is only read")
		return
	}
	if f == nil {
		refuse(w, http.StatusNotFound, "there is no such page")
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", f.tag)
	h.Set("Content-Type", f.kind)
	h.Set("Vary", "Accept-Encoding")
	if r.Header.Get("If-None-Match") == f.tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	data := f.plain
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		data = f.packed
	}
	h.Set("Content-Length", strconv.Itoa(len(data)))
	w.Write(data)
}

// read decodes a body of JSON.
func read(w http.ResponseWriter, r *http.Request, most int64, into any) bool {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		refuse(w, http.StatusUnsupportedMediaType, "the body must be application/json")
		return false
	}
	if packed := r.Header.Get("Content-Encoding"); packed != "" && packed != "identity" {
		w.Header().Set("Accept-Encoding", "identity")
		refuse(w, http.StatusUnsupportedMediaType, "the body must not be packed")
		return false
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	var big *http.MaxBytesError
	switch {
	case errors.As(err, &big):
		refuse(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body has more than %d bytes", most))
		return false
	case err == nil:
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, "the body is no request: "+err.Error())
		return false
	}
	return true
}

// guess lets a password be looked at: done is called after it, and nil where it may not
// be, which is answered then. locked says for the journal that the door is closed now.
func (g *Gateway) guess(w http.ResponseWriter, name, from string) (done func(), locked string) {
	if left := g.doors.closed(name, from); left > 0 {
		w.Header().Set("Retry-After", seconds(left))
		refuse(w, http.StatusTooManyRequests, "too many wrong passwords: try again in "+alarm.Time(left.Round(time.Second)))
		return nil, ""
	}
	select {
	case g.guessing <- struct{}{}:
	default:
		w.Header().Set("Retry-After", "2")
		refuse(w, http.StatusTooManyRequests, "too many log in at once")
		return nil, ""
	}
	if g.doors.guessed(name, from) {
		locked = ": locked out for a while"
	}
	return func() { <-g.guessing }, locked
}

func (g *Gateway) login(w http.ResponseWriter, r *http.Request) {
	var in struct{ Name, Password string }
	if !read(w, r, maxLogin, &in) {
		return
	}
	from := hostOf(r.RemoteAddr)
	if !userName.MatchString(in.Name) {
		in.Name = "?" // it is journaled: none of theirs is
	}
	done, locked := g.guess(w, in.Name, from)
	if done == nil {
		return
	}
	defer done()
	user, there, err := g.users.Find(in.Name)
	if err != nil {
		g.o.Say("%v", err)
		refuse(w, http.StatusInternalServerError, "the users cannot be read: see the gateway's log")
		return
	}
	if !there {
		user = nobody
	}
	if ok := user.matches(in.Password); !ok || !there {
		g.note("log-in of %s from %s refused%s", in.Name, from, locked)
		refuse(w, http.StatusUnauthorized, "name or password is wrong")
		return
	}
	g.doors.opened(in.Name, from)
	if c, err := r.Cookie(g.cookie); err == nil {
		g.sessions.end(c.Value) // a new person, or the same: the old session is over
	}
	cookie, csrf := g.sessions.begin(user)
	http.SetCookie(w, &http.Cookie{Name: g.cookie, Value: cookie, Path: "/", HttpOnly: true, Secure: g.Certificate() != nil, SameSite: http.SameSiteStrictMode})
	g.note("%s (%s) logged in from %s", user.Name, user.Role, from)
	g.tellMe(w, &session{user: user, csrf: csrf})
}

// signed lets those through who have a session, and whose page asks, not another's.
func (g *Gateway) signed(then func(http.ResponseWriter, *http.Request, *session)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := r.Cookie(g.cookie)
		if err != nil {
			refuse(w, http.StatusUnauthorized, "log in first")
			return
		}
		s, err := g.sessions.find(c.Value, r.Method == http.MethodPost || r.URL.Path == "/api/me")
		var over sessionError
		switch {
		case errors.As(err, &over):
			answer(w, http.StatusUnauthorized, map[string]string{"error": "log in again: " + over.Error(), "why": over.Error()})
		case err != nil:
			g.o.Say("%v", err)
			refuse(w, http.StatusInternalServerError, "the users cannot be read: see the gateway's log")
		case r.Method == http.MethodPost && subtle.ConstantTimeCompare([]byte(r.Header.Get("X-Mien-CSRF")), []byte(s.csrf)) != 1:
			refuse(w, http.StatusForbidden, "the header X-Mien-CSRF is missing or wrong")
		default:
			then(w, r, &s)
		}
	}
}

func (g *Gateway) me(w http.ResponseWriter, r *http.Request, s *session) { g.tellMe(w, s) }

func (g *Gateway) tellMe(w http.ResponseWriter, s *session) {
	answer(w, http.StatusOK, map[string]any{"name": s.user.Name, "role": s.user.Role, "csrf": s.csrf, "idle_s": int(g.o.Page.Idle.Seconds()),
		"version": g.o.Version, "may": s.may()})
}

func (g *Gateway) logout(w http.ResponseWriter, r *http.Request, s *session) {
	if c, err := r.Cookie(g.cookie); err == nil {
		g.sessions.end(c.Value)
	}
	http.SetCookie(w, &http.Cookie{Name: g.cookie, Path: "/", MaxAge: -1, HttpOnly: true, Secure: g.Certificate() != nil, SameSite: http.SameSiteStrictMode})
	g.note("%s logged out", s.user.Name)
	w.WriteHeader(http.StatusNoContent)
}

// password gives a person another password, who knows the one before. Guesses of that
// one are counted as those at the log-in are. All other sessions of the person end.
func (g *Gateway) password(w http.ResponseWriter, r *http.Request, s *session) {
	var in struct{ Old, New string }
	if !read(w, r, maxLogin, &in) {
		return
	}
	from := hostOf(r.RemoteAddr)
	done, locked := g.guess(w, s.user.Name, from)
	if done == nil {
		return
	}
	defer done()
	switch {
	case !s.user.matches(in.Old):
		g.note("%s from %s gave a wrong password for a new one%s", s.user.Name, from, locked)
		refuse(w, http.StatusForbidden, "the password is wrong")
		return
	case in.Old == in.New:
		g.doors.opened(s.user.Name, from)
		refuse(w, http.StatusConflict, "the new password is the one before")
		return
	}
	g.doors.opened(s.user.Name, from)
	user, err := g.users.SetPassword(s.user.Name, in.New)
	var weak weakPassword
	switch {
	case errors.As(err, &weak):
		refuse(w, http.StatusConflict, err.Error())
		return
	case err != nil:
		g.o.Say("%v", err)
		refuse(w, http.StatusInternalServerError, "the password cannot be kept: see the gateway's log")
		return
	}
	if c, err := r.Cookie(g.cookie); err == nil {
		g.sessions.renew(c.Value, user)
	}
	g.note("%s has a new password, set from %s", user.Name, from)
	w.WriteHeader(http.StatusNoContent)
}

// ask passes on what a person asks of the unit, with who and role.
func (g *Gateway) ask(w http.ResponseWriter, r *http.Request, s *session) {
	var in operator.Request
	if !read(w, r, maxBody, &in) {
		return
	}
	if in.Ask == operator.AskStream {
		refuse(w, http.StatusBadRequest, "the stream is at /api/stream")
		return
	}
	if in.Ask == operator.AskEvents && (in.Most <= 0 || in.Most > mostTold) {
		in.Most = mostTold
	}
	if reply, ok := g.tell(w, r, s, in); ok {
		answer(w, http.StatusOK, reply)
	}
}

// lane is where those wait whose answers take the unit's time, so many of one person: who
// asks without end keeps others from a few answers, and nobody from the rest.
type lane struct {
	places chan struct{}

	mu sync.Mutex // covers what is below
	of map[string]int
}

const laneEach = 6

func (l *lane) enter(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.of[name] >= laneEach {
		return false
	}
	l.of[name]++
	return true
}

func (l *lane) leave(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.of[name]--; l.of[name] == 0 {
		delete(l.of, name)
	}
}

// tell asks the unit for a person. Where that fails, the answer is written, and false.
func (g *Gateway) tell(w http.ResponseWriter, r *http.Request, s *session, in operator.Request) (operator.Reply, bool) {
	in.Who, in.Role = s.user.Name, s.user.Role
	http.NewResponseController(w).SetWriteDeadline(time.Time{}) // of a part before: the browser is not to blame for the unit's time
	places := g.asking
	if in.Heavy() { // it does not keep an acknowledgement waiting
		places = g.heavy.places
		if !g.heavy.enter(s.user.Name) {
			w.Header().Set("Retry-After", "1")
			refuse(w, http.StatusTooManyRequests, "you ask for too much at once: wait for the answers")
			return operator.Reply{}, false
		}
		defer g.heavy.leave(s.user.Name)
	}
	select {
	case places <- struct{}{}:
		defer func() { <-places }()
	case <-r.Context().Done():
		return operator.Reply{}, false
	}
	c, err := g.o.Dial()
	if err != nil {
		refuse(w, http.StatusServiceUnavailable, err.Error())
		return operator.Reply{}, false
	}
	defer c.Close()
	reply, err := c.Ask(in)
	switch {
	case err == nil:
		return reply, true
	case reply.Denied:
		refuse(w, http.StatusForbidden, err.Error())
	case reply.Error != "":
		answer(w, http.StatusConflict, reply) // with what it says of a config beside the error
	default:
		refuse(w, http.StatusServiceUnavailable, err.Error())
	}
	return reply, false
}

// stream tells a page what the unit tells, the newest first, until it goes or its
// session ends.
func (g *Gateway) stream(w http.ResponseWriter, r *http.Request, s *session) {
	cookie, _ := r.Cookie(g.cookie)
	to := http.NewResponseController(w)
	to.SetReadDeadline(time.Time{}) // a stream has no end
	w.Header().Set("Content-Type", "text/event-stream")
	var out bytes.Buffer
	send := func() bool {
		_, err := w.Write(out.Bytes())
		out.Reset()
		if err == nil {
			err = to.Flush()
		}
		to.SetWriteDeadline(time.Time{}) // HTTP/2 ends a stream at it, also one that has nothing to tell
		return err == nil
	}
	event := func(kind string, data []byte) { fmt.Fprintf(&out, "event: %s\ndata: %s\n\n", kind, data) }
	say := func(kind, why string) {
		data, _ := json.Marshal(map[string]string{"why": why}) // a text
		event(kind, data)
	}
	page := g.link.Join()
	if page == nil {
		say("bye", "too many pages")
		send()
		return
	}
	defer page.Leave()
	look := time.NewTicker(lookEach)
	defer look.Stop()
	alive := time.Now()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-look.C:
			var over sessionError
			if _, err := g.sessions.find(cookie.Value, false); errors.As(err, &over) {
				say("bye", over.Error())
				send()
				return
			}
			if time.Since(alive) < aliveEach {
				continue
			}
			out.WriteString(":\n\n")
		case <-page.Wake:
			n := page.Take()
			if n.Lost != "" {
				say("lost", n.Lost)
			}
			if n.About != nil {
				event("about", n.About)
			}
			if n.Events != nil {
				list, _ := json.Marshal(n.Events) // they came as JSON
				event("events", list)
			}
			if n.State != nil {
				event("state", n.State)
			}
		}
		if out.Len() > 0 {
			alive = time.Now()
			if !send() {
				return
			}
		}
	}
}

// filtered asks for the journal, and gives what the page filters for.
func (g *Gateway) filtered(w http.ResponseWriter, r *http.Request, s *session) ([]alarm.Event, bool) {
	q := r.URL.Query()
	after, _ := strconv.ParseUint(q.Get("after"), 10, 64) // 0: all
	reply, ok := g.tell(w, r, s, operator.Request{Ask: operator.AskEvents, After: after, Most: mostTold})
	if !ok {
		return nil, false
	}
	has := func(key, text string) bool {
		return q.Get(key) == "" || strings.Contains(strings.ToLower(text), strings.ToLower(q.Get(key)))
	}
	moment := func(key string) time.Time { t, _ := time.Parse(time.RFC3339, q.Get(key)); return t }
	from, to := moment("from"), moment("to")
	list := []alarm.Event{}
	for _, e := range reply.Events {
		if (q.Get("alarm") == "" || q.Get("alarm") == e.Alarm) && (q.Get("event") == "" || q.Get("event") == e.Trigger.String()) && has("who", e.Who) &&
			has("text", e.Words()) && (from.IsZero() || !e.Wall.Before(from)) && (to.IsZero() || e.Wall.Before(to)) {
			list = append(list, e)
		}
	}
	if most, err := strconv.Atoi(q.Get("most")); err == nil && most > 0 && len(list) > most {
		list = list[len(list)-most:]
	}
	return list, true
}

func (g *Gateway) events(w http.ResponseWriter, r *http.Request, s *session) {
	if list, ok := g.filtered(w, r, s); ok {
		answer(w, http.StatusOK, map[string]any{"events": list})
	}
}

func (g *Gateway) eventsCSV(w http.ResponseWriter, r *http.Request, s *session) {
	list, ok := g.filtered(w, r, s)
	if !ok {
		return
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="mien-events.csv"`)
	out := csv.NewWriter(w)
	out.Write([]string{"number", "time", "time_not_set", "event", "alarm", "from", "to", "who", "refused", "for_s", "cause", "why"})
	for _, e := range list {
		out.Write(cells(strconv.FormatUint(e.Number, 10), e.Wall.UTC().Format("2006-01-02T15:04:05.000Z"), strconv.FormatBool(e.Unset), e.Trigger.String(), e.Alarm,
			e.From.String(), e.To.String(), e.Who, strconv.FormatBool(e.Refused), strconv.FormatFloat(e.For.Seconds(), 'f', -1, 64), e.Cause, e.Why.String()))
	}
	out.Flush()
}

// report passes on the page of the newest study, part by part. It is a document of its
// own, with its styles in it: no script runs in it, and it asks nobody for anything.
func (g *Gateway) report(w http.ResponseWriter, r *http.Request, s *session) {
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox")
	for from := 0; ; {
		reply, ok := g.tell(w, r, s, operator.Request{Ask: operator.AskStudy, Study: &operator.StudyAsk{Page: true, From: from}})
		if !ok {
			return
		}
		study := reply.Study
		if study == nil || len(study.Page) == 0 {
			if from == 0 {
				refuse(w, http.StatusNotFound, "there is no report: make one first")
			}
			return
		}
		if from == 0 {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Header().Set("Content-Disposition", `inline; filename="mien-report.html"`)
			w.Header().Set("Content-Length", strconv.Itoa(study.Size))
		}
		if _, err := io.WriteString(w, study.Page); err != nil {
			return
		}
		if from += len(study.Page); from >= study.Size {
			return
		}
	}
}

// cells are a row that no spreadsheet takes for a formula.
func cells(row ...string) []string {
	for i, c := range row {
		if c != "" && strings.ContainsRune("=+-@\t\r", rune(c[0])) {
			row[i] = "'" + c
		}
	}
	return row
}

func (g *Gateway) about(w http.ResponseWriter, r *http.Request, s *session) {
	users, _ := g.users.List() // it said so above
	address := g.o.Page.Listen
	if host, port, _ := net.SplitHostPort(address); port == "0" { // which one, the system chose
		if at, known := r.Context().Value(http.LocalAddrContextKey).(net.Addr); known {
			_, port, _ = net.SplitHostPort(at.String())
			address = net.JoinHostPort(host, port)
		}
	}
	listens := map[string]any{"what": "page", "address": address, "tls": g.Certificate() != nil, "loopback": g.o.Page.Loopback()}
	if g.Certificate() != nil {
		listens["fingerprint"] = Fingerprint(g.Certificate())
	}
	all := []any{listens}
	for _, what := range slices.Sorted(maps.Keys(g.o.Open)) {
		all = append(all, map[string]any{"what": what, "address": g.o.Open[what], "tls": false})
	}
	out := map[string]any{"version": g.o.Version, "go": runtime.Version(), "listens": all, "users": len(users)}
	for key, text := range g.o.About {
		out[key] = text
	}
	answer(w, http.StatusOK, out)
}
