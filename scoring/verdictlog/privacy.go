package verdictlog

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"weir/scoring"
)

// Kept says what becomes of something personal in records.
type Kept string

// What may become of it. A hash is under a key that lies beside the log: who has the key finds an address by looking for
// it, and nobody can read it back.
const (
	Keep Kept = "keep"
	Hash Kept = "hash"
	Drop Kept = "drop"
)

// Privacy says what records keep of people. The zero Privacy keeps all.
type Privacy struct {
	LocalPart Kept // of addresses, wherever they stand; domains are always kept
	Subject   Kept
}

// keyName is the file of the key, within the folder of the log.
const keyName = "privacy.key"

// hashMark begins what stands for something hashed.
const hashMark = "~"

// secret is the key of the hashes.
type secret []byte

// findSecret reads the key in dir; nil without one, or where it may not be read.
func findSecret(dir string) secret {
	text, err := os.ReadFile(filepath.Join(dir, keyName))
	if err != nil {
		return nil
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) == 0 {
		return nil
	}
	return key
}

// openSecret reads the key in dir, or makes one. Without a folder the key is made and kept nowhere.
func openSecret(dir string) (secret, error) {
	key := make(secret, sha256.Size)
	if _, err := rand.Read(key); err != nil {
		return nil, err
	}
	if dir == "" {
		return key, nil
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(dir, keyName), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		if key = findSecret(dir); key == nil {
			return nil, fmt.Errorf("%s cannot be read, or is no key", filepath.Join(dir, keyName))
		}
		return key, nil
	}
	if err != nil {
		return nil, err
	}
	_, err = io.WriteString(file, hex.EncodeToString(key)+"\n")
	return key, errors.Join(err, file.Sync(), file.Close())
}

// hash is what stands for text, whatever its case.
func (s secret) hash(text string) string {
	const bytes = 8
	sum := hmac.New(sha256.New, s)
	sum.Write([]byte(fold(text)))
	return hashMark + hex.EncodeToString(sum.Sum(nil)[:bytes])
}

// address is an address with the hash of all of it as its local part.
func (s secret) address(address string) string {
	return s.hash(address) + address[strings.LastIndexByte(address, '@'):]
}

// Redactor makes records keep no more of people than Privacy says. It may be used by several goroutines at once.
type Redactor struct {
	privacy Privacy
	secret  secret
}

// Redactor returns what makes records so, nil if all is kept. Its key lies in dir, the folder of the log, and is made if it
// is needed and not there; without a folder each program has a key of its own.
func (p Privacy) Redactor(dir string) (*Redactor, error) {
	keeps := func(k Kept) bool { return k == Keep || k == "" }
	if keeps(p.LocalPart) && keeps(p.Subject) {
		return nil, nil
	}
	r := &Redactor{privacy: p}
	if p.LocalPart == Hash || p.Subject == Hash {
		var err error
		if r.secret, err = openSecret(dir); err != nil {
			return nil, fmt.Errorf("the key of what is hashed in the verdict log: %w", err)
		}
	}
	return r, nil
}

// Redact returns the record as it may be kept. What r shares with others stays as it is. A nil Redactor keeps all.
func (p *Redactor) Redact(r Record) Record {
	if p == nil {
		return r
	}
	e := evidence{redactor: p, addresses: append(recipients(&r), r.Envelope.From, r.Session.User)}
	if r.Message != nil {
		e.subject = r.Message.Subject
		e.addresses = append(e.addresses, r.Message.HeaderFrom)
		m := *r.Message
		m.HeaderFrom, m.Subject = p.address(m.HeaderFrom), p.subject(m.Subject)
		r.Message = &m
	}
	r.Session.User = p.address(r.Session.User)
	r.Envelope.From = p.address(r.Envelope.From)
	r.Envelope.To = slices.Clone(r.Envelope.To)
	for i, to := range r.Envelope.To {
		r.Envelope.To[i] = p.address(to)
	}
	r.Envelope.RcptRejected = slices.Clone(r.Envelope.RcptRejected)
	for i, refused := range r.Envelope.RcptRejected {
		r.Envelope.RcptRejected[i] = RcptRejected{To: p.address(refused.To), Reply: e.text(refused.Reply)}
	}
	r.Hits, r.Shadow = e.lines(r.Hits), e.lines(r.Shadow)
	r.Errors = slices.Clone(r.Errors)
	for i := range r.Errors {
		r.Errors[i].Detail = e.text(r.Errors[i].Detail)
	}
	r.Verdict.Reply.Text = e.text(r.Verdict.Reply.Text)
	if r.Outcome.Backend != nil {
		r.Outcome.Backend = &Backend{Addr: r.Outcome.Backend.Addr, Reply: e.text(r.Outcome.Backend.Reply)}
	}
	if r.Outcome.Facts != nil {
		f := *r.Outcome.Facts
		f.Features.User, f.Features.From = p.address(f.Features.User), p.address(f.Features.From)
		r.Outcome.Facts = &f
	}
	return r
}

