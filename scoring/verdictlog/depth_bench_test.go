package verdictlog

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/filters"
	"weir/rules"
	"weir/scoring"
)

var depth = flag.Int("records", 50_000, "how many `RECORDS` BenchmarkWords searches")

var vocabulary = strings.Fields(`offer invoice meeting lottery winner parcel delivery account update newsletter apples pears orchard
	harvest garden autumn winter summer discount order confirm payment reminder question report minutes agenda яблоки сад осень`)

// mail makes up records that differ as those of real mail do.
type mail struct{ *rand.Rand }

func (m mail) word() string { return vocabulary[m.IntN(len(vocabulary))] }

func (m mail) name() string {
	letters := "abcdefghijklmnoprstuvwz"
	b := make([]byte, 4+m.IntN(7))
	for i := range b {
		b[i] = letters[m.IntN(len(letters))]
	}
	return string(b)
}

// record is a verdict of about a kilobyte and a half.
func (m mail) record(at time.Time) Record {
	r := record(m.IntN(1e6), at)
	domain := fmt.Sprintf("%s%d.example", m.name()[:4], m.IntN(1000))
	r.Session.Client.IP = fmt.Sprintf("198.%d.%d.%d", 18+m.IntN(2), m.IntN(256), m.IntN(256))
	r.Session.Client.RDNS = fmt.Sprintf("mail%d.%s", m.IntN(50), domain)
	r.Session.Helo = r.Session.Client.RDNS
	r.Envelope.From = m.name() + "@" + domain
	r.Envelope.To = []string{fmt.Sprintf("user%d@example.org", m.IntN(500))}
	r.Message.MessageID = fmt.Sprintf("<%016x@%s>", m.Uint64(), domain)
	r.Message.HeaderFrom = m.word() + "@" + domain
	r.Message.SHA256 = fmt.Sprintf("%064x", m.Uint64())
	r.Message.Subject = fmt.Sprintf("%s %s, %s %d", m.word(), m.word(), m.name(), m.IntN(1000))
	r.Message.URLHosts = []string{"www." + domain, "cdn.example"}
	r.Verdict.Score = rules.Points(m.IntN(2500))
	r.Verdict.Action = rules.Action(min(int(r.Verdict.Score)/600, int(rules.Reject)))
	r.Hits = nil
	for i := range 5 {
		r.Hits = append(r.Hits, scoring.Line{
			Rule: fmt.Sprintf("RULE_%d_%d", i, m.IntN(40)), Points: r.Verdict.Score / 5, Detail: m.word() + " " + m.name(), Src: "rules.yaml:80:5",
		})
	}
	if m.IntN(10) == 0 {
		r.Errors = []filters.Problem{{Check: "dnsbl", Rule: fmt.Sprintf("LIST_%d", m.IntN(10)), Kind: filters.KindTimeout}}
		r.Shadow = []scoring.Line{{Rule: fmt.Sprintf("TRIAL_%d", m.IntN(5)), Points: 100}}
	}
	if m.IntN(3) == 0 {
		r.Outcome.Bulk = &filters.Bulk{Campaign: fmt.Sprintf("c%08x", m.IntN(20_000)), Alike: m.IntN(500)}
	}
	return r
}

// rare is the only record that has what it has.
func (m mail) rare(at time.Time) Record {
	r := m.record(at)
	r.Session.Client.IP = "203.0.113.9"
	r.Envelope.From, r.Envelope.To = "lonely@nowhere.example", []string{"hermit@example.net"}
	r.Message.Subject = "Zwetschgen and quinces"
	r.Verdict.Score, r.Verdict.Policy = 99_900, "hermitage"
	r.Hits[0].Rule = "ONCE_ONLY"
	r.Shadow = []scoring.Line{{Rule: "TRIAL_ONCE"}}
	r.Errors = []filters.Problem{{Check: "bulk", Kind: filters.KindPanic}}
	r.Outcome.Bulk = &filters.Bulk{Campaign: "cffffffff"}
	return r
}

