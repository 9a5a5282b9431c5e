// Package manners judges whether a client keeps to the rules of the dialogue: who waits for what.
package manners

import (
	"context"
	_ "embed"

	"weir/filters"
)

// Readme is the manual of the check.
//
//go:embed README.md
var Readme string

// The symbols the check may report.
const (
	Greeter    = "BAD_GREETER"
	Pipelining = "BAD_PIPELINING"
	Command    = "BAD_COMMAND"
)

// New makes the check. It reports what the front has seen; the session says it all.
func New() filters.Check {
	return filters.Check{
		Name:    "manners",
		Doc:     "Whether the client waits for its turn and speaks SMTP",
		Stage:   filters.Sender,
		Symbols: []string{Greeter, Pipelining, Command},
		Run: func(_ context.Context, m filters.Mail) (filters.Report, error) {
			return filters.Report{Hits: hits(m.Session)}, nil
		},
	}
}

func hits(s *filters.Session) []filters.Hit {
	if s == nil || s.User != "" {
		return nil
	}
	var found []filters.Hit
	for _, h := range []filters.Hit{
		{Symbol: Greeter, Detail: s.Manners.Greeter},
		{Symbol: Pipelining, Detail: s.Manners.Pipelining},
		{Symbol: Command, Detail: s.Manners.Command},
	} {
		if h.Detail != "" {
			found = append(found, h)
		}
	}
	return found
}