// address is an address, or the name of a user, as it may be kept. The null sender stays.
func (p *Redactor) address(address string) string {
	if address == "" || p.privacy.LocalPart == Keep || p.privacy.LocalPart == "" {
		return address
	}
	domain := ""
	if at := strings.LastIndexByte(address, '@'); at >= 0 {
		domain = address[at:]
	}
	if p.privacy.LocalPart == Drop {
		return cmp.Or(domain, "@")
	}
	return p.secret.hash(address) + domain
}

// Redacted reports whether the local part of an address, or the name of a user, was hashed or dropped.
func Redacted(address string) bool {
	local, _, _ := strings.Cut(address, "@")
	return redactedLocal.MatchString(local) && address != ""
}

// redactedLocal is what address makes of local parts.
var redactedLocal = regexp.MustCompile(`^(?:` + hashMark + `[0-9a-f]{16})?$`)

func (p *Redactor) subject(subject string) string {
	switch {
	case p.privacy.Subject == Drop:
		return ""
	case p.privacy.Subject == Hash && subject != "":
		return p.secret.hash(subject)
	}
	return subject
}

// evidence makes the texts of a record so that they tell nothing that its fields may not.
type evidence struct {
	redactor  *Redactor
	addresses []string // of the record
	subject   string
}

// inText finds addresses in a text.
var inText = regexp.MustCompile(`[^\s<>()\[\],;:"@]+@(?:[\pL\pN.-]+|\[[^\]\s]*\])`)

func (e evidence) lines(all []scoring.Line) []scoring.Line {
	all = slices.Clone(all)
	for i := range all {
		all[i].Detail = e.text(all[i].Detail)
	}
	return all
}

// text leaves out of a text what is a piece of the subject or has all of it, and makes of local parts what they are made
// elsewhere.
func (e evidence) text(text string) string {
	if text == "" {
		return text
	}
	p := e.redactor.privacy
	if p.Subject == Hash || p.Subject == Drop {
		text = withoutSubject(text, e.subject)
	}
	if p.LocalPart != Hash && p.LocalPart != Drop {
		return text
	}
	text = inText.ReplaceAllStringFunc(text, e.redactor.address)
	for _, address := range e.addresses {
		if local, domain, _ := strings.Cut(address, "@"); len(local) >= shortestLocal {
			text = replaceName(text, local, strings.TrimSuffix(e.redactor.address(address), "@"+domain))
		}
	}
	return text
}

// shortestLocal is how many bytes a local part has at least to be looked for by itself: shorter ones are words of any text.
const shortestLocal = 3

// betweenEvidence is what checks put between pieces of a message that they quote.
const betweenEvidence = " | "

func withoutSubject(text, subject string) string {
	subject = fold(subject)
	pieces := slices.DeleteFunc(strings.Split(text, betweenEvidence), func(piece string) bool {
		piece = fold(piece)
		return subject != "" && (strings.Contains(subject, piece) || strings.Contains(piece, subject))
	})
	return strings.Join(pieces, betweenEvidence)
}

// replaceName replaces a name in a text, whatever its case, where it is not a part of a longer one.
func replaceName(text, name, with string) string {
	var b strings.Builder
	done := 0
	for i := 0; i+len(name) <= len(text); i++ {
		end := i + len(name)
		if !strings.EqualFold(text[i:end], name) || i > 0 && inName(text[i-1]) || goesOn(text[end:]) {
			continue
		}
		b.WriteString(text[done:i] + with)
		done, i = end, end-1
	}
	return b.String() + text[done:]
}

// inName reports whether c may stand in a local part that is not quoted (RFC 5321 section 4.1.2, RFC 6531 section 3.3).
func inName(c byte) bool {
	return c >= 0x80 || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("!#$%&'*+-/=?^_`{|}~.", c) >= 0
}

// goesOn reports whether rest continues the name before it: a dot or a stroke is a part of it only before something else.
func goesOn(rest string) bool {
	for i := range len(rest) {
		if !strings.ContainsRune(".-'", rune(rest[i])) {
			return inName(rest[i])
		}
	}
	return false
}
