package bulk

import (
	"context"
	"fmt"
	"time"

	"weir/filters"
	"weir/filters/store"
)

// Complaint is that somebody has called a message spam, or has taken that back.
type Complaint struct {
	Message  string   // names the message, and when that was said
	Campaign string   // "" if it was not counted
	Proven   []string // the domains that were proven to have sent it
	Spam     bool     // false: it is taken back
}

// Complain counts a complaint for the campaign, and for the proven sender. The same one counts once.
func Complain(ctx context.Context, memory store.Store, at time.Time, c Complaint) error {
	var deltas []store.Delta
	if c.Campaign != "" {
		name, err := parse(c.Campaign)
		if err != nil {
			return err
		}
		of := withdrawn
		if c.Spam {
			of = complaints
		}
		deltas = append(deltas, store.Delta{Key: id(memory.Merged(at, uint32(name))).key(of), Member: c.Message, Life: life})
	}
	if len(c.Proven) > 0 {
		l := ledgerNamed("domain:"+filters.Organisation(c.Proven[0]), memory.Hasher())
		of := l.withdrawn
		if c.Spam {
			of = l.unwanted
		}
		deltas = append(deltas, store.Delta{Key: of, Member: c.Message, Life: history})
	}
	if len(deltas) == 0 {
		return nil
	}
	if _, err := memory.Add(ctx, at, deltas...); err != nil {
		return fmt.Errorf("counting a complaint: %w", err)
	}
	return nil
}
