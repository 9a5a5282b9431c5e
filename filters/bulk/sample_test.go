package bulk

import (
	"math"
	"slices"
	"testing"
)

func TestSample(t *testing.T) {
	all := []uint64{1 << 63, 50, 30, 90, 30, 10, 50, 70, math.MaxUint64}
	for k, want := range map[int][]uint64{
		1:  {10},
		3:  {50, 30, 10},
		7:  {1 << 63, 50, 30, 90, 10, 70, math.MaxUint64},
		40: {1 << 63, 50, 30, 90, 10, 70, math.MaxUint64},
	} {
		got, share := new(sampler).sample(all, k)
		wantShare := 1.0
		if k <= len(want) {
			wantShare = float64(slices.Max(want)) / math.MaxUint64
		}
		if !slices.Equal(got, want) || share != wantShare {
			t.Errorf("%d of all are %v, %v of all; want %v, %v", k, got, share, want, wantShare)
		}
	}
	if got, share := new(sampler).sample(nil, 3); len(got) != 0 || share != 1 {
		t.Errorf("of nothing: %v, %v", got, share)
	}
}
