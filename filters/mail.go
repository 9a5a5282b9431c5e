package filters

import (
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Mail is what is known of a message so far. It is passed by value; a nil field is not known yet. What the fields
// point to never changes: who learns more makes a new value.
type Mail struct {
	At       time.Time // when it arrived; the clock of windows
	Session  *Session
	Envelope *Envelope
	Message  *Message
	Auth     *Auth
}

// Session is the client's side of one SMTP session.
type Session struct {
	ID           string
	Listener     string // the listener's name in weir.yaml
	Addr         netip.AddrPort
	ReverseName  string // "" if none is known
	ReverseOK    bool   // ReverseName points back to Addr
	ReverseKnown bool   // the reverse name was found, or found to be none; false when the lookup failed
	Hello        string // the argument of HELO or EHLO
	Proto        string // SMTP, ESMTP, ESMTPS, ESMTPA, ESMTPSA (RFC 3848)
	TLS          string // "TLS1.3", or "" in clear
	User         string // the authenticated user, or ""
	Manners      Manners

	Via  *Session // the relay of ours from which the client's message came; nil if the client itself is connected
	Hops int      // the Received fields, from the top, that relays of ours have written
}

// Connected is the session of whoever is connected: the client's own or that of the relay before it.
func (s *Session) Connected() *Session {
	if s == nil || s.Via == nil {
		return s
	}
	return s.Via
}

// Network is the client's network as it is counted: /24, or /64 of IPv6. The zero Prefix if there is no client.
func (s *Session) Network() netip.Prefix {
	a := s.Addr.Addr().Unmap().WithZone("")
	if !a.IsValid() || a.IsUnspecified() {
		return netip.Prefix{}
	}
	bits := 64
	if a.Is4() {
		bits = 24
	}
	p, _ := a.Prefix(bits) // both lengths are fine
	return p
}

// Manners is how a client has offended against the rules of the dialogue. Each field is the evidence, "" without an
// offence.
type Manners struct {
	Greeter    string // it spoke before it was greeted
	Pipelining string // it sent more before it could know that it may
	Command    string // it sent what is no command
}

// Envelope is the sender and recipients of one transaction, without angle brackets.
type Envelope struct {
	From string // "" for the null sender
	To   []string
}

// Reverse is the client's reverse name.
type Reverse struct {
	Name string // "" if there is none
	OK   bool   // Name resolves back to the client
}

// Auth is who is proven to have sent a message. The nil *Auth means it was not looked at.
type Auth struct {
	SPF     SPF
	DKIM    []Signature
	ARC     ARC      `json:",omitzero"`
	DMARC   DMARC    `json:",omitzero"`
	Domains []string // lower case, proven: passing SPF or DKIM domains, aligned with the From header's domain
}

// SPF is the outcome of RFC 7208 for a session's sender.
type SPF struct {
	Result string // none neutral pass fail softfail temperror permerror; "" if not checked
	Domain string // the domain checked
}

// Signature is one DKIM signature and its outcome (RFC 6376, results as in RFC 8601).
type Signature struct {
	Domain    string `json:"domain"`
	Selector  string `json:"selector,omitempty"`
	Algorithm string `json:"algorithm,omitempty"` // as the signature names it: rsa-sha256
	Begins    string `json:"b,omitempty"`         // how the signature itself begins, to tell two of one domain apart
	Result    string `json:"result"`              // pass fail temperror permerror neutral
	Reason    string `json:"reason,omitempty"`
}

// ARC is the outcome of the chain of those who passed a message on (RFC 8617).
type ARC struct {
	Result string `json:"result"` // none pass fail temperror; "" if not checked
	Reason string `json:"reason,omitempty"`
	Oldest int    `json:"oldest,omitempty"` // of a valid chain, the first set after which nothing was changed; 0 if nothing ever was
	Sealed []Seal `json:"sealed,omitempty"` // of a valid chain, the newest first
}

// Seal is one who passed a message on, and what he says of it as it came to him.
type Seal struct {
	Domain string `json:"domain"`
	DMARC  string `json:"dmarc,omitempty"`  // the result that he found, "" if he does not say
	Author string `json:"author,omitempty"` // the From header's domain that it was for, "" if he does not say
}

// DMARC is the outcome of RFC 9989 for the author in the From header.
type DMARC struct {
	Result string `json:"result"`           // pass fail none temperror permerror; "" if not checked or not known
	Domain string `json:"domain,omitempty"` // the author's; of several, the one whose policy holds
	Policy string `json:"policy,omitempty"` // what its owner asks to do with a failure: none quarantine reject; "" without a record
	Spared string `json:"spared,omitempty"` // who vouches for a failure: the domain of a trusted sealer
}

// Proves reports whether domain, or a domain it lies under, is proven to have sent the message. domain is in lower case.
func (a *Auth) Proves(domain string) bool {
	return a != nil && slices.ContainsFunc(a.Domains, func(d string) bool {
		return domain == d || strings.HasSuffix(domain, "."+d)
	})
}

// BestSignature is the best result of all signatures: "pass" if one holds, whoever signed, and "none" without any.
func (a *Auth) BestSignature() string {
	for _, result := range []string{"pass", "temperror", "fail", "permerror", "neutral"} {
		if slices.ContainsFunc(a.DKIM, func(s Signature) bool { return s.Result == result }) {
			return result
		}
	}
	return "none"
}

func (a *Auth) merge(more *Auth) *Auth {
	if a == nil {
		return more
	}
	sum := Auth{SPF: a.SPF, DKIM: slices.Concat(a.DKIM, more.DKIM), ARC: a.ARC, DMARC: a.DMARC, Domains: slices.Clone(a.Domains)}
	if more.SPF.Result != "" {
		sum.SPF = more.SPF
	}
	if more.ARC.Result != "" {
		sum.ARC = more.ARC
	}
	if more.DMARC.Result != "" {
		sum.DMARC = more.DMARC
	}
	for _, d := range more.Domains {
		if !slices.Contains(sum.Domains, d) {
			sum.Domains = append(sum.Domains, d)
		}
	}
	return &sum
}

// Bulk is how often and how widely messages like this one were seen, itself included.
type Bulk struct {
	Campaign    string    `json:"campaign"`
	Alike       int       `json:"alike"`        // messages alike by the looser measure
	AlikeStrict int       `json:"alike_strict"` // by the stricter one, which may refuse
	Networks    int       `json:"networks"`     // distinct client networks (/24, /64)
	Senders     int       `json:"senders"`      // distinct envelope sender domains
	Recipients  int       `json:"recipients"`   // distinct recipients
	FirstSeen   time.Time `json:"first_seen"`
	Exempt      string    `json:"exempt"` // the proven domain that makes it wanted, or ""
	BulkMore
}

// BulkMore are more such counts.
type BulkMore struct {
	HeaderDomains int `json:"header_domains"` // distinct domains of From headers
	Signers       int `json:"signers"`        // distinct domains with a valid DKIM signature
	Subjects      int `json:"subjects"`       // distinct subjects
	Traps         int `json:"traps"`          // messages to a trap
	Refused       int `json:"refused"`        // earlier messages that the rules have refused or deferred
	Complaints    int `json:"complaints"`     // messages that people have called spam
	Mine          int `json:"mine"`           // of alike_strict, those that this authenticated user has sent
}
