package console

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/rules"
	"weir/scoring"
	"weir/scoring/verdictlog"
)

// healthy is the state of a weir that lacks nothing.
func healthy() State {
	return State{
		Version: "1.0.0", Host: "mx1.example.org", Started: time.Now(), Rules: Rules{Generation: 3, Digest: "sha256:0", Reloaded: true},
		Sessions:  Sessions{Active: 2, Ended: []Outcome{{"smtp", "served", 5}, {"smtp", "refused", 1}}},
		Limits:    []Limit{{Name: "sessions_per_ip", Times: 4}},
		Listeners: []Listener{{Name: "smtp", Addr: "127.0.0.1:25", Role: "inbound", TLS: "off"}},
		Backends:  []Backend{{"backend.addrs[0]", "127.0.0.1:10025", true}, {"backend.addrs[1]", "127.0.0.1:10026", false}},
		Lists: []List{
			{Rule: "ZEN", Zone: "zen.example.org", Asked: 10, Listed: 3, Unknown: 2, Took: Times{5, time.Second, map[float64]uint64{.1: 4, 1: 5}}},
			{Rule: "KEYED", Zone: "zen.example.org", Asked: 1, Parked: true, Why: "it lists everybody", Took: Times{1, time.Second, map[float64]uint64{.1: 0, 1: 1}}},
		},
		VerdictLog: &Log{Waiting: 1, Room: 4096, Dropped: 7},
		Memory:     Memory{Counters: 9, Bytes: 1234, Max: 1 << 20, Shared: &Shared{Trips: 31, Waiting: 32, Lost: 33}},
		Bulk:       Compared{Unlike: 11, Loose: 12, Strict: 13, Exempted: 14, Earned: 15, Broken: 16, Merges: 17},
	}
}

// record is the n-th of many.
func record(n int) verdictlog.Record {
	tag, reject := rules.Points(600), rules.Points(1500)
	now := time.Now()
	return verdictlog.Record{
		Schema: verdictlog.Schema, Time: now.UTC(), ID: verdictlog.NewID(now),
		Session:  verdictlog.Session{Client: verdictlog.Client{IP: "192.0.2.7"}, Helo: "mail.sender.example"},
		Envelope: verdictlog.Envelope{From: fmt.Sprintf("user%d@sender.example", n), To: []string{"bob@example.org"}, Size: 4000},
		Message:  &verdictlog.Message{Subject: fmt.Sprintf("Letter %d", n)},
		Verdict: verdictlog.Verdict{Action: rules.Tag, Score: 750, Thresholds: verdictlog.Thresholds{Tag: &tag, Reject: &reject},
			Policy: "default", At: verdictlog.AtData, By: scoring.ByScore},
		Hits: []scoring.Line{{Rule: "ZEN_SBL", Points: 800}, {Rule: "cap:dns", Points: -50}}, Shadow: []scoring.Line{},
		Outcome: verdictlog.Outcome{Timing: verdictlog.Timing{Total: 30_000, DNS: 20_000, Checks: map[string]int64{"bulk": 400}},
			Backend: &verdictlog.Backend{Addr: "127.0.0.1:10025"}},
	}
}

// ask asks c for a path, as the peer, with headers "Name: value".
func ask(c *Console, method, path, peer string, headers ...string) *http.Response {
	r := httptest.NewRequest(method, "http://127.0.0.1:8825"+path, nil)
	r.RemoteAddr = peer
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			r.Host = value
		}
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	return w.Result()
}

