package bodies

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// Shelf finds the messages that were kept when it was made. It may be used by several goroutines at once. The nil Shelf
// holds none.
type Shelf struct {
	dir      string
	segments []segment
	places   []place // by id
	decoder  *zstd.Decoder
}

// Look lists what is kept in dir. A folder that is not there holds nothing.
func Look(dir string) (*Shelf, error) {
	all, err := list(dir)
	if err != nil {
		return nil, err
	}
	s := &Shelf{dir: dir, segments: all}
	for i, one := range all {
		file, err := os.Open(filepath.Join(dir, one.name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // it was expired meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("reading kept messages: %w", err)
		}
		from := len(s.places)
		s.places = contents(file, one.size, s.places)
		for j := range s.places[from:] {
			s.places[from+j].segment = i
		}
		file.Close()
	}
	slices.SortStableFunc(s.places, func(a, b place) int { return strings.Compare(a.id, b.id) })
	s.decoder, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxBody))
	if err != nil {
		return nil, fmt.Errorf("reading kept messages: %w", err)
	}
	return s, nil
}

// Close gives back what reading takes.
func (s *Shelf) Close() {
	if s != nil {
		s.decoder.Close()
	}
}

// Len is how many messages there are.
func (s *Shelf) Len() int {
	if s == nil {
		return 0
	}
	return len(s.places)
}

// Has reports whether the message of a verdict was kept when s was made.
func (s *Shelf) Has(id string) bool {
	_, ok := s.find(id)
	return ok
}

func (s *Shelf) find(id string) (place, bool) {
	if s == nil {
		return place{}, false
	}
	i, ok := slices.BinarySearchFunc(s.places, id, func(p place, id string) int { return strings.Compare(p.id, id) })
	if !ok {
		return place{}, false
	}
	return s.places[i], true
}

// Get returns the message of a verdict as it was judged. The error wraps fs.ErrNotExist if it is not kept, or no longer.
func (s *Shelf) Get(id string) ([]byte, error) {
	p, ok := s.find(id)
	if !ok {
		return nil, fmt.Errorf("the message of %s is not kept: %w", id, fs.ErrNotExist)
	}
	return s.read(p)
}

func (s *Shelf) read(p place) ([]byte, error) {
	file, err := os.Open(filepath.Join(s.dir, s.segments[p.segment].name()))
	if err != nil {
		return nil, fmt.Errorf("reading the message of %s: %w", p.id, err)
	}
	defer file.Close()
	raw, err := read(file, p, s.decoder)
	if errors.Is(err, errBroken) {
		return nil, fmt.Errorf("reading the message of %s: %w: %w", p.id, err, fs.ErrNotExist)
	}
	return raw, err
}

// Forget erases the messages for which forgotten holds from the segments in which they lie; messages may be kept meanwhile.
// raw reads a message; it is not called for those that need not be read. It returns how many were erased.
func (s *Shelf) Forget(ctx context.Context, forgotten func(id string, raw func() []byte) bool) (erased int, err error) {
	if s == nil {
		return 0, nil
	}
	gone := map[int][]place{}
	for _, p := range s.places {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		if forgotten(p.id, func() []byte { raw, _ := s.read(p); return raw }) { // of one that is broken nothing is there
			gone[p.segment] = append(gone[p.segment], p)
		}
	}
	for i, places := range gone {
		n, err := s.erase(i, places)
		if erased += n; err != nil {
			return erased, fmt.Errorf("erasing kept messages: %w", err)
		}
	}
	return erased, nil
}

// erase erases messages of one segment, and them from its contents. It returns when that is on the disk.
func (s *Shelf) erase(segment int, places []place) (erased int, err error) {
	file, err := os.OpenFile(filepath.Join(s.dir, s.segments[segment].name()), os.O_RDWR, 0)
	if err != nil {
		return 0, ignoreGone(err)
	}
	defer file.Close()
	for _, p := range places {
		switch err := erase(file, p); {
		case errors.Is(err, errBroken):
			continue
		case err != nil:
			return erased, err
		}
		erased++
	}
	info, err := file.Stat()
	if err != nil {
		return erased, err
	}
	if all, ok := readContents(file, info.Size(), nil); ok {
		for i, p := range all {
			if slices.ContainsFunc(places, func(q place) bool { return q.at == p.at }) {
				all[i].id = ""
			}
		}
		text := appendContents(nil, all)
		if _, err := file.WriteAt(text, info.Size()-int64(len(text))); err != nil {
			return erased, err
		}
	}
	return erased, file.Sync()
}
