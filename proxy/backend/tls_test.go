package backend

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/proxy/backend/sink"
)

// authority makes a certificate for 127.0.0.1 and name, valid an hour, and the pool of those who vouch for it.
func authority(t testing.TB, name string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{name},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func TestTLS(t *testing.T) {
	cert, pool := authority(t, "mail.weir.example")
	_, strangers := authority(t, "mail.weir.example")
	good := &tls.Config{Certificates: []tls.Certificate{cert}}
	old := &tls.Config{Certificates: []tls.Certificate{cert}, MaxVersion: tls.VersionTLS10, MinVersion: tls.VersionTLS10} //nolint:gosec // to be refused
	answer := func(a sink.Action) map[sink.Stage]sink.Action { return map[sink.Stage]sink.Action{sink.StartTLS: a} }
	for _, c := range []struct {
		name     string
		security Security
		client   *tls.Config
		script   sink.Script
		inTLS    bool
		fails    error // nil: none
	}{
		{"off", InClear, nil, sink.Script{TLS: good}, false, nil},
		{"opportunistic, not verified", Opportunistic, nil, sink.Script{TLS: good}, true, nil},
		{"opportunistic, not offered", Opportunistic, nil, sink.Script{}, false, nil},
		{"opportunistic, put off", Opportunistic, nil, sink.Script{TLS: good, On: answer(sink.Action{Kind: sink.Answer, Text: "454 4.7.0 not now"})}, false, nil},
		{"opportunistic, no common version", Opportunistic, nil, sink.Script{TLS: old}, false, nil},
		{"required", Required, &tls.Config{RootCAs: pool}, sink.Script{TLS: good}, true, nil},
		{"required, by name", Required, &tls.Config{RootCAs: pool, ServerName: "mail.weir.example"}, sink.Script{TLS: good}, true, nil},
		{"required, another name", Required, &tls.Config{RootCAs: pool, ServerName: "other.example"}, sink.Script{TLS: good}, false, errHandshake},
		{"required, another authority", Required, &tls.Config{RootCAs: strangers}, sink.Script{TLS: good}, false, errHandshake},
		{"required, the system's roots", Required, nil, sink.Script{TLS: good}, false, errHandshake},
		{"required, not offered", Required, &tls.Config{RootCAs: pool}, sink.Script{}, false, errNoTLS},
		{"required, put off", Required, &tls.Config{RootCAs: pool}, sink.Script{TLS: good, On: answer(sink.Action{Kind: sink.Answer, Text: "454 4.7.0 not now"})}, false, errNoTLS},
		{"required, no common version", Required, &tls.Config{RootCAs: pool}, sink.Script{TLS: old}, false, errHandshake},
		{"required, replies injected", Required, &tls.Config{RootCAs: pool}, sink.Script{TLS: good, On: answer(sink.Action{Kind: sink.Raw, Text: "220 go\r\n250 ok\r\n"})}, false, errAhead},
	} {
		s, b := start(t)
		b.Timeout = 5 * time.Second
		b.Security, b.TLS = c.security, c.client
		s.Set(c.script)
		conn, err := b.Open(t.Context())
		if !errors.Is(err, c.fails) || (err == nil) != (c.fails == nil) {
			t.Errorf("%s: %v", c.name, err)
		}
		if err != nil {
			if slices.ContainsFunc(s.Commands(), func(l string) bool { return l[:4] == "MAIL" }) {
				t.Errorf("%s: mail went in clear", c.name)
			}
			continue
		}
		conn.Mail("<>", nil)
		if r, err := conn.Rcpt("<bob@weir.example>", nil); err != nil || !r.OK() {
			t.Fatalf("%s: %v, %v", c.name, r, err)
		}
		if r, err := conn.Data([]byte("A: b\r\n")); err != nil || !r.OK() {
			t.Fatalf("%s: %v, %v", c.name, r, err)
		}
		conn.Quit()
		if m := s.Messages()[0]; m.TLS != c.inTLS {
			t.Errorf("%s: encrypted %v", c.name, m.TLS)
		}
	}
}

func TestAClientCertificateIsShown(t *testing.T) {
	s, b := start(t)
	cert, pool := authority(t, "mail.weir.example")
	ours, oursPool := authority(t, "mx.weir.example")
	b.Timeout = 5 * time.Second
	b.Security = Required
	s.Set(sink.Script{TLS: &tls.Config{Certificates: []tls.Certificate{cert}, ClientCAs: oursPool, ClientAuth: tls.RequireAndVerifyClientCert}})
	b.TLS = &tls.Config{RootCAs: pool}
	if _, err := b.Open(t.Context()); err == nil {
		t.Error("served without a certificate")
	}
	b.TLS.Certificates = []tls.Certificate{ours}
	open(t, b)
}

// A server that stops reading in TLS does not hold us either.
func TestAStallInTLSEnds(t *testing.T) {
	s, b := start(t)
	cert, pool := authority(t, "mail.weir.example")
	b.Security, b.TLS, b.Timeout = Required, &tls.Config{RootCAs: pool}, time.Second
	s.Set(sink.Script{TLS: &tls.Config{Certificates: []tls.Certificate{cert}}, On: map[sink.Stage]sink.Action{sink.Body: {Kind: sink.Stall, After: 1000}}})
	c := open(t, b)
	began := time.Now()
	if r, err := c.Data(make([]byte, 32<<20)); err == nil {
		t.Errorf("reply %v", r)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestREQUIRETLSNeedsAVerifiedServer(t *testing.T) {
	s, b := start(t)
	cert, pool := authority(t, "mail.weir.example")
	b.TLS, b.Timeout = &tls.Config{RootCAs: pool}, 5*time.Second
	s.Set(sink.Script{Offers: []string{"REQUIRETLS"}, TLS: &tls.Config{Certificates: []tls.Certificate{cert}}})
	for _, security := range []Security{InClear, Opportunistic, Required} {
		b.Security = security
		if c := open(t, b); c.Offer.Has("REQUIRETLS") != (security == Required) {
			t.Errorf("%d: offer %v", security, c.Offer)
		}
	}
}

// elsewhere is a connection to a server that is, by its address, another machine's.
type elsewhere struct{ net.Conn }

func (elsewhere) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort("192.0.2.25:25"))
}

func TestPasswordsDoNotLeaveInClear(t *testing.T) {
	if !staysHere(&net.UnixAddr{}) || !staysHere(&net.TCPAddr{IP: net.IPv6loopback}) || staysHere(&net.TCPAddr{IP: net.IPv4(192, 0, 2, 7)}) {
		t.Error("what is this machine is not known")
	}
	cert, _ := authority(t, "mail.weir.example")
	secure := &tls.Config{Certificates: []tls.Certificate{cert}}
	for _, c := range []struct {
		name string
		away bool
		tls  *tls.Config
		want string
	}{
		{"here, in clear", false, nil, "PLAIN SCRAM-SHA-256 LOGIN XOAUTH2 OAUTHBEARER"},
		{"away, in clear", true, nil, "SCRAM-SHA-256"},
		{"away, by TLS", true, secure, "PLAIN SCRAM-SHA-256 LOGIN XOAUTH2 OAUTHBEARER"},
	} {
		s, b := start(t)
		b.Security = Opportunistic
		s.Set(sink.Script{Offers: []string{"AUTH PLAIN SCRAM-SHA-256 LOGIN XOAUTH2 OAUTHBEARER"}, TLS: c.tls, Users: map[string]string{"ann": "s3cret"}})
		nc, err := net.Dial("tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		if c.away {
			nc = elsewhere{nc}
		}
		conn := &Conn{Addr: s.Addr(), backend: b, life: life{born: time.Now()}}
		if err := conn.begin(t.Context(), nc, Opportunistic, time.Now().Add(5*time.Second)); err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if got := conn.Offer["AUTH"]; got != c.want {
			t.Errorf("%s: offered %q", c.name, got)
		}
		_, err = conn.Auth("plain AGFubgBzM2NyZXQ=", nil)
		said := slices.ContainsFunc(s.Commands(), func(l string) bool { return strings.HasPrefix(l, "AUTH") })
		if refused := c.want == "SCRAM-SHA-256"; errors.Is(err, errMechanism) != refused || said == refused {
			t.Errorf("%s: AUTH was said: %v, %v", c.name, said, err)
		}
	}
}

// FuzzExtensions: whatever a server offers, limits are limits.
func FuzzExtensions(f *testing.F) {
	f.Add("size 1000", "LIMITS rcptmax=5")
	f.Add("SIZE -1", "LIMITS RCPTMAX=99999999999999999999")
	f.Fuzz(func(t *testing.T, one, two string) {
		e := extensions([]string{one, two})
		both := Common(e, extensions([]string{two}))
		for _, e := range []Extensions{e, both} {
			if e.MaxSize() < 0 || e.MaxRecipients() < 0 {
				t.Errorf("%q", e)
			}
		}
		for keyword := range both {
			if keyword != "SIZE" && keyword != "LIMITS" && !e.Has(keyword) {
				t.Errorf("%q is in %q", keyword, e)
			}
		}
	})
}
