package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"weir/filters"
	"weir/filters/auth"
	"weir/filters/lookup"
)

// anyOf is one text, or several of which any will do.
type anyOf []string

func (a *anyOf) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		*a = anyOf{node.Value}
		return nil
	}
	return node.Decode((*[]string)(a))
}

// spf runs a file of the SPF suite: clients and senders, each with the records of its domain.
func spf(s *suite, path string) error {
	return documents(path, func(decode func(any) error) error {
		var scenario struct {
			Tests    yaml.Node
			ZoneData map[string][]yaml.Node `yaml:"zonedata"`
		}
		if err := decode(&scenario); err != nil {
			return err
		}
		zone, err := zoneOf(scenario.ZoneData)
		if err != nil {
			return err
		}
		check := auth.NewSPF(lookup.FromZone(zone))
		return eachCase(scenario.Tests, func(name string, decode func(any) error) error {
			var test struct {
				Helo, Host, MailFrom string
				Result               anyOf
			}
			if err := decode(&test); err != nil {
				return err
			}
			ip, err := netip.ParseAddr(test.Host)
			if err != nil {
				return err
			}
			ctx, cancel := bounded()
			defer cancel()
			report, err := check.Run(ctx, filters.Mail{
				At:       time.Now(),
				Session:  &filters.Session{Addr: netip.AddrPortFrom(ip, 25), Hello: test.Helo},
				Envelope: &filters.Envelope{From: test.MailFrom},
			})
			if err != nil {
				return err
			}
			got := report.Facts.Auth.SPF.Result
			s.settle(slices.Contains(test.Result, got), name, "%s, want %s: %v", got, strings.Join(test.Result, " or "), report.Hits)
			return nil
		})
	})
}

// zoneOf makes a zone of the suite's data. A record of type SPF stands for one of type TXT too, unless the name has a
// word of its own on TXT.
func zoneOf(data map[string][]yaml.Node) (*lookup.Zone, error) {
	zone, err := lookup.MapZone(nil)
	if err != nil {
		return nil, err
	}
	for name, entries := range data {
		var records, spf []string
		text, fails := false, false
		for _, entry := range entries {
			if entry.Value == "TIMEOUT" {
				fails = true
				continue
			}
			kind, value := entry.Content[0].Value, entry.Content[1]
			var words []string
			if value.Kind == yaml.SequenceNode {
				err = value.Decode(&words)
			} else {
				words = []string{value.Value}
			}
			switch {
			case err != nil:
				return nil, err
			case kind == "SPF":
				spf = append(spf, texts(words))
			case kind == "TXT":
				text = true
				if value.Value != "NONE" {
					records = append(records, texts(words))
				}
			default:
				records = append(records, kind+" "+absolute(kind, words))
			}
		}
		if !text {
			records = append(records, spf...)
		}
		if fails && !slices.ContainsFunc(records, func(r string) bool { return strings.HasPrefix(r, "TXT") }) {
			records = append(records, "SERVFAIL")
		}
		if len(name) > 253 || len(records) == 0 {
			continue
		}
		if err := zone.Set(escaped(name), records...); err != nil {
			return nil, err
		}
	}
	return zone, nil
}

// escaped is a name as zones have it.
func escaped(name string) string {
	return strings.NewReplacer(`\`, `\\`, ` `, `\ `, `"`, `\"`, `'`, `\'`, `(`, `\(`, `)`, `\)`, `;`, `\;`, `@`, `\@`).Replace(name)
}

// absolute is the data of a record as zones have it.
func absolute(kind string, words []string) string {
	last := len(words) - 1
	if kind != "A" && kind != "AAAA" {
		words[last] = escaped(strings.TrimSuffix(words[last], ".")) + "."
	}
	return strings.Join(words, " ")
}

// texts is a TXT record of strings, whose characters stand for bytes.
func texts(strs []string) string {
	if len(strs) == 0 {
		strs = []string{""}
	}
	out := "TXT"
	for _, s := range strs {
		var bytes strings.Builder
		for _, c := range s {
			fmt.Fprintf(&bytes, "\\%03d", byte(c))
		}
		out += ` "` + bytes.String() + `"`
	}
	return out
}
