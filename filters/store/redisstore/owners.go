package redisstore

import (
	"context"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"weir/filters/store"
)

// Two processes may come to merge the same owner at once, in either direction. So whoever wants to claims it in Redis
// first, and only he who gets it adds what its counters hold to those of the other; nothing is added twice. Everybody else
// learns of it by a post. An owner that is merged already is not merged again, and none is merged into it.

// claim is a merge that has been made here, and what the counters of both held before.
type claim struct {
	store.Union
	at   time.Time
	held [][2]store.Known // as Union.Counters
}

// claiming makes KEYS[1], a merged owner, stand for ARGV[1] for ARGV[2] seconds, unless it or KEYS[2], that other owner,
// stands for somebody. It returns for whom each of the two stood before.
const claiming = `local from, to = redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2])
if not from and not to then redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2]) end
return {from or '', to or ''}`

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
		c.held = append(c.held, [2]store.Known{s.memory.Known(key[0]), s.memory.Known(key[1])})
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

func (s *Store) mergedKey(owner uint32) string { return s.key(fmt.Sprintf("{merged}:%08x", owner)) }

// claim appends the commands that claim owners, and returns where the first one is.
func (s *Store) claim(l *load, claims []claim) {
	l.claims = len(l.cmds)
	for _, c := range claims {
		l.cmds = append(l.cmds, s.client.B().Eval().Script(claiming).Numkeys(2).Key(s.mergedKey(c.From), s.mergedKey(c.To)).
			Arg(decimal(c.To), decimal(store.SecondsIn(c.Life))).Build())
	}
}

// settle sees what became of the claims: those that were granted are told, the others undone.
func (s *Store) settle(ctx context.Context, claims []claim, replies []rueidis.RedisResult) error {
	for i, c := range claims {
		stood, err := replies[i].AsStrSlice()
		if err != nil || len(stood) != 2 {
			return fmt.Errorf("merging in Redis: %q, %w", stood, err)
		}
		if stood[0] != "" || stood[1] != "" {
			s.yield(c, stood)
			continue
		}
		s.mu.Lock()
		s.granted(c)
		s.mu.Unlock()
		if err := s.pour(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// yield undoes a merge that was not granted, and learns for whom its two owners stand.
func (s *Store) yield(c claim, stood []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.memory.Part(c.From, c.To)
	for i, owner := range []uint32{c.From, c.To} {
		if to, err := strconv.ParseUint(stood[i], 10, 32); err == nil {
			s.memory.Stand(c.at, c.Life, owner, uint32(to))
		}
	}
}

// granted tells a merge: the counters, and to all others that it was made. s.mu is held.
func (s *Store) granted(c claim) {
	for k, key := range c.Counters {
		from, to := c.held[k][0], c.held[k][1]
		s.tellKnown(key[1], from)
		e := s.shared.journal.counters[key[1]]
		if e == nil || len(from.Spans) == 0 {
			continue
		}
		if sum := s.memory.Known(key[1]); len(sum.Spans) > 0 {
			e.first = sum.Spans[0].First
		}
		if len(from.Members)+len(to.Members) >= store.Exact { // the set is large now, and Redis may not have counted it as such
			e.large = true
			for _, m := range to.Members {
				e.see(m)
			}
		}
	}
	s.post(post{postMerge, store.Seconds(c.at), c.From, c.To, []uint64{uint64(store.SecondsIn(c.Life))}})
}

// pour adds the HyperLogLogs of a merged owner's large sets to those of the other. They go through this process, since
// in a cluster the two need not be on one node.
func (s *Store) pour(ctx context.Context, c claim) error {
	b := s.client.B()
	for k, key := range c.Counters {
		from := c.held[k][0]
		if len(from.Members) < store.Exact {
			continue // all of them have been told
		}
		life, now := store.SecondsIn(from.Life), store.Seconds(c.at)
		var slots, sources []string
		var lives []int64
		for i, width := range levels(life) {
			for j := range uint32(slotsOf + 1) {
				slot := ":" + slotField(i, now/width-min(now/width, j))
				slots, sources = append(slots, s.counterKey(key[1])+slot), append(sources, s.counterKey(key[0])+slot)
				lives = append(lives, int64(slotsOf+1)*int64(width))
			}
		}
		sets, err := s.client.Do(ctx, b.Mget().Key(sources...).Build()).AsStrSlice()
		if err != nil || len(sets) != len(slots) {
			return fmt.Errorf("reading %d sets in Redis: %w", len(slots), err)
		}
		var cmds []rueidis.Completed
		poured := s.counterKey(key[1]) + ":merging"
		for i, set := range sets {
			if set == "" {
				continue
			}
			cmds = append(cmds, b.Set().Key(poured).Value(set).Ex(time.Minute).Build(),
				b.Pfmerge().Destkey(slots[i]).Sourcekey(slots[i], poured).Build(), b.Expire().Key(slots[i]).Seconds(lives[i]).Build())
		}
		if len(cmds) == 0 {
			continue
		}
		for _, r := range s.client.DoMulti(ctx, append(cmds, b.Del().Key(poured).Build())...) {
			if err := failure(r); err != nil {
				return err
			}
		}
	}
	return nil
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
