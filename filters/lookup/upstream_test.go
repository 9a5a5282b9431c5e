package lookup

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/filters/lookup/lookuptest"
)

// Of many queries at once a server has a few only, so that it loses none; the others go as answers come, or one each
// millisecond if none do.
func TestManyAtOnceWaitForTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{room: make(chan struct{}, 2), turn: make(chan struct{}, 1)}
		began := time.Now()
		var mu sync.Mutex
		went := map[time.Duration]string{}
		for range 6 {
			go func() {
				inRoom := u.enter()
				mu.Lock()
				defer mu.Unlock()
				went[time.Since(began)] += fmt.Sprint(inRoom, " ")
			}()
		}
		time.Sleep(2*turnTime + turnTime/2)
		u.leave()
		time.Sleep(time.Second)
		mu.Lock()
		defer mu.Unlock()
		want := map[time.Duration]string{0: "true true ", turnTime: "false ", 2 * turnTime: "false ", 2*turnTime + turnTime/2: "true ", 3 * turnTime: "false "}
		if fmt.Sprint(went) != fmt.Sprint(want) {
			t.Errorf("went %v, want %v", went, want)
		}
	})
}

// What holds a place gives it back, whatever becomes of it.
func TestNoPlaceIsLost(t *testing.T) {
	for name, twist := range map[string]lookuptest.Twist{"answers": nil, "silence": lookuptest.Silent, "truncated": lookuptest.Truncated, "cut": lookuptest.Cut} {
		s := serve(t, "127.0.0.1:0", testZone(t))
		s.Twist(twist)
		r := resolver(t, Options{Timeout: 20 * time.Millisecond}, s)
		var all sync.WaitGroup
		for i := range 2 * atOnce {
			all.Go(func() { r.Lookup(t.Context(), fmt.Sprintf("n%d.wild.example", i), A) })
		}
		all.Wait()
		if left := len(r.upstreams[0].room); left != 0 {
			t.Errorf("%s: %d places are taken", name, left)
		}
	}
}
