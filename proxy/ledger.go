package proxy

import (
	"fmt"
	"maps"
	"sync"
	"time"
)

// Outcome is what became of a session.
type Outcome struct {
	Listener string // its name
	Result   string // one of the constants
}

// Results of sessions.
const (
	Served  = "served"  // the client left
	Cut     = "cut"     // we hung up on it
	Refused = "refused" // it was not let in
)

// Met says how often clients met a limit, and when last.
type Met struct {
	Times uint64
	Last  time.Time
}

// Counts are totals since the server was made.
type Counts struct {
	Sessions map[Outcome]uint64
	Limits   map[string]Met // by the limit: a key of weir.yaml's limits, or errors, timeout, disk, descriptors
}

// Limits that are the machine's, not the configuration's.
const (
	LimitDisk        = "disk"        // no space for messages
	LimitDescriptors = "descriptors" // no file descriptor for a client
)

// limitOf names the limit that makes us say a reply.
var limitOf = map[Reply]string{
	replyTooManySessions: "sessions", replyTooManyFromYou: "sessions_per_ip", replyTooManyFromNet: "sessions_per_net",
	replyTooFast: "connections_per_minute", replyTooMuchMail: "messages_per_minute", replyTooManyRcpts: "recipients",
	replyTooLarge: "message_size", replyBusy: "scan_memory", replyTooManyErrors: "errors", replyTimeout: "timeout",
	replyNoSpace: LimitDisk,
}

// ledger counts what became of sessions, and which limits clients met. The zero value is ready.
type ledger struct {
	mu       sync.Mutex
	sessions map[Outcome]uint64
	limits   map[string]Met
}

// ended counts a session.
func (t *ledger) ended(listener, result string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sessions == nil {
		t.sessions = map[Outcome]uint64{}
	}
	t.sessions[Outcome{listener, result}]++
}

// said counts a reply that is about a limit.
func (t *ledger) said(r Reply) {
	if r.Code/100 != 4 && r.Code/100 != 5 {
		return
	}
	if limit, ok := limitOf[r]; ok {
		t.met(limit)
	}
}

func (t *ledger) met(limit string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.limits == nil {
		t.limits = map[string]Met{}
	}
	t.limits[limit] = Met{t.limits[limit].Times + 1, time.Now()}
}

// Counts returns the totals.
func (s *Server) Counts() Counts {
	t := &s.sessions.ledger
	t.mu.Lock()
	defer t.mu.Unlock()
	return Counts{maps.Clone(t.sessions), maps.Clone(t.limits)}
}

// Listening returns how many listeners take clients, and none once the server drains.
func (s *Server) Listening() int {
	s.sessions.mu.Lock()
	defer s.sessions.mu.Unlock()
	if s.sessions.drained != nil {
		return 0
	}
	return len(s.sessions.doors)
}

// Alive returns an error if a listener has not gone back to wait for clients for longer than patience. It may block for
// as long as the server is stuck.
func (s *Server) Alive(patience time.Duration) error {
	s.sessions.mu.Lock()
	defer s.sessions.mu.Unlock()
	for d := range s.sessions.doors {
		if left := d.left.Load(); left != nil && time.Since(*left) > patience {
			return fmt.Errorf("listener %s takes no clients since %s", d.listener.Name, time.Since(*left))
		}
	}
	return nil
}

// enter notes that d takes clients from now on.
func (s *sessions) enter(d *door) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.doors == nil {
		s.doors = map[*door]bool{}
	}
	s.doors[d] = true
}

// exit notes that it does not any more.
func (s *sessions) exit(d *door) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.doors, d)
}
