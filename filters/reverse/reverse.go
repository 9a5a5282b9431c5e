// Package reverse finds the client's reverse name and whether it points back to the client.
package reverse

import (
	"context"
	_ "embed"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"weir/filters"
	"weir/filters/lookup"
)

// Readme is the filter's manual.
//
//go:embed README.md
var Readme string

// maxNames bounds how many of a client's names are tried.
const maxNames = 3

// New makes the check. It has no symbols: what it finds is Facts.Reverse. A reverse name that the session has already
// is kept as it is; a failed lookup is a Problem and leaves the fact unknown.
func New(r *lookup.Resolver) filters.Check {
	return filters.Check{
		Name:  "reverse",
		Doc:   "Finds the client's reverse name and whether it points back.",
		Stage: filters.Connect,
		Run: func(ctx context.Context, m filters.Mail) (filters.Report, error) {
			return run(ctx, r, m.Session), nil
		},
	}
}

func run(ctx context.Context, r *lookup.Resolver, s *filters.Session) filters.Report {
	if s.ReverseName != "" || s.ReverseKnown {
		return found(s.ReverseName, s.ReverseName != "" && (s.ReverseOK || !s.ReverseKnown))
	}
	client := s.Addr.Addr().Unmap().WithZone("")
	if !client.IsValid() || client.IsUnspecified() || s.User != "" {
		return filters.Report{}
	}
	answer, err := r.Lookup(ctx, lookup.ReverseName(client)+"."+lookup.ReverseZone(client), lookup.PTR)
	if err != nil {
		return unknown(err)
	}
	names := usable(answer.Names)
	if len(names) == 0 {
		return found("", false)
	}
	confirmed, err := confirm(ctx, r, client, names)
	if confirmed != "" {
		return found(confirmed, true)
	}
	if err != nil {
		return unknown(err)
	}
	return found(names[0], false)
}

// confirm looks all names up at once and returns the first that has the client's address, or "". The error says that
// one of them could not be looked up.
func confirm(ctx context.Context, r *lookup.Resolver, client netip.Addr, names []string) (string, error) {
	kind := lookup.A
	if client.Is6() {
		kind = lookup.AAAA
	}
	answers := make([]lookup.Answer, len(names))
	failures := make([]error, len(names))
	var all sync.WaitGroup
	for i, name := range names {
		all.Go(func() { answers[i], failures[i] = r.Lookup(ctx, name, kind) })
	}
	all.Wait()
	for i, a := range answers {
		if slices.Contains(a.Addrs, client) {
			return names[i], nil
		}
	}
	for _, err := range failures {
		if err != nil {
			return "", err
		}
	}
	return "", nil
}

// usable returns the names that are host names, in order of the alphabet, at most maxNames.
func usable(names []string) []string {
	hosts := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !isHost(name) })
	slices.Sort(hosts)
	hosts = slices.Compact(hosts)
	return hosts[:min(len(hosts), maxNames)]
}

// isHost reports whether name may be shown in headers and records: letters, digits, hyphens and, as many hosts have
// them, underscores (RFC 1123 §2.1); at least two labels, and no address.
func isHost(name string) bool {
	if len(name) > 253 || !strings.Contains(name, ".") {
		return false
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}

func found(name string, ok bool) filters.Report {
	return filters.Report{Facts: filters.Facts{Reverse: &filters.Reverse{Name: name, OK: ok}}}
}

func unknown(err error) filters.Report {
	if errors.Is(err, lookup.ErrOffline) {
		return filters.Report{} // switched off is no failure
	}
	p := filters.Problem{Kind: filters.KindFailed, Detail: err.Error()}
	var f *lookup.Failure
	if errors.As(err, &f) {
		p.Kind = f.Kind
	}
	return filters.Report{Problems: []filters.Problem{p}}
}
