package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"weir/cmd/weir/config"
	"weir/filters/store"
	"weir/filters/store/redisstore"
	"weir/proxy/console"
)

// This file is what is counted together with other proxies, through Redis.

// unshared is why what s counts is not shared now; nil if it is, or is not meant to be.
func unshared(s store.Store) error {
	if shared, ok := s.(*redisstore.Store); ok {
		return shared.Status().Away
	}
	return nil
}

// sharing is how the sharing of s goes; nil if it is not meant to be shared.
func sharing(s store.Store) *console.Shared {
	shared, ok := s.(*redisstore.Store)
	if !ok {
		return nil
	}
	x := shared.Status()
	return &console.Shared{Away: x.Away != nil, Trips: x.Trips, Waiting: x.Waiting, Lost: x.Lost}
}

// share makes a store of m that is shared through Redis. saved is when m was last written, zero if it is new. m is used
// by the store alone until that is closed.
func share(c config.Redis, m *store.Memory, saved time.Time, log *slog.Logger) (*redisstore.Store, error) {
	o, err := c.Options()
	if err != nil {
		return nil, err
	}
	o.Since = saved
	o.Changed = func(away error) {
		if away != nil {
			log.Warn("Redis is away, what is counted here is not shared for now", "err", away)
			return
		}
		log.Info("Redis is back, what was counted here meanwhile is told")
	}
	log.Info("what is counted is shared", "redis", c.Addrs, "prefix", c.Prefix)
	return redisstore.New(o, m), nil
}

// browse looks at what the proxies share, with room for as much as they remember.
func browse(ctx context.Context, c config.Store) (*redisstore.Browser, error) {
	o, err := c.Redis.Options()
	if err != nil {
		return nil, err
	}
	b, err := redisstore.Browse(ctx, o, int64(c.Memory.Max))
	switch {
	case errors.Is(err, redisstore.ErrNothing):
		return nil, exit{exitNoInput, fmt.Errorf("store.redis: %w", err)}
	case err != nil:
		return nil, exit{exitUnavailable, fmt.Errorf("store.redis: %w", err)}
	}
	return b, nil
}
