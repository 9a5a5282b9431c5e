package config

import (
	"crypto/tls"
	"fmt"
	"strings"
	"time"

	"weir/filters/store/redisstore"
)

// Redis is where counts are shared with other proxies; without addresses they are not.
type Redis struct {
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

func defaultRedis() Redis {
	return Redis{Prefix: "weir", Timeout: 100 * time.Millisecond}
}

// findings says what is wrong with the values at store.redis.
func (c Redis) findings(f *finder) {
	const key = "store.redis"
	if _, said := f.doc.At(key); !said {
		return
	}
	f.want(len(c.Addrs) > 0, key+".addrs", "names no server: addrs: [HOST:PORT]")
	for i, addr := range c.Addrs {
		f.want(IsTarget(addr), fmt.Sprintf("%s.addrs[%d]", key, i), "%q is not HOST:PORT", addr)
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
func (c Redis) tlsConfig() (*tls.Config, error) {
	if !c.TLS {
		return nil, nil
	}
	return Backend{TLSName: c.TLSName, TLSCA: c.TLSCA}.tlsConfig()
}

// Options are how Redis is reached. The file of tls_ca is read.
func (c Redis) Options() (redisstore.Options, error) {
	tlsConfig, err := c.tlsConfig()
	if err != nil {
		return redisstore.Options{}, Error{fmt.Errorf("store.redis: %w", err)}
	}
	return redisstore.Options{
		Addrs: c.Addrs, Master: c.Master, User: c.User, Password: string(c.Password), TLS: tlsConfig, Prefix: c.Prefix, Timeout: c.Timeout,
	}, nil
}
