package bodies

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
)

// Segments are called kept-20261124T103000.000.seg after the time (UTC) when they were begun.
const (
	prefix   = "kept-"
	suffix   = ".seg"
	timeForm = "20060102T150405.000"

	maxSegment  = 64 << 20 // bytes, unless MaxSize is small
	minSegment  = 64 << 10
	maxSegments = 2048
)

// segment is one file.
type segment struct {
	began time.Time
	size  int64 // when the folder was listed
}

func (s segment) name() string { return prefix + s.began.UTC().Format(timeForm) + suffix }

func parseSegment(name string) (segment, bool) {
	date, isOurs := strings.CutPrefix(name, prefix)
	date, isSegment := strings.CutSuffix(date, suffix)
	at, err := time.Parse(timeForm, date)
	return segment{began: at}, isOurs && isSegment && err == nil
}

// list returns the segments of a folder, the oldest first. A folder that is not there has none.
func list(dir string) ([]segment, error) {
	entries, err := os.ReadDir(dir) // by name, which is by time
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listing the kept messages: %w", err)
	}
	var all []segment
	for _, e := range entries {
		s, ok := parseSegment(e.Name())
		if !ok {
			continue
		}
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue // gone meanwhile, or nothing of ours
		}
		s.size = info.Size()
		all = append(all, s)
	}
	return all, nil
}

// folder is where messages are written. Only the keeper's goroutine uses it.
type folder struct {
	dir     string
	keep    time.Duration
	maxSize int64

	file    *os.File // nil: to be begun
	segment segment  // the one of file
	holds   []place  // what is in it
	encoder *zstd.Encoder
	buffer  []byte
}

// segmentSize is from when on a segment is full.
func (f *folder) segmentSize() int64 { return min(maxSegment, max(minSegment, f.maxSize/16)) }

// span is how long one segment is written: what is in it goes as a whole.
func (f *folder) span() time.Duration { return max(f.keep/8, time.Second) }

// write appends a message as a whole or not at all. It reports whether it has begun a segment.
func (f *folder) write(id string, raw []byte, now time.Time) (begun bool, err error) {
	stored, err := f.compress(id, raw)
	if err != nil {
		return false, err
	}
	if f.file != nil && (f.segment.size+int64(len(stored)) > f.segmentSize() && f.segment.size > 0 || now.Sub(f.segment.began).Abs() >= f.span()) {
		if err := f.seal(); err != nil {
			return false, err
		}
	}
	if f.file == nil {
		if err := f.begin(now); err != nil {
			return false, fmt.Errorf("keeping a message: %w", err)
		}
		begun = true
	}
	n, err := f.file.Write(stored)
	if err == nil && !f.inPlace() {
		err = errors.New("its file was taken away")
	}
	if err != nil {
		return begun, errors.Join(fmt.Errorf("keeping a message: %w", err), f.abandon())
	}
	f.holds = append(f.holds, place{id: id, at: uint32(f.segment.size)})
	f.segment.size += int64(n)
	return begun, nil
}

// compress makes of a message what is stored of it, valid until the next call.
func (f *folder) compress(id string, raw []byte) ([]byte, error) {
	if f.encoder == nil {
		var err error
		f.encoder, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false))
		if err != nil {
			return nil, fmt.Errorf("compressing a message: %w", err)
		}
	}
	const usual = 1 << 20
	if cap(f.buffer) > usual {
		f.buffer = nil
	}
	f.buffer = f.encoder.EncodeAll(raw, append(f.buffer[:0], make([]byte, headLen)...))
	stored := f.buffer[headLen:]
	h := head{id: id, stored: uint32(len(stored)), size: uint32(len(raw)), check: sum(stored)}
	copy(f.buffer, h.append(nil))
	return f.buffer, nil
}

// begin begins a segment. Its name is that of no other.
func (f *folder) begin(now time.Time) error {
	s := segment{began: now.UTC().Truncate(time.Millisecond)}
	for {
		file, err := os.OpenFile(filepath.Join(f.dir, s.name()), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			f.file, f.segment, f.holds = file, s, nil
			return nil
		}
		switch {
		case errors.Is(err, fs.ErrNotExist): // the folder was taken away
			if err := os.Mkdir(f.dir, 0o700); err != nil {
				return err
			}
		case errors.Is(err, fs.ErrExist):
			s.began = s.began.Add(time.Millisecond)
		default:
			return err
		}
	}
}

// inPlace reports whether the open file still has a name.
func (f *folder) inPlace() bool {
	named, err := os.Stat(filepath.Join(f.dir, f.segment.name()))
	if err != nil {
		return false
	}
	open, err := f.file.Stat()
	return err == nil && os.SameFile(named, open)
}

// abandon takes back what was written in part, and closes the file. One with nothing in it is removed.
func (f *folder) abandon() error {
	file, s := f.file, f.segment
	f.file, f.holds = nil, nil
	if s.size == 0 {
		return errors.Join(file.Close(), ignoreGone(os.Remove(filepath.Join(f.dir, s.name()))))
	}
	return errors.Join(file.Truncate(s.size), file.Close())
}

// seal writes the contents of the segment and closes it. Where they cannot be written they are not needed.
func (f *folder) seal() error {
	if f.file == nil {
		return nil
	}
	if len(f.holds) == 0 {
		return f.abandon()
	}
	live := slices.DeleteFunc(f.holds, func(p place) bool { // what was forgotten meanwhile is not named again
		_, err := readHead(f.file, p)
		return err != nil
	})
	if _, err := f.file.Write(appendContents(nil, live)); err != nil {
		return f.abandon()
	}
	err := f.file.Close()
	f.file, f.holds = nil, nil
	if err != nil {
		return fmt.Errorf("closing kept messages: %w", err)
	}
	return nil
}

// expire removes the segments that are too old, and the oldest while all, and room for one more, take more than maxSize.
// The one being written stays. It returns how much the rest takes.
func (f *folder) expire(now time.Time) (size int64, err error) {
	if f.file != nil && now.Sub(f.segment.began).Abs() >= f.span() {
		if err := f.seal(); err != nil {
			return 0, err
		}
	}
	all, err := list(f.dir)
	if err != nil {
		return 0, err
	}
	for _, s := range all {
		size += s.size
	}
	for i, s := range all {
		tooOld := now.Sub(s.began) > f.keep+f.span()
		tooMuch := size > f.maxSize-f.segmentSize() || len(all)-i > maxSegments
		if !tooOld && !tooMuch || f.file != nil && s.name() == f.segment.name() {
			continue
		}
		if err := ignoreGone(os.Remove(filepath.Join(f.dir, s.name()))); err != nil {
			return size, fmt.Errorf("removing kept messages: %w", err)
		}
		size -= s.size
	}
	return size, nil
}

func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
