package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"weir/cmd/weir/config"
)

// certificateEvery is how often the files of the certificate are looked at.
const certificateEvery = 5 * time.Second

// certificateFiles are the files of a certificate and what is known of them. The mutex of its reloadable guards all but odd.
type certificateFiles struct {
	config.TLS
	inForce string      // the look of the files that were read last
	broken  string      // that of files which hold no certificate
	odd     atomic.Bool // they have stayed broken
}

// read reads the files, and nothing if none are named.
func (f *certificateFiles) read() (*tls.Certificate, error) {
	f.inForce = f.look() // before they are read: what changes meanwhile is read again
	return f.TLS.Certificate()
}

// look is what tells one state of the files from the next.
func (f *certificateFiles) look() string { return lookOf(f.Cert, f.Key) }

// lookOf is what tells one state of files from the next.
func lookOf(names ...string) string {
	all := ""
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			all += err.Error() + "\n"
			continue
		}
		var inode uint64
		if s, ok := info.Sys().(*syscall.Stat_t); ok {
			inode = s.Ino
		}
		all += fmt.Sprintln(inode, info.Size(), info.ModTime().UnixNano())
	}
	return all
}

// loaded notes that what was read of next is in force.
func (f *certificateFiles) loaded(next *certificateFiles) {
	f.TLS, f.inForce, f.broken = next.TLS, next.inForce, ""
	f.odd.Store(false)
}

// watchCertificate rereads the certificate when its files change, until stop is called.
func (r *reloadable) watchCertificate() (stop func()) {
	return inBackground(func(ctx context.Context) {
		tick := time.NewTicker(certificateEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				r.rereadCertificate()
			case <-ctx.Done():
				return
			}
		}
	})
}

// rereadCertificate puts in force what the files hold if they have changed and fit each other. They may be written one
// after the other, so only files that stay as they are until the next look are complained of.
func (r *reloadable) rereadCertificate() {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := &r.certs
	now := f.look()
	if f.Cert == "" || now == f.inForce {
		return
	}
	next := &certificateFiles{TLS: f.TLS}
	cert, err := next.read()
	switch {
	case err == nil:
		r.handshakes.Store(handshakesWith(cert))
		f.loaded(next)
		r.log.Info("the certificate has changed", "cert", f.Cert, "until", cert.Leaf.NotAfter)
	case f.broken != now:
		f.broken = now
		f.odd.Store(false)
	case !f.odd.Swap(true):
		r.log.Error("the certificate has changed and cannot be used, the old one stays in force", "err", err)
	}
}
