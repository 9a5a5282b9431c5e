package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"testing"
	"time"
)

// Owners that each stand for the other are one, as was said last.
func TestMergedInACircle(t *testing.T) {
	for _, order := range [][]uint32{{1, 2, 3}, {2, 3, 1}, {3, 1, 2}} {
		m := NewMemory(1 << 16)
		for i, from := range order {
			m.Stand(noon, time.Hour, from, order[(i+1)%len(order)])
		}
		if a, b, c := m.Merged(noon, 1), m.Merged(noon, 2), m.Merged(noon, 3); a != b || b != c {
			t.Errorf("%v: %d %d %d", order, a, b, c)
		}
	}
	m := NewMemory(1 << 16)
	for _, x := range [][2]uint32{{1, 2}, {2, 1}, {1, 2}} {
		m.Stand(noon, time.Hour, x[0], x[1])
		if a, b := m.Merged(noon, 1), m.Merged(noon, 2); a != x[1] || b != x[1] {
			t.Errorf("%d stands for %d: 1 is %d, 2 is %d", x[0], x[1], a, b)
		}
	}
	m.Part(2, 1)
	if m.Merged(noon, 1) != 2 {
		t.Error("who did not stand for another was parted")
	}
	if m.Part(1, 2); m.Merged(noon, 1) != 1 {
		t.Error("1 was parted from 2, and stands for it")
	}
}

// Who stands for whom is in the snapshot; one of the version before, without that, can still be read.
func TestMergedInSnapshots(t *testing.T) {
	ctx, m := context.Background(), NewMemory(1<<16)
	m.Mark(ctx, noon, time.Hour, 4, 5<<32)
	data := saved(t, m)
	data = data[:len(data)-sha256.Size]
	data[8] = 1
	sum := sha256.Sum256(data)
	if _, err := Load(bytes.NewReader(append(data, sum[:]...)), 0); err != nil {
		t.Errorf("the version before: %v", err)
	}
	if err := m.Merge(ctx, noon, Union{From: 4, To: 9, Life: time.Hour}); err != nil {
		t.Fatal(err)
	}
	again, err := Load(bytes.NewReader(saved(t, m)), 0)
	if err != nil {
		t.Fatal(err)
	}
	if lists, _ := again.Marked(ctx, noon, nil, 5<<32); lists[0].Of(9).N != 1 || again.Merged(noon, 4) != 9 {
		t.Errorf("%v, 4 is %d", lists, again.Merged(noon, 4))
	}
}

// There are only so many who stand for another.
func TestMergedAreBounded(t *testing.T) {
	m := NewMemory(1 << 16)
	for i := range uint32(mostMerged + 10) {
		m.Stand(noon, time.Hour, i+2, 1)
	}
	if n := m.aliases.of.Len(); n != mostMerged || m.Merged(noon, 2) != 2 || m.Merged(noon, mostMerged) != 1 {
		t.Errorf("%d, 2 is %d", n, m.Merged(noon, 2))
	}
}
