package verdictlog

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

const (
	maxPart = 64 << 20 // bytes of one file, unless MaxSize is small
	minPart = 64 << 10
)

// folder is where the log is written: it opens the file of the day, begins a new one when that is full, and removes
// the old. Only the writer's goroutine uses it.
type folder struct {
	dir     string
	keep    time.Duration
	maxSize int64

	file  *os.File // nil: to be opened
	part  part     // the one of file
	fresh bool     // opened since the last tidy
	clock clock
}

// partSize is from when on a file is full: files are removed whole, so it is a fraction of what all may take.
func (f *folder) partSize() int64 {
	if f.maxSize <= 0 {
		return maxPart
	}
	return min(maxPart, max(minPart, f.maxSize/8))
}

// write appends lines, as a whole or not at all if that can be had.
func (f *folder) write(lines []byte, now time.Time) error {
	if err := f.take(now); err != nil {
		return err
	}
	defer f.release()
	n, err := f.file.Write(lines)
	if err == nil {
		f.part.size += int64(n)
		return nil
	}
	// Take back the half line. Where that fails, opening anew ends it with a line end.
	if info, statErr := f.file.Stat(); statErr == nil && info.Size() == f.part.size+int64(n) {
		err = errors.Join(err, f.file.Truncate(f.part.size))
	}
	return errors.Join(fmt.Errorf("writing the verdict log: %w", err), f.close())
}

// take makes f.file the file to write to now, and keeps others from replacing it. Where files cannot be locked, nobody
// replaces them.
func (f *folder) take(now time.Time) error {
	for {
		if err := f.ready(now); err != nil {
			return err
		}
		if err := lock(f.file); err != nil || f.inPlace() {
			return nil
		}
		if err := f.close(); err != nil {
			return err
		}
	}
}

func (f *folder) release() {
	if f.file != nil {
		_ = unlock(f.file) // if it is not locked, that was so before
	}
}

// ready makes f.file the file to write to now.
func (f *folder) ready(now time.Time) error {
	today := midnight(now)
	if f.file != nil && (!f.part.day.Equal(today) || f.part.size >= f.partSize()) {
		if err := f.close(); err != nil {
			return err
		}
	}
	if f.file != nil {
		return nil
	}
	return f.open(today)
}

// inPlace reports whether the open file still has its name: it may have been removed, moved away or replaced.
func (f *folder) inPlace() bool {
	named, err := os.Stat(filepath.Join(f.dir, f.part.name()))
	if err != nil {
		return false
	}
	open, err := f.file.Stat()
	return err == nil && os.SameFile(named, open)
}

// open opens the last file of today, or the one after if that is full. A line that a crash has cut off is ended.
func (f *folder) open(today time.Time) error {
	parts, err := list(f.dir)
	if err != nil {
		return err
	}
	p := part{day: today}
	for _, q := range parts {
		if q.day.Equal(today) {
			p = q
		}
	}
	if p.size >= f.partSize() {
		p = part{day: today, number: p.number + 1}
	}
	file, err := os.OpenFile(filepath.Join(f.dir, p.name()), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o640)
	if err != nil {
		return fmt.Errorf("opening the verdict log: %w", err)
	}
	if p.size, err = endLine(file); err != nil {
		return errors.Join(fmt.Errorf("ending the last line of the verdict log: %w", err), file.Close())
	}
	f.file, f.part, f.fresh = file, p, true
	return nil
}

// endLine adds the line end that a file lacks. It returns the file's size.
func endLine(file *os.File) (int64, error) {
	info, err := file.Stat()
	if err != nil || info.Size() == 0 || !info.Mode().IsRegular() {
		return 0, err
	}
	var last [1]byte
	if _, err := file.ReadAt(last[:], info.Size()-1); err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	if last[0] == '\n' {
		return info.Size(), nil
	}
	_, err = file.Write([]byte("\n"))
	return info.Size() + 1, err
}

// tidy removes what is too old or too much, after a file was opened.
func (f *folder) tidy(now time.Time) error {
	if !f.fresh {
		return nil
	}
	f.fresh = false
	return f.expire(now)
}

// expire removes files all of whose records are older than keep, and the oldest while all with their indexes, and room
// for one more, take more than maxSize. The file being written stays.
func (f *folder) expire(now time.Time) error {
	parts, err := list(f.dir)
	if err != nil {
		return err
	}
	now = f.clock.at(now)
	var total int64
	for _, p := range parts {
		total += p.size + p.index
	}
	for _, p := range parts {
		tooOld := f.keep > 0 && now.Sub(p.day.Add(day)) > f.keep
		tooMuch := f.maxSize > 0 && total > f.maxSize-f.partSize()
		current := f.file != nil && p.compare(f.part) == 0
		if !tooOld && !tooMuch || current {
			continue
		}
		if err := remove(f.dir, p); err != nil {
			return fmt.Errorf("removing old verdicts: %w", err)
		}
		total -= p.size + p.index
	}
	return nil
}

// remove removes a file with its index. If only one of them goes, it is the index, without which nothing is lost.
func remove(dir string, p part) error {
	if err := os.Remove(filepath.Join(dir, p.indexName())); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Remove(filepath.Join(dir, p.name()))
}

func (f *folder) close() error {
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	if err != nil {
		return fmt.Errorf("closing the verdict log: %w", err)
	}
	return nil
}
