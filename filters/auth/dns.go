package auth

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"weir/filters/lookup"
)

const (
	maxName  = 253  // bytes of a domain name in text, without final dot (RFC 1035 §2.3.4)
	maxLabel = 63   // bytes of one label
	maxText  = 4096 // bytes of one TXT record; the key of 4096 bits takes 800
)

// names is a resolver in the form that the libraries ask, which is that of net.Resolver: no such record is an error,
// and failures are temporary ones. It remembers the first failure. It serves one check of one message.
type names struct {
	resolver *lookup.Resolver
	client   netip.Addr // whose names SPF asks for

	mu     sync.Mutex
	failed *lookup.Failure
}

// find looks up records of kind k. Names that cannot be names are not found, without asking.
func (n *names) find(ctx context.Context, name string, k lookup.Kind) (lookup.Answer, error) {
	name = strings.TrimSuffix(name, ".")
	if !isName(name) {
		return lookup.Answer{}, notFound(name)
	}
	answer, err := n.resolver.Lookup(ctx, escape.Replace(name), k)
	if errors.Is(err, lookup.ErrAliases) {
		return lookup.Answer{}, notFound(name) // that is what the zone says, however often it is asked
	}
	if err != nil {
		return lookup.Answer{}, n.fail(err)
	}
	if !answer.Found {
		return lookup.Answer{}, notFound(name)
	}
	return answer, nil
}

// escape writes the characters of a name that mean something in a zone file as the library of DNS does.
var escape = strings.NewReplacer(`\`, `\\`, ` `, `\ `, `"`, `\"`, `'`, `\'`, `(`, `\(`, `)`, `\)`, `;`, `\;`, `@`, `\@`)

// fail remembers the failure err and returns it as the libraries know it.
func (n *names) fail(err error) error {
	var f *lookup.Failure
	if errors.As(err, &f) {
		n.mu.Lock()
		if n.failed == nil {
			n.failed = f
		}
		n.mu.Unlock()
	} else {
		f = &lookup.Failure{Kind: lookup.Failed, Err: err}
	}
	return &net.DNSError{
		Err: f.Err.Error(), Name: f.Name, Server: f.Server,
		IsTimeout: f.Kind == lookup.Timeout, IsTemporary: true,
	}
}

// failure is the first lookup that failed, or nil.
func (n *names) failure() *lookup.Failure {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.failed
}

func notFound(name string) error {
	return &net.DNSError{Err: "no such record", Name: name, IsNotFound: true}
}

func isNotFound(err error) bool {
	var e *net.DNSError
	return errors.As(err, &e) && e.IsNotFound
}

// texts returns the TXT records of a name, the strings of each joined (RFC 7208 §3.3, RFC 6376 §3.6.2.2). Records that
// are too long to be meant for us are left out.
func (n *names) texts(ctx context.Context, name string) ([]string, error) {
	answer, err := n.find(ctx, name, lookup.TXT)
	if err != nil {
		return nil, err
	}
	var texts []string
	for _, t := range answer.Texts {
		if len(t) <= maxText {
			texts = append(texts, t)
		}
	}
	return texts, nil
}

// LookupTXT returns the SPF records of a name. One that breaks the grammar is a permanent error.
func (n *names) LookupTXT(ctx context.Context, name string) ([]string, error) {
	texts, err := n.texts(ctx, name)
	if err != nil {
		return nil, err
	}
	records := slices.DeleteFunc(texts, func(t string) bool { return !isRecord(t) })
	if len(records) == 1 && !isSound(records[0]) {
		return nil, errRecord
	}
	for i := range records {
		records[i] = hideSlashes(n.nameClient(ctx, records[i], name))
	}
	return records, nil
}

// LookupMX returns the mail exchangers of a name, best first.
func (n *names) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	answer, err := n.find(ctx, truncate(name), lookup.MX)
	if err != nil {
		return nil, err
	}
	var hosts []*net.MX
	for _, h := range answer.Names {
		hosts = append(hosts, &net.MX{Host: h})
	}
	return hosts, nil
}

// LookupIPAddr returns the addresses of a host that matter: those of the client's family (RFC 7208 §5), and for an
// IPv6 client also the IPv4 ones, which `exists` asks for whatever the client (§5.7).
func (n *names) LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error) {
	kinds := []lookup.Kind{lookup.A}
	if n.client.Is6() {
		kinds = []lookup.Kind{lookup.AAAA, lookup.A}
	}
	var found []net.IPAddr
	missing := error(nil)
	for _, k := range kinds {
		answer, err := n.find(ctx, truncate(host), k)
		if isNotFound(err) {
			missing = err
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, a := range answer.Addrs {
			found = append(found, net.IPAddr{IP: a.AsSlice()})
		}
	}
	if len(found) == 0 {
		return nil, missing
	}
	return found, nil
}

// LookupAddr returns the names that an address points back to.
func (n *names) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	ip, err := netip.ParseAddr(addr)
	if err != nil {
		return nil, notFound(addr)
	}
	answer, err := n.find(ctx, lookup.ReverseName(ip)+"."+lookup.ReverseZone(ip), lookup.PTR)
	return answer.Names, err
}

// truncate takes labels from the left until the name of a record fits (RFC 7208 §7.3).
func truncate(name string) string {
	name = strings.ReplaceAll(strings.TrimSuffix(name, "."), hiddenSlash, "/")
	for len(name) > maxName {
		_, rest, found := strings.Cut(name, ".")
		if !found {
			return name
		}
		name = rest
	}
	return name
}

// isName reports whether s can be asked for: labels of 1 to 63 bytes without control characters.
// A zero byte must not pass: it would end the name for some who read it.
func isName(s string) bool {
	if s == "" || len(s) > maxName {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > maxLabel {
			return false
		}
	}
	return strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) < 0
}
