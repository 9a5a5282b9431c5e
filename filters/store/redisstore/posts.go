package redisstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"weir/filters/store"
)

// A post is what one call left: its kind, time, two values of the kind, and eight-byte values after their number. All
// numbers are little-endian. An entry of the stream is posts one after the other.
//
//	mark   life, owner, keys
//	hand   from, to, keys
//	point  life, owner, the point
//	merge  from, to, the life
//	forget life, owner, the text that counters' names begin with
const (
	postMark byte = iota + 1
	postHand
	postPoint
	postMerge
	postForget
)

const postHeader = 15

// mostPosted is the most values of one post.
const mostPosted = 512

type post struct {
	kind   byte
	at     uint32 // seconds since 1970
	a, b   uint32
	values []uint64
}

func (p post) append(to []byte) []byte {
	le := binary.LittleEndian
	to = le.AppendUint32(append(to, p.kind), p.at)
	to = le.AppendUint32(le.AppendUint32(to, p.a), p.b)
	to = le.AppendUint16(to, uint16(len(p.values)))
	for _, v := range p.values {
		to = le.AppendUint64(to, v)
	}
	return to
}

// parsePost reads the first post of data and returns the rest.
func parsePost(data []byte) (p post, rest []byte, err error) {
	le := binary.LittleEndian
	if len(data) < postHeader {
		return p, nil, fmt.Errorf("a post of %d bytes", len(data))
	}
	p = post{kind: data[0], at: le.Uint32(data[1:]), a: le.Uint32(data[5:]), b: le.Uint32(data[9:])}
	n := int(le.Uint16(data[13:]))
	data = data[postHeader:]
	if n > mostPosted || len(data) < n*8 || p.kind == postPoint && n != len(store.Point{}) || p.kind == postMerge && n != 1 {
		return p, nil, fmt.Errorf("a post of kind %d with %d values in %d bytes", p.kind, n, len(data))
	}
	for i := range n {
		p.values = append(p.values, le.Uint64(data[i*8:]))
	}
	return p, data[n*8:], nil
}

// tell makes memory as if the posts of an entry had been its own calls, and leaves out of j what others have forgotten.
// What follows a post that makes no sense is left out.
func tell(memory *store.Memory, j *journal, entry []byte) error {
	ctx := context.Background() // these calls never wait
	for len(entry) > 0 {
		p, rest, err := parsePost(entry)
		if err != nil {
			return err
		}
		at, life := time.Unix(int64(p.at), 0), time.Duration(p.a)*time.Second
		switch p.kind {
		case postMark:
			err = memory.Mark(ctx, at, life, p.b, p.values...)
		case postHand:
			err = memory.Hand(ctx, at, p.a, p.b, p.values...)
		case postPoint:
			err = memory.Place(ctx, at, life, p.b, store.Point(p.values))
		case postMerge:
			memory.Stand(at, time.Duration(p.values[0])*time.Second, p.a, p.b)
		case postForget:
			prefix := unpacked(p.values)
			if prefix == "" {
				return errors.New("a post that would have all counters forgotten")
			}
			j.drop(prefix)
			err = memory.Forget(ctx, at, life, p.b, prefix)
		default:
			err = fmt.Errorf("a post of the unknown kind %d", p.kind)
		}
		if err != nil {
			return err
		}
		entry = rest
	}
	return nil
}
