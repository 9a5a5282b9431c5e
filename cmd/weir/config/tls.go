package config

import (
	"crypto/tls"
	"fmt"

	"weir/proxy"
)

// Words for a listener's TLS in weir.yaml.
const (
	TLSOff      = "off"
	TLSStart    = "starttls"
	TLSImplicit = "implicit"
)

var tlsModes = map[string]proxy.TLSMode{TLSOff: proxy.NoTLS, TLSStart: proxy.StartTLS, TLSImplicit: proxy.ImplicitTLS}

// TLS names the files of the server's certificate; none for none.
type TLS struct {
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
}

// Mode is how the proxy offers TLS there.
func (l Listen) Mode() proxy.TLSMode { return tlsModes[l.TLS] }

// Certificate reads the files; it is nil if none are named.
func (t TLS) Certificate() (*tls.Certificate, error) {
	if t.Cert == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		return nil, Error{fmt.Errorf("reading the certificate: %w", err)}
	}
	return &pair, nil
}
