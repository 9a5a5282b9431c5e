package redisstore

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// Facts are what a Redis says of itself (INFO).
type Facts struct {
	Version string // "7.0.15"
	Role    string // "master", or "slave" of a replica, which takes nothing
	Max     int64  // bytes that it may keep; 0: any number
	Policy  string // what it does when they are full: "noeviction", "volatile-lru" …
	Evicted int64  // keys that it has dropped for want of memory since it was started
}

// Look asks the Redis of o for its facts, one server of a cluster. It writes nothing.
func Look(ctx context.Context, o Options) (Facts, error) {
	client, err := o.connect()
	if err != nil {
		return Facts{}, fmt.Errorf("connecting to Redis: %w", err)
	}
	defer client.Close()
	text, err := client.Do(ctx, client.B().Info().Build()).ToString()
	if err != nil {
		return Facts{}, fmt.Errorf("asking Redis: %w", err)
	}
	return factsOf(text), nil
}

// factsOf reads lines of NAME:VALUE. What is not said is zero.
func factsOf(info string) Facts {
	said := map[string]string{}
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		said[name] = value
	}
	number := func(name string) int64 {
		n, _ := strconv.ParseInt(said[name], 10, 64) // 0 if it is none
		return n
	}
	return Facts{
		Version: said["redis_version"], Role: said["role"], Max: number("maxmemory"), Policy: said["maxmemory_policy"], Evicted: number("evicted_keys"),
	}
}
