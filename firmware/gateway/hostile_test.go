package gateway

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"mien/firmware/config"
	"mien/firmware/operator"
)

// hostileRequests is how many TestHostileRequests sends; MIEN_HOSTILE=1000000 sends a million.
func hostileRequests(t *testing.T) int {
	n := 20_000
	if testing.Short() {
		n = 2_000
	}
	if text := os.Getenv("MIEN_HOSTILE"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatal("MIEN_HOSTILE:", err)
		}
	}
	return n
}

// pieces are what hostile requests are made of.
var pieces = struct{ methods, paths, bodies []string }{
	methods: []string{"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "PATCH", "PROPFIND", "get", "\x00", "GETGETGETGET"},
	paths: []string{"/", "/api/login", "/api/me", "/api/logout", "/api/password", "/api/ask", "/api/stream", "/api/events", "/api/events.csv", "/api/about", "/api/", "/api",
		"/../../etc/passwd", "/..%2f..%2fetc%2fpasswd", "/%2e%2e/%2e%2e/users.json", "/users.json", "/.git/config", "/.env", "/admin", "/cgi-bin/x", "//evil.example/", "/\\..\\users.json",
		"/index.html%00.js", "/%ff%fe", "/api/events?after=-1&most=99999999999999999999&text=%00", "/api/events.csv?from=x&to=y&alarm=" + strings.Repeat("a", 3000), "http://evil.example/api/me",
		"/?" + strings.Repeat("a=b&", 500), "/" + strings.Repeat("a/", 2000), "/api/ask;x=y", "/API/ME", "*"},
	bodies: []string{"", "{}", "null", "[]", "7", `{"ask":"status"}`, `{"ask":"do","do":"acknowledge"}`, `{"ask":"do","do":"reset","who":"adam","role":"administrator"}`, `{"ask":"clock","time":"1970-01-01T00:00:00Z"}`,
		`{"ask":"config"}`, `{"ask":"config","config":{"do":"apply","text":"[unit]"}}`, `{"ask":"stream"}`, `{"ask":{"ask":{"ask":[[[[[[`, strings.Repeat("[", 20_000), strings.Repeat(`{"a":`, 5_000), "\x00\xff\xfe",
		`{"ask":"events","most":-1}`, `{"ask":"do","do":"note","text":"` + strings.Repeat("<script>", 200) + `"}`, `{"ask":"test","for":9223372036854775807}`, `{"ask":"status","ask":"clock"}`},
}

// hostile is one request of many kinds; the cookie is a viewer's now and then.
func hostileRequest(r *rand.Rand, viewer *person) []byte {
	pick := func(list []string) string { return list[r.IntN(len(list))] }
	var b bytes.Buffer
	body := pick(pieces.bodies)
	path := pick(pieces.paths)
	if path == "/api/stream" && r.IntN(50) > 0 { // it stays open
		path = "/api/me"
	}
	fmt.Fprintf(&b, "%s %s HTTP/1.%d\r\n", pick(pieces.methods), path, r.IntN(2))
	if r.IntN(20) > 0 {
		fmt.Fprintf(&b, "Host: %s\r\n", pick([]string{"127.0.0.1", "127.0.0.1", "127.0.0.1", "localhost:8470", "evil.example", "", "[::1]", "a b"}))
	}
	switch r.IntN(6) {
	case 0:
		fmt.Fprintf(&b, "Cookie: %s=%s\r\n", viewer.cookie.Name, viewer.cookie.Value)
	case 1:
		fmt.Fprintf(&b, "Cookie: %s=%s; %s\r\n", viewer.cookie.Name, viewer.cookie.Value[:20], strings.Repeat("x=y; ", 100))
	case 2:
		fmt.Fprintf(&b, "Cookie: %s=%s\r\nX-Mien-CSRF: %s\r\n", viewer.cookie.Name, viewer.cookie.Value, viewer.csrf)
	}
	for range r.IntN(4) {
		b.WriteString(pick([]string{"Content-Type: application/json\r\n", "Content-Type: application/json\r\n", "Content-Type: text/plain\r\n", "Origin: https://evil.example\r\n", "Sec-Fetch-Site: cross-site\r\n",
			"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x\r\n", "Accept-Encoding: gzip\r\n", "Range: bytes=0-1,5-9,-4\r\n", "If-None-Match: *\r\n", "Expect: 100-continue\r\n",
			"X-Forwarded-For: 10.0.0.1\r\n", "X-" + strings.Repeat("h", 300) + ": " + strings.Repeat("v", 300) + "\r\n", "Last-Event-ID: 99\r\n", "X-HTTP-Method-Override: DELETE\r\n", "bad header\r\n", "Content-Length: 7\r\n"}))
	}
	switch r.IntN(5) {
	case 0:
		fmt.Fprintf(&b, "Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body)
	case 1:
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body)+r.IntN(3)-1, body)
	default:
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
	}
	out := b.Bytes()
	for range r.IntN(3) / 2 * 3 { // now and then damaged
		out[r.IntN(len(out))] = byte(r.Uint32())
	}
	if r.IntN(40) == 0 {
		out = out[:r.IntN(len(out)+1)]
	}
	return out
}

