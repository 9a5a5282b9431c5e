package proxy

import (
	"testing"
	"testing/fstest"
	"time"

	"weir/filters"
	"weir/filters/dnsbl"
	"weir/filters/lookup"
	"weir/filters/lookup/lookuptest"
	"weir/rules"
)

const slowRules = `version: 1
thresholds: { tag: 6, reject: 15 }
zones:
  - { id: QUICK, zone: quick.test, ask: [client_ip], answers: [{ id: X, is: 127.0.0.2, score: 4 }] }
  - { id: SLOW, zone: slow.test, ask: [client_ip], answers: [{ id: X, is: 127.0.0.2, score: 1 }] }
rules:
  - { id: SPAM, about: s, check: content, score: 20 }
`

// BenchmarkSlowList is what a weighted list that takes two seconds to answer adds to a session.
func BenchmarkSlowList(b *testing.B) {
	const slow = 2 * time.Second
	set, findings := rules.Load(fstest.MapFS{"r.yaml": {Data: []byte(slowRules)}}, "r.yaml", rules.Known{"content": {"SPAM"}})
	if err := findings.Err(); err != nil {
		b.Fatal(err)
	}
	zone, err := lookup.MapZone(nil)
	if err != nil {
		b.Fatal(err)
	}
	server, err := lookup.Serve("127.0.0.1:0", zone)
	if err != nil {
		b.Fatal(err)
	}
	defer server.Close()
	server.Twist(lookuptest.Below(map[string]lookuptest.Twist{"slow.test": func(packet []byte, _ bool) [][]byte {
		<-time.After(slow)
		return [][]byte{packet}
	}}))
	for name, content := range map[string]filters.Check{"delivered": says("content", filters.Body), "refused": says("content", filters.Body, "SPAM")} {
		b.Run(name, func(b *testing.B) {
			var rcpt, data time.Duration
			for b.Loop() {
				resolver, err := lookup.New(lookup.Options{Servers: []string{server.Addr()}, Timeout: 2 * slow, Budget: 2 * slow})
				if err != nil {
					b.Fatal(err)
				}
				gen := generation(set, filters.NewPipeline(bound, append(dnsbl.New(set.Zones, resolver, nil), content)...))
				gen.Patience = 500 * time.Millisecond
				f := newFront(b, func(f *front) { f.Current = always(gen) })
				r, d := f.timedSession()
				rcpt, data = rcpt+r, data+d
				f.close()
				resolver.Close()
			}
			b.ReportMetric(float64(rcpt.Milliseconds())/float64(b.N), "ms/RCPT")
			b.ReportMetric(float64(data.Milliseconds())/float64(b.N), "ms/DATA")
		})
	}
}

// timedSession sends one message and tells how long RCPT and the end of DATA took.
func (f *front) timedSession() (rcpt, data time.Duration) {
	c := f.hello()
	c.cmd("MAIL FROM:<ann@client.example>", "250")
	began := time.Now()
	c.cmd("RCPT TO:<bob@weir.example>", "250")
	rcpt = time.Since(began)
	c.cmd("DATA", "354")
	c.send("Subject: hello\r\n\r\nhello\r\n.\r\n")
	began = time.Now()
	c.reply()
	data = time.Since(began)
	c.cmd("QUIT", "221")
	return rcpt, data
}
