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
	ID            string    `json:"campaign"`
	Alike         int64     `json:"alike"`
	AlikeStrict   int64     `json:"alike_strict"`
	Networks      int64     `json:"networks"`
	Senders       int64     `json:"senders"`
	HeaderDomains int64     `json:"header_domains"`
	Signers       int64     `json:"signers"`
	Recipients    int64     `json:"recipients"`
	Subjects      int64     `json:"subjects"`
	Traps         int64     `json:"traps"`
	Complaints    int64     `json:"complaints"`
	Verdicts      Verdicts  `json:"verdicts"`
	FirstSeen     time.Time `json:"first_seen"`
	LastSeen      time.Time `json:"last_seen"`
}

// Verdicts are how many of a campaign's messages the rules have dealt with in which way. What was judged without SMTP is
// not among them.
type Verdicts struct {
	Pass   int64 `json:"pass"`
	Tag    int64 `json:"tag"`
	Defer  int64 `json:"defer"`
	Reject int64 `json:"reject"`
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
	return id(memory.Merged(at, uint32(c))).within(ctx, memory, at, over)
}

// Counters names the counters that all but users' counts of a campaign are in.
func Counters(owner uint32) []string { return id(owner).keys(figures) }

// IsFirst reports whether a counter is the one that each campaign has, by its name, for Campaigns.
func IsFirst(counter string) bool {
	return strings.HasPrefix(counter, prefix) && strings.HasSuffix(counter, "/"+figureNames[networks])
}

// Owner is the owner of a campaign's marks by the campaign's name.
func Owner(name string) (uint32, error) {
	c, err := parse(name)
	return uint32(c), err
}

// Prefix begins the names of all counters of campaigns; those of one begin with Folder.
const Prefix = prefix

// Folder begins the names of all counters of a campaign.
func Folder(owner uint32) string { return id(owner).folder() }

// Forget makes memory as if it had never seen the campaign named. It looks at all that is remembered.
func Forget(ctx context.Context, memory store.Owners, at time.Time, name string) error {
	c, err := parse(name)
	if err != nil {
		return err
	}
	return memory.Forget(ctx, at, life, memory.Merged(at, uint32(c)), id(memory.Merged(at, uint32(c))).folder())
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
	n, err := c.read(ctx, memory, at, over, "")
	if err != nil {
		return Campaign{}, err
	}
	return Campaign{
		ID: c.String(), Alike: n.messages(), AlikeStrict: n.strict(), Networks: n.all[networks].Distinct, Senders: n.all[senders].Distinct,
		HeaderDomains: n.all[authors].Distinct, Signers: n.all[signers].Distinct, Recipients: n.all[recipients].Distinct,
		Subjects: n.all[subjects].Distinct, Traps: n.all[traps].N, Complaints: n.complained(),
		Verdicts:  Verdicts{n.all[authors].N, n.all[signers].N, n.all[subjects].N, n.all[refusals].N},
		FirstSeen: n.all[networks].Since, LastSeen: n.all[networks].Last,
	}, nil
}
