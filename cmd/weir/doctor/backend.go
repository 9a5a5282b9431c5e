package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"

	"weir/cmd/weir/config"
	"weir/proxy/backend"
)

// stranger is a client that nobody trusts (RFC 5737).
var stranger = netip.MustParseAddrPort("192.0.2.1:25")

// behind examines each server that mail goes to.
func (d *Visit) behind(ctx context.Context) []Finding {
	if len(d.Config.Backend.AllAddrs()) == 0 && !d.Config.HasOthers() {
		return []Finding{{Check: "backend", State: Ill, Seen: "there is no backend", Change: "name the server that mail goes to: backend: { addrs: [\"HOST:PORT\"] }"}}
	}
	var all []rear
	for _, addr := range d.Config.Backend.AllAddrs() {
		all = append(all, rear{d, d.Config.Backend, addr, true})
	}
	for _, r := range d.Config.Routes {
		for _, addr := range r.Backend.AllAddrs() {
			all = append(all, rear{d, r.Backend, addr, slices.Contains(r.Domains, config.EveryOther)})
		}
	}
	return each(all, func(r rear) []Finding { return r.examine(ctx) })
}

// rear is one server behind.
type rear struct {
	*Visit
	conf  config.Backend
	addr  string
	usual bool // it gets all mail that has no route
}

// examine says what the server offers; of one that does not serve nothing more.
func (r rear) examine(ctx context.Context) []Finding {
	clear := r.conf
	clear.TLS, clear.PassClient = config.TLSOff, "none"
	conn, err := r.open(ctx, clear, backend.Client{})
	if err != nil {
		return []Finding{{Check: "backend", Of: r.addr, State: Ill, Seen: err.Error(), Change: "start it, or correct backend.addrs: mail is deferred until it serves"}}
	}
	offer := maps.Clone(conn.Offer)
	conn.Quit()
	found := []Finding{r.greets(offer), r.encrypts(ctx, offer)}
	if found[1].State == Ill {
		return found
	}
	found = append(found, r.size(offer), r.learns(ctx))
	if r.usual {
		found = append(found, r.relays(ctx))
	}
	return found
}

// open greets the server as the configuration b of it says.
func (r rear) open(ctx context.Context, b config.Backend, who backend.Client) (*backend.Conn, error) {
	b.Addrs, b.Servers = []string{r.addr}, nil
	made, err := r.Config.Way(b, nil)
	if err != nil {
		return nil, err
	}
	conn, err := made.OpenFor(ctx, who)
	var refusal *backend.Refusal
	if err != nil && !errors.As(err, &refusal) {
		err = errors.New(strings.TrimPrefix(err.Error(), "backend "+r.addr+": ")) // it is said whose it is
	}
	return conn, err
}

func (r rear) greets(offer backend.Extensions) Finding {
	one := Finding{Check: "backend", Of: r.addr, State: Sound, Seen: "it serves and offers " + cmp.Or(strings.Join(slices.Sorted(maps.Keys(offer)), " "), "nothing")}
	if r.conf.Protocol == "smtp" && !offer.Has("PIPELINING") {
		one.State, one.Change = Doubtful, "switch its PIPELINING on, if it can: each recipient costs a round trip without"
	}
	return one
}

// encrypts sees whether the way to the server is as it should be.
func (r rear) encrypts(ctx context.Context, offer backend.Extensions) Finding {
	one := Finding{Check: "backend TLS", Of: r.addr, State: Sound}
	if r.conf.TLS == config.TLSOff {
		if near(r.addr) {
			one.Seen = "mail goes there in clear, and does not leave this machine"
			return one
		}
		one.State, one.Seen, one.Change = Doubtful, "mail goes there in clear", "set backend.tls: required"
		if !offer.Has("STARTTLS") {
			one.Change = "give it a certificate and set backend.tls: required"
		}
		return one
	}
	conn, err := r.open(ctx, r.conf, backend.Client{})
	if err != nil {
		return Finding{Check: one.Check, Of: r.addr, State: Ill, Seen: err.Error(), Change: "correct its certificate or backend.tls_ca and tls_name: mail is deferred"}
	}
	defer conn.Quit()
	switch {
	case conn.Secured():
		one.Seen = "it is who it should be"
	case !offer.Has("STARTTLS") || conn.Offer.Has("STARTTLS"):
		one.State, one.Seen, one.Change = Doubtful, "TLS cannot be had; mail goes there in clear", "switch its STARTTLS on, or say backend.tls: off"
	default:
		one.State, one.Seen, one.Change = Sound, "mail goes there encrypted; who the server is is not verified", ""
	}
	return one
}

// near reports whether what goes to addr stays on this machine.
func near(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	ip, bad := netip.ParseAddr(host)
	return strings.HasPrefix(addr, "unix:") || err == nil && (host == "localhost" || bad == nil && ip.IsLoopback())
}

