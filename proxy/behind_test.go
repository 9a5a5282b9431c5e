package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"strings"
	"testing"

	"weir/proxy/backend"
	"weir/proxy/backend/sink"
)

// Somebody in the middle takes STARTTLS out of the offer: no mail goes, and the client tries again.
func TestTLSThatIsRequiredIsNeverGivenUp(t *testing.T) {
	f := newFront(t, func(f *front) { f.sink.Set(sink.Script{TLS: certificate(t, 1)}) })
	f.Backend.Security, f.Backend.TLS = backend.Required, &tls.Config{}
	for _, script := range []sink.Script{{}, {TLS: certificate(t, 2)}} { // stripped; another's certificate
		f.sink.Set(script)
		if got := f.deliver(note); !strings.HasPrefix(got, "451 4.4.1") {
			t.Errorf("reply %q", got)
		}
	}
	for _, line := range f.sink.Commands() {
		if strings.HasPrefix(line, "MAIL") {
			t.Errorf("mail went: %q", line)
		}
	}
}

// By LMTP each recipient has its own last word, which one reply to several could not say: so there is one recipient at
// a time.
func TestLMTPTakesOneRecipientAtATime(t *testing.T) {
	f := newFront(t, func(f *front) { f.Backend.LMTP = true })
	c := f.dial()
	if offer := c.cmd("EHLO client.example", "250"); !strings.Contains(offer, "LIMITS RCPTMAX=1") {
		t.Errorf("offer %q", offer)
	}
	f.sink.Set(sink.Script{Rcpt: func(path string) string {
		if strings.HasPrefix(path, "no") {
			return "550 5.1.1 no such user"
		}
		return ""
	}})
	c.cmd("MAIL FROM:<ann@client.example>", "250")
	c.cmd("RCPT TO:<no@weir.example>", "550 5.1.1")
	c.cmd("RCPT TO:<bob@weir.example>", "250")
	c.cmd("RCPT TO:<eve@weir.example>", "452 4.5.3")
	c.data(note, "250")
	c.cmd("MAIL FROM:<ann@client.example>", "250")
	c.cmd("RCPT TO:<eve@weir.example>", "250")
	c.data(note, "250")
	if all := f.taken(); len(all) != 2 || len(all[0].Rcpts) != 1 || len(all[1].Rcpts) != 1 {
		t.Errorf("taken %+v", all)
	}
}

func TestTheLimitOfTheServerBehindHolds(t *testing.T) {
	f := newFront(t, func(f *front) { f.sink.Set(sink.Script{Offers: []string{"PIPELINING", "LIMITS RCPTMAX=2"}}) })
	c := f.dial()
	if offer := c.cmd("EHLO client.example", "250"); !strings.Contains(offer, "LIMITS RCPTMAX=2") {
		t.Errorf("offer %q", offer)
	}
	c.cmd("MAIL FROM:<ann@client.example>", "250")
	for _, want := range []string{"250", "250", "452 4.5.3"} {
		c.cmd("RCPT TO:<bob@weir.example>", want)
	}
	c.data(note, "250")
}

// The server behind is told who the client is, anew for each client, and its no to a client is the client's.
func TestTheServerBehindLearnsTheClient(t *testing.T) {
	f := newFront(t, func(f *front) { f.sink.Set(sink.Script{Offers: []string{"PIPELINING", "XCLIENT ADDR HELO"}}) })
	c := f.hello()
	send := func() {
		c.cmd("MAIL FROM:<ann@client.example>", "250")
		c.cmd("RCPT TO:<bob@weir.example>", "250")
		c.data(note, "250")
	}
	send()
	send()
	c.cmd("EHLO another.example", "250")
	send()
	got := strings.Join(f.sink.Commands(), "\n")
	for line, n := range map[string]int{
		"XCLIENT ADDR=127.0.0.1 HELO=client.example\nEHLO client.example\n": 1, "XCLIENT ADDR=127.0.0.1 HELO=another.example\nEHLO another.example\n": 1,
	} {
		if strings.Count(got, line) != n {
			t.Errorf("%d of %q in\n%s", strings.Count(got, line), line, got)
		}
	}
	f.sink.Set(sink.Script{Offers: []string{"XCLIENT ADDR"}, On: map[sink.Stage]sink.Action{sink.Client: {Kind: sink.Answer, Text: "554 5.7.1 blocked"}}})
	if got := f.deliver(note); got != "554 5.7.1 blocked" {
		t.Errorf("reply %q", got)
	}
}

// elsewhere starts another server, for the domains given.
func (f *front) elsewhere(domains ...string) *sink.Sink {
	f.t.Helper()
	s, err := sink.Listen("127.0.0.1:0")
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { s.Close() })
	b := &backend.Backend{Addrs: []string{s.Addr()}, Hello: "mx.weir.example", Timeout: bound}
	f.Routes = map[string]*backend.Backend{}
	for _, domain := range domains {
		f.Routes[domain] = b
	}
	return s
}

