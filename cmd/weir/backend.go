package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"weir/proxy/backend"
)

// This file is the server behind: what weir.yaml says of it, and what that becomes.

type backendConfig struct {
	Addrs      []string      `yaml:"addrs"`
	Protocol   string        `yaml:"protocol"`
	PassClient string        `yaml:"pass_client"`
	TLS        string        `yaml:"tls"`
	TLSName    string        `yaml:"tls_name"` // in the certificate; "" for the host of the address
	TLSCA      string        `yaml:"tls_ca"`   // who vouches for it; "" for those the system trusts
	TLSCert    string        `yaml:"tls_cert"` // ours, if the server wants one
	TLSKey     string        `yaml:"tls_key"`
	Timeout    time.Duration `yaml:"timeout"`
}

func defaultBackend() backendConfig {
	return backendConfig{Protocol: "smtp", PassClient: "auto", TLS: tlsOff, Timeout: time.Minute}
}

var passClients = map[string]backend.PassClient{
	"auto": backend.PassAuto, "xclient": backend.PassXClient, "xforward": backend.PassXForward, "none": backend.PassNone,
}

var securities = map[string]backend.Security{
	tlsOff: backend.InClear, "opportunistic": backend.Opportunistic, "required": backend.Required,
}

var protocols = map[string]bool{"smtp": false, "lmtp": true} // whether it is LMTP

// findInBackend says what is wrong with the backend.
func (c config) findInBackend(f *finder) {
	b := c.Backend
	for i, addr := range b.Addrs {
		key := fmt.Sprintf("backend.addrs[%d]", i)
		f.want(isTarget(addr) || strings.HasPrefix(addr, "unix:/"), key, "%q is not HOST:PORT or unix:/PATH", addr)
		own := slices.ContainsFunc(c.Listen, func(l listen) bool { return l.Addr == addr })
		f.want(!own, key, "is a listener of weir itself: mail would go in circles")
	}
	_, known := passClients[b.PassClient]
	f.want(known, "backend.pass_client", "want %s", names(passClients))
	_, known = protocols[b.Protocol]
	f.want(known, "backend.protocol", "want %s", names(protocols))
	b.findInTLS(f)
	f.want(b.Timeout > 0, "backend.timeout", "must be more than nothing")
}

// names lists the keys of a table of words, for people.
func names[V any](table map[string]V) string {
	all := slices.Sorted(maps.Keys(table))
	last := len(all) - 1
	return strings.Join(all[:last], ", ") + " or " + all[last]
}

func (b backendConfig) findInTLS(f *finder) {
	_, known := securities[b.TLS]
	f.want(known, "backend.tls", "want %s", names(securities))
	for key, value := range map[string]string{"tls_name": b.TLSName, "tls_ca": b.TLSCA} {
		f.want(value == "" || b.TLS == "required", "backend."+key, "is for tls: required; nothing is verified otherwise")
	}
	f.want((b.TLSCert == "") == (b.TLSKey == ""), "backend.tls_cert", "tls_cert and tls_key belong together")
	f.want(b.TLSCert == "" || b.TLS != tlsOff, "backend.tls_cert", "nobody reads this: tls is off")
	for i, addr := range b.Addrs {
		path := strings.HasPrefix(addr, "unix:")
		f.want(!path || b.TLS != "required" || b.TLSName != "", fmt.Sprintf("backend.addrs[%d]", i), "has no host name to verify: tls_name: NAME")
	}
}

// backend makes the client of the server behind.
func (c config) backend(log *slog.Logger) (*backend.Backend, error) {
	b := c.Backend
	config, err := b.tlsConfig()
	if err != nil {
		return nil, exit{exitConfig, fmt.Errorf("backend: %w", err)}
	}
	return &backend.Backend{
		Addrs: b.Addrs, Timeout: b.Timeout, Hello: c.Hostname, Log: log,
		LMTP: protocols[b.Protocol], PassClient: passClients[b.PassClient], Security: securities[b.TLS], TLS: config,
	}, nil
}

// tlsConfig reads the files of the way to the server.
func (b backendConfig) tlsConfig() (*tls.Config, error) {
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
