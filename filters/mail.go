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
	Domains []string // lower case, proven: passing SPF or DKIM domains, aligned with the From header's domain
}

// SPF is the outcome of RFC 7208 for a session's sender.
type SPF struct {
	Result string // none neutral pass fail softfail temperror permerror; "" if not checked
	Domain string // the domain checked
}

// Signature is one DKIM signature and its outcome (RFC 6376, results as in RFC 8601).
type Signature struct {
	Domain   string `json:"domain"`
	Selector string `json:"selector,omitempty"`
	Result   string `json:"result"` // pass fail temperror permerror neutral
	Reason   string `json:"reason,omitempty"`
}

// Proves reports whether domain, or a domain it lies under, is proven to have sent the message. domain is in lower case.
func (a *Auth) Proves(domain string) bool {
	return a != nil && slices.ContainsFunc(a.Domains, func(d string) bool {
		return domain == d || strings.HasSuffix(domain, "."+d)
	})
}

func (a *Auth) merge(more *Auth) *Auth {
	if a == nil {
		return more
	}
	sum := Auth{SPF: a.SPF, DKIM: slices.Concat(a.DKIM, more.DKIM), Domains: slices.Clone(a.Domains)}
	if more.SPF.Result != "" {
		sum.SPF = more.SPF
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
}
