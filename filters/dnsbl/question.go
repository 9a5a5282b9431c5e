package dnsbl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"weir/filters"
	"weir/filters/lookup"
	"weir/rules"
)

// question is one thing asked of one zone, and the answer.
type question struct {
	zone    *rules.Zone
	asks    []rules.Ask // what of the message it is; the same domain may be several things
	subject string      // as people write it
	key     string      // as it is asked, without the zone
	answer  lookup.Answer
	err     error
	took    time.Duration // until it was answered, or given up
	reason  string        // what the list says of its answer, if it was asked
}

// name is what the DNS is asked for.
func (q *question) name() string { return q.key + "." + q.zone.Zone }

// maxName bounds a name in the DNS (RFC 1035 section 2.3.4), written without the final dot.
const maxName = 253

// questions are what z is asked about m, each once, and how many more there would be than the share allows. subjects says
// what a key stands for in m.
func (z zone) questions(m filters.Mail, share int, subjects func(rules.Ask) []subject) (all []*question, left int) {
	if z.For.NullSender && (m.Envelope == nil || m.Envelope.From != "") {
		return nil, 0
	}
	for _, a := range z.asks {
		found := subjects(a)
		if over := len(found) - share; a.Many() && over > 0 {
			left += over
			found = bothEnds(found, share)
		}
		for _, s := range found {
			q := &question{zone: z.Zone, asks: []rules.Ask{a}, subject: s.text, key: s.key}
			same := slices.IndexFunc(all, func(old *question) bool { return old.key == q.key })
			switch {
			case len(q.name()) > maxName:
			case same >= 0:
				all[same].asks = append(all[same].asks, a)
			default:
				all = append(all, q)
			}
		}
	}
	return all, left
}

// bothEnds keeps n of all, from its beginning and from its end: what is hidden behind many links is at the end.
func bothEnds(all []subject, n int) []subject {
	return slices.Concat(all[:n-n/2], all[len(all)-n/2:])
}

func tooMany(z *rules.Zone, asked, left int) filters.Problem {
	return filters.Problem{Rule: z.ID, Kind: filters.KindFailed,
		Detail: fmt.Sprintf("%s is asked for %d of %d only, so that one message does not cost too many queries", shown(z), asked, asked+left)}
}

// finder is Lookup or Fresh of a resolver.
type finder func(ctx context.Context, name string, k lookup.Kind) (lookup.Answer, error)

// ask looks the addresses of all questions up at once.
func ask(ctx context.Context, all []*question, find finder) { askFor(ctx, all, lookup.A, find) }

func askFor(ctx context.Context, all []*question, k lookup.Kind, find finder) {
	if len(all) == 0 {
		return
	}
	var work sync.WaitGroup
	one := func(q *question) {
		began := time.Now()
		q.answer, q.err = find(ctx, q.name(), k)
		q.took = time.Since(began)
	}
	for _, q := range all[1:] {
		work.Go(func() { one(q) })
	}
	one(all[0])
	work.Wait()
}

// tell adds what z says to the report. Of each symbol there is one hit with all its evidence, and of each kind of
// problem one.
func tell(report *filters.Report, z *rules.Zone, all []*question) {
	evidence := make([][]string, len(z.Answers))
	var kinds []string
	for _, q := range all {
		p, failed := q.problem()
		if failed {
			if p.Kind != "" && !slices.Contains(kinds, p.Kind) {
				kinds = append(kinds, p.Kind)
				report.Problems = append(report.Problems, p)
			}
			continue
		}
		for i, a := range z.Answers {
			if codes := q.matching(a); codes != nil {
				evidence[i] = append(evidence[i], q.evidence(codes))
			}
		}
	}
	for i, found := range evidence {
		if found != nil {
			report.Hits = append(report.Hits, filters.Hit{Symbol: z.Answers[i].Symbol, Detail: several(found)})
		}
	}
}

// evidence is why a symbol holds: "192.0.2.7 -> 127.0.0.2 (seen in a trap)".
func (q *question) evidence(codes []netip.Addr) string {
	text := q.subject + " -> " + Join(codes)
	if q.reason != "" {
		text += " (" + q.reason + ")"
	}
	return text
}

// several joins evidence, of which a few pieces are enough.
func several(found []string) string {
	const enough = 3
	if more := len(found) - enough; more > 0 {
		found = append(found[:enough:enough], fmt.Sprintf("%d more", more))
	}
	return strings.Join(found, "; ")
}

// problem says why nothing is known by the question. The zero Problem stands for lookups that are switched off.
func (q *question) problem() (p filters.Problem, failed bool) {
	if q.err != nil {
		return failure(q.zone, q.err), true
	}
	if why := sentinel(q.zone, q.answer.Addrs); why != "" {
		return filters.Problem{Rule: q.zone.ID, Kind: filters.KindSentinel, Detail: shown(q.zone) + " answers " + why}, true
	}
	return filters.Problem{}, false
}

// failure makes a Problem of a failed lookup. It holds the zone's public name only: the name asked for may hold a key.
func failure(z *rules.Zone, err error) filters.Problem {
	if errors.Is(err, lookup.ErrOffline) {
		return filters.Problem{} // switched off is no failure
	}
	p := filters.Problem{Rule: z.ID, Kind: filters.KindFailed, Detail: shown(z)}
	var f *lookup.Failure
	if errors.As(err, &f) {
		p.Kind = f.Kind
		if f.Server != "" {
			p.Detail += " at " + f.Server
		}
		p.Detail += ": " + f.Err.Error()
	}
	return p
}

func shown(z *rules.Zone) string { return cmp.Or(z.Display, z.ID) }
