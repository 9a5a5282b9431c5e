package lookup

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Probe is one question to one server as it is put once, to find out how the server behaves. Nothing is cached, and
// whatever comes back is shown; mail is judged by Resolver alone.
type Probe struct {
	Server string // ADDRESS:PORT
	Name   string
	Kind   Kind
	TCP    bool
}

// Probed is what came back.
type Probed struct {
	Answer    Answer // what Lookup would make of it; empty if Failure is set
	Failure   *Failure
	Authentic bool // the server says that it has validated the answer (RFC 4035 section 3.2.3)
	SameCase  bool // the letters of the question came back as they were sent
}

// probeTries is how often a question is sent over UDP: a single packet may be lost.
const probeTries = 2

// Ask puts the question, in letters of either case and for validation (RFC 6840 section 5.7). It takes until ctx ends at
// most. The error says that no answer came.
func (p Probe) Ask(ctx context.Context) (Probed, error) {
	m := new(dns.Msg)
	m.SetQuestion(mixedCase(dns.Fqdn(p.Name)), uint16(p.Kind))
	m.AuthenticatedData = true
	m.SetEdns0(1232, false)
	client, tries := dns.Client{Net: "udp"}, probeTries
	if p.TCP {
		client.Net, tries = "tcp", 1
	}
	began := time.Now()
	var reply *dns.Msg
	var err error
	for left := tries; left > 0; left-- {
		bounded, cancel := context.WithTimeout(ctx, share(ctx, left))
		if reply, _, err = client.ExchangeContext(bounded, m, p.Server); err == nil {
			cancel()
			break
		}
		cancel()
	}
	if err != nil {
		return Probed{}, fmt.Errorf("asking for %s: %w", p.Name, err)
	}
	if len(reply.Question) != 1 {
		return Probed{}, fmt.Errorf("asking for %s: the answer has no question", p.Name)
	}
	got := Probed{Authentic: reply.AuthenticatedData, SameCase: reply.Question[0].Name == m.Question[0].Name}
	o, failure := interpretMessage(reply, p.Kind)
	if failure != nil {
		failure.Name, failure.Server = p.Name, p.Server
		got.Failure = failure
	}
	got.Answer = o.answer
	got.Answer.Server, got.Answer.Took = p.Server, time.Since(began)
	return got, nil
}

// share is the time of one of so many tries until ctx ends.
func share(ctx context.Context, tries int) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return defaultTimeout
	}
	return time.Until(deadline) / time.Duration(tries)
}

// mixedCase writes every second letter large.
func mixedCase(name string) string {
	large := false
	return strings.Map(func(r rune) rune {
		if large = !large; large && 'a' <= r && r <= 'z' {
			return r - 'a' + 'A'
		}
		return r
	}, name)
}
