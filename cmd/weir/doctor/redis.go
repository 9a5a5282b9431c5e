package doctor

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"weir/filters/store/redisstore"
)

// oldestRedis is the first major version that will do.
const oldestRedis = 6

// redis sees whether what is counted can be shared as the configuration says.
func (d *Visit) redis(ctx context.Context) []Finding {
	c := d.Config.Store.Redis
	if len(c.Addrs) == 0 {
		return nil
	}
	one := Finding{Check: "redis", Of: strings.Join(c.Addrs, " ")}
	o, err := c.Options()
	if err != nil {
		return []Finding{unknownYet(one.Check, one.Of, err)}
	}
	type looked struct {
		facts redisstore.Facts
		took  time.Duration
		err   error
	}
	done := make(chan looked, 1)
	go func() { // it ends by timeouts of its own, some after ctx
		began := time.Now()
		facts, err := redisstore.Look(ctx, o)
		done <- looked{facts, time.Since(began), err}
	}()
	select {
	case got := <-done:
		if got.err != nil {
			one.unreached(got.err)
			return []Finding{one}
		}
		return one.shares(got.facts)
	case <-ctx.Done():
		return []Finding{unknownYet(one.Check, one.Of, ctx.Err())}
	}
}

// unreached is for a Redis that does not let us in.
func (one *Finding) unreached(err error) {
	one.State, one.Seen = Ill, err.Error()
	one.Change = "start it, or correct store.redis.addrs: mail goes on, and each proxy counts alone"
	for _, refusal := range []string{"WRONGPASS", "NOAUTH", "NOPERM", "AUTH"} {
		if strings.Contains(one.Seen, refusal) {
			one.Change = "correct store.redis.user and password: mail goes on, and each proxy counts alone"
		}
	}
}

// shares judges the facts of a Redis: whether it will do, and whether it keeps what it is told.
func (one Finding) shares(f redisstore.Facts) []Finding {
	first, _, _ := strings.Cut(f.Version, ".")
	major, err := strconv.Atoi(first)
	one.State, one.Seen = Sound, fmt.Sprintf("version %s answers", f.Version)
	switch {
	case err == nil && major < oldestRedis:
		one.State, one.Seen, one.Change = Ill, "its version is "+f.Version, "use Redis 6.0 or newer, or Valkey"
	case f.Role != "master" && f.Role != "":
		one.State, one.Seen, one.Change = Ill, "it is a replica, which takes nothing", "name the primary in store.redis.addrs, or the Sentinels and store.redis.master"
	}
	memory := Finding{Check: "redis memory", Of: one.Of, State: Sound, Seen: "no bound is set (maxmemory)"}
	if f.Max > 0 {
		memory.Seen = fmt.Sprintf("up to %d MiB, then %s", f.Max>>20, f.Policy)
	}
	switch {
	case f.Max > 0 && f.Policy == "noeviction":
		memory.State = Doubtful
		memory.Seen += ": when they are full it takes nothing more, and each proxy counts alone"
		memory.Change = "set maxmemory-policy volatile-lru there: all that weir keeps in it has an end"
	case f.Evicted > 0:
		memory.State, memory.Seen = Doubtful, fmt.Sprintf("it has dropped %d keys for want of memory: counts were lost", f.Evicted)
		memory.Change = "raise maxmemory there, or give weir a Redis of its own"
	}
	return []Finding{one, memory}
}
