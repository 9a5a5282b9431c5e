package main

import (
	"log/slog"

	"weir/filters/dnsbl"
	"weir/filters/lookup"
)

// watchLists makes guards of the DNS lists and runs them until stop is called.
func watchLists(r *lookup.Resolver, log *slog.Logger) (guards *dnsbl.Guards, stop func()) {
	guards = dnsbl.NewGuards(r)
	guards.Tell = func(s dnsbl.Status) {
		if s.Parked {
			log.Warn("DNS list is not asked", "rule", s.Rule, "zone", s.Zone, "until", s.Until, "why", s.Why)
		} else {
			log.Info("DNS list is asked again", "rule", s.Rule, "zone", s.Zone)
		}
	}
	return guards, inBackground(guards.Run)
}
