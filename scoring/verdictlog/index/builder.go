package index

import (
	"errors"
	"io"
	"math"
	"math/bits"
)

// Bounds of the number of buckets that the terms of a field are spread over: a power of two.
const (
	minBuckets = 1 << 8
	maxBuckets = 1 << 16
)

// Builder gathers what there is to find in a file of records. Records are numbered from 0 in the order of Next.
type Builder struct {
	starts  []uint32 // where each record begins
	names   map[name]*posting
	fields  [][]posting // of each field its buckets
	tooLong bool
}

// name is a value that a record has of a kind.
type name struct {
	kind  uint8
	value string
}

// NewBuilder returns a Builder for about so many records, which have texts of so many fields.
func NewBuilder(records, fields int) *Builder {
	buckets := min(max(1<<bits.Len(uint(records)), minBuckets), maxBuckets)
	b := &Builder{names: map[name]*posting{}, fields: make([][]posting, fields)}
	for i := range b.fields {
		b.fields[i] = make([]posting, buckets)
	}
	return b
}

// Next begins the next record, which begins at the given byte of its file.
func (b *Builder) Next(start int64) {
	b.tooLong = b.tooLong || start > math.MaxUint32
	b.starts = append(b.starts, uint32(start))
}

// Name adds a value of a kind to the record, of which it may have several. Kinds should have few different values: all
// of those of a file are read to find which ones are meant.
func (b *Builder) Name(kind uint8, value string) {
	p := b.names[name{kind, value}]
	if p == nil {
		p = &posting{}
		b.names[name{kind, value}] = p
	}
	p.add(b.current())
}

// Term adds a term to a field of the record, to be found by File.WithTerm.
func (b *Builder) Term(field uint8, term string) {
	buckets := b.fields[field]
	buckets[bucketOf(term, len(buckets))].add(b.current())
}

// Text adds a text to a field of the record, any part of which can be found by File.WithText.
func (b *Builder) Text(field uint8, text string) {
	for i := range len(text) {
		for n := 2; n <= gram && i+n <= len(text); n++ {
			b.Term(field, text[i:i+n])
		}
	}
}

func (b *Builder) current() uint32 { return uint32(len(b.starts) - 1) }

// Write writes the index. It is an error if the file is too long to have one.
func (b *Builder) Write(w io.Writer, of Source) error {
	if b.tooLong {
		return errors.New("a file of more than 4 GiB cannot be indexed")
	}
	return newWriter(b).write(w, of)
}

// gram is how many bytes of a text are a term. Two are one as well, for texts of no more.
const gram = 3

// bucketOf spreads terms over buckets, whose number is a power of two (the FNV-1a hash, folded).
func bucketOf(term string, buckets int) uint32 {
	h := uint32(2166136261)
	for i := range len(term) {
		h = (h ^ uint32(term[i])) * 16777619
	}
	return (h ^ h>>16) & uint32(buckets-1)
}
