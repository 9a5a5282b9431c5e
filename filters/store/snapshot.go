package store

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"slices"
)

// ErrBroken is wrapped by all errors about a snapshot that is not whole, or not one this memory can hold.
var ErrBroken = errors.New("broken snapshot")

// A snapshot is a header, records in any order, and the SHA-256 of all that. All numbers are little-endian.
//
//	header   "weirsnap", version, secret, maximum of bytes
//	counter  1, key, lifetime, level, spans, recent members, sampled members; each list after its length, 16 bits
//	row      2, index, used places as bits; of each: tag, expiry, four owners, four counts
//	spot     3, point, owner, expiry
//	alias    4, owner, for whom he stands, expiry; since version 2
//	end      0
const (
	snapshotMagic   = "weirsnap"
	snapshotVersion = 2
)

const (
	recordEnd byte = iota
	recordCounter
	recordRow
	recordSpot
	recordAlias
)

// header is what a snapshot begins with.
type header struct {
	Magic   [len(snapshotMagic)]byte
	Version uint8
	Secret  [16]byte
	Max     int64
}

// piece is how much is written in one holding of the lock.
const piece = 1024

// Save writes a snapshot of m to w. The memory can be used meanwhile: the snapshot is of no single moment, but of each
// counter and list it holds one that was. It holds the secret of the hash, so it is for nobody else's eyes.
func (m *Memory) Save(w io.Writer) error {
	sum := sha256.New()
	out := bufio.NewWriterSize(io.MultiWriter(w, sum), 1<<20)
	h := header{Version: snapshotVersion, Secret: m.Secret(), Max: m.size}
	copy(h.Magic[:], snapshotMagic)
	b, err := binary.Append(nil, binary.LittleEndian, h)
	if err != nil {
		return fmt.Errorf("writing a snapshot: %w", err)
	}
	for _, part := range []func(b []byte, from int) ([]byte, bool){m.appendSpots, m.appendAliases, m.appendRows, m.counterWriter()} {
		for from, more := 0, true; more; from += piece {
			if _, err := out.Write(b); err != nil {
				return fmt.Errorf("writing a snapshot: %w", err)
			}
			b, more = part(b[:0], from)
		}
	}
	out.Write(append(b, recordEnd)) // the error comes with Flush
	if err := out.Flush(); err != nil {
		return fmt.Errorf("writing a snapshot: %w", err)
	}
	if _, err := w.Write(sum.Sum(nil)); err != nil {
		return fmt.Errorf("writing a snapshot: %w", err)
	}
	return nil
}

// counterWriter appends counters, those that were used longest ago first.
func (m *Memory) counterWriter() func([]byte, int) ([]byte, bool) {
	m.mu.Lock()
	keys := m.counters.Keys()
	m.mu.Unlock()
	return func(b []byte, from int) ([]byte, bool) {
		m.mu.Lock()
		defer m.mu.Unlock()
		end := min(from+piece, len(keys))
		for _, key := range keys[from:end] {
			if c, found := m.counters.Peek(key); found && len(key) <= math.MaxUint16 {
				b = appendCounter(b, key, c)
			}
		}
		return b, end < len(keys)
	}
}

func appendCounter(b []byte, key string, c *counter) []byte {
	le := binary.LittleEndian
	b = append(b, recordCounter)
	b = append(le.AppendUint16(b, uint16(len(key))), key...)
	b = append(le.AppendUint32(b, c.life), c.members.level)
	b = le.AppendUint16(b, uint16(len(c.spans)))
	for _, s := range c.spans {
		b = le.AppendUint64(le.AppendUint32(le.AppendUint32(b, s.First), s.Last), uint64(s.N))
	}
	for _, set := range [][]Seen{c.members.recent, c.members.sample} {
		b = le.AppendUint16(b, uint16(len(set)))
		for _, s := range set {
			b = le.AppendUint32(le.AppendUint32(b, s.Member), s.At)
		}
	}
	return b
}

