package filters

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func says(name string, s Stage, symbols ...string) Check {
	return Check{Name: name, Stage: s, Run: func(context.Context, Mail) (Report, error) {
		var r Report
		for _, symbol := range symbols {
			r.Hits = append(r.Hits, Hit{Symbol: symbol})
		}
		return r, nil
	}}
}

func symbols(results []Result) []string {
	var all []string
	for _, r := range results {
		for _, h := range r.Hits {
			all = append(all, h.Symbol)
		}
	}
	return all
}

func problems(results []Result) []Problem {
	var all []Problem
	for _, r := range results {
		all = append(all, r.Problems...)
	}
	return all
}

func TestResultsComeInTheOrderOfStagesUpToTheOneAsked(t *testing.T) {
	p := NewPipeline(time.Second, says("a", Connect, "A"), says("b", Body, "B"), says("c", Sender, "C"))
	pass := p.Begin(t.Context())
	defer pass.End()
	for _, s := range []Stage{Connect, Sender, Recipients, Body} {
		pass.Reach(s, Mail{})
	}
	if got := symbols(pass.Results(Sender)); !slices.Equal(got, []string{"A", "C"}) {
		t.Errorf("up to sender: %v", got)
	}
	if got := symbols(pass.Results(Proven)); !slices.Equal(got, []string{"A", "C", "B"}) {
		t.Errorf("all: %v", got)
	}
}

func TestMessageKeepsConnectResultsAndRunsTheRestAgain(t *testing.T) {
	var connects, senders atomic.Int32
	counted := func(n *atomic.Int32) func(context.Context, Mail) (Report, error) {
		return func(context.Context, Mail) (Report, error) { n.Add(1); return Report{}, nil }
	}
	p := NewPipeline(time.Second, Check{Name: "a", Stage: Connect, Run: counted(&connects)},
		Check{Name: "b", Stage: Sender, Run: counted(&senders)})
	conn := p.Begin(t.Context())
	conn.Reach(Connect, Mail{})
	for range 3 {
		m := conn.Message()
		m.Reach(Connect, Mail{})
		m.Reach(Sender, Mail{})
		m.Reach(Sender, Mail{})
		if n := len(m.Results(Sender)); n != 2 {
			t.Errorf("%d results, want 2", n)
		}
		m.End()
	}
	conn.End()
	if connects.Load() != 1 || senders.Load() != 3 {
		t.Errorf("connect ran %d times, sender %d; want 1 and 3", connects.Load(), senders.Load())
	}
}

func TestPanicAndErrorAreProblemsNeverHits(t *testing.T) {
	p := NewPipeline(time.Second,
		Check{Name: "mad", Stage: Body, Run: func(context.Context, Mail) (Report, error) { panic("no") }},
		Check{Name: "sad", Stage: Body, Run: func(context.Context, Mail) (Report, error) { return Report{}, errors.New("no") }},
		says("glad", Body, "GLAD"))
	pass := p.Begin(t.Context())
	defer pass.End()
	pass.Reach(Body, Mail{})
	results := pass.Results(Body)
	if got := symbols(results); !slices.Equal(got, []string{"GLAD"}) {
		t.Errorf("hits %v", got)
	}
	want := []Problem{{Check: "mad", Kind: KindPanic, Detail: "no"}, {Check: "sad", Kind: KindFailed, Detail: "no"}}
	if got := problems(results); !slices.Equal(got, want) {
		t.Errorf("problems %v", got)
	}
}

func TestAHungCheckCostsTheBudgetOnceAndIsAProblem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		hang := Check{Name: "hung", Stage: Body, Run: func(context.Context, Mail) (Report, error) {
			<-release // ignores its context
			return Report{Hits: []Hit{{Symbol: "LATE"}}}, nil
		}}
		pass := NewPipeline(8*time.Second, hang, hang, says("quick", Body, "QUICK")).Begin(t.Context())
		pass.Reach(Body, Mail{})
		before := time.Now()
		results := pass.Results(Body)
		if took := time.Since(before); took != 8*time.Second+grace {
			t.Errorf("waited %v, want the budget of 8s and the grace", took)
		}
		if got := symbols(results); !slices.Equal(got, []string{"QUICK"}) {
			t.Errorf("hits %v", got)
		}
		if got := problems(results); len(got) != 2 || got[0].Kind != KindTimeout {
			t.Errorf("problems %v", got)
		}
		close(release)
		synctest.Wait()
		if got := symbols(pass.Results(Body)); !slices.Equal(got, []string{"QUICK"}) {
			t.Errorf("a late answer changed the results: %v", got)
		}
		pass.End()
	})
}

func TestACheckThatStopsAtItsDeadlineIsStillHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		partial := Check{Name: "partial", Stage: Connect, Run: func(ctx context.Context, _ Mail) (Report, error) {
			<-ctx.Done()
			return Report{Hits: []Hit{{Symbol: "FOUND"}}}, nil
		}}
		pass := NewPipeline(time.Second, partial).Begin(t.Context())
		pass.Reach(Connect, Mail{})
		if got := symbols(pass.Results(Connect)); !slices.Equal(got, []string{"FOUND"}) {
			t.Errorf("hits %v", got)
		}
		pass.End()
	})
}

func TestAnAnswerInTimeWinsOverTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(d time.Duration, symbol string) Check {
			return Check{Name: symbol, Stage: Connect, Run: func(ctx context.Context, _ Mail) (Report, error) {
				time.Sleep(d)
				return Report{Hits: []Hit{{Symbol: symbol}}}, nil
			}}
		}
		pass := NewPipeline(time.Second, slow(2*time.Second, "LATE"), slow(time.Millisecond, "EARLY")).Begin(t.Context())
		pass.Reach(Connect, Mail{})
		if got := symbols(pass.Results(Connect)); !slices.Equal(got, []string{"EARLY"}) {
			t.Errorf("hits %v", got)
		}
		pass.End()
		time.Sleep(2 * time.Second) // of the bubble's clock: lets the late check end
	})
}

func TestEndCancelsWhatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stopped := make(chan error, 1)
		pass := NewPipeline(time.Hour, Check{Name: "waits", Stage: Connect,
			Run: func(ctx context.Context, _ Mail) (Report, error) {
				<-ctx.Done()
				stopped <- ctx.Err()
				return Report{}, ctx.Err()
			}}).Begin(t.Context())
		pass.Reach(Connect, Mail{})
		pass.End()
		if err := <-stopped; !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
		synctest.Wait()
	})
}

func TestUntilWaitsNoLongerThanIsEnough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		after := func(d time.Duration, symbol string) Check {
			return Check{Name: "list", Rule: symbol, Stage: Connect, Symbols: []string{symbol}, Run: func(ctx context.Context, _ Mail) (Report, error) {
				select {
				case <-ctx.Done():
					return Report{}, ctx.Err()
				case <-time.After(d):
					return Report{Hits: []Hit{{Symbol: symbol}}}, nil
				}
			}}
		}
		conn := NewPipeline(8*time.Second, after(time.Second, "A"), after(2*time.Second, "B"), after(time.Hour, "C")).Begin(t.Context())
		conn.Reach(Connect, Mail{})
		pass := conn.Message()
		began := time.Now()
		asked := 0
		done, open := pass.Until(Connect, nil, func(done []Result, open []*Check) bool {
			asked++
			return slices.Contains(symbols(done), "B")
		})
		if took := time.Since(began); took != 2*time.Second || asked > 4 {
			t.Errorf("waited %v and asked %d times, want 2s and once for each end of a check", took, asked)
		}
		if got := symbols(done); !slices.Equal(got, []string{"A", "B"}) || len(problems(done)) > 0 || len(open) != 1 || open[0].Rule != "C" {
			t.Errorf("there is %v, and open is %v", got, open)
		}
		wake := time.After(3 * time.Second)
		if _, open = pass.Until(Connect, wake, func([]Result, []*Check) bool { return time.Since(began) >= 5*time.Second }); len(open) != 1 || time.Since(began) != 5*time.Second {
			t.Errorf("woken after %v with %d open", time.Since(began), len(open))
		}
		done, open = pass.Until(Connect, nil, func([]Result, []*Check) bool { return false })
		if p := problems(done); len(open) > 0 || len(p) != 1 || p[0].Kind != KindTimeout || p[0].Rule != "C" {
			t.Errorf("after the budget problems are %v and open is %v", p, open)
		}
		pass.End()
		conn.End()
	})
}

func TestManyPassesAtOnce(t *testing.T) {
	p := NewPipeline(time.Second, says("a", Connect, "A"), says("b", Body, "B"))
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			conn := p.Begin(t.Context())
			defer conn.End()
			conn.Reach(Connect, Mail{})
			for range 20 {
				m := conn.Message()
				m.Reach(Body, Mail{})
				if got := symbols(m.Results(Proven)); !slices.Equal(got, []string{"A", "B"}) {
					t.Errorf("hits %v", got)
				}
				m.End()
			}
		})
	}
	all.Wait()
}

func TestGatherMergesAuth(t *testing.T) {
	results := []Result{
		{Report: Report{Facts: Facts{Auth: &Auth{SPF: SPF{Result: "pass", Domain: "a.example"}}}}},
		{Report: Report{Facts: Facts{Auth: &Auth{DKIM: []Signature{{Domain: "b.example"}}, Domains: []string{"b.example"}}}}},
		{Report: Report{Facts: Facts{Bulk: &Bulk{Alike: 3}}}},
	}
	got := Gather(results)
	if got.Auth.SPF.Result != "pass" || len(got.Auth.DKIM) != 1 || !got.Auth.Proves("b.example") || got.Bulk.Alike != 3 {
		t.Errorf("gathered %+v", got.Auth)
	}
}

func BenchmarkPass(b *testing.B) {
	p := NewPipeline(time.Second, says("a", Connect, "A"), says("b", Sender), says("c", Body, "B"), says("d", Body), says("e", Proven))
	b.ReportAllocs()
	conn := p.Begin(b.Context())
	conn.Reach(Connect, Mail{})
	for b.Loop() {
		m := conn.Message()
		for _, s := range []Stage{Sender, Body, Proven} {
			m.Reach(s, Mail{})
			m.Results(s)
		}
		m.End()
	}
}
