package verdictlog

import "time"

const (
	drift   = time.Hour // by which a clock may go wrong without having been set
	settled = day       // after which a clock that was set is believed
)

// clock is the time of day by which files are too old. One that is set far ahead by mistake would have all removed, and
// what is removed is gone: a clock that was set is believed when it has stayed so for a day. The zero value is ready.
type clock struct {
	began time.Time // whose monotonic reading counts how long the process runs
	wall  time.Time // the time of day that was believed last, when the process had run so long
	ran   time.Duration
	set   time.Duration // when the clock was first seen to have been set; 0 if it was not
}

// at is what to take now for.
func (c *clock) at(now time.Time) time.Time {
	if c.began.IsZero() {
		c.began = now
	}
	return c.believed(now, now.Sub(c.began))
}

// believed is what to take now for after the process has run so long.
func (c *clock) believed(now time.Time, ran time.Duration) time.Time {
	now = now.Round(0) // the time of day alone
	reckoned := c.wall.Add(ran - c.ran)
	switch {
	case c.wall.IsZero(), now.Sub(reckoned).Abs() <= drift, c.set > 0 && ran-c.set >= settled:
		c.wall, c.ran, c.set = now, ran, 0
		return now
	case c.set == 0:
		c.set = max(ran, 1)
	}
	return reckoned
}
