package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"weir/filters/store"
	"weir/filters/store/redisstore"
	"weir/proxy/console"
)

// redisConfig is where counts are shared with other proxies; without addresses they are not.
type redisConfig struct {
	Addrs    []string      `yaml:"addrs"`  // one server, some of a cluster's, or Sentinels
	Master   string        `yaml:"master"` // what the Sentinels call it; "" without Sentinels
	User     string        `yaml:"user"`
	Password hidden        `yaml:"password"`
	TLS      bool          `yaml:"tls"`
	TLSName  string        `yaml:"tls_name"` // in the certificate; "" for the host of the address
	TLSCA    string        `yaml:"tls_ca"`   // who vouches for it; "" for those the system trusts
	Prefix   string        `yaml:"prefix"`
	Timeout  time.Duration `yaml:"timeout"` // the longest that a message waits
}

// hidden is a text that is never shown.
type hidden string

func (h hidden) String() string {
	if h == "" {
		return `""`
	}
	return "hidden"
}

func defaultRedis() redisConfig {
	return redisConfig{Prefix: "weir", Timeout: 100 * time.Millisecond}
}

// findings says what is wrong with the values at store.redis.
func (c redisConfig) findings(f *finder) {
	const key = "store.redis"
	if _, said := f.doc.At(key); !said {
		return
	}
	f.want(len(c.Addrs) > 0, key+".addrs", "names no server: addrs: [HOST:PORT]")
	for i, addr := range c.Addrs {
		f.want(isTarget(addr), fmt.Sprintf("%s.addrs[%d]", key, i), "%q is not HOST:PORT", addr)
	}
	password, _ := f.doc.At(key + ".password")
	f.want(c.Password == "" || password.IsSecret(), key+".password", "must not stand here: write it to a file and `password: ${file:/etc/weir/redis.password}`")
	f.want(c.User == "" || c.Password != "", key+".user", "has no password")
	f.want(c.Prefix != "" && len(c.Prefix) <= 64 && !strings.ContainsAny(c.Prefix, "{} \t\r\n"), key+".prefix", "want 1 to 64 letters without blanks and braces")
	f.want(c.Timeout >= time.Millisecond && c.Timeout <= time.Second, key+".timeout", "want 1ms to 1s: mail waits so long")
	for name, value := range map[string]string{".tls_name": c.TLSName, ".tls_ca": c.TLSCA} {
		f.want(value == "" || c.TLS, key+name, "is for tls: on; nothing is verified otherwise")
	}
	_, err := c.tlsConfig()
	f.want(err == nil, key+".tls_ca", "%v", err)
}

// tlsConfig is how Redis proves who it is; nil without TLS.
func (c redisConfig) tlsConfig() (*tls.Config, error) {
	if !c.TLS {
		return nil, nil
	}
	return backendConfig{TLSName: c.TLSName, TLSCA: c.TLSCA}.tlsConfig()
}

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
func (c redisConfig) share(m *store.Memory, saved time.Time, log *slog.Logger) (*redisstore.Store, error) {
	o, err := c.options()
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

// options are how Redis is reached.
func (c redisConfig) options() (redisstore.Options, error) {
	tlsConfig, err := c.tlsConfig()
	if err != nil {
		return redisstore.Options{}, exit{exitConfig, fmt.Errorf("store.redis: %w", err)}
	}
	return redisstore.Options{
		Addrs: c.Addrs, Master: c.Master, User: c.User, Password: string(c.Password), TLS: tlsConfig, Prefix: c.Prefix, Timeout: c.Timeout,
	}, nil
}

// browse looks at what the proxies share, with room for as much as they remember.
func (c storeConfig) browse(ctx context.Context) (*redisstore.Browser, error) {
	o, err := c.Redis.options()
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
