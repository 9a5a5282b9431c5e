package doctor

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"weir/cmd/weir/config"
	"weir/cmd/weir/dns"
	"weir/filters/lookup"
)

const (
	probeTime   = 3 * time.Second        // of one question to a resolver
	slowAnswer  = 500 * time.Millisecond // of a resolver at hand, for what it is asked for all day
	stubServers = "/run/systemd/resolve/resolv.conf"
)

// public are resolvers that serve everybody, and who runs them. Lists do not serve those who ask through them, or not
// as they should: all such clients share one limit.
var public = map[string]string{
	"1.0.0.0/24": "Cloudflare", "1.1.1.0/24": "Cloudflare", "2606:4700:4700::/48": "Cloudflare",
	"8.8.4.0/24": "Google", "8.8.8.0/24": "Google", "2001:4860:4860::/48": "Google",
	"9.9.9.0/24": "Quad9", "149.112.112.0/24": "Quad9", "2620:fe::/48": "Quad9",
	"208.67.220.0/24": "OpenDNS", "208.67.222.0/24": "OpenDNS", "2620:119:35::/48": "OpenDNS", "2620:119:53::/48": "OpenDNS",
	"4.2.2.0/29": "Level 3", "64.6.64.0/24": "UltraDNS", "64.6.65.0/24": "UltraDNS", "156.154.70.0/23": "UltraDNS",
	"8.26.56.0/24": "Comodo", "8.20.247.0/24": "Comodo", "77.88.8.0/24": "Yandex",
	"94.140.14.0/23": "AdGuard", "2a10:50c0::/32": "AdGuard", "185.228.168.0/23": "CleanBrowsing",
	"76.76.2.0/24": "Control D", "76.76.10.0/24": "Control D", "45.90.28.0/22": "NextDNS",
	"84.200.69.0/24": "DNS.WATCH", "185.222.222.0/24": "DNS.SB", "45.11.45.0/24": "DNS.SB",
	"114.114.114.0/24": "114DNS", "114.114.115.0/24": "114DNS", "223.5.5.0/24": "AliDNS", "223.6.6.0/24": "AliDNS", "119.29.29.0/24": "DNSPod",
	"185.12.64.0/24": "Hetzner, for all its customers",
}

const ownResolver = "run a resolver of your own (unbound on this machine) and name it: dns: { servers: [\"127.0.0.1:53\"] }"

// runsPublic is who runs the public resolver at ip, "" if it is none that is known.
func runsPublic(ip netip.Addr) string {
	for prefix, who := range public {
		if netip.MustParsePrefix(prefix).Contains(ip.Unmap()) {
			return who
		}
	}
	return ""
}

// resolvers examines each server that is asked.
func (d *Visit) resolvers(ctx context.Context) []Finding {
	if len(d.Servers) == 0 {
		return []Finding{unknownYet("resolver", "", errNobodyAsked)}
	}
	return each(d.Servers, func(server string) []Finding { return d.server(ctx, server) })
}

// server examines one resolver; of one that does not answer nothing more is said.
func (d *Visit) server(ctx context.Context, server string) []Finding {
	v := asking{Visit: d, server: server}
	first := v.answers(ctx)
	first.Of = server
	if first.State == Ill {
		return []Finding{first}
	}
	looks := []func(context.Context) Finding{v.letters, v.streams, v.invents, v.validates}
	if d.Options.WhoAsks != "" {
		looks = append(looks, v.asksAs)
	}
	found := append([]Finding{first}, isPublic(server, stubServers)...)
	if last := &found[len(found)-1]; last.State == Ill && len(d.Rules.Zones) == 0 {
		last.State = Doubtful // nobody is hurt yet
	}
	return append(found, each(looks, func(look func(context.Context) Finding) []Finding {
		one := look(ctx)
		one.Of = server
		return []Finding{one}
	})...)
}

// asking examines one server.
type asking struct {
	*Visit
	server string
}

