package replay

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"weir/filters"
	"weir/filters/pattern"
	"weir/rules"
	"weir/scoring"
	"weir/scoring/verdictlog"
	"weir/scoring/verdictlog/bodies"
)

// words are those that the patterns of base and of afterwards look for, and others.
var words = []string{"pill", "prize", "trial", "garden", "watch", "pearls"}

// afterwards is base with a pattern changed, one new, one gone, and conditions that read the new.
var afterwards = strings.NewReplacer(
	"regex: pill", `regex: "pill|pearls"`,
	`  - { id: TRIAL, about: "t", body: { regex: trial }, score: 9, mode: shadow }`, `  - { id: WATCH, about: "w", body: { regex: watch }, score: 7, family: content }`,
	`when: "PRIZE and not GOOD", score: 2`, `when: "(PRIZE or WATCH) and not GOOD and size < 1*KiB", score: 4`,
).Replace(base)

// seen is what the checks of set find in a message besides what is said.
func seen(t rapid.TB, set *rules.Set, m filters.Mail, others []string) []filters.Result {
	t.Helper()
	check, err := pattern.New(set.Patterns)
	if err != nil {
		t.Fatal(err)
	}
	report, err := check.Run(context.Background(), m)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range others {
		report.Hits = append(report.Hits, filters.Hit{Symbol: name})
	}
	return []filters.Result{{Check: "all", Report: report}}
}

// readPatterns makes the checks of the patterns of set that are wanted.
func readPatterns(set *rules.Set) func(wanted map[string]bool) ([]filters.Check, error) {
	return func(wanted map[string]bool) ([]filters.Check, error) {
		own := slices.DeleteFunc(slices.Clone(set.Patterns), func(p rules.Pattern) bool { return !wanted[p.Symbol] })
		check, err := pattern.New(own)
		return []filters.Check{check}, err
	}
}

// letter is a message that was judged.
type letter struct {
	filters.Mail
	others []string // what else was found
	id     string
}

func letterOf(t *rapid.T) letter {
	text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), 0, 5).Draw(t, "words"), " ") + "\r\n"
	text += strings.Repeat("x", rapid.SampledFrom([]int{0, 2 << 10}).Draw(t, "size"))
	at := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	return letter{
		Mail: filters.Mail{
			At: at, Session: &filters.Session{}, Envelope: &filters.Envelope{From: "ann@shop.example", To: []string{rapid.SampledFrom([]string{"boss@example.org", "bob@example.org"}).Draw(t, "to")}},
			Message: filters.ParseMessage([]byte("Subject: a\r\nFrom: ann@shop.example\r\n\r\n" + text)),
		},
		others: rapid.SliceOf(rapid.SampledFrom([]string{"Z_A", "MANY", "NOBODY_WEIGHS"})).Draw(t, "others"),
		id:     verdictlog.NewID(at),
	}
}

// under is the verdict on a letter under set, and its line.
func (l letter) under(t rapid.TB, set *rules.Set) (scoring.Verdict, []byte) {
	t.Helper()
	results := seen(t, set, l.Mail, l.others)
	v := scoring.Judge(set, set.PolicyFor(rules.Whose{Rcpt: l.Envelope.To[0]}), scoring.FactsOf(l.Mail, results))
	r := verdictlog.Compose(l.Mail, results, v)
	r.ID, r.Rules.Digest, r.Version, r.Verdict.At = l.id, set.Digest, "1", verdictlog.AtData
	line, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return v, line
}

