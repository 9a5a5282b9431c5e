package auth

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"weir/filters"
	"weir/filters/lookup"
)

// The symbols of ARC. None holds for a message that has no chain.
const (
	ARCValid     = "ARC_VALID"     // those who passed the message on have vouched for it, and nothing was changed since
	ARCInvalid   = "ARC_INVALID"   // the chain is broken
	ARCTemperror = "ARC_TEMPERROR" // a key could not be looked up
)

// NewARC makes the check of the chain of those who passed a message on. What it is worth depends on whom one trusts;
// see NewDMARC.
func NewARC(r *lookup.Resolver) filters.Check {
	return filters.Check{
		Name:    "arc",
		Doc:     "Whether the chain of those who passed the message on is whole (RFC 8617)",
		Stage:   filters.Body,
		Symbols: []string{ARCValid, ARCInvalid, ARCTemperror},
		Run: func(ctx context.Context, m filters.Mail) (filters.Report, error) {
			if m.Message == nil {
				return filters.Report{}, nil
			}
			n := &names{resolver: r}
			found, err := arcOf(ctx, n, m.Message, m.At)
			if err != nil {
				return filters.Report{}, err
			}
			return reportARC(found, n.failure()), nil
		},
	}
}

func reportARC(found filters.ARC, failure *lookup.Failure) filters.Report {
	report := filters.Report{Problems: problem(failure)}
	switch found.Result {
	case resultPass:
		var sealers []string
		for _, s := range found.Sealed {
			sealers = append(sealers, s.Domain)
		}
		detail := fmt.Sprintf("sealed by %s", strings.Join(sealers, ", before by "))
		report.Hits = []filters.Hit{{Symbol: ARCValid, Detail: detail}}
	case resultFail:
		report.Hits = []filters.Hit{{Symbol: ARCInvalid, Detail: found.Reason}}
	case resultTemperror:
		if report.Problems == nil {
			return report // lookups are switched off
		}
		report.Hits = []filters.Hit{{Symbol: ARCTemperror, Detail: found.Reason}}
	}
	report.Facts.Auth = &filters.Auth{ARC: found}
	return report
}

var (
	dmarcResult = regexp.MustCompile(`(?i)^\s*dmarc\s*(?:/\s*1\s*)?=\s*([a-z]+)(?:\s|$)`)
	dmarcAuthor = regexp.MustCompile(`(?i)\sheader\s*\.\s*from\s*=\s*([a-z0-9._-]+)(?:\s|$)`)
)

// dmarcIn is the result of DMARC that an ARC-Authentication-Results field states, and the author's domain it is for; "" where
// it says nothing (RFC 8617 §4.1.1, RFC 8601 §2.2). A field that states two results states none.
func dmarcIn(field string) (result, author string) {
	for i, part := range strings.Split(withoutComments(field), ";") {
		found := dmarcResult.FindStringSubmatch(part)
		if i < 2 || found == nil {
			continue
		}
		if result != "" {
			return "", ""
		}
		result = strings.ToLower(found[1])
		if from := dmarcAuthor.FindStringSubmatch(part); from != nil {
			author = fold(from[1])
		}
	}
	return result, author
}

// withoutComments is a field's text with a space for each comment, and "?" for what quotes hold besides the characters
// of names, so that what is left can be split (RFC 5322 §3.2).
func withoutComments(text string) string {
	var out strings.Builder
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\\' && (quoted || depth > 0):
			i++
		case quoted && c == '"', !quoted && depth == 0 && c == '"':
			quoted = !quoted
		case quoted && strings.IndexByte(" \t\r\n;=()/", c) >= 0:
			out.WriteByte('?')
		case quoted:
			out.WriteByte(c)
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			if depth--; depth == 0 {
				out.WriteByte(' ')
			}
		case depth == 0:
			out.WriteByte(c)
		}
	}
	return out.String()
}
