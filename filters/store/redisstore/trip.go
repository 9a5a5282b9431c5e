package redisstore

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/redis/rueidis"

	"weir/filters/store"
)

// Lifetimes of what is not a counter, from the last time it was used.
const (
	secretLife = 30 * 24 * time.Hour
	postsLife  = 7 * 24 * time.Hour
)

// entriesRead is how many posts one trip brings; more wait for the next.
const entriesRead = 200

// sizesEvery is how long the size of a large set is believed, in seconds.
const sizesEvery = 2

// trip tells what waits in the journal and answers the questions that wait. After Redis was away it first finds out
// whether it is there again, and in time, then tells and reads all that has gathered: until then nobody waits for it.
func (s *Store) trip() {
	back, begun := s.away(), time.Now()
	if back {
		if _, err := s.attempt(journal{}, nil); err != nil {
			s.leave(err)
			return
		}
		if time.Since(begun) > s.options.Timeout {
			s.leave(errSlow)
			back = false
		}
	}
	for {
		s.mu.Lock()
		told, asked := s.shared.journal.take(), s.shared.asked
		s.shared.asked = nil
		more := !s.shared.journal.empty()
		s.mu.Unlock()
		read, err := s.attempt(told, asked)
		for _, q := range asked {
			q.answered <- err
		}
		if err != nil {
			s.leave(err)
			return
		}
		if more || read == entriesRead {
			if s.ended() {
				return
			}
			continue
		}
		if back {
			s.resume()
		}
		return
	}
}

func (s *Store) ended() bool {
	select {
	case <-s.ending:
		return true
	default:
		return false
	}
}

