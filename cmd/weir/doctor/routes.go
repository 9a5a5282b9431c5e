package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"weir/cmd/weir/config"
	"weir/proxy/backend"
)

// exchangers sees where the mail of each domain goes for which the DNS is asked. Of domains below one, and of all
// others, nobody knows the names.
func (d *Visit) exchangers(ctx context.Context) []Finding {
	var domains []string
	for _, r := range d.Config.Routes {
		for _, domain := range r.Domains {
			if r.MX && !strings.HasPrefix(domain, ".") && domain != config.EveryOther {
				domains = append(domains, strings.ToLower(domain))
			}
		}
	}
	if len(domains) == 0 {
		return nil
	}
	_, routes, err := d.Config.Ways(nil, config.AskDNS(d.Resolver))
	if err != nil {
		return []Finding{unknownYet("route", "", err)}
	}
	return each(domains, func(domain string) []Finding {
		one := d.exchanger(ctx, routes[domain].For(domain))
		one.Check, one.Of = "route", domain
		return []Finding{one}
	})
}

// exchanger sees whether a server of one domain serves.
func (d *Visit) exchanger(ctx context.Context, to *backend.Backend) Finding {
	conn, err := to.OpenFor(ctx, backend.Client{Hello: d.Config.Hostname})
	var refusal *backend.Refusal
	switch {
	case errors.As(err, &refusal):
		return Finding{State: Ill, Seen: "its mail is refused: " + refusal.Reply.String(), Change: "correct the MX records of the domain, or name its servers in the route instead of mx"}
	case err != nil:
		return Finding{State: Ill, Seen: err.Error(), Change: "see whether its servers can be reached from here on port 25, and its MX records: mail for it is deferred"}
	}
	defer conn.Quit()
	return Finding{State: Sound, Seen: fmt.Sprintf("%s serves", conn.Addr)}
}
