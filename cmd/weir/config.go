package main

import (
	"cmp"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"weir/rules/strict"
)

// config is weir.yaml: what runs. It never holds scores.
type config struct {
	Version      int      `yaml:"version"`
	Hostname     string   `yaml:"hostname"`
	Listen       []listen `yaml:"listen"`
	TLS          tlsFiles `yaml:"tls"`
	Trusted      trusted  `yaml:"trusted"`
	Conduct      conduct  `yaml:",inline"`
	behindConfig `yaml:",inline"`
	Limits       limits        `yaml:"limits"`
	DNS          dnsConfig     `yaml:"dns"`
	Rules        string        `yaml:"rules"`
	ShadowRules  string        `yaml:"shadow_rules"` // on trial beside the rules
	ScanBudget   time.Duration `yaml:"scan_budget"`
	Store        storeConfig   `yaml:"store"`
	operator     `yaml:",inline"`

	doc *strict.Document // what was read; nil without a file
}

// operator is the keys of weir.yaml that say what the operator sees.
type operator struct {
	Verdicts verdicts      `yaml:"verdicts"`
	Privacy  privacyConfig `yaml:"privacy"`
	Log      logConfig     `yaml:"log"`
	Admin    adminConfig   `yaml:"admin"`
}

type listen struct {
	Name          string `yaml:"name"`
	Addr          string `yaml:"addr"`
	Role          string `yaml:"role"` // inbound, or outbound: users authenticate and may send to everywhere
	TLS           string `yaml:"tls"`
	ProxyProtocol bool   `yaml:"proxy_protocol"`
}

type tlsFiles struct {
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
}

type trusted struct {
	Proxies []netip.Prefix `yaml:"proxies"`
	Relays  []netip.Prefix `yaml:"relays"` // our own hops, behind which the client is that they have written down
}

type limits struct {
	MessageSize    strict.Size   `yaml:"message_size"`
	Recipients     int           `yaml:"recipients"`
	Sessions       int           `yaml:"sessions"`
	SessionsPerIP  int           `yaml:"sessions_per_ip"`
	SessionsPerNet int           `yaml:"sessions_per_net"`       // an IPv4 /24 or IPv6 /48
	Connections    int           `yaml:"connections_per_minute"` // of an address; 0 for any number
	Messages       int           `yaml:"messages_per_minute"`    // of an address; 0 for any number
	MinRate        strict.Size   `yaml:"data_min_rate"`          // a second, measured over a minute
	ScanMemory     strict.Size   `yaml:"scan_memory"`            // bytes of messages judged at once
	CommandTimeout time.Duration `yaml:"command_timeout"`
}

type dnsConfig struct {
	Servers  []string      `yaml:"servers"`
	Timeout  time.Duration `yaml:"timeout"`
	Budget   time.Duration `yaml:"budget"`
	Patience time.Duration `yaml:"patience"`
	Cache    int           `yaml:"cache"`
}

type storeConfig struct {
	Memory struct {
		Max      strict.Size `yaml:"max"`
		Snapshot string      `yaml:"snapshot"`
	} `yaml:"memory"`
	Redis redisConfig `yaml:"redis"`
}

type verdicts struct {
	Dir     string        `yaml:"dir"`
	Keep    time.Duration `yaml:"keep"`
	MaxSize strict.Size   `yaml:"max_size"`
	Bodies  bodiesConfig  `yaml:"bodies"`
}

type logConfig struct {
	Level  string `yaml:"level"`
	Format string `yaml:"format"`
}

// defaults is the configuration before any file is read.
func defaults() config {
	c := config{
		Version:      1,
		Hostname:     machine(),
		Conduct:      conduct{LineEnds: lineEndsReject, FinalDot: time.Hour},
		behindConfig: defaultBehind(),
		Limits:       defaultLimits(),
		DNS:          dnsConfig{Timeout: 1500 * time.Millisecond, Budget: 4 * time.Second, Patience: 500 * time.Millisecond, Cache: 100_000},
		ScanBudget:   8 * time.Second,
		operator: operator{
			Verdicts: verdicts{Keep: 30 * 24 * time.Hour, MaxSize: 5 << 30, Bodies: defaultBodies()},
			Privacy:  defaultPrivacy(),
			Log:      logConfig{Level: "info", Format: "text"},
		},
	}
	c.Store.Memory.Max = 256 << 20
	c.Store.Redis = defaultRedis()
	return c
}

// machine is the name of the machine that this is.
func machine() string {
	host, err := os.Hostname()
	if err != nil || host == "" {
		return "localhost"
	}
	return host
}

// config reads the file of -c, or gives the defaults without one.
func (a *app) config() (config, error) {
	if a.configFile == "" {
		return defaults(), nil
	}
	data, err := os.ReadFile(a.configFile)
	if err != nil {
		return defaults(), exit{exitNoInput, fmt.Errorf("reading the configuration: %w", err)}
	}
	return parseConfig(data, a.configFile)
}

// parseConfig reads data, the contents of file.
func parseConfig(data []byte, file string) (config, error) {
	c := defaults()
	doc, findings := strict.Parse(data, file)
	if doc != nil {
		findings = doc.Decode(&c)
		c.doc = doc
		for i := range c.Listen {
			l := &c.Listen[i]
			l.Name, l.TLS = cmp.Or(l.Name, "smtp"), cmp.Or(l.TLS, tlsOff)
			l.Role = cmp.Or(l.Role, roleInbound)
		}
		c.Store.Redis.TLSCA = beside(file, c.Store.Redis.TLSCA)
		c.complete(file, doc)
		findings = merge(findings, c.findings())
	}
	if err := findings.Err(); err != nil {
		return c, exit{exitConfig, err}
	}
	c.Rules, c.Verdicts.Dir = beside(file, c.Rules), beside(file, c.Verdicts.Dir)
	c.ShadowRules = beside(file, c.ShadowRules)
	c.Store.Memory.Snapshot = beside(file, c.Store.Memory.Snapshot)
	c.TLS.Cert, c.TLS.Key = beside(file, c.TLS.Cert), beside(file, c.TLS.Key)
	return c, nil
}

// merge adds what makes no sense to what could not be read. Of a value that could not be read nothing more is said.
func merge(unread, odd strict.Findings) strict.Findings {
	all := slices.Clone(unread)
	for _, f := range odd {
		if !slices.ContainsFunc(unread, func(u strict.Finding) bool { return u.Src == f.Src }) {
			all = append(all, f)
		}
	}
	slices.SortStableFunc(all, func(a, b strict.Finding) int {
		return cmp.Or(cmp.Compare(a.Src.Line, b.Src.Line), cmp.Compare(a.Src.Col, b.Src.Col), cmp.Compare(a.Text, b.Text))
	})
	return all
}

// beside makes a path that a configuration file says relative to that file.
func beside(configFile, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(configFile), path)
}

// origin says where the value of a key comes from.
func (c config) origin(key string) string {
	if c.doc != nil {
		if v, ok := c.doc.At(key); ok {
			return v.Src().String()
		}
	}
	return "default"
}
