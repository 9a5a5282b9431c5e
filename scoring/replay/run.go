package replay

import (
	"context"
	"runtime"
	"sync"

	"weir/rules"
	"weir/scoring/verdictlog"
)

// Report sums up what was judged again.
type Report struct {
	Verdicts int            // all that were read
	Was, Is  [actions]int   // by action, of those that were redone
	Flips    map[Change]int // how many went from one action to another
	Reread   int            // of those redone: by their messages, which are kept
	Undone   map[string]int // by reason: Unjudged, NoFacts, NoBody, NotKept, Unknown
	Missing  map[string]int // by symbol or feature: how many of NotKept and Unknown depend on it
	Wrong    int            // flips to a worse action of what people said is ham
	Missed   int            // flips to a better one of what they said is spam
}

const actions = int(rules.Reject) + 1

// Change is from one action to another.
type Change struct{ From, To rules.Action }

// batchSize is how many bytes of lines one goroutine takes at a time.
const batchSize = 256 << 10

// batch is some lines, one after the other in text.
type batch struct {
	text []byte
	ends []int
	done chan result // of one
}

type result struct {
	Report
	flips []Flip
}

// Lines gives each the lines of a verdict log, until that returns an error or ctx is done.
type Lines func(ctx context.Context, each func(line []byte) error) error

// Run judges the records that lines gives, in parallel, and calls flip with those whose action differs, in their order.
// An error of lines or flip ends it and is returned.
func Run(ctx context.Context, r Rules, lines Lines, flip func(Flip) error) (Report, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	workers := runtime.GOMAXPROCS(0)
	jobs, order := make(chan batch), make(chan batch, 2*workers)
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			j := New(r)
			for b := range jobs {
				b.done <- j.batch(b)
			}
		})
	}
	var readErr error
	group.Go(func() {
		defer close(order)
		defer close(jobs)
		readErr = deal(ctx, lines, func(b batch) { order <- b; jobs <- b })
	})
	total := newReport()
	var flipErr error
	for b := range order {
		res := <-b.done
		total.add(res.Report)
		for _, f := range res.flips {
			if flipErr == nil {
				flipErr = flip(f)
			}
		}
		if flipErr != nil {
			cancel()
		}
	}
	group.Wait()
	if flipErr != nil {
		return total, flipErr
	}
	return total, readErr
}

// deal reads lines and hands them out in batches.
func deal(ctx context.Context, lines Lines, out func(batch)) error {
	newBatch := func() batch { return batch{text: make([]byte, 0, batchSize), done: make(chan result, 1)} }
	b := newBatch()
	err := lines(ctx, func(line []byte) error {
		b.text = append(b.text, line...)
		b.ends = append(b.ends, len(b.text))
		if len(b.text) >= batchSize*3/4 {
			out(b)
			b = newBatch()
		}
		return ctx.Err()
	})
	if len(b.ends) > 0 {
		out(b)
	}
	return err
}

func newReport() Report {
	return Report{Flips: map[Change]int{}, Undone: map[string]int{}, Missing: map[string]int{}}
}

func (j *Judge) batch(b batch) result {
	r := result{Report: newReport()}
	from := 0
	for _, end := range b.ends {
		line := b.text[from:end]
		from = end
		out, ok := j.Line(line)
		if !ok {
			continue
		}
		r.count(out)
		if out.Undone == "" && out.Was != out.Is {
			if f, err := j.flip(line, out); err == nil {
				r.learn(f)
				r.flips = append(r.flips, f)
			}
		}
	}
	return r
}

func (r *Report) count(j Judgement) {
	r.Verdicts++
	if j.Undone != "" {
		r.Undone[j.Undone]++
		for _, name := range j.Missing {
			r.Missing[name]++
		}
		return
	}
	if j.Reread != nil {
		r.Reread++
	}
	r.Was[j.Was]++
	r.Is[j.Is]++
	if j.Was != j.Is {
		r.Flips[Change{j.Was, j.Is}]++
	}
}

// learn counts a flip that is not as people said.
func (r *Report) learn(f Flip) {
	switch said := f.Record.Learned; {
	case said == verdictlog.Ham && f.Is > f.Was:
		r.Wrong++
	case said == verdictlog.Spam && f.Is < f.Was:
		r.Missed++
	}
}

func (r *Report) add(o Report) {
	r.Verdicts += o.Verdicts
	r.Reread += o.Reread
	r.Wrong += o.Wrong
	r.Missed += o.Missed
	for a := range r.Was {
		r.Was[a] += o.Was[a]
		r.Is[a] += o.Is[a]
	}
	for c, n := range o.Flips {
		r.Flips[c] += n
	}
	for why, n := range o.Undone {
		r.Undone[why] += n
	}
	for name, n := range o.Missing {
		r.Missing[name] += n
	}
}
