package console

import "time"

// State is how a running weir fares. It holds no secret: no password, no key of a list.
type State struct {
	Version    string     `json:"version"`
	Host       string     `json:"host"`
	Started    time.Time  `json:"started"`
	Shadow     bool       `json:"shadow"`
	Missing    []string   `json:"missing"` // what it lacks to serve; none when it is ready
	Alarms     []Alarm    `json:"alarms"`
	Rules      Rules      `json:"rules"`
	Sessions   Sessions   `json:"sessions"`
	Limits     []Limit    `json:"limits"` // those that clients have met
	Listeners  []Listener `json:"listeners"`
	Backends   []Backend  `json:"backends"`
	Lists      []List     `json:"lists"`
	VerdictLog *Log       `json:"verdict_log,omitempty"` // nil without one
	Memory     Memory     `json:"memory"`
	Bulk       Compared   `json:"bulk"`
}

// Names of alarms.
const (
	AlarmBackend     = "backend"     // no server behind is up
	AlarmBodies      = "bodies"      // messages are not kept that should be
	AlarmCertificate = "certificate" // the files hold none that can be used
	AlarmDescriptors = "descriptors" // there was none for a client
	AlarmDisk        = "disk"        // there was no space for a message
	AlarmLists       = "lists"       // DNS lists are not asked
	AlarmReload      = "reload"      // the last reload was refused
	AlarmResolver    = "resolver"    // no DNS server answers
	AlarmStore       = "store"       // what is counted is not shared
	AlarmVerdictLog  = "verdict_log" // records were lost, or cannot be written
)

// alarms are all names, so that a metric says of each whether it is raised.
var alarms = []string{
	AlarmBackend, AlarmBodies, AlarmCertificate, AlarmDescriptors, AlarmDisk, AlarmLists, AlarmReload, AlarmResolver, AlarmStore, AlarmVerdictLog,
}

// Alarm is something that an operator should look at.
type Alarm struct {
	Name string `json:"alarm"` // one of the constants
	Text string `json:"text"`
}

// Rules names the rules in force.
type Rules struct {
	Generation int       `json:"generation"`
	Digest     string    `json:"digest"`
	Reloaded   bool      `json:"reload_successful"` // the last reload, or the start
	At         time.Time `json:"reloaded,omitzero"` // when it was tried
}

// Sessions are those that there are, and what became of the others.
type Sessions struct {
	Active int       `json:"active"`
	Ended  []Outcome `json:"ended"`
}

// Outcome is how many sessions of a listener ended in one way.
type Outcome struct {
	Listener string `json:"listener"`
	Result   string `json:"result"`
	Sessions uint64 `json:"sessions"`
}

// Limit is how often clients were refused by a limit.
type Limit struct {
	Name  string    `json:"limit"`
	Times uint64    `json:"times"`
	Last  time.Time `json:"last"`
}

// Listener is where clients come in.
type Listener struct {
	Name string `json:"name"`
	Addr string `json:"addr"`
	Role string `json:"role"`
	TLS  string `json:"tls"`
}

// Backend is a server behind. Its name is the key of weir.yaml that says its address.
type Backend struct {
	Name string `json:"name"`
	Addr string `json:"addr"`
	Up   bool   `json:"up"`
}

// List is a DNS list and its guard.
type List struct {
	Rule      string    `json:"rule"`
	Zone      string    `json:"zone"` // without a key
	Parked    bool      `json:"parked"`
	Why       string    `json:"why,omitempty"`
	Until     time.Time `json:"until,omitzero"`
	Warning   string    `json:"warning,omitempty"`
	LastError string    `json:"last_error,omitempty"`
	Asked     uint64    `json:"asked"` // the next two are parts of it
	Listed    uint64    `json:"listed"`
	Unknown   uint64    `json:"unknown"`
	Took      Times     `json:"-"`
}

// Times are durations counted by their length.
type Times struct {
	Count uint64
	Total time.Duration
	Upto  map[float64]uint64 // how many took at most so many seconds
}

// Log is the verdict log.
type Log struct {
	Waiting int    `json:"waiting"` // records to be written
	Room    int    `json:"room"`    // for so many
	Dropped uint64 `json:"dropped"`
	Trouble string `json:"trouble,omitempty"` // why nothing can be written now

	Messages *Messages `json:"messages,omitempty"` // nil if none are kept
}

// Messages are those that are kept beside the verdict log.
type Messages struct {
	Bytes   int64  `json:"bytes"`   // on the disk
	Waiting int64  `json:"waiting"` // bytes to be written
	Dropped uint64 `json:"dropped"`
	Trouble string `json:"trouble,omitempty"` // why nothing can be written now
}

// Memory is what weir remembers of earlier mail.
type Memory struct {
	Counters int   `json:"counters"`
	Bytes    int64 `json:"bytes"`
	Max      int64 `json:"max"`

	Shared *Shared `json:"shared,omitempty"` // nil if it is this process's alone
}

// Shared is how the sharing of what is remembered goes.
type Shared struct {
	Away    bool  `json:"away"`    // nothing is shared now
	Trips   int64 `json:"trips"`   // round trips made
	Waiting int   `json:"waiting"` // additions that wait to be told
	Lost    int64 `json:"lost"`    // additions that were never told, or perhaps not
}

// Compared is what became of the messages that were compared with others.
type Compared struct {
	Unlike   uint64 `json:"unlike"` // like none before
	Loose    uint64 `json:"loose"`
	Strict   uint64 `json:"strict"`
	Exempted uint64 `json:"exempted"` // spared by a list
	Earned   uint64 `json:"earned"`   // spared, as their senders have earned
	Broken   uint64 `json:"broken"`   // not as was earned
	Merges   uint64 `json:"merges"`   // of two campaigns
}

// Ready reports whether mail can be taken and handed on.
func (s State) Ready() bool { return len(s.Missing) == 0 }

// Summary is the state in a line.
func (s State) Summary() string {
	switch {
	case !s.Ready():
		return "not ready"
	case len(s.Alarms) > 0:
		return "ready, with alarms"
	}
	return "ready"
}