// attempt makes one round trip and returns how many entries of the stream it has read. What could not be told is in the
// journal again if it was certainly not told; if nobody knows, it counts as lost: nothing is ever told twice.
func (s *Store) attempt(told journal, asked []*question) (read int, err error) {
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		switch {
		case err == nil:
			s.shared.trips++
		case errors.As(err, new(refusal)):
			s.shared.journal.restore(told)
		default:
			s.shared.lost += int64(len(told.counters) + len(told.entries) + len(told.claims) + len(told.doomed))
		}
	}()
	if s.client == nil {
		if s.client, err = s.options.connect(); err != nil {
			s.client = nil
			return 0, refusal{fmt.Errorf("connecting to Redis: %w", err)}
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	l := s.load(told, asked)
	replies := s.client.DoMulti(ctx, l.cmds...)
	if err := failure(replies[0]); err != nil {
		return 0, refused(err)
	}
	for _, r := range replies {
		if err := failure(r); err != nil {
			return 0, err
		}
	}
	if err := s.agree(replies[1]); err != nil {
		return 0, err
	}
	if err := s.settle(ctx, told.claims, replies[l.claims:]); err != nil {
		return 0, err
	}
	if read, err = s.hear(replies[l.posts]); err != nil {
		return read, err
	}
	return read, s.learn(ctx, l, replies)
}

// refusal is an error after which nothing was told.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

// refused makes a refusal of the first command's error if no other command was done either: Redis said so, or there was
// no connection.
func refused(err error) error {
	var answer *rueidis.RedisError
	var op *net.OpError
	if errors.As(err, &answer) || errors.As(err, &op) && op.Op == "dial" {
		return refusal{err}
	}
	return err
}

// failure is the error of a reply; that there is nothing is none.
func failure(r rueidis.RedisResult) error {
	if err := r.Error(); err != nil && !rueidis.IsRedisNil(err) {
		return fmt.Errorf("asking Redis: %w", err)
	}
	return nil
}

// connect makes the client of the server or servers.
func (o Options) connect() (rueidis.Client, error) {
	c := rueidis.ClientOption{
		InitAddress: o.Addrs, Username: o.User, Password: o.Password, TLSConfig: o.TLS,
		ClientName: "weir", DisableCache: true, DisableRetry: true, PipelineMultiplex: -1,
		Dialer: net.Dialer{Timeout: patience}, ConnWriteTimeout: patience,
		ReadBufferEachConn: 64 << 10, WriteBufferEachConn: 64 << 10,
	}
	if o.Master != "" {
		c.Sentinel = rueidis.SentinelOption{MasterSet: o.Master, TLSConfig: c.TLSConfig, Username: c.Username, Password: c.Password}
	}
	return rueidis.NewClient(c)
}

// load is what one trip carries, and where its answers are.
type load struct {
	cmds     []rueidis.Completed
	claims   int
	posts    int
	counters []counted
}

// counted is a counter that is read.
type counted struct {
	name  string
	at    time.Time
	reply int
	sizes int // how many replies after it count its members
}

// load makes the commands of a trip. The first is a write that does nothing, so that it fails if others would.
func (s *Store) load(told journal, asked []*question) *load {
	b, secret := s.client.B(), s.memory.Secret()
	l := &load{cmds: []rueidis.Completed{
		b.Set().Key(s.key("secret")).Value(hex.EncodeToString(secret[:])).Nx().Ex(secretLife).Build(),
		b.Get().Key(s.key("secret")).Build(),
		b.Expire().Key(s.key("secret")).Seconds(int64(secretLife / time.Second)).Build(),
	}}
	for name, e := range told.counters {
		l.cmds = s.write(l.cmds, name, e)
	}
	l.cmds = s.doom(l.cmds, told.doomed)
	s.claim(l, told.claims)
	for _, entry := range told.entries {
		l.cmds = append(l.cmds, b.Xadd().Key(s.key("posts")).Maxlen().Almost().Threshold(decimal(uint32(s.options.Posts))).
			Id("*").FieldValue().FieldValue("by", s.self).FieldValue("p", rueidis.BinaryString(entry)).Build())
	}
	if len(told.entries) > 0 {
		l.cmds = append(l.cmds, b.Expire().Key(s.key("posts")).Seconds(int64(postsLife/time.Second)).Build())
	}
	l.posts = len(l.cmds)
	l.cmds = append(l.cmds, b.Xread().Count(entriesRead).Streams().Key(s.key("posts")).Id(s.posted).Build())
	read := map[string]bool{}
	for _, q := range asked {
		for _, name := range q.counters {
			if !read[name] {
				read[name] = true
				s.read(l, name, q.at)
			}
		}
	}
	return l
}

// read appends the commands that read a counter.
func (s *Store) read(l *load, name string, at time.Time) {
	c := counted{name: name, at: at, reply: len(l.cmds)}
	l.cmds = append(l.cmds, s.client.B().Hgetall().Key(s.counterKey(name)).Build())
	if k := s.memory.Known(name); len(k.Sizes) > 0 && store.Seconds(at)-min(store.Seconds(at), k.Sizes[0].At) >= sizesEvery {
		l.cmds = s.sizes(l.cmds, name, store.Seconds(at), store.SecondsIn(k.Life))
		c.sizes = len(l.cmds) - c.reply - 1
	}
	l.counters = append(l.counters, c)
}

// agree sees to it that all have one secret. With another one, what was remembered and written down means nothing.
func (s *Store) agree(r rueidis.RedisResult) error {
	text, err := r.ToString()
	if err != nil {
		return fmt.Errorf("asking Redis for the secret: %w", err)
	}
	var secret [16]byte
	if n, err := hex.Decode(secret[:], []byte(text[:min(len(text), 2*len(secret))])); err != nil || n != len(secret) {
		return refusal{fmt.Errorf("%s in Redis is no secret of weir's", s.key("secret"))}
	}
	if secret == s.memory.Secret() {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.memory.Begin(secret)
	s.shared.journal = journal{lost: s.shared.journal.lost}
	s.posted = firstEntry(time.Time{})
	return nil
}

// hear reads the posts of others, and how many there were of all.
func (s *Store) hear(r rueidis.RedisResult) (int, error) {
	streams, err := r.AsXRead()
	if rueidis.IsRedisNil(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading posts: %w", err)
	}
	entries := streams[s.key("posts")]
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range entries {
		s.posted = e.ID
		if e.FieldValues["by"] == s.self {
			continue
		}
		if tell(s.memory, &s.shared.journal, []byte(e.FieldValues["p"])) != nil {
			s.shared.lost++
		}
	}
	return len(entries), nil
}

// learn takes over the counters that were read.
func (s *Store) learn(ctx context.Context, l *load, replies []rueidis.RedisResult) error {
	images := make([]image, len(l.counters))
	var late []int // the sets that are large, as has just been learned
	for i, c := range l.counters {
		fields, err := replies[c.reply].AsStrMap()
		if err != nil {
			return fmt.Errorf("reading the counter %s: %w", c.name, err)
		}
		m := &images[i]
		*m = decode(fields, store.Seconds(c.at))
		switch {
		case !m.large:
		case c.sizes > 0:
			m.Sizes = sizesOf(m, store.Seconds(c.at), replies[c.reply+1:])
		default:
			if m.Sizes = s.memory.Known(c.name).Sizes; len(m.Sizes) == 0 {
				late = append(late, i)
			}
		}
	}
	for _, i := range late {
		c, m := l.counters[i], &images[i]
		m.Sizes = sizesOf(m, store.Seconds(c.at), s.client.DoMulti(ctx, s.sizes(nil, c.name, store.Seconds(c.at), store.SecondsIn(m.Life))...))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, c := range l.counters {
		s.hold(c, images[i])
	}
	return nil
}

// sizesOf reads the sizes of m's set. One that could not be counted is left out.
func sizesOf(m *image, now uint32, replies []rueidis.RedisResult) []store.Size {
	life := store.SecondsIn(m.Life)
	var out []store.Size
	for i, width := range levels(life) {
		if n, err := replies[i].AsInt64(); err == nil {
			out = append(out, store.Size{Over: min(slotsOf*width, life), At: now, N: n})
		}
	}
	return out
}

// hold makes the memory hold a counter as it is in Redis, with what has not been told yet. s.mu is held.
func (s *Store) hold(c counted, m image) {
	j := &s.shared.journal
	if e := j.counters[c.name]; e != nil {
		m.Life = time.Duration(e.life) * time.Second
		m.Spans = append(m.Spans, e.spans...)
		slices.SortStableFunc(m.Spans, func(a, b store.Span) int { return cmp.Compare(a.First, b.First) })
	}
	s.memory.Learn(c.at, c.name, m.Known)
	if len(m.dead) > 0 && m.Life > 0 {
		if e := j.counter(c.name, store.SecondsIn(m.Life)); e != nil {
			e.dead = m.dead
		}
	}
}
