package manners

import (
	"slices"
	"testing"

	"weir/filters"
	"weir/filters/filtertest"
	"weir/filters/lookup"
)

func TestCases(t *testing.T) {
	filtertest.Run(t, func(*lookup.Resolver) filters.Check { return New() })
}

func TestEachFaultIsASymbolWithItsEvidence(t *testing.T) {
	rude := filters.Manners{Greeter: `"EHLO x"`, Pipelining: "EHLO", Command: `"XYZZY"`}
	all := []filters.Hit{{Symbol: Greeter, Detail: `"EHLO x"`}, {Symbol: Pipelining, Detail: "EHLO"}, {Symbol: Command, Detail: `"XYZZY"`}}
	for _, c := range []struct {
		what    string
		session *filters.Session
		want    []filters.Hit
	}{
		{"no session", nil, nil},
		{"polite", &filters.Session{}, nil},
		{"rude", &filters.Session{Manners: rude}, all},
		{"only early", &filters.Session{Manners: filters.Manners{Greeter: `"EHLO x"`}}, all[:1]},
		{"rude, but known", &filters.Session{User: "ann", Manners: rude}, nil},
	} {
		if got := hits(c.session); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
	}
}
