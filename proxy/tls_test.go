package proxy

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// certificate makes one for mx.weir.example, valid an hour.
func certificate(t testing.TB, serial int64) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"mx.weir.example"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

func withTLS(t testing.TB, mode TLSMode) func(*front) {
	config := certificate(t, 1)
	return func(f *front) {
		f.listener.TLS = mode
		f.TLS = func() *tls.Config { return config }
	}
}

// startTLS says STARTTLS, with what is given behind it in the same write, and goes on encrypted.
func (c *talker) startTLS(behind string) *talker {
	c.t.Helper()
	c.send("STARTTLS\r\n" + behind)
	c.expect("220")
	return c.encrypted()
}

func (c *talker) encrypted() *talker {
	c.t.Helper()
	secure := tls.Client(c.conn, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // our own, made above
	if err := secure.Handshake(); err != nil {
		c.t.Fatal(err)
	}
	return newTalker(c.t, secure)
}

func TestStartTLS(t *testing.T) {
	f := newFront(t, withTLS(t, StartTLS))
	c := f.dial()
	if offer := c.cmd("EHLO client.example", "250"); !strings.Contains(offer, "STARTTLS") {
		t.Errorf("offer %q", offer)
	}
	c = c.startTLS("")
	c.cmd("MAIL FROM:<ann@client.example>", "503")
	if offer := c.cmd("EHLO client.example", "250"); strings.Contains(offer, "STARTTLS") {
		t.Errorf("offer in TLS %q", offer)
	}
	c.cmd("STARTTLS", "503")
	c.cmd("MAIL FROM:<ann@client.example>", "250")
	c.cmd("RCPT TO:<bob@weir.example>", "250")
	c.data(note, "250")
	c.cmd("QUIT", "221")
	if r := f.recorded(1)[0]; r.Session.Proto != "ESMTPS" || r.Session.TLS != "TLS1.3" {
		t.Errorf("recorded %+v", r.Session)
	}
	if got := string(f.taken()[0].Data); !strings.Contains(got, "with ESMTPS") {
		t.Errorf("headers %.400q", got)
	}
}

func TestPlaintextBehindStartTLSIsForgotten(t *testing.T) {
	f := newFront(t, withTLS(t, StartTLS))
	c := f.hello()
	c.cmd("MAIL FROM:<evil@client.example>", "250")
	c.cmd("RCPT TO:<eve@weir.example>", "250")
	c = c.startTLS("EHLO evil.example\r\nMAIL FROM:<evil@client.example>\r\n")
	c.cmd("RCPT TO:<bob@weir.example>", "503")
	c.cmd("DATA", "503")
	c.cmd("EHLO client.example", "250")
	c.cmd("DATA", "503")
	c.cmd("MAIL FROM:<ann@client.example>", "250")
	c.cmd("RCPT TO:<bob@weir.example>", "250")
	c.data(note, "250")
	if m := f.taken()[0]; m.Mail != "FROM:<ann@client.example>" || len(m.Rcpts) != 1 {
		t.Errorf("arrived %q %q", m.Mail, m.Rcpts)
	}
}

// Inside TLS the same holds as in clear.
func TestDoubtfulLineEndsInTLS(t *testing.T) {
	f := newFront(t, withTLS(t, StartTLS))
	c := f.hello().startTLS("")
	c.cmd("EHLO client.example", "250")
	c.cmd("MAIL FROM:<ann@client.example>", "250")
	c.cmd("MAIL FROM:<ann@client.example>", "503")
	c.cmd("RCPT TO:<bob@weir.example>", "250")
	c.cmd("ETRN x", "502")
	c.cmd("DATA", "354")
	c.send(note + "\n.\r\n" + smuggled)
	c.expect("550 5.6.11")
	c.expect("")
	if len(f.sink.Messages()) != 0 {
		t.Error("a message reached the backend")
	}
}

func TestAFailedHandshakeEndsTheSession(t *testing.T) {
	f := newFront(t, withTLS(t, StartTLS))
	c := f.hello()
	c.cmd("STARTTLS", "220")
	c.send("MAIL FROM:<ann@client.example>\r\nRCPT TO:<bob@weir.example>\r\n")
	rest, _ := io.ReadAll(c.r) // a TLS alert, perhaps
	if strings.Contains(string(rest), "250") {
		t.Errorf("the session goes on in clear: %q", rest)
	}
}

func TestImplicitTLS(t *testing.T) {
	f := newFront(t, withTLS(t, ImplicitTLS))
	c := f.connect().encrypted()
	c.expect("220 mx.weir.example")
	c.cmd("EHLO client.example", "250")
	c.cmd("MAIL FROM:<ann@client.example>", "250")
	c.cmd("RCPT TO:<bob@weir.example>", "250")
	c.data(note, "250")
}

func TestCertificatesAreExchangedWithoutARestart(t *testing.T) {
	var current atomic.Pointer[tls.Config]
	current.Store(certificate(t, 1))
	f := newFront(t, func(f *front) {
		f.listener.TLS = StartTLS
		f.TLS = current.Load
	})
	serial := func() int64 {
		c := f.hello().startTLS("")
		return c.conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if n := serial(); n != 1 {
		t.Errorf("serial %d", n)
	}
	current.Store(certificate(t, 2))
	if n := serial(); n != 2 {
		t.Errorf("serial %d after the exchange", n)
	}
}

func TestATrustedProxySaysWhoTheClientIs(t *testing.T) {
	f := newFront(t, func(f *front) {
		withTLS(t, ImplicitTLS)(f)
		f.listener.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
	v2 := "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0f\xcb\x00\x71\x09\x7f\x00\x00\x01\x30\x39\x00\x19\x04\x00\x00"
	for _, header := range []string{"PROXY TCP4 203.0.113.9 127.0.0.1 12345 25\r\n", v2} {
		c := f.connect()
		c.send(header)
		c = c.encrypted()
		c.expect("220")
		c.cmd("EHLO client.example", "250")
		c.cmd("MAIL FROM:<ann@client.example>", "250")
		c.cmd("RCPT TO:<bob@weir.example>", "250")
		c.data(note, "250")
	}
	for _, r := range f.recorded(2) {
		if r.Session.Client.IP != "203.0.113.9" || r.Session.Client.Port != 12345 {
			t.Errorf("recorded %+v", r.Session.Client)
		}
	}
	if got := string(f.taken()[1].Data); !strings.Contains(got, "[203.0.113.9]") {
		t.Errorf("headers %.400q", got)
	}
	c := f.connect()
	c.send("EHLO client.example\r\n")
	c.expect("")
}

func FuzzProxy(f *testing.F) {
	f.Add("PROXY TCP6 2001:db8::1 ::1 1 2\r\nEHLO")
	f.Add("PROXY UNKNOWN\r\n")
	f.Add("\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00")
	f.Fuzz(func(t *testing.T, data string) {
		r := bufio.NewReader(strings.NewReader(data))
		from, err := readProxy(r)
		if from.IsValid() && (err != nil || from.Addr().Zone() != "" || from.Addr().Is4In6()) {
			t.Errorf("%q: %v, %v", data, from, err)
		}
		if err == nil && strings.HasPrefix(data, "PROXY ") {
			if end := strings.Index(data, "\r\n") + 2; r.Buffered() != len(data)-end {
				t.Errorf("%q: %d bytes left", data, r.Buffered())
			}
		}
	})
}
