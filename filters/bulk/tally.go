package bulk

import "sync/atomic"

// Tally counts what became of messages. It outlives the generations of rules, and is safe for any number of goroutines.
// The zero value is ready.
type Tally struct {
	graded                           [strict + 1]atomic.Uint64
	exempted, earned, broken, merges atomic.Uint64
}

// Totals are what a Tally has counted since it was made.
type Totals struct {
	Unlike, Loose, Strict    uint64 // messages, by how surely they belong to a campaign that there was
	Exempted, Earned, Broken uint64 // messages: spared by a list, spared as earned, and not as was earned
	Merges                   uint64 // campaigns that became one with another
}

// Totals returns what was counted.
func (t *Tally) Totals() Totals {
	return Totals{
		Unlike: t.graded[unlike].Load(), Loose: t.graded[loose].Load(), Strict: t.graded[strict].Load(),
		Exempted: t.exempted.Load(), Earned: t.earned.Load(), Broken: t.broken.Load(),
		Merges: t.merges.Load(),
	}
}
