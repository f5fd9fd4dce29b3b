package gateway

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/config"
	"mien/firmware/operator"
	"mien/firmware/state"
)

// unit is a unit with one alarm, whose name is a script, on a real socket.
type unit struct {
	latest *state.Latest

	mu      sync.Mutex // covers what is below
	state   state.State
	journal []alarm.Event
}

const hostile = `<script>alert(1)</script>`

func (u *unit) Latest() *state.Latest { return u.latest }
func (u *unit) Now() time.Duration    { return time.Second }
func (u *unit) Guard(_ string, run func()) error {
	run()
	return nil
}
func (u *unit) Kept(state.Receipt, time.Duration) error { return nil }
func (u *unit) Do(who string, batch []state.Command) (state.Receipt, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, c := range batch {
		e := alarm.Event{Number: uint64(len(u.journal) + 1), Trigger: c.Alarm.Do, Alarm: c.Alarm.Alarm, Who: who, Cause: c.Alarm.Text}
		if c.Do != state.Alarms {
			e.Trigger, e.Cause = alarm.Note, c.String()
		}
		u.journal = append(u.journal, e)
	}
	return state.Receipt{Done: u.journal[len(u.journal)-1:]}, nil
}

func (u *unit) Events(after uint64, most int) (list []alarm.Event, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, e := range u.journal {
		if e.Number > after {
			list = append(list, e)
		}
	}
	return list[max(0, len(list)-most):], nil
}

// store publishes a state with so many results.
func (u *unit) store(results uint64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.state.Results = results
	u.latest.Store(&u.state)
}

// wrote tells who wrote an event into the journal whose cause has the text.
func (u *unit) wrote(text string) (who string, found bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, e := range u.journal {
		if strings.Contains(e.Cause, text) {
			return e.Who, true
		}
	}
	return "", false
}

