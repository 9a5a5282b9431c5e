package backend

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Names asks the DNS. Found says whether there are such records, and the error that this is not known.
type Names struct {
	MX    func(ctx context.Context, domain string) (MX, error)
	Addrs func(ctx context.Context, host string) ([]netip.Addr, error) // IPv6 and IPv4; none: it has none
}

// MX is what the DNS says of the mail of a domain.
type MX struct {
	NoName bool // there is no such domain
	Hosts  []Exchanger
}

// Exchanger is an MX record.
type Exchanger struct {
	Host string // "" in a null MX (RFC 7505)
	Rank uint16 // the lowest are tried first
}

// Exchange makes the servers of a Backend those that the DNS names for the domain of the recipient (RFC 5321 5.1).
type Exchange struct {
	Port uint16                                     // 0: 25
	Ours func(host string, addrs []netip.Addr) bool // whether that is this server; nil: no host is

	mu    sync.Mutex
	known map[string]*Backend // by domain
	queue []string            // the same, those asked for long ago first
}

const (
	maxDomains    = 1000             // whose servers are remembered
	maxExchangers = 10               // that are tried for one domain
	maxAddrs      = 8                // that are tried for one host
	resolveFor    = 10 * time.Second // for all questions about one domain or host
)

// The words to a sender whose mail can go nowhere.
var (
	replyNoDomain = Reply{550, []string{"5.1.2 There is no such domain"}}
	replyNullMX   = Reply{556, []string{"5.1.10 The domain of this recipient takes no mail"}} // RFC 7505 4.1
	replyLoop     = Reply{554, []string{"5.4.6 The DNS sends the mail of this domain back to us"}}
)

var (
	errNoAddress = errors.New("the name has no address")
	errNoHost    = errors.New("no server of the domain has an address")
	errOurs      = errors.New("the name leads to ourselves")
)

// For returns the Backend for the mail of a domain, in lower case: b itself unless b goes by Exchange.
func (b *Backend) For(domain string) *Backend {
	x := b.Exchange
	if x == nil || b.domain != "" {
		return b
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if at := slices.Index(x.queue, domain); at >= 0 {
		x.queue = append(slices.Delete(x.queue, at, at+1), domain)
		return x.known[domain]
	}
	if len(x.queue) >= maxDomains {
		delete(x.known, x.queue[0])
		x.queue = slices.Delete(x.queue, 0, 1)
	}
	if x.known == nil {
		x.known = map[string]*Backend{}
	}
	x.queue = append(x.queue, domain)
	x.known[domain] = &Backend{
		Hello: b.Hello, Timeout: b.Timeout, Security: b.Security, TLS: b.TLS, PassClient: b.PassClient, Remember: b.Remember,
		Idle: b.Idle, Log: b.Log, Names: b.Names, Exchange: x, domain: cmp.Or(domain, "."),
	}
	return x.known[domain]
}

// domains are the Backends that For has made and not forgotten.
func (x *Exchange) domains() []*Backend {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Collect(maps.Values(x.known))
}

// exchangers finds the servers of b.domain, without those that lead back to us and all that come after these (RFC 5321
// 5.1). A *Refusal is the DNS's no; any other error means that it is not known.
func (b *Backend) exchangers(ctx context.Context) ([]Server, error) {
	ctx, cancel := context.WithTimeout(ctx, resolveFor)
	defer cancel()
	if strings.ContainsAny(b.domain, "[:") || strings.Trim(b.domain, ".") == "" { // an address, of which the DNS knows nothing
		return nil, &Refusal{replyNoDomain}
	}
	mx, err := b.Names.MX(ctx, b.domain)
	switch {
	case err != nil:
		return nil, err
	case mx.NoName:
		return nil, &Refusal{replyNoDomain}
	case len(mx.Hosts) == 1 && mx.Hosts[0].Host == "":
		return nil, &Refusal{replyNullMX}
	case len(mx.Hosts) == 0:
		mx.Hosts = []Exchanger{{Host: b.domain}}
	}
	hosts := slices.DeleteFunc(slices.Clone(mx.Hosts), func(e Exchanger) bool { return e.Host == "" }) // RFC 7505 3
	slices.SortStableFunc(hosts, func(x, y Exchanger) int { return cmp.Compare(x.Rank, y.Rank) })
	return b.reachable(ctx, hosts[:min(len(hosts), maxExchangers)])
}

// reachable makes servers of the hosts that have addresses, down to the rank of ours.
func (b *Backend) reachable(ctx context.Context, hosts []Exchanger) ([]Server, error) {
	var found []Server
	failed := []error{errNoHost}
	for _, e := range hosts {
		addrs, err := b.Names.Addrs(ctx, e.Host)
		switch {
		case b.isOurs(e.Host, addrs):
			found = slices.DeleteFunc(found, func(s Server) bool { return s.Priority >= int(e.Rank) })
			if len(found) == 0 {
				return nil, &Refusal{replyLoop}
			}
			return found, nil
		case err != nil:
			failed = append(failed, fmt.Errorf("%s: %w", e.Host, err))
		case len(addrs) > 0:
			port := cmp.Or(b.Exchange.Port, 25)
			found = append(found, Server{Addr: net.JoinHostPort(e.Host, strconv.Itoa(int(port))), Priority: int(e.Rank)})
		}
	}
	if len(found) == 0 {
		return nil, errors.Join(failed...)
	}
	return found, nil
}

func (b *Backend) isOurs(host string, addrs []netip.Addr) bool {
	return b.Exchange != nil && b.Exchange.Ours != nil && b.Exchange.Ours(host, addrs)
}

// place is where a server can be reached: what net.Dial wants.
type place struct{ network, addr string }

// places are those of HOST:PORT or unix:/PATH, to be tried one after another. What Names does not answer is left to
// the system's resolver.
func (b *Backend) places(ctx context.Context, server string) ([]place, error) {
	if path, ok := strings.CutPrefix(server, "unix:"); ok {
		return []place{{"unix", path}}, nil
	}
	as := place{"tcp", server}
	host, port, err := net.SplitHostPort(server)
	if err != nil {
		return nil, err
	}
	if _, err := netip.ParseAddr(host); err == nil || b.Names == nil {
		return []place{as}, nil
	}
	if !strings.Contains(host, ".") && b.domain == "" { // localhost, or a name of the host's own
		return []place{as}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, resolveFor)
	defer cancel()
	addrs, err := b.Names.Addrs(ctx, host)
	switch {
	case b.domain == "" && len(addrs) == 0: // /etc/hosts may know
		return []place{as}, nil
	case err != nil:
		return nil, err
	case len(addrs) == 0:
		return nil, errNoAddress
	case b.isOurs(host, addrs): // it did not a moment ago
		return nil, errOurs
	}
	var all []place
	for _, a := range addrs[:min(len(addrs), maxAddrs)] {
		all = append(all, place{"tcp", net.JoinHostPort(a.String(), port)})
	}
	return all, nil
}
