package verdictlog

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"
	"weir/rules"
)

// What a query makes of the sections that its words read is what it makes of the whole record.
func TestSketchesAreEnough(t *testing.T) {
	begin := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	m := mail{rand.New(rand.NewPCG(3, 4))}
	var lines [][]byte
	for i := range 300 {
		r := m.record(begin.Add(time.Duration(i) * time.Hour))
		switch i % 10 {
		case 0:
			r = m.rare(begin)
		case 1:
			r.Message, r.Envelope.From = nil, ""
			r.Envelope.RcptRejected = []RcptRejected{{To: "hermit@example.net", Reply: "550 no"}}
		case 2:
			r.Candidate = &Candidate{Action: rules.Reject}
		}
		line, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line, line[:len(line)/2])
	}
	lines = append(lines, []byte(`{"schema":"verdict/0"}`), []byte("{}"), nil)
	for _, words := range []string{
		"", "action:reject", "-action:reject", "score>9", "policy:default", "policy:hermitage", "from:<>", "from:lonely@nowhere.example", "from:@nowhere.example",
		"from:ab", "to:hermit@example.net", "to:@example.org", "-to:@example.org", "subject:quinces", "subject:lottery", "ip:203.0.113.9", "net:198.18.0.0/16",
		"id:01", "campaign:cffffffff", "campaign:c0", "candidate:differs", "candidate:reject", "lottery", "nowhere.example", "rule:RULE_1_7 from:a", "error:timeout to:@example.org",
		"shadow:TRIAL_1", "learned:ham", "-learned:ham",
	} {
		q := parse(t, words)
		if words == "" {
			q = Query{Since: begin.Add(50 * time.Hour), Until: begin.Add(99 * time.Hour)}
		}
		s := newScan(t.Context(), t.TempDir(), q)
		n := 0
		for _, line := range lines {
			got, err := s.finds(line)
			if err != nil {
				t.Fatal(err)
			}
			r, err := ReadRecord(line)
			if want := err == nil && q.Match(r); got != want {
				t.Fatalf("%s: %v, want %v: %s", words, got, want, line)
			}
			if got {
				n++
			}
		}
		if n == 0 && words != "learned:ham" {
			t.Errorf("%s finds nothing", words)
		}
	}
}
