package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/cmd/weir/dns"
	"weir/filters"
	"weir/scoring/verdictlog"
)

const healthRules = overlapRules + `  - { id: HARD, zone: hard.test, ask: client_ip, answers: [{ id: DROP, is: 127.0.0.2, score: 9, mode: hard }] }
rules:
  - { id: BOTH, about: two lists, when: BIG_BAD && OTHER_BAD, score: 9, tests: [{ hit: [BIG_BAD, OTHER_BAD] }, { miss: [BIG_BAD] }] }
`

// asking adds to r how long lists took, in microseconds.
func asking(r verdictlog.Record, took map[string]int64) verdictlog.Record {
	r.Timing.Zones = took
	return r
}

// healthLog is mail of which each list explains something else.
func healthLog() []verdictlog.Record {
	var all []verdictlog.Record
	add := func(n int, r verdictlog.Record) { all = append(all, times(n, r)...) }
	for i := range 100 {
		add(1, asking(judgedRecord(), map[string]int64{"BIG": int64(1000 * (i + 1)), "SMALL": 0}))
	}
	add(5, judgedRecord("BIG_BAD", "SMALL_BAD"))                         // 18: without either one it is 9
	add(3, judgedRecord("BIG_BAD", "BIG_WORSE"))                         // 18 by one list: without it nothing
	add(2, judgedRecord("OTHER_BAD"))                                    // 9
	add(4, judgedRecord("BIG_BAD", "SMALL_BAD", "GOOD_HI"))              // 9: without the good one 18, without a bad one 0
	add(6, judgedRecord("BIG_BAD", "OTHER_BAD", "SMALL_BAD", "GOOD_HI")) // 27: without OTHER 9, and BOTH goes too
	early := judgedRecord("HARD_DROP")
	early.Message = nil
	add(7, early)
	soft := judgedRecord("BIG_BAD") // refused by the server behind, before the message
	soft.Message = nil
	add(1, soft)
	unjudged := judgedRecord("BIG_BAD")
	unjudged.Facts = nil
	add(1, unjudged)
	add(2, silentOn(judgedRecord(), filters.KindTimeout, "BIG", "SMALL"))
	add(1, silentOn(judgedRecord(), filters.KindSentinel, "BIG"))
	add(1, asking(judgedRecord(), map[string]int64{"BIG": 5000}))
	add(1, silentOn(judgedRecord(), filters.KindParked, "SMALL"))
	return all
}

// health runs the verb with a zone file in which BIG, OTHER and HARD are well, over a log.
func health(t *testing.T, args ...string) (code int, out string) {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "rules.yaml"), healthRules)
	var zone strings.Builder
	for _, name := range []string{"big", "small", "other", "good", "hard"} {
		fmt.Fprintf(&zone, "2.0.0.127.%s.test. A 127.0.0.2\n", name)
	}
	write(t, filepath.Join(dir, "zone"), zone.String())
	var stdout, stderr strings.Builder
	all := append([]string{"dns", "health", "--rules", filepath.Join(dir, "rules.yaml"), "--dns", filepath.Join(dir, "zone")}, args...)
	code = run(t.Context(), all, streams{strings.NewReader(""), &stdout, &stderr})
	if stderr.Len() > 0 {
		t.Log(stderr.String())
	}
	return code, stdout.String()
}

func TestDNSHealthOfTheLog(t *testing.T) {
	dir := keepRecords(t, healthLog())
	ids := idsOf(t, dir)
	for at, said := range map[int]string{
		0: verdictlog.Ham, 1: verdictlog.Spam, // that no list had listed
		100: verdictlog.Spam, 101: verdictlog.Spam, 108: verdictlog.Ham, // BIG and SMALL twice, OTHER
		110: verdictlog.Ham, 111: verdictlog.Ham, 112: verdictlog.Spam, // BIG, SMALL and GOOD
	} {
		if err := verdictlog.Learn(dir, verdictlog.Mark{Time: time.Now(), Learned: said, ID: ids[at]}); err != nil {
			t.Fatal(err)
		}
	}
	for _, said := range []string{verdictlog.Ham, verdictlog.Unlearn} { // what is taken back does not count
		if err := verdictlog.Learn(dir, verdictlog.Mark{Time: time.Now(), Learned: said, ID: ids[102]}); err != nil {
			t.Fatal(err)
		}
	}
	code, out := health(t, "--dir", dir)
	if code != exitOK {
		t.Fatalf("exit %d\n%s", code, out)
	}
	at := strings.Index(out, "\nin the verdict log")
	if at < 0 {
		t.Fatalf("no log in\n%s", out)
	}
	golden(t, "health_log.golden", aTime.ReplaceAllString(out[at:], "DAY"))

	_, out = health(t, "--dir", dir, "--json", "BIG")
	var got dns.Health
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	l := got.Log
	if l == nil || l.Asked != 101 || l.Ham != 2 || l.Spam != 3 || l.P50US != 50_000 || l.P99US != 99_000 || l.Unknown["timeout"] != 2 || l.Parked || l.Error.Kind != "sentinel" {
		t.Errorf("got %s", out)
	}
	if _, out = health(t, "--dir", dir, "--since", "2099-01-01"); !strings.Contains(out, "since 2099-01-01 00:00") {
		t.Errorf("printed %s", out)
	}
	if code, out := health(t, "--dir", filepath.Join(dir, "nowhere")); code != exitNoInput {
		t.Errorf("exit %d\n%s", code, out)
	}
	if code, out := health(t, "--dir", dir, "--since", "soon"); code != exitUsage {
		t.Errorf("exit %d\n%s", code, out)
	}
}
