package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/cmd/weir/dns"
	"weir/filters"
	"weir/filters/lookup"
	"weir/scoring/verdictlog"
)

const dnsRules = `version: 1
thresholds: { tag: 6, reject: 15 }
zones:
  - id: ZEN
    zone: zen.test
    ask: [client_ip]
    answers:
      - { id: SBL, is: 127.0.0.2, score: 4 }
      - { id: DROP, is: 127.0.0.9, score: 7, mode: hard }
    errors: [{ is: 127.255.255.254, means: asked through a public resolver }]
  - id: KEYED
    zone: ${file:key}.keyed.test
    ask: [client_ip]
    answers: [{ id: ANY, is: 127.0.0.0/8, score: 1 }]
`

// dnsCheck runs the verb against a server of the records and returns what it printed.
func dnsCheck(t *testing.T, records map[string][]string, args ...string) (code int, out, errs string) {
	t.Helper()
	z, err := lookup.MapZone(records)
	if err != nil {
		t.Fatal(err)
	}
	s, err := lookup.Serve("127.0.0.1:0", z)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	dir := t.TempDir()
	file := filepath.Join(dir, "rules.yaml")
	for name, text := range map[string]string{"rules.yaml": dnsRules, "key": "sesame7\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.ReplaceAll(text, "file:key", "file:"+filepath.Join(dir, "key"))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var stdout, stderr strings.Builder
	code = run(t.Context(), append([]string{"dns", "check", "--dns", s.Addr(), "--rules", file}, args...), streams{strings.NewReader(""), &stdout, &stderr})
	return code, stdout.String(), stderr.String()
}

func TestDNSCheck(t *testing.T) {
	const listed, other = "7.2.0.192.zen.test", "7.2.0.192.sesame7.keyed.test"
	for _, c := range []struct {
		about   string
		records map[string][]string
		args    string
		code    int
		want    []string // parts of what is printed, in this order
	}{
		{"listed", map[string][]string{listed: {"127.0.0.2", "127.0.0.9"}}, "192.0.2.7", exitOK,
			[]string{"ZEN", listed, "127.0.0.2 127.0.0.9", "ZEN_SBL 4.00, ZEN_DROP 7.00 hard", "127.0.0.1:", "KEYED", "7.2.0.192.", "keyed.test", "not listed"}},
		{"one zone by id", map[string][]string{other: {"127.0.0.3"}}, "192.0.2.7 keyed", exitOK, []string{"KEYED", "KEYED_ANY 1.00"}},
		{"an error code", map[string][]string{listed: {"127.255.255.254"}}, "192.0.2.7 ZEN", exitOK, []string{"unknown (sentinel): 127.255.255.254: asked through a public resolver"}},
		{"the list's own words", map[string][]string{listed: {"127.0.0.2", `TXT "seen in a trap"`}}, "192.0.2.7 ZEN", exitOK, []string{"ZEN_SBL 4.00 (seen in a trap)"}},
		{"words with the key", map[string][]string{other: {"127.0.0.2", `TXT "see https://keyed.test/?key=sesame7"`}}, "192.0.2.7 KEYED", exitOK, []string{"KEYED_ANY 1.00  127.0.0.1:"}},
		{"a code not in the rules", map[string][]string{listed: {"127.0.0.30"}}, "192.0.2.7 zen.test", exitOK, []string{"127.0.0.30 is not in the rules"}},
		{"a failing list", map[string][]string{other: {"SERVFAIL"}}, "192.0.2.7", exitOK, []string{"not listed", "unknown (servfail)"}},
		{"no list answers", map[string][]string{other: {"SERVFAIL"}}, "192.0.2.7 KEYED", exitUnavailable, []string{"unknown (servfail)"}},
		{"a domain's addresses", map[string][]string{"a.example": {"192.0.2.7", "2001:db8::7"}, listed: {"127.0.0.2"}}, "a.example ZEN", exitOK,
			[]string{listed, "ZEN_SBL", "8.b.d.0.1.0.0.2.zen.test", "not listed"}},
		{"a domain without", nil, "a.example", exitNoInput, nil},
		{"a zone not in the rules", map[string][]string{"a.example.uri.test": {"127.0.0.4"}}, "a.example uri.test", exitOK, []string{"a.example.uri.test", "127.0.0.4 is not in the rules"}},
		{"too many words", nil, "a b c", exitUsage, nil},
	} {
		code, out, errs := dnsCheck(t, c.records, strings.Fields(c.args)...)
		if code != c.code {
			t.Errorf("%s: exit %d, want %d\n%s%s", c.about, code, c.code, out, errs)
		}
		rest := out
		for _, part := range c.want {
			_, after, ok := strings.Cut(rest, part)
			if !ok {
				t.Errorf("%s: no %q in its place in\n%s", c.about, part, out)
			}
			rest = after
		}
		if strings.Contains(out+errs, "sesame7") {
			t.Errorf("%s: the key is shown:\n%s%s", c.about, out, errs)
		}
	}
}

func TestDNSCheckJSON(t *testing.T) {
	_, out, errs := dnsCheck(t, map[string][]string{"7.2.0.192.zen.test": {"127.0.0.9"}}, "--json", "192.0.2.7", "ZEN")
	var got dns.Answer
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v in %s%s", err, out, errs)
	}
	if got.Outcome != "listed" || len(got.Hits) != 1 || got.Hits[0].Rule != "ZEN_DROP" || got.Hits[0].Score != 700 || got.TookUS <= 0 {
		t.Errorf("got %+v", got)
	}
}

// A list that a running weir does not ask is shown as such, as long as its verdicts say so.
func TestDNSCheckKnowsTheLog(t *testing.T) {
	parked := silentOn(judgedRecord(), filters.KindParked, "BIG")
	parked.Errors[0].Detail = "big.test is not asked until 10:15 UTC: it lists everybody"
	for about, c := range map[string]struct {
		log  []verdictlog.Record
		want bool
	}{
		"parked": {[]verdictlog.Record{parked}, true}, "asked again": {[]verdictlog.Record{parked, asking(judgedRecord(), map[string]int64{"BIG": 5})}, false}, "never": {nil, false},
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "rules.yaml"), overlapRules)
		write(t, filepath.Join(dir, "zone"), "")
		write(t, filepath.Join(dir, "weir.yaml"), "version: 1\nrules: rules.yaml\nverdicts: { dir: "+keepRecords(t, c.log)+" }\n")
		var out, errs strings.Builder
		code := run(t.Context(), []string{"dns", "check", "-c", filepath.Join(dir, "weir.yaml"), "--dns", filepath.Join(dir, "zone"), "192.0.2.7"}, streams{strings.NewReader(""), &out, &errs})
		if code != exitOK || strings.Contains(out.String(), "not listed; weir does not ask it: big.test is not asked until 10:15 UTC") != c.want {
			t.Errorf("%s: exit %d\n%s%s", about, code, out.String(), errs.String())
		}
	}
}