// deepLog writes a log of n records in a month, with indexes, the rarest record first.
func deepLog(b *testing.B, n int) string {
	dir := b.TempDir()
	m := mail{rand.New(rand.NewPCG(1, 2))}
	begin := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	step := 30 * day / time.Duration(n)
	at := 0
	for p := (part{day: begin}); at < n; {
		file, err := os.Create(filepath.Join(dir, p.name()))
		if err != nil {
			b.Fatal(err)
		}
		out := bufio.NewWriterSize(file, 1<<20)
		e := json.NewEncoder(out)
		e.SetEscapeHTML(false)
		for size := 0; at < n && midnight(begin.Add(step*time.Duration(at))).Equal(p.day) && size < 45_000; size++ {
			r := m.record(begin.Add(step * time.Duration(at)))
			if at == 0 {
				r = m.rare(begin)
			}
			if err := e.Encode(r); err != nil {
				b.Fatal(err)
			}
			at++
		}
		if err := out.Flush(); err != nil {
			b.Fatal(err)
		}
		if err := file.Close(); err != nil {
			b.Fatal(err)
		}
		if next := midnight(begin.Add(step * time.Duration(at))); next.Equal(p.day) {
			p.number++
		} else {
			p = part{day: next}
		}
	}
	return dir
}

// indexAll makes all indexes of a log, as its indexer does, but without rest.
func indexAll(b testing.TB, dir string) (size, indexes int64) {
	parts, err := list(dir)
	if err != nil {
		b.Fatal(err)
	}
	for _, p := range parts {
		file, err := os.Open(filepath.Join(dir, p.name()))
		if err != nil {
			b.Fatal(err)
		}
		if err := makeIndex(dir, p, file, func() error { return nil }); err != nil {
			b.Fatal(err)
		}
		file.Close()
	}
	if parts, err = list(dir); err != nil {
		b.Fatal(err)
	}
	for _, p := range parts {
		size, indexes = size+p.size, indexes+p.index
	}
	return size, indexes
}

// BenchmarkWords looks for the newest 50 by each word of the query language: for what is everywhere, for what is in the
// oldest record alone, and for what is nowhere. Then it counts.
func BenchmarkWords(b *testing.B) {
	began := time.Now()
	dir := deepLog(b, *depth)
	written := time.Since(began)
	began = time.Now()
	size, indexes := indexAll(b, dir)
	took := time.Since(began)
	b.Run("write", func(b *testing.B) {
		b.ReportMetric(float64(size)/float64(*depth), "bytes/record")
		b.ReportMetric(float64(written.Microseconds())/float64(*depth), "us/record")
		b.ReportMetric(0, "ns/op")
	})
	b.Run("index", func(b *testing.B) {
		b.ReportMetric(float64(indexes)/float64(*depth), "bytes/record")
		b.ReportMetric(float64(took.Microseconds())/float64(*depth), "us/record")
		b.ReportMetric(0, "ns/op")
	})
	for _, words := range []string{
		`action:reject`, `-action:reject`, `action:tag score>23`, `rule:RULE_1_7`, `rule:ONCE_ONLY`, `rule:ONCE_*`, `rule:NEVER`, `-rule:RULE_1_7`,
		`from:@nowhere.example`, `from:lonely@nowhere.example`, `from:nobody@nowhere.example`, `from:lonely`, `from:<>`, `from:@example.org`,
		`to:hermit@example.net`, `to:@example.org`, `to:nobody`, `subject:quinces`, `subject:"and quinces"`, `subject:lottery`, `subject:qq`, `subject:example`,
		`ip:203.0.113.9`, `ip:198.18.7.7`, `net:203.0.113.0/24`, `net:198.18.0.0/16`, `net:192.0.2.0/24`, `net:2001:db8::/32`,
		`policy:default`, `policy:hermitage`, `policy:nobody`, `id:01KZZZZZZZ`, `campaign:cffffffff`, `campaign:c0000`, `campaign:nobody`,
		`error:timeout`, `error:panic`, `error:nothing`, `score>998`, `score<-5`, `score>10`, `shadow:TRIAL_ONCE`, `shadow:TRIAL_*`, `shadow:NEVER`,
		`zwetschgen`, `"zwetschgen and"`, `lottery`, `nowhere.example`, `198.18.7.7`, `xyzzy`, `яблоки`, `"яблоки и груши"`, `-score>0 -policy:default`,
	} {
		q := parse(b, words)
		q.Last = 50
		b.Run(words, func(b *testing.B) {
			found := 0
			for b.Loop() {
				if err := Search(b.Context(), dir, q, func(*Record) error { found++; return nil }); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(found)/float64(b.N), "found")
			b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms")
			b.ReportMetric(0, "ns/op")
		})
	}
	for _, words := range []string{`action:reject`, `-action:pass score>9`, `rule:RULE_1_7`, `error:timeout`, `subject:lottery`, `net:198.18.0.0/20`, `to:user7@example.org`, `to:@example.org`} {
		q := parse(b, words)
		b.Run("count "+words, func(b *testing.B) {
			found := 0
			for b.Loop() {
				var err error
				if found, err = Count(b.Context(), dir, q); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(found), "found")
			b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}
