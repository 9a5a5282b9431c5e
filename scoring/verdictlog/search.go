package verdictlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Search calls each with the records of the log in dir that q finds, the newest last. With q.Last it keeps so many in
// memory, else one. Lines that are no records, such as one cut off by a crash, are passed over. An error of each ends
// the search and is returned.
func Search(ctx context.Context, dir string, q Query, each func(*Record) error) error {
	parts, err := list(dir)
	if err != nil {
		return err
	}
	return search(ctx, dir, parts, q, each)
}

// search looks through parts, each up to its size.
func search(ctx context.Context, dir string, parts []part, q Query, each func(*Record) error) error {
	parts = slices.DeleteFunc(slices.Clone(parts), func(p part) bool { return !p.mayHold(q.Since, q.Until) })
	s := newScan(ctx, dir, q)
	if q.Last <= 0 {
		for _, p := range parts {
			if err := s.file(p, each); err != nil {
				return err
			}
		}
		return nil
	}
	// The newest files first, until there are enough.
	var found [][]*Record
	for missing := q.Last; missing > 0 && len(parts) > 0; parts = parts[:len(parts)-1] {
		newest, err := s.newest(parts[len(parts)-1], missing)
		if err != nil {
			return err
		}
		found = append(found, newest)
		missing -= len(newest)
	}
	for _, records := range slices.Backward(found) {
		for _, r := range records {
			if err := each(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// Lines is Search for those who read no more of a record than they need: it calls each with the lines as they stand. A
// line is valid until each returns, and is decoded here only if q has words. Of lines that are no records it knows only
// those that it decodes.
func Lines(ctx context.Context, dir string, q Query, each func(line []byte) error) error {
	parts, err := list(dir)
	if err != nil {
		return err
	}
	parts = slices.DeleteFunc(parts, func(p part) bool { return !p.mayHold(q.Since, q.Until) })
	exact := len(q.terms) > 0 || !q.Since.IsZero() || !q.Until.IsZero()
	s := newScan(ctx, dir, q)
	for _, p := range parts {
		err := s.lines(p, func(line []byte) error {
			if exact {
				if found, err := s.finds(line); !found || err != nil {
					return err
				}
			}
			return each(line)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Count is how many records of the log in dir q finds. Where indexes know, nothing else is read; else of each record that
// may be meant what the words of q read, several files at a time.
func Count(ctx context.Context, dir string, q Query) (int, error) {
	parts, err := list(dir)
	if err != nil {
		return 0, err
	}
	jobs := make(chan part)
	var counting sync.WaitGroup
	var total atomic.Int64
	var failed atomic.Pointer[error]
	for range min(len(parts), runtime.GOMAXPROCS(0)) {
		counting.Go(func() {
			s := newScan(ctx, dir, q)
			for p := range jobs {
				n, err := s.count(p)
				total.Add(int64(n))
				if err != nil {
					failed.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	for _, p := range parts {
		if p.mayHold(q.Since, q.Until) && failed.Load() == nil {
			jobs <- p
		}
	}
	close(jobs)
	counting.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return int(total.Load()), nil
}

// Find returns the record with the given id, or the only one whose id begins with it. It looks only where the time in
// the id says, so ten letters are the least. The error wraps fs.ErrNotExist if there is none.
func Find(dir, id string) (*Record, error) {
	const timeLetters, letters = 10, 26
	id = strings.ToUpper(id)
	if len(id) < timeLetters || len(id) > letters {
		return nil, fmt.Errorf("%q is not an id: those have %d letters and digits, of which the first %d are the least", id, letters, timeLetters)
	}
	at, ok := IDTime(id + strings.Repeat("0", letters-len(id)))
	if !ok {
		return nil, fmt.Errorf("%q is not an id", id)
	}
	q := Query{terms: []term{{matcher: matcher{
		need: id, narrow: holding(fold(id), textOther),
		holds: func(r *Record) bool { return strings.HasPrefix(r.ID, id) },
	}}}}
	parts, err := list(dir)
	if err != nil {
		return nil, err
	}
	s := newScan(context.Background(), dir, q)
	var found *Record
	for _, p := range parts {
		if !p.mayHold(at, at) {
			continue
		}
		err := s.file(p, func(r *Record) error {
			if found != nil {
				return fmt.Errorf("more than one id begins with %s: %s, %s", id, found.ID, r.ID)
			}
			found = r
			if len(id) == letters {
				return errFound
			}
			return nil
		})
		if errors.Is(err, errFound) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	if found == nil {
		return nil, fmt.Errorf("looking for verdict %s in %s: %w", id, dir, fs.ErrNotExist)
	}
	return found, nil
}

var errFound = errors.New("found") // ends a search, never leaves the package

// scan looks through files for what a query finds.
type scan struct {
	ctx   func() error // ends it
	dir   string
	query Query
	sieve sieve
	reads sections // what tells whether it finds a record
	marks Marks    // nil: not read yet
}

func newScan(ctx context.Context, dir string, q Query) scan {
	q = q.keyed(dir)
	return scan{ctx: ctx.Err, dir: dir, query: q, sieve: q.sieve(), reads: q.reads()}
}

// often is how many lines are read between two looks at the context.
const often = 1000

// file looks through one file for what the query finds.
func (s *scan) file(p part, each func(*Record) error) error {
	return s.lines(p, func(line []byte) error { return s.line(line, each) })
}

// newest returns the last n records of a file that the query finds, the newest last.
func (s *scan) newest(p part, n int) ([]*Record, error) {
	c, err := s.candidates(p)
	if err != nil {
		return nil, err
	}
	if c == nil {
		return s.newestRead(p, n)
	}
	defer c.close()
	var found []*Record
	err = c.lines(c.found.Backwards(), s.ctx, func(line []byte) error {
		return s.line(line, func(r *Record) error {
			if found = append(found, r); len(found) == n {
				return errFound
			}
			return nil
		})
	})
	if errors.Is(err, errFound) {
		err = nil
	}
	slices.Reverse(found)
	return found, err
}

// readBack is how much of a file is read at once from its end towards its beginning, about.
const readBack = 1 << 20

// newestRead is newest without an index.
func (s *scan) newestRead(p part, n int) ([]*Record, error) {
	file, err := openPart(s.dir, p)
	if file == nil {
		return nil, err
	}
	defer file.Close()
	var pieces [][]*Record
	for end := p.size; end > 0 && n > 0; {
		start, err := lastLineEnd(file, max(0, end-readBack))
		if err != nil {
			return nil, fmt.Errorf("reading the verdict log: %w", err)
		}
		last := ring{size: n}
		piece := io.NewSectionReader(file, start, end-start)
		if err := s.eachLine(piece, func(line []byte) error { return s.line(line, last.add) }); err != nil {
			return nil, err
		}
		pieces = append(pieces, last.records())
		n, end = n-len(last.kept), start
	}
	slices.Reverse(pieces)
	return slices.Concat(pieces...), nil
}

// count is how many records of one file the query finds.
func (s *scan) count(p part) (int, error) {
	c, err := s.candidates(p)
	if err != nil {
		return 0, err
	}
	if c != nil && c.exact {
		defer c.close()
		return c.found.Len(), nil
	}
	if c != nil {
		c.close()
	}
	n := 0
	err = s.lines(p, func(line []byte) error {
		found, err := s.finds(line)
		if found {
			n++
		}
		return err
	})
	return n, err
}

// lines calls each with the lines of one file that may be what the query finds.
func (s *scan) lines(p part, each func(line []byte) error) error {
	c, err := s.candidates(p)
	if err != nil {
		return err
	}
	if c == nil {
		return s.allLines(p, each)
	}
	defer c.close()
	return c.lines(c.found.Forwards(), s.ctx, each)
}

// allLines reads one file, up to the size it had when it was listed.
func (s *scan) allLines(p part, each func(line []byte) error) error {
	file, err := openPart(s.dir, p)
	if file == nil {
		return err
	}
	defer file.Close()
	return s.eachLine(io.LimitReader(file, p.size), each)
}

// eachLine calls each with the lines of a file or of a piece of one.
func (s *scan) eachLine(from io.Reader, each func(line []byte) error) error {
	in := newLines(from)
	for n := 1; ; n++ {
		if n%often == 0 && s.ctx() != nil {
			return s.ctx()
		}
		line, err := in.next()
		if errors.Is(err, io.EOF) {
			return each(in.rest())
		}
		if err != nil {
			return fmt.Errorf("reading the verdict log: %w", err)
		}
		if err := each(line); err != nil {
			return err
		}
	}
}

// openPart opens a file to read; nil if it is gone, which was expired meanwhile.
func openPart(dir string, p part) (*os.File, error) {
	file, err := os.Open(filepath.Join(dir, p.name()))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the verdict log: %w", err)
	}
	return file, nil
}

// line calls each if line is a record that the query finds.
func (s *scan) line(line []byte, each func(*Record) error) error {
	if len(line) == 0 || !s.sieve.passes(line) {
		return nil
	}
	if err := s.readMarks(); err != nil {
		return err
	}
	if s.sieve.marked && !s.marks.in(line) {
		return nil
	}
	r, err := ReadRecord(line)
	if err != nil {
		return nil
	}
	if r.Learned = s.marks.Of(r); !s.query.Match(r) {
		return nil
	}
	return each(r)
}

// readMarks reads the marks, once.
func (s *scan) readMarks() (err error) {
	if s.marks == nil {
		s.marks, err = ReadMarks(s.dir)
	}
	return err
}

// ring keeps the last records added.
type ring struct {
	size int
	kept []*Record
	next int
}

func (r *ring) add(record *Record) error {
	if len(r.kept) < r.size {
		r.kept = append(r.kept, record)
		return nil
	}
	r.kept[r.next] = record
	r.next = (r.next + 1) % r.size
	return nil
}

func (r *ring) records() []*Record { return slices.Concat(r.kept[r.next:], r.kept[:r.next]) }
