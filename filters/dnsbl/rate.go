package dnsbl

import (
	"context"
	"fmt"
	"slices"

	"weir/filters/lookup"
	"weir/rules"
)

// Bounds of what a rate is.
const (
	window    = 16 // answers that are looked at together
	history   = 4  // windows before which nothing is odd
	longest   = 32 // windows that the mean is over
	oddAbove  = 90 // per cent
	usual     = 50 // per cent, above which nothing is odd
	controls  = 8
	everySome = 4 // of the unlisted, one in so many becomes a control
)

// rate is how much of what a list is asked for it lists, and some of what it does not list.
type rate struct {
	asked, listed int     // of the window under way
	windows       int     // that came before, at most longest
	mean          float64 // per cent listed in these
	unlisted      int
	kept          []string // the keys of some that were not listed, to ask for again
}

// count takes an answer and reports whether the window that it ends is odd, with the per cent listed before and in it.
func (r *rate) count(q *question) (before, latest int, odd bool) {
	r.asked++
	if q.answer.Found {
		r.listed++
	} else {
		r.keep(q.key)
	}
	if r.asked < window {
		return 0, 0, false
	}
	share := float64(100*r.listed) / window
	before, latest = int(r.mean+0.5), int(share+0.5)
	odd = r.windows >= history && r.mean <= usual && share >= oddAbove
	r.asked, r.listed = 0, 0
	r.mean = (r.mean*float64(r.windows) + share) / float64(r.windows+1)
	r.windows = min(r.windows+1, longest-1)
	return before, latest, odd
}

// keep keeps some of the keys that are not listed; new ones take the place of old ones.
func (r *rate) keep(key string) {
	if r.unlisted++; r.unlisted%everySome != 1 {
		return
	}
	if len(r.kept) < controls {
		r.kept = append(r.kept, key)
	} else {
		r.kept[r.unlisted/everySome%controls] = key
	}
}

func (r *rate) keys() []string { return slices.Clone(r.kept) }

// changed asks a list again for what it did not list, and says in what it is not the list that it was.
func changed(ctx context.Context, r *lookup.Resolver, z *rules.Zone, keys []string) string {
	all := make([]*question, len(keys))
	for i, key := range keys {
		all[i] = &question{zone: z, subject: key, key: key}
	}
	ask(ctx, all, r.Fresh)
	answered, listed := 0, 0
	for _, q := range all {
		p, failed := q.problem()
		switch {
		case failed && q.err == nil:
			return p.Detail
		case !failed:
			answered++
			if q.answer.Found {
				listed++
			}
		}
	}
	if 2*listed > answered {
		return fmt.Sprintf("it lists %d of %d that it did not list before", listed, answered)
	}
	return ""
}
