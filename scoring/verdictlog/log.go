package verdictlog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxQueue      = 4096             // records waiting to be written
	maxBatch      = 64 << 10         // bytes written at once, about
	retryAfter    = time.Second      // after a write that failed
	warnEvery     = time.Minute      // at most
	closePatience = 10 * time.Second // for what waits when the log is closed
)

// Options say where a log is and how much of it is kept.
type Options struct {
	Dir     string
	Keep    time.Duration // records older than this may be removed, a day's at a time; 0 keeps all
	MaxSize int64         // bytes of all files together; 0 for no bound
	Warn    func(error)   // is told of records lost and of writes that fail, at most once a minute; may be nil
}

// Log writes records to files, a line each, and makes an index of each file that is full. Its two goroutines run from
// Open to Close.
//
// A record is handed to the operating system as soon as the one before is written; there is no fsync. What was handed
// over survives the end of the program, not that of the machine.
type Log struct {
	queue   chan Record
	dropped atomic.Uint64
	lost    atomic.Pointer[time.Time]
	stuck   atomic.Pointer[error]
	closing chan struct{}
	once    sync.Once
	done    chan struct{} // closed when the goroutine has ended

	folder  folder
	indexer *indexer
	warn    func(error)
	buffer  bytes.Buffer // lines to write

	trouble  error     // since the last warning
	reported uint64    // dropped, when last warned of
	warned   time.Time // when
	failed   error     // what Close returns, once done is closed
}

// Open starts a log in o.Dir, which is made if it is not there. It is an error if the folder cannot be made or written
// to; what goes wrong later goes to o.Warn.
func Open(o Options) (*Log, error) {
	if err := os.MkdirAll(o.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("making the folder of the verdict log: %w", err)
	}
	l := &Log{
		queue:   make(chan Record, maxQueue),
		closing: make(chan struct{}),
		done:    make(chan struct{}),
		folder:  folder{dir: o.Dir, keep: o.Keep, maxSize: o.MaxSize},
		warn:    o.Warn,
	}
	l.indexer = newIndexer(o.Dir, l.closing)
	err := l.folder.ready(time.Now())
	if errors.Is(err, fs.ErrPermission) {
		return nil, err
	}
	l.note(err) // a full disk is no reason not to start
	go l.indexer.run()
	go l.run()
	return l, nil
}

// Put hands over a record, which must not change any more. It never blocks: if too many wait, or the log is closed,
// the record is dropped and counted.
func (l *Log) Put(r Record) {
	select {
	case <-l.closing:
	default:
		select {
		case l.queue <- r:
			return
		default:
		}
	}
	l.drop(1)
}

// Dropped is how many records were lost.
func (l *Log) Dropped() uint64 { return l.dropped.Load() }

// LastDrop is when a record was lost last; zero if none was.
func (l *Log) LastDrop() time.Time {
	if at := l.lost.Load(); at != nil {
		return *at
	}
	return time.Time{}
}

func (l *Log) drop(records int) {
	now := time.Now()
	l.lost.Store(&now)
	l.dropped.Add(uint64(records))
}

// Waiting is how many records wait to be written, and for how many there is room.
func (l *Log) Waiting() (records, room int) { return len(l.queue), cap(l.queue) }

// Stuck is why the last write failed, nil once one has succeeded.
func (l *Log) Stuck() error {
	if err := l.stuck.Load(); err != nil {
		return *err
	}
	return nil
}

// Close writes what waits and ends the log. It waits ten seconds at most; an error says that records were lost or may
// have been.
func (l *Log) Close() error {
	l.once.Do(func() { close(l.closing) })
	timer := time.NewTimer(closePatience)
	defer timer.Stop()
	select {
	case <-l.done:
		return l.failed
	case <-timer.C:
		return errors.New("closing the verdict log: the disk does not answer")
	}
}

func (l *Log) run() {
	defer close(l.done)
	defer func() { <-l.indexer.done }()
	tick := time.NewTicker(warnEvery)
	defer tick.Stop()
	for {
		l.report()
		select {
		case r := <-l.queue:
			l.write(r)
		case now := <-tick.C:
			l.note(l.folder.expire(now))
			l.indexer.again()
		case err := <-l.indexer.trouble:
			l.note(err)
		case <-l.closing:
			l.drain()
			return
		}
	}
}

// write writes r and what else waits, and tries again until it is written or the log is closed.
func (l *Log) write(r Record) {
	n := l.gather(r)
	for {
		err := l.folder.write(l.buffer.Bytes(), time.Now())
		if err == nil {
			l.stuck.Store(nil)
			if l.folder.fresh {
				l.indexer.again()
			}
			l.note(l.folder.tidy(time.Now()))
			return
		}
		l.stuck.Store(&err)
		l.note(err)
		l.report()
		retry := time.NewTimer(retryAfter)
		select {
		case <-retry.C:
		case <-l.closing:
			retry.Stop()
			if err := l.folder.write(l.buffer.Bytes(), time.Now()); err != nil {
				l.drop(n)
				l.failed = err
			}
			return
		}
	}
}

// gather fills the buffer with r and more of the queue, and says how many records it holds.
func (l *Log) gather(r Record) int {
	l.buffer.Reset()
	encoder := json.NewEncoder(&l.buffer)
	encoder.SetEscapeHTML(false)
	for n := 0; ; {
		if err := encoder.Encode(r); err != nil {
			l.drop(1)
			l.note(fmt.Errorf("encoding a record: %w", err))
		} else {
			n++
		}
		if l.buffer.Len() >= maxBatch {
			return n
		}
		select {
		case r = <-l.queue:
		default:
			return n
		}
	}
}

// drain writes what waits, tries each batch twice, and closes the file.
func (l *Log) drain() {
	for {
		select {
		case r := <-l.queue:
			l.write(r)
		default:
			l.failed = errors.Join(l.failed, l.folder.close())
			return
		}
	}
}

func (l *Log) note(err error) {
	if err != nil {
		l.trouble = err
	}
}

// report tells of trouble since the last warning, if it was long enough ago.
func (l *Log) report() {
	dropped := l.dropped.Load()
	now := time.Now()
	if l.trouble == nil && dropped == l.reported || !l.warned.IsZero() && now.Sub(l.warned) < warnEvery {
		return
	}
	err := l.trouble
	if lost := dropped - l.reported; lost > 0 {
		err = errors.Join(fmt.Errorf("the verdict log lost %d records", lost), err)
	}
	l.trouble, l.reported, l.warned = nil, dropped, now
	if l.warn != nil {
		l.warn(err)
	}
}
