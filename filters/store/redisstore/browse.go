package redisstore

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"weir/filters/store"
)

// ErrNothing is returned by Browse if nobody has ever shared anything there.
var ErrNothing = errors.New("nothing is shared there")

// Browser is the store of somebody who looks at what others share, and takes no part. Its memory knows what Read has read.
// One goroutine may use it.
type Browser struct {
	*Store
}

// Browse connects to Redis, for maxBytes bytes of what is read. Close must be called.
func Browse(ctx context.Context, o Options, maxBytes int64) (*Browser, error) {
	if o.Posts <= 0 {
		o.Posts = usualPosts
	}
	s := &Store{options: o, prefix: o.Prefix + ":" + version + ":", self: newName(), posted: firstEntry(time.Now()), told: make(chan struct{}, 1)}
	client, err := s.options.connect()
	if err != nil {
		return nil, fmt.Errorf("connecting to Redis: %w", err)
	}
	text, err := client.Do(ctx, client.B().Get().Key(s.key("secret")).Build()).ToString()
	var secret [16]byte
	switch n, broken := hex.Decode(secret[:], []byte(text[:min(len(text), 2*len(secret))])); {
	case rueidis.IsRedisNil(err):
		err = ErrNothing
	case err == nil && (broken != nil || n != len(secret)):
		err = fmt.Errorf("%s is no secret of weir's", s.key("secret"))
	}
	if err != nil {
		client.Close()
		return nil, fmt.Errorf("asking Redis: %w", err)
	}
	s.client, s.memory = client, store.NewSeeded(maxBytes, secret)
	return &Browser{s}, nil
}

// Memory is what has been read.
func (b *Browser) Memory() *store.Memory { return b.memory }

// Close ends the connection.
func (b *Browser) Close() { b.client.Close() }

// Names returns the names of all counters that begin with prefix, in no order. It looks at all keys there are.
func (b *Browser) Names(ctx context.Context, prefix string) ([]string, error) {
	before := b.prefix + "{" + prefix
	match := strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(before) + "*}"
	found := map[string]bool{}
	var names []string
	for _, node := range b.client.Nodes() {
		for cursor, more := uint64(0), true; more; more = cursor != 0 {
			entry, err := node.Do(ctx, node.B().Scan().Cursor(cursor).Match(match).Count(1000).Build()).AsScanEntry()
			if err != nil {
				return nil, fmt.Errorf("looking for counters: %w", err)
			}
			for _, key := range entry.Elements {
				name := strings.TrimSuffix(strings.TrimPrefix(key, b.prefix+"{"), "}")
				if !found[name] {
					found[name] = true
					names = append(names, name)
				}
			}
			cursor = entry.Cursor
		}
	}
	return names, nil
}

// Read reads counters as they are at a time.
func (b *Browser) Read(ctx context.Context, at time.Time, names ...string) error {
	for len(names) > 0 {
		n := min(len(names), 200)
		var l load
		for _, name := range names[:n] {
			b.read(&l, name, at)
		}
		if err := b.learn(ctx, &l, b.client.DoMulti(ctx, l.cmds...)); err != nil {
			return err
		}
		names = names[n:]
	}
	return nil
}

// Follow reads for whom an owner stands, and returns who that is.
func (b *Browser) Follow(ctx context.Context, at time.Time, owner uint32) (uint32, error) {
	for range followed {
		text, err := b.client.Do(ctx, b.client.B().Get().Key(b.mergedKey(owner)).Build()).ToString()
		if rueidis.IsRedisNil(err) {
			break
		}
		to, broken := strconv.ParseUint(text, 10, 32)
		if err = errors.Join(err, broken); err != nil {
			return owner, fmt.Errorf("reading what %08x has become: %w", owner, err)
		}
		b.memory.Stand(at, postsLife, owner, uint32(to))
		owner = uint32(to)
	}
	return owner, nil
}

// followed bounds how many owners may stand one for the other in a row.
const followed = 8

// Tell tells the others what was done.
func (b *Browser) Tell() error {
	for {
		b.mu.Lock()
		told := b.shared.journal.take()
		b.mu.Unlock()
		if told.empty() {
			return nil
		}
		if _, err := b.attempt(told, nil); err != nil {
			return err
		}
	}
}
