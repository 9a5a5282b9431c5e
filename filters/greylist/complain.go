package greylist

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"weir/filters/store"
)

const (
	complaintLife = 180 * 24 * time.Hour
	mostAgain     = 8 // times that complaints make one sender wait anew
)

// Complaint is that somebody has called a message spam, or has taken that back.
type Complaint struct {
	Message string // names the message, and when that was said
	Client  netip.Prefix
	From    string
	To      []string
	Spam    bool // false: it is taken back
}

// Complain makes a stranger again of who had sent the message: he waits anew, once for each complaint that stands. The same
// one counts once.
func Complain(ctx context.Context, memory store.Store, at time.Time, c Complaint) error {
	if !c.Client.IsValid() {
		return nil
	}
	var deltas []store.Delta
	for _, domain := range domains(c.To) {
		said := saidOf(triple(memory.Hasher(), c.Client, c.From, domain))
		of := said.withdrawn
		if c.Spam {
			of = said.spam
		}
		deltas = append(deltas, store.Delta{Key: of, Member: c.Message, Life: complaintLife})
	}
	if len(deltas) == 0 {
		return nil
	}
	if _, err := memory.Add(ctx, at, deltas...); err != nil {
		return fmt.Errorf("counting a complaint: %w", err)
	}
	return nil
}

// said are the counters of what people say of one sender's mail: their members are the messages called spam, and those of
// them that were not meant.
type said struct{ spam, withdrawn string }

func saidOf(key string) said { return said{key + ":spam", key + ":withdrawn"} }

// lives returns for each of keys the name under which the sender is counted now: another after each complaint.
func (g *greylist) lives(ctx context.Context, at time.Time, keys []string) ([]string, error) {
	var all []string
	for _, key := range keys {
		s := saidOf(key)
		all = append(all, s.spam, s.withdrawn)
	}
	found, err := g.store.Within(ctx, at, 0, all...)
	if err != nil {
		return nil, err
	}
	now := make([]string, len(keys))
	for i, key := range keys {
		now[i] = key
		if n := min(found[2*i].Distinct-found[2*i+1].Distinct, mostAgain); n > 0 {
			now[i] = fmt.Sprintf("%s:%d", key, n)
		}
	}
	return now, nil
}
