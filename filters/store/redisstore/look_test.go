package redisstore

import (
	"testing"
	"time"

	"weir/filters/store/storetest"
)

func TestLookReadsWhatRedisSaysOfItself(t *testing.T) {
	r := storetest.NewRedis(t, "--requirepass", "right", "--maxmemory", "64mb", "--maxmemory-policy", "volatile-lru")
	o := Options{Addrs: []string{r.Addr}, Password: "right", Timeout: time.Second}
	got, err := Look(t.Context(), o)
	if err != nil || got.Version == "" || got.Role != "master" || got.Max != 64<<20 || got.Policy != "volatile-lru" || got.Evicted != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	o.Password = "wrong"
	if got, err := Look(t.Context(), o); err == nil {
		t.Errorf("by another password it says %+v", got)
	}
}

func TestFactsOfOddAnswers(t *testing.T) {
	for _, info := range []string{"", "\r\n", "redis_version", ":::", "maxmemory:many\r\nevicted_keys:-\r\n# Server\r\n"} {
		if got := factsOf(info); got != (Facts{}) {
			t.Errorf("%q: %+v", info, got)
		}
	}
}
