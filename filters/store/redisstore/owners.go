package redisstore

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"weir/filters/store"
)

// Two processes may come to merge the same owner at once. So whoever wants to claims it in Redis first, and only he who
// gets it adds what its counters hold to those of the other; nothing is added twice. Everybody else learns of it by a post.

// claim is a merge that has been made here, and what the counters of the merged owner held.
type claim struct {
	store.Union
	at   time.Time
	held []store.Known
}

// doomed is a counter to be forgotten.
type doomed struct {
	name      string
	now, life uint32 // in seconds
}

// Merge is that of a Memory; the others learn of it.
func (s *Store) Merge(ctx context.Context, at time.Time, u store.Union) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	same := s.memory.Merged(at, u.From) == s.memory.Merged(at, u.To)
	c := claim{Union: u, at: at}
	for _, key := range u.Counters {
		c.held = append(c.held, s.memory.Known(key[0]))
	}
	if err := s.memory.Merge(ctx, at, u); err != nil || same {
		return err
	}
	if j := &s.shared.journal; len(j.claims) < mostClaims {
		j.claims = append(j.claims, c)
	} else {
		j.lost++
	}
	s.noteTold()
	return nil
}

// Merged is that of a Memory.
func (s *Store) Merged(at time.Time, owner uint32) uint32 { return s.memory.Merged(at, owner) }

// Forget is that of a Memory; the others learn of it. Of the counters those are forgotten in Redis that are known here.
func (s *Store) Forget(ctx context.Context, at time.Time, life time.Duration, owner uint32, prefix string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	j := &s.shared.journal
	for _, name := range s.memory.Keys(prefix) {
		if len(j.doomed) < mostClaims {
			j.doomed = append(j.doomed, doomed{name, store.Seconds(at), store.SecondsIn(s.memory.Known(name).Life)})
		}
	}
	if err := s.memory.Forget(ctx, at, life, owner, prefix); err != nil {
		return err
	}
	j.drop(prefix)
	s.post(post{postForget, store.Seconds(at), store.SecondsIn(life), owner, packed(prefix)})
	return nil
}

// drop leaves out what was to be told of counters whose names begin with prefix.
func (j *journal) drop(prefix string) {
	for name := range j.counters {
		if strings.HasPrefix(name, prefix) {
			delete(j.counters, name)
		}
	}
}

func (s *Store) mergedKey(owner uint32) string { return s.key(fmt.Sprintf("merged:%08x", owner)) }

// claim appends the commands that claim owners, and returns where the first one is.
func (s *Store) claim(l *load, claims []claim) {
	l.claims = len(l.cmds)
	for _, c := range claims {
		l.cmds = append(l.cmds, s.client.B().Set().Key(s.mergedKey(c.From)).Value(decimal(c.To)).Nx().Ex(c.Life).Build())
	}
}

// won tells what follows from the claims that were granted.
func (s *Store) won(claims []claim, replies []rueidis.RedisResult) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, c := range claims {
		if rueidis.IsRedisNil(replies[i].Error()) {
			continue // somebody else has merged it
		}
		for k, key := range c.Counters {
			s.tellKnown(key[1], c.held[k])
			if sum := s.memory.Known(key[1]); len(sum.Spans) > 0 && len(c.held[k].Spans) > 0 {
				if e := s.shared.journal.counter(key[1], store.SecondsIn(sum.Life)); e != nil {
					e.first = sum.Spans[0].First
				}
			}
		}
		s.post(post{postMerge, store.Seconds(c.at), c.From, c.To, []uint64{uint64(store.SecondsIn(c.Life))}})
	}
}

// tellKnown notes that all of k is to be added to a counter. s.mu is held.
func (s *Store) tellKnown(name string, k store.Known) {
	if len(k.Spans) == 0 {
		return
	}
	e := s.shared.journal.counter(name, store.SecondsIn(k.Life))
	if e == nil {
		return
	}
	for _, x := range k.Spans {
		e.add(x)
	}
	for _, m := range k.Members {
		e.see(m)
	}
	e.large = e.large || len(k.Members) >= store.Exact
}

// doom appends the commands that forget counters.
func (s *Store) doom(cmds []rueidis.Completed, all []doomed) []rueidis.Completed {
	for _, d := range all {
		key := s.counterKey(d.name)
		keys := []string{key}
		for i, width := range levels(d.life) {
			for j := range uint32(slotsOf + 1) {
				keys = append(keys, key+":"+slotField(i, d.now/width-min(d.now/width, j)))
			}
		}
		cmds = append(cmds, s.client.B().Del().Key(keys...).Build())
	}
	return cmds
}

// packed is text as values of a post, and unpacked that text.
func packed(text string) []uint64 {
	values := make([]uint64, max(1, (len(text)+7)/8))
	for i, c := range []byte(text) {
		values[i/8] |= uint64(c) << (i % 8 * 8)
	}
	return values
}

func unpacked(values []uint64) string {
	var b []byte
	for _, v := range values {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return strings.TrimRight(string(b), "\x00")
}
