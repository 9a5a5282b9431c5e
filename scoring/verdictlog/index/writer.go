package index

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"slices"
)

// Source is the file that an index is of, as it was when it was read.
type Source struct {
	Size    int64 // bytes
	Changed int64 // when it was last, Unix time in nanoseconds
	First   int64 // the earliest time of a record, likewise; 0 without one
	Last    int64 // the latest
}

// magic begins an index, and says how it is written.
var magic = [8]byte{'w', 'e', 'i', 'r', 'i', 'd', 'x', '1'}

// header is the beginning of an index. After it come, without gaps: where each record begins, the names with the length
// of the list of each, for each field where the list of each bucket begins and where the last ends, the lists of the
// names, the lists of the fields.
type header struct {
	Magic   [8]byte
	Source  Source
	Records uint32
	Fields  uint32
	Buckets uint32
	Names   uint32    // bytes of the names
	Lists   [2]uint64 // bytes of the lists of the names, of those of the fields
	Sum     uint32    // CRC-32 of all that comes after the header
	Check   uint32    // CRC-32 of the header without this
}

var headerLen = binary.Size(header{})

// writer puts together what a Builder has gathered.
type writer struct {
	b       *Builder
	names   []name // sorted
	listed  []byte // the names as they are stored
	nameLen uint64
	ends    []uint32 // of the lists of the fields
	textLen uint64
}

func newWriter(b *Builder) *writer {
	w := &writer{b: b, names: slices.SortedFunc(maps.Keys(b.names), func(x, y name) int {
		return cmp.Or(cmp.Compare(x.kind, y.kind), cmp.Compare(x.value, y.value))
	})}
	for _, n := range w.names {
		size := uint64(b.names[n].pack(len(b.starts)))
		w.listed = append(w.listed, n.kind)
		w.listed = binary.AppendUvarint(w.listed, uint64(len(n.value)))
		w.listed = append(w.listed, n.value...)
		w.listed = binary.AppendUvarint(w.listed, size)
		w.nameLen += size
	}
	for _, buckets := range b.fields {
		w.ends = append(w.ends, uint32(w.textLen))
		for i := range buckets {
			w.textLen += uint64(buckets[i].pack(len(b.starts)))
			w.ends = append(w.ends, uint32(w.textLen))
		}
	}
	return w
}

// write writes the index in two rounds: one for the sum alone.
func (w *writer) write(to io.Writer, of Source) error {
	sum := crc32.NewIEEE()
	if err := w.body(sum); err != nil {
		return err
	}
	out := bufio.NewWriterSize(to, 1<<16)
	h := header{
		Magic: magic, Source: of, Records: uint32(len(w.b.starts)), Fields: uint32(len(w.b.fields)), Names: uint32(len(w.listed)),
		Lists: [2]uint64{w.nameLen, w.textLen}, Sum: sum.Sum32(),
	}
	if len(w.b.fields) > 0 {
		h.Buckets = uint32(len(w.b.fields[0]))
	}
	if _, err := out.Write(h.bytes()); err != nil {
		return fmt.Errorf("writing an index: %w", err)
	}
	if err := w.body(out); err != nil {
		return fmt.Errorf("writing an index: %w", err)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("writing an index: %w", err)
	}
	return nil
}

func (w *writer) body(out io.Writer) error {
	if err := binary.Write(out, binary.LittleEndian, w.b.starts); err != nil {
		return err
	}
	if _, err := out.Write(w.listed); err != nil {
		return err
	}
	if err := binary.Write(out, binary.LittleEndian, w.ends); err != nil {
		return err
	}
	for _, n := range w.names {
		if _, err := out.Write(w.b.names[n].list); err != nil {
			return err
		}
	}
	for _, buckets := range w.b.fields {
		for i := range buckets {
			if _, err := out.Write(buckets[i].list); err != nil {
				return err
			}
		}
	}
	return nil
}

// bytes is the header as it is stored, its check made anew.
func (h header) bytes() []byte {
	b, err := binary.Append(nil, binary.LittleEndian, h)
	if err != nil {
		panic(err) // cannot happen: all of it is of fixed size
	}
	check := b[:len(b)-4]
	return binary.LittleEndian.AppendUint32(check, crc32.ChecksumIEEE(check))
}
