package main

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
func (d *doctor) exchangers(ctx context.Context) []diagnosis {
	var domains []string
	for _, r := range d.config.Routes {
		for _, domain := range r.Domains {
			if r.MX && !strings.HasPrefix(domain, ".") && domain != config.EveryOther {
				domains = append(domains, strings.ToLower(domain))
			}
		}
	}
	if len(domains) == 0 {
		return nil
	}
	_, routes, err := d.config.Ways(nil, config.AskDNS(d.resolver))
	if err != nil {
		return []diagnosis{unknownYet("route", "", err)}
	}
	return each(domains, func(domain string) []diagnosis {
		one := d.exchanger(ctx, routes[domain].For(domain))
		one.Check, one.Of = "route", domain
		return []diagnosis{one}
	})
}

// exchanger sees whether a server of one domain serves.
func (d *doctor) exchanger(ctx context.Context, to *backend.Backend) diagnosis {
	conn, err := to.OpenFor(ctx, backend.Client{Hello: d.config.Hostname})
	var refusal *backend.Refusal
	switch {
	case errors.As(err, &refusal):
		return diagnosis{State: ill, Seen: "its mail is refused: " + refusal.Reply.String(), Change: "correct the MX records of the domain, or name its servers in the route instead of mx"}
	case err != nil:
		return diagnosis{State: ill, Seen: err.Error(), Change: "see whether its servers can be reached from here on port 25, and its MX records: mail for it is deferred"}
	}
	defer conn.Quit()
	return diagnosis{State: sound, Seen: fmt.Sprintf("%s serves", conn.Addr)}
}
