package dnsbl

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"weir/filters"
	"weir/filters/lookup"
	"weir/rules"
)

// Times and bounds of guards.
const (
	testEvery   = time.Hour
	testTime    = 10 * time.Second // that one test may take
	parkWrong   = 5 * time.Minute  // how long a list is parked the first time; it doubles each time
	parkLongest = time.Hour
	parkSilent  = time.Minute            // likewise, for one that does not answer: all fall silent while a resolver is down,
	silentMost  = 5 * time.Minute        // and should not stay parked for long when it is back
	testAgain   = 10 * time.Second       // between tests that answers make due
	maxRun      = 4                      // listings in a row that make one due: one that lists all must not go on for an hour
	maxErrors   = 8                      // error answers in a row, whatever the test says
	maxFailures = 8                      // in a row
	slowAfter   = time.Second            // an answer that takes longer is late
	neverAfter  = 100 * time.Millisecond // a failure that takes less was known before
	silentFor   = 3 * time.Second        // that the failures in a row must span; lookups repeat one failure that long
)

// guard watches over one list. Checks and tests use it at once.
type guard struct {
	nudge  func()        // says that a test is due
	tested chan struct{} // closed when the first test has ended

	hearing atomic.Bool // an answer that nobody else waits for is awaited

	mu       sync.Mutex
	zone     *rules.Zone
	state    Status
	due      time.Time // when the next test is
	testing  bool
	strikes  int // how often it was parked since it was last found well while it was asked
	habits   habits
	errors   int       // error answers in a row
	listed   int       // new answers in a row that were listings
	doubted  time.Time // when an answer last made a test due
	failures int       // in a row
	failing  time.Time
}

// habits are how a list answers.
type habits struct {
	rate     rate
	familiar rate  // of those alone who are known to be good
	late     share // of answers and failures
}

func newGuard(z *rules.Zone, nudge func()) *guard {
	return &guard{nudge: nudge, tested: make(chan struct{}), zone: z, habits: habits{
		rate: rate{share: share{habit: listsAll}, every: 4}, familiar: rate{share: share{habit: listsFamiliar}, every: 1}, late: share{habit: isLate},
	}}
}

// replace takes the zone of newer rules.
func (l *guard) replace(z *rules.Zone) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.zone = z
}

// status is how the list fares.
func (l *guard) status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now()
}

// now is the status. The caller holds l.mu.
func (l *guard) now() Status {
	s := l.state
	s.Rule, s.Zone = l.zone.ID, shown(l.zone)
	return s
}

// admit says whether z, the guard's list, may be asked; else the problem to report. Before the first test has ended it
// waits for it.
func (l *guard) admit(ctx context.Context, z *rules.Zone) (filters.Problem, bool) {
	if l == nil {
		return filters.Problem{}, true
	}
	select {
	case <-l.tested:
	case <-ctx.Done():
		return filters.Problem{Rule: z.ID, Kind: filters.KindTimeout, Detail: shown(z) + ": its test has not ended in time"}, false
	}
	s := l.status()
	if !s.Parked {
		return filters.Problem{}, true
	}
	return filters.Problem{Rule: z.ID, Kind: filters.KindParked,
		Detail: fmt.Sprintf("%s is not asked until %s: %s", shown(z), s.Until.UTC().Format("15:04 MST"), s.Why)}, false
}

// saw learns from an answered question, and parks the list if the answer is one of a list in trouble. familiar says that
// it was about somebody who is known to be good.
func (l *guard) saw(q *question, familiar bool, tell func(Status)) {
	if errors.Is(q.err, lookup.ErrOffline) || errors.Is(q.err, context.Canceled) {
		return // nobody has asked, or nobody waited for the answer
	}
	problem, failed := q.problem()
	l.change(tell, func(now time.Time) {
		l.state.Asked++
		if !q.answer.Cached {
			l.state.Took.add(q.took)
			l.keepsTime(q, now)
		}
		switch {
		case !failed:
			l.failures, l.errors = 0, 0
			l.listens(q, familiar, now)
		case problem.Kind == filters.KindSentinel:
			l.unknown(problem)
			l.doubts(now, problem.Detail)
		default:
			l.unknown(problem)
			l.fails(now, problem.Kind+": "+problem.Detail)
		}
	})
}

// change does what changes the guard, and tells if the list is parked or asked again by it.
func (l *guard) change(tell func(Status), do func(now time.Time)) {
	l.mu.Lock()
	before := l.now()
	do(time.Now())
	after := l.now()
	l.mu.Unlock()
	if tell != nil && (after.Parked != before.Parked || after.Until != before.Until) {
		tell(after)
	}
}

func (l *guard) unknown(p filters.Problem) {
	l.state.Unknown++
	l.state.LastError = p.Kind + ": " + p.Detail
}

// listens counts an answer. One from the cache says nothing new.
func (l *guard) listens(q *question, familiar bool, now time.Time) {
	if q.answer.Found {
		l.state.Listed++
	}
	if q.answer.Cached {
		return
	}
	l.runs(q.answer.Found, now)
	if before, latest, odd := l.habits.rate.count(q); odd {
		l.suspects(now, fmt.Sprintf("it lists %d %% of what it is asked for, before it was %d %%", latest, before))
	}
	if !familiar {
		return
	}
	if before, latest, odd := l.habits.familiar.count(q); odd {
		l.suspects(now, fmt.Sprintf("it lists %d %% of those with whom mail is exchanged, before it was %d %%", latest, before))
	}
}

