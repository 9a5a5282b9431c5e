package greylist

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"weir/filters"
	"weir/filters/store"
	"weir/filters/store/redisstore"
	"weir/filters/store/storetest"
)

// Who has waited with one proxy, and of whom people complain with one, is known to all that share a Redis.
func TestWithRedis(t *testing.T) {
	r := storetest.NewRedis(t)
	var checks [2]filters.Check
	var shared [2]*redisstore.Store
	for i := range checks {
		shared[i] = redisstore.New(redisstore.Options{Addrs: []string{r.Addr}, Prefix: "grey", Timeout: 10 * time.Second}, store.NewMemory(16<<20))
		t.Cleanup(shared[i].Close)
		checks[i] = New(&config, shared[i])
	}
	at := time.Duration(0)
	tell := func(n int) {
		t.Helper()
		if err := shared[n].Sync(context.Background(), mail(at, "192.0.2.7", "").At, func() []string { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	try := func(n int, want string) {
		t.Helper()
		at += time.Hour
		r, err := checks[n].Run(t.Context(), mail(at, "192.0.2.7", "a@b.example", "bob@example.org"))
		if got := map[bool]string{true: "w", false: "p"}[len(r.Hits) > 0]; err != nil || len(r.Problems) > 0 || got != want {
			t.Errorf("after %s with %d: %s, want %s (%v %v)", at, n, got, want, err, r.Problems)
		}
		tell(n)
	}
	try(0, "w")
	try(1, "p")
	complaint := Complaint{"1", netip.MustParsePrefix("192.0.2.0/24"), "a@b.example", []string{"bob@example.org"}, true}
	if err := Complain(t.Context(), shared[0], mail(at, "192.0.2.7", "").At, complaint); err != nil {
		t.Fatal(err)
	}
	tell(0)
	try(1, "w")
	try(0, "p")
	try(1, "p")
}
