package doctor

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"weir/cmd/weir/config"
	"weir/filters/dnsbl"
	"weir/filters/lookup"
)

// shared is the space between customers and their providers (RFC 6598), which nobody outside sees.
var shared = netip.MustParsePrefix("100.64.0.0/10")

// PublicAddresses are the addresses under which others know this machine: those that are listened at, else those of its
// interfaces.
func PublicAddresses(c config.Config) []netip.Addr {
	var all []netip.Addr
	add := func(ip netip.Addr) {
		if ip = ip.Unmap(); isPublicAddress(ip) && !slices.Contains(all, ip) {
			all = append(all, ip)
		}
	}
	for _, l := range c.Listen {
		if at, err := netip.ParseAddrPort(l.Addr); err == nil {
			add(at.Addr())
		}
	}
	if len(all) > 0 {
		return all
	}
	interfaces, _ := net.InterfaceAddrs() // none are known then, which is said
	for _, i := range interfaces {
		if prefix, err := netip.ParsePrefix(i.String()); err == nil {
			add(prefix.Addr())
		}
	}
	return all
}

func isPublicAddress(ip netip.Addr) bool {
	return ip.IsGlobalUnicast() && !ip.IsPrivate() && !shared.Contains(ip)
}

const nameTheAddress = "if it is behind a router, name the public one with --address"

// hostname sees whether others find this machine by the name with which it greets.
func (d *Visit) hostname(ctx context.Context) []Finding {
	const check = "hostname"
	name := d.Config.Hostname
	one := Finding{Check: check, Of: name, State: Doubtful, Change: fmt.Sprintf("give %s an A or AAAA record that is an address of this machine, or set `hostname:` to the name that has one", name)}
	if !strings.Contains(name, ".") {
		one.Seen, one.Change = "it is not a name that others know", "set `hostname:` to the full name of this machine"
		return []Finding{one}
	}
	got, err := d.find(ctx, name, lookup.A, lookup.AAAA)
	ours := func(ip netip.Addr) bool { return slices.Contains(d.Addresses, ip) }
	switch {
	case err != nil:
		return []Finding{unknownYet(check, name, err)}
	case len(got.Addrs) == 0:
		one.Seen = "the name has no address"
	case len(d.Addresses) > 0 && !slices.ContainsFunc(got.Addrs, ours):
		one.Seen = fmt.Sprintf("its address is %s, and this machine's is %s", dnsbl.Join(got.Addrs), dnsbl.Join(d.Addresses))
	default:
		one.State, one.Seen, one.Change = Sound, "its address is "+dnsbl.Join(got.Addrs), ""
	}
	return []Finding{one}
}

// reverse sees what others find when they look up the addresses of this machine.
func (d *Visit) reverse(ctx context.Context) []Finding {
	const check = "reverse name"
	if len(d.Addresses) == 0 {
		return []Finding{{Check: check, State: Doubtful, Seen: "could not be found out: this machine has no public address", Change: nameTheAddress}}
	}
	return each(d.Addresses, func(ip netip.Addr) []Finding {
		one := d.reverseOf(ctx, ip)
		one.Check, one.Of = check, ip.String()
		return []Finding{one}
	})
}

func (d *Visit) reverseOf(ctx context.Context, ip netip.Addr) Finding {
	got, err := d.find(ctx, lookup.ReverseName(ip)+"."+lookup.ReverseZone(ip), lookup.PTR)
	switch {
	case err != nil:
		return unknownYet("", "", err)
	case len(got.Names) == 0:
		return Finding{State: Doubtful, Seen: "it has no reverse name",
			Change: fmt.Sprintf("have the provider of the address set it to %s: mail from here is taken for spam, and some lists do not answer", d.Config.Hostname)}
	}
	name := got.Names[0]
	back, err := d.find(ctx, name, lookup.A, lookup.AAAA)
	switch {
	case err != nil:
		return unknownYet("", "", err)
	case !slices.Contains(back.Addrs, ip):
		return Finding{State: Doubtful, Seen: fmt.Sprintf("its reverse name %s does not lead back to it", name),
			Change: fmt.Sprintf("give %s this address, or have the provider set the reverse name to %s", name, d.Config.Hostname)}
	case !slices.Contains(got.Names, strings.ToLower(d.Config.Hostname)):
		return Finding{State: Doubtful, Seen: fmt.Sprintf("its reverse name is %s, and weir greets as %s", name, d.Config.Hostname),
			Change: "make them the same: set `hostname: " + name + "`, or have the provider change the reverse name"}
	}
	return Finding{State: Sound, Seen: name + ", which leads back to it"}
}
