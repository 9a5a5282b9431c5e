package verdictlog

import (
	"testing"
	"time"
)

func TestAClockThatWasSetIsBelievedAfterADay(t *testing.T) {
	const years = 10 * 365 * day
	begin := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	for name, step := range map[string]time.Duration{"ahead": years, "back": -years} {
		t.Run(name, func(t *testing.T) {
			var c clock
			for _, at := range []struct {
				ran  time.Duration
				set  time.Duration // by how much the clock is off
				want time.Duration // by how much what is believed is
			}{
				{0, 0, 0},
				{time.Hour, time.Minute, time.Minute}, // it drifts
				{2 * time.Hour, step, time.Minute},
				{3 * time.Hour, 0, 0}, // it was a mistake
				{4 * time.Hour, step, 0},
				{27 * time.Hour, step, 0},
				{28 * time.Hour, step, step},
				{29 * time.Hour, step, step},
				{30 * time.Hour, 0, step},
				{55 * time.Hour, 0, 0},
			} {
				truth := begin.Add(at.ran)
				if got := c.believed(truth.Add(at.set), at.ran); !got.Equal(truth.Add(at.want)) {
					t.Errorf("after %s, set by %s: %s, want %s", at.ran, at.set, got, truth.Add(at.want))
				}
			}
		})
	}
}