func (v asking) ask(ctx context.Context, name string, k lookup.Kind) (lookup.Probed, error) {
	return v.probe(ctx, lookup.Probe{Server: v.server, Name: name, Kind: k})
}

func (v asking) probe(ctx context.Context, p lookup.Probe) (lookup.Probed, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	return p.Ask(ctx)
}

func (v asking) answers(ctx context.Context) Finding {
	const check = "resolver"
	got, err := v.ask(ctx, v.Options.Signed, lookup.NS)
	switch {
	case err != nil:
		return Finding{Check: check, State: Ill, Seen: "it does not answer: " + err.Error(), Change: ownResolver}
	case got.Failure != nil:
		return Finding{Check: check, State: Ill, Seen: fmt.Sprintf("asked for %s: %v", v.Options.Signed, got.Failure.Err),
			Change: "let it answer this machine and resolve all names, or " + ownResolver}
	case got.Answer.Took > slowAnswer:
		return Finding{Check: check, State: Doubtful, Seen: "it answers in " + dns.TookText(got.Answer.Took), Change: "all mail waits for it: " + ownResolver}
	}
	return Finding{Check: check, State: Sound, Seen: "it answers in " + dns.TookText(got.Answer.Took)}
}

// isPublic says whether a server, or one that the stub of systemd passes questions on to by its file, serves everybody.
func isPublic(server, stub string) []Finding {
	const check = "public resolver"
	at, err := netip.ParseAddrPort(server)
	if err != nil {
		return nil // its questions have failed
	}
	asked := []string{server}
	if at.Addr() == netip.AddrFrom4([4]byte{127, 0, 0, 53}) {
		asked = config.SystemResolvers(stub)
	}
	for _, one := range asked {
		ip, err := netip.ParseAddrPort(one)
		if err != nil {
			continue
		}
		if who := runsPublic(ip.Addr()); who != "" {
			return []Finding{{Check: check, Of: server, State: Ill, Seen: fmt.Sprintf("questions go to %s, which serves everybody (%s); lists answer it with error codes", ip.Addr(), who),
				Change: ownResolver}}
		}
	}
	return []Finding{{Check: check, Of: server, State: Sound, Seen: "it is none of those known to serve everybody"}}
}

// letters sees whether the letters of a question come back as they are sent.
func (v asking) letters(ctx context.Context) Finding {
	const check = "letters"
	got, err := v.ask(ctx, v.Options.Signed, lookup.NS)
	switch {
	case err != nil:
		return unknownYet(check, v.server, err)
	case !got.SameCase:
		return Finding{Check: check, State: Ill, Seen: "it does not repeat a question in the letters in which it is asked; weir takes no such answer",
			Change: "name another resolver, or switch off what rewrites questions (a router, a firewall's DNS proxy)"}
	}
	return Finding{Check: check, State: Sound, Seen: "questions come back as they are asked"}
}

func (v asking) streams(ctx context.Context) Finding {
	const check = "TCP"
	got, err := v.probe(ctx, lookup.Probe{Server: v.server, Name: v.Options.Signed, Kind: lookup.NS, TCP: true})
	if err != nil {
		return Finding{Check: check, State: Doubtful, Seen: "it does not answer over TCP: " + err.Error(),
			Change: "open TCP port 53 to it: long answers (keys of DKIM, SPF) come that way only"}
	}
	return Finding{Check: check, State: Sound, Seen: "it answers over TCP in " + dns.TookText(got.Answer.Took)}
}

