package bulk

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/filters/store"
)

// Campaign is what is known of alike messages, by the names of the verdict record.
type Campaign struct {
	ID          string    `json:"campaign"`
	Alike       int64     `json:"alike"`
	AlikeStrict int64     `json:"alike_strict"`
	Networks    int64     `json:"networks"`
	Senders     int64     `json:"senders"`
	Recipients  int64     `json:"recipients"`
	FirstSeen   time.Time `json:"first_seen"`
	LastSeen    time.Time `json:"last_seen"`
}

// Campaigns returns the campaigns that memory knows at a time, those of at least least messages, the largest first.
func Campaigns(ctx context.Context, memory *store.Memory, at time.Time, least int64) ([]Campaign, error) {
	var out []Campaign
	for _, key := range memory.Keys(prefix) {
		hex, found := strings.CutSuffix(strings.TrimPrefix(key, prefix), "/networks")
		n, err := strconv.ParseUint(hex, 16, 32)
		if !found || err != nil {
			continue
		}
		c, err := id(n).within(ctx, memory, at, life)
		if err != nil {
			return nil, err
		}
		if c.Alike >= max(least, 1) {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b Campaign) int {
		return cmp.Or(cmp.Compare(b.Alike, a.Alike), b.LastSeen.Compare(a.LastSeen), cmp.Compare(a.ID, b.ID))
	})
	return out, nil
}

// Within returns the campaign named as it is in the window of length over that ends at a time. It has no messages if
// it is not known.
func Within(ctx context.Context, memory *store.Memory, at time.Time, over time.Duration, name string) (Campaign, error) {
	c, err := parse(name)
	if err != nil {
		return Campaign{}, err
	}
	return c.within(ctx, memory, at, over)
}

// Forget makes memory as if it had never seen the campaign named. It looks at all that is remembered.
func Forget(memory *store.Memory, name string) error {
	c, err := parse(name)
	if err != nil {
		return err
	}
	memory.Forget(uint32(c), c.networks(), c.senders(), c.recipients())
	return nil
}

// parse reads what id.String wrote.
func parse(name string) (id, error) {
	hex, found := strings.CutPrefix(name, "c")
	n, err := strconv.ParseUint(hex, 16, 32)
	if !found || err != nil || len(hex) != 8 {
		return 0, fmt.Errorf("%q is no name of a campaign, like c7f1a2b3c", name)
	}
	return id(n), nil
}

func (c id) within(ctx context.Context, memory *store.Memory, at time.Time, over time.Duration) (Campaign, error) {
	n, err := memory.Within(ctx, at, over, c.networks(), c.senders(), c.recipients())
	if err != nil {
		return Campaign{}, fmt.Errorf("reading campaign %s: %w", c, err)
	}
	return Campaign{
		ID: c.String(), Alike: n[0].N, AlikeStrict: n[1].N, Networks: n[0].Distinct, Senders: n[1].Distinct, Recipients: n[2].Distinct,
		FirstSeen: n[0].Since, LastSeen: n[0].Last,
	}, nil
}