// Hostile requests in whatever pieces: the gateway goes on, grows by nothing, tells
// nobody what the role may not see, and does nothing to the unit.
func TestHostileRequests(t *testing.T) {
	b := newBench(t)
	vera := b.logIn(t, "vera")
	good := &person{t: t, b: b}
	count := hostileRequests(t)
	address := strings.TrimPrefix(b.server.URL, "http://")
	secret := []string{"$argon2id$", "correct horse", `"versions"`, "root:"}
	send := func(n int, seed uint64) (answered int) {
		r := rand.New(rand.NewPCG(seed, 7))
		var c net.Conn
		for range n {
			if c == nil {
				var err error
				if c, err = net.Dial("tcp", address); err != nil {
					time.Sleep(time.Millisecond)
					continue
				}
			}
			c.SetDeadline(time.Now().Add(200 * time.Millisecond))
			keep := false
			if _, err := c.Write(hostileRequest(r, vera)); err == nil && r.IntN(30) > 0 { // else it goes without reading
				if answer, err := http.ReadResponse(bufio.NewReader(c), nil); err == nil {
					answered++
					text, err := io.ReadAll(answer.Body)
					keep = err == nil && !answer.Close
					if answer.StatusCode == 500 {
						t.Errorf("an internal error: %s", text)
					}
					for _, s := range secret {
						if bytes.Contains(text, []byte(s)) {
							t.Errorf("an answer has %q: %.200s", s, text)
						}
					}
				}
			}
			if !keep {
				c.Close()
				c = nil
			}
		}
		if c != nil {
			c.Close()
		}
		return answered
	}
	send(min(count, 500), 99) // whatever grows once has grown
	settle := func() (goroutines int, heap uint64) {
		time.Sleep(3 * time.Second) // what is half sent has timed out
		http.DefaultClient.CloseIdleConnections()
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return runtime.NumGoroutine(), m.HeapInuse
	}
	g0, h0 := settle()
	var workers sync.WaitGroup
	var answered atomic.Int64
	const at = 64 // at once: most wait for the end of what is half a request
	for i := range at {
		workers.Go(func() { answered.Add(int64(send(count/at, uint64(i)))) })
	}
	workers.Wait()
	g1, h1 := settle()
	if g1 > g0+20 || h1 > h0+8<<20 {
		t.Errorf("it has grown: %d goroutines and %d kB, then %d and %d", g0, h0>>10, g1, h1>>10)
	}
	if int(answered.Load()) < count/4 {
		t.Errorf("%d of %d were answered", answered.Load(), count)
	}
	b.unit.mu.Lock()
	for _, e := range b.unit.journal {
		if e.Who != "" && strings.HasPrefix(e.Who, "vera") && !strings.HasPrefix(e.Cause, "refused") {
			t.Errorf("a viewer did %v", e)
		}
		if strings.HasPrefix(e.Who, "adam") {
			t.Errorf("somebody did it as another: %v", e)
		}
	}
	b.unit.mu.Unlock()
	if status, _, _ := good.send("GET", "/", nil, nil); status != 200 {
		t.Errorf("and then: %d", status)
	}
	t.Logf("%d requests, %d answered; goroutines %d, then %d; heap %d kB, then %d kB", count, answered.Load(), g0, g1, h0>>10, h1>>10)
}

// certify opens a gateway off loopback's rules with the certificate of its folder.
func certify(t *testing.T, page config.Page, folder string, now time.Time) (*Gateway, error) {
	t.Helper()
	return New(Options{Page: page, Folder: folder, Files: map[string][]byte{"index.html": []byte("page")}, Now: func() time.Time { return now },
		Dial: func() (*operator.Client, error) { return operator.Dial("/nowhere") }, Say: t.Logf})
}

