// Package doctor examines what weir stands on: the resolver, the DNS lists of the rules, the name and address of this machine,
// the server behind, the listeners, the certificate, files and clock. It sends no mail, writes nothing that stays, and prints
// nothing.
//
//	v := &doctor.Visit{File: file, Config: c, Rules: set, Resolver: resolver, Servers: c.DNS.Resolvers(), Known: known}
//	for _, f := range v.Examine(ctx) { ... }
//
// Each file is about one of these, with the words for what it finds and for what to do about it.
package doctor

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"weir/cmd/weir/config"
	"weir/filters/lookup"
	"weir/rules"
)

// patience bounds how long each examination may take.
const patience = 20 * time.Second

// Words for what an examination has found. Of what could not be found out the word is Doubtful.
const (
	Sound    = "ok"
	Doubtful = "warning" // it works, or may; something is better changed
	Ill      = "bad"     // mail is lost, refused or believed wrongly
)

// Finding is what was found about one thing, as `doctor --json` prints it.
type Finding struct {
	Check  string `json:"check"`
	Of     string `json:"of,omitempty"` // the server, list, listener or file that it is about
	State  string `json:"state"`
	Seen   string `json:"seen"`
	Change string `json:"change,omitempty"` // what to do about it
}

// Options are what is asked besides.
type Options struct {
	Signed    string // a name with NS records that is signed
	Broken    string // a name whose signatures are wrong
	WhoAsks   string // a name whose TXT or A record is the address that asks for it; "" for none
	Foreign   string // a domain whose mail is not ours
	Catalogue bool   // the lists of the catalogue too
}

// Visit is what is examined, and by what. Its fields are set before Examine.
type Visit struct {
	File      string // the configuration was read from; "" if from none
	Config    config.Config
	Rules     *rules.Set
	Resolver  *lookup.Resolver
	Servers   []string // that the resolver asks; none if it answers from a file or not at all
	Addresses []netip.Addr
	Known     rules.Known // for the lists of the catalogue
	Options   Options
	began     time.Time
}

// examinations are all there are, in the order in which they are printed. What is only there with a configuration is
// left out without one.
func (d *Visit) examinations() []examination {
	all := []examination{d.resolvers, d.lists}
	if d.Options.Catalogue {
		all = append(all, d.catalogue)
	}
	all = append(all, d.hostname, d.reverse)
	if d.File != "" {
		all = append(all, d.behind, d.exchangers, d.redis, d.listeners, d.believed, d.certificate, d.files, d.descriptors)
	}
	return all
}

// Examine makes all examinations at once and returns what they found, in the order in which people read it. It takes 20
// seconds at most, and leaves the resolver open.
func (d *Visit) Examine(ctx context.Context) []Finding {
	d.began = time.Now()
	found := together(ctx, d.examinations())
	return append(found, d.clock()...) // it looks at the time that the others took
}

// examination looks at one thing and says what it has found. It honours ctx.
type examination func(ctx context.Context) []Finding

// together makes all examinations at once and returns what they found, in their order.
func together(ctx context.Context, all []examination) []Finding {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return each(all, func(e examination) []Finding { return e(ctx) })
}

// each looks at all things at once and returns what is found, in their order.
func each[T any](all []T, look func(T) []Finding) []Finding {
	found := make([][]Finding, len(all))
	var work sync.WaitGroup
	for i, one := range all {
		work.Go(func() { found[i] = look(one) })
	}
	work.Wait()
	var flat []Finding
	for _, f := range found {
		flat = append(flat, f...)
	}
	return flat
}

// unknownYet is the diagnosis of what could not be found out.
func unknownYet(check, of string, why error) Finding {
	return Finding{Check: check, Of: of, State: Doubtful, Seen: "could not be found out: " + why.Error()}
}

var errNobodyAsked = errors.New("no DNS server is asked")