func (r rear) size(offer backend.Extensions) Finding {
	one := Finding{Check: "backend size", Of: r.addr, State: Sound, Seen: "it takes messages of any size"}
	most, ours := offer.MaxSize(), int64(r.Config.Limits.MessageSize)
	switch {
	case most > 0 && most < ours:
		one.State, one.Seen = Doubtful, fmt.Sprintf("it takes messages of up to %d bytes; weir then takes no larger ones, although limits.message_size is %d", most, ours)
		one.Change = fmt.Sprintf("set limits.message_size: %d, or raise its limit", most)
	case most > 0:
		one.Seen = fmt.Sprintf("it takes messages of up to %d bytes, weir of up to %d", most, ours)
	}
	return one
}

// learns sees whether the server takes from us who the client is.
func (r rear) learns(ctx context.Context) Finding {
	one := Finding{Check: "pass_client", Of: r.addr, State: Sound}
	xclient, xforward := r.takes(ctx, "xclient"), r.takes(ctx, "xforward")
	if err := ctx.Err(); err != nil {
		return unknownYet(one.Check, r.addr, err)
	}
	switch want := r.conf.PassClient; {
	case want == "none":
		one.Seen = "the server takes weir for the client of all mail, as pass_client: none says"
	case want == "xforward" && xforward == nil, want == "auto" && xclient != nil && xforward == nil:
		one.Seen = "it takes XFORWARD from here: it logs who the client is, and takes weir for the client"
	case want != "xforward" && xclient == nil:
		one.Seen = "it takes XCLIENT from here: it knows who the client is"
	case want == "auto":
		one.State, one.Seen = Doubtful, "it takes neither XCLIENT nor XFORWARD from here; to it, all mail comes from weir"
		one.Change = "let it (Postfix: smtpd_authorized_xclient_hosts), or switch off its own checks of clients"
	default:
		one.State, one.Seen = Ill, fmt.Sprintf("pass_client is %s: %v", want, errors.Join(map[string]error{"xclient": xclient, "xforward": xforward}[want]))
		one.Change = "let it take the command from weir's address (Postfix: smtpd_authorized_" + want + "_hosts), or set pass_client: auto; mail is deferred"
	}
	return one
}

// takes is why the server does not take the command from us, nil if it does.
func (r rear) takes(ctx context.Context, command string) error {
	b := r.conf
	b.PassClient = command
	conn, err := r.open(ctx, b, r.stranger())
	var refusal *backend.Refusal
	if errors.As(err, &refusal) {
		return nil // it judges the client that it was told of
	}
	if err != nil {
		return err
	}
	defer conn.Quit()
	return conn.Trace("doctor")
}

func (r rear) stranger() backend.Client {
	return backend.Client{Addr: stranger, Local: stranger, NameKnown: true, Hello: r.Config.Hostname, Proto: "ESMTP"}
}

// relays sees whether a stranger could send to everybody through us. The transaction ends by RSET.
func (r rear) relays(ctx context.Context) Finding {
	one := Finding{Check: "open relay", Of: r.addr, State: Sound}
	reply, err := r.tryForeign(ctx)
	var refusal *backend.Refusal
	switch {
	case errors.As(err, &refusal):
		one.Seen = "it refuses strangers: " + refusal.Reply.String()
	case err != nil:
		return unknownYet(one.Check, r.addr, err)
	case reply.OK() && len(r.Config.Conduct.Relay) > 0:
		one.Seen = fmt.Sprintf("it takes mail for %s from here; relay_domains keeps that to yours", r.Options.Foreign)
	case reply.OK():
		one.State, one.Seen = Ill, fmt.Sprintf("it takes mail for %s from here: everybody could send to everybody through weir", r.Options.Foreign)
		one.Change = "name the domains that are yours, relay_domains: [DOMAIN], or take weir's address out of those it relays for (Postfix: mynetworks)"
	case reply.Code/100 == 4:
		return unknownYet(one.Check, r.addr, errors.New(reply.String()))
	default:
		one.Seen = fmt.Sprintf("it refuses mail for %s from here: %s", r.Options.Foreign, reply)
	}
	return one
}

// tryForeign asks whether mail of a stranger to another one is taken.
func (r rear) tryForeign(ctx context.Context) (backend.Reply, error) {
	conn, err := r.open(ctx, r.conf, r.stranger())
	if err != nil {
		return backend.Reply{}, err
	}
	defer conn.Quit()
	conn.Mail("<>", nil)
	reply, err := conn.Rcpt("<postmaster@"+r.Options.Foreign+">", nil)
	if err != nil {
		return reply, err
	}
	conn.Rest()
	_ = conn.Resume() // says RSET; the transaction is gone either way
	return reply, nil
}
