package filters

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// grace is how much longer results are waited for than a check may run, so that a check that stops at its deadline can
// still say what it had found by then.
const grace = 100 * time.Millisecond

// Pipeline is the checks of one generation. It is immutable and shared by all connections.
type Pipeline struct {
	// Relays are servers of ours that pass on what others have sent. What they send is judged by the client from whom they
	// had it, once the message is there: until then no check starts. To be set before the first pass begins.
	Relays []netip.Prefix

	checks []Check
	budget time.Duration
}

// NewPipeline makes a pipeline of checks. budget bounds the run of each check, and (with a moment's grace) each wait for
// results; it must be positive.
func NewPipeline(budget time.Duration, checks ...Check) *Pipeline {
	return &Pipeline{checks: checks, budget: budget}
}

// Checks returns the checks in their order.
func (p *Pipeline) Checks() []Check { return p.checks }

// Behind is m, whose message is there, with the client from whom a relay had it in the place of the relay. It reports false
// and m itself if no relay is connected.
func (p *Pipeline) Behind(m Mail) (Mail, bool) {
	if !m.relayed(p.Relays) {
		return m, false
	}
	return m.behind(p.Relays), true
}

// Begin starts a pass for one connection. ctx ends every run of it; so does End.
func (p *Pipeline) Begin(ctx context.Context) *Pass {
	return p.newPass(ctx, make(chan struct{}, 1))
}

func (p *Pipeline) newPass(ctx context.Context, news chan struct{}) *Pass {
	ctx, cancel := context.WithCancel(ctx)
	return &Pass{pipeline: p, ctx: ctx, cancel: cancel, news: news}
}

// Pass is the run of a pipeline over one connection, or over one message of it. One goroutine may use it.
type Pass struct {
	pipeline *Pipeline
	ctx      context.Context
	cancel   context.CancelFunc
	reached  [stages]bool
	runs     []*run
	news     chan struct{} // holds a token when a check has ended; the connection and its messages share it
	running  sync.WaitGroup
}

// run is one check at work. result is written once, before done is closed.
type run struct {
	check   *Check
	started time.Time
	news    chan<- struct{}
	done    chan struct{}
	once    sync.Once
	result  Result
}

// Message starts the pass of one message. It keeps the runs of the Connect stage, which hold for the connection.
func (x *Pass) Message() *Pass {
	m := x.pipeline.newPass(x.ctx, x.news)
	for _, r := range x.runs {
		if r.check.Stage == Connect {
			m.runs = append(m.runs, r)
		}
	}
	m.reached[Connect] = x.reached[Connect]
	return m
}

// End cancels what still runs. Answers already there stay readable.
func (x *Pass) End() { x.cancel() }

// Wait returns when no check that this pass has started runs any more, so that what they read can be taken away. A check
// that ignores its context can make it wait for ever.
func (x *Pass) Wait() { x.running.Wait() }

// Reach starts the checks of stage s with what is known now. It never blocks. A stage is reached once; later calls
// for it do nothing. While a relay stands for its client no stage is reached.
func (x *Pass) Reach(s Stage, m Mail) {
	if x.reached[s] || m.relayed(x.pipeline.Relays) {
		return
	}
	x.reached[s] = true
	for i := range x.pipeline.checks {
		if c := &x.pipeline.checks[i]; c.Stage == s {
			r := &run{check: c, started: time.Now(), news: x.news, done: make(chan struct{})}
			x.runs = append(x.runs, r)
			x.running.Go(func() { r.perform(x.ctx, x.pipeline.budget, m) })
		}
	}
}

// Address starts the checks of the stage Addressed for the first recipient, or for another one if that was refused: what
// was found for the recipient before is forgotten.
func (x *Pass) Address(m Mail) {
	x.runs = slices.DeleteFunc(x.runs, func(r *run) bool { return r.check.Stage == Addressed })
	x.reached[Addressed] = false
	x.Reach(Addressed, m)
}

// Results returns the results of all checks of the stages up to s that were reached, in the order of the stages and
// of the list of checks. It waits for them, at most the budget and the grace from now; a check that is late or was
// cancelled is there as a Problem, and stays one for this pass even if it ends later.
func (x *Pass) Results(s Stage) []Result {
	done, _ := x.Until(s, nil, func([]Result, []*Check) bool { return false })
	return done
}

// Until is Results that waits no longer than until enough says so. enough is asked at once, when a check has ended, and
// when wake delivers, with the results that are there and the checks that are open; those it saw last are returned. An
// open check is no Problem: it may run on.
func (x *Pass) Until(s Stage, wake <-chan time.Time, enough func(done []Result, open []*Check) bool) ([]Result, []*Check) {
	timer := time.NewTimer(x.pipeline.budget + grace)
	defer timer.Stop()
	for {
		done, open := x.now(s)
		if len(open) == 0 || enough(done, open) {
			return done, open
		}
		select {
		case <-x.news:
			continue
		case <-wake:
			continue
		case <-timer.C:
		case <-x.ctx.Done():
		}
		return x.close(s), nil
	}
}

// now is what is there and what is open of the stages up to s.
func (x *Pass) now(s Stage) (done []Result, open []*Check) {
	done = make([]Result, 0, len(x.runs))
	for _, r := range x.runs {
		if r.check.Stage > s {
			continue
		}
		select {
		case <-r.done:
			done = append(done, r.result)
		default:
			open = append(open, r.check)
		}
	}
	return done, open
}

// close gives up on what is open of the stages up to s. An answer that came in time wins over the clock that ran out.
func (x *Pass) close(s Stage) []Result {
	for _, r := range x.runs {
		if r.check.Stage <= s {
			r.finish(Report{}, context.DeadlineExceeded)
		}
	}
	done, _ := x.now(s)
	return done
}

// perform runs the check in its own goroutine. It is owned by the pass: its context ends with the pass or the budget.
func (r *run) perform(ctx context.Context, budget time.Duration, m Mail) {
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	defer func() {
		if cause := recover(); cause != nil {
			r.finish(Report{}, panicError{cause})
		}
	}()
	report, err := r.check.Run(ctx, m)
	r.finish(report, err)
}

// finish records the outcome; the first call wins.
func (r *run) finish(report Report, err error) {
	r.once.Do(func() {
		if err != nil {
			report.Problems = append(report.Problems, problemOf(err))
		}
		for i := range report.Problems {
			p := &report.Problems[i]
			p.Check, p.Rule = r.check.Name, cmp.Or(p.Rule, r.check.Rule)
		}
		r.result = Result{Check: r.check.Name, Report: report, Took: time.Since(r.started)}
		close(r.done)
		select {
		case r.news <- struct{}{}:
		default: // there is news already
		}
	})
}

type panicError struct{ cause any }

func (e panicError) Error() string { return fmt.Sprint(e.cause) }

func problemOf(err error) Problem {
	var p panicError
	switch {
	case errors.As(err, &p):
		return Problem{Kind: KindPanic, Detail: p.Error()}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return Problem{Kind: KindTimeout, Detail: "no answer within the budget"}
	}
	return Problem{Kind: KindFailed, Detail: err.Error()}
}