func (m *Memory) appendRows(b []byte, from int) ([]byte, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	end := min(from+piece, len(m.lists.rows))
	le := binary.LittleEndian
	for i := from; i < end; i++ {
		r := &m.lists.rows[i]
		if r.used() == 0 {
			continue
		}
		b = append(le.AppendUint32(append(b, recordRow), uint32(i)), r.used())
		for p := range places {
			if r.until[p] == 0 {
				continue
			}
			b = le.AppendUint32(le.AppendUint32(b, r.tags[p]), r.until[p])
			for _, owner := range r.lists[p].owners {
				b = le.AppendUint32(b, owner)
			}
			for _, n := range r.lists[p].counts {
				b = le.AppendUint16(b, n)
			}
		}
	}
	return b, end < len(m.lists.rows)
}

// used has a bit for each place that has been taken.
func (r *row) used() (bits uint8) {
	for p, until := range r.until {
		if until != 0 {
			bits |= 1 << p
		}
	}
	return bits
}

func (m *Memory) appendSpots(b []byte, from int) ([]byte, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	le := binary.LittleEndian
	n := len(m.points.spots)
	end := min(from+piece, n)
	for i := from; i < end; i++ {
		s := m.points.spots[(m.points.next+i)%n] // the oldest first
		b = append(b, recordSpot)
		for _, part := range s.point {
			b = le.AppendUint64(b, part)
		}
		b = le.AppendUint32(le.AppendUint32(b, s.owner), s.until)
	}
	return b, end < n
}

func (m *Memory) appendAliases(b []byte, _ int) ([]byte, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	le := binary.LittleEndian
	for _, from := range m.aliases.of.Keys() {
		a, _ := m.aliases.of.Peek(from)
		b = le.AppendUint32(le.AppendUint32(le.AppendUint32(append(b, recordAlias), from), a.to), a.until)
	}
	return b, false
}

// Load makes a memory of at most maxBytes from the snapshot r; of as many bytes as the snapshot says if maxBytes is 0.
// Marks cannot move into a memory of another size: that, and whatever else is wrong with the snapshot, is an error that
// wraps ErrBroken.
func Load(r io.ReadSeeker, maxBytes int64) (*Memory, error) {
	size, err := verify(r)
	if err != nil {
		return nil, err
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("reading a snapshot: %w", err)
	}
	return decode(bufio.NewReaderSize(io.LimitReader(r, size), 1<<20), maxBytes)
}

// verify reads r to its end and checks the sum there. It returns how many bytes stand before it.
func verify(r io.Reader) (int64, error) {
	sum := sha256.New()
	tail := lastBytes{hash: sum}
	n, err := io.CopyBuffer(&tail, struct{ io.Reader }{r}, make([]byte, 1<<20))
	if err != nil {
		return 0, fmt.Errorf("reading a snapshot: %w", err)
	}
	if n < sha256.Size || !bytes.Equal(sum.Sum(nil), tail.held) {
		return 0, fmt.Errorf("%w: cut off or changed", ErrBroken)
	}
	return n - sha256.Size, nil
}

// lastBytes passes on to hash all that is written but the last sha256.Size bytes, which it holds.
type lastBytes struct {
	hash hash.Hash
	held []byte
}

func (l *lastBytes) Write(b []byte) (int, error) {
	l.held = append(l.held, b...)
	if over := len(l.held) - sha256.Size; over > 0 {
		l.hash.Write(l.held[:over])
		l.held = append(l.held[:0], l.held[over:]...)
	}
	return len(b), nil
}

