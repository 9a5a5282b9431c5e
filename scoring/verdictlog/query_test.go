package verdictlog

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"weir/filters"
	"weir/rules"
	"weir/scoring"
)

// sample is a record with something for each key of the query language.
func sample() *Record {
	r := record(7, time.Date(2026, 11, 24, 10, 30, 0, 500, time.UTC))
	r.ID, r.Session.ID = "01M86HP3A0ABCDEFGHJKMNPQRS", "01M86HP300ABCDEFGHJKMNPQRS"
	r.Session.Client = Client{IP: "192.0.2.77", RDNS: "dsl-77.access.example"}
	r.Session.Helo = "WIN-PC"
	r.Envelope = Envelope{
		From: "Ann@News.Orchard.example", To: []string{"bob@example.org", "carol@example.net"},
		RcptRejected: []RcptRejected{{To: "nobody@example.org", Reply: "550 no such user"}},
	}
	r.Message = &Message{MessageID: "<77@orchard.example>", HeaderFrom: "ann@orchard.example", Subject: `Яблоки "Fresh" <b>& Kelvin K`}
	r.Verdict.Action, r.Verdict.Score, r.Verdict.Policy = rules.Reject, 1430, "vip"
	r.Hits = []scoring.Line{{Rule: "ZEN_SBL", Points: 400}, {Rule: "BULK_MANY", Points: 1030}}
	r.Shadow = []scoring.Line{{Rule: "TRIAL_EMOJI", Points: 100}}
	r.Errors = []filters.Problem{{Check: "dnsbl", Rule: "DNSWL", Kind: filters.KindTimeout}}
	r.Outcome.Bulk = &filters.Bulk{Campaign: "c39b1a7e6"}
	return &r
}

func line(t testing.TB, r *Record) []byte {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(r); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestQueryWords(t *testing.T) {
	r := sample()
	text := line(t, r)
	for query, want := range map[string]bool{
		``: true, `action:reject`: true, `action:REJECT`: true, `action:tag`: false,
		`rule:ZEN_SBL`: true, `rule:zen_sbl`: true, `rule:ZEN`: false, `rule:ZEN_*`: true, `rule:*SBL`: true, `rule:*_*`: true,
		`rule:*B*K*Y`: true, `rule:TRIAL_EMOJI`: false, `shadow:TRIAL_EMOJI`: true, `shadow:ZEN_SBL`: false,
		`error:dnsbl`: true, `error:DNSWL`: true, `error:timeout`: true, `error:servfail`: false,
		`policy:vip`: true, `policy:default`: false,
		`from:ann@news.orchard.example`: true, `from:@orchard.example`: true, `from:@news.orchard.example`: true,
		`from:@chard.example`: false, `from:ann`: true, `from:<ann@orchard.example>`: true, `from:<>`: false, `from:bob`: false,
		`to:bob@example.org`: true, `to:@example.net`: true, `to:nobody`: true, `to:ann`: false,
		`subject:яблоки`: true, `subject:fresh`: true, `subject:<B>&`: true, `subject:"<b>& kelvin"`: true, `subject:pears`: false,
		`subject:kelvin`: true,
		`ip:192.0.2.77`:  true, `ip:::ffff:192.0.2.77`: true, `ip:192.0.2.7`: false,
		`net:192.0.2.0/24`: true, `net:192.0.2.64/27`: true, `net:192.0.2.77`: true, `net:198.51.100.0/24`: false, `net:2001:db8::/32`: false,
		`id:01M86HP3A0ABCDEFGHJKMNPQRS`: true, `id:01m86hp3`: true, `id:01M86HP300`: true, `id:86HP`: false,
		`campaign:c39b1a7e6`: true, `campaign:c39`: true, `campaign:39b`: false,
		`score>14`: true, `score>14.3`: false, `score>=14.3`: true, `score<15`: true, `score<=14.29`: false, `score=14.30`: true, `score:14.3`: true, `score<-1`: false,
		`яблоки`: true, `win-pc`: true, `dsl-77`: true, `77@orchard`: true, `192.0.2.77`: true, `"bob@example.org"`: true, `pears`: false,
		`-action:tag`: true, `-action:reject`: false, `-rule:ZEN_SBL`: false, `-pears`: true, `-"fresh"`: false, `-score>20`: true,
		`action:reject rule:ZEN_SBL -rule:NOBODY score>9`: true, `action:reject rule:NOBODY`: false,
	} {
		q, err := ParseQuery([]string{query})
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		if got := q.Match(r); got != want {
			t.Errorf("%s: %v", query, got)
		}
		if want && !q.sieve().passes(text) {
			t.Errorf("%s: passed over before decoding", query)
		}
	}
}

func TestQueryWordsMayComeApart(t *testing.T) {
	q, err := ParseQuery([]string{"action:reject", `subject:"Fresh" -rule:NOBODY`, "score>9"})
	if err != nil || len(q.terms) != 4 || !q.Match(sample()) {
		t.Errorf("%d terms, %v", len(q.terms), err)
	}
}

func TestNullSender(t *testing.T) {
	r := sample()
	r.Envelope.From = ""
	q, err := ParseQuery([]string{"from:<>"})
	if err != nil || !q.Match(r) || !q.sieve().passes(line(t, r)) {
		t.Errorf("not found, %v", err)
	}
}

func TestTimesAreBounds(t *testing.T) {
	r := sample()
	text := line(t, r)
	for _, c := range []struct {
		since, until time.Duration // from the record's time
		want         bool
	}{{0, 1, true}, {-time.Hour, time.Hour, true}, {1, time.Hour, false}, {-time.Hour, 0, false}, {-time.Hour, -time.Second, false}, {time.Second, time.Hour, false}} {
		q := Query{Since: r.Time.Add(c.since), Until: r.Time.Add(c.until)}
		if got := q.Match(r); got != c.want || got && !q.sieve().passes(text) {
			t.Errorf("from %v to %v: %v", c.since, c.until, got)
		}
	}
	q := Query{Since: r.Time.Add(time.Minute)}
	if q.sieve().passes(text) {
		t.Error("an older record is decoded")
	}
}

func TestWrongQueriesSayWhereAndWhatIsMeant(t *testing.T) {
	for query, want := range map[string]string{
		`action:reject acton:tag`: `query word 2, acton:tag: there is no acton:; did you mean action:?`,
		`action:rejct`:            `there is no action rejct; did you mean reject?`,
		`action:burn`:             `it is one of pass, tag, subject, defer, reject`,
		`action:`:                 `say an action: pass, tag, subject, defer or reject`,
		`colour:red`:              `it is one of score: action: rule:`,
		`ip:192.0.2.0/24`:         `say net:192.0.2.0/24`,
		`ip:x`:                    `x is not an address`,
		`net:x`:                   `not a network such as`,
		`score>many`:              `a score to compare with: "many" is not a number`,
		`-`:                       `nothing after the minus`,
		`""`:                      `nothing to look for`,
		`subject:"two words`:      `query word 1, subject:"two words: the quote is not closed`,
	} {
		_, err := ParseQuery([]string{query})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", query, err, want)
		}
	}
}

