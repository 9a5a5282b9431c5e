package verdictlog

import (
	"fmt"
	"testing"
	"time"
)

// What was said before is known, so that it is known what is taken back, and is not told; a message is called spam once.
func TestComplaintsSince(t *testing.T) {
	dir, now := t.TempDir(), time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	say := func(at time.Duration, id, learned string) {
		if err := Learn(dir, Mark{Time: now.Add(at), Learned: learned, ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	c := Complaints{Dir: dir, Since: now}
	heard := func(want string) {
		t.Helper()
		all, err := c.Next()
		got := ""
		for _, one := range all {
			got += fmt.Sprintf("%s %v after %v, ", one.ID, one.Spam, one.Time.Sub(now))
		}
		if err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	heard("")
	say(-time.Hour, "A", Spam)
	say(-time.Minute, "B", Spam)
	say(0, "A", Ham)
	say(time.Second, "B", Spam)
	say(time.Second, "C", Spam)
	heard("A false after 0s, C true after 1s, ")
	heard("")
	say(time.Minute, "C", Unlearn)
	heard("C false after 1m0s, ")
	c = Complaints{Dir: dir, Since: now.Add(time.Second)}
	heard("C true after 1s, C false after 1m0s, ")
}
