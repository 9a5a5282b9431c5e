package redisstore

import (
	"context"
	"crypto/rand"
	"strconv"
	"time"
)

// Times of the link.
const (
	idle       = time.Second      // after so long a trip is made for nobody, to hear what others post and whether Redis is there
	gather     = time.Millisecond // how long what is told waits for more, or for somebody who asks
	patience   = 2 * time.Second  // for a trip: whoever waits for it has gone on long before
	firstRetry = 100 * time.Millisecond
	lastRetry  = 5 * time.Second
)

// question is one Sync that waits for a trip.
type question struct {
	at       time.Time
	counters []string
	answered chan error
}

// Sync implements store.Store. It makes one round trip, and a second one if the first brought marks of a campaign that
// is new here.
func (s *Store) Sync(ctx context.Context, at time.Time, wanted func() []string) error {
	asked := map[string]bool{}
	for trip := range 2 {
		var counters []string
		for _, c := range wanted() {
			if !asked[c] {
				asked[c] = true
				counters = append(counters, c)
			}
		}
		if trip > 0 && len(counters) == 0 {
			break
		}
		if err := s.ask(ctx, &question{at: at, counters: counters, answered: make(chan error, 1)}); err != nil {
			return err
		}
	}
	return nil
}

// ask waits for the answer, at most the timeout. While Redis is away it does not wait.
func (s *Store) ask(ctx context.Context, q *question) error {
	s.mu.Lock()
	if away := s.shared.away; away != nil {
		s.mu.Unlock()
		return away
	}
	s.shared.asked = append(s.shared.asked, q)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
	timer := time.NewTimer(s.options.Timeout)
	defer timer.Stop()
	select {
	case err := <-q.answered:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		s.leave(errSlow)
		return errSlow
	}
}

// leave makes Redis count as away, because of err.
func (s *Store) leave(err error) {
	s.mu.Lock()
	news := s.shared.away == nil || s.shared.away == errAbsent
	if news {
		s.shared.away, s.shared.since = err, time.Now()
	}
	s.mu.Unlock()
	if news && s.options.Changed != nil {
		s.options.Changed(err)
	}
}

// resume makes Redis count as there.
func (s *Store) resume() {
	s.mu.Lock()
	was := s.shared.away
	if was != nil {
		s.shared.away, s.shared.since = nil, time.Now()
	}
	s.mu.Unlock()
	if was != nil && was != errAbsent && s.options.Changed != nil {
		s.options.Changed(nil)
	}
}

func (s *Store) away() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shared.away != nil
}

// run makes the trips until Close. It closes reached after the first attempt.
func (s *Store) run(reached chan struct{}) {
	defer s.disconnect()
	retry := firstRetry
	s.trip()
	for {
		if reached != nil {
			close(reached)
			reached = nil
		}
		if !s.away() {
			retry = firstRetry
			if !s.wait() {
				s.trip()
				return
			}
			s.trip()
			continue
		}
		select {
		case <-s.ending:
			return
		case <-time.After(retry):
			retry = min(2*retry, lastRetry)
		}
		s.trip()
	}
}

// wait returns true when a trip is due, false when the store is closed.
func (s *Store) wait() bool {
	pause := time.NewTimer(idle)
	defer pause.Stop()
	select {
	case <-s.wake:
		return true
	case <-pause.C:
		return true
	case <-s.ending:
		return false
	case <-s.told:
	}
	timer := time.NewTimer(gather)
	defer timer.Stop()
	select {
	case <-s.wake:
	case <-timer.C:
	case <-s.ending:
		return false
	}
	return true
}

func (s *Store) disconnect() {
	if s.client != nil {
		s.client.Close()
	}
}

// newName is a random name of this process.
func newName() string { return rand.Text() }

// firstEntry is the name of the last entry of the stream that a memory saved at a time knows for sure.
func firstEntry(saved time.Time) string {
	if saved.IsZero() {
		return "0"
	}
	return strconv.FormatInt(saved.Add(-2*idle).UnixMilli(), 10)
}
