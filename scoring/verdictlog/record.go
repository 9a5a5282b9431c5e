// Package verdictlog keeps what was decided: one Record a transaction, as JSON lines in daily files that are
// rotated, expired, searched and followed.
//
// The lines are all there is to keep. Beside each file that is full lies an index, which finds the few lines that a query
// may mean; it is made from the lines, and anew from them when it is lost. So what is written once is safe, an index
// costs mail no time, and both go by removing files. (Package index says what a database cost instead.)
//
// The Record is the product's one account of a decision. Headers, console and metrics are views of it; nothing else
// writes down why.
package verdictlog

import (
	"time"

	"github.com/oklog/ulid/v2"

	"weir/filters"
	"weir/rules"
	"weir/scoring"
)

// Schema is the version of the record's form. Within a version fields are only ever added.
const Schema = "verdict/1"

// NewID returns a new identifier, a ULID: unique, and sortable by the time t.
func NewID(t time.Time) string {
	return ulid.MustNew(ulid.Timestamp(t), ulid.DefaultEntropy()).String()
}

// IDTime returns the time within an identifier of NewID, to the millisecond.
func IDTime(id string) (time.Time, bool) {
	u, err := ulid.ParseStrict(id)
	if err != nil {
		return time.Time{}, false
	}
	return ulid.Time(u.Time()).UTC(), true
}

// Record is one transaction, or one session refused before any.
type Record struct {
	Schema string    `json:"schema"`
	Time   time.Time `json:"time"`
	ID     string    `json:"id"`
	Path   string    `json:"path,omitempty"` // the file judged, for check and stream
	Origin
	Rules    RulesID           `json:"rules"`
	Session  Session           `json:"session"`
	Envelope Envelope          `json:"envelope"`
	Message  *Message          `json:"message,omitempty"` // nil before DATA
	Auth     *Auth             `json:"auth,omitempty"`
	Verdict  Verdict           `json:"verdict"`
	Hits     []scoring.Line    `json:"hits"` // their scores sum to Verdict.Score
	Shadow   []scoring.Line    `json:"shadow"`
	Errors   []filters.Problem `json:"errors"`
	Outcome
}

// Facts are what the verdict was reached by, whatever it was worth, so that the same can be judged again under other
// rules. What combinations of symbols add is no fact.
type Facts struct {
	Symbols  []string       `json:"symbols"` // all that checks reported, in alphabetical order
	Features rules.Features `json:"features"`
	Failed   []string       `json:"failed,omitempty"` // the rules of errors, among them the lists that gave no answer
}

// Origin is the weir that judged.
type Origin struct {
	Host    string `json:"host"`
	Version string `json:"version"`
}

// Outcome is what the verdict was reached by, what followed from it and how long it took.
type Outcome struct {
	Facts     *Facts        `json:"facts,omitempty"` // nil where no rule has looked
	Bulk      *filters.Bulk `json:"bulk,omitempty"`
	Candidate *Candidate    `json:"candidate,omitempty"` // nil where no rules are on trial, and where they agree
	Learned   string        `json:"learned,omitempty"`   // what people said of the message: never written with the record, but added by Search and Find
	Kept      bool          `json:"body_kept,omitempty"` // the message is kept: likewise not written, but added by who shows the record
	Timing    Timing        `json:"timing_us"`
	Backend   *Backend      `json:"backend,omitempty"` // nil when the backend was not asked
}

// Candidate is what the rules on trial would have done otherwise.
type Candidate struct {
	Action  rules.Action `json:"action"`
	Score   rules.Points `json:"score"`
	Rules   string       `json:"rules"`             // their digest
	Unknown []string     `json:"unknown,omitempty"` // on what the action depends and nobody has looked for: symbols, or UnknownMessage
}

// Differs reports whether c is known to act otherwise; nil does not.
func (c *Candidate) Differs() bool { return c != nil && len(c.Unknown) == 0 }

// UnknownMessage is in Candidate.Unknown if the message was refused before it came, and would not have been.
const UnknownMessage = "message"

// RulesID names the generation of rules that judged.
type RulesID struct {
	Digest     string `json:"digest"`
	Generation int    `json:"generation"`
}

// Session is the client's side.
type Session struct {
	ID       string `json:"id"`
	Listener string `json:"listener"`
	Proto    string `json:"proto"`
	TLS      string `json:"tls"`
	User     string `json:"user"`
	Client   Client `json:"client"`
	Helo     string `json:"helo"`
}

