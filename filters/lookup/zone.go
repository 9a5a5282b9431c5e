package lookup

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/miekg/dns"
)

// zoneTTL is the TTL of records whose source does not say, and of made-up SOA records.
const zoneTTL = 300

// Zone is a set of records to answer from. It may be read and changed by any number of goroutines.
type Zone struct {
	mu    sync.RWMutex
	nodes map[string]*node // by canonical name, "" for the root
	below map[string]int   // how many nodes lie below a name; such a name exists even if it has no records
}

// node is what a zone says of one name.
type node struct {
	records []dns.RR
	rcode   int // if not zero, the name answers with this code and nothing else
}

func newZone() *Zone { return &Zone{nodes: map[string]*node{}, below: map[string]int{}} }

// ParseZone reads a master file (RFC 1035 §5.1) with the origin ".". Relative names are allowed, $INCLUDE is not.
// file is used in errors, which carry line and column.
func ParseZone(r io.Reader, file string) (*Zone, error) {
	z := newZone()
	p := dns.NewZoneParser(r, ".", "")
	p.SetDefaultTTL(zoneTTL)
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		if err := z.node(rr.Header().Name).add(rr); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", file, rr.Header().Name, err)
		}
	}
	if err := p.Err(); err != nil {
		return nil, placed(err, file)
	}
	return z, nil
}

// linePattern is how the DNS library ends an error: with the place in the file.
var linePattern = regexp.MustCompile(`^dns: (.*) at line: (\d+):(\d+)$`)

// placed puts the place of an error in file first.
func placed(err error, file string) error {
	m := linePattern.FindStringSubmatch(err.Error())
	if m == nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return fmt.Errorf("%s:%s:%s: %s", file, m[2], m[3], m[1])
}

// MapZone makes a zone of names and their records, each in a form that Set takes. Most are addresses.
func MapZone(records map[string][]string) (*Zone, error) {
	z := newZone()
	for _, name := range slices.Sorted(maps.Keys(records)) {
		if err := z.Set(name, records[name]...); err != nil {
			return nil, err
		}
	}
	return z, nil
}

// Set replaces all records of name; none removes the name. A record is an address ("127.0.0.2", "2001:db8::1"), the
// type and data of a master file ("TXT \"why\"", "CNAME other.example."), or SERVFAIL or REFUSED alone, which make
// the name answer with that failure.
func (z *Zone) Set(name string, records ...string) error {
	fresh := &node{}
	for _, text := range records {
		if err := fresh.parse(canonical(name)+".", text); err != nil {
			return fmt.Errorf("record %q of %s: %w", text, name, err)
		}
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	z.remove(canonical(name))
	if len(records) > 0 {
		*z.node(name) = *fresh
	}
	return nil
}

func (n *node) parse(name, text string) error {
	switch text {
	case "SERVFAIL":
		n.rcode = dns.RcodeServerFailure
		return nil
	case "REFUSED":
		n.rcode = dns.RcodeRefused
		return nil
	}
	if ip, err := netip.ParseAddr(text); err == nil {
		kind := A
		if ip.Is6() {
			kind = AAAA
		}
		text = kind.String() + " " + text
	}
	rr, err := dns.NewRR(fmt.Sprintf("%s %d IN %s", name, zoneTTL, text))
	if err != nil {
		return fmt.Errorf("not an address or a record: %w", err)
	}
	if rr == nil {
		return errors.New("not an address or a record")
	}
	return n.add(rr)
}

// add takes a record, unless it has no data: dynamic updates may have such (RFC 2136 §2.4), zones not.
func (n *node) add(rr dns.RR) error {
	if len(strings.Fields(strings.TrimPrefix(rr.String(), rr.Header().String()))) == 0 {
		return fmt.Errorf("%s record without data", dns.Type(rr.Header().Rrtype))
	}
	n.records = append(n.records, rr)
	return nil
}

// node returns the node of name, made if need be. The caller holds z.mu or is alone.
func (z *Zone) node(name string) *node {
	name = canonical(name)
	n := z.nodes[name]
	if n == nil {
		n = &node{}
		z.nodes[name] = n
		for at := name; at != ""; {
			at = parent(at)
			z.below[at]++
		}
	}
	return n
}

func (z *Zone) remove(name string) {
	if z.nodes[name] == nil {
		return
	}
	delete(z.nodes, name)
	for at := name; at != ""; {
		at = parent(at)
		z.below[at]--
	}
}

func parent(name string) string {
	_, rest, _ := strings.Cut(name, ".")
	return rest
}

// reply answers q with authority, aliases followed within the zone.
func (z *Zone) reply(q question) *dns.Msg {
	m := new(dns.Msg)
	m.Question = []dns.Question{{Name: q.name + ".", Qtype: uint16(q.kind), Qclass: dns.ClassINET}}
	m.Response, m.Authoritative = true, true
	z.mu.RLock()
	defer z.mu.RUnlock()
	name := q.name
	for range maxChain {
		n := z.find(name)
		if n == nil {
			m.Rcode = dns.RcodeNameError
			break
		}
		if n.rcode != 0 {
			m.Rcode, m.Answer = n.rcode, nil
			return m
		}
		alias := n.answer(m, name, q.kind)
		if alias == "" {
			break
		}
		name = canonical(alias)
	}
	if len(m.Answer) == 0 || m.Rcode == dns.RcodeNameError {
		m.Ns = []dns.RR{z.authority(name)}
	}
	return m
}

// answer adds n's records of kind k to m under the owner name, or its alias, whose target it returns.
func (n *node) answer(m *dns.Msg, name string, k Kind) (alias string) {
	for _, rr := range n.records {
		c, isAlias := rr.(*dns.CNAME)
		if rr.Header().Rrtype != uint16(k) && !isAlias {
			continue
		}
		owned := dns.Copy(rr)
		owned.Header().Name = name + "."
		m.Answer = append(m.Answer, owned)
		if isAlias && k != CNAME {
			return c.Target
		}
	}
	return ""
}

// find returns the node that answers for name: its own, an empty one if only names below exist, or that of a wildcard
// at the closest ancestor that exists (RFC 4592 §3.3.1); nil if there is none.
func (z *Zone) find(name string) *node {
	if n := z.nodes[name]; n != nil {
		return n
	}
	if z.below[name] > 0 {
		return &node{}
	}
	for at := name; at != ""; {
		at = parent(at)
		if n := z.nodes[canonical("*."+at)]; n != nil {
			return n
		}
		if z.nodes[at] != nil || z.below[at] > 0 {
			return nil
		}
	}
	return nil
}

// authority is the SOA record for negative answers about name: the nearest there is, else a made-up one.
func (z *Zone) authority(name string) dns.RR {
	for at := name; ; at = parent(at) {
		if n := z.nodes[at]; n != nil {
			for _, rr := range n.records {
				if rr.Header().Rrtype == dns.TypeSOA {
					return rr
				}
			}
		}
		if at == "" {
			return &dns.SOA{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: zoneTTL},
				Ns: "ns.invalid.", Mbox: "hostmaster.invalid.", Serial: 1, Refresh: 3600, Retry: 600, Expire: 86400, Minttl: zoneTTL}
		}
	}
}