// runs counts listings in a row. Many listed clients may come at once, so the list is asked on while it is tested.
func (l *guard) runs(listed bool, now time.Time) {
	if !listed {
		l.listed = 0
		return
	}
	if l.listed++; l.listed >= maxRun {
		l.listed = 0
		l.testSoon(now)
	}
}

// suspects parks a list that lists oddly much for as long only as it takes to test it, with what it did not list until now:
// many listed clients may come at once.
func (l *guard) suspects(now time.Time, why string) {
	if l.state.Parked {
		return
	}
	l.state.Parked, l.state.Until, l.state.Why = true, now, why
	l.due = now
	l.nudge()
}

// keepsTime counts how long an answer or a failure took. A list that is mostly late is as good as silent.
func (l *guard) keepsTime(q *question, now time.Time) {
	if q.err != nil && q.took < neverAfter {
		return
	}
	var f *lookup.Failure
	late := q.took > slowAfter || errors.As(q.err, &f) && f.Kind == lookup.Timeout
	if _, latest, odd := l.habits.late.count(late); odd {
		l.park(now, fmt.Sprintf("%d %% of its last answers took longer than %s or never came", latest, slowAfter), parkSilent)
	}
}

// doubts counts an error answer. A list in trouble gives it to its test points too, which are asked at once; one that
// gives it to a single client is not in trouble.
func (l *guard) doubts(now time.Time, why string) {
	if l.errors++; l.errors >= maxErrors {
		l.park(now, why, parkWrong)
		return
	}
	l.testSoon(now)
}

// testSoon makes a test due now, if the last one that an answer made due is long enough ago.
func (l *guard) testSoon(now time.Time) {
	if !l.state.Parked && now.Sub(l.doubted) >= testAgain {
		l.doubted, l.due = now, now
		l.nudge()
	}
}

// fails counts a failure; many in a row park the list.
func (l *guard) fails(now time.Time, why string) {
	if l.failures++; l.failures == 1 {
		l.failing = now
	}
	if l.failures >= maxFailures && now.Sub(l.failing) >= silentFor {
		l.park(now, fmt.Sprintf("%d failures in a row, %s", l.failures, why), parkSilent)
	}
}

// park stops the asking until a test finds the list well, first after a time that doubles from first on. One that is
// parked stays so.
func (l *guard) park(now time.Time, why string, first time.Duration) {
	if l.state.Parked {
		return
	}
	l.parkAnew(now, why, first)
}

func (l *guard) parkAnew(now time.Time, why string, first time.Duration) {
	longest := parkLongest
	if first == parkSilent {
		longest = silentMost
	}
	wait := min(first<<min(l.strikes, 10), longest)
	l.strikes++
	l.failures, l.errors = 0, 0
	l.state.Parked, l.state.Why, l.state.Until = true, why, now.Add(wait)
	l.due = l.state.Until
	l.nudge()
}

// begin starts a test if one is due and returns the zero time; else when to ask again.
func (l *guard) begin(now time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.testing:
		return now.Add(testEvery) // its end is told
	case l.due.After(now):
		return l.due
	}
	l.testing = true
	return time.Time{}
}

// test asks the list for its test points and draws the consequences.
func (l *guard) test(ctx context.Context, r *lookup.Resolver, tell func(Status)) {
	l.mu.Lock()
	zone, parked, controls := l.zone, l.state.Parked, [][]string{l.habits.rate.keys(), l.habits.familiar.keys()}
	l.mu.Unlock()
	bounded, cancel := context.WithTimeout(ctx, testTime)
	defer cancel()
	found := Test(bounded, r, zone)
	for _, keys := range controls {
		if parked && found.Wrong == "" {
			found.Wrong = changed(bounded, r, zone, keys)
		}
	}
	if ctx.Err() != nil {
		return // the end of the program says nothing of the list
	}
	l.change(tell, func(now time.Time) {
		if l.state.Parked && !parked { // meanwhile: that needs a test of its own, with controls
			l.testing, l.due = false, l.state.Until
			l.nudge()
			return
		}
		l.conclude(found, now)
	})
}

// conclude draws the consequences of a test.
func (l *guard) conclude(found Health, now time.Time) {
	first := parkWrong
	why := found.Wrong
	if why == "" && found.Failed != "" {
		first, why = parkSilent, found.Failed
		l.state.LastError = why
	}
	if why == "" && l.state.Parked && found.Took > slowAfter {
		first, why = parkSilent, fmt.Sprintf("its test points took %s", found.Took.Round(time.Millisecond))
	}
	l.testing, l.due = false, now.Add(testEvery)
	l.state.Warning = found.Warning
	defer l.nudge()
	switch parked := l.state.Parked; {
	case found.Wrong != "" || parked && why != "":
		l.parkAnew(now, why, first)
	case why != "":
		l.fails(now, why)
	case parked:
		l.state.Parked, l.state.Why, l.state.Until, l.failures = false, "", time.Time{}, 0
	default:
		l.strikes = 0
	}
	select {
	case <-l.tested:
	default:
		close(l.tested)
	}
}
