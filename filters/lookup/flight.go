package lookup

import (
	"cmp"
	"errors"
	"slices"
	"time"
)

// flight is the search for one question, shared by all who ask it meanwhile. answer and err are written once, before
// landed is closed. Nobody's context ends it: a late answer still fills the cache.
type flight struct {
	landed chan struct{}
	answer Answer
	err    error
}

// join returns the flight of q, starting one if there is none. One that has landed since its asker looked into the cache
// is found there, unless the answer must be fresh.
func (r *Resolver) join(q question, fresh bool) (*flight, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f := r.flights[q]; f != nil {
		return f, nil
	}
	if e, ok := r.cached(q, time.Now()); ok && !fresh {
		f := &flight{landed: make(chan struct{}), answer: e.answer, err: e.err}
		close(f.landed)
		return f, nil
	}
	if r.ended {
		return nil, ErrClosed
	}
	if len(r.flights) >= maxFlights {
		return nil, errBusy
	}
	f := &flight{landed: make(chan struct{})}
	r.flights[q] = f
	r.work.Go(func() { r.fly(q, f) })
	return f, nil
}

func (r *Resolver) fly(q question, f *flight) {
	began := time.Now()
	o, failure := r.search(q)
	o.answer.Took = time.Since(began)
	f.answer = o.answer
	if failure != nil {
		r.counts.failures.Add(1)
		failure.Name = q.name
		f.answer, f.err = Answer{}, failure
	}
	if !errors.Is(f.err, ErrClosed) {
		r.keep(q, o, f.err)
	}
	r.mu.Lock()
	delete(r.flights, q)
	r.mu.Unlock()
	close(f.landed)
}

// reply is a packet from u that answers what it was asked, or the error that ended the socket.
type reply struct {
	from   *upstream
	packet []byte
	err    error
}

// search asks one server after another, each for the time of a try, until one gives an answer. Those asked before may
// still answer meanwhile.
func (r *Resolver) search(q question) (outcome, *Failure) {
	ask, err := newQuery(q)
	if err != nil {
		return outcome{}, &Failure{Kind: Failed, Err: err}
	}
	tries := r.tries()
	replies := make(chan reply, len(tries)) // each try delivers at most once, so nobody ever blocks on it
	deadline := time.Now().Add(r.budget)
	failure := &Failure{Kind: Timeout, Err: errNoAnswer}
	var spent []*upstream // those who answered that they will not answer
	for _, u := range tries {
		if slices.Contains(spent, u) {
			continue
		}
		if !time.Now().Before(deadline) {
			break
		}
		w, err := u.send(ask, replies)
		if err != nil {
			u.ail()
			failure = &Failure{Kind: Failed, Server: u.addr, Err: err}
			continue
		}
		defer w.forget()
		o, f := r.await(u, replies, ask, deadline)
		if f == nil || errors.Is(f, ErrClosed) {
			return o, f
		}
		failure = f
		if f.Kind != Timeout {
			spent = append(spent, u)
		}
	}
	return outcome{}, failure
}

// await waits for a usable answer, from u or a server asked before it, until u fails, its time is over or the deadline
// has come.
func (r *Resolver) await(u *upstream, replies <-chan reply, ask query, deadline time.Time) (outcome, *Failure) {
	timer := time.NewTimer(min(r.timeout, time.Until(deadline)))
	defer timer.Stop()
	for {
		select {
		case p := <-replies:
			o, failure := r.read(p, ask, deadline)
			if failure == nil {
				p.from.well()
				o.answer.Server = p.from.addr
				return o, nil
			}
			failure.Server = p.from.addr
			if p.from == u {
				return outcome{}, failure
			}
		case <-timer.C:
			u.ail()
			return outcome{}, &Failure{Kind: Timeout, Server: u.addr, Err: errNoAnswer}
		case <-r.closed:
			return outcome{}, &Failure{Kind: Failed, Err: ErrClosed}
		}
	}
}

// read makes an outcome of a reply, asking again over TCP when it was truncated (RFC 7766 §5).
func (r *Resolver) read(p reply, ask query, deadline time.Time) (outcome, *Failure) {
	if p.err != nil {
		p.from.ail()
		return outcome{}, &Failure{Kind: Failed, Err: p.err}
	}
	packet := p.packet
	if truncated(packet) {
		r.counts.streams.Add(1)
		var err error
		if packet, err = p.from.stream(ask, min(r.timeout, time.Until(deadline))); err != nil {
			kind := Failed
			if isTimeout(err) {
				kind = Timeout
			}
			return outcome{}, &Failure{Kind: kind, Err: err}
		}
	}
	return interpret(packet, ask.kind)
}

// tries lists whom to ask in which order: the servers as given, those that lately gave no answer last. A single
// server is asked twice.
func (r *Resolver) tries() []*upstream {
	now := time.Now()
	order := slices.Clone(r.upstreams)
	slices.SortStableFunc(order, func(a, b *upstream) int { return cmp.Compare(a.ailing(now), b.ailing(now)) })
	for i := 0; len(order) < minTries; i++ {
		order = append(order, order[i])
	}
	return order[:min(len(order), maxTries)]
}
