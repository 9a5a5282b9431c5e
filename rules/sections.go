package rules

import (
	"net/netip"
	"time"

	"weir/rules/strict"
)

// Where says what part of a message a Pattern reads.
type Where uint8

// The targets of patterns.
const (
	InHeader  Where = iota // the decoded, unfolded value of each header named Header
	InBody                 // the visible text
	InURLHost              // the host of each URL
	InURL                  // each URL whole
)

// Pattern is a rule that reads the message by RE2 expressions; filters/pattern runs them all in one pass.
type Pattern struct {
	Symbol  string
	Where   Where
	Header  string   // the header's name for InHeader
	Missing bool     // InHeader only: holds when no such header exists; Any is empty then
	Any     []string // RE2 expressions, valid
	AtLeast int      // how many different expressions must match; at least 1
}

// Zone is one DNS list.
type Zone struct {
	ID            string
	Zone          string // the suffix to query, without final dot; may hold a secret key
	Display       string // the suffix with any secret removed: for replies, logs and errors
	Ask           []Ask
	Host          Host
	Hash          Hash
	Literals      bool // hosts of links that are addresses are asked for too, as the client's address is
	AllowLoopback bool // 127.0.0.1 is an answer like any other
	For           Only
	V6Bits        int        // an IPv6 address is asked for by its network of this length; 0 by the address
	Test          TestPoints // instead of those of RFC 5782
	Answers       []Answer
	Errors        []ZoneError
	Hard          bool // at least one answer can refuse under some policy
	Src           strict.Src
}

// Answer maps the addresses a zone may answer with to a symbol.
type Answer struct {
	Symbol string // ZONE_ANSWER
	Ask    []Ask  // the keys for which it counts; nil for all of the zone's
	Match  AddrMatch
}

// ZoneError maps answers that are not listings to their meaning.
type ZoneError struct {
	Match AddrMatch
	Means string
}

// AddrMatch is a set of IPv4 answers: all given conditions must hold.
type AddrMatch struct {
	Ranges []AddrRange // the address lies in one of them; empty means anywhere in 127.0.0.0/8
	Octets [4]int16    // a required value of each octet, -1 for any
	Bits   byte        // every set bit must be set in the last octet; 0 for no condition
}

// AddrRange is an inclusive range of addresses.
type AddrRange struct{ From, To netip.Addr }

// Matches reports whether the answer a is in the set.
func (m AddrMatch) Matches(a netip.Addr) bool {
	a = a.Unmap()
	if !a.Is4() {
		return false
	}
	octets := a.As4()
	for i, want := range m.Octets {
		if want >= 0 && int16(octets[i]) != want {
			return false
		}
	}
	if octets[3]&m.Bits != m.Bits {
		return false
	}
	if len(m.Ranges) == 0 {
		return octets[0] == 127
	}
	for _, r := range m.Ranges {
		if a.Compare(r.From) >= 0 && a.Compare(r.To) <= 0 {
			return true
		}
	}
	return false
}

// Bulk is the counting of alike messages.
type Bulk struct {
	Windows []Window
	Exempt  []Exempt
	Earned  *Earned // nil: nobody is exempt but by Exempt
	Traps   *Traps  // nil: there are none
}

// Traps are addresses that nobody writes to who has asked for leave: mail to them is counted by campaign.
type Traps struct {
	Symbol string // of a message to one of them; "" for none
	List   *List  // of addresses or domains; nil if the rules are wrong
}

// Window is one symbol of bulk counting: it holds when at least the given numbers were seen within Over.
type Window struct {
	Symbol     string
	Over       time.Duration
	Alike      int // messages alike, this one included
	Networks   int // distinct client networks (/24, /64); 0 for no condition
	Senders    int // distinct envelope sender domains
	Recipients int // distinct recipients
	Traps      int `json:",omitzero"` // messages to a trap
	// PerUser asks all that of what one authenticated user has sent, in place of all senders; Networks, Senders and Traps
	// are 0 then.
	PerUser bool `json:",omitzero"`
}

// Exempt is wanted bulk: Symbol holds when a domain proven to have sent the message is in Signers.
// The Symbol's CapAt then caps the family "bulk".
type Exempt struct {
	Symbol  string
	Signers *List
}

// Earned is wanted bulk that nobody has listed. Symbol holds when one proven sender, with a way to leave by one click, has
// sent at least Messages over at least After and hardly anything of it was refused; its CapAt then caps the family "bulk".
// Broken holds instead, for some days, when something in his mail is new.
type Earned struct {
	Symbol   string
	Broken   string
	After    time.Duration
	Messages int
}

// Proof is one hit or miss written beside a rule.
type Proof struct {
	Rule    string
	Hit     bool     // the rule must hold, or must not
	Text    string   // a header line "Name: value" for header rules, else a text
	Symbols []string // for `when:` rules: the symbols that are set
	Src     strict.Src
}

// Test is a whole message judged with given circumstances.
type Test struct {
	Name    string
	Session TestSession
	Message string              // empty: the test ends at RCPT
	DNS     map[string][]string // name -> IPv4 addresses, or texts as TXT "…"; names not given do not exist
	Auth    []string            // domains given as proven
	At      time.Time           // the clock; zero for now
	Want    Want
	Src     strict.Src
}

// TestSession is the client and envelope of a Test.
type TestSession struct {
	IP       netip.Addr
	Helo     string
	RDNS     string
	User     string
	From     string
	To       []string
	Listener string
}

// Want is what a Test expects; what is not said is not checked.
type Want struct {
	Action *Action
	At     string // connect | rcpt | data
	Code   int
	Reply  string   // a part of the reply's text
	Score  *Points  // exactly
	Hits   []string // symbols that must be present
	Misses []string // symbols that must be absent
	Errors []string // zones or checks that must have failed
	Policy string
}
