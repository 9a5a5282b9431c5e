// Package config is weir.yaml: what it may say, what is wrong with what it says, and the parts of the program that are
// made of it alone. It runs nothing and holds no scores.
//
//	c, err := config.Parse(text, "/etc/weir/weir.yaml") // all findings at once, each with its place
//	err = c.Runnable()                                  // what a proxy needs besides
//	resolver, err := c.DNS.Resolver()
//	usual, routes, err := c.Ways(log, config.AskDNS(resolver))
//
// Each key stands in one file, with its type, its default, what is found in it and what it becomes; keys.txt describes it.
package config

import (
	"cmp"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"weir/rules/strict"
)

// Config is what weir.yaml says, with the defaults for what it does not say.
type Config struct {
	Version     int      `yaml:"version"`
	Hostname    string   `yaml:"hostname"`
	Listen      []Listen `yaml:"listen"`
	TLS         TLS      `yaml:"tls"`
	Trusted     Trusted  `yaml:"trusted"`
	Conduct     Conduct  `yaml:",inline"`
	Behind      `yaml:",inline"`
	Limits      Limits        `yaml:"limits"`
	DNS         DNS           `yaml:"dns"`
	Rules       string        `yaml:"rules"`
	ShadowRules string        `yaml:"shadow_rules"` // on trial beside the rules
	ScanBudget  time.Duration `yaml:"scan_budget"`
	Store       Store         `yaml:"store"`
	operator    `yaml:",inline"`

	doc *strict.Document // what was read; nil without a file
}

// operator is the keys of weir.yaml that say what the operator sees.
type operator struct {
	Verdicts Verdicts `yaml:"verdicts"`
	Privacy  Privacy  `yaml:"privacy"`
	Log      Log      `yaml:"log"`
	Admin    Admin    `yaml:"admin"`
}

// Listen is a place where clients connect.
type Listen struct {
	Name          string `yaml:"name"`
	Addr          string `yaml:"addr"`
	Role          string `yaml:"role"` // inbound, or outbound: users authenticate and may send to everywhere
	TLS           string `yaml:"tls"`
	ProxyProtocol bool   `yaml:"proxy_protocol"`
}

// Trusted is whose word about clients is taken.
type Trusted struct {
	Proxies []netip.Prefix `yaml:"proxies"`
	Relays  []netip.Prefix `yaml:"relays"` // our own hops, behind which the client is that they have written down
}

// Limits are what clients may use.
type Limits struct {
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

// DNS is who is asked, and how long is waited.
type DNS struct {
	Servers  []string      `yaml:"servers"`
	Timeout  time.Duration `yaml:"timeout"`
	Budget   time.Duration `yaml:"budget"`
	Patience time.Duration `yaml:"patience"`
	Cache    int           `yaml:"cache"`
}

// Store is where what is counted is remembered.
type Store struct {
	Memory struct {
		Max      strict.Size `yaml:"max"`
		Snapshot string      `yaml:"snapshot"`
	} `yaml:"memory"`
	Redis Redis `yaml:"redis"`
}

// Verdicts is what is kept of them; nothing without a folder.
type Verdicts struct {
	Dir     string        `yaml:"dir"`
	Keep    time.Duration `yaml:"keep"`
	MaxSize strict.Size   `yaml:"max_size"`
	Bodies  Bodies        `yaml:"bodies"`
}

// Log is what the running program says.
type Log struct {
	Level  string `yaml:"level"`
	Format string `yaml:"format"`
}

// Defaults is the configuration before any file is read.
func Defaults() Config {
	c := Config{
		Version:    1,
		Hostname:   Machine(),
		Conduct:    Conduct{LineEnds: lineEndsReject, FinalDot: time.Hour},
		Behind:     defaultBehind(),
		Limits:     defaultLimits(),
		DNS:        DNS{Timeout: 1500 * time.Millisecond, Budget: 4 * time.Second, Patience: 500 * time.Millisecond, Cache: 100_000},
		ScanBudget: 8 * time.Second,
		operator: operator{
			Verdicts: Verdicts{Keep: 30 * 24 * time.Hour, MaxSize: 5 << 30, Bodies: defaultBodies()},
			Privacy:  defaultPrivacy(),
			Log:      Log{Level: "info", Format: "text"},
		},
	}
	c.Store.Memory.Max = 256 << 20
	c.Store.Redis = defaultRedis()
	return c
}

// Machine is the name of the machine that this is, localhost if it has none.
func Machine() string {
	host, err := os.Hostname()
	if err != nil || host == "" {
		return "localhost"
	}
	return host
}

// Parse reads data, the contents of file, beside which the files lie that it names. An error is an Error of strict.Findings,
// each at its place in file; what could be read is returned with it.
func Parse(data []byte, file string) (Config, error) {
	c := Defaults()
	doc, findings := strict.Parse(data, file)
	if doc != nil {
		findings = doc.Decode(&c)
		c.doc = doc
		for i := range c.Listen {
			l := &c.Listen[i]
			l.Name, l.TLS = cmp.Or(l.Name, "smtp"), cmp.Or(l.TLS, TLSOff)
			l.Role = cmp.Or(l.Role, RoleInbound)
		}
		c.Store.Redis.TLSCA = beside(file, c.Store.Redis.TLSCA)
		c.complete(file, doc)
		findings = merge(findings, c.findings())
	}
	if err := findings.Err(); err != nil {
		return c, Error{err}
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
func (c Config) origin(key string) string {
	if c.doc != nil {
		if v, ok := c.doc.At(key); ok {
			return v.Src().String()
		}
	}
	return "default"
}
