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

// Queries share a few sockets, each of its own port.
func TestSocketsArePooled(t *testing.T) {
	s := serve(t, "127.0.0.1:0", testZone(t))
	r := resolver(t, Options{Timeout: 10 * time.Second}, s)
	for i := range 200 {
		if got := shown(r.Lookup(t.Context(), fmt.Sprintf("n%d.wild.example", i), A)); got != "192.0.2.1" {
			t.Fatalf("got %q", got)
		}
	}
	ports, used := map[string]bool{}, 0
	for _, socket := range r.upstreams[0].sockets {
		ports[socket.conn.LocalAddr().String()] = true
		used += queriesPerSocket - socket.left
	}
	if len(ports) != socketsEach || used != 200 {
		t.Errorf("%d queries over the ports %v", used, ports)
	}
}

// All tries together take no longer than the budget, and nobody is asked after it.
func TestTheBudgetBoundsAllTries(t *testing.T) {
	first, second := serve(t, "127.0.0.1:0", testZone(t)), serve(t, "127.0.0.1:0", testZone(t))
	first.Twist(lookuptest.Silent)
	second.Twist(lookuptest.Silent)
	r := resolver(t, Options{Timeout: time.Hour, Budget: 50 * time.Millisecond}, first, second)
	if got := shown(r.Lookup(t.Context(), "x.wild.example", A)); got != Timeout || first.Asked() != 1 || second.Asked() != 0 {
		t.Errorf("got %q, asked %d and %d times", got, first.Asked(), second.Asked())
	}
}
