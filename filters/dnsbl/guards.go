package dnsbl

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"weir/filters/lookup"
	"weir/filters/store"
	"weir/rules"
)

// Guards watch over lists, so that one that has lost its mind is not asked: it is parked. They outlive the generations of
// rules. Run must be running while checks that have them run. A nil *Guards watches over nothing.
type Guards struct {
	Tell  func(Status) // called when a list is parked and when it is asked again, if set before Run
	Store store.Store  // remembers who is known to be good, if set before Watch

	resolver *lookup.Resolver
	wake     chan struct{}
	unheard  chan *question // nobody waits for the answers any more
	mu       sync.Mutex
	lists    map[string]*guard // by the name of the zone, which may hold a key
}

// NewGuards makes guards that test lists through r.
func NewGuards(r *lookup.Resolver) *Guards {
	return &Guards{resolver: r, wake: make(chan struct{}, 1), unheard: make(chan *question, maxUnheard), lists: map[string]*guard{}}
}

// Watch makes zones what is watched over. What is known of a list is kept if it is among them, else forgotten.
func (g *Guards) Watch(zones []rules.Zone) {
	if g == nil {
		return
	}
	g.mu.Lock()
	lists := make(map[string]*guard, len(zones))
	for i := range zones {
		z := &zones[i]
		if old := g.lists[z.Zone]; old != nil {
			old.replace(z)
			lists[z.Zone] = old
		} else if lists[z.Zone] == nil {
			lists[z.Zone] = newGuard(z, g.nudge)
		}
	}
	g.lists = lists
	g.mu.Unlock()
	g.nudge()
}

// of is the guard of z; nil if nobody watches over it.
func (g *Guards) of(z *rules.Zone) *guard {
	if g == nil {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.lists[z.Zone]
}

// maxUnheard bounds the questions that wait to be heard out.
const maxUnheard = 64

// saw tells the guard of a question's zone of the answer. If nobody waited for it, the answer is heard out, of one
// question of each list at a time: else a list that never answers would not be found out where verdicts do without it.
func (g *Guards) saw(ctx context.Context, q *question) {
	l := g.of(q.zone)
	switch {
	case l == nil:
	case !errors.Is(q.err, context.Canceled):
		l.saw(q, g.isFamiliar(ctx, q), g.Tell)
	case l.hearing.CompareAndSwap(false, true):
		select {
		case g.unheard <- q:
		default:
			l.hearing.Store(false)
		}
	}
}

// hear waits for the answer to a question of the list l.
func (g *Guards) hear(ctx context.Context, l *guard, q question) {
	defer l.hearing.Store(false)
	ctx, cancel := context.WithTimeout(ctx, testTime)
	defer cancel()
	began := time.Now()
	q.answer, q.err = g.resolver.Lookup(ctx, q.name(), lookup.A)
	q.took += time.Since(began)
	l.saw(&q, g.isFamiliar(ctx, &q), g.Tell)
}

// isFamiliar reports whether q has an answer that is new and about somebody who is known to be good.
func (g *Guards) isFamiliar(ctx context.Context, q *question) bool {
	return q.err == nil && !q.answer.Cached && g.familiar(ctx, q.subject)
}

func (g *Guards) nudge() {
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// Run tests each list at once, then hourly, and those that are parked when their time is over. It returns when ctx ends
// and no test is under way any more.
func (g *Guards) Run(ctx context.Context) {
	var tests sync.WaitGroup
	defer tests.Wait()
	for {
		due, next := g.due(time.Now())
		for _, l := range due {
			tests.Go(func() { l.test(ctx, g.resolver, g.Tell) })
		}
		timer := time.NewTimer(time.Until(next))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-g.wake:
		case <-timer.C:
		case q := <-g.unheard:
			if l := g.of(q.zone); l != nil {
				tests.Go(func() { g.hear(ctx, l, *q) })
			}
		}
		timer.Stop()
	}
}

// due takes the lists whose test is due, and says when the next one is.
func (g *Guards) due(now time.Time) (due []*guard, next time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	next = now.Add(testEvery)
	for _, l := range g.lists {
		switch at := l.begin(now); {
		case at.IsZero():
			due = append(due, l)
		case at.Before(next):
			next = at
		}
	}
	return due, next
}

// Status is how a list fares.
type Status struct {
	Rule      string    `json:"rule"` // the zone's id
	Zone      string    `json:"zone"` // its name without keys
	Parked    bool      `json:"parked"`
	Why       string    `json:"why,omitempty"` // it is parked
	Until     time.Time `json:"until,omitzero"`
	Warning   string    `json:"warning,omitempty"`    // what the last test missed
	LastError string    `json:"last_error,omitempty"` // of a question, however long ago
	Asked     uint64    `json:"asked"`                // questions; the next two are parts of it
	Listed    uint64    `json:"listed"`
	Unknown   uint64    `json:"unknown"`
	Took      Times     `json:"-"` // questions that the cache did not answer
}

// timeBounds are lengths by which Times counts.
var timeBounds = [...]time.Duration{
	time.Millisecond, 5 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
	200 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second,
}

// Times are durations counted by their length.
type Times struct {
	Count uint64
	Total time.Duration
	upto  [len(timeBounds)]uint64
}

func (t *Times) add(took time.Duration) {
	t.Count++
	t.Total += took
	for i, bound := range timeBounds {
		if took <= bound {
			t.upto[i]++
		}
	}
}

// Upto says how many took at most so many seconds, for some lengths.
func (t Times) Upto() map[float64]uint64 {
	upto := map[float64]uint64{}
	for i, bound := range timeBounds {
		upto[bound.Seconds()] = t.upto[i]
	}
	return upto
}

// Status is how all lists fare, sorted by their ids.
func (g *Guards) Status() []Status {
	if g == nil {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	var all []Status
	for _, l := range g.lists {
		all = append(all, l.status())
	}
	slices.SortFunc(all, func(a, b Status) int { return strings.Compare(a.Rule, b.Rule) })
	return all
}
