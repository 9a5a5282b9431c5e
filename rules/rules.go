// Package rules is what the operator writes: what to look for, what it is worth, and what to do about it.
//
// Load reads rules.yaml and everything it includes into a Set, strictly: it reports every finding with its
// place. A Set is immutable once loaded and may be shared by any number of goroutines.
//
//	set, findings := rules.Load(os.DirFS(dir), "rules.yaml", known)
//	if findings.Err() != nil { ... print each finding, keep the old set ... }
//	policy := set.PolicyFor(rules.Whose{Rcpt: "bob@example.org"})
//
// The package knows nothing of mail, DNS or SMTP: filters read their own section's types (Zone, Bulk, Pattern),
// scoring reads symbols, combinations, caps and policies.
package rules

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"weir/rules/strict"
)

// Action is what a verdict tells the proxy to do. A later one is worse for the sender.
type Action uint8

// The actions, in rising order.
const (
	Pass    Action = iota // deliver
	Tag                   // deliver with X-Spam-Flag: YES
	Subject               // likewise, with a mark before the subject
	Defer                 // 451, the sender may try again
	Reject                // 5xx
)

var actionNames = [...]string{"pass", "tag", "subject", "defer", "reject"}

// String is the action's name in rules, records and headers.
func (a Action) String() string { return actionNames[a] }

// MarshalText writes the action's name.
func (a Action) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads an action's name.
func (a *Action) UnmarshalText(b []byte) error {
	for i, name := range actionNames {
		if name == string(b) {
			*a = Action(i)
			return nil
		}
	}
	return fmt.Errorf("unknown action %q; known are pass, tag, subject, defer and reject", b)
}

// Mode says how a symbol's presence counts.
type Mode uint8

// The modes of a zone, an answer or a rule.
const (
	Weighted Mode = iota // its points are added at the end of DATA
	Hard                 // it refuses alone, at RCPT when it is known by then
	Shadow               // it is recorded and scores nothing
	Allow                // the message passes, whatever it adds up to and whatever refuses alone
)

var modeNames = [...]string{"weighted", "hard", "shadow", "allow"}

// String is the mode's name in rules.
func (m Mode) String() string { return modeNames[m] }

// MarshalText writes the mode's name.
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads a mode's name.
func (m *Mode) UnmarshalText(b []byte) error {
	for i, name := range modeNames {
		if name == string(b) {
			*m = Mode(i)
			return nil
		}
	}
	if string(b) == "off" {
		return errors.New("there is no mode off; shadow counts and shows, and scores nothing")
	}
	return fmt.Errorf("unknown mode %q; known are weighted, hard, shadow and allow", b)
}

// Symbol is one thing that can be true of a message, and everything the operator said of it.
// A filter reports it by Name; what it is worth stands here and nowhere else.
type Symbol struct {
	Name    string
	About   string // one sentence for humans
	Points  Points
	Grow    int // see For; 0 for points that do not grow
	Mode    Mode
	Family  string    // the family whose cap it counts under; "" for none
	Zone    string    // the ID of the zone whose answer it is; "" for others. A policy's ZoneMode acts on these
	Public  string    // what the sender may be told, ready to print; "" for nothing
	Until   time.Time // the end of a rule on trial; zero for none
	OneOf   string    // of the symbols sharing this key only the heaviest counts (a zone's `combine: max`)
	CapAt   *Cap      // the presence of this symbol caps a family (bulk.exempt); nil for most
	Src     strict.Src
	Changed []Override // overrides applied, in order
}

// Override is one applied entry of `override:`.
type Override struct {
	Was Points
	Why string
	Src strict.Src
}

// Cap limits the sum of the positive points of a family.
type Cap struct {
	Family string
	Points Points
	Src    strict.Src
}

// Threshold is the points from which an action holds; Off means never.
type Threshold struct {
	Points Points
	Off    bool
}

// Reached reports whether p is at or above the threshold.
func (t Threshold) Reached(p Points) bool { return !t.Off && p >= t.Points }

// Thresholds of one policy. The highest reached wins.
type Thresholds struct {
	Tag, Subject, Defer, Reject Threshold
}

// NoThresholds leads to no action at all.
func NoThresholds() Thresholds {
	off := Threshold{Off: true}
	return Thresholds{Tag: off, Subject: off, Defer: off, Reject: off}
}

// Of is the threshold of an action, nil for Pass.
func (t *Thresholds) Of(a Action) *Threshold {
	return [...]*Threshold{nil, &t.Tag, &t.Subject, &t.Defer, &t.Reject}[a]
}

// Actions are those that have a threshold, in rising order.
func Actions() []Action { return []Action{Tag, Subject, Defer, Reject} }

// ActionNames are the names of all actions, in rising order.
func ActionNames() []string { return slices.Clone(actionNames[:]) }

// Policy is how the mail of one group of recipients, senders or users is judged. What a policy does not say, Load has filled in from
// the set, so readers need no fallback.
type Policy struct {
	ID         string   // "default" for the last one, which matches everybody
	Rcpt       []string // its recipients, as written; nil for all
	Thresholds Thresholds
	ZoneMode   *Mode            // overrides the mode of every zone answer; nil leaves them as written
	BulkMode   *Mode            // likewise of the family bulk: Weighted or Shadow
	NoGreylist bool             // no stranger waits
	Mark       string           // what Subject puts before a subject, of one to maxMark bytes and without blanks around it
	Scores     map[string]Score // by the names of symbols that are worth something else than for all
	Src        strict.Src
	whose      audience
}

// Set is one loaded generation of rules.
type Set struct {
	Digest   string             // "sha256:…" over all files read, in order
	Symbols  map[string]*Symbol // by name
	Combos   []Combo            // `when:` rules, each after those it reads
	Zones    []Zone             // for filters/dnsbl
	Bulk     Bulk               // for filters/bulk
	Greylist *Greylist          // for filters/greylist and scoring; nil for none
	Outgoing Outgoing           // for filters/outgoing
	Sealers  *List              // for filters/auth: whose ARC seals are believed; nil for nobody's
	Lists    map[string]*List
	Caps     []Cap
	Policies []*Policy // first match wins; the last is the default
	Matchers
	Selftests
	Files   []string // every file read, in order; "builtin:NAME" is in the binary
	replies replies
}

// Matchers are what rules look for in messages.
type Matchers struct {
	Patterns    []Pattern    // for filters/pattern
	Attachments []Attachment // for filters/attachment
	Elements    []Element    // for filters/html
	Who         []Who        // for filters/who
}

// Selftests are the tests that stand in the rules themselves.
type Selftests struct {
	Proofs []Proof // the hit/miss tests beside each rule
	Tests  []Test  // the whole-message tests
}

// Combo is a `when:` rule: a symbol that holds when an expression over other symbols and features does.
type Combo struct {
	Symbol string
	When   *Condition
}
