// Package outgoing counts what authenticated users send, so that a stolen account shows.
//
// A user's windows count delivered mail: who comes to a number is slowed, not stopped, by rules that defer. An account
// whose mail is refused or deferred again and again is reported as stopped, for a while.
package outgoing

import (
	"context"
	_ "embed"
	"fmt"
	"strings"
	"time"

	"weir/filters"
	"weir/filters/store"
	"weir/rules"
)

// Readme is the filter's manual.
//
//go:embed README.md
var Readme string

// New makes the checks of cfg: one says at once whether an account is stopped, the other counts when the recipients are
// known. What they know of users is in s.
func New(cfg rules.Outgoing, s store.Store) []filters.Check {
	u := &users{cfg, s, longest(cfg.Windows)}
	stopped := filters.Check{Name: "outgoing_stop", Doc: "Whether the user's account is stopped.", Stage: filters.Sender, Run: u.stopped}
	if cfg.Stop != nil {
		stopped.Symbols = []string{rules.UserStopped}
		stopped.Learn = u.strike
	}
	counts := filters.Check{Name: "outgoing", Doc: "How much the user has sent lately.", Stage: filters.Recipients, Run: u.count}
	if len(cfg.Windows) > 0 {
		counts.Learn = u.sent
	}
	for _, w := range cfg.Windows {
		counts.Symbols = append(counts.Symbols, w.Symbol)
	}
	return []filters.Check{stopped, counts}
}

func longest(windows []rules.UserWindow) time.Duration {
	var life time.Duration
	for _, w := range windows {
		life = max(life, w.Over)
	}
	return life
}

type users struct {
	rules.Outgoing
	store store.Store
	life  time.Duration // of what windows count
}

// The counters of a user. The key holds a keyed hash, so that names are not kept.
const (
	messages   = "messages" // its members are the networks
	recipients = "recipients"
	refused    = "refused"
	strikes    = "strikes"
	stop       = "stop"
)

func (u *users) key(user, what string) string {
	return fmt.Sprintf("user:%016x:%s", u.store.Hasher().Sum([]byte(strings.ToLower(user))), what)
}

// userOf is the user who sends m; "" for strangers.
func userOf(m filters.Mail) string {
	if m.Session == nil {
		return ""
	}
	return m.Session.User
}

func (u *users) stopped(ctx context.Context, m filters.Mail) (filters.Report, error) {
	user := userOf(m)
	if user == "" || u.Stop == nil {
		return filters.Report{}, nil
	}
	report := u.learned(ctx, m.At, u.key(user, stop))
	found, err := u.store.Within(ctx, m.At, 0, u.key(user, stop))
	if err != nil || found[0].N == 0 {
		return report, err
	}
	until := found[0].Since.Add(u.Stop.For)
	report.Hits = []filters.Hit{{Symbol: rules.UserStopped, Detail: "until " + until.UTC().Format(time.RFC3339)}}
	return report, nil
}

// learned asks what other proxies have counted; when they cannot be asked, the report says so.
func (u *users) learned(ctx context.Context, at time.Time, keys ...string) filters.Report {
	if err := u.store.Sync(ctx, at, func() []string { return keys }); err != nil {
		return filters.Report{Problems: []filters.Problem{{Kind: filters.KindFailed, Detail: "counted by this process alone: " + err.Error()}}}
	}
	return filters.Report{}
}

// count compares what the user has sent, this message included, with the windows.
func (u *users) count(ctx context.Context, m filters.Mail) (filters.Report, error) {
	user := userOf(m)
	if user == "" || m.Envelope == nil {
		return filters.Report{}, nil
	}
	keys := []string{u.key(user, messages), u.key(user, recipients), u.key(user, refused)}
	report := u.learned(ctx, m.At, keys...)
	for _, w := range u.Windows {
		c, err := u.store.Within(ctx, m.At, w.Over, keys...)
		if err != nil {
			return report, err
		}
		n := tally{int(c[0].N) + 1, int(c[1].N) + len(m.Envelope.To), int(c[2].N), max(1, int(c[0].Distinct))}
		if n.reaches(w) {
			report.Hits = append(report.Hits, filters.Hit{Symbol: w.Symbol, Detail: n.String() + " within " + w.Over.String()})
		}
	}
	return report, nil
}

// tally is what a user has sent within a window.
type tally struct{ messages, recipients, refused, networks int }

func (n tally) reaches(w rules.UserWindow) bool {
	return n.messages >= w.Messages && n.recipients >= w.Recipients && n.refused >= w.Refused && n.networks >= w.Networks
}

// String is the evidence.
func (n tally) String() string {
	return fmt.Sprintf("%d messages to %d recipients from %d networks, %d recipients refused", n.messages, n.recipients, n.networks, n.refused)
}

// sent counts what was delivered, and the recipients that were refused.
func (u *users) sent(ctx context.Context, m filters.Mail, o filters.Outcome) error {
	user := userOf(m)
	if user == "" {
		return nil
	}
	var deltas []store.Delta
	if o.Delivered {
		deltas = append(deltas,
			store.Delta{Key: u.key(user, messages), N: 1, Member: networkOf(m.Session), Life: u.life},
			store.Delta{Key: u.key(user, recipients), N: int64(len(m.Envelope.To)), Life: u.life})
	}
	if o.RcptNo > 0 {
		deltas = append(deltas, store.Delta{Key: u.key(user, refused), N: int64(o.RcptNo), Life: u.life})
	}
	_, err := u.store.Add(ctx, m.At, deltas...)
	return err
}

// strike counts what the rules have refused, and stops the account when it is too much. What is refused because the
// account is stopped already adds nothing, so a stop ends in time.
func (u *users) strike(ctx context.Context, m filters.Mail, o filters.Outcome) error {
	user := userOf(m)
	if user == "" || !o.Refused {
		return nil
	}
	u.learned(ctx, m.At, u.key(user, stop), u.key(user, strikes)) // what is not known here is no reason to count less
	found, err := u.store.Within(ctx, m.At, 0, u.key(user, stop))
	if err != nil || found[0].N > 0 {
		return err
	}
	found, err = u.store.Add(ctx, m.At, store.Delta{Key: u.key(user, strikes), N: 1, Life: u.Stop.Within})
	if err != nil || found[0].N < int64(u.Stop.After) {
		return err
	}
	_, err = u.store.Add(ctx, m.At, store.Delta{Key: u.key(user, stop), N: 1, Life: u.Stop.For})
	return err
}

// networkOf is the name of the client's network; "" if there is no client.
func networkOf(s *filters.Session) string {
	if p := s.Network(); p.IsValid() {
		return p.String()
	}
	return ""
}
