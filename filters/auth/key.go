package auth

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// minKey is the fewest bits of an RSA key that proves anything (RFC 8301 §3.2).
const minKey = 1024

var errKey = errors.New("the key is malformed")

// verifyHash checks the signature of hash by algorithm, with the key that selector and domain name. A lookup that
// fails is a temporary net.DNSError.
func (n *names) verifyHash(ctx context.Context, s signedBy, hash, signature []byte) error {
	texts, err := n.key(ctx, s.selector+"._domainkey."+s.domain)
	if err != nil {
		return err
	}
	if len(texts) != 1 {
		return fmt.Errorf("%d keys are published for d=%s s=%s", len(texts), s.domain, s.selector)
	}
	key, err := keyOf(texts[0])
	if err != nil {
		return err
	}
	ok := false
	switch key := key.(type) {
	case *rsa.PublicKey:
		ok = s.algorithm == "rsa-sha256" && rsa.VerifyPKCS1v15(key, crypto.SHA256, hash, signature) == nil
	case ed25519.PublicKey: // RFC 8463 §3
		ok = s.algorithm == "ed25519-sha256" && ed25519.Verify(key, hash, signature)
	}
	if !ok {
		return fmt.Errorf("the signature of d=%s s=%s is wrong", s.domain, s.selector)
	}
	return nil
}

// signedBy is whose signature it is, and of what kind.
type signedBy struct{ domain, selector, algorithm string }

// keyOf reads the record of a key for signatures of mail by SHA-256 (RFC 6376 §3.6.1).
func keyOf(text string) (crypto.PublicKey, error) {
	tags, err := tagsOf(text)
	if err != nil {
		return nil, errKey
	}
	allows := func(tag string, any ...string) bool {
		value, said := tags[tag]
		return !said || slices.ContainsFunc(strings.Split(unspaced(value), ":"), func(v string) bool { return slices.Contains(any, v) })
	}
	if v, said := tags["v"]; said && v != "DKIM1" || !allows("h", "sha256") || !allows("s", "email", "*") {
		return nil, errors.New("the key is for something else")
	}
	data, err := base64.StdEncoding.DecodeString(unspaced(tags["p"]))
	if err != nil || len(data) == 0 {
		return nil, errKey
	}
	switch tags["k"] {
	case "ed25519":
		if len(data) != ed25519.PublicKeySize {
			return nil, errKey
		}
		return ed25519.PublicKey(data), nil
	case "rsa", "":
		return rsaKey(data)
	}
	return nil, errors.New("the key is of an unknown kind")
}

// rsaKey reads a key in either of the two forms that are in use (erratum 3017 of RFC 6376).
func rsaKey(data []byte) (*rsa.PublicKey, error) {
	any, err := x509.ParsePKIXPublicKey(data)
	if err != nil {
		any, err = x509.ParsePKCS1PublicKey(data)
	}
	key, ok := any.(*rsa.PublicKey)
	if err != nil || !ok {
		return nil, errKey
	}
	if key.N.BitLen() < minKey {
		return nil, fmt.Errorf("the key has %d bits, too few", key.N.BitLen())
	}
	return key, nil
}
