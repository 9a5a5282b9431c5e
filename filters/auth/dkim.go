package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/emersion/go-msgauth/dkim"

	"weir/filters"
	"weir/filters/lookup"
)

// The symbols of DKIM. Exactly one of the first four holds for a message, and none if what would decide is a lookup and
// lookups are switched off.
const (
	DKIMValid     = "DKIM_VALID"     // at least one signature is valid, whoever signed
	DKIMTemperror = "DKIM_TEMPERROR" // none is known to be valid, and a key could not be looked up
	DKIMInvalid   = "DKIM_INVALID"   // none is valid, and at least one is wrong
	DKIMNone      = "DKIM_NONE"      // there is no signature, or none that says anything
	Aligned       = "AUTH_ALIGNED"   // DKIM or SPF has proven the organisation of the From header
)

// Results of a signature (RFC 8601 §2.7.1).
const (
	resultNone      = "none"
	resultPass      = "pass"
	resultFail      = "fail"
	resultNeutral   = "neutral"
	resultTemperror = "temperror"
	resultPermerror = "permerror"
)

// NewDKIM makes the check of a message's signatures, and of which domains that signatures or SPF have proven belong to
// the author in the From header. The latter are Facts.Auth.Domains.
func NewDKIM(r *lookup.Resolver) filters.Check {
	return filters.Check{
		Name:    "dkim",
		Doc:     "Whether the message's signatures are valid (RFC 6376), and whether its author's domain is proven",
		Stage:   filters.Body,
		Symbols: []string{DKIMValid, DKIMInvalid, DKIMTemperror, DKIMNone, Aligned},
		Run: func(ctx context.Context, m filters.Mail) (filters.Report, error) {
			if m.Message == nil {
				return filters.Report{}, nil
			}
			n := &names{resolver: r}
			signatures, err := verify(ctx, n, m.Message)
			if err != nil {
				return filters.Report{}, err
			}
			return reportDKIM(m, signatures, n.failure()), nil
		},
	}
}

func reportDKIM(m filters.Mail, signatures []filters.Signature, failure *lookup.Failure) filters.Report {
	report := filters.Report{Problems: problem(failure)}
	offline := failure != nil && report.Problems == nil
	if symbol, detail := judgeSignatures(signatures); !offline || symbol != DKIMTemperror {
		report.Hits = []filters.Hit{{Symbol: symbol, Detail: detail}}
	}

	found := &filters.Auth{}
	var proven []string
	for _, s := range signatures {
		if offline && s.Result == resultTemperror {
			continue
		}
		found.DKIM = append(found.DKIM, s)
		if s.Result == resultPass {
			proven = append(proven, s.Domain)
		}
	}
	if m.Auth != nil && m.Auth.SPF.Result == resultPass {
		proven = append(proven, m.Auth.SPF.Domain)
	}
	found.Domains = aligned(author(m.Message), proven)
	if len(found.Domains) > 0 {
		report.Hits = append(report.Hits, filters.Hit{Symbol: Aligned, Detail: strings.Join(found.Domains, ", ")})
	}
	report.Facts.Auth = found
	return report
}

// judgeSignatures sums signatures up to one symbol, with the signatures that decide as its detail.
func judgeSignatures(signatures []filters.Signature) (symbol, detail string) {
	for _, of := range []struct {
		symbol  string
		results []string
	}{
		{DKIMValid, []string{resultPass}},
		{DKIMTemperror, []string{resultTemperror}},
		{DKIMInvalid, []string{resultFail, resultPermerror}},
		{DKIMNone, []string{resultNeutral}},
	} {
		var decide []string
		for _, s := range signatures {
			for _, r := range of.results {
				if s.Result == r {
					decide = append(decide, describe(s))
				}
			}
		}
		if len(decide) > 0 {
			return of.symbol, strings.Join(decide, "; ")
		}
	}
	return DKIMNone, ""
}

func describe(s filters.Signature) string {
	text := "d=" + s.Domain
	if s.Selector != "" {
		text += " s=" + s.Selector
	}
	if s.Reason != "" {
		text += ": " + s.Reason
	}
	return text
}

// verify checks the first signatures of m, as many as it can afford. It returns an error only if ctx ends.
func verify(ctx context.Context, n *names, m *filters.Message) ([]filters.Signature, error) {
	claims := claimsOf(m.Fields())
	if len(claims) == 0 {
		return nil, nil
	}
	if reason := tooCostly(m.Raw(), claims); reason != "" {
		return unverified(claims, reason), nil
	}
	in := &source{rest: m.Raw(), stop: ctx.Done()}
	verified, err := dkim.VerifyWithOptions(in, &dkim.VerifyOptions{
		LookupTXT:        func(name string) ([]string, error) { return n.key(ctx, name) },
		MaxVerifications: affordable(len(m.Raw())),
	})
	if in.stopped {
		return nil, fmt.Errorf("verifying signatures: %w", ctx.Err())
	}
	if err != nil && !errors.Is(err, dkim.ErrTooManySignatures) {
		return unverified(claims, err.Error()), nil
	}
	var out []filters.Signature
	for i, v := range verified {
		out = append(out, signatureOf(v, claims[min(i, len(claims)-1)]))
	}
	return out, nil
}

// key looks up the TXT records of a key. None is no error for the library.
func (n *names) key(ctx context.Context, name string) ([]string, error) {
	texts, err := n.texts(ctx, fold(name))
	if isNotFound(err) {
		return nil, nil
	}
	return texts, err
}

// signatureOf is the outcome of v, whose header field says c.
func signatureOf(v *dkim.Verification, c claim) filters.Signature {
	s := filters.Signature{Domain: fold(v.Domain), Result: resultPass}
	if s.Domain == fold(c.domain) {
		s.Selector, s.Algorithm, s.Begins = c.selector, c.algorithm, c.begins
	}
	if v.Err == nil {
		return s
	}
	s.Reason = strings.TrimPrefix(v.Err.Error(), "dkim: ")
	switch {
	case dkim.IsTempFail(v.Err):
		s.Result = resultTemperror
	case dkim.IsPermFail(v.Err):
		s.Result = resultPermerror
	case c.partial:
		// RFC 6376 §8.2: what is not signed may be anybody's. The signature proves nothing, but it is not wrong.
		s.Result, s.Reason = resultNeutral, "signs a part of the body only (l=)"
	default:
		s.Result = resultFail
	}
	return s
}

func unverified(claims []claim, reason string) []filters.Signature {
	var out []filters.Signature
	for _, c := range claims[:min(len(claims), maxSignatures)] {
		out = append(out, filters.Signature{
			Domain: fold(c.domain), Selector: c.selector, Algorithm: c.algorithm, Begins: c.begins,
			Result: resultNeutral, Reason: reason,
		})
	}
	return out
}
