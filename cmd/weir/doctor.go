package main

import (
	"context"
	"fmt"
	"net/netip"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"weir/cmd/weir/doctor"
)

// doctorFlags say what is asked for.
type doctorFlags struct {
	workbench
	addresses []string
	doctor.Options
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
	flags.BoolVar(&f.Catalogue, "catalogue", false, "say too which lists of the catalogue would work from here")
	flags.StringVar(&f.Signed, "signed", "org", "a `NAME` with NS records that is signed, to see whether the resolver validates")
	flags.StringVar(&f.Broken, "broken", "dnssec-failed.org", "a `NAME` whose signatures are wrong, likewise")
	flags.StringVar(&f.WhoAsks, "who-asks", "", "a `NAME` whose TXT or A record is the address that asks for it, such as o-o.myaddr.l.google.com")
	flags.StringVar(&f.Foreign, "foreign", "example.com", "a `DOMAIN` whose mail is not ours, to see whether everybody could relay")
	return c
}

func (a *app) doctor(ctx context.Context, f doctorFlags) error {
	d, err := a.newDoctor(f)
	if err != nil {
		return err
	}
	defer d.Resolver.Close()
	return a.printDiagnoses(d.Examine(ctx))
}

func (a *app) newDoctor(f doctorFlags) (*doctor.Visit, error) {
	d := &doctor.Visit{File: a.configFile, Known: known(), Options: f.Options}
	var err error
	if d.Config, err = a.config(); err != nil {
		return nil, err
	}
	var files []string
	if f.rules != "" {
		d.Config.Rules, files = f.rules, []string{f.rules}
	}
	if d.Rules, err = a.namedRules(files); err != nil {
		return nil, err
	}
	for _, text := range f.addresses {
		ip, err := netip.ParseAddr(text)
		if err != nil {
			return nil, exit{exitUsage, fmt.Errorf("--address %s: want an IP address", text)}
		}
		d.Addresses = append(d.Addresses, ip.Unmap())
	}
	if len(d.Addresses) == 0 {
		d.Addresses = doctor.PublicAddresses(d.Config)
	}
	if d.Resolver, err = f.workbench.resolver(d.Config.DNS); err != nil {
		return nil, err
	}
	switch _, err := netip.ParseAddrPort(f.zone); {
	case f.offline:
	case f.zone == "":
		d.Servers = d.Config.DNS.Resolvers()
	case err == nil:
		d.Servers = []string{f.zone}
	}
	return d, nil
}

func (a *app) printDiagnoses(all []doctor.Finding) error {
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
		color := map[string]int{doctor.Sound: colorPass, doctor.Doubtful: colorTag, doctor.Ill: colorReject}[d.State]
		fmt.Fprintf(table, "%s\t%s\t%s\n", paint(colored, color, fmt.Sprintf("%-7s", d.State)), d.Check, printable(joined(d.Of, d.Seen)))
		if d.Change != "" {
			fmt.Fprintf(table, "%s\t\t  -> %s\n", paint(colored, color, "       "), d.Change)
		}
	}
	if err := table.Flush(); err != nil {
		return exit{exitIO, fmt.Errorf("writing the findings: %w", err)}
	}
	a.say("%d ok, %s, %d bad", counts[doctor.Sound], count(counts[doctor.Doubtful], "warning"), counts[doctor.Ill])
	if counts[doctor.Ill] > 0 {
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