// newUnit serves a unit's socket until stop.
func newUnit(t testing.TB, path string) (u *unit, stop func()) {
	u = &unit{latest: state.NewLatest()}
	u.state.Clear()
	u.state.About = &state.About{Unit: "press", Signals: []state.Signal{{Name: "au4", Max: 1}}, Alarms: []alarm.Definition{{Name: hostile}}}
	u.state.Levels = []float32{0.5}
	u.state.Alarms = []alarm.Status{{Name: hostile}}
	u.store(1)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	s := operator.New(path, "", u, u)
	go func() { defer close(ended); s.Serve(ctx, func(error) {}) }()
	for range 500 {
		if _, err := os.Stat(path); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return u, sync.OnceFunc(func() { cancel(); <-ended })
}

const password = "correct horse battery"

// passwordHash is of it, made once: each takes its time.
var passwordHash = sync.OnceValue(func() string {
	hash, err := hashed("", password)
	if err != nil {
		panic(err) // it is a good one
	}
	return hash
})

// clock is a wall clock that a test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// bench is a gateway with its unit, and users of each role.
type bench struct {
	*Gateway
	unit   *unit
	stop   func() // the unit
	clock  *clock
	server *httptest.Server
}

func newBench(t testing.TB) *bench {
	t.Helper()
	dir := t.TempDir()
	b := &bench{clock: &clock{at: time.Now()}}
	socket := filepath.Join(dir, "s")
	b.unit, b.stop = newUnit(t, socket)
	t.Cleanup(func() { b.stop() })
	var err error
	b.Gateway, err = New(Options{Page: config.Page{Serve: true, Listen: "127.0.0.1:8470", Idle: 15 * time.Minute}, Folder: filepath.Join(dir, "gateway"),
		Files: map[string][]byte{"index.html": []byte("<p>page"), "app.js": []byte("1")}, Version: "v1", Now: b.clock.now,
		Dial: func() (*operator.Client, error) { return operator.Dial(socket) }, Say: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	b.rate.rate = 0 // its own test bounds it
	hash := passwordHash()
	if err := b.users.change(func([]User) ([]User, error) { // one hash: four would take a second
		return []User{{"vera", operator.Viewer, hash, time.Now()}, {"otto", operator.Operator, hash, time.Now()},
			{"emma", operator.Engineer, hash, time.Now()}, {"adam", operator.Administrator, hash, time.Now()}}, nil
	}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	b.link.ctx = ctx
	go b.write(ctx)
	b.server = httptest.NewUnstartedServer(b.Handler())
	b.server.Config.ReadTimeout, b.server.Config.MaxHeaderBytes = 2*time.Second, 16<<10
	b.server.Start()
	t.Cleanup(func() { stop(); b.server.CloseClientConnections(); b.server.Close() })
	return b
}

// person is a browser of one.
type person struct {
	t      testing.TB
	b      *bench
	cookie *http.Cookie
	csrf   string
}

func (b *bench) logIn(t testing.TB, name string) *person {
	t.Helper()
	p := &person{t: t, b: b}
	status, body, header := p.send("POST", "/api/login", map[string]string{"name": name, "password": password}, nil)
	if status != http.StatusOK {
		t.Fatalf("%s: %d %s", name, status, body)
	}
	var me struct{ CSRF string }
	json.Unmarshal([]byte(body), &me)
	p.csrf = me.CSRF
	c, err := http.ParseSetCookie(header.Get("Set-Cookie"))
	if err != nil || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Secure || c.Path != "/" || c.Domain != "" {
		t.Fatalf("cookie %q: %v", header.Get("Set-Cookie"), err)
	}
	p.cookie = c
	return p
}

// send sends a request as the page does; change may alter it.
func (p *person) send(method, path string, body any, change func(*http.Request)) (status int, text string, header http.Header) {
	p.t.Helper()
	var in io.Reader
	if body != nil {
		data, _ := json.Marshal(body)
		if raw, ok := body.(string); ok {
			data = []byte(raw)
		}
		in = bytes.NewReader(data)
	}
	r, err := http.NewRequest(method, p.b.server.URL+path, in)
	if err != nil {
		p.t.Fatal(err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if p.cookie != nil {
		r.AddCookie(p.cookie)
	}
	r.Header.Set("X-Mien-CSRF", p.csrf)
	if change != nil {
		change(r)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	data, _ := io.ReadAll(answer.Body)
	return answer.StatusCode, string(data), answer.Header
}

func (p *person) ask(r operator.Request) (int, string) {
	status, text, _ := p.send("POST", "/api/ask", r, nil)
	return status, text
}

// What a person does is in the unit's journal with the person's name; what the role
// may not is refused by the unit, whatever the browser says of itself.
func TestWhoAsks(t *testing.T) {
	b := newBench(t)
	otto, vera := b.logIn(t, "otto"), b.logIn(t, "vera")
	if status, text := otto.ask(operator.Request{Ask: operator.AskDo, Do: alarm.Note, Text: "seen"}); status != 200 {
		t.Fatal(status, text)
	}
	if who, _ := b.unit.wrote("seen"); !strings.HasPrefix(who, "otto via ") {
		t.Errorf("by %q", who)
	}
	if status, _ := otto.ask(operator.Request{Ask: operator.AskClock, Who: "adam", Role: operator.Administrator}); status != 403 {
		t.Errorf("an operator who calls himself administrator: %d", status)
	}
	if status, text := vera.ask(operator.Request{Ask: operator.AskDo, Do: alarm.Acknowledge}); status != 403 {
		t.Errorf("a viewer acknowledges: %d %s", status, text)
	}
	if status, text := vera.ask(operator.Request{Ask: operator.AskAlarms}); status != 200 || strings.Contains(text, "<script>") || !strings.Contains(text, "alert(1)") {
		t.Errorf("a script in an alarm's name: %d %s", status, text)
	}
	b.stop()
	if status, text := vera.ask(operator.Request{Ask: operator.AskAlarms}); status != 503 {
		t.Errorf("without a unit: %d %s", status, text)
	}
}

// Without a session, or from another site's page, nothing is answered.
func TestWhoIsKeptOut(t *testing.T) {
	b := newBench(t)
	anna, nobody := b.logIn(t, "adam"), &person{t: t, b: b}
	for _, route := range []string{"GET /api/me", "POST /api/logout", "POST /api/ask", "GET /api/stream", "GET /api/events", "GET /api/events.csv", "GET /api/about"} {
		method, path, _ := strings.Cut(route, " ")
		status, text, header := nobody.send(method, path, nil, nil)
		if status != 401 {
			t.Errorf("%s without a log-in: %d %s", route, status, text)
		}
		if header.Get("Cache-Control") != "no-store" || header.Get("Access-Control-Allow-Origin") != "" || !strings.Contains(header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
			t.Errorf("%s: %v", route, header)
		}
		if status, _, _ := nobody.send(method, path, nil, func(r *http.Request) { r.AddCookie(&http.Cookie{Name: b.cookie, Value: token()}) }); status != 401 {
			t.Errorf("%s with a cookie of another unit: %d", route, status)
		}
	}
	for name, change := range map[string]func(*http.Request){
		"no token":           func(r *http.Request) { r.Header.Del("X-Mien-CSRF") },
		"another token":      func(r *http.Request) { r.Header.Set("X-Mien-CSRF", token()) },
		"another site":       func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") },
		"another site's try": func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		"a form's type":      func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") },
		"another name":       func(r *http.Request) { r.Host = "evil.example" },
		"a packed body":      func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") },
	} {
		if status, text, _ := anna.send("POST", "/api/ask", operator.Request{Ask: operator.AskDo, Do: alarm.Silence}, change); status < 400 || status >= 500 {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	if len(b.unit.journal) > 1 { // the log-in
		t.Errorf("the unit did %v", b.unit.journal)
	}
	if status, text, _ := anna.send("POST", "/api/ask", `{"ask":"config","config":{"do":"check","text":"`+strings.Repeat("x", maxBody)+`"}}`, nil); status != 413 {
		t.Errorf("a body of 1 MB: %d %s", status, text)
	}
	if status, _, _ := anna.send("POST", "/api/ask", operator.Request{Ask: operator.AskAlarms}, nil); status != 200 {
		t.Errorf("and then: %d", status)
	}
}

// A session ends with its person's log-out, after the idle time, after twelve hours,
// when the user is removed, and when the password changes; a role that changes is in
// force at once.
func TestSessionsEnd(t *testing.T) {
	b := newBench(t)
	in := func(p *person) bool {
		status, _, _ := p.send("GET", "/api/events", nil, nil)
		return status == 200
	}
	out := b.logIn(t, "adam")
	if out.send("POST", "/api/logout", nil, nil); in(out) {
		t.Error("logged out")
	}
	idle := b.logIn(t, "adam")
	if b.clock.move(14 * time.Minute); !in(idle) {
		t.Error("after 14 minutes")
	}
	if b.clock.move(2 * time.Minute); in(idle) { // looking is not doing
		t.Error("idle")
	}
	long := b.logIn(t, "adam")
	for range 12 * 6 {
		b.clock.move(10 * time.Minute)
		long.send("GET", "/api/me", nil, nil)
	}
	if in(long) {
		t.Error("after twelve hours")
	}
	changed, removed := b.logIn(t, "vera"), b.logIn(t, "otto")
	if _, err := b.users.SetPassword("vera", "another good sentence"); err != nil || in(changed) {
		t.Error("with another password", err)
	}
	if err := b.users.change(func(l []User) ([]User, error) { l[2].Role = operator.Viewer; return l, nil }); err != nil {
		t.Fatal(err)
	}
	if status, _ := removed.ask(operator.Request{Ask: operator.AskDo, Do: alarm.Silence}); status != 403 {
		t.Errorf("with another role: %d", status)
	}
	if err := b.users.Remove("otto"); err != nil || in(removed) {
		t.Error("removed", err)
	}
	for range 3 * sessionsEach {
		b.sessions.begin(User{Name: "emma"})
	}
	for i := range 2 * maxSessions {
		b.sessions.begin(User{Name: fmt.Sprint(i)})
	}
	if n := len(b.sessions.open); n > maxSessions {
		t.Errorf("%d sessions", n)
	}
}

// A person changes the own password: by the one before only, for a good one, and all other
// sessions of the person end. Guesses are counted.
func TestOwnPassword(t *testing.T) {
	b := newBench(t)
	in := func(p *person) bool {
		status, _, _ := p.send("GET", "/api/events", nil, nil)
		return status == 200
	}
	here, there := b.logIn(t, "vera"), b.logIn(t, "vera")
	change := func(p *person, old, new string) (int, string) {
		status, text, _ := p.send("POST", "/api/password", map[string]string{"old": old, "new": new}, nil)
		return status, text
	}
	const next = "another good sentence"
	for _, c := range []struct {
		old, new string
		status   int
		says     string
	}{
		{"not the password", next, 403, "is wrong"}, {password, "short", 409, "at least 12"}, {password, password, 409, "the one before"}, {password, "vera is my name", 409, "the user's name"},
	} {
		if status, text := change(here, c.old, c.new); status != c.status || !strings.Contains(text, c.says) || !in(here) || !in(there) {
			t.Errorf("%q to %q: %d %s", c.old, c.new, status, text)
		}
	}
	if status, _, _ := here.send("POST", "/api/password", map[string]string{"old": password, "new": next}, func(r *http.Request) { r.Header.Del("X-Mien-CSRF") }); status != 403 {
		t.Errorf("another site's page changes it: %d", status)
	}
	if status, text := change(here, password, next); status != 204 || !in(here) || in(there) {
		t.Errorf("%d %s; this session %v, the other one %v", status, text, in(here), in(there))
	}
	for range 2 { // each page of the other session is told
		if _, text, _ := there.send("GET", "/api/me", nil, nil); !strings.Contains(text, `"why":"password changed"`) {
			t.Errorf("the other session hears %s", text)
		}
	}
	if who, _ := b.unit.wrote("vera has a new password"); who == "" {
		t.Error("the journal does not have it")
	}
	for word, want := range map[string]int{password: 401, next: 200} {
		if status, _, _ := (&person{t: t, b: b}).send("POST", "/api/login", map[string]string{"name": "vera", "password": word}, nil); status != want {
			t.Errorf("log-in with %q: %d", word, status)
		}
	}
	last := 0
	for range freeTries + 1 {
		last, _ = change(here, "not the password", "yet another sentence")
	}
	if last != 429 {
		t.Errorf("guesses without end: %d", last)
	}
}

// A wrong password, a thousand times: nearly all of them are not even looked at, the
// right one is not either until the door opens again, and another person comes in from
// another address.
func TestAThousandWrongPasswords(t *testing.T) {
	d := &doors{wrong: map[string]*wrong{}}
	c := &clock{at: time.Now()}
	d.now = c.now
	looked := 0
	for range 1000 {
		if d.closed("anna", "1.2.3.4") <= 0 {
			looked++
			d.guessed("anna", "1.2.3.4")
		}
		c.move(time.Second)
	}
	if looked > 12 {
		t.Errorf("%d of a thousand in a thousand seconds were looked at", looked)
	}
	if left := d.closed("anna", "1.2.3.4"); left <= 0 || left > longLock {
		t.Errorf("closed for %v", left)
	}
	if d.closed("anna", "5.6.7.8") > 0 || d.closed("bert", "1.2.3.4") > 0 {
		t.Error("another address, or another person, is kept out")
	}
	c.move(longLock)
	if d.closed("anna", "1.2.3.4") > 0 {
		t.Error("the door stays closed")
	}
	for i := range 200 { // from ever other addresses
		d.guessed("bert", fmt.Sprint(i))
	}
	if d.closed("bert", "new") <= 0 {
		t.Error("from everywhere at once")
	}
	for i := range 3 * maxWrong {
		d.guessed(fmt.Sprint(i), fmt.Sprint(i))
	}
	if n := len(d.wrong); n > 2*maxWrong+8 {
		t.Errorf("%d are kept", n)
	}
	d.guessed("carl", "9.9.9.9")
	d.opened("carl", "9.9.9.9")
	if d.wrong["both carl\x009.9.9.9"] != nil {
		t.Error("who knew the password has tries left over")
	}

	b := newBench(t)
	p := &person{t: t, b: b}
	last := 0
	for i := range 20 {
		status, _, header := p.send("POST", "/api/login", map[string]string{"name": "vera", "password": fmt.Sprint(i)}, nil)
		if last = status; status == 429 && header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
	if last != 429 {
		t.Errorf("after 20: %d", last)
	}
	if status, _, _ := p.send("POST", "/api/login", map[string]string{"name": "vera", "password": password}, nil); status != 429 {
		t.Errorf("the right one: %d", status)
	}
	if status, _, _ := p.send("POST", "/api/login", map[string]string{"name": "nobody", "password": "x"}, nil); status != 401 {
		t.Errorf("who is not there: %d", status)
	}
	for range 500 {
		if _, found := b.unit.wrote("log-in of vera from 127.0.0.1 refused"); found {
			if _, found := b.unit.wrote(password); found {
				t.Error("the journal has a password")
			}
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("the journal does not know")
}

func TestRates(t *testing.T) {
	c := &clock{at: time.Now()}
	b := &buckets{now: c.now, rate: 10, most: 20, left: map[string]*bucket{}}
	took := 0
	for range 100 {
		if b.take("a") {
			took++
		}
	}
	if took != 20 || !b.take("b") {
		t.Errorf("%d at once", took)
	}
	if c.move(time.Second); !b.take("a") {
		t.Error("a second later")
	}
	for i := range 2 * maxWrong {
		b.take(fmt.Sprint(i))
	}
	if len(b.left) > maxWrong+1 {
		t.Errorf("%d are kept", len(b.left))
	}
}

func TestPasswords(t *testing.T) {
	for _, bad := range []string{"", "short", "aaaaaaaaaaaaaaaa", "my name is anna!", strings.Repeat("long ", 30)} {
		if _, err := hashed("anna", bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	hash, err := hashed("anna", "パスワードは長い文がよい")
	if err != nil || !strings.HasPrefix(hash, "$argon2id$v=19$m=9216,t=4,p=1$") {
		t.Fatal(hash, err)
	}
	if u := (User{Hash: hash}); !u.matches("パスワードは長い文がよい") || u.matches("パスワードは長い文がよいよ") || u.matches("") {
		t.Error("it does not match, or another does")
	}
	for _, damaged := range []string{"", "$argon2id$v=19$m=9216,t=4,p=1$", hash[:len(hash)-4] + "!!!!", "$2y$10$x"} {
		if u := (User{Hash: damaged}); u.matches("パスワードは長い文がよい") {
			t.Errorf("%q matches", damaged)
		}
	}
}

// The users' file: only its owner reads it, a change is whole, and a damaged one lets
// nobody in and says so.
func TestUsersFile(t *testing.T) {
	u := NewUsers(filepath.Join(t.TempDir(), "new"))
	if list, err := u.List(); err != nil || len(list) != 0 {
		t.Fatal(list, err)
	}
	if err := u.Add("anna", operator.Viewer, password, time.Now()); err != nil {
		t.Fatal(err)
	}
	if all, _ := filepath.Glob(filepath.Join(filepath.Dir(u.path), "*")); len(all) != 1 {
		t.Errorf("beside the users' file: %v", all)
	}
	if info, err := os.Stat(u.path); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
	_, nobodys := u.SetPassword("bert", password)
	for name, err := range map[string]error{"twice": u.Add("anna", operator.Viewer, password, time.Now()), "a name": u.Add("Anna <b>", operator.Viewer, password, time.Now()),
		"nobody": u.Remove("bert"), "nobody's": nobodys} {
		if err == nil {
			t.Errorf("%s is done", name)
		}
	}
	if _, found, err := u.Find("anna"); !found || err != nil {
		t.Error(found, err)
	}
	// One of a newer version lets in whom this one knows, and a copy of it is kept before
	// it is written; a role that this one does not know stays, and may nothing.
	whole, _ := os.ReadFile(u.path)
	newer := bytes.Replace(whole, []byte("{"), []byte(`{"second_factor": "x", `), 1)
	os.WriteFile(u.path, newer, 0o600)
	if _, found, err := u.Find("anna"); !found || err != nil {
		t.Error("newer", found, err)
	}
	if err := u.Add("carl", operator.Viewer, password, time.Now()); err != nil {
		t.Error(err)
	}
	if aside, _ := filepath.Glob(u.path + ".aside-*"); len(aside) != 1 {
		t.Error("put aside:", aside)
	} else if kept, _ := os.ReadFile(aside[0]); !bytes.Equal(kept, newer) {
		t.Errorf("the newer file is gone: %s", kept)
	}
	os.WriteFile(u.path, bytes.Replace(whole, []byte(`"viewer"`), []byte(`"auditor"`), 1), 0o600)
	if err := u.Add("carl", operator.Viewer, password, time.Now()); err != nil {
		t.Error(err)
	}
	if x, found, _ := u.Find("anna"); !found || x.Role != "auditor" || x.Role.May(string(operator.AskAlarms)) {
		t.Errorf("a role that is not known: %+v", x)
	}
	os.WriteFile(u.path, []byte("[{"), 0o600)
	if _, found, err := u.Find("anna"); found || err == nil {
		t.Error("damaged", found, err)
	}
}

// A users' file that others can read or write, or that is another's, lets nobody in and
// says what to do; when that is done the users are there, without a new start.
func TestUsersFileOfOthers(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "gateway")
	u := NewUsers(folder)
	if err := u.Add("anna", operator.Viewer, password, time.Now()); err != nil {
		t.Fatal(err)
	}
	own, nobody := os.Geteuid(), 65534
	for name, c := range map[string]struct {
		harm, mend func() error
		says       string
	}{
		"readable":           {func() error { return os.Chmod(u.path, 0o604) }, func() error { return os.Chmod(u.path, 0o600) }, "chmod 600 " + u.path},
		"readable by group":  {func() error { return os.Chmod(u.path, 0o640) }, func() error { return os.Chmod(u.path, 0o600) }, "chmod 600 " + u.path},
		"writable":           {func() error { return os.Chmod(u.path, 0o622) }, func() error { return os.Chmod(u.path, 0o600) }, "others may write " + u.path},
		"writable folder":    {func() error { return os.Chmod(folder, 0o777) }, func() error { return os.Chmod(folder, 0o755) }, "chmod go-w " + folder},
		"of another":         {func() error { return os.Chown(u.path, nobody, -1) }, func() error { return os.Chown(u.path, own, -1) }, fmt.Sprintf("chown %d %s", own, u.path)},
		"of a third, folder": {func() error { return errors.Join(os.Chown(folder, 1, -1), os.Chown(u.path, nobody, -1)) }, func() error { return errors.Join(os.Chown(folder, own, -1), os.Chown(u.path, own, -1)) }, "chown 1 " + u.path},
	} {
		if strings.HasPrefix(name, "of ") && own != 0 {
			t.Logf("%s: only root gives files away", name)
			continue
		}
		if _, found, err := u.Find("anna"); !found || err != nil {
			t.Fatal(name, "before", found, err)
		}
		if err := c.harm(); err != nil {
			t.Fatal(name, err)
		}
		_, found, err := u.Find("anna")
		if found || err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v %v", name, found, err)
		}
		if err := u.Add("mallory", operator.Administrator, password, time.Now()); err == nil {
			t.Errorf("%s: it is written all the same", name)
		}
		if err := c.mend(); err != nil {
			t.Fatal(name, err)
		}
		if _, found, err := u.Find("anna"); !found || err != nil {
			t.Errorf("%s, mended: %v %v", name, found, err)
		}
	}
}

// The page comes packed, once, and says what a browser may do with it.
func TestStatic(t *testing.T) {
	b := newBench(t)
	p := &person{t: t, b: b}
	status, text, header := p.send("GET", "/", nil, nil)
	if status != 200 || text != "<p>page" || !strings.Contains(header.Get("Content-Security-Policy"), "default-src 'none'") || header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%d %q %v", status, text, header)
	}
	if status, _, _ := p.send("GET", "/", nil, func(r *http.Request) { r.Header.Set("If-None-Match", header.Get("Etag")) }); status != 304 {
		t.Errorf("again: %d", status)
	}
	for path, want := range map[string]int{"/app.js": 200, "/../users.json": 404, "/users.json": 404, "/%2e%2e/users.json": 404, "/api/none": 404, "/index.html/x": 404} {
		if status, text, _ := p.send("GET", path, nil, nil); status != want {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	for _, method := range []string{"PUT", "DELETE", "TRACE", "OPTIONS", "PATCH"} {
		if status, _, _ := p.send(method, "/", nil, nil); status != 405 {
			t.Errorf("%s: %d", method, status)
		}
	}
}

// stream opens one, and gives its events.
func (p *person) stream() (next func() (kind, data string), end func()) {
	p.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, _ := http.NewRequestWithContext(ctx, "GET", p.b.server.URL+"/api/stream", nil)
	r.AddCookie(p.cookie)
	answer, err := http.DefaultClient.Do(r)
	if err != nil || answer.StatusCode != 200 {
		p.t.Fatal(answer, err)
	}
	events := make(chan [2]string, 1000)
	go func() {
		defer close(events)
		var kind string
		for lines := newLines(answer.Body); ; {
			line, err := lines()
			if err != nil {
				return
			}
			if k, ok := strings.CutPrefix(line, "event: "); ok {
				kind = k
			} else if d, ok := strings.CutPrefix(line, "data: "); ok {
				select {
				case events <- [2]string{kind, d}:
				default:
				}
			}
		}
	}()
	return func() (string, string) {
		select {
		case e := <-events:
			return e[0], e[1]
		case <-time.After(20 * time.Second):
			p.t.Error("nothing came")
			return "", ""
		}
	}, func() { cancel(); answer.Body.Close() }
}

func newLines(from io.Reader) func() (string, error) {
	var rest []byte
	buf := make([]byte, 4096)
	return func() (string, error) {
		for {
			if i := bytes.IndexByte(rest, '\n'); i >= 0 {
				line := string(rest[:i])
				rest = rest[i+1:]
				return line, nil
			}
			n, err := from.Read(buf)
			rest = append(rest, buf[:n]...)
			if err != nil && bytes.IndexByte(rest, '\n') < 0 {
				return "", err
			}
		}
	}
}

// until reads events until one of a kind has the text.
func until(t *testing.T, next func() (string, string), kind, text string) string {
	t.Helper()
	for range 1000 {
		k, data := next()
		if k == kind && strings.Contains(data, text) {
			return data
		}
		if k == "" {
			break
		}
	}
	t.Fatalf("no %s with %q", kind, text)
	return ""
}

// A page sees what the unit knows, that it has gone, and that it is back; and it is
// told when its session is over.
func TestStream(t *testing.T) {
	b := newBench(t)
	vera := b.logIn(t, "vera")
	next, end := vera.stream()
	defer end()
	if about := until(t, next, "about", "press"); strings.Contains(about, "<script>") {
		t.Error("a script in an alarm's name comes as one")
	}
	until(t, next, "state", `"n":1,`)
	b.unit.store(7)
	until(t, next, "state", `"n":7,`)
	b.stop()
	until(t, next, "lost", "why")
	u, stop := newUnit(t, filepath.Join(filepath.Dir(b.o.Folder), "s"))
	defer stop()
	u.store(99)
	until(t, next, "about", "press")
	until(t, next, "state", `"n":99,`)
	if err := b.users.Remove("vera"); err != nil {
		t.Fatal(err)
	}
	until(t, next, "bye", "user removed")
	if kind, _ := next(); kind != "" {
		t.Errorf("and then %s", kind)
	}
}

// A page that does not read costs nobody anything, and its place is free again.
func TestPageThatDoesNotRead(t *testing.T) {
	b := newBench(t)
	vera := b.logIn(t, "vera")
	for range 5 {
		c, err := net.Dial("tcp", strings.TrimPrefix(b.server.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "GET /api/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: %s=%s\r\n\r\n", vera.cookie.Name, vera.cookie.Value)
	}
	next, end := vera.stream()
	defer end()
	for i := range uint64(50) {
		b.unit.store(100 + i)
		time.Sleep(10 * time.Millisecond)
	}
	until(t, next, "state", `"n":149,`)
}

// Whoever asks and does not read the answer loses the place, over either HTTP: it is
// free again. Nobody has to log in to ask for a file of the page.
func TestAnswerThatNobodyReads(t *testing.T) {
	for _, two := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP/2 %v", two), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.files["/big.js"] = &file{kind: "text/javascript", tag: `"big"`, plain: make([]byte, 32<<20)} // more than all buffers between
			ended := make(chan struct{})
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer close(ended)
				b.Handler().ServeHTTP(w, r)
			}))
			server.EnableHTTP2 = two
			server.StartTLS()
			defer server.Close()
			defer server.CloseClientConnections()
			client := server.Client()
			client.Transport.(*http.Transport).DisableCompression = true
			answer, err := client.Get(server.URL + "/big.js")
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			if got := answer.ProtoMajor == 2; got != two || answer.StatusCode != 200 {
				t.Fatal(answer.Proto, answer.Status)
			}
			select {
			case <-ended:
			case <-time.After(3 * writeIn):
				t.Errorf("after %v the answer still waits to be read", 3*writeIn)
			}
		})
	}
}

// A stream on which there is nothing to tell stays open, over either HTTP: a page of a
// unit that is away is not thrown out for it.
func TestQuietStream(t *testing.T) {
	for _, two := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP/2 %v", two), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			vera := b.logIn(t, "vera")
			b.stop()
			server := httptest.NewUnstartedServer(b.Handler())
			server.EnableHTTP2 = two
			server.StartTLS()
			defer server.Close()
			defer server.CloseClientConnections()
			r, err := http.NewRequest("GET", server.URL+"/api/stream", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.AddCookie(vera.cookie)
			answer, err := server.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			if got := answer.ProtoMajor == 2; got != two || answer.StatusCode != 200 {
				t.Fatal(answer.Proto, answer.Status)
			}
			for lines := bufio.NewScanner(answer.Body); ; {
				if !lines.Scan() {
					t.Fatalf("the stream ended: %v", lines.Err())
				}
				if lines.Text() == ":" { // what keeps it alive, after aliveEach
					return
				}
			}
		})
	}
}

// So many connections are served, and so many of one address; whoever comes when one
// has gone is served again.
func TestFiveHundredConnections(t *testing.T) {
	b := newBench(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- b.Serve(ctx, l) }()
	var all []net.Conn
	for range 500 {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	open := 0
	for _, c := range all {
		c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if _, err := c.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
			open++
		}
		if open > maxConnsEach {
			t.Fatalf("%d are open", open)
		}
	}
	for _, c := range all {
		c.Close()
	}
	for i := 0; ; i++ {
		answer, err := http.Get("http://" + l.Addr().String())
		if err == nil {
			answer.Body.Close()
			break
		}
		if i == 500 {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// The journal as a table that no spreadsheet runs.
func TestJournalAsCSV(t *testing.T) {
	b := newBench(t)
	emma := b.logIn(t, "emma")
	emma.ask(operator.Request{Ask: operator.AskDo, Do: alarm.Note, Text: "=HYPERLINK(1)"})
	emma.ask(operator.Request{Ask: operator.AskDo, Do: alarm.Note, Text: "other"})
	status, text, _ := emma.send("GET", "/api/events.csv?text=hyper", nil, nil)
	if status != 200 || !strings.Contains(text, ",'=HYPERLINK(1),") || strings.Contains(text, "other") {
		t.Errorf("%d %s", status, text)
	}
	if status, text, _ = emma.send("GET", "/api/events?who=emma&most=1&event=note", nil, nil); status != 200 || strings.Contains(text, "HYPER") || !strings.Contains(text, "other") {
		t.Errorf("%d %s", status, text)
	}
}

// Who asks for heavy answers without end is told so, and keeps nobody else out.
func TestLane(t *testing.T) {
	l := &lane{places: make(chan struct{}, 2), of: map[string]int{}}
	for range laneEach {
		if !l.enter("otto") {
			t.Fatal("no room")
		}
	}
	if l.enter("otto") || !l.enter("vera") {
		t.Error("otto has too much room, or vera has none")
	}
	l.leave("otto")
	if !l.enter("otto") {
		t.Error("no room again")
	}
	for range laneEach {
		l.leave("otto")
	}
	if l.leave("vera"); len(l.of) != 0 {
		t.Errorf("%v stay", l.of)
	}
	b := newBench(t)
	vera := b.logIn(t, "vera")
	for range laneEach {
		b.heavy.enter("vera")
	}
	if status, text, header := vera.send("GET", "/api/events", nil, nil); status != 429 || header.Get("Retry-After") == "" {
		t.Errorf("%d %s", status, text)
	}
	if status, text := vera.ask(operator.Request{Ask: operator.AskStatus}); status != 200 {
		t.Errorf("what is not heavy: %d %s", status, text)
	}
	if status, text, _ := b.logIn(t, "otto").send("GET", "/api/events", nil, nil); status != 200 {
		t.Errorf("another person: %d %s", status, text)
	}
}
