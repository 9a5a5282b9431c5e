package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"weir/cmd/weir/config"
	"weir/filters/lookup"
	"weir/rules"
)

// doctorTime bounds how long each examination may take.
const doctorTime = 20 * time.Second

// Words for what an examination has found. Of what could not be found out the word is doubtful.
const (
	sound    = "ok"
	doubtful = "warning" // it works, or may; something is better changed
	ill      = "bad"     // mail is lost, refused or believed wrongly
)

// diagnosis is one finding about the surroundings, as `doctor --json` prints it.
type diagnosis struct {
	Check  string `json:"check"`
	Of     string `json:"of,omitempty"` // the server, list, listener or file that it is about
	State  string `json:"state"`
	Seen   string `json:"seen"`
	Change string `json:"change,omitempty"` // what to do about it
}

// doctorFlags say what is asked for.
type doctorFlags struct {
	workbench
	addresses []string
	signed    string
	broken    string
	whoAsks   string
	foreign   string
	catalogue bool
}

func (a *app) doctorCommand() *cobra.Command {
	var f doctorFlags
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Examine what weir stands on before the first mail comes, and say what to change",
		Long: `Examines the resolver, the DNS lists of the rules, the name and address of this machine, the server behind, the listeners,
the certificate, files and clock, by the configuration of -c FILE. Each finding is a line: ok, warning or bad, what was
seen, and below it what to change. It sends no mail; the server behind is asked whether it would take a message to a
stranger, which is then not sent.

The exit code is 1 if something is bad, 78 if the configuration or the rules are wrong.`,
		Example: "  weir doctor -c /etc/weir/weir.yaml\n  weir doctor -c /etc/weir/weir.yaml --catalogue --address 192.0.2.25",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return a.doctor(c.Context(), f) },
	}
	f.workbench.flags(c)
	flags := c.Flags()
	flags.StringArrayVar(&f.addresses, "address", nil, "the public `IP` of this machine, if it is behind a router; may be repeated")
	flags.BoolVar(&f.catalogue, "catalogue", false, "say too which lists of the catalogue would work from here")
	flags.StringVar(&f.signed, "signed", "org", "a `NAME` with NS records that is signed, to see whether the resolver validates")
	flags.StringVar(&f.broken, "broken", "dnssec-failed.org", "a `NAME` whose signatures are wrong, likewise")
	flags.StringVar(&f.whoAsks, "who-asks", "", "a `NAME` whose TXT or A record is the address that asks for it, such as o-o.myaddr.l.google.com")
	flags.StringVar(&f.foreign, "foreign", "example.com", "a `DOMAIN` whose mail is not ours, to see whether everybody could relay")
	return c
}

// doctor is one visit: what is examined, and by what.
type doctor struct {
	file      string // the configuration was read from; "" if from none
	config    config.Config
	set       *rules.Set
	resolver  *lookup.Resolver
	servers   []string // that the resolver asks; none if it answers from a file or not at all
	addresses []netip.Addr
	flags     doctorFlags
	began     time.Time
}

func (a *app) doctor(ctx context.Context, f doctorFlags) error {
	d, err := a.newDoctor(f)
	if err != nil {
		return err
	}
	defer d.resolver.Close()
	found := examine(ctx, d.examinations())
	found = append(found, d.clock()...) // it looks at the time that the others took
	return a.printDiagnoses(found)
}

func (a *app) newDoctor(f doctorFlags) (*doctor, error) {
	d := &doctor{file: a.configFile, flags: f, began: time.Now()}
	var err error
	if d.config, err = a.config(); err != nil {
		return nil, err
	}
	var files []string
	if f.rules != "" {
		d.config.Rules, files = f.rules, []string{f.rules}
	}
	if d.set, err = a.namedRules(files); err != nil {
		return nil, err
	}
	for _, text := range f.addresses {
		ip, err := netip.ParseAddr(text)
		if err != nil {
			return nil, exit{exitUsage, fmt.Errorf("--address %s: want an IP address", text)}
		}
		d.addresses = append(d.addresses, ip.Unmap())
	}
	if len(d.addresses) == 0 {
		d.addresses = publicAddresses(d.config)
	}
	if d.resolver, err = f.workbench.resolver(d.config.DNS); err != nil {
		return nil, err
	}
	switch _, err := netip.ParseAddrPort(f.zone); {
	case f.offline:
	case f.zone == "":
		d.servers = d.config.DNS.Resolvers()
	case err == nil:
		d.servers = []string{f.zone}
	}
	return d, nil
}

// examinations are all there are, in the order in which they are printed. What is only there with a configuration is
// left out without one.
func (d *doctor) examinations() []examination {
	all := []examination{d.resolvers, d.lists}
	if d.flags.catalogue {
		all = append(all, d.catalogue)
	}
	all = append(all, d.hostname, d.reverse)
	if d.file != "" {
		all = append(all, d.behind, d.exchangers, d.redis, d.listeners, d.believed, d.certificate, d.files, d.descriptors)
	}
	return all
}

// examination looks at one thing and says what it has found. It honours ctx.
type examination func(ctx context.Context) []diagnosis

// examine makes all examinations at once and returns what they found, in their order.
func examine(ctx context.Context, all []examination) []diagnosis {
	ctx, cancel := context.WithTimeout(ctx, doctorTime)
	defer cancel()
	return each(all, func(e examination) []diagnosis { return e(ctx) })
}

// each looks at all things at once and returns what is found, in their order.
func each[T any](all []T, look func(T) []diagnosis) []diagnosis {
	found := make([][]diagnosis, len(all))
	var work sync.WaitGroup
	for i, one := range all {
		work.Go(func() { found[i] = look(one) })
	}
	work.Wait()
	var flat []diagnosis
	for _, f := range found {
		flat = append(flat, f...)
	}
	return flat
}

// unknownYet is the diagnosis of what could not be found out.
func unknownYet(check, of string, why error) diagnosis {
	return diagnosis{Check: check, Of: of, State: doubtful, Seen: "could not be found out: " + why.Error()}
}

var errNobodyAsked = errors.New("no DNS server is asked")

func (a *app) printDiagnoses(all []diagnosis) error {
	counts := map[string]int{}
	table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	colored := a.colored(a.out)
	for _, d := range all {
		counts[d.State]++
		if a.json {
			if err := a.printJSON(d); err != nil {
				return err
			}
			continue
		}
		color := map[string]int{sound: colorPass, doubtful: colorTag, ill: colorReject}[d.State]
		fmt.Fprintf(table, "%s\t%s\t%s\n", paint(colored, color, fmt.Sprintf("%-7s", d.State)), d.Check, printable(joined(d.Of, d.Seen)))
		if d.Change != "" {
			fmt.Fprintf(table, "%s\t\t  -> %s\n", paint(colored, color, "       "), d.Change)
		}
	}
	if err := table.Flush(); err != nil {
		return exit{exitIO, fmt.Errorf("writing the findings: %w", err)}
	}
	a.say("%d ok, %s, %d bad", counts[sound], count(counts[doubtful], "warning"), counts[ill])
	if counts[ill] > 0 {
		return exit{code: exitNo}
	}
	return nil
}

// joined is a finding with what it is about before it.
func joined(of, seen string) string {
	if of == "" {
		return seen
	}
	return of + ": " + seen
}
