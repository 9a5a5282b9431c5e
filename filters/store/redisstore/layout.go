package redisstore

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"weir/filters/store"
)

// What is in Redis, below the prefix and the version of all this. What stands in braces decides on the node of a cluster.
//
//	secret            of the keyed hash
//	posts             a stream: marks and points, as posts.go writes them
//	{merged}:OWNER    who stands for it
//	{counter}         a hash: the life, the first and the last addition, sums by slot, the newest members
//	{counter}:LEVEL…  a HyperLogLog for each slot, once there are many members
//
// A slot is a stretch of time. There are several levels of them, the finer for what is recent. An addition goes into
// its slot of each level, so that nobody has to move anything when it ages.
const version = "1"

// The fields of a counter's hash. Those of slots are the level and the number of the slot, those of members begin with m.
const (
	fieldLife  = "L"
	fieldFirst = "f"
	fieldLast  = "l"
	fieldLarge = "h" // the members are in HyperLogLogs as well
	ofMember   = 'm'
)

// slotsOf is how many slots of a level are read: so many times its width is the window that it answers for.
const slotsOf = 12

// widths are those of the slots by level, in seconds. Each divides the next, and twelve of one are the windows that
// rules use: 10 minutes, 1, 6 and 24 hours, 7 days.
var widths = [...]uint32{50, 300, 1800, 7200, 50400, 302400, 1814400, 10886400}

// levels are the widths for counters that live for life seconds.
func levels(life uint32) []uint32 {
	if life < slotsOf*widths[0] {
		return []uint32{max(life/slotsOf, 1)}
	}
	n := 1
	for n < len(widths) && slotsOf*widths[n-1] < life {
		n++
	}
	return widths[:n]
}

// oldest is the first second that slots of a level are read for: where those of the next level take over.
func oldest(level []uint32, i int, now, life uint32) uint32 {
	if i+1 == len(level) {
		return now - min(now, life)
	}
	t := now - min(now, slotsOf*level[i])
	return t - t%level[i+1]
}

func (s *Store) key(name string) string { return s.prefix + name }

func (s *Store) counterKey(counter string) string { return s.prefix + "{" + counter + "}" }

func slotField(level int, slot uint32) string {
	return strconv.Itoa(level) + strconv.FormatUint(uint64(slot), 36)
}

func memberField(m uint32) string {
	return string(binary.BigEndian.AppendUint32([]byte{ofMember}, m))
}

