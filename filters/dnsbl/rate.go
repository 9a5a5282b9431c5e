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
	window   = 16 // answers that are looked at together
	longest  = 32 // windows that the mean is over
	controls = 8
)

// habit is how often something happens, and when that is odd: in a window of so many, a share above odd, where it was at
// most usual over the windows before, at least history of them. Both are per cent.
type habit struct {
	window, history int
	usual, odd      float64
}

// The habits of lists.
var (
	listsAll      = habit{window, 4, 50, 90}     // it lists nearly all, overnight
	listsFamiliar = habit{window / 2, 2, 20, 50} // it begins to list those who are known to be good
	isLate        = habit{window, 0, 100, 75}    // it answers late or never
)

// share counts by a habit.
type share struct {
	habit
	all, of int // of the window under way
	windows int // that came before, at most longest
	mean    float64
}

// count counts one and reports whether the window that it ends is odd, with the per cent before and in it.
func (s *share) count(one bool) (before, latest int, odd bool) {
	if s.all++; one {
		s.of++
	}
	if s.all < s.window {
		return 0, 0, false
	}
	now := float64(100*s.of) / float64(s.window)
	before, latest = int(s.mean+0.5), int(now+0.5)
	odd = s.windows >= s.history && s.mean <= s.usual && now >= s.odd
	s.all, s.of = 0, 0
	s.mean = (s.mean*float64(s.windows) + now) / float64(s.windows+1)
	s.windows = min(s.windows+1, longest-1)
	return before, latest, odd
}

// rate is how much of what a list is asked for it lists, and some of what it does not list.
type rate struct {
	share
	every    int // of the unlisted, one in so many becomes a control
	unlisted int
	kept     []string // the keys of some that were not listed, to ask for again
}

// count takes an answer, as share does.
func (r *rate) count(q *question) (before, latest int, odd bool) {
	if !q.answer.Found {
		r.keep(q.key)
	}
	return r.share.count(q.answer.Found)
}

// keep keeps some of the keys that are not listed, each once; new ones take the place of old ones.
func (r *rate) keep(key string) {
	if r.unlisted++; (r.unlisted-1)%r.every != 0 || slices.Contains(r.kept, key) {
		return
	}
	if len(r.kept) < controls {
		r.kept = append(r.kept, key)
	} else {
		r.kept[r.unlisted/r.every%controls] = key
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
