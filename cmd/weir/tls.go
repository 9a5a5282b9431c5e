package main

import (
	"crypto/tls"
	"time"
)

// tls is the configuration of the next handshake, nil without a certificate.
func (r *reloadable) tls() *tls.Config { return r.handshakes.Load() }

// handshakesWith are the handshakes with a certificate. All connections share them: what each had of its own would stay
// with it, and no client could take up an earlier session.
func handshakesWith(cert *tls.Certificate) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{*cert}, MinVersion: tls.VersionTLS12, Time: time.Now}
}
