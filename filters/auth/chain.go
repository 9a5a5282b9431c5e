package auth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"

	"weir/filters"
	"weir/filters/mime"
)

const (
	maxSets   = 50 // of a chain (RFC 8617 §4.2.1)
	maxOlder  = 8  // signatures before the newest that are checked as well, to find the oldest that holds
	maxSigned = 1000
)

// link is one set of a chain (RFC 8617 §4.1): what one who passed the message on has added.
type link struct {
	results string // ARC-Authentication-Results, as written
	message string // ARC-Message-Signature
	seal    string // ARC-Seal

	messageTags, sealTags map[string]string

	below, whole string // the first two, and all three, as seals cover them
}

var instance = regexp.MustCompile(`^[1-9][0-9]?$`)

// chainOf collects the sets of a message, the oldest first, none if there are none. It fails if a set is not whole, or
// there is one twice, too many, or a gap (RFC 8617 §5.2 step 3).
func chainOf(fields mime.Header) ([]link, error) {
	var found []link // by number
	highest, pieces := 0, 0
	for i := range fields {
		raw := fields[i].Raw
		name := strings.TrimSpace(fields[i].Name)
		if len(name) < len("arc-") || !strings.EqualFold(name[:len("arc-")], "arc-") {
			continue
		}
		kind := strings.ToLower(name)
		if kind != "arc-authentication-results" && kind != "arc-message-signature" && kind != "arc-seal" {
			continue
		}
		_, value, _ := strings.Cut(raw, ":")
		number, tags, err := instanceOf(kind, value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", kind, err)
		}
		if found == nil {
			found = make([]link, maxSets+1)
		}
		l := &found[number]
		place := &l.seal
		switch kind {
		case "arc-authentication-results":
			place = &l.results
		case "arc-message-signature":
			place, l.messageTags = &l.message, tags
		default:
			l.sealTags = tags
		}
		if *place != "" {
			return nil, fmt.Errorf("there are two of %s i=%d", kind, number)
		}
		*place = raw
		highest = max(highest, number)
		pieces++
	}
	if pieces != 3*highest {
		return nil, errors.New("a set is not whole")
	}
	if highest == 0 {
		return nil, nil
	}
	return found[1 : highest+1], nil
}

// instanceOf is the number of the set that a field belongs to, and its tags; ARC-Authentication-Results has but the one.
func instanceOf(kind, value string) (int, map[string]string, error) {
	if kind == "arc-authentication-results" {
		first, _, found := strings.Cut(value, ";")
		if !found {
			return 0, nil, errTags
		}
		value = first
	}
	tags, err := tagsOf(value)
	if err != nil {
		return 0, nil, err
	}
	number, err := strconv.Atoi(tags["i"])
	if err != nil || !instance.MatchString(tags["i"]) || number > maxSets {
		return 0, nil, errors.New("i= is no number of a set")
	}
	return number, tags, nil
}

// chain is a message whose chain is being validated.
type chain struct {
	names  *names
	fields map[string][]string // as written, by name in lower case
	body   []byte
	links  []link
	at     time.Time
	hashes map[bool][sha256.Size]byte // of the body, by whether it is relaxed
}

func newChain(n *names, m *filters.Message, links []link, at time.Time) *chain {
	c := &chain{
		names: n, fields: map[string][]string{}, body: bodyOf(m.Raw()), links: links, at: at,
		hashes: map[bool][sha256.Size]byte{},
	}
	for _, f := range m.Fields() {
		name := strings.ToLower(strings.TrimSpace(f.Name))
		c.fields[name] = append(c.fields[name], f.Raw)
	}
	for i := range links {
		l := &links[i]
		l.below = fieldForm(l.results, true) + fieldForm(l.message, true)
		l.whole = l.below + fieldForm(l.seal, true)
	}
	return c
}

// validate follows RFC 8617 §5.2. The error of a lookup that failed is a temporary net.DNSError; any other says what is
// wrong with the chain.
func (c *chain) validate(ctx context.Context) error {
	newest := len(c.links)
	if c.links[newest-1].sealTags["cv"] == "fail" {
		return errors.New("who sealed it last says that the chain was broken")
	}
	for i, l := range c.links {
		if want := map[bool]string{true: "none", false: "pass"}[i == 0]; l.sealTags["cv"] != want {
			return fmt.Errorf("the seal i=%d has cv=%s", i+1, l.sealTags["cv"])
		}
	}
	if err := c.message(ctx, newest); err != nil {
		return fmt.Errorf("the message as of i=%d: %w", newest, err)
	}
	for i := newest; i >= 1; i-- {
		if err := c.seal(ctx, i); err != nil {
			return fmt.Errorf("the seal i=%d: %w", i, err)
		}
	}
	return nil
}

// oldest is the number of the oldest set whose signature of the message still holds, as do all after it; 0 if all do
// (RFC 8617 §5.2 step 5). Of a long chain only the last are looked at.
func (c *chain) oldest(ctx context.Context) int {
	for i := len(c.links) - 1; i >= 1; i-- {
		if i < len(c.links)-maxOlder || c.message(ctx, i) != nil {
			return i + 1
		}
	}
	return 0
}

