package store

import (
	"testing"
	"time"
)

// A clock that was far ahead for a while, and has been set back, leaves nothing behind that counts for ever.
func TestAClockThatJumps(t *testing.T) {
	m := NewMemory(1 << 20)
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	ahead := now.AddDate(10, 0, 0)
	for range 5 {
		add(t, m, ahead, Delta{Key: "k", N: 1, Life: 24 * time.Hour})
	}
	if c := add(t, m, now, Delta{Key: "k", N: 1, Life: 24 * time.Hour}); !c.Since.Equal(now) {
		t.Errorf("it is known since %v, want now", c.Since)
	}
	later := now.Add(2 * time.Hour)
	if c := add(t, m, later, Delta{Key: "k", N: 1, Life: 24 * time.Hour}); later.Sub(c.Since) != 2*time.Hour {
		t.Errorf("two hours later it is known since %v", c.Since)
	}
	if c := within(t, m, now.Add(48*time.Hour), 24*time.Hour, "k"); c.N != 0 {
		t.Errorf("two days later %d count", c.N)
	}
}