func TestParseTime(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"90s": "2026-11-24T11:58:30Z", "15m": "2026-11-24T11:45:00Z", "1h": "2026-11-24T11:00:00Z", "7d": "2026-11-17T12:00:00Z", "2w": "2026-11-10T12:00:00Z",
		"2026-11-20": "2026-11-20T00:00:00Z", "2026-11-20 08:30": "2026-11-20T08:30:00Z", "2026-11-20T08:30:15": "2026-11-20T08:30:15Z",
		"2026-11-20T08:30:15+02:00": "2026-11-20T06:30:15Z",
	} {
		got, err := ParseTime(text, now)
		if err != nil || got.UTC().Format(time.RFC3339) != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "h", "-1h", "1y", "yesterday", "24.11.2026", "99999999h"} {
		if got, err := ParseTime(text, now); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func FuzzParseQuery(f *testing.F) {
	r := sample()
	f.Add("action:reject rule:ZEN_* -from:@orchard.example score>=9 \"two words\"")
	f.Fuzz(func(t *testing.T, text string) {
		q, err := ParseQuery([]string{text})
		if err != nil {
			return
		}
		// What matches must not be passed over before it is decoded, whatever is asked for.
		r := *r
		r.Message = &Message{Subject: text, HeaderFrom: text}
		r.Envelope.From = strings.ToUpper(text)
		written := line(t, &r)
		back, err := ReadRecord(written)
		if err != nil {
			t.Fatal(err)
		}
		if q.Match(back) && !q.sieve().passes(written) {
			t.Errorf("%q matches and is passed over", text)
		}
	})
}

func FuzzReadRecord(f *testing.F) {
	f.Add(line(f, sample()))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := ReadRecord(data)
		if err != nil {
			return
		}
		again, err := ReadRecord(line(t, r))
		if err != nil {
			t.Fatalf("what was written of %q is not read: %v", data, err)
		}
		if !bytes.Equal(line(t, r), line(t, again)) {
			t.Errorf("%q changes when it is written and read", data)
		}
	})
}