// message verifies the ARC-Message-Signature of set i.
func (c *chain) message(ctx context.Context, i int) error {
	l := c.links[i-1]
	tags := l.messageTags
	by, signature, err := signedAs(tags)
	if err != nil {
		return err
	}
	headers, said := tags["h"]
	want, err := base64.StdEncoding.DecodeString(unspaced(tags["bh"]))
	forms := formsOf(tags)
	switch _, partial := tags["l"]; {
	case !said || err != nil || len(want) == 0:
		return errTags
	case len(forms) == 0:
		return errors.New("c= is unknown")
	case partial:
		return errors.New("it signs a part of the body only (l=)")
	case c.expired(tags["x"]):
		return errors.New("it has expired")
	}
	signed, err := pick(c.fields, strings.Split(unspaced(headers), ":"))
	if err != nil {
		return err
	}
	for _, f := range forms {
		if got := c.bodyHash(f.body); string(got[:]) != string(want) {
			err = errors.New("the body has been changed")
			continue
		}
		hash := sha256.New()
		for _, raw := range signed {
			hash.Write([]byte(fieldForm(raw, f.header)))
		}
		hash.Write([]byte(unsigned(l.message, f.header)))
		if err = c.names.verifyHash(ctx, by, hash.Sum(nil), signature); err == nil {
			return nil
		}
	}
	return err
}

// seal verifies the ARC-Seal of set i, which covers all sets up to it (RFC 8617 §5.1.1).
func (c *chain) seal(ctx context.Context, i int) error {
	tags := c.links[i-1].sealTags
	by, signature, err := signedAs(tags)
	if err != nil {
		return err
	}
	if _, said := tags["h"]; said {
		return errors.New("it has an h= tag")
	}
	hash := sha256.New()
	for _, l := range c.links[:i-1] {
		hash.Write([]byte(l.whole))
	}
	hash.Write([]byte(c.links[i-1].below + unsigned(c.links[i-1].seal, true)))
	return c.names.verifyHash(ctx, by, hash.Sum(nil), signature)
}

// signedAs reads the tags that both kinds of signature have.
func signedAs(tags map[string]string) (signedBy, []byte, error) {
	by := signedBy{domain: fold(tags["d"]), selector: tags["s"], algorithm: tags["a"]}
	signature, err := base64.StdEncoding.DecodeString(unspaced(tags["b"]))
	if by.domain == "" || by.selector == "" || err != nil || len(signature) == 0 {
		return by, nil, errTags
	}
	if by.algorithm != "rsa-sha256" && by.algorithm != "ed25519-sha256" {
		return by, nil, errors.New("a= is unknown")
	}
	if t, said := tags["t"]; said {
		if _, err := strconv.ParseUint(t, 10, 63); err != nil {
			return by, nil, errTags
		}
	}
	return by, signature, nil
}

// form says which of header and body are signed in their relaxed form.
type form struct{ header, body bool }

// formsOf are the forms that a signature may be in, none if what it says is unknown. Without c= it is simple by RFC 6376
// §3.5, but sealers have always signed in the relaxed form, and some have left it unsaid.
func formsOf(tags map[string]string) []form {
	said, found := tags["c"]
	if !found {
		return []form{{}, {header: true}, {true, true}}
	}
	header, body, both := strings.Cut(said, "/")
	if !both {
		body = "simple"
	}
	known := func(s string) bool { return s == "simple" || s == "relaxed" }
	if !known(header) || !known(body) {
		return nil
	}
	return []form{{header == "relaxed", body == "relaxed"}}
}

func (c *chain) expired(x string) bool {
	seconds, err := strconv.ParseInt(x, 10, 64)
	return x != "" && (err != nil || c.at.Unix() > seconds)
}

func (c *chain) bodyHash(relaxed bool) [sha256.Size]byte {
	hash, known := c.hashes[relaxed]
	if !known {
		hash = bodyHash(c.body, relaxed)
		c.hashes[relaxed] = hash
	}
	return hash
}

// pick returns the fields that a signature names, each name the next one from below (RFC 6376 §5.4.2). A name without
// a field stands for none. Seals must not be among them (RFC 8617 §4.1.2).
func pick(fields map[string][]string, signed []string) ([]string, error) {
	if len(signed) > maxSigned {
		return nil, errors.New("it signs too many fields")
	}
	used := map[string]int{}
	var picked []string
	for _, name := range signed {
		name = strings.ToLower(name)
		if name == "arc-seal" {
			return nil, errors.New("it signs a seal")
		}
		all := fields[name]
		if used[name]++; used[name] <= len(all) {
			picked = append(picked, all[len(all)-used[name]])
		}
	}
	return picked, nil
}

// arcOf validates the chain of m. It returns an error only if ctx ends.
func arcOf(ctx context.Context, n *names, m *filters.Message, at time.Time) (filters.ARC, error) {
	links, err := chainOf(m.Fields())
	switch {
	case err != nil:
		return filters.ARC{Result: resultFail, Reason: err.Error()}, nil
	case len(links) == 0:
		return filters.ARC{Result: resultNone}, nil
	}
	if reason := tooCostly(m.Raw(), nil); reason != "" {
		return filters.ARC{Result: resultFail, Reason: reason}, nil
	}
	c := newChain(n, m, links, at)
	err = c.validate(ctx)
	if ctx.Err() != nil {
		return filters.ARC{}, fmt.Errorf("validating the chain: %w", ctx.Err())
	}
	var failure *net.DNSError
	switch {
	case errors.As(err, &failure) && failure.IsTemporary:
		return filters.ARC{Result: resultTemperror, Reason: err.Error()}, nil
	case err != nil:
		return filters.ARC{Result: resultFail, Reason: err.Error()}, nil
	}
	found := filters.ARC{Result: resultPass, Oldest: c.oldest(ctx)}
	for i := len(links) - 1; i >= 0; i-- {
		seal := filters.Seal{Domain: fold(links[i].sealTags["d"])}
		seal.DMARC, seal.Author = dmarcIn(links[i].results)
		found.Sealed = append(found.Sealed, seal)
	}
	return found, nil
}
