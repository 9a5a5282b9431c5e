package replay

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"time"

	"weir/filters"
	"weir/scoring"
	"weir/scoring/verdictlog"
)

// Reread is what the message itself told of what its record does not.
type Reread struct {
	outcome
	known *known
	facts scoring.Facts
}

// rereadBudget bounds how long one message is looked at.
const rereadBudget = 10 * time.Second

// reading is how messages are looked at for what was not looked for.
type reading struct {
	checks  *filters.Pipeline // nil if they tell nothing of it
	symbols []string          // of checks, those that nobody has looked for
	known   *known            // what is known then
}

// contentFeatures are those that follow from a message alone.
var contentFeatures = []string{"size", "parts", "urls", "hops", "from_domain", "attachments", "files", "html"}

// reading is how messages are looked at for what k does not know.
func (j *Judge) reading(k *known) *reading {
	if k.reading != nil {
		return k.reading
	}
	r := &reading{}
	k.reading = r
	if k.same || j.rules.Readers == nil {
		return r
	}
	checks, err := j.rules.Readers(k.unsought)
	if err != nil {
		return r // it is as if none could be looked at
	}
	for i := range checks {
		r.symbols = append(r.symbols, checks[i].Symbols...)
	}
	r.symbols = slices.DeleteFunc(r.symbols, func(name string) bool { return !k.unsought[name] }) // of the others the record tells
	isContent := func(feature string) bool { return slices.Contains(contentFeatures, feature) }
	if len(r.symbols) == 0 && !slices.ContainsFunc(k.doubtful, isContent) {
		return r
	}
	r.checks = filters.NewPipeline(rereadBudget, checks...)
	rest := maps.Clone(k.unsought)
	for _, name := range r.symbols {
		delete(rest, name)
	}
	r.known = j.without(rest, nil)
	r.known.reads = r.symbols
	r.known.doubtful = slices.DeleteFunc(slices.Clone(k.doubtful), isContent)
	return r
}

// tells reports whether the message of b could tell something of what is missing.
func (j *Judge) tells(b *brief, missing []string) bool {
	if len(missing) == 0 || !b.whole || j.rules.Kept == nil {
		return false
	}
	r := j.reading(j.known(b))
	return r.checks != nil && slices.ContainsFunc(missing, func(name string) bool {
		return slices.Contains(r.symbols, name) || slices.Contains(contentFeatures, name) || r.combines(name)
	})
}

// combines reports whether a symbol follows from what messages tell.
func (r *reading) combines(symbol string) bool {
	return !slices.Contains(r.known.unknown, symbol) && r.known.set.Symbols[symbol] != nil
}

// reread judges the message of the record on a line, if that is needed, can tell more than the record, and is kept. It reports
// false if it is not kept.
func (j *Judge) reread(line []byte, b *brief, needed bool) (again *Reread, kept bool) {
	if !needed || j.rules.Kept == nil || !b.whole {
		return nil, true
	}
	how := j.reading(j.known(b))
	if how.checks == nil {
		return nil, true
	}
	record, err := verdictlog.ReadRecord(line)
	if err != nil {
		return nil, true
	}
	raw, err := j.rules.Kept.Get(record.ID)
	if err != nil {
		return nil, !errors.Is(err, fs.ErrNotExist)
	}
	again, err = j.judgeMessage(b, how, mailOf(record, raw))
	if err != nil {
		return nil, true
	}
	return again, true
}

// errUnread means that a message could not be looked at as it should be.
var errUnread = errors.New("the message could not be looked at")

// judgeMessage judges a message by what its record knows and how it is looked at.
func (j *Judge) judgeMessage(b *brief, how *reading, m filters.Mail) (*Reread, error) {
	pass := how.checks.Begin(context.Background()) // ends here, or with the budget
	defer pass.End()
	pass.Reach(filters.Body, m)
	results := pass.Results(filters.Body)
	if slices.ContainsFunc(results, func(r filters.Result) bool { return len(r.Problems) > 0 }) {
		return nil, errUnread
	}
	lacking := how.known.lacking(b)
	k := j.less(how.known, lacking)
	k.reads = how.symbols
	f, err := b.facts(k)
	if err != nil {
		return nil, err
	}
	seen := scoring.FactsOf(m, results)
	f.Hits = slices.DeleteFunc(f.Hits, func(h filters.Hit) bool { return slices.Contains(how.symbols, h.Symbol) })
	for _, h := range seen.Hits {
		if slices.Contains(how.symbols, h.Symbol) {
			f.Hits = append(f.Hits, h)
		}
	}
	f.Features.ContentFeatures, f.Features.FromDomain = seen.Features.ContentFeatures, seen.Features.FromDomain
	f.Features.Size, f.Features.Parts, f.Features.URLs, f.Features.Hops = seen.Features.Size, seen.Features.Parts, seen.Features.URLs, seen.Features.Hops
	p, err := j.policy(b)
	if err != nil {
		return nil, err
	}
	open, err := k.complete(b, &f)
	if err != nil {
		return nil, err
	}
	again := &Reread{known: k, facts: f, outcome: k.outcome(b, p, f, open)}
	if len(again.missing) > 0 {
		again.missing = append(again.missing, lacking...)
	}
	return again, nil
}

// mailOf is a message as it was judged, as far as its record tells: with its clock, and whom it was from and to.
func mailOf(r *verdictlog.Record, raw []byte) filters.Mail {
	session := r.Told()
	return filters.Mail{
		At:       r.Time,
		Session:  &session,
		Envelope: &filters.Envelope{From: r.Envelope.From, To: r.Envelope.To},
		Message:  filters.ParseMessage(raw),
	}
}