// Client is the address that connected, or that a relay of ours had the message from.
type Client struct {
	IP     string `json:"ip"`
	Port   uint16 `json:"port"`
	RDNS   string `json:"rdns"`
	RDNSOK bool   `json:"rdns_ok"`
	Relay  string `json:"relay,omitempty"` // the trusted relay that is connected instead and has named the client; "" for none
}

// Envelope is the transaction's sender and recipients.
type Envelope struct {
	From         string         `json:"from"`
	To           []string       `json:"to"`
	RcptRejected []RcptRejected `json:"rcpt_rejected,omitempty"`
	Size         int            `json:"size"` // bytes of the message as received, 0 before DATA
}

// RcptRejected is a recipient that was refused, and the reply that said so.
type RcptRejected struct {
	To    string `json:"to"`
	Reply string `json:"reply"`
}

// Message is what identifies the message's content.
type Message struct {
	MessageID   string   `json:"message_id"`
	HeaderFrom  string   `json:"header_from"`
	Subject     string   `json:"subject"`
	Date        string   `json:"date"`
	Parts       int      `json:"parts"`
	Attachments int      `json:"attachments"`
	URLs        int      `json:"urls"`
	URLHosts    []string `json:"url_hosts"` // distinct, at most maxURLHosts
	SHA256      string   `json:"sha256"`
	Stripped    int      `json:"stripped,omitempty"` // headers of ours that came from outside and were removed
	Marked      int      `json:"marked,omitempty"`   // subjects that were delivered with a mark that they had not come with; Subject is without it
}

// Auth is who was proven to have sent it.
type Auth struct {
	SPF     string              `json:"spf"`
	DKIM    []filters.Signature `json:"dkim"`
	DMARC   string              `json:"dmarc"` // "" if not checked, as for SPF and ARC
	ARC     string              `json:"arc"`
	Domains []string            `json:"domains,omitempty"` // proven and aligned with the From header
	Policy  string              `json:"policy,omitempty"`  // what the author's domain asks to do with a failure of DMARC
	Sealers []string            `json:"sealers,omitempty"` // of a valid ARC chain, the newest first
	Spared  string              `json:"spared,omitempty"`  // the sealer for whose word a failure of DMARC is spared
}

// Verdict is the decision.
type Verdict struct {
	Action     rules.Action `json:"action"`
	Score      rules.Points `json:"score"`
	Thresholds Thresholds   `json:"thresholds"`
	Policy     string       `json:"policy"`
	At         string       `json:"at"` // connect | rcpt | data
	By         scoring.By   `json:"by"`
	Shadow     bool         `json:"shadow"` // decided, but not enforced
	Reply      Reply        `json:"reply"`

	// Early is what the verdict did not wait for; nil if nothing was left open. At RCPT, where only a hard refusal is
	// decided, the rest may change the action; after DATA nothing that was open can.
	Early *scoring.Early `json:"early,omitempty"`
}

// Stages of a dialogue at which a verdict falls, for Verdict.At.
const (
	AtConnect = "connect"
	AtRcpt    = "rcpt"
	AtData    = "data"
)

// Thresholds of the policy; nil where the action is off.
type Thresholds struct {
	Tag     *rules.Points `json:"tag"`
	Subject *rules.Points `json:"subject,omitempty"`
	Defer   *rules.Points `json:"defer,omitempty"`
	Reject  *rules.Points `json:"reject"`
}

// Rules is t as rules have it.
func (t Thresholds) Rules() rules.Thresholds {
	of := func(p *rules.Points) rules.Threshold {
		if p == nil {
			return rules.Threshold{Off: true}
		}
		return rules.Threshold{Points: *p}
	}
	return rules.Thresholds{Tag: of(t.Tag), Subject: of(t.Subject), Defer: of(t.Defer), Reject: of(t.Reject)}
}

// Reply is what the client was told.
type Reply struct {
	Code     int    `json:"code"`
	Enhanced string `json:"enhanced"`
	Text     string `json:"text"`
}

// Timing is how long it took, in microseconds.
type Timing struct {
	Connect int64            `json:"connect"` // from accept to MAIL
	DNS     int64            `json:"dns"`     // the slowest check that asks DNS
	Parse   int64            `json:"parse"`
	Checks  map[string]int64 `json:"checks"`
	Zones   map[string]int64 `json:"zones,omitempty"` // of each DNS list that was asked; 0 if its answers were known from before
	Backend int64            `json:"backend"`
	Total   int64            `json:"total"` // from MAIL to the final reply
}

// Backend is the server behind and its last word.
type Backend struct {
	Addr  string `json:"addr"`
	Reply string `json:"reply"`
}