// decode reads the header and records of a snapshot.
func decode(r *bufio.Reader, maxBytes int64) (*Memory, error) {
	d := decoder{r: r}
	var h header
	d.read(&h)
	switch {
	case d.err != nil || string(h.Magic[:]) != snapshotMagic:
		return nil, fmt.Errorf("%w: no snapshot of weir", ErrBroken)
	case h.Version == 0 || h.Version > snapshotVersion:
		return nil, fmt.Errorf("%w: of version %d, this weir reads up to version %d", ErrBroken, h.Version, snapshotVersion)
	case h.Max <= 0 || maxBytes != 0 && h.Max != maxBytes:
		return nil, fmt.Errorf("%w: of a memory of %d bytes, not %d", ErrBroken, h.Max, maxBytes)
	}
	m := NewSeeded(h.Max, h.Secret)
	for {
		switch kind := d.byte(); {
		case d.err != nil:
			return nil, d.err
		case kind == recordEnd:
			m.evict()
			return m, nil
		case kind == recordCounter:
			d.counter(m)
		case kind == recordRow:
			d.row(&m.lists)
		case kind == recordSpot:
			d.spot(&m.points)
		case kind == recordAlias && h.Version > 1:
			m.aliases.of.Add(d.number(), alias{d.number(), d.number()})
		default:
			d.fail("a record of kind %d", kind)
		}
	}
}

// decoder reads records. After the first error it reads nothing more.
type decoder struct {
	r   *bufio.Reader
	err error
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: "+format, append([]any{ErrBroken}, args...)...)
	}
}

func (d *decoder) read(into any) {
	if d.err != nil {
		return
	}
	if err := binary.Read(d.r, binary.LittleEndian, into); err != nil {
		d.fail("%v", err)
	}
}

// next returns n bytes that are valid until the next call, or zeros after an error. n is at most the reader's buffer.
func (d *decoder) next(n int) []byte {
	if d.err == nil {
		b, err := d.r.Peek(n)
		if err == nil {
			d.r.Discard(n)
			return b
		}
		d.fail("%v", err)
	}
	return make([]byte, n)
}

func (d *decoder) byte() byte     { return d.next(1)[0] }
func (d *decoder) short() int     { return int(binary.LittleEndian.Uint16(d.next(2))) }
func (d *decoder) number() uint32 { return binary.LittleEndian.Uint32(d.next(4)) }
func (d *decoder) long() uint64   { return binary.LittleEndian.Uint64(d.next(8)) }

func (d *decoder) counter(m *Memory) {
	key := string(d.next(d.short()))
	c := &counter{life: d.number()}
	c.members.level = d.byte()
	for range d.short() {
		if d.err != nil {
			return
		}
		c.spans = append(c.spans, Span{d.number(), d.number(), int64(d.long())})
	}
	c.members.recent = d.seen(Exact)
	c.members.sample = d.seen(sampled)
	if c.life == 0 || c.members.level > 32 || m.counters.Contains(key) {
		d.fail("counter %q", key)
	}
	if d.err == nil {
		m.counters.Add(key, c)
		m.used += sizeOf(key, c)
	}
}

func (d *decoder) seen(most int) []Seen {
	n := d.short()
	if n > most {
		d.fail("%d members", n)
		return nil
	}
	var set []Seen
	for range n {
		set = append(set, Seen{d.number(), d.number()})
	}
	return slices.Clip(set)
}

func (d *decoder) row(l *lists) {
	index, used := d.number(), d.byte()
	if uint64(index) >= uint64(l.size) {
		d.fail("row %d of %d", index, l.size)
		return
	}
	l.need()
	r := &l.rows[index]
	for p := range places {
		if used&(1<<p) == 0 {
			continue
		}
		r.tags[p], r.until[p] = d.number(), max(d.number(), 1)
		list := &r.lists[p]
		for j := range list.owners {
			list.owners[j] = d.number()
		}
		for j := range list.counts {
			list.counts[j] = uint16(d.short())
		}
		l.used++
	}
}

func (d *decoder) spot(r *points) {
	var s spot
	for i := range s.point {
		s.point[i] = d.long()
	}
	s.owner, s.until = d.number(), d.number()
	r.add(s)
}
