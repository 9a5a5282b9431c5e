package config

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"weir/proxy"
	"weir/proxy/backend"
	"weir/rules/strict"
)

// This file is the server behind: what weir.yaml says of it, and what that becomes.

// Behind is the keys of weir.yaml that say where mail goes.
type Behind struct {
	Backend    Backend    `yaml:"backend"`
	Routes     []Route    `yaml:"routes"`
	Recipients Recipients `yaml:"recipients"`
}

// Recipients is what is remembered of them.
type Recipients struct {
	Cache time.Duration `yaml:"cache"` // how long a backend's "no such user" is not asked for again; 0s: it is asked always
}

// Server is one server of a backend.
type Server struct {
	Addr     string `yaml:"addr"`
	Priority int    `yaml:"priority"` // the lowest are tried first
	Weight   int    `yaml:"weight"`   // its share among those of one priority; none is 1
}

// Backend is some servers behind that do the same, and the way to them.
type Backend struct {
	Addrs      []string      `yaml:"addrs"`
	Servers    []Server      `yaml:"servers"`
	Protocol   string        `yaml:"protocol"`
	PassClient string        `yaml:"pass_client"`
	TLS        string        `yaml:"tls"`
	TLSName    string        `yaml:"tls_name"` // in the certificate; "" for the host of the address
	TLSCA      string        `yaml:"tls_ca"`   // who vouches for it; "" for those the system trusts
	TLSCert    string        `yaml:"tls_cert"` // ours, if the server wants one
	TLSKey     string        `yaml:"tls_key"`
	Timeout    time.Duration `yaml:"timeout"`
	Idle       int           `yaml:"idle_connections"` // to each server that may wait for another client; 0: each client has its own
}

func defaultBehind() Behind {
	return Behind{Backend: defaultBackend()}
}

func defaultBackend() Backend {
	return Backend{Protocol: "smtp", PassClient: "auto", TLS: TLSOff, Timeout: time.Minute}
}

var passClients = map[string]backend.PassClient{
	"auto": backend.PassAuto, "xclient": backend.PassXClient, "xforward": backend.PassXForward, "none": backend.PassNone,
	"proxy": backend.PassProxy, "proxy_v1": backend.PassProxyLine,
}

// tlsOpportunistic is a word for the way to a server.
const tlsOpportunistic = "opportunistic"

var securities = map[string]backend.Security{
	TLSOff: backend.InClear, tlsOpportunistic: backend.Opportunistic, "required": backend.Required,
}

var protocols = map[string]bool{"smtp": false, "lmtp": true} // whether it is LMTP

// complete fills in what the routes do not say, and makes the paths of files relative to the configuration file.
func (c *Behind) complete(configFile string, doc *strict.Document) {
	usual := defaultBackend()
	all := []*Backend{&c.Backend}
	for i := range c.Routes {
		r := &c.Routes[i]
		b, way := &r.Backend, usual.TLS
		if r.MX {
			way = tlsOpportunistic // as between strangers it is everywhere
		}
		b.Protocol, b.PassClient = cmp.Or(b.Protocol, usual.Protocol), cmp.Or(b.PassClient, usual.PassClient)
		b.TLS, b.Timeout = cmp.Or(b.TLS, way), cmp.Or(b.Timeout, usual.Timeout)
		if _, said := doc.At(fmt.Sprintf("routes[%d].backend.idle_connections", i)); !said {
			b.Idle = usual.Idle
		}
		all = append(all, b)
	}
	for _, b := range all {
		b.TLSCA, b.TLSCert, b.TLSKey = beside(configFile, b.TLSCA), beside(configFile, b.TLSCert), beside(configFile, b.TLSKey)
	}
}

// findBehind says what is wrong with where mail goes.
func (c Config) findBehind(f *finder) {
	c.findInBackend(f, "backend", c.Backend)
	f.want(c.Recipients.Cache >= 0, "recipients.cache", "must not be less than nothing")
	c.findInRoutes(f)
}

// AllAddrs are the addresses of all servers, however they are written down.
func (b Backend) AllAddrs() []string {
	all := slices.Clone(b.Addrs)
	for _, s := range b.Servers {
		all = append(all, s.Addr)
	}
	return all
}

// Place is the key of the i-th address of a backend that stands at key.
func (b Backend) Place(key string, i int) string {
	if i < len(b.Addrs) {
		return fmt.Sprintf("%s.addrs[%d]", key, i)
	}
	return fmt.Sprintf("%s.servers[%d]", key, i-len(b.Addrs))
}