// shelfOf keeps letters.
func shelfOf(t rapid.TB, dir string, all ...letter) *bodies.Shelf {
	t.Helper()
	k, err := bodies.Open(bodies.Options{Dir: dir, Keep: time.Hour, MaxSize: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range all {
		k.Put(l.id, l.Message.Raw())
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := bodies.Look(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Where the message is kept, replay says what the new rules would have said, whatever is new in them; under the same rules
// it never flips.
func TestKeptMessagesAreJudgedExactly(t *testing.T) {
	before, after := load(t, base), load(t, afterwards)
	reread := 0
	rapid.Check(t, func(r *rapid.T) {
		l := letterOf(r)
		shelf := shelfOf(r, t.TempDir(), l)
		defer shelf.Close()
		was, line := l.under(r, before)
		want, _ := l.under(r, after)
		for set, want := range map[*rules.Set]scoring.Verdict{before: was, after: want} {
			j := from(set, before)
			j.rules.Kept, j.rules.Readers = shelf, readPatterns(set)
			got, ok := j.Line(line)
			if !ok || got.Undone != "" || got.Was != was.Action || got.Is != want.Action {
				r.Fatalf("%v %+v, want %v -> %v", ok, got, was.Action, want.Action)
			}
			if got.Reread != nil {
				if reread++; set == before || got.Score != want.Points {
					r.Fatalf("score %v, want %v", got.Score, want.Points)
				}
			}
		}
		// Without the message the same or nothing is said.
		got, _ := from(after, before).Line(line)
		if got.Undone == "" && got.Is != want.Action {
			r.Fatalf("without: %+v, want %v", got, want.Action)
		}
	})
	if reread == 0 {
		t.Error("no message was looked at")
	}
}

func TestWhatIsNotKeptIsCounted(t *testing.T) {
	before, after := load(t, base), load(t, afterwards)
	mail := func(n int, text string) letter {
		l := letter{id: fmt.Sprintf("01M86G0SV0%016d", n), Mail: filters.Mail{
			At: time.Now(), Session: &filters.Session{}, Envelope: &filters.Envelope{To: []string{"bob@example.org"}},
			Message: filters.ParseMessage([]byte("Subject: a\r\n\r\n" + text)),
		}}
		return l
	}
	kept, gone := mail(1, "a watch and pearls"), mail(2, "a watch and pearls")
	shelf := shelfOf(t, t.TempDir(), kept)
	defer shelf.Close()
	r := from(after, before).rules
	r.Kept, r.Readers = shelf, readPatterns(after)
	lines := func(_ context.Context, each func([]byte) error) error {
		for _, l := range []letter{kept, gone} {
			_, line := l.under(t, before)
			if err := each(line); err != nil {
				return err
			}
		}
		return nil
	}
	var flips []Flip
	report, err := Run(t.Context(), r, lines, func(f Flip) error { flips = append(flips, f); return nil })
	if err != nil || report.Reread != 1 || report.Undone[NotKept] != 1 || report.Undone[Unknown] != 0 || report.Missing["WATCH"] != 1 {
		t.Errorf("%v: %+v", err, report)
	}
	// 5 and 7 are capped to 9, and BOTH counts 4.
	if len(flips) != 1 || flips[0].Record.ID != kept.id || flips[0].Score != 1300 || len(flips[0].Causes) < 3 || flips[0].Causes[0].Rule != "WATCH" {
		t.Errorf("%+v", flips)
	}
}

// A zone that is new is not in the message.
func TestMessagesDoNotTellWhatListsSaid(t *testing.T) {
	before := load(t, base)
	after := load(t, strings.Replace(base, "zone: z.example.org", "zone: other.example.org", 1))
	l := letter{id: "01M86G0SV00000000000000001", Mail: filters.Mail{
		At: time.Now(), Session: &filters.Session{}, Envelope: &filters.Envelope{To: []string{"bob@example.org"}}, Message: filters.ParseMessage([]byte("\r\n")),
	}}
	shelf := shelfOf(t, t.TempDir(), l)
	defer shelf.Close()
	j := from(after, before)
	j.rules.Kept, j.rules.Readers = shelf, readPatterns(after)
	_, line := l.under(t, before)
	if got, _ := j.Line(line); got.Undone != Unknown || got.Reread != nil {
		t.Errorf("%+v", got)
	}
}

// What a record does not hold is not taken for nothing.
func TestFactsThatWereNotRecorded(t *testing.T) {
	const unproven = `  - { id: UNPROVEN, about: "u", when: "dmarc != \"pass\"", score: 20 }` + "\n"
	const unsigned = `  - { id: UNPROVEN, about: "u", when: "auth.dkim != \"pass\"", score: 20 }` + "\n"
	const files = `  - { id: FILES, about: "f", when: "attachments == 0", score: 20 }` + "\n"
	const counted = `  - { id: ALONE, about: "f", when: "bulk.alike < 2", score: 20 }` + "\n"
	add := func(rule string) string { return strings.Replace(base, "policies:", rule+"policies:", 1) }
	widened := strings.Replace(add(counted), "over: 1h", "over: 2h", 1)
	for name, c := range map[string]struct {
		rules, facts, version string
		undone                string
		is                    rules.Action
	}{
		"not looked for":           {add(unproven), `{"size":10}`, "1", Unknown, 0},
		"looked for":               {add(unproven), `{"size":10,"dmarc":"none"}`, "1", "", rules.Reject},
		"passed":                   {add(unproven), `{"size":10,"dmarc":"pass"}`, "1", "", rules.Pass},
		"signatures not":           {add(unsigned), `{"size":10,"auth":{"policy":"none"}}`, "1", Unknown, 0},
		"no signature":             {add(unsigned), `{"size":10,"auth":{"dkim":"none"}}`, "1", "", rules.Reject},
		"nothing":                  {add(files), `{"size":10}`, "1", "", rules.Reject},
		"another version":          {add(files), `{"size":10}`, "0", Unknown, 0},
		"it recorded that":         {add(files), `{"size":10}`, "0+", "", rules.Reject},
		"counted":                  {add(counted), `{"size":10}`, "1", "", rules.Reject},
		"counted in other windows": {widened, `{"size":10,"bulk":{"alike":5}}`, "1", Unknown, 0},
	} {
		before := load(t, base)
		line := record(t, before, circumstances{to: "bob@example.org", size: 10})
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(line, &fields); err != nil {
			t.Fatal(err)
		}
		fields["version"] = json.RawMessage(fmt.Sprintf("%q", c.version))
		fields["facts"] = json.RawMessage(`{"symbols":[],"features":` + c.facts + `}`)
		line, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		j := from(load(t, c.rules), before)
		was := j.rules.Was
		j.rules.Was = func(digest, version string) (verdictlog.Sought, bool) {
			s, ok := was(digest, version)
			if version == "0+" {
				s.Features = rules.FeatureNames()
			}
			return s, ok
		}
		got, ok := j.Line(line)
		if !ok || got.Undone != c.undone || c.undone == "" && got.Is != c.is {
			t.Errorf("%s: %v %+v", name, ok, got)
		}
		if c.undone != "" && !slices.ContainsFunc(got.Missing, func(name string) bool { return strings.ToLower(name) == name }) {
			t.Errorf("%s: it does not say which fact: %v", name, got.Missing)
		}
	}
}

// Points that grow with the count grow in replay as well.
func TestGrownPointsNeverFlip(t *testing.T) {
	set := load(t, strings.Replace(base, "alike: 20, score: 8", "alike: 20, score: 16, grow: tanh", 1))
	if line := record(t, set, circumstances{to: "bob@example.org", symbols: []string{"MANY"}, size: 10, bulk: true}); !strings.Contains(string(line), `"action":"tag"`) {
		t.Fatalf("not as meant: %s", line)
	} else if got, ok := from(set).Line(line); !ok || got.Undone != "" || got.Is != got.Was {
		t.Errorf("%v %+v", ok, got)
	}
}
