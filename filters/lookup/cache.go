package lookup

import "time"

// Bounds on how long answers are kept, whatever the servers say.
const (
	minPositive = 30 * time.Second
	maxPositive = time.Hour
	minNegative = time.Second
	maxNegative = 10 * time.Minute
	keepFailure = 3 * time.Second // so that a dead server is not asked again and again

	maxKeptBytes = 2048 // of texts and names; larger answers are not kept
)

// entry is an answer or failure in the cache.
type entry struct {
	answer  Answer
	err     error
	expires time.Time
}

// cached returns what is known of q at the time now.
func (r *Resolver) cached(q question, now time.Time) (entry, bool) {
	e, ok := r.cache.Get(q)
	if !ok || !now.Before(e.expires) {
		return entry{}, false
	}
	return e, true
}

// keep remembers the outcome of a search.
func (r *Resolver) keep(q question, o outcome, err error) {
	e := entry{answer: o.answer, err: err, expires: time.Now().Add(keepFailure)}
	if err == nil {
		if e.answer.size() > maxKeptBytes {
			return
		}
		e.answer.Cached = true
		e.expires = time.Now().Add(o.life())
	}
	r.cache.Add(q, e)
}

// life is how long the outcome may be kept.
func (o outcome) life() time.Duration {
	if o.answer.Found {
		return min(max(o.ttl, minPositive), maxPositive)
	}
	return min(max(o.ttl, minNegative), maxNegative) // RFC 2308 §5
}

func (a Answer) size() int {
	n := 24 * len(a.Addrs)
	for _, s := range a.Texts {
		n += len(s)
	}
	for _, s := range a.Names {
		n += len(s)
	}
	return n
}
