// Package bodies keeps messages as they were judged, so that rules that look for something new can be tried on them.
//
// They lie in segments: files to which compressed messages are appended, and which go whole, the oldest first, when they
// are too old or all of them are too large. A segment is written by one program and never opened to be written again: after
// a crash its half message is passed over, and the next start begins another. When it is full its contents follow the
// messages, so that a message is found without reading those before it; without them the heads are read instead.
//
// Why not a file for each: 100,000 messages of 4,000 compressed bytes took 153 µs each to write and rename so, 88 µs to
// read, 4.5 s to remove (ext4), and half a block each is lost; appended to segments 9 µs, 9 µs and 0.15 s.
package bodies

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxWaiting    = 64 << 20         // bytes of messages waiting to be written
	maxQueue      = 4096             // how many of them
	retryAfter    = time.Second      // after a write that failed
	tidyEvery     = time.Minute      // how often it is looked for what is too old
	warnEvery     = time.Minute      // at most
	closePatience = 10 * time.Second // for what waits when it is closed
)

// Options say where messages are kept, and how much of them.
type Options struct {
	Dir     string
	Keep    time.Duration // none is kept longer than this and an eighth of it
	MaxSize int64         // bytes of all files together
	Warn    func(error)   // is told of messages lost and of writes that fail, at most once a minute; may be nil
}

// Keeper writes messages. Its goroutine runs from Open to Close.
type Keeper struct {
	queue   chan body
	waiting atomic.Int64 // bytes
	lost    atomic.Uint64
	last    atomic.Pointer[time.Time] // when one was lost
	stuck   atomic.Pointer[error]
	size    atomic.Int64
	closing chan struct{}
	once    sync.Once
	done    chan struct{}

	folder folder
	warn   func(error)
	failed time.Time // when a write failed last; zero once one has succeeded
	told   warned
}

// warned is what warn is told of next.
type warned struct {
	trouble  error
	reported uint64 // lost, when last warned of
	at       time.Time
}

type body struct {
	id  string
	raw []byte
}

// Open begins to keep messages in o.Dir, which is made if it is not there. It is an error if it cannot be; what goes wrong
// later goes to o.Warn.
func Open(o Options) (*Keeper, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of kept messages: %w", err)
	}
	k := &Keeper{
		queue: make(chan body, maxQueue), closing: make(chan struct{}), done: make(chan struct{}), warn: o.Warn,
		folder: folder{dir: o.Dir, keep: o.Keep, maxSize: o.MaxSize},
	}
	k.tidy()
	go k.run()
	return k, nil
}

// Put keeps a message by the id of its verdict. It never blocks, and copies raw: if too much waits, the disk is full or the
// keeper closed, the message is lost and counted, and so is one larger than an eighth of all that may be kept.
func (k *Keeper) Put(id string, raw []byte) {
	size := int64(len(raw))
	if len(id) > idLen || size > min(maxBody, k.folder.maxSize/8) {
		k.lose()
		return
	}
	if k.waiting.Add(size) > maxWaiting {
		k.waiting.Add(-size)
		k.lose()
		return
	}
	select {
	case <-k.closing:
	default:
		select {
		case k.queue <- body{id, append([]byte(nil), raw...)}:
			return
		default:
		}
	}
	k.waiting.Add(-size)
	k.lose()
}

func (k *Keeper) lose() {
	now := time.Now()
	k.last.Store(&now)
	k.lost.Add(1)
}

// Lost is how many messages were to be kept and are not.
func (k *Keeper) Lost() uint64 { return k.lost.Load() }

// LastLost is when one was lost last; zero if none was.
func (k *Keeper) LastLost() time.Time {
	if at := k.last.Load(); at != nil {
		return *at
	}
	return time.Time{}
}

// Waiting is how many bytes of messages wait to be written.
func (k *Keeper) Waiting() int64 { return k.waiting.Load() }

// Size is how many bytes all files take together, as of the last minute.
func (k *Keeper) Size() int64 { return k.size.Load() }

// Stuck is why the last write failed, nil once one has succeeded.
func (k *Keeper) Stuck() error {
	if err := k.stuck.Load(); err != nil {
		return *err
	}
	return nil
}

// Close writes what waits, and ends. It waits ten seconds at most.
func (k *Keeper) Close() error {
	k.once.Do(func() { close(k.closing) })
	timer := time.NewTimer(closePatience)
	defer timer.Stop()
	select {
	case <-k.done:
		return k.Stuck()
	case <-timer.C:
		return errors.New("closing the kept messages: the disk does not answer")
	}
}

func (k *Keeper) run() {
	defer close(k.done)
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		k.report()
		select {
		case b := <-k.queue:
			k.write(b)
		case <-tick.C:
			k.tidy()
		case <-k.closing:
			k.drain()
			return
		}
	}
}

// write appends a message. While the disk is full nothing is tried for a second at a time, and what comes meanwhile is lost:
// the mail itself and its verdicts need the space more.
func (k *Keeper) write(b body) {
	defer k.waiting.Add(-int64(len(b.raw)))
	if !k.failed.IsZero() && time.Since(k.failed) < retryAfter {
		k.lose()
		return
	}
	begun, err := k.folder.write(b.id, b.raw, time.Now())
	if err != nil {
		k.failed = time.Now()
		k.stuck.Store(&err)
		k.told.trouble = err
		k.lose()
		return
	}
	k.failed = time.Time{}
	k.stuck.Store(nil)
	if begun {
		k.tidy()
	}
}

func (k *Keeper) tidy() {
	size, err := k.folder.expire(time.Now())
	k.size.Store(size)
	if err != nil {
		k.told.trouble = err
	}
}

func (k *Keeper) drain() {
	for {
		select {
		case b := <-k.queue:
			k.write(b)
		default:
			if err := k.folder.seal(); err != nil {
				k.told.trouble = err
			}
			k.told.at = time.Time{} // the last word
			k.report()
			return
		}
	}
}

// report tells of trouble since the last warning, if it was long enough ago.
func (k *Keeper) report() {
	lost, now := k.lost.Load(), time.Now()
	if k.told.trouble == nil && lost == k.told.reported || !k.told.at.IsZero() && now.Sub(k.told.at) < warnEvery {
		return
	}
	err := k.told.trouble
	if n := lost - k.told.reported; n > 0 {
		err = errors.Join(fmt.Errorf("%d messages were not kept", n), err)
	}
	k.told = warned{reported: lost, at: now}
	if k.warn != nil {
		k.warn(err)
	}
}
