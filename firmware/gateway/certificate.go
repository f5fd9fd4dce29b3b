package gateway

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"mien/firmware/config"
	"mien/given"
)

// ourTime is before any unit was started: a clock that says less is not set, and
// judges no certificate.
var ourTime = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const (
	maxPEM     = 64 << 10
	renewEach  = time.Second
	warnBefore = 30 * 24 * time.Hour
)

// certificate gives the page's, nil where it needs none: loopback without one of its
// own. One that is missing is made, and kept in the gateway's folder.
func certificate(p config.Page, folder string, now time.Time) (*tls.Certificate, error) {
	switch {
	case p.Certificate != "":
		return readCertificate(p.Certificate, p.Key, now)
	case p.Loopback():
		return nil, nil
	}
	crt, key := filepath.Join(folder, "page.crt"), filepath.Join(folder, "page.key")
	hosts := hostsOf(p)
	c, err := readCertificate(crt, key, now)
	if err == nil && covers(c.Leaf, hosts) {
		return c, nil
	}
	if err := makeCertificate(crt, key, hosts, now); err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	return readCertificate(crt, key, now)
}

func readCertificate(crt, key string, now time.Time) (*tls.Certificate, error) {
	certPEM, err := given.Read(crt, maxPEM)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	keyPEM, err := given.Read(key, maxPEM)
	if err != nil {
		return nil, fmt.Errorf("key of the certificate: %w", err)
	}
	c, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w", crt, key, err)
	}
	switch leaf := c.Leaf; {
	case now.Before(ourTime):
	case now.After(leaf.NotAfter):
		return nil, fmt.Errorf("certificate %s ran out on %s: put a new one there", crt, leaf.NotAfter.UTC().Format("2006-01-02 15:04 UTC"))
	case now.Before(leaf.NotBefore):
		return nil, fmt.Errorf("certificate %s is good from %s on: is the clock right?", crt, leaf.NotBefore.UTC().Format("2006-01-02 15:04 UTC"))
	}
	return &c, nil
}

// renew takes over a certificate that was put in the place of the page's, as whoever
// renews it every few weeks does, and says in time that one runs out. One that is no good
// changes nothing.
func (g *Gateway) renew(ctx context.Context) {
	p := g.o.Page
	stamp := func() (text string) {
		for _, path := range []string{p.Certificate, p.Key} {
			if info, err := os.Stat(path); err == nil {
				text += fmt.Sprint(info.ModTime(), info.Size(), info.Sys().(*syscall.Stat_t).Ino, " ")
			}
		}
		return text
	}
	seen, warned := stamp(), time.Time{}
	for look := time.Tick(renewEach); ; {
		now := g.o.Now()
		if end := g.Certificate().Leaf.NotAfter; !now.Before(ourTime) && now.After(end.Add(-warnBefore)) && now.Sub(warned) >= 24*time.Hour {
			warned = now
			g.o.Say("certificate %s runs out on %s: put a new one there, no restart is needed", p.Certificate, end.UTC().Format("2006-01-02 15:04 UTC"))
		}
		select {
		case <-ctx.Done():
			return
		case <-look:
		}
		is := stamp()
		if is == seen {
			continue
		}
		seen = is
		switch c, err := readCertificate(p.Certificate, p.Key, now); {
		case err != nil:
			g.o.Say("the certificate in force stays: %v", err)
		case Fingerprint(c) != Fingerprint(g.Certificate()):
			g.cert.Store(c)
			g.o.Say("another certificate is in force: its fingerprint (SHA-256) is %s", Fingerprint(c))
		}
	}
}

// hostsOf are the names and addresses by which the page is reached.
func hostsOf(p config.Page) []string {
	hosts := []string{"localhost"}
	if name, err := os.Hostname(); err == nil && name != "" {
		hosts = append(hosts, strings.ToLower(name), strings.ToLower(name)+".local")
	}
	for _, name := range p.Names {
		hosts = append(hosts, strings.ToLower(name))
	}
	if a, err := netip.ParseAddrPort(p.Listen); err == nil {
		for _, own := range reached(a.Addr()) {
			hosts = append(hosts, own.String())
		}
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

// reached are the addresses of this machine at which a listener is reached: its own, or
// every one of its kind.
func reached(listens netip.Addr) (list []netip.Addr) {
	if !listens.IsUnspecified() {
		return []netip.Addr{listens.Unmap()}
	}
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	for _, a := range all {
		p, err := netip.ParsePrefix(a.String())
		if own := p.Addr().Unmap(); err == nil && !own.IsLinkLocalUnicast() && (own.Is4() || listens.Is6()) {
			list = append(list, own)
		}
	}
	return list
}

// covers tells whether a certificate still is the page's: it has the same names, and each
// address but those of IPv6, which change by themselves, on many a network every day. An
// address more does no harm: at a start before the network is there the machine has few,
// and the fingerprint that a person has compared must stay.
func covers(c *x509.Certificate, hosts []string) bool {
	var names []string
	for _, h := range hosts {
		switch ip := net.ParseIP(h); {
		case ip == nil:
			names = append(names, h)
		case ip.To4() != nil && !slices.ContainsFunc(c.IPAddresses, ip.Equal):
			return false
		}
	}
	return slices.Equal(names, c.DNSNames)
}

// makeCertificate makes one that vouches for itself: whoever compares its fingerprint
// knows the unit. It is good for ten years, also for a browser whose clock is right
// while the unit's is not.
func makeCertificate(crt, key string, hosts []string, now time.Time) error {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return err
	}
	if now.Before(ourTime) {
		now = ourTime
	}
	c := x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: "mien page"}, NotBefore: ourTime, NotAfter: now.AddDate(10, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, &c, &c, &private.PublicKey, private)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(crt), 0o700); err != nil {
		return err
	}
	return errors.Join(writeOwn(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})),
		writeOwn(crt, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
}

// Fingerprint is the SHA-256 of a certificate, as browsers show it.
func Fingerprint(c *tls.Certificate) string {
	sum := sha256.Sum256(c.Certificate[0])
	return string(bytes.ReplaceAll(fmt.Appendf(nil, "% X", sum[:]), []byte(" "), []byte(":")))
}
