package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"weir/cmd/weir/config"
)

// soonExpired is how long before its end a certificate should have been renewed.
const soonExpired = 14 * 24 * time.Hour

// listeners sees whether weir can listen where it should, or does already.
func (d *doctor) listeners(ctx context.Context) []diagnosis {
	if len(d.config.Listen) == 0 {
		return []diagnosis{{Check: "listener", State: ill, Seen: "there is none", Change: "say where to listen: listen: [{ addr: \"0.0.0.0:25\" }]"}}
	}
	return each(d.config.Listen, func(l config.Listen) []diagnosis {
		one := d.listener(ctx, l)
		one.Check, one.Of = "listener", l.Name+" "+l.Addr
		return []diagnosis{one}
	})
}

func (d *doctor) listener(ctx context.Context, l config.Listen) diagnosis {
	open, err := new(net.ListenConfig).Listen(ctx, "tcp", l.Addr)
	switch {
	case err == nil:
		open.Close()
		return diagnosis{State: sound, Seen: "the address is free"}
	case errors.Is(err, syscall.EACCES):
		return diagnosis{State: ill, Seen: "this user may not listen there", Change: "start weir as root or with CAP_NET_BIND_SERVICE, and ask the doctor as the same user"}
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return diagnosis{State: ill, Seen: "this machine does not have the address", Change: "correct `addr:`; \"0.0.0.0:25\" or \"[::]:25\" takes all that there are"}
	case !errors.Is(err, syscall.EADDRINUSE):
		return diagnosis{State: ill, Seen: err.Error(), Change: "correct `addr:`"}
	}
	said, err := greeting(ctx, l, d.config.Trusted.Proxies)
	if host, _, _ := strings.Cut(said, " "); err == nil && strings.EqualFold(host, d.config.Hostname) {
		return diagnosis{State: sound, Seen: "weir serves there, or something that greets as it: " + said}
	}
	var waited net.Error
	if errors.As(err, &waited) && waited.Timeout() {
		return unknownYet("", "", fmt.Errorf("who listens there does not greet in time: %w", err))
	}
	if err != nil {
		said = err.Error()
	}
	return diagnosis{State: ill, Seen: "something else listens there: " + said, Change: "stop it or move it (Postfix: the smtp line of master.cf)"}
}

// Networks wider than these that hold public addresses are not somebody's proxies.
const (
	wideV4, widestV4 = 16, 8
	wideV6, widestV6 = 48, 32
)

// believed sees whether those who may say who the client is are few.
func (d *doctor) believed(context.Context) []diagnosis {
	var found []diagnosis
	for _, p := range d.config.Trusted.Proxies {
		found = append(found, trust("trusted.proxies", p, "by PROXY and XCLIENT"))
	}
	for _, p := range d.config.Trusted.Relays {
		found = append(found, trust("trusted.relays", p, "in the Received fields of what it passes on"))
	}
	return found
}

// trust judges a network that may say, somehow, who the client is.
func trust(check string, p netip.Prefix, how string) diagnosis {
	wide, widest := wideV4, widestV4
	if p.Addr().Is6() && !p.Addr().Is4In6() {
		wide, widest = wideV6, widestV6
	}
	one := diagnosis{Check: check, Of: p.String(), State: sound, Seen: "it may say who the client is, " + how}
	switch {
	case isInside(p):
	case p.Bits() < widest:
		one.State, one.Seen = ill, "everybody in it may say to be any client, "+how+": no check of clients can be believed"
	case p.Bits() < wide:
		one.State, one.Seen = doubtful, "everybody in it may say to be any client, "+how
	}
	if one.State != sound {
		one.Change = "name the addresses of your own servers only"
	}
	return one
}

// isInside reports whether nobody outside has an address of p.
func isInside(p netip.Prefix) bool {
	for _, inside := range []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16", "fc00::/7", "fe80::/10", "::1/128"} {
		if n := netip.MustParsePrefix(inside); n.Bits() <= p.Bits() && n.Contains(p.Addr()) {
			return true
		}
	}
	return false
}

// certificate sees whether clients can encrypt, and to whom.
func (d *doctor) certificate(context.Context) []diagnosis {
	one := diagnosis{Check: "certificate", Of: d.config.TLS.Cert}
	pair, err := d.config.TLS.Certificate()
	switch {
	case err != nil:
		one.State, one.Seen, one.Change = ill, err.Error(), "name a certificate and the key that belongs to it: tls: { cert: FILE, key: FILE }"
		return []diagnosis{one}
	case pair == nil:
		one.State, one.Seen, one.Change = doubtful, "there is none: mail comes in clear", "name one, tls: { cert: FILE, key: FILE }, and say tls: starttls at the listener"
		return []diagnosis{one}
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		one.State, one.Seen, one.Change = ill, err.Error(), "name a certificate that can be read"
		return []diagnosis{one}
	}
	one.judge(leaf, d.config.Hostname, d.began)
	return []diagnosis{one}
}

func (one *diagnosis) judge(leaf *x509.Certificate, hostname string, now time.Time) {
	end := leaf.NotAfter.UTC().Format(time.DateOnly)
	one.State, one.Change = ill, "renew it; SIGHUP makes weir read it again"
	switch {
	case now.After(leaf.NotAfter):
		one.Seen = "it has expired on " + end
	case now.Before(leaf.NotBefore):
		one.Seen, one.Change = "it begins on "+leaf.NotBefore.UTC().Format(time.DateOnly), "look at the clock, or wait"
	case now.Add(soonExpired).After(leaf.NotAfter):
		one.State, one.Seen = doubtful, "it expires on "+end
	case leaf.VerifyHostname(hostname) != nil:
		one.State, one.Seen = doubtful, fmt.Sprintf("it is for %s, and not for %s", strings.Join(leaf.DNSNames, ", "), hostname)
		one.Change = "have one made for the name with which weir greets: senders that verify (MTA-STS, DANE) do not come otherwise"
	default:
		one.State, one.Seen, one.Change = sound, fmt.Sprintf("it is for %s, until %s", hostname, end), ""
	}
}
