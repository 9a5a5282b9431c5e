package store

import (
	"context"
	"fmt"
	"math"
	"math/bits"
	"time"
)

// Point is a place in a space of 256 bits. Points are near each other when few bits differ.
type Point [4]uint64

// Neighbour is the owner of a point, and how many bits it is away.
type Neighbour struct {
	Owner    uint32 // 0 for none
	Distance int
}

// Place leaves owner's mark at p, for life from at on. It fails only when ctx has ended.
func (m *Memory) Place(ctx context.Context, at time.Time, life time.Duration, owner uint32, p Point) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("placing a point: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.points.add(spot{p, owner, Seconds(at.Add(life))})
	return nil
}

// Nearest returns the owner of the point nearest to p, the newest among equals. It looks at every point there is.
func (m *Memory) Nearest(ctx context.Context, at time.Time, p Point) (Neighbour, error) {
	if err := ctx.Err(); err != nil {
		return Neighbour{}, fmt.Errorf("looking for a point: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := Seconds(at)
	n := m.points.nearest(p, now)
	n.Owner = m.aliases.resolve(n.Owner, now)
	return n, nil
}

// points is a ring: the newest takes the place of the oldest. Pictures that have to be compared one by one are few
// among mail, and a full ring takes a tenth of a millisecond.
type points struct {
	spots []spot
	next  int
	max   int
}

type spot struct {
	point Point
	owner uint32
	until uint32
}

const (
	mostSpots = 16384
	spotBytes = 40
)

func (r *points) add(s spot) {
	if len(r.spots) < r.max {
		r.spots = append(r.spots, s)
		return
	}
	r.spots[r.next] = s
	r.next = (r.next + 1) % r.max
}

// forget makes the points of some owners expire.
func (r *points) forget(gone func(owner uint32) bool) {
	for i := range r.spots {
		if gone(r.spots[i].owner) {
			r.spots[i].until = 0
		}
	}
}

func (r *points) nearest(p Point, now uint32) Neighbour {
	best := Neighbour{Distance: math.MaxInt}
	for i := range r.spots {
		s := &r.spots[i]
		if s.until <= now {
			continue
		}
		d := bits.OnesCount64(s.point[0]^p[0]) + bits.OnesCount64(s.point[1]^p[1]) +
			bits.OnesCount64(s.point[2]^p[2]) + bits.OnesCount64(s.point[3]^p[3])
		if d <= best.Distance {
			best = Neighbour{s.owner, d}
		}
	}
	return best
}
