package dns

import (
	"context"
	"sync"
	"time"

	"weir/filters/dnsbl"
	"weir/rules"
)

// States of a list, as its test finds it.
const (
	Well     = "well"     // it lists what it must and not what it must not
	Untested = "untested" // it answers, and has no test points
	Silent   = "silent"   // it does not answer
	Wrong    = "wrong"    // it must not be asked; serve parks it
)

// Health is a list's state, as `dns health --json` prints it.
type Health struct {
	Zone   string `json:"zone"`
	Name   string `json:"name"`
	State  string `json:"state"`
	Detail string `json:"detail,omitempty"`
	Server string `json:"server,omitempty"`
	TookUS int64  `json:"took_us"` // the slowest answer

	Log *Log `json:"log,omitempty"` // nil without a verdict log
}

// Test asks all picked lists for their test points, at once. What it returns is in their order.
func (b *Bench) Test(ctx context.Context) []Health {
	ctx, cancel := context.WithTimeout(ctx, 2*b.Budget)
	defer cancel()
	all := make([]Health, len(b.Zones))
	var work sync.WaitGroup
	for i := range b.Zones {
		work.Go(func() { all[i] = HealthOf(&b.Zones[i], dnsbl.Test(ctx, b.Resolver, &b.Zones[i])) })
	}
	work.Wait()
	return all
}

// HealthOf is how z fares by what its test has found.
func HealthOf(z *rules.Zone, found dnsbl.Health) Health {
	h := Health{Zone: z.ID, Name: z.Display, Server: found.Server, TookUS: found.Took.Microseconds()}
	switch {
	case found.Wrong != "":
		h.State, h.Detail = Wrong, found.Wrong
	case found.Failed != "":
		h.State, h.Detail = Silent, found.Failed
	case found.Warning != "":
		h.State, h.Detail = Untested, found.Warning
	default:
		h.State = Well
	}
	return h
}

// Took is how long the slowest answer took, for people.
func (h Health) Took() string { return TookText(time.Duration(h.TookUS) * time.Microsecond) }