// invents sees whether names that do not exist have addresses.
func (v asking) invents(ctx context.Context) Finding {
	const check = "rewriting"
	for _, top := range []string{"com", "net", "org", "invalid"} {
		name := "weir-" + strings.ToLower(rand.Text()[:12]) + "." + top
		got, err := v.ask(ctx, name, lookup.A)
		if err == nil && got.Failure != nil {
			err = fmt.Errorf("asked for %s: %w", name, got.Failure.Err)
		}
		switch {
		case err != nil:
			return unknownYet(check, v.server, err)
		case got.Answer.Found:
			return Finding{Check: check, State: Ill, Seen: fmt.Sprintf("names below %s that do not exist have the address %s: to lists, all would be listed", top, got.Answer.Addrs[0]),
				Change: "switch off the rewriting of answers (\"search help\") there, or " + ownResolver}
		}
	}
	return Finding{Check: check, State: Sound, Seen: "names that do not exist have no address"}
}

// validates sees whether a name with wrong signatures is taken for good, and whether one with right ones is vouched for.
func (v asking) validates(ctx context.Context) Finding {
	const check = "validating"
	const change = "let it validate (unbound does with auto-trust-anchor-file): answers can be forged on their way to it"
	right, err := v.ask(ctx, v.Options.Signed, lookup.NS)
	if err != nil {
		return unknownYet(check, v.server, err)
	}
	wrong, err := v.ask(ctx, v.Options.Broken, lookup.A)
	switch {
	case err != nil:
		return unknownYet(check, v.server, err)
	case wrong.Answer.Found:
		return Finding{Check: check, State: Doubtful, Seen: v.Options.Broken + " has wrong signatures, and it gives its address", Change: change}
	case wrong.Failure == nil:
		return unknownYet(check, v.server, fmt.Errorf("it says that %s has no address", v.Options.Broken))
	case !right.Authentic:
		return Finding{Check: check, State: Doubtful, Seen: fmt.Sprintf("it does not say of %s that the signatures are right", v.Options.Signed), Change: change}
	}
	return Finding{Check: check, State: Sound, Seen: "it refuses wrong signatures and vouches for right ones"}
}

// asksAs sees from which address a server far away is asked.
func (v asking) asksAs(ctx context.Context) Finding {
	const check = "who asks"
	var seen []netip.Addr
	for _, k := range []lookup.Kind{lookup.TXT, lookup.A} {
		got, err := v.ask(ctx, v.Options.WhoAsks, k)
		if err != nil {
			return unknownYet(check, v.server, err)
		}
		seen = append(seen, got.Answer.Addrs...)
		for _, text := range got.Answer.Texts {
			if ip, err := netip.ParseAddr(strings.TrimSpace(text)); err == nil {
				seen = append(seen, ip.Unmap())
			}
		}
	}
	switch {
	case len(seen) == 0:
		return unknownYet(check, v.server, fmt.Errorf("%s tells no address", v.Options.WhoAsks))
	case runsPublic(seen[0]) != "":
		return Finding{Check: check, State: Ill, Seen: fmt.Sprintf("lists are asked from %s, of %s", seen[0], runsPublic(seen[0])), Change: ownResolver}
	case len(v.Addresses) == 0:
		return unknownYet(check, v.server, fmt.Errorf("lists are asked from %s; whether that is here is not known", seen[0]))
	case !slices.Contains(v.Addresses, seen[0]):
		return Finding{Check: check, State: Doubtful, Seen: fmt.Sprintf("lists are asked from %s, which is not this machine", seen[0]),
			Change: "if strangers ask from there too, they use up what lists allow: " + ownResolver}
	}
	return Finding{Check: check, State: Sound, Seen: "lists are asked from " + seen[0].String() + ", this machine"}
}

// find looks up the records of a name, of several kinds together.
func (d *Visit) find(ctx context.Context, name string, kinds ...lookup.Kind) (lookup.Answer, error) {
	var all lookup.Answer
	for _, k := range kinds {
		got, err := d.Resolver.Lookup(ctx, name, k)
		var f *lookup.Failure
		if errors.As(err, &f) {
			return all, fmt.Errorf("asked for %s %s: %w", name, k, f.Err)
		}
		all.Addrs, all.Names = append(all.Addrs, got.Addrs...), append(all.Names, got.Names...)
	}
	return all, nil
}
