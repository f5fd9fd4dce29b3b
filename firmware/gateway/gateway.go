// Package gateway is what a network sees of a unit: a process of its own, without a
// camera and without pixels, that hears the operators' socket and serves the
// commissioning page.
//
// A person logs in. What the person then asks goes to the unit as it is, with name and
// role; the unit decides. The unit never waits for a gateway, and one that hangs,
// floods or dies costs it nothing.
package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mien/firmware/config"
	"mien/firmware/operator"
)

// Options are what a gateway is made of.
type Options struct {
	Page    config.Page
	Folder  string                           // users and certificate
	Files   map[string][]byte                // of the page, by path
	Dial    func() (*operator.Client, error) // reaches the unit
	Link    *Link                            // to hear it with; nil: its own
	Version string                           // of this program
	About   map[string]string                // texts for the page: "licences"
	Open    map[string]string                // addresses of what else is open to the network: "modbus_tcp", "slmp", "metrics"
	Now     func() time.Time                 // nil: time.Now
	Say     func(format string, args ...any) // tells a technician; it must not wait
}

// Gateway serves one page.
type Gateway struct {
	o        Options
	users    *Users
	sessions *sessions
	doors    *doors
	rate     *buckets
	link     *Link
	files    map[string]*file
	hosts    map[string]bool
	cookie   string
	cert     atomic.Pointer[tls.Certificate]
	asking   chan struct{} // places of those who ask the unit
	heavy    *lane         // and of those whose answers take its time
	guessing chan struct{} // and of those whose password is looked at
	notes    chan string   // for the unit's journal
}

// New reads what a gateway needs; nothing is opened yet. The error says what is wrong
// with the certificate or the page.
func New(o Options) (*Gateway, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	g := &Gateway{o: o, users: NewUsers(o.Folder), hosts: map[string]bool{}, asking: make(chan struct{}, 4), heavy: &lane{places: make(chan struct{}, 2), of: map[string]int{}}, guessing: make(chan struct{}, 8), notes: make(chan string, 64)}
	var err error
	if g.files, err = pack(o.Files); err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	c, err := certificate(o.Page, o.Folder, o.Now())
	if err != nil {
		return nil, err
	}
	g.cert.Store(c)
	if info, err := os.Stat(o.Page.Key); err == nil && info.Mode().Perm()&0o006 != 0 {
		o.Say("everybody on this machine can read or write %s, and so pretend to be this page: sudo chmod o-rw %s", o.Page.Key, o.Page.Key)
	}
	for _, h := range hostsOf(o.Page) {
		g.hosts[h] = true
	}
	// A cookie is for a host, whatever the port: two gateways of one machine must not take
	// each other's.
	_, port, _ := net.SplitHostPort(o.Page.Listen)
	g.cookie = "mien-session-" + port
	if g.Certificate() != nil {
		g.cookie = "__Host-" + g.cookie
	}
	g.sessions = &sessions{users: g.users, idle: o.Page.Idle, now: o.Now, open: map[[32]byte]*session{}}
	g.doors = &doors{now: o.Now, wrong: map[string]*wrong{}}
	g.rate = &buckets{now: o.Now, rate: 50, most: 300, left: map[string]*bucket{}}
	if g.link = o.Link; g.link == nil {
		g.link = NewLink(context.Background(), o.Dial)
	}
	return g, nil
}

// Addresses are where a person finds the page: one that listens at every address of the
// machine is at each that others reach, and at loopback where there is none yet.
func (g *Gateway) Addresses(l net.Listener) (list []string) {
	scheme := "http://"
	if g.Certificate() != nil {
		scheme = "https://"
	}
	at, err := netip.ParseAddrPort(l.Addr().String())
	if err != nil || !at.Addr().IsUnspecified() {
		return []string{scheme + l.Addr().String() + "/"}
	}
	own := reached(at.Addr())
	if outside := slices.DeleteFunc(slices.Clone(own), netip.Addr.IsLoopback); len(outside) > 0 {
		own = outside
	}
	for _, a := range own {
		list = append(list, scheme+netip.AddrPortFrom(a, at.Port()).String()+"/")
	}
	return list
}

// Certificate is the page's; nil: it needs none.
func (g *Gateway) Certificate() *tls.Certificate { return g.cert.Load() }

// Listen opens the page's port. The error says what to do about it.
func (g *Gateway) Listen() (net.Listener, error) { return Listen("page.listen", g.o.Page.Listen) }

// Serve answers browsers until ctx ends, and closes l.
func (g *Gateway) Serve(ctx context.Context, l net.Listener) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if g.o.Link == nil {
		g.link.ctx = ctx
	}
	go g.write(ctx)
	if g.o.Page.Certificate != "" {
		go g.renew(ctx)
	}
	s := &http.Server{
		Handler:           g.Handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       20 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	bounded := &guarded{Listener: l, most: maxConns, mostEach: maxConnsEach, each: map[string]int{}}
	ended := make(chan error, 1)
	go func() {
		if g.Certificate() == nil {
			ended <- s.Serve(bounded)
			return
		}
		s.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return g.cert.Load(), nil }}
		ended <- s.ServeTLS(bounded, "", "")
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	s.Close()
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

const (
	maxConns     = 320
	maxConnsEach = 160 // of one address
	// sendBuffer bounds what waits in the kernel for a browser that reads slowly.
	sendBuffer = 32 << 10
)

// guarded is a listener that serves so many connections, and so many of one address.
type guarded struct {
	net.Listener
	most, mostEach int
	keepOut        func(netip.Addr) bool // nil: nobody

	mu   sync.Mutex // covers what is below
	all  int
	each map[string]int
}

func (g *guarded) Accept() (net.Conn, error) {
	for {
		c, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := hostOf(c.RemoteAddr().String())
		if a, err := netip.ParseAddr(from); g.keepOut != nil && (err != nil || g.keepOut(a.WithZone(""))) {
			c.Close()
			continue
		}
		g.mu.Lock()
		full := g.all >= g.most || g.each[from] >= g.mostEach
		if !full {
			g.all++
			g.each[from]++
		}
		g.mu.Unlock()
		if full {
			c.Close()
			continue
		}
		if t, ok := c.(*net.TCPConn); ok {
			t.SetWriteBuffer(sendBuffer)
		}
		return &conn{Conn: c, leave: sync.OnceFunc(func() { g.left(from) })}, nil
	}
}

func (g *guarded) left(from string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.all--
	if g.each[from]--; g.each[from] <= 0 {
		delete(g.each, from)
	}
}

type conn struct {
	net.Conn
	leave func()
}

func (c *conn) Close() error {
	c.leave()
	return c.Conn.Close()
}

// hostOf is the part of an address before its port, in small letters.
func hostOf(address string) string {
	if a, err := netip.ParseAddrPort(address); err == nil {
		return a.Addr().Unmap().String()
	}
	if host, _, err := net.SplitHostPort(address); err == nil {
		address = host
	}
	return strings.ToLower(strings.Trim(strings.TrimSuffix(address, "."), "[]"))
}

// note puts something into the unit's journal, as far as the unit is there.
func (g *Gateway) note(format string, args ...any) {
	select {
	case g.notes <- fmt.Sprintf(format, args...):
	default: // who knocks that often is counted by the unit too
	}
}

func (g *Gateway) write(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case text := <-g.notes:
			if c, err := g.o.Dial(); err == nil {
				c.Ask(operator.Request{Ask: operator.AskDo, Do: noteTrigger, Text: text})
				c.Close()
			}
		}
	}
}