// Off loopback there is TLS, with a certificate that is made once, and made anew for
// other names; a person's own that has run out is refused, but not by a clock that is
// not set.
func TestCertificates(t *testing.T) {
	folder := t.TempDir()
	now := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	page := config.Page{Listen: "0.0.0.0:8470", Idle: time.Minute, Names: []string{"press3.plant.example"}}
	g, err := certify(t, page, folder, now)
	if err != nil {
		t.Fatal(err)
	}
	print1 := Fingerprint(g.Certificate())
	if leaf := g.Certificate().Leaf; leaf.VerifyHostname("press3.plant.example") != nil || len(print1) != 95 || !strings.HasPrefix(g.cookie, "__Host-") {
		t.Error(leaf.DNSNames, print1, g.cookie)
	}
	if info, err := os.Stat(filepath.Join(folder, "page.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
	if g, err = certify(t, page, folder, now.AddDate(1, 0, 0)); err != nil || Fingerprint(g.Certificate()) != print1 {
		t.Error("it is made anew at each start", err)
	}
	page.Names = nil
	if g, err = certify(t, page, folder, now); err != nil || Fingerprint(g.Certificate()) == print1 {
		t.Error("it is not made anew for other names", err)
	}
	// Addresses come and go: the fingerprint stays for those that were there before.
	leaf, hosts := g.Certificate().Leaf, hostsOf(page)
	less := slices.DeleteFunc(slices.Clone(hosts), func(h string) bool { return net.ParseIP(h) != nil })
	for name, c := range map[string]struct {
		hosts []string
		stays bool
	}{"all": {hosts, true}, "no network yet": {less, true}, "another IPv6": {append(slices.Clone(less), "2001:db8::7"), true}, "another IPv4": {append(slices.Clone(less), "192.0.2.7"), false}} {
		slices.Sort(c.hosts)
		if covers(leaf, c.hosts) != c.stays {
			t.Errorf("%s: %v for %v %v", name, !c.stays, leaf.DNSNames, leaf.IPAddresses)
		}
	}
	own := page
	own.Certificate, own.Key = filepath.Join(folder, "page.crt"), filepath.Join(folder, "page.key")
	if _, err = certify(t, own, folder, now.AddDate(20, 0, 0)); err == nil || !strings.Contains(err.Error(), "ran out on 2036-12-01") {
		t.Error("run out:", err)
	}
	if g, err = certify(t, page, folder, now.AddDate(20, 0, 0)); err != nil || !g.Certificate().Leaf.NotAfter.After(now.AddDate(29, 0, 0)) {
		t.Error("one of its own that has run out is made anew:", err)
	}
	epoch := time.Unix(1000, 0)
	if _, err = certify(t, own, folder, epoch); err != nil {
		t.Error("a clock in 1970:", err)
	}
	fresh := t.TempDir()
	if g, err = certify(t, page, fresh, epoch); err != nil || g.Certificate().Leaf.NotBefore.After(now) || g.Certificate().Leaf.NotAfter.Before(now.AddDate(5, 0, 0)) {
		t.Error("made in 1970, and no good for a browser whose clock is right", err)
	}
	own.Key = own.Certificate
	if _, err = certify(t, own, folder, now); err == nil {
		t.Error("a certificate as its key")
	}
	os.WriteFile(own.Certificate, []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), 0o600)
	if g, err = certify(t, page, folder, now); err != nil || g.Certificate() == nil {
		t.Error("a damaged one of its own is made anew:", err)
	}
	if g, err = certify(t, config.Page{Listen: "127.0.0.1:8470"}, folder, now); err != nil || g.Certificate() != nil {
		t.Error("loopback needs none:", err)
	}
}

// A person's own certificate is taken over when it is renewed, without a new start; one
// that is no good changes nothing, and one that soon runs out is told.
func TestCertificateIsRenewed(t *testing.T) {
	folder := t.TempDir()
	crt, key := filepath.Join(folder, "a.crt"), filepath.Join(folder, "a.key")
	made := time.Now()
	if err := makeCertificate(crt, key, []string{"localhost"}, made); err != nil {
		t.Fatal(err)
	}
	os.Chmod(key, 0o644)
	end := made.AddDate(10, 0, 0)
	now := end.AddDate(0, 0, -7)
	said := make(chan string, 16)
	g, err := New(Options{Page: config.Page{Listen: "127.0.0.1:0", Certificate: crt, Key: key, Idle: time.Minute}, Folder: folder, Files: map[string][]byte{"index.html": []byte("page")},
		Now: func() time.Time { return now }, Say: func(format string, args ...any) { said <- fmt.Sprintf(format, args...) }})
	if err != nil {
		t.Fatal(err)
	}
	l, err := g.Listen()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Serve(ctx, l) }()
	defer func() { stop(); <-ended }()
	hears := func(text string) {
		t.Helper()
		select {
		case line := <-said:
			if !strings.Contains(line, text) {
				t.Errorf("says %q, not %q", line, text)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("does not say %q", text)
		}
	}
	shows := func() string {
		t.Helper()
		c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return Fingerprint(&tls.Certificate{Certificate: [][]byte{c.ConnectionState().PeerCertificates[0].Raw}})
	}
	hears("sudo chmod o-rw " + key)
	hears("runs out on " + end.UTC().Format("2006-01-02"))
	first := shows()
	whole, _ := os.ReadFile(crt)
	os.WriteFile(crt, whole[:len(whole)/2], 0o600)
	hears("the certificate in force stays")
	if shows() != first {
		t.Error("half a certificate is in force")
	}
	if err := makeCertificate(crt, key, []string{"localhost"}, now); err != nil {
		t.Fatal(err)
	}
	for shows() == first { // the key may be there before its certificate
		select {
		case <-said:
		case <-time.After(20 * time.Second):
			t.Fatal("it is not taken over")
		}
	}
}

// What is printed is what a person can open; 0.0.0.0 is IPv4 and nothing else.
func TestAddresses(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1:0": `^http://127\.0\.0\.1:\d+/$`, "[::1]:0": `^http://\[::1\]:\d+/$`, "0.0.0.0:0": `^https://[0-9.]+:\d+/$`, "[::]:0": `^https://([0-9.]+|\[[0-9a-f:]+\]):\d+/$`,
	} {
		g, err := certify(t, config.Page{Listen: listen, Idle: time.Minute}, t.TempDir(), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		l, err := g.Listen()
		if errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT) {
			t.Logf("%s is not on this machine: %v", listen, err)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		list := g.Addresses(l)
		if len(list) == 0 {
			t.Errorf("%s: none", listen)
		}
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- g.Serve(ctx, l) }()
		for _, at := range list {
			if !regexp.MustCompile(want).MatchString(at) || strings.Contains(at, "[::]") || strings.Contains(at, "0.0.0.0") {
				t.Errorf("%s: %s", listen, at)
			}
			answer, err := client.Get(at)
			if err != nil {
				t.Errorf("%s: %v", listen, err)
				continue
			}
			answer.Body.Close()
		}
		_, port, _ := net.SplitHostPort(l.Addr().String())
		if c, err := net.Dial("tcp", "[::1]:"+port); err == nil {
			if c.Close(); listen == "0.0.0.0:0" {
				t.Error("0.0.0.0 is open to IPv6 too")
			}
		}
		client.CloseIdleConnections()
		stop()
		<-ended
	}
}

