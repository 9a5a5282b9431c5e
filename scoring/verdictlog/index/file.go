// Package index finds the records of a file of JSON lines, or of anything else, without reading them.
//
// An index is of one file that does not change any more, and is written once. Of each record it knows names, such as
// the rules that counted: which records have one is known exactly. And it knows the terms of texts, each two and three
// bytes in a row, by the bucket that their hash falls into: which records may hold a text is known, and each of those
// is to be looked at. Whoever has no index, or one that is broken or older than its file, reads the file instead and
// finds the same.
//
// Why not a database: SQLite (modernc.org/sqlite, a table and a trigram index of the same texts) took 204 microseconds
// and 1130 bytes for a record, as much as the record itself, to answer no faster than anybody notices. This takes 46 and
// 335, in the background, is never written to again, so that nothing can tear it, and gives its space back when its
// file goes.
package index

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"os"
)

// File is an index that is open to be read. It may be used by one goroutine at a time.
type File struct {
	file *os.File
	header
	names []byte // once they have been read
}

// Open opens the index at path. The error says so if it is none, or broken at its beginning.
func Open(path string) (*File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening an index: %w", err)
	}
	f := &File{file: file}
	if err := f.readHeader(); err != nil {
		file.Close()
		return nil, fmt.Errorf("opening the index %s: %w", path, err)
	}
	return f, nil
}

func (f *File) readHeader() error {
	b := make([]byte, headerLen)
	if _, err := f.file.ReadAt(b, 0); err != nil {
		return errBroken
	}
	if _, err := binary.Decode(b, binary.LittleEndian, &f.header); err != nil {
		return errBroken
	}
	info, err := f.file.Stat()
	if err != nil {
		return err
	}
	if f.Magic != magic || crc32.ChecksumIEEE(b[:len(b)-4]) != f.Check || info.Size() != f.size() {
		return errBroken
	}
	return nil
}

// Close closes the file.
func (f *File) Close() error { return f.file.Close() }

// Verify reads all of the index and tells whether it is as it was written.
func (f *File) Verify() error {
	sum := crc32.NewIEEE()
	if _, err := io.Copy(sum, io.NewSectionReader(f.file, int64(headerLen), f.size()-int64(headerLen))); err != nil {
		return fmt.Errorf("reading an index: %w", err)
	}
	if sum.Sum32() != f.Sum {
		return errBroken
	}
	return nil
}

// Where the parts of the file begin, and where it ends.
func (f *File) startsAt() int64  { return int64(headerLen) }
func (f *File) namesAt() int64   { return f.startsAt() + 4*int64(f.Records) }
func (f *File) bucketsAt() int64 { return f.namesAt() + int64(f.Names) }
func (f *File) listsAt() int64   { return f.bucketsAt() + 4*int64(f.Fields)*(int64(f.Buckets)+1) }
func (f *File) textsAt() int64   { return f.listsAt() + int64(f.Lists[0]) }
func (f *File) size() int64      { return f.textsAt() + int64(f.Lists[1]) }

// Len is how many records there are.
func (f *File) Len() int { return int(f.Records) }

// All is the set of all records.
func (f *File) All() Set {
	s := newSet(f.Len())
	for i := range s {
		s[i] = ^uint64(0)
	}
	if extra := f.Len() % 64; extra > 0 {
		s[len(s)-1] = 1<<extra - 1
	}
	return s
}

// None is the empty set.
func (f *File) None() Set { return newSet(f.Len()) }

// Starts is where in its file each record begins.
func (f *File) Starts() ([]uint32, error) {
	b, err := f.read(f.startsAt(), f.namesAt())
	if err != nil {
		return nil, err
	}
	starts := make([]uint32, f.Len())
	for i := range starts {
		starts[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	return starts, nil
}

// Named is the set of the records that have a name of a kind that is like what is sought.
func (f *File) Named(kind uint8, like func(value string) bool) (Set, error) {
	if f.names == nil {
		var err error
		if f.names, err = f.read(f.namesAt(), f.bucketsAt()); err != nil {
			return nil, err
		}
	}
	s := newSet(f.Len())
	start := f.listsAt()
	for rest := f.names; len(rest) > 0; {
		its := rest[0]
		value, after, ok := cutLength(rest[1:])
		size, n := binary.Uvarint(after)
		if !ok || n <= 0 || size > f.Lists[0] {
			return nil, errBroken
		}
		if its == kind && like(string(value)) {
			if err := f.addList(s, start, start+int64(size)); err != nil {
				return nil, err
			}
		}
		start, rest = start+int64(size), after[n:]
	}
	return s, nil
}

// cutLength cuts a value that its length stands before from the beginning of b.
func cutLength(b []byte) (value, after []byte, ok bool) {
	length, n := binary.Uvarint(b)
	if n <= 0 || length > uint64(len(b)-n) {
		return nil, nil, false
	}
	return b[n : n+int(length)], b[n+int(length):], true
}

// WithTerm is a set that has all records with the term in the field, and may have more.
func (f *File) WithTerm(field uint8, term string) (Set, error) {
	if uint32(field) >= f.Fields || f.Buckets == 0 {
		return nil, errBroken
	}
	at := f.bucketsAt() + 4*(int64(field)*(int64(f.Buckets)+1)+int64(bucketOf(term, int(f.Buckets))))
	var place [8]byte
	if _, err := f.file.ReadAt(place[:], at); err != nil {
		return nil, fmt.Errorf("reading an index: %w", err)
	}
	start := f.textsAt() + int64(binary.LittleEndian.Uint32(place[:]))
	end := f.textsAt() + int64(binary.LittleEndian.Uint32(place[4:]))
	s := newSet(f.Len())
	return s, f.addList(s, start, end)
}

// WithText is a set that has all records with the text somewhere in the field, and may have more. A text of one byte is
// anywhere.
func (f *File) WithText(field uint8, text string) (Set, error) {
	n := min(len(text), gram)
	s := f.All()
	for i := 0; n > 1 && i+n <= len(text); i++ {
		t, err := f.WithTerm(field, text[i:i+n])
		if err != nil {
			return nil, err
		}
		if s.And(t); s.Len() == 0 {
			break
		}
	}
	return s, nil
}

func (f *File) addList(s Set, start, end int64) error {
	if start > end || end > f.size() {
		return errBroken
	}
	b, err := f.read(start, end)
	if err != nil {
		return err
	}
	return s.unpack(b, f.Len())
}

func (f *File) read(start, end int64) ([]byte, error) {
	b := make([]byte, end-start)
	if _, err := f.file.ReadAt(b, start); err != nil {
		return nil, fmt.Errorf("reading an index: %w", err)
	}
	return b, nil
}