func TestMailGoesWhereItsDomainDoes(t *testing.T) {
	var other *sink.Sink
	f := newFront(t, func(f *front) {
		other = f.elsewhere("other.example", "third.example")
		f.sink.Set(sink.Script{Rcpt: func(path string) string {
			if strings.HasPrefix(path, "no") {
				return "550 5.1.1 no such user"
			}
			return ""
		}})
	})
	c := f.hello()
	mail := func() { c.cmd("MAIL FROM:<ann@client.example>", "250") }
	mail()
	c.cmd("RCPT TO:<no@weir.example>", "550")
	c.cmd("RCPT TO:<bob@OTHER.example>", "250") // nobody was accepted before
	c.cmd("RCPT TO:<eve@third.example>", "250")
	c.cmd("RCPT TO:<bob@weir.example>", "452 4.5.3")
	c.cmd("RCPT TO:<Postmaster>", "452 4.5.3")
	c.data(note, "250")
	mail()
	c.cmd("RCPT TO:<bob@weir.example>", "250")
	c.cmd("RCPT TO:<Postmaster>", "250")
	c.cmd("RCPT TO:<bob@other.example>", "452 4.5.3")
	c.data(note, "250")
	mail()
	c.cmd("RCPT TO:<bob@other.example>", "250")
	c.data(note, "250")
	if here, there := f.taken(), other.Messages(); len(here) != 1 || len(there) != 2 || len(here[0].Rcpts) != 2 || len(there[0].Rcpts) != 2 {
		t.Errorf("here %+v, there %+v", here, there)
	}
}

func TestWhatIsOfferedAllBackendsTake(t *testing.T) {
	f := newFront(t, func(f *front) {
		f.elsewhere("other.example").Set(sink.Script{Offers: []string{"SIZE 1000", "SMTPUTF8"}})
		f.sink.Set(sink.Script{Offers: []string{"SIZE 2000", "DSN", "SMTPUTF8"}})
	})
	f.until("both offers", func() bool { return f.Routes["other.example"].Offers() != nil })
	offer := f.dial().cmd("EHLO client.example", "250")
	if !strings.Contains(offer, "SIZE 1000") || !strings.Contains(offer, "SMTPUTF8") || strings.Contains(offer, "DSN") {
		t.Errorf("offer %q", offer)
	}
}

func TestADictionaryAttackDoesNotReachTheServerBehindTwice(t *testing.T) {
	f := newFront(t, func(f *front) {
		f.Backend.Remember = bound
		f.sink.Set(sink.Script{Rcpt: func(string) string { return "550 5.1.1 no such user" }})
	})
	for range 3 {
		c := f.hello()
		c.cmd("MAIL FROM:<ann@client.example>", "250")
		c.cmd("RCPT TO:<no@weir.example>", "550 5.1.1 no such user")
		c.cmd("QUIT", "221")
	}
	if n := strings.Count(strings.Join(f.sink.Commands(), "\n"), "RCPT"); n != 1 {
		t.Errorf("asked %d times", n)
	}
	for _, r := range f.recorded(3) {
		if r.Verdict.By != "backend" || r.Envelope.RcptRejected[0].Reply != "550 5.1.1 no such user" {
			t.Errorf("recorded %+v", r.Verdict)
		}
	}
}

// What a server offers is learnt again while nobody writes.
func TestWatch(t *testing.T) {
	f := newFront(t, nil)
	f.Backend.Addrs = nil // as if nothing was known of it
	f.Backend.Servers = []backend.Server{{Addr: f.elsewhere().Addr()}}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); f.Watch(ctx) }()
	f.until("an offer", func() bool { return f.Backend.Offers() != nil })
	cancel()
	<-ended
}

// REQUIRETLS is offered in TLS alone, and if the way on is TLS that is verified to a server that offers it; it is never
// dropped.
func TestREQUIRETLS(t *testing.T) {
	behind := certificate(t, 3)
	leaf, err := x509.ParseCertificate(behind.Certificates[0].Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	offers := []string{"PIPELINING", "REQUIRETLS"}
	f := newFront(t, func(f *front) {
		withTLS(t, StartTLS)(f)
		f.sink.Set(sink.Script{Offers: offers, TLS: behind})
		f.Backend.Security, f.Backend.TLS = backend.Required, &tls.Config{RootCAs: roots, ServerName: "mx.weir.example"}
	})
	c := f.dial()
	if offer := c.cmd("EHLO client.example", "250"); strings.Contains(offer, "REQUIRETLS") {
		t.Errorf("offered in clear: %q", offer)
	}
	c.cmd("MAIL FROM:<ann@client.example> REQUIRETLS", "555")
	c = c.startTLS("")
	if offer := c.cmd("EHLO client.example", "250"); !strings.Contains(offer, "REQUIRETLS") {
		t.Errorf("offer %q", offer)
	}
	c.cmd("MAIL FROM:<ann@client.example> REQUIRETLS", "250")
	c.cmd("RCPT TO:<bob@weir.example>", "250")
	c.data(note, "250")
	if m := f.taken()[0]; !m.TLS || !strings.Contains(m.Mail, "REQUIRETLS") {
		t.Errorf("arrived %q", m.Mail)
	}
	f.sink.Set(sink.Script{Offers: offers[:1], TLS: behind}) // it no longer does, and we do not know yet
	f.sink.Drop()
	c.cmd("MAIL FROM:<ann@client.example> REQUIRETLS", "250")
	c.cmd("RCPT TO:<bob@weir.example>", "550 5.7.30")
}
