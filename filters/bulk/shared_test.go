package bulk

import (
	"context"
	"testing"
	"time"

	"weir/filters/store"
	"weir/filters/store/redisstore"
	"weir/filters/store/storetest"
)

// What a sender has earned, and lost, with one proxy holds with all that share a Redis.
func TestEarnedWithRedis(t *testing.T) {
	r := storetest.NewRedis(t)
	var proxies [2]*stream
	var shared [2]*redisstore.Store
	for i := range proxies {
		s := redisstore.New(redisstore.Options{Addrs: []string{r.Addr}, Prefix: "earned", Timeout: 10 * time.Second}, store.NewMemory(16<<20))
		t.Cleanup(s.Close)
		shared[i] = s
		proxies[i] = &stream{t, New(bulkRules(t), s, nil), nil, nil, start}
	}
	at := start
	next := func(n int, m mail) string {
		at = at.Add(12 * time.Hour)
		s := proxies[n%2]
		s.at = at
		got := symbolsOf(s.see(m))
		if err := shared[n%2].Sync(context.Background(), at, func() []string { return nil }); err != nil { // tells what it has counted
			t.Fatal(err)
		}
		return got
	}
	for n := range 40 {
		want := ""
		if n >= 30 {
			want = "BULK_EARNED"
		}
		if got := next(n, issue(n)); got != want {
			t.Fatalf("number %d: %q, want %q", n, got, want)
		}
	}
	stolen := issue(40)
	stolen.ip = "198.51.100.1"
	if got := next(40, stolen); got != "BULK_BREAK" {
		t.Errorf("from a new network: %q", got)
	}
	if got := next(41, issue(41)); got != "BULK_BREAK" {
		t.Errorf("with the other proxy: %q", got)
	}
}
