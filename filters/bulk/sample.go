package bulk

import (
	"math"
	"slices"
)

// sampler takes samples. Its buffer is used again for each.
type sampler struct {
	low []uint64
}

// sample returns the k smallest different values of all, in the order of all, and which share of all values they stand
// for. Two messages keep the same of what they have in common, however much else one of them holds. k is at most mostPairs.
func (s *sampler) sample(all []uint64, k int) ([]uint64, float64) {
	kept := s.upTo(all, math.MaxUint64/uint64(max(1, len(all)*2/(3*k)))) // half as many again as are kept, likely
	if len(kept) < k {
		kept = s.smallest(all, k) // much of it is there more than once
	}
	share := 1.0
	if len(kept) >= k {
		kept = kept[:k]
		share = float64(kept[k-1]) / math.MaxUint64
	}
	return inOrder(all, kept), share
}

// upTo returns the different values of all up to most, sorted. They are valid until the next call.
func (s *sampler) upTo(all []uint64, most uint64) []uint64 {
	s.low = s.low[:0]
	for _, v := range all {
		if v <= most {
			s.low = append(s.low, v)
		}
	}
	slices.Sort(s.low)
	return slices.Compact(s.low)
}

// smallest returns the k smallest different values of all, sorted. They are valid until the next call.
func (s *sampler) smallest(all []uint64, k int) []uint64 {
	low := s.low[:0]
	for _, v := range all {
		if len(low) == k && v >= low[k-1] {
			continue
		}
		i, known := slices.BinarySearch(low, v)
		if known {
			continue
		}
		if len(low) < k {
			low = append(low, 0)
		}
		copy(low[i+1:], low[i:])
		low[i] = v
	}
	s.low = low
	return low
}

// inOrder returns kept, sorted values of all, in the order in which they first stand in all.
func inOrder(all, kept []uint64) []uint64 {
	out := make([]uint64, 0, len(kept))
	var found [mostPairs]bool
	for _, v := range all {
		if len(out) == len(kept) {
			break
		}
		if v > kept[len(kept)-1] {
			continue
		}
		if i, _ := slices.BinarySearch(kept, v); !found[i] {
			found[i] = true
			out = append(out, v)
		}
	}
	return out
}
