package verdictlog

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"slices"
	"time"

	"weir/filters"
	"weir/rules"
	"weir/scoring"
)

const maxURLHosts = 50

// Compose makes the record of a verdict from what was seen. The caller adds what only it knows: ID, Origin, Rules,
// Verdict.At and Reply, recipients refused, backend and timings beyond the checks'.
func Compose(m filters.Mail, results []filters.Result, v scoring.Verdict) Record {
	facts := filters.Gather(results)
	r := Record{
		Schema:  Schema,
		Time:    m.At.UTC(),
		Verdict: verdictOf(v),
		Hits:    orEmpty(v.Why),
		Shadow:  orEmpty(v.Shadow),
		Errors:  problemsOf(results, v),
		Outcome: Outcome{Facts: factsOf(m, results, v), Bulk: facts.Bulk, Timing: Timing{Checks: checkTimes(results), Zones: zoneTimes(results)}},
	}
	if m.Session != nil {
		r.Session = sessionOf(m.Session, facts.Reverse)
	}
	if m.Envelope != nil {
		r.Envelope = Envelope{From: m.Envelope.From, To: orEmpty(m.Envelope.To)}
	}
	if m.Message != nil {
		r.Message = messageOf(m.Message)
		r.Envelope.Size = m.Message.Size()
	}
	if m.Auth != nil {
		r.Auth = authOf(m.Auth)
	}
	return r
}

func authOf(a *filters.Auth) *Auth {
	out := &Auth{
		SPF: a.SPF.Result, DKIM: orEmpty(a.DKIM), DMARC: a.DMARC.Result, ARC: a.ARC.Result,
		Domains: a.Domains, Policy: a.DMARC.Policy, Spared: a.DMARC.Spared,
	}
	for _, s := range a.ARC.Sealed {
		out.Sealers = append(out.Sealers, s.Domain)
	}
	return out
}

// factsOf is what v was reached by; nil if it is no verdict of the rules.
func factsOf(m filters.Mail, results []filters.Result, v scoring.Verdict) *Facts {
	if v.Policy == "" {
		return nil
	}
	facts := scoring.FactsOf(m, results)
	f := Facts{Symbols: make([]string, 0, len(facts.Hits)), Features: facts.Features}
	for _, h := range facts.Hits {
		f.Symbols = append(f.Symbols, h.Symbol)
	}
	slices.Sort(f.Symbols)
	f.Symbols = slices.Compact(f.Symbols)
	slices.Sort(facts.Failed)
	f.Failed = slices.Compact(facts.Failed)
	return &f
}

func verdictOf(v scoring.Verdict) Verdict {
	return Verdict{
		Action: v.Action,
		Score:  v.Points,
		Thresholds: Thresholds{
			Tag:     pointsOf(v.Thresholds.Tag),
			Subject: pointsOf(v.Thresholds.Subject),
			Defer:   pointsOf(v.Thresholds.Defer),
			Reject:  pointsOf(v.Thresholds.Reject),
		},
		Policy: v.Policy,
		By:     v.By,
		Early:  v.Early,
	}
}

func pointsOf(t rules.Threshold) *rules.Points {
	if t.Off {
		return nil
	}
	return &t.Points
}

func sessionOf(s *filters.Session, reverse *filters.Reverse) Session {
	out := Session{
		ID: s.ID, Listener: s.Listener, Proto: s.Proto, TLS: s.TLS, User: s.User, Helo: s.Hello,
		Client: Client{Port: s.Addr.Port(), RDNS: s.ReverseName, RDNSOK: s.ReverseOK},
	}
	if s.Addr.IsValid() {
		out.Client.IP = s.Addr.Addr().Unmap().String()
	}
	if s.Via != nil {
		out.Client.Relay = s.Via.Addr.Addr().Unmap().String()
	}
	if reverse != nil {
		out.Client.RDNS, out.Client.RDNSOK = reverse.Name, reverse.OK
	}
	return out
}

func messageOf(m *filters.Message) *Message {
	sum := sha256.Sum256(m.Raw())
	out := &Message{
		MessageID:   m.MessageID(),
		HeaderFrom:  m.FromAddress(),
		Subject:     m.Subject(),
		Parts:       len(m.Parts()),
		Attachments: m.Attachments(),
		URLs:        len(m.URLs()),
		URLHosts:    []string{},
		SHA256:      hex.EncodeToString(sum[:]),
	}
	if d := m.Header("Date"); len(d) > 0 {
		out.Date = d[0]
	}
	for _, u := range m.URLs() {
		if len(out.URLHosts) == maxURLHosts {
			break
		}
		if u.Host != "" && !slices.Contains(out.URLHosts, u.Host) {
			out.URLHosts = append(out.URLHosts, u.Host)
		}
	}
	return out
}

func problemsOf(results []filters.Result, v scoring.Verdict) []filters.Problem {
	all := []filters.Problem{}
	for _, r := range results {
		all = append(all, r.Problems...)
	}
	return append(all, v.Problems...)
}

func checkTimes(results []filters.Result) map[string]int64 {
	times := make(map[string]int64, len(results))
	for _, r := range results {
		times[r.Check] = max(times[r.Check], Micros(r.Took)) // several checks may have one name
	}
	return times
}

// zoneTimes are the times of the DNS lists that were asked; of one that was asked by several checks the longest.
func zoneTimes(results []filters.Result) map[string]int64 {
	var times map[string]int64
	for _, r := range results {
		asked := r.Facts.Asked
		if asked == nil {
			continue
		}
		if times == nil {
			times = map[string]int64{}
		}
		times[asked.Zone] = max(times[asked.Zone], Micros(asked.Took))
	}
	return times
}

// Micros is d in whole microseconds, as records hold durations.
func Micros(d time.Duration) int64 { return d.Microseconds() }

func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// Told is the session, as far as the record tells: what Compose made of it, back.
func (r *Record) Told() filters.Session {
	s := r.Session
	addr, _ := netip.ParseAddr(s.Client.IP) // of none it stays none
	looked := !slices.ContainsFunc(r.Errors, func(p filters.Problem) bool { return p.Check == "reverse" })
	return filters.Session{
		ID: s.ID, Listener: s.Listener, Addr: netip.AddrPortFrom(addr, s.Client.Port), Hello: s.Helo, Proto: s.Proto, TLS: s.TLS, User: s.User,
		ReverseName: s.Client.RDNS, ReverseOK: s.Client.RDNSOK, ReverseKnown: looked,
	}
}
