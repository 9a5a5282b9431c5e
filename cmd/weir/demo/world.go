// Package demo is the world that `weir demo` shows: the rules and the DNS of an operator, a seeded stream of letters from
// honest and other senders, and the tally that says whether each met the fate it should have. The program runs the servers.
package demo

import (
	"fmt"
	"strings"

	"weir/filters/auth"
	"weir/filters/lookup"
)

// Clients 192.0.2.N are listed in the demo from these on.
const (
	listedHard = 200
	listedSoft = 100
	listed     = 40 // how many of each
)

// Rules are what the demo's mail is worth: a file like any operator's.
const Rules = `version: 1
include: ["builtin:defaults"]
thresholds: { tag: 6, reject: 15 }
zones:
  - id: ZEN
    zone: zen.demo.test
    ask: [client_ip]
    public: "listed at {{ .zone }}"
    answers:
      - { id: XBL, is: 127.0.0.4, score: 4 }
      - { id: DROP, is: 127.0.0.9, score: 7, mode: hard }
    errors: [{ is: 127.255.255.254, means: asked through a public resolver }]
  - id: SOFT
    zone: soft.demo.test
    ask: [client_ip]
    answers: [{ id: POOR, is: 127.0.0.2, score: 3 }]
  - id: BROKEN
    zone: broken.demo.test
    ask: [client_ip]
    mode: hard
    answers: [{ id: LISTED, is: 127.0.0.0/8, score: 9 }]
bulk:
  windows:
    - { id: BULK_SOME, over: 10m, alike: 20, networks: 5, score: 6 }
    - { id: BULK_MANY, over: 1h, alike: 50, networks: 20, score: 9 }
  exempt:
    - { id: BULK_WANTED, signer: list.newsletters, cap: 0 }
lists:
  newsletters: { type: domain, inline: [mail.shop.test] }
`

// Zone is the DNS of the demo's world. BROKEN answers everybody with an error code, as lists do when they are
// asked through a public resolver.
func Zone(shop auth.Signer) (*lookup.Zone, error) {
	var z strings.Builder
	host := func(name string, domain string, addr string) {
		fmt.Fprintf(&z, "%s. 300 IN A %s\n%s. 300 IN PTR %s.\n", name, addr, reverseName(addr), name)
		fmt.Fprintf(&z, "%s. 300 IN TXT \"v=spf1 ip4:%s -all\"\n", domain, addr)
	}
	for domain, addr := range domains {
		host("mail."+domain, domain, addr.String())
	}
	host("out."+Shop, Shop, shopClient.String())
	fmt.Fprintf(&z, "%s._domainkey.%s. 300 IN TXT %s\n", shop.Selector, shop.Domain, quoteTXT(shop.Record()))
	for n := range listed {
		fmt.Fprintf(&z, "%d.2.0.192.zen.demo.test. 300 IN A 127.0.0.9\n", listedHard+n)
		fmt.Fprintf(&z, "%d.2.0.192.zen.demo.test. 300 IN A 127.0.0.4\n", listedSoft+n)
		fmt.Fprintf(&z, "%d.2.0.192.soft.demo.test. 300 IN A 127.0.0.2\n", listedSoft+n)
	}
	z.WriteString("*.broken.demo.test. 300 IN A 127.255.255.254\n")
	return lookup.ParseZone(strings.NewReader(z.String()), "demo.zone")
}

func reverseName(addr string) string {
	p := strings.Split(addr, ".")
	return fmt.Sprintf("%s.%s.%s.%s.in-addr.arpa", p[3], p[2], p[1], p[0])
}

// quoteTXT writes a text as the strings of at most 255 bytes that a TXT record holds (RFC 1035 section 3.3.14).
func quoteTXT(s string) string {
	var parts []string
	for len(s) > 0 {
		n := min(len(s), 255)
		parts = append(parts, `"`+s[:n]+`"`)
		s = s[n:]
	}
	return strings.Join(parts, " ")
}
