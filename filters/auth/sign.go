package auth

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"fmt"

	"github.com/emersion/go-msgauth/dkim"
)

// Signer signs messages as their sender would. It is for tests and for the demo: weir itself signs nothing.
type Signer struct {
	Domain   string
	Selector string
	Key      crypto.Signer // Ed25519 or RSA
}

// Sign returns raw with a DKIM-Signature field in front. All header fields are signed.
func (s Signer) Sign(raw []byte) ([]byte, error) {
	var signed bytes.Buffer
	err := dkim.Sign(&signed, bytes.NewReader(raw), &dkim.SignOptions{
		Domain: s.Domain, Selector: s.Selector, Signer: s.Key,
		HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationRelaxed,
	})
	if err != nil {
		return nil, fmt.Errorf("signing for %s: %w", s.Domain, err)
	}
	return signed.Bytes(), nil
}

// Name is where Record is to be published (RFC 6376 §3.6.2.1).
func (s Signer) Name() string { return s.Selector + "._domainkey." + s.Domain }

// Record is the text of the TXT record that publishes the key (RFC 6376 §3.6.1, RFC 8463 §3). It is "" for a key of
// another kind.
func (s Signer) Record() string {
	public := s.Key.Public()
	if key, ok := public.(ed25519.PublicKey); ok {
		return "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(key)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return ""
	}
	return "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(der)
}