// Over TLS the page speaks HTTP/2, with a cookie that no other way carries, and plain
// HTTP gets nothing.
func TestTLS(t *testing.T) {
	g, err := certify(t, config.Page{Listen: "0.0.0.0:8470", Idle: time.Minute}, t.TempDir(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := g.users.Add("anna", operator.Viewer, password, time.Now()); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Serve(ctx, l) }()
	defer func() { stop(); <-ended }()
	roots := x509.NewCertPool()
	roots.AddCert(g.Certificate().Leaf)
	client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "localhost"}}}
	at := "https://" + l.Addr().String() + "/"
	answer, err := client.Post(at+"api/login", "application/json", strings.NewReader(`{"name":"anna","password":"`+password+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	c := answer.Cookies()
	if answer.ProtoMajor != 2 || len(c) != 1 || !c[0].Secure || !c[0].HttpOnly || !strings.HasPrefix(c[0].Name, "__Host-") || answer.Header.Get("Strict-Transport-Security") == "" {
		t.Error(answer.Proto, answer.Status, c)
	}
	old := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "localhost", MaxVersion: tls.VersionTLS11}}}
	if _, err := old.Get(at); err == nil {
		t.Error("TLS 1.1")
	}
	if answer, err := http.Get("http://" + l.Addr().String() + "/"); err == nil {
		if answer.Body.Close(); answer.StatusCode != 400 {
			t.Error("plain HTTP:", answer.Status)
		}
	}
	client.CloseIdleConnections()
}
