// Package filters is what a filter sees and what it says.
//
// A filter is a value, a Check: a name, the symbols it may report and a func. It sees a Mail and reports symbols;
// it never knows what a symbol is worth, never logs, and never changes the mail. The Pipeline runs all checks of a
// connection, each as soon as what it reads is known, and bounds how long anybody waits for them.
//
//	pass := pipeline.Begin(ctx)                 // one connection
//	pass.Reach(filters.Connect, mail)           // starts, never blocks
//	results := pass.Results(filters.Connect)    // waits, at most the budget
package filters

import (
	"context"
	"time"
)

// Stage is how far a dialogue has come. It only moves forward.
type Stage uint8

// The stages, in order. Each says what of a Mail is known from then on.
const (
	Connect    Stage = iota // Session.Addr, Listener
	Sender                  // + Session.Hello, TLS, User; Envelope.From
	Addressed               // + Envelope.To: one recipient; no rule tells those that follow from it
	Recipients              // + Envelope.To; Session.ReverseName
	Body                    // + Message
	Proven                  // + Auth: who is proven to have sent it
	stages                  // how many there are
)

var stageNames = [...]string{"connect", "sender", "addressed", "recipients", "body", "proven"}

// String is the stage's name in messages and documentation.
func (s Stage) String() string { return stageNames[s] }

// Check is one filter. Checks are literals in one list (cmd/weir/filters.go); there is no registry.
type Check struct {
	Name    string   // as in records and rules: "dnsbl". Checks that are parts of one share it
	Rule    string   // the part of the rules that this one alone is about, such as a zone; "" for most
	Doc     string   // one sentence
	Stage   Stage    // the earliest at which all that it reads is known
	Symbols []string // all that it may report

	// Optional says that a verdict need not wait for it once nothing that it may report can change the action. It asks
	// others, whose answers may never come; no other check reads what it finds, and it keeps no account of messages.
	Optional bool

	// Run looks at m and reports. It must honour ctx, may be called by many goroutines at once, and must not keep
	// or change what m points to. What could not be found out is a Problem in the Report; an error or a panic
	// means the whole check failed and becomes one Problem. Neither is ever a hit.
	Run func(ctx context.Context, m Mail) (Report, error)

	// Learn, if not nil, counts what became of a message after its answer. It must end soon, and bears on later messages
	// alone.
	Learn func(ctx context.Context, m Mail, o Outcome) error
}

// Hit is a symbol that holds, and the evidence. It has no number: a filter cannot score.
type Hit struct {
	Symbol string `json:"rule"`
	Detail string `json:"detail,omitempty"` // for the operator: "192.0.2.7 -> 127.0.0.2"
}

// Problem is something a check could not find out. It is recorded and shown; it never scores.
type Problem struct {
	Check  string `json:"check"`
	Rule   string `json:"rule,omitempty"`   // the zone or symbol concerned, if one
	Kind   string `json:"kind"`             // one of the Kind constants
	Detail string `json:"detail,omitempty"` // for the operator; no secrets
}

// Kinds of Problem, as the verdict record names them.
const (
	KindTimeout  = "timeout"
	KindServfail = "servfail"
	KindRefused  = "refused"
	KindSentinel = "sentinel" // a list answered with an error code
	KindParked   = "parked"   // a list is not asked for now
	KindPanic    = "panic"
	KindFailed   = "failed" // anything else
)

// Report is what one run of a check has to say.
type Report struct {
	Hits     []Hit
	Problems []Problem
	Facts    Facts
}

// Facts are findings that others read beyond symbols. Each field is set by the one check that owns it.
type Facts struct {
	Reverse *Reverse // the client's reverse name
	Auth    *Auth    // part of who is proven to have sent it; parts of several checks are merged
	Bulk    *Bulk    // how often and how widely alike messages were seen
	Asked   *Asked   // the DNS list that was asked; for the record alone, so Gather leaves it
}

// Asked is a DNS list that a check has asked.
type Asked struct {
	Zone string        // its id
	Took time.Duration // 0 if all answers were known from before
}

// Result is a Report with the circumstances of its run.
type Result struct {
	Check string
	Report
	Took time.Duration
}

// Gather merges the facts of results, in their order.
func Gather(results []Result) Facts {
	var all Facts
	for _, r := range results {
		if r.Facts.Reverse != nil {
			all.Reverse = r.Facts.Reverse
		}
		if r.Facts.Auth != nil {
			all.Auth = all.Auth.merge(r.Facts.Auth)
		}
		if r.Facts.Bulk != nil {
			all.Bulk = r.Facts.Bulk
		}
	}
	return all
}
