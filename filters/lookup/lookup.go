// Package lookup asks the DNS: cached, coalesced, and never taking a failure for an answer.
//
//	r, err := lookup.New(lookup.Options{Servers: []string{"127.0.0.1:53"}})
//	defer r.Close()
//	answer, err := r.Lookup(ctx, lookup.ReverseName(client)+".zen.example.org", lookup.A)
//
// A lookup has three outcomes: found, not found (Answer.Found is false and err is nil), and unknown (err is a
// *Failure). Queries go over a few connected sockets to each server, each with a random id and random letter case, and
// only an answer that repeats both and the question is believed; anything else is dropped and waiting goes on.
//
// The package also reads zone files, answers from them without a network (FromZone), and serves them (Serve), for
// tests and demonstrations.
package lookup

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/miekg/dns"
)

// Kind is the type of records asked for.
type Kind uint16

// The kinds that are understood.
const (
	A     = Kind(dns.TypeA)
	AAAA  = Kind(dns.TypeAAAA)
	TXT   = Kind(dns.TypeTXT)
	PTR   = Kind(dns.TypePTR)
	MX    = Kind(dns.TypeMX)
	NS    = Kind(dns.TypeNS)
	CNAME = Kind(dns.TypeCNAME)
)

// String is the kind's name in zone files.
func (k Kind) String() string { return dns.Type(k).String() }

// Answer is what the DNS says. It is shared with the cache: readers must not change the slices.
type Answer struct {
	Found  bool          // false: there is no such name, or it has no such records
	NoName bool          // there is no such name (NXDOMAIN), so it has no records of any kind
	Addrs  []netip.Addr  // of A and AAAA
	Texts  []string      // of TXT, the strings of each record joined, as the bytes they are
	Names  []string      // of PTR, MX (best first), NS and CNAME: lower case, no final dot, odd bytes as \DDD
	Ranks  []uint16      // of MX, the preference of each of Names
	Server string        // who said so
	Took   time.Duration // how long it took to find out, when it was found out
	Cached bool          // found out before this lookup
}

// Kinds of Failure, named as in verdict records.
const (
	Timeout  = "timeout"
	Servfail = "servfail"
	Refused  = "refused"
	Failed   = "failed" // anything else
)

// Failure is the error of every lookup: it is not known whether the records exist.
type Failure struct {
	Kind   string // Timeout, Servfail, Refused or Failed
	Name   string // the name asked for; it may hold a list's secret key
	Server string // who failed; "" if no server was reached
	Err    error  // the cause; it never holds Name
}

// Error says what was asked, of whom, and what came of it.
func (f *Failure) Error() string {
	if f.Server == "" {
		return fmt.Sprintf("looking up %s: %v", f.Name, f.Err)
	}
	return fmt.Sprintf("looking up %s at %s: %v", f.Name, f.Server, f.Err)
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Causes of failures that callers tell apart.
var (
	ErrOffline = errors.New("lookups are switched off")
	ErrClosed  = errors.New("the resolver is closed")
	ErrAliases = errors.New("the aliases loop, or there are too many")
)

var (
	errNoAnswer = errors.New("no answer in time")
	errBusy     = errors.New("too many lookups under way")
	errBadName  = errors.New("not a domain name")
)

// question is what is looked up; also the key of caches and flights. The name is canonical.
type question struct {
	name string
	kind Kind
}

// Lookup finds the records of kind k at name, which may end in a dot. Its error is always a *Failure. It returns when
// ctx ends; the search itself goes on for others who ask and for the cache, within its own bound (Options.Budget).
func (r *Resolver) Lookup(ctx context.Context, name string, k Kind) (Answer, error) {
	q := question{canonical(name), k}
	if r.direct == nil {
		if e, ok := r.cached(q, time.Now()); ok {
			r.counts.cached.Add(1)
			return e.answer, e.err
		}
	}
	return r.find(ctx, q, false)
}

// Fresh is Lookup without what was found out before. The cache takes what it finds.
func (r *Resolver) Fresh(ctx context.Context, name string, k Kind) (Answer, error) {
	return r.find(ctx, question{canonical(name), k}, true)
}

// find searches for the records of q, or joins who searches for them already.
func (r *Resolver) find(ctx context.Context, q question, fresh bool) (Answer, error) {
	if r.direct != nil {
		return r.direct(q)
	}
	if err := ctx.Err(); err != nil {
		return Answer{}, &Failure{Kind: Timeout, Name: q.name, Err: fmt.Errorf("%w: %w", errNoAnswer, err)}
	}
	f, err := r.join(q, fresh)
	if err != nil {
		return Answer{}, &Failure{Kind: Failed, Name: q.name, Err: err}
	}
	select {
	case <-f.landed:
		return f.answer, f.err
	case <-ctx.Done():
	}
	select { // an answer that came in time wins over a clock that ran out
	case <-f.landed:
		return f.answer, f.err
	default:
		return Answer{}, &Failure{Kind: Timeout, Name: q.name, Err: fmt.Errorf("%w: %w", errNoAnswer, ctx.Err())}
	}
}

// Offline makes a resolver whose every lookup is a Failure wrapping ErrOffline. Checks say nothing about that one.
func Offline() *Resolver {
	return &Resolver{direct: func(q question) (Answer, error) {
		return Answer{}, &Failure{Kind: Failed, Name: q.name, Err: ErrOffline}
	}}
}

// FromZone makes a resolver that answers from z at once, without a network or a cache.
func FromZone(z *Zone) *Resolver {
	return &Resolver{direct: func(q question) (Answer, error) {
		if _, err := packName(q.name); err != nil {
			return Answer{}, &Failure{Kind: Failed, Name: q.name, Err: err}
		}
		began := time.Now()
		o, failure := interpretMessage(z.reply(q), q.kind)
		if failure != nil {
			failure.Name, failure.Server = q.name, "zone"
			return Answer{}, failure
		}
		o.answer.Server, o.answer.Took = "zone", time.Since(began)
		return o.answer, nil
	}}
}
