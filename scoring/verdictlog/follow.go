package verdictlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"time"
)

// lookAgain is how often Follow looks for new records.
const lookAgain = 200 * time.Millisecond

// Follow calls each with the last q.Last records that q finds, and then with those that are added, until ctx ends or
// each returns an error; it returns that. It goes on with the next file when a new one is begun. The folder need not be
// there yet.
func Follow(ctx context.Context, dir string, q Query, each func(*Record) error) error {
	parts, err := list(dir)
	if err != nil {
		return err
	}
	f := follower{scan: newScan(ctx, dir, q)}
	defer f.close()
	if n := len(parts); n > 0 {
		if err := f.openAtEnd(&parts[n-1]); err != nil {
			return err
		}
	}
	if q.Last > 0 {
		if err := search(ctx, dir, parts, q, each); err != nil {
			return err
		}
	}
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	for {
		if err := f.advance(each); err != nil {
			return err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// follower reads the newest file as it grows.
type follower struct {
	scan
	part  part
	file  *os.File // nil: there is none yet
	start int64    // where in it reading began
	in    *lines
}

// openAtEnd opens p to read what comes after its last whole line, and makes p.size the end of that line.
func (f *follower) openAtEnd(p *part) error {
	return f.open(*p, func(file *os.File) (int64, error) {
		var err error
		p.size, err = lastLineEnd(file, p.size)
		return p.size, err
	})
}

// open opens p to read from where it is said.
func (f *follower) open(p part, from func(*os.File) (int64, error)) error {
	file, err := os.Open(filepath.Join(f.dir, p.name()))
	if err != nil {
		return fmt.Errorf("following the verdict log: %w", err)
	}
	start, err := from(file)
	if err == nil {
		_, err = file.Seek(start, io.SeekStart)
	}
	f.close()
	f.part, f.file, f.start, f.in = p, file, start, newLines(file)
	if err != nil {
		return fmt.Errorf("following the verdict log: %w", err)
	}
	return nil
}

// goOn is where to read in a file that comes after the one being read: at its beginning, or, if it is the same one
// without an address that was forgotten, behind the lines that have been read.
func (f *follower) goOn(next *os.File) (int64, error) {
	if f.file == nil || !alike(f.file, next) {
		return 0, nil
	}
	read := newLines(io.NewSectionReader(f.file, 0, f.start+f.in.end-int64(len(f.in.part))))
	anew := newLines(io.NewSectionReader(next, 0, math.MaxInt64))
	for {
		_, err := read.next()
		if errors.Is(err, io.EOF) {
			return anew.end, nil
		}
		if err == nil {
			_, err = anew.next()
		}
		if errors.Is(err, io.EOF) {
			return 0, nil // it has fewer
		}
		if err != nil {
			return 0, err
		}
	}
}

// alike reports whether two files begin with the same record, by its time and id.
func alike(a, b io.ReaderAt) bool {
	var begin [2][len(recordStart) + len(`2006-01-02T15:04:05Z","id":"`) + 26]byte
	_, errA := a.ReadAt(begin[0][:], 0)
	_, errB := b.ReadAt(begin[1][:], 0)
	return errA == nil && errB == nil && begin[0] == begin[1]
}

// advance reads what is there, file after file.
func (f *follower) advance(each func(*Record) error) error {
	for {
		// The next file is looked for before this one is read, so that nothing is added to this one afterwards.
		next, err := f.next()
		if err != nil {
			return err
		}
		if f.file != nil {
			if err := f.read(each); err != nil {
				return err
			}
		}
		if next == nil {
			return nil
		}
		if err := f.open(*next, f.goOn); err != nil {
			return err
		}
	}
}

// read reads the lines that are whole.
func (f *follower) read(each func(*Record) error) error {
	for f.ctx() == nil {
		line, err := f.in.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("following the verdict log: %w", err)
		}
		if err := f.line(line, each); err != nil {
			return err
		}
	}
	return f.ctx()
}

// next is the file after the one that is read, or a new one of its name; nil if there is none.
func (f *follower) next() (*part, error) {
	parts, err := list(f.dir)
	if err != nil {
		return nil, err
	}
	for _, p := range parts {
		if f.file == nil || p.compare(f.part) > 0 || p.compare(f.part) == 0 && f.replaced() {
			return &p, nil
		}
	}
	return nil, nil
}

// replaced reports whether the name of the file being read is another file's now.
func (f *follower) replaced() bool {
	named, err := os.Stat(f.file.Name())
	if err != nil {
		return false
	}
	open, err := f.file.Stat()
	return err == nil && !os.SameFile(named, open)
}

func (f *follower) close() {
	if f.file != nil {
		_ = f.file.Close() // it was only read
		f.file = nil
	}
}

// lastLineEnd is where the last whole line within size bytes of file ends.
func lastLineEnd(file io.ReaderAt, size int64) (int64, error) {
	block := make([]byte, 64<<10)
	for size > 0 {
		start := max(0, size-int64(len(block)))
		b := block[:size-start]
		if _, err := file.ReadAt(b, start); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if i := bytes.LastIndexByte(b, '\n'); i >= 0 {
			return start + int64(i) + 1, nil
		}
		size = start
	}
	return 0, nil
}
