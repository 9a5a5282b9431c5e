package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/textproto"
	"slices"
	"strings"
	"syscall"
	"time"

	"weir/cmd/weir/config"
)

// soonExpired is how long before its end a certificate should have been renewed.
const soonExpired = 14 * 24 * time.Hour

// listeners sees whether weir can listen where it should, or does already.
func (d *Visit) listeners(ctx context.Context) []Finding {
	if len(d.Config.Listen) == 0 {
		return []Finding{{Check: "listener", State: Ill, Seen: "there is none", Change: "say where to listen: listen: [{ addr: \"0.0.0.0:25\" }]"}}
	}
	return each(d.Config.Listen, func(l config.Listen) []Finding {
		one := d.listener(ctx, l)
		one.Check, one.Of = "listener", l.Name+" "+l.Addr
		return []Finding{one}
	})
}

func (d *Visit) listener(ctx context.Context, l config.Listen) Finding {
	open, err := new(net.ListenConfig).Listen(ctx, "tcp", l.Addr)
	switch {
	case err == nil:
		open.Close()
		return Finding{State: Sound, Seen: "the address is free"}
	case errors.Is(err, syscall.EACCES):
		return Finding{State: Ill, Seen: "this user may not listen there", Change: "start weir as root or with CAP_NET_BIND_SERVICE, and ask the doctor as the same user"}
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return Finding{State: Ill, Seen: "this machine does not have the address", Change: "correct `addr:`; \"0.0.0.0:25\" or \"[::]:25\" takes all that there are"}
	case !errors.Is(err, syscall.EADDRINUSE):
		return Finding{State: Ill, Seen: err.Error(), Change: "correct `addr:`"}
	}
	said, err := Greeting(ctx, l, d.Config.Trusted.Proxies)
	if host, _, _ := strings.Cut(said, " "); err == nil && strings.EqualFold(host, d.Config.Hostname) {
		return Finding{State: Sound, Seen: "weir serves there, or something that greets as it: " + said}
	}
	var waited net.Error
	if errors.As(err, &waited) && waited.Timeout() {
		return unknownYet("", "", fmt.Errorf("who listens there does not greet in time: %w", err))
	}
	if err != nil {
		said = err.Error()
	}
	return Finding{State: Ill, Seen: "something else listens there: " + said, Change: "stop it or move it (Postfix: the smtp line of master.cf)"}
}

// Networks wider than these that hold public addresses are not somebody's proxies.
const (
	wideV4, widestV4 = 16, 8
	wideV6, widestV6 = 48, 32
)

// believed sees whether those who may say who the client is are few.
func (d *Visit) believed(context.Context) []Finding {
	var found []Finding
	for _, p := range d.Config.Trusted.Proxies {
		found = append(found, trust("trusted.proxies", p, "by PROXY and XCLIENT"))
	}
	for _, p := range d.Config.Trusted.Relays {
		found = append(found, trust("trusted.relays", p, "in the Received fields of what it passes on"))
	}
	return found
}

// trust judges a network that may say, somehow, who the client is.
func trust(check string, p netip.Prefix, how string) Finding {
	wide, widest := wideV4, widestV4
	if p.Addr().Is6() && !p.Addr().Is4In6() {
		wide, widest = wideV6, widestV6
	}
	one := Finding{Check: check, Of: p.String(), State: Sound, Seen: "it may say who the client is, " + how}
	switch {
	case isInside(p):
	case p.Bits() < widest:
		one.State, one.Seen = Ill, "everybody in it may say to be any client, "+how+": no check of clients can be believed"
	case p.Bits() < wide:
		one.State, one.Seen = Doubtful, "everybody in it may say to be any client, "+how
	}
	if one.State != Sound {
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
func (d *Visit) certificate(context.Context) []Finding {
	one := Finding{Check: "certificate", Of: d.Config.TLS.Cert}
	pair, err := d.Config.TLS.Certificate()
	switch {
	case err != nil:
		one.State, one.Seen, one.Change = Ill, err.Error(), "name a certificate and the key that belongs to it: tls: { cert: FILE, key: FILE }"
		return []Finding{one}
	case pair == nil:
		one.State, one.Seen, one.Change = Doubtful, "there is none: mail comes in clear", "name one, tls: { cert: FILE, key: FILE }, and say tls: starttls at the listener"
		return []Finding{one}
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		one.State, one.Seen, one.Change = Ill, err.Error(), "name a certificate that can be read"
		return []Finding{one}
	}
	one.judge(leaf, d.Config.Hostname, d.began)
	return []Finding{one}
}

func (one *Finding) judge(leaf *x509.Certificate, hostname string, now time.Time) {
	end := leaf.NotAfter.UTC().Format(time.DateOnly)
	one.State, one.Change = Ill, "renew it; SIGHUP makes weir read it again"
	switch {
	case now.After(leaf.NotAfter):
		one.Seen = "it has expired on " + end
	case now.Before(leaf.NotBefore):
		one.Seen, one.Change = "it begins on "+leaf.NotBefore.UTC().Format(time.DateOnly), "look at the clock, or wait"
	case now.Add(soonExpired).After(leaf.NotAfter):
		one.State, one.Seen = Doubtful, "it expires on "+end
	case leaf.VerifyHostname(hostname) != nil:
		one.State, one.Seen = Doubtful, fmt.Sprintf("it is for %s, and not for %s", strings.Join(leaf.DNSNames, ", "), hostname)
		one.Change = "have one made for the name with which weir greets: senders that verify (MTA-STS, DANE) do not come otherwise"
	default:
		one.State, one.Seen, one.Change = Sound, fmt.Sprintf("it is for %s, until %s", hostname, end), ""
	}
}

// Greeting is what a client of l is greeted with, without the code.
func Greeting(ctx context.Context, l config.Listen, proxies []netip.Prefix) (string, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", l.Addr)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return "", err
		}
	}
	if l.ProxyProtocol && within(conn.LocalAddr(), proxies) {
		if _, err := io.WriteString(conn, "PROXY UNKNOWN\r\n"); err != nil {
			return "", err
		}
	}
	if l.TLS == config.TLSImplicit {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) // whether it serves, not who it is
	}
	text := textproto.NewConn(conn)
	_, greeting, err := text.ReadResponse(220)
	if err != nil {
		return "", fmt.Errorf("reading the greeting: %w", err)
	}
	return greeting, text.PrintfLine("QUIT")
}

// within reports whether a is in one of the networks.
func within(a net.Addr, networks []netip.Prefix) bool {
	ip, err := netip.ParseAddrPort(a.String())
	return err == nil && slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(ip.Addr().Unmap()) })
}
