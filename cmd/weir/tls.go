package main

import (
	"crypto/tls"
	"fmt"
	"time"

	"weir/proxy"
)

// Words for a listener's TLS in weir.yaml.
const (
	tlsOff      = "off"
	tlsStart    = "starttls"
	tlsImplicit = "implicit"
)

var tlsModes = map[string]proxy.TLSMode{tlsOff: proxy.NoTLS, tlsStart: proxy.StartTLS, tlsImplicit: proxy.ImplicitTLS}

// certificate is the server's certificate as read, nil without one.
type certificate = tls.Certificate

// certificate reads the files that c names, and nothing if it names none.
func (c config) certificate() (*certificate, error) {
	if c.TLS.Cert == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(c.TLS.Cert, c.TLS.Key)
	if err != nil {
		return nil, exit{exitConfig, fmt.Errorf("reading the certificate: %w", err)}
	}
	return &pair, nil
}

// tls is the configuration of the next handshake, nil without a certificate.
func (r *reloadable) tls() *tls.Config {
	cert := r.cert.Load()
	if cert == nil {
		return nil
	}
	return &tls.Config{Certificates: []tls.Certificate{*cert}, MinVersion: tls.VersionTLS12, Time: time.Now}
}
