package dnsbl

import (
	"testing"
	"time"

	"weir/filters/lookup"
)

// What was known from before took no time of a list, however long this lookup was.
func TestSlowest(t *testing.T) {
	cached := &question{took: time.Second, answer: lookup.Answer{Cached: true}}
	failed := &question{took: 3 * time.Millisecond, err: &lookup.Failure{}}
	asked := &question{took: 2 * time.Millisecond}
	for _, c := range []struct {
		all  []*question
		want time.Duration
	}{{nil, 0}, {[]*question{cached}, 0}, {[]*question{cached, asked}, 2 * time.Millisecond}, {[]*question{failed, asked}, 3 * time.Millisecond}} {
		if got := slowest(c.all); got != c.want {
			t.Errorf("%d questions: %s, want %s", len(c.all), got, c.want)
		}
	}
}
