package dnsbl

import (
	"context"
	"slices"
	"strings"
	"time"

	"weir/filters/lookup"
	"weir/rules"
)

// Bounds of asking why something is listed.
const (
	maxReasons = 1 // asked for by one check
	reasonTime = 500 * time.Millisecond
	maxReason  = 160 // letters that are shown
)

// explain asks for the reasons of a few hits: the text beside the address (RFC 5782 section 2.1). Without one, or in time,
// the hit is what it is.
func explain(ctx context.Context, all []*question, r *lookup.Resolver) {
	var hits []*question
	for _, q := range all {
		hit := func(a rules.Answer) bool { return q.matching(a) != nil }
		if _, failed := q.problem(); !failed && len(hits) < maxReasons && slices.ContainsFunc(q.zone.Answers, hit) {
			hits = append(hits, q)
		}
	}
	if hits == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, reasonTime)
	defer cancel()
	found := make([]*question, len(hits))
	for i, q := range hits {
		found[i] = &question{zone: q.zone, key: q.key}
	}
	askFor(ctx, found, lookup.TXT, r.Lookup)
	for i, q := range found {
		hits[i].reason = q.text()
	}
}

// Reason asks z for the text beside its answer for key; "" if there is none that may be shown.
func Reason(ctx context.Context, r *lookup.Resolver, z *rules.Zone, key string) string {
	q := &question{zone: z, key: key}
	askFor(ctx, []*question{q}, lookup.TXT, r.Lookup)
	return q.text()
}

// text is the reason that q was answered with.
func (q *question) text() string {
	if q.err != nil || len(q.answer.Texts) == 0 {
		return ""
	}
	return reasonText(q.zone, q.answer.Texts[0])
}

// reasonText is a reason as it may be shown; "" if it repeats the key in the zone's name.
func reasonText(z *rules.Zone, text string) string {
	key := strings.TrimSuffix(strings.TrimSuffix(z.Zone, z.Display), ".")
	if key != "" && key != z.Zone && strings.Contains(strings.ToLower(text), strings.ToLower(key)) {
		return ""
	}
	return printable(strings.ToValidUTF8(text, "?"), maxReason)
}