func decimal(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

// write appends the commands that add e to the counter.
func (s *Store) write(cmds []rueidis.Completed, counter string, e *pending) []rueidis.Completed {
	b, key := s.client.B(), s.counterKey(counter)
	if len(e.dead) > 0 {
		cmds = append(cmds, b.Hdel().Key(key).Field(e.dead...).Build())
	}
	level := levels(e.life)
	for _, x := range e.spans {
		if x.N == 0 {
			continue // fieldLast tells of it
		}
		for i, width := range level {
			cmds = append(cmds, b.Hincrby().Key(key).Field(slotField(i, x.First/width)).Increment(x.N).Build())
		}
	}
	if e.first > 0 {
		cmds = append(cmds, b.Hset().Key(key).FieldValue().FieldValue(fieldFirst, decimal(e.first)).Build())
	} else if len(e.spans) > 0 {
		cmds = append(cmds, b.Hsetnx().Key(key).Field(fieldFirst).Value(decimal(e.spans[0].First)).Build())
	}
	if len(e.spans)+len(e.members) == 0 {
		return cmds
	}
	set := b.Hset().Key(key).FieldValue().FieldValue(fieldLife, decimal(e.life))
	if n := len(e.spans); n > 0 {
		set = set.FieldValue(fieldLast, decimal(e.spans[n-1].Last))
	}
	for _, m := range e.members {
		set = set.FieldValue(memberField(m.Member), decimal(m.At))
	}
	if e.large {
		set = set.FieldValue(fieldLarge, "1")
		cmds = s.writeLarge(cmds, key, level, e.members)
	}
	return append(cmds, set.Build(), b.Expire().Key(key).Seconds(int64(e.life)).Build())
}

// writeLarge appends the commands that add members to the HyperLogLogs of their slots.
func (s *Store) writeLarge(cmds []rueidis.Completed, key string, level []uint32, members []store.Seen) []rueidis.Completed {
	b := s.client.B()
	for i, width := range level {
		slots := map[string][]string{}
		for _, m := range members {
			slot := key + ":" + slotField(i, m.At/width)
			slots[slot] = append(slots[slot], memberField(m.Member))
		}
		for slot, elements := range slots {
			cmds = append(cmds,
				b.Pfadd().Key(slot).Element(elements...).Build(),
				b.Expire().Key(slot).Seconds(int64(slotsOf+1)*int64(width)).Build())
		}
	}
	return cmds
}

// sizes appends the commands that count the members of a large counter, one for each of its levels.
func (s *Store) sizes(cmds []rueidis.Completed, counter string, now, life uint32) []rueidis.Completed {
	key := s.counterKey(counter)
	for i, width := range levels(life) {
		keys := make([]string, slotsOf)
		for j := range keys {
			keys[j] = key + ":" + slotField(i, now/width-min(now/width, uint32(j)))
		}
		cmds = append(cmds, s.client.B().Pfcount().Key(keys...).Build())
	}
	return cmds
}

// image is a counter as Redis holds it.
type image struct {
	store.Known
	large bool
	slots []string // the fields of all slots
	dead  []string // fields that count no more
}

// decode reads the fields of a counter's hash. What makes no sense is left out.
func decode(fields map[string]string, now uint32) image {
	var m image
	number := func(field string) uint32 {
		n, _ := strconv.ParseUint(fields[field], 10, 32)
		return uint32(n)
	}
	life, first, last := number(fieldLife), number(fieldFirst), number(fieldLast)
	if life == 0 {
		return m
	}
	_, m.large = fields[fieldLarge]
	m.Life = time.Duration(life) * time.Second
	level := levels(life)
	for field, value := range fields {
		switch c := field[0]; {
		case c >= '0' && c <= '9':
			m.slots = append(m.slots, field)
			m.slot(field, value, level, now)
		case c == ofMember && len(field) == 5:
			m.Members = append(m.Members, store.Seen{Member: binary.BigEndian.Uint32([]byte(field[1:])), At: number(field)})
		}
	}
	m.settle(now, first, last)
	return m
}

// slot reads the sum of a slot, unless another level's slots stand for its time.
func (m *image) slot(field, value string, level []uint32, now uint32) {
	i := int(field[0] - '0')
	slot, bad := strconv.ParseUint(field[1:], 36, 32)
	n, err := strconv.ParseInt(value, 10, 64)
	if bad != nil || err != nil || i >= len(level) {
		return
	}
	width, life := level[i], uint32(m.Life/time.Second)
	begin := uint32(slot) * width
	from := oldest(level, i, now, life)
	switch {
	case begin+width <= from:
		if old := slotsOf * 2 * width; now > old && begin < now-old || now-min(now, begin) > life+width {
			m.dead = append(m.dead, field)
		}
		return
	case i > 0 && begin >= oldest(level, i-1, now, life):
		return
	}
	m.Spans = append(m.Spans, store.Span{First: begin, Last: begin + width - 1, N: n})
}

// settle puts the spans in order and corrects where the first begins and the last ends, which is known more exactly.
func (m *image) settle(now, first, last uint32) {
	life := uint32(m.Life / time.Second)
	slices.SortFunc(m.Spans, func(a, b store.Span) int { return cmp.Compare(a.First, b.First) })
	if n := len(m.Spans); n == 0 || m.Spans[n-1].Last < last { // what was added last was no number
		if now < life || last > now-life {
			m.Spans = append(m.Spans, store.Span{First: last, Last: last})
		}
	}
	if n := len(m.Spans); n > 0 {
		m.Spans[0].First = min(max(m.Spans[0].First, first), m.Spans[0].Last)
		m.Spans[n-1].Last = max(min(m.Spans[n-1].Last, last), m.Spans[n-1].First)
		if now >= life && m.Spans[n-1].Last <= now-life {
			m.Spans = nil
		}
	}
	if len(m.Spans) == 0 {
		m.dead = append(m.slots, fieldFirst)
	}
	slices.SortFunc(m.Members, func(a, b store.Seen) int {
		return cmp.Or(cmp.Compare(b.At, a.At), cmp.Compare(a.Member, b.Member))
	})
	if m.large && len(m.Members) > store.Exact {
		for _, old := range m.Members[store.Exact:] {
			m.dead = append(m.dead, memberField(old.Member))
		}
		m.Members = m.Members[:store.Exact]
	}
}
