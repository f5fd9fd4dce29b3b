package main

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"mien/firmware/operator"
)

// askPage sends what a page asks with a cookie and token.
func askPage(t *testing.T, address, body string, cookie *http.Cookie, csrf string) (status int, text string) {
	t.Helper()
	r, err := http.NewRequest("POST", address+"api/ask", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Mien-CSRF", csrf)
	r.AddCookie(cookie)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	data, _ := io.ReadAll(answer.Body)
	return answer.StatusCode, string(data)
}

// states reads a stream until so many states have come, and gives the last.
func states(t *testing.T, address string, cookie *http.Cookie, most int) (last string) {
	t.Helper()
	r, _ := http.NewRequest("GET", address+"api/stream", nil)
	r.AddCookie(cookie)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	for lines.Buffer(nil, 1<<20); lines.Scan() && most > 0; {
		if strings.HasPrefix(lines.Text(), `data: {"n":`) {
			last = lines.Text()
			most--
		}
	}
	return last
}

// mien demo -page shows all of it, ends when it is told to, and leaves nothing behind;
// a demo with a config's gateway has that config's users.
func TestDemoPage(t *testing.T) {
	p := newProcess(t)
	tmp := filepath.Join(p.dir, "tmp")
	if err := os.Mkdir(tmp, 0o700); err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(filepath.Join(p.dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	p.Args = []string{p.Args[0], "demo", "-page", "-port", "0", "-serial", filepath.Join(p.dir, "pty")}
	p.Env, p.Stdout = append(p.Env, "TMPDIR="+tmp), out
	p.start()
	said := regexp.MustCompile(`(?m)^page: (\S+)\nlog in as .*, password: (\S+)$`)
	var m []string
	p.until("its address and password", func() bool {
		data, _ := os.ReadFile(out.Name())
		m = said.FindStringSubmatch(string(data))
		return m != nil
	})
	answer, err := http.Post(m[1]+"api/login", "application/json", strings.NewReader(`{"name":"administrator","password":"`+m[2]+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	me, _ := io.ReadAll(answer.Body)
	answer.Body.Close()
	csrf := regexp.MustCompile(`"csrf":"([^"]*)"`).FindStringSubmatch(string(me))
	if len(answer.Cookies()) != 1 || csrf == nil {
		t.Fatal(answer.Status, string(me))
	}
	cookie := answer.Cookies()[0]
	p.until("a face", func() bool { return strings.Contains(states(t, m[1], cookie, 5), `"face":{"box"`) })
	for body, want := range map[string]string{`{"ask":"config"}`: "brow lowered", `{"ask":"card"}`: "mien-affect", `{"ask":"events"}`: "logged in",
		`{"ask":"pilot","pilot":"start","for":3600000000000,"text":"a try"}`: "recording until", `{"ask":"test","for":1000000000}`: "output test"} {
		if status, text := askPage(t, m[1], body, cookie, csrf[1]); status != 200 || !strings.Contains(text, want) {
			t.Errorf("%s: %d %.300s", body, status, text)
		}
	}
	if answer, err := http.Get(m[1]); err != nil || answer.StatusCode != 200 {
		t.Error(answer, err)
	} else {
		answer.Body.Close()
	}
	http.DefaultClient.CloseIdleConnections()
	p.signal(syscall.SIGTERM)
	p.ends()
	if left, _ := filepath.Glob(filepath.Join(tmp, "mien-demo-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestDemoWithAConfigsGateway(t *testing.T) {
	g, _ := gatewayProcess(t, "/nowhere")
	out, err := os.Create(filepath.Join(g.dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	g.Args, g.Stdout = []string{g.Args[0], "demo", "-gateway", g.config(), "-serial", filepath.Join(g.dir, "pty")}, out
	g.start()
	address := ""
	g.until("its address", func() bool {
		data, _ := os.ReadFile(out.Name())
		if m := regexp.MustCompile(`(?m)^page: (\S+)$`).FindSubmatch(data); m != nil {
			address = string(m[1])
		}
		return address != ""
	})
	cookie, csrf := logIn(t, address)
	g.until("an answer", func() bool {
		status, text := askPage(t, address, `{"ask":"status"}`, cookie, csrf)
		return status == 200 && strings.Contains(text, `"unit":"demo"`)
	})
	http.DefaultClient.CloseIdleConnections()
	g.signal(syscall.SIGTERM)
	g.ends()
}

// The gateway does all that it does without a system call that its service refuses.
func TestGatewayUnderItsService(t *testing.T) {
	filter := serviceFilter(t, "mien-gateway.service")
	p := newProcess(t)
	p.configure("press")
	p.start()
	p.until("the socket", func() bool { return exists(p.socket()) })
	g, address := gatewayProcess(t, p.socket())
	g.Env = append(g.Env, confinedBy+"="+filter)
	g.start()
	at := address()
	cookie, csrf := logIn(t, at)
	if status, text := askPage(t, at, `{"ask":"status"}`, cookie, csrf); status != 200 {
		t.Error(status, text)
	}
	if states(t, at, cookie, 3) == "" {
		t.Error("no states")
	}
	http.DefaultClient.CloseIdleConnections()
	g.signal(syscall.SIGTERM)
	g.ends()
}

// A gateway that hangs costs the unit nothing; a unit that hangs is told on the page,
// and so is that it is back.
func TestWhenOneOfTheTwoHangs(t *testing.T) {
	p := newProcess(t)
	p.configure("press")
	p.start()
	p.until("the socket", func() bool { return exists(p.socket()) })
	g, address := gatewayProcess(t, p.socket())
	g.start()
	at := address()
	cookie, _ := logIn(t, at)
	r, _ := http.NewRequest("GET", at+"api/stream", nil)
	r.AddCookie(cookie)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 1<<20)
	until := func(event string) time.Time {
		t.Helper()
		for lines.Scan() {
			if lines.Text() == "event: "+event {
				return time.Now()
			}
		}
		t.Fatalf("no %s: %v", event, lines.Err())
		return time.Time{}
	}
	until("state")
	p.signal(syscall.SIGSTOP)
	stopped := time.Now()
	t.Logf("told after %v", until("lost").Sub(stopped))
	p.signal(syscall.SIGCONT)
	until("state")
	g.signal(syscall.SIGSTOP)
	for range 30 { // the socket's buffer is full by then, and its place given up
		if _, err := p.ask(operator.Request{Ask: operator.AskStatus}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	g.signal(syscall.SIGCONT)
	until("state")
	p.signal(syscall.SIGTERM)
	p.ends()
}
