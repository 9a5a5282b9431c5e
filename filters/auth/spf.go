package auth

import (
	"context"
	"fmt"
	"net"
	"strings"

	"blitiri.com.ar/go/spf"

	"weir/filters"
	"weir/filters/lookup"
)

// The symbols of SPF, one for each result of RFC 7208 §2.6.
const (
	SPFPass      = "SPF_PASS"
	SPFFail      = "SPF_FAIL"
	SPFSoftfail  = "SPF_SOFTFAIL"
	SPFNeutral   = "SPF_NEUTRAL"
	SPFNone      = "SPF_NONE"
	SPFTemperror = "SPF_TEMPERROR"
	SPFPermerror = "SPF_PERMERROR"
)

var spfSymbols = map[spf.Result]string{
	spf.Pass: SPFPass, spf.Fail: SPFFail, spf.SoftFail: SPFSoftfail, spf.Neutral: SPFNeutral,
	spf.None: SPFNone, spf.TempError: SPFTemperror, spf.PermError: SPFPermerror,
}

// NewSPF makes the check of whether the client may send for the envelope sender's domain, or for its HELO name if the
// sender is null. It is silent about authenticated users, and about clients whose address is not known.
func NewSPF(r *lookup.Resolver) filters.Check {
	return filters.Check{
		Name:    "spf",
		Doc:     "Whether the client may send mail for the envelope sender's domain (RFC 7208)",
		Stage:   filters.Sender,
		Symbols: []string{SPFPass, SPFFail, SPFSoftfail, SPFNeutral, SPFNone, SPFTemperror, SPFPermerror},
		Run: func(ctx context.Context, m filters.Mail) (filters.Report, error) {
			if m.Session == nil || m.Envelope == nil || m.Session.User != "" {
				return filters.Report{}, nil
			}
			ip := m.Session.Addr.Addr()
			if !ip.IsValid() || ip.IsUnspecified() {
				return filters.Report{}, nil
			}
			return checkSPF(ctx, &names{resolver: r, client: ip.Unmap().WithZone("")}, m), nil
		},
	}
}

func checkSPF(ctx context.Context, n *names, m filters.Mail) filters.Report {
	ip := n.client
	sender, domain := identity(m.Envelope.From, m.Session.Hello)
	result, reason := spf.CheckHostWithSender(net.IP(ip.AsSlice()), m.Session.Hello, sender,
		spf.WithContext(ctx), spf.WithResolver(n))

	failure := n.failure()
	// The library takes a failed lookup of `ptr` for no match (RFC 7208 §5.5), from which a following `-all` would
	// make a fail. Nobody pays for lookups that fail: what follows from one is not known.
	if failure != nil && result != spf.Pass {
		result, reason = spf.TempError, failure
	}
	report := filters.Report{Problems: problem(failure)}
	if result == spf.TempError && failure != nil && report.Problems == nil {
		return report // lookups are switched off
	}
	detail := fmt.Sprintf("%s for %s", ip, domain)
	if reason != nil {
		detail += ": " + reason.Error()
	}
	report.Hits = []filters.Hit{{Symbol: spfSymbols[result], Detail: detail}}
	report.Facts.Auth = &filters.Auth{SPF: filters.SPF{Result: string(result), Domain: domain}}
	return report
}

// identity returns the sender to check, in a form that splits at its only "@", and its domain. A null sender stands
// for the postmaster of the HELO name (RFC 7208 §2.4), an empty local part for the postmaster (§4.3).
func identity(from, hello string) (sender, domain string) {
	local, domain := "", hello
	if at := strings.LastIndexByte(from, '@'); at >= 0 {
		local, domain = from[:at], from[at+1:]
	}
	domain = fold(domain)
	if local == "" {
		local = "postmaster"
	}
	// A quoted local part may hold an "@", at which the library would take the domain to begin.
	return strings.ReplaceAll(local, "@", "_") + "@" + domain, domain
}