const here = "127.0.0.1:40000"

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestWhoMayAsk(t *testing.T) {
	c := New(Options{State: healthy, Host: "mx1.example.org", Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	for _, q := range []struct {
		peer, host string
		want       int
	}{
		{"127.0.0.1:1", "127.0.0.1:8825", 200}, {"[::1]:1", "[::1]:8825", 200}, {"[::ffff:127.0.0.1]:1", "localhost:8825", 200},
		{"10.1.2.3:1", "10.0.0.1:8825", 200}, {"10.1.2.3:1", "MX1.example.org", 200}, {"127.0.0.1:1", "localhost", 200},
		{"192.0.2.1:1", "127.0.0.1:8825", 403}, {"[2001:db8::1]:1", "127.0.0.1:8825", 403}, {"@", "127.0.0.1:8825", 403},
		{"127.0.0.1:1", "rebound.attacker.example:8825", 403}, {"127.0.0.1:1", "localhost.attacker.example", 403}, {"127.0.0.1:1", "", 403},
	} {
		for _, path := range []string{"/metrics", "/livez", "/readyz", "/state", "/verdicts", "/"} {
			if got := ask(c, "GET", path, q.peer, "Host: "+q.host); got.StatusCode != q.want {
				t.Errorf("%s from %s at %q: %d, want %d", path, q.peer, q.host, got.StatusCode, q.want)
			}
		}
	}
}

func TestReloadIsForProgramsOnThisMachine(t *testing.T) {
	calls := 0
	result := Reloaded{OK: true, Generation: 4}
	c := New(Options{State: healthy, Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		Reload: func(context.Context) Reloaded { calls++; return result }})
	header := ReloadHeader + ": 1"
	for _, q := range []struct {
		method, peer, header string
		want, calls          int
	}{
		{"POST", "10.1.2.3:1", header, 403, 0}, {"POST", here, "", 403, 0}, {"GET", here, header, 405, 0}, {"POST", here, header, 200, 1},
	} {
		calls = 0
		headers := []string{q.header}
		if q.header == "" {
			headers = nil
		}
		if got := ask(c, q.method, "/reload", q.peer, headers...); got.StatusCode != q.want || calls != q.calls {
			t.Errorf("%s from %s with %q: %d and %d reloads", q.method, q.peer, q.header, got.StatusCode, calls)
		}
	}
	result = Reloaded{Findings: []string{"rules.yaml:3:1: error: no"}}
	got := ask(c, "POST", "/reload", here, header)
	var answer Reloaded
	if err := json.Unmarshal([]byte(body(t, got)), &answer); err != nil || got.StatusCode != 422 || answer.OK || len(answer.Findings) != 1 {
		t.Errorf("a refused reload: %d %+v %v", got.StatusCode, answer, err)
	}
	if got := ask(New(Options{State: healthy}), "POST", "/reload", here, header); got.StatusCode != 404 {
		t.Errorf("without a Reload: %d", got.StatusCode)
	}
}

func TestReadiness(t *testing.T) {
	state := healthy()
	c := New(Options{State: func() State { return state }})
	if got := ask(c, "GET", "/readyz", here); got.StatusCode != 200 {
		t.Errorf("ready: %d", got.StatusCode)
	}
	state.Missing = []string{"no server behind is up", "no listener is open"}
	got := ask(c, "GET", "/readyz", here)
	if text := body(t, got); got.StatusCode != 503 || text != strings.Join(state.Missing, "\n")+"\n" {
		t.Errorf("not ready: %d %q", got.StatusCode, text)
	}
	if got := ask(c, "GET", "/livez", here); got.StatusCode != 200 {
		t.Errorf("alive although not ready: %d", got.StatusCode)
	}
}

// Every name is one of the contract, with its labels and no others.
func TestMetrics(t *testing.T) {
	state := healthy()
	state.Alarms = []Alarm{{AlarmDisk, "full"}}
	c := New(Options{State: func() State { return state }})
	for n := range 3 {
		r := record(n)
		r.Bulk = nil
		c.Record(r)
	}
	refused := record(4)
	refused.Verdict.At = verdictlog.AtConnect
	c.Record(refused)
	unjudged := record(5)
	unjudged.Verdict.Policy, unjudged.Verdict.At, unjudged.Verdict.Action, unjudged.Hits = "", verdictlog.AtRcpt, rules.Reject, nil
	c.Record(unjudged)
	got := body(t, ask(c, "GET", "/metrics", here))
	for _, want := range []string{
		`weir_sessions_total{listener="smtp",result="served"} 5`, `weir_sessions_active 2`, `weir_messages_total{action="tag",policy="default"} 3`,
		`weir_messages_total{action="reject",policy="none"} 1`, `weir_scan_duration_seconds_count{stage="total"} 4`,
		`weir_scan_duration_seconds_bucket{stage="dns",le="0.025"} 4`, `weir_message_size_bytes_count 3`, `weir_score_bucket{le="8"} 3`,
		`weir_score_bucket{le="6"} 0`, `weir_rule_hits_total{rule="ZEN_SBL"} 3`, `weir_dns_queries_total{result="not_listed",zone="zen.example.org"} 6`,
		`weir_dns_queries_total{result="unknown",zone="zen.example.org"} 2`, `weir_dns_duration_seconds_bucket{zone="zen.example.org",le="1"} 6`,
		`weir_dns_parked{zone="zen.example.org"} 1`, `weir_bulk_campaigns 0`, `weir_bulk_memory_bytes 1234`,
		`weir_bulk_messages_total{grade="none"} 11`, `weir_bulk_messages_total{grade="loose"} 12`, `weir_bulk_messages_total{grade="strict"} 13`,
		`weir_bulk_senders_total{standing="exempted"} 14`, `weir_bulk_senders_total{standing="earned"} 15`, `weir_bulk_senders_total{standing="broken"} 16`,
		`weir_bulk_merges_total 17`, `weir_store_away 0`, `weir_store_round_trips_total 31`, `weir_store_waiting 32`, `weir_store_lost_total 33`,
		`weir_backend_up{backend="backend.addrs[1]"} 0`,
		`weir_config_reload_successful 1`, `weir_verdict_log_dropped_total 7`, `weir_limited_total{limit="sessions_per_ip"} 4`,
		`weir_alarm{alarm="disk"} 1`, `weir_alarm{alarm="reload"} 0`, `version="1.0.0"} 1`, "process_open_fds",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	for _, odd := range []string{"cap:dns", "192.0.2.", "127.0.0.1", "sender.example"} {
		if strings.Contains(got, odd) {
			t.Errorf("%s is in the metrics", odd)
		}
	}
	if n := strings.Count(got, "# TYPE weir_"); n != 26 {
		t.Errorf("%d metrics, want those of the contract, limits and alarms: 26", n)
	}
}

func TestCampaignsAreForgotten(t *testing.T) {
	var c campaigns
	now := time.Now()
	for n := range 3 * mostCampaigns {
		c.add(fmt.Sprint(n), now)
		c.add(fmt.Sprint(n), now)
	}
	if got := c.count(now); got > mostCampaigns || got < mostCampaigns/2 {
		t.Errorf("%d campaigns are remembered", got)
	}
	if got := c.count(now.Add(3 * campaignsFor)); got != 0 {
		t.Errorf("%d campaigns that had no mail for long", got)
	}
}

func TestVerdicts(t *testing.T) {
	c := New(Options{State: healthy})
	for n := range keptRecords + 100 {
		r := record(n)
		if n%2 == 0 {
			r.Verdict.Action = rules.Pass
		}
		c.Record(r)
	}
	senders := func(path string) []string {
		var all []string
		for line := range strings.Lines(body(t, ask(c, "GET", path, here))) {
			r, err := verdictlog.ReadRecord([]byte(line))
			if err != nil {
				t.Fatalf("%s: %v in %q", path, err, line)
			}
			all = append(all, r.Envelope.From)
		}
		return all
	}
	if got := senders("/verdicts?n=2"); !slices.Equal(got, []string{"user1098@sender.example", "user1099@sender.example"}) {
		t.Errorf("the last two: %v", got)
	}
	if got := senders("/verdicts?n=5000"); len(got) != keptRecords {
		t.Errorf("all: %d", len(got))
	}
	if got := senders("/verdicts?q=action:pass&q=subject:109"); !slices.Equal(got, []string{
		"user1090@sender.example", "user1092@sender.example", "user1094@sender.example", "user1096@sender.example", "user1098@sender.example"}) {
		t.Errorf("of a query: %v", got)
	}
	for _, bad := range []string{"/verdicts?q=colour:red", "/verdicts?n=x", "/verdicts?n=-1"} {
		if got := ask(c, "GET", bad, here); got.StatusCode != 400 {
			t.Errorf("%s: %d", bad, got.StatusCode)
		}
	}
}

func TestTheRingIsBounded(t *testing.T) {
	var k ring
	large := record(1)
	large.Message.Subject = strings.Repeat("x", keptBytes/10)
	for range 100 {
		k.add(&large)
	}
	if n := len(k.all()); n != 9 || k.bytes > keptBytes {
		t.Errorf("%d records, %d bytes", n, k.bytes)
	}
	huge := record(2)
	huge.Message.Subject = strings.Repeat("x", keptBytes)
	k.add(&huge)
	if n := len(k.all()); n != 9 {
		t.Errorf("a huge one leaves %d records", n)
	}
}

func TestThePageIsSafe(t *testing.T) {
	state := healthy()
	state.Alarms = []Alarm{{AlarmReload, "<b>"}}
	c := New(Options{State: func() State { return state }})
	r := record(1)
	r.Message.Subject = `<script>alert(1)</script>`
	r.Envelope.From = `"><img src=x>@b.example`
	c.Record(r)
	got := ask(c, "GET", `/?q="><script>`, here)
	page := body(t, got)
	for _, odd := range []string{"<script", "<img", "<b>", "http://", "https://", "ZgotmplZ"} {
		if strings.Contains(page, odd) {
			t.Errorf("%s is in the page:\n%s", odd, page)
		}
	}
	page = body(t, ask(c, "GET", "/", here))
	for _, want := range []string{"&lt;script&gt;alert(1)", "down", "127.0.0.1:10026", "ZEN_SBL 8.00", "it lists everybody"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s in\n%s", want, page)
		}
	}
	style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(page)
	policy := got.Header.Get("Content-Security-Policy")
	if style == nil || !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, hashOf(style[1])) {
		t.Errorf("the style is not the policy's: %s", policy)
	}
}

func TestTheStateIsJSON(t *testing.T) {
	c := New(Options{State: healthy})
	var got State
	if err := json.Unmarshal([]byte(body(t, ask(c, "GET", "/state", here))), &got); err != nil {
		t.Fatal(err)
	}
	if got.Rules.Generation != 3 || got.Lists[1].Why != "it lists everybody" || got.VerdictLog.Dropped != 7 || got.Backends[0].Addr != "127.0.0.1:10025" {
		t.Errorf("%+v", got)
	}
}

// More connections than there is room for wait until others end; none of them can hold a place without asking.
func TestConnectionsAreBounded(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- New(Options{State: healthy}).Serve(ctx, l) }()
	for range connections {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	began := time.Now()
	answer, err := http.Get("http://" + l.Addr().String() + "/livez")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if took := time.Since(began); took < headerTime/2 {
		t.Errorf("an answer after %v, while all places were taken", took)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestDocumentedMetrics(t *testing.T) {
	text, err := os.ReadFile("../../docs/operation.md")
	if err != nil {
		t.Fatal(err)
	}
	c := New(Options{State: healthy})
	c.Record(record(1))
	for _, m := range regexp.MustCompile(`# TYPE (weir_\w+)`).FindAllStringSubmatch(body(t, ask(c, "GET", "/metrics", here)), -1) {
		if !strings.Contains(string(text), "`"+m[1]) {
			t.Errorf("docs/operation.md does not tell of %s", m[1])
		}
	}
	for _, name := range alarms {
		if !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("docs/operation.md does not tell of the alarm %s", name)
		}
	}
}

func BenchmarkRecord(b *testing.B) {
	c := New(Options{State: healthy})
	r := record(1)
	b.ReportAllocs()
	for b.Loop() {
		c.Record(r)
	}
}
