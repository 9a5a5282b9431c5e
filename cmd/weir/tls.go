package main

import (
	"crypto/tls"
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

// tls is the configuration of the next handshake, nil without a certificate.
func (r *reloadable) tls() *tls.Config {
	cert := r.cert.Load()
	if cert == nil {
		return nil
	}
	return &tls.Config{Certificates: []tls.Certificate{*cert}, MinVersion: tls.VersionTLS12, Time: time.Now}
}