func (c Config) findInBackend(f *finder, key string, b Backend) {
	listens := func(addr string) bool {
		return slices.ContainsFunc(c.Listen, func(l Listen) bool { return l.Addr == addr })
	}
	at := func(i int) string { return b.Place(key, i) }
	for i, addr := range b.AllAddrs() {
		path := strings.HasPrefix(addr, "unix:/")
		f.want(IsTarget(addr) || path, at(i), "%q is not HOST:PORT or unix:/PATH", addr)
		f.want(!listens(addr), at(i), "is a listener of weir itself: mail would go in circles")
		f.want(!path || b.TLS != "required" || b.TLSName != "", at(i), "has no host name to verify: tls_name: NAME")
	}
	for i, s := range b.Servers {
		f.want(s.Priority >= 0 && s.Weight >= 0, fmt.Sprintf("%s.servers[%d]", key, i), "priority and weight must not be less than 0")
	}
	f.want(len(b.Addrs) == 0 || len(b.Servers) == 0, key+".servers", "say either addrs, in order, or servers with priority and weight")
	_, known := passClients[b.PassClient]
	f.want(known, key+".pass_client", "want %s", names(passClients))
	_, known = protocols[b.Protocol]
	f.want(known, key+".protocol", "want %s", names(protocols))
	f.want(b.Timeout > 0, key+".timeout", "must be more than nothing")
	f.want(b.Idle >= 0, key+".idle_connections", "must not be less than 0")
	b.findInTLS(f, key)
}

// names lists the keys of a table of words, for people.
func names[V any](table map[string]V) string {
	all := slices.Sorted(maps.Keys(table))
	last := len(all) - 1
	return strings.Join(all[:last], ", ") + " or " + all[last]
}

func (b Backend) findInTLS(f *finder, key string) {
	_, known := securities[b.TLS]
	f.want(known, key+".tls", "want %s", names(securities))
	for name, value := range map[string]string{".tls_name": b.TLSName, ".tls_ca": b.TLSCA} {
		f.want(value == "" || b.TLS == "required", key+name, "is for tls: required; nothing is verified otherwise")
	}
	f.want((b.TLSCert == "") == (b.TLSKey == ""), key+".tls_cert", "tls_cert and tls_key belong together")
	f.want(b.TLSCert == "" || b.TLS != TLSOff, key+".tls_cert", "nobody reads this: tls is off")
}

// missing says which files of the ways there cannot be read.
func (c Behind) missing(f *finder) {
	_, err := c.Backend.tlsConfig()
	f.want(err == nil, "backend.tls", "%v", err)
	for i, r := range c.Routes {
		_, err := r.Backend.tlsConfig()
		f.want(err == nil, fmt.Sprintf("routes[%d].backend.tls", i), "%v", err)
	}
}

// HasFiles reports whether files belong to the configuration, which may say something else at each reading.
func (c Behind) HasFiles() bool {
	all := c.Backend.TLSCA + c.Backend.TLSCert
	for _, r := range c.Routes {
		all += r.Backend.TLSCA + r.Backend.TLSCert
	}
	return all != ""
}

// Ways makes the clients of the servers behind: the one for most mail, and those of the routes by domain.
func (c Config) Ways(log *slog.Logger, ask *backend.Names) (*backend.Backend, proxy.Routes, error) {
	usual, err := c.Way(c.Backend, log)
	if err != nil {
		return nil, nil, err
	}
	usual.Names = ask
	routes := proxy.Routes{}
	for _, r := range c.Routes {
		b, err := c.Way(r.Backend, log)
		if err != nil {
			return nil, nil, err
		}
		b.Names, b.Exchange = ask, r.exchange(c)
		for _, domain := range r.Domains {
			routes[strings.ToLower(domain)] = b
		}
	}
	if all := routes[EveryOther]; all != nil && len(c.Backend.AllAddrs()) == 0 {
		usual = all
	}
	return usual, routes, nil
}

// Way makes the client of b, which is one of the backends of c. It opens nothing.
func (c Config) Way(b Backend, log *slog.Logger) (*backend.Backend, error) {
	config, err := b.tlsConfig()
	if err != nil {
		return nil, Error{fmt.Errorf("backend: %w", err)}
	}
	made := &backend.Backend{
		Addrs: b.Addrs, Timeout: b.Timeout, Hello: c.Hostname, Log: log, Remember: c.Recipients.Cache,
		Idle: b.Idle, LMTP: protocols[b.Protocol], PassClient: passClients[b.PassClient], Security: securities[b.TLS], TLS: config,
	}
	for _, s := range b.Servers {
		made.Servers = append(made.Servers, backend.Server(s))
	}
	return made, nil
}

// tlsConfig reads the files of the way to the server.
func (b Backend) tlsConfig() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: b.TLSName}
	if b.TLSCA != "" {
		text, err := os.ReadFile(b.TLSCA)
		if err != nil {
			return nil, fmt.Errorf("tls_ca: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("tls_ca: %s holds no certificate", b.TLSCA)
		}
	}
	if b.TLSCert != "" {
		pair, err := tls.LoadX509KeyPair(b.TLSCert, b.TLSKey)
		if err != nil {
			return nil, fmt.Errorf("tls_cert: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}
