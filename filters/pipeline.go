package filters

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// grace is how much longer results are waited for than a check may run, so that a check that stops at its deadline can
// still say what it had found by then.
const grace = 100 * time.Millisecond

// Pipeline is the checks of one generation. It is immutable and shared by all connections.
type Pipeline struct {
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

// Begin starts a pass for one connection. ctx ends every run of it; so does End.
func (p *Pipeline) Begin(ctx context.Context) *Pass {
	return p.newPass(ctx, nil)
}

func (p *Pipeline) newPass(ctx context.Context, before []*run) *Pass {
	ctx, cancel := context.WithCancel(ctx)
	return &Pass{pipeline: p, ctx: ctx, cancel: cancel, runs: before}
}

// Pass is the run of a pipeline over one connection, or over one message of it. One goroutine may use it.
type Pass struct {
	pipeline *Pipeline
	ctx      context.Context
	cancel   context.CancelFunc
	reached  [stages]bool
	runs     []*run
	running  sync.WaitGroup
}

// run is one check at work. result is written once, before done is closed.
type run struct {
	check   *Check
	started time.Time
	done    chan struct{}
	once    sync.Once
	result  Result
}

// Message starts the pass of one message. It keeps the runs of the Connect stage, which hold for the connection.
func (x *Pass) Message() *Pass {
	var kept []*run
	for _, r := range x.runs {
		if r.check.Stage == Connect {
			kept = append(kept, r)
		}
	}
	m := x.pipeline.newPass(x.ctx, kept)
	m.reached[Connect] = x.reached[Connect]
	return m
}

// End cancels what still runs. Answers already there stay readable.
func (x *Pass) End() { x.cancel() }

// Wait returns when no check that this pass has started runs any more, so that what they read can be taken away. A check
// that ignores its context can make it wait for ever.
func (x *Pass) Wait() { x.running.Wait() }

// Reach starts the checks of stage s with what is known now. It never blocks. A stage is reached once; later calls
// for it do nothing.
func (x *Pass) Reach(s Stage, m Mail) {
	if x.reached[s] {
		return
	}
	x.reached[s] = true
	for i := range x.pipeline.checks {
		if c := &x.pipeline.checks[i]; c.Stage == s {
			r := &run{check: c, started: time.Now(), done: make(chan struct{})}
			x.runs = append(x.runs, r)
			x.running.Go(func() { r.perform(x.ctx, x.pipeline.budget, m) })
		}
	}
}

// Results returns the results of all checks of the stages up to s that were reached, in the order of the stages and
// of the list of checks. It waits for them, at most the budget and the grace from now; a check that is late or was
// cancelled is there as a Problem, and stays one for this pass even if it ends later.
func (x *Pass) Results(s Stage) []Result {
	timer := time.NewTimer(x.pipeline.budget + grace)
	defer timer.Stop()
	expired := false
	var out []Result
	for _, r := range x.runs {
		if r.check.Stage > s {
			continue
		}
		// An answer that came in time wins over a clock that ran out: the channel is read before the clock.
		select {
		case <-r.done:
			out = append(out, r.result)
			continue
		default:
		}
		if !expired {
			select {
			case <-r.done:
			case <-timer.C:
				expired = true
			case <-x.ctx.Done():
				expired = true
			}
		}
		r.finish(Report{}, context.DeadlineExceeded)
		<-r.done
		out = append(out, r.result)
	}
	return out
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
			report.Problems[i].Check = r.check.Name
		}
		r.result = Result{Check: r.check.Name, Report: report, Took: time.Since(r.started)}
		close(r.done)
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
