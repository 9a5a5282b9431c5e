package proxy

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"weir/proxy/backend"
)

// Routes say where mail goes: by a domain, by ".domain" for those below it, or by "*" for all others, in lower case.
type Routes map[string]*backend.Backend

// to is where mail for a domain, in lower case, goes; nil if nothing is said of it. What says most of the domain holds.
func (r Routes) to(domain string) *backend.Backend {
	for key := domain; ; {
		if b := r[key]; b != nil {
			return b
		}
		dot := strings.IndexByte(key[min(1, len(key)):], '.')
		if dot < 0 {
			return r["*"]
		}
		key = key[dot+1:]
	}
}

// route is where mail for a domain, in lower case, goes. That for a <Postmaster> without one goes to Backend.
func (s *Settings) route(domain string) *backend.Backend {
	if domain == "" {
		return s.Backend
	}
	if b := s.Routes.to(domain); b != nil {
		return b.For(domain)
	}
	return s.Backend
}

// backends lists each of them once.
func (s *Settings) backends() []*backend.Backend {
	all := []*backend.Backend{s.Backend}
	for _, b := range s.Routes {
		if !slices.Contains(all, b) {
			all = append(all, b)
		}
	}
	return all
}

// offers are the extensions that every backend takes, as far as known: when a client asks, nobody knows yet where its
// mail goes. nil if nothing is known.
func (s *Settings) offers() backend.Extensions {
	var known []backend.Extensions
	for _, b := range s.backends() {
		if e := b.Offers(); e != nil {
			known = append(known, e)
		}
	}
	return backend.Common(known...)
}

// maxSize is the largest message taken: by us and, as far as known, by each backend.
func (s *Settings) maxSize() int64 { return s.maxSizeOf(s.offers()) }

func (s *Settings) maxSizeOf(behind backend.Extensions) int64 {
	limit := s.Limits.messageSize()
	if n := behind.MaxSize(); n > 0 && n < limit {
		return n
	}
	return limit
}

// maxRecipientsOf is the largest number of recipients of one message: by us and by backends that offer behind.
func (s *Settings) maxRecipientsOf(behind backend.Extensions) int {
	limit := s.Limits.recipients()
	if n := behind.MaxRecipients(); n > 0 && n < limit {
		return n
	}
	return limit
}

// Watch looks after the backends in force until ctx ends: which of their servers are up, and what they offer. A server
// that hangs keeps nobody from the others. Then it ends the connections that wait.
func (s *Server) Watch(ctx context.Context) {
	tick := time.NewTicker(backend.CheckPeriod)
	defer tick.Stop()
	var checks sync.WaitGroup // each ends within a probe's time
	defer checks.Wait()
	for {
		select {
		case <-tick.C:
			for _, b := range s.settings().backends() {
				checks.Go(func() { b.Check(ctx) })
			}
		case <-ctx.Done():
			for _, b := range s.settings().backends() {
				b.Close()
			}
			return
		}
	}
}

// probe asks the backends that have not been asked what they offer.
func (s *Server) probe(ctx context.Context, next *Settings) {
	ctx, cancel := context.WithTimeout(ctx, probeFor)
	defer cancel()
	for _, b := range next.backends() {
		if b.Offers() != nil {
			continue
		}
		if err := b.Probe(ctx); err != nil {
			s.logger().Warn("the backend does not serve", "err", err)
		}
	}
}
