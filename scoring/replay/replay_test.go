package replay

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"pgregory.net/rapid"

	"weir/filters"
	"weir/rules"
	"weir/scoring"
	"weir/scoring/verdictlog"
)

const base = `version: 1
thresholds: { tag: 6, reject: 15 }
caps: { content: 9 }
zones:
  - id: Z
    zone: z.example.org
    ask: [client_ip]
    combine: max
    answers:
      - { is: 127.0.0.2, id: A, about: "a", score: 4 }
      - { is: 127.0.0.3, id: B, about: "b", score: 7, mode: hard }
bulk:
  windows:
    - { id: MANY, about: "many", over: 1h, alike: 20, score: 8 }
  exempt:
    - { id: WANTED, about: "wanted", signer: list.shops, cap: 0 }
lists: { shops: { type: domain, inline: [shop.example] } }
rules:
  - { id: PILL, about: "p", body: { regex: pill }, score: 5, family: content }
  - { id: PRIZE, about: "p", body: { regex: prize }, score: 6, family: content }
  - { id: GOOD, about: "g", header: { name: List-Id, regex: club }, score: -4 }
  - { id: TRIAL, about: "t", body: { regex: trial }, score: 9, mode: shadow }
  - { id: BIG, about: "b", when: "PILL and size > 1*KiB", score: 3 }
  - { id: BOTH, about: "b", when: "PRIZE and not GOOD", score: 2 }
policies:
  - { id: vip, rcpt: [boss@example.org], thresholds: { reject: 20 }, zones: { mode: weighted }, scores: { PRIZE: 3 } }
`

var reported = []string{"Z_A", "Z_B", "MANY", "WANTED", "PILL", "PRIZE", "GOOD", "TRIAL", "NOBODY_WEIGHS"}

func load(t rapid.TB, text string) *rules.Set {
	t.Helper()
	set, findings := rules.Load(fstest.MapFS{"r.yaml": {Data: []byte(text)}}, "r.yaml", nil)
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	return set
}

// record is the line of a message with some symbols, judged under set.
func record(t rapid.TB, set *rules.Set, c circumstances) []byte {
	t.Helper()
	m := filters.Mail{
		At: time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC), Session: &filters.Session{Hello: `say "x"\`},
		Envelope: &filters.Envelope{From: cmp.Or(c.from, "ann@shop.example"), To: []string{c.to}}, Auth: &filters.Auth{Domains: c.proven},
	}
	if !c.refused {
		m.Message = filters.ParseMessage(append([]byte("Subject: }]\\\"{\r\nFrom: ann@shop.example\r\n\r\n"), make([]byte, c.size)...))
	}
	results := []filters.Result{{Check: "all"}}
	for _, name := range c.symbols {
		results[0].Hits = append(results[0].Hits, filters.Hit{Symbol: name, Detail: `"}`})
	}
	if c.bulk {
		results[0].Facts.Bulk = &filters.Bulk{Alike: 30, AlikeStrict: 30}
	}
	v := scoring.Judge(set, set.PolicyFor(rules.Whose{Rcpt: c.to}), scoring.FactsOf(m, results))
	r := verdictlog.Compose(m, results, v)
	if c.open != nil {
		r.Verdict.Early = &scoring.Early{Open: []scoring.Open{{Check: "dnsbl", Symbols: c.open}}}
	}
	r.ID, r.Rules.Digest, r.Version = verdictlog.NewID(m.At), set.Digest, "1"
	r.Verdict.At = verdictlog.AtData
	if c.backend {
		r.Verdict.By, r.Verdict.Action = scoring.ByBackend, rules.Reject
	}
	r.Verdict.Shadow = c.shadow
	private, err := verdictlog.Privacy{LocalPart: c.private}.Redactor("")
	if err != nil {
		t.Fatal(err)
	}
	line, err := json.Marshal(private.Redact(r))
	if err != nil {
		t.Fatal(err)
	}
	return line
}

type circumstances struct {
	to, from        string
	symbols, proven []string
	size            int
	refused         bool // at RCPT
	bulk            bool
	backend, shadow bool
	open            []string // not waited for
	private         verdictlog.Kept
}

func drawn(t *rapid.T) circumstances {
	return circumstances{
		to:      rapid.SampledFrom([]string{"boss@example.org", "bob@example.org"}).Draw(t, "to"),
		symbols: rapid.SliceOf(rapid.SampledFrom(reported)).Draw(t, "symbols"),
		size:    rapid.SampledFrom([]int{10, 2 << 10}).Draw(t, "size"),
		proven:  rapid.SampledFrom([][]string{nil, {"shop.example"}, {"other.example"}}).Draw(t, "proven"),
		private: rapid.SampledFrom([]verdictlog.Kept{verdictlog.Keep, verdictlog.Hash, verdictlog.Drop}).Draw(t, "private"),
		bulk:    rapid.Bool().Draw(t, "bulk"), backend: rapid.Bool().Draw(t, "backend"), refused: rapid.Bool().Draw(t, "refused"),
	}
}

// from makes a Judge under set of what was judged under the sets before.
func from(set *rules.Set, before ...*rules.Set) *Judge {
	return New(Rules{Set: set, Checked: []string{"NOBODY_WEIGHS"}, Version: "1", Was: func(digest, _ string) (verdictlog.Sought, bool) {
		for _, b := range before {
			if b.Digest == digest {
				symbols := b.Sought()
				symbols["NOBODY_WEIGHS"] = ""
				return verdictlog.Sought{Digest: digest, Symbols: symbols}, true
			}
		}
		return verdictlog.Sought{}, false
	}})
}

func TestSameRulesNeverFlip(t *testing.T) {
	set := load(t, base)
	rapid.Check(t, func(t *rapid.T) {
		line := record(t, set, drawn(t))
		if out, ok := from(set).Line(line); !ok || out.Undone != "" || out.Is != out.Was {
			t.Fatalf("%v %+v of %s", ok, out, line)
		}
	})
}

// tries is how often a property is checked at most until it has shown something.
const tries = 5

// edited is base with some texts exchanged.
func edited(t rapid.TB, pairs ...string) *rules.Set {
	t.Helper()
	text := base
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("there is no %q to change", pairs[i])
		}
		text = strings.Replace(text, pairs[i], pairs[i+1], 1)
	}
	return load(t, text)
}

// What other weights, caps, thresholds, policies, conditions and lists make of a message is what they would have made of
// it then.
// A rule that reads who has sent, where that is hashed, is not redone.
func TestWhoIsNotKnownIsNotGuessed(t *testing.T) {
	set := load(t, base) // in which a policy is the recipient's
	reads := load(t, strings.Replace(base, `"PILL and size > 1*KiB"`, `"from == 'ann@shop.example'"`, 1))
	line := func(set *rules.Set, private verdictlog.Kept) []byte {
		return record(t, set, circumstances{to: "boss@example.org", symbols: []string{"PILL", "PRIZE", "Z_B"}, size: 10, private: private})
	}
	for private, undone := range map[verdictlog.Kept]string{verdictlog.Keep: "", verdictlog.Hash: Unknown, verdictlog.Drop: Unknown} {
		if out, ok := from(reads, reads).Line(line(reads, private)); !ok || out.Undone != undone || undone == "" && out.Is != out.Was {
			t.Errorf("%s: %+v", private, out)
		}
		if out, ok := from(set, set).Line(line(set, private)); !ok || out.Undone != "" || out.Is != out.Was {
			t.Errorf("%s, which no rule reads: %+v", private, out)
		}
	}
}

func TestOtherWorthIsExact(t *testing.T) {
	before := load(t, base)
	for name, after := range map[string]*rules.Set{
		"weight":    edited(t, "pill }, score: 5", "pill }, score: 15"),
		"cap":       edited(t, "content: 9", "content: 3"),
		"threshold": edited(t, "tag: 6", "tag: 3.5"),
		"mode":      edited(t, "score: 9, mode: shadow", "score: 9"),
		"hard":      edited(t, "score: 4 }", "score: 4, mode: hard }"),
		"soft":      edited(t, "score: 7, mode: hard }", "score: 7 }"),
		"condition": edited(t, "PILL and size > 1*KiB", "PILL and size < 1*KiB and bulk.alike > 5"),
		"new rule":  edited(t, "policies:", "  - { id: NEW, about: \"n\", when: \"TRIAL or MANY\", score: 6 }\npolicies:"),
		"unweighed": edited(t, "policies:", "  - { id: NOBODY_WEIGHS, about: \"n\", check: spf, score: 6 }\npolicies:"),
		"list":      edited(t, "inline: [shop.example]", "inline: [other.example]"),
		"own":       edited(t, "PRIZE: 3", "PRIZE: 20, GOOD: 1"),
		"trial":     edited(t, "scores: { PRIZE", "bulk: { mode: shadow }, scores: { PRIZE"),
		"policy":    edited(t, "rcpt: [boss@example.org]", "rcpt: [bob@example.org]"),
		"allowed":   edited(t, "policies:", "  - { id: FRIEND, about: \"f\", who: { rcpt: bob@example.org, proven: other.example }, mode: allow }\npolicies:"),
	} {
		t.Run(name, func(t *testing.T) {
			flips := 0
			property := func(t *rapid.T) {
				c := drawn(t)
				if name == "policy" || name == "allowed" { // whose changes are by recipients
					c.private = verdictlog.Keep
				}
				c.refused, c.backend = false, false
				c.symbols = slices.DeleteFunc(c.symbols, func(s string) bool { return s == "WANTED" })
				now := c // as it would come now
				signer := map[string]string{"list": "other.example"}[name]
				if c.bulk && slices.Equal(c.proven, []string{"shop.example"}) {
					c.symbols = append(slices.Clone(c.symbols), "WANTED")
				}
				if signer == "" {
					signer = "shop.example"
				}
				if c.to == "bob@example.org" && slices.Equal(c.proven, []string{"other.example"}) {
					now.symbols = append(slices.Clone(now.symbols), "FRIEND")
				}
				if c.bulk && slices.Equal(c.proven, []string{signer}) {
					now.symbols = append(slices.Clone(now.symbols), "WANTED")
				}
				out, ok := from(after, before).Line(record(t, before, c))
				var want verdictlog.Record
				if err := json.Unmarshal(record(t, after, now), &want); err != nil {
					t.Fatal(err)
				}
				p := after.PolicyFor(rules.Whose{Rcpt: c.to}).ID
				if before.PolicyFor(rules.Whose{Rcpt: c.to}).ID != p && name != "policy" {
					t.Fatal("the policies differ")
				}
				if !ok || out.Undone != "" || out.Is != want.Verdict.Action || out.Score != want.Verdict.Score {
					t.Fatalf("%+v, want %s at %s", out, want.Verdict.Action, want.Verdict.Score)
				}
				if out.Is != out.Was {
					flips++
				}
			}
			for try := 0; try < tries && flips == 0; try++ {
				rapid.Check(t, property)
			}
			if flips == 0 {
				t.Error("no message was judged otherwise, so nothing is shown")
			}
		})
	}
}

// redone judges what is drawn under the first set and again under the second, until some of it could be judged again and some
// not, and has holds look at each that could. It returns how many there were of both.
func redone(t *testing.T, sets [2]*rules.Set, draw func(*rapid.T) circumstances, holds func(*rapid.T, circumstances, Judgement)) (done, undone int) {
	t.Helper()
	for try := 0; try < tries && (undone == 0 || done == 0); try++ {
		rapid.Check(t, func(t *rapid.T) {
			c := draw(t)
			out, ok := from(sets[1], sets[0]).Line(record(t, sets[0], c))
			switch {
			case !ok:
				t.Fatal("no record")
			case out.Undone != "":
				undone++
			default:
				done++
				holds(t, c, out)
			}
		})
	}
	return done, undone
}

// Where a pattern is new or another, what is said holds whether it would have matched or not.
func TestUnknownIsNeverGuessed(t *testing.T) {
	before := load(t, base)
	for name, after := range map[string]*rules.Set{
		"new pattern":      edited(t, "policies:", "  - { id: NEW, about: \"n\", body: { regex: new }, score: 3 }\npolicies:"),
		"other pattern":    edited(t, "regex: pill", "regex: pills?"),
		"read by a rule":   edited(t, "regex: prize", "regex: prizes", "score: 6, family", "score: 0, family"),
		"other window":     edited(t, "alike: 20", "alike: 10"),
		"other zone":       edited(t, "z.example.org", "y.example.org"),
		"good pattern":     edited(t, "regex: club", "regex: clubs"),
		"new recipient":    edited(t, "policies:", "  - { id: NEW, about: \"n\", who: { rcpt: bob@example.org }, score: 3 }\npolicies:"),
		"new friend":       edited(t, "policies:", "  - { id: NEW, about: \"n\", body: { regex: new }, mode: allow }\npolicies:"),
		"new hard pattern": edited(t, "policies:", "  - { id: NEW, about: \"n\", body: { regex: new }, mode: hard, score: 3 }\npolicies:"),
	} {
		t.Run(name, func(t *testing.T) {
			draw := func(t *rapid.T) circumstances {
				c := drawn(t)
				c.refused, c.backend, c.bulk = false, false, false
				c.symbols = slices.DeleteFunc(c.symbols, func(s string) bool { return s == "WANTED" })
				return c
			}
			done, undone := redone(t, [2]*rules.Set{before, after}, draw, func(t *rapid.T, c circumstances, out Judgement) {
				was := before.Sought()
				for symbol, how := range after.Sought() {
					if was[symbol] == how {
						continue
					}
					for _, holds := range []bool{true, false} {
						now := c
						now.symbols = slices.DeleteFunc(slices.Clone(c.symbols), func(s string) bool { return s == symbol })
						if holds {
							now.symbols = append(now.symbols, symbol)
						}
						if name == "other zone" {
							continue // its symbols go together
						}
						var want verdictlog.Record
						if err := json.Unmarshal(record(t, after, now), &want); err != nil {
							t.Fatal(err)
						}
						if out.Is != want.Verdict.Action {
							t.Fatalf("%s, but with %s %v it is %s", out.Is, symbol, holds, want.Verdict.Action)
						}
					}
				}
			})
			if undone == 0 || done == 0 && name != "other zone" && name != "new hard pattern" {
				t.Errorf("%d redone, %d not: that shows nothing", done, undone)
			}
		})
	}
}

// What is worth nothing for all, but something under the message's policy, is named among what is not known.
func TestUnknownIsWeighedByThePolicy(t *testing.T) {
	before := load(t, base)
	after := edited(t, "regex: prize", "regex: prizes", "score: 6, family", "score: 0, family", "PRIZE: 3", "PRIZE: 30", "regex: club", "regex: clubs")
	for to, named := range map[string]bool{"boss@example.org": true, "bob@example.org": false} {
		out, ok := from(after, before).Line(record(t, before, circumstances{to: to, symbols: []string{"PILL", "Z_A"}}))
		if !ok || out.Undone != Unknown || slices.Contains(out.Missing, "PRIZE") != named {
			t.Errorf("%s: %+v", to, out)
		}
	}
}

// What was not waited for is not taken for absent: what is said holds whatever would have been answered.
func TestWhatWasNotWaitedForIsNeverGuessed(t *testing.T) {
	before := load(t, base)
	for name, after := range map[string]*rules.Set{
		"same rules": before,
		"weight":     edited(t, "score: 4 }", "score: 9 }"),
		"threshold":  edited(t, "tag: 6", "tag: 3.5"),
		"hard":       edited(t, "score: 4 }", "score: 4, mode: hard }"),
		"condition":  edited(t, "PRIZE and not GOOD", "PRIZE and not Z_A"),
		"pattern":    edited(t, "regex: prize", "regex: prizes"),
	} {
		t.Run(name, func(t *testing.T) {
			draw := func(t *rapid.T) circumstances {
				c := drawn(t)
				c.backend, c.bulk, c.proven = false, false, nil
				zones := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"Z_A", "Z_B"}), 1, 2, rapid.ID[string]).Draw(t, "open")
				skipped := func(s string) bool {
					return s == "WANTED" || slices.Contains(zones, s) || name == "pattern" && s == "PRIZE"
				}
				c.symbols, c.open = slices.DeleteFunc(c.symbols, skipped), zones
				return c
			}
			done, undone := redone(t, [2]*rules.Set{before, after}, draw, func(t *rapid.T, c circumstances, out Judgement) {
				zones := c.open
				for subset := range 1 << len(zones) {
					now := c
					now.open, now.symbols = nil, slices.Clone(c.symbols)
					for i, symbol := range zones {
						if subset>>i&1 == 1 {
							now.symbols = append(now.symbols, symbol)
						}
					}
					var want verdictlog.Record
					if err := json.Unmarshal(record(t, after, now), &want); err != nil {
						t.Fatal(err)
					}
					if is := want.Verdict.Action; out.Is != is && (!c.refused || is == rules.Reject && want.Verdict.By == scoring.ByHard) {
						t.Fatalf("%s, but with %v it is %s (%+v)", out.Is, now.symbols, is, c)
					}
				}
			})
			if undone == 0 || done == 0 {
				t.Errorf("%d redone, %d not: that shows nothing", done, undone)
			}
		})
	}
}

func TestWhatCannotBeRedone(t *testing.T) {
	set, soft := load(t, base), edited(t, "score: 7, mode: hard }", "score: 7 }")
	bare := []byte(`{"schema":"verdict/1","verdict":{"action":"tag","policy":"default","by":"score"}}`)
	for name, c := range map[string]struct {
		line   []byte
		undone string
	}{
		"never sent":   {record(t, set, circumstances{to: "bob@example.org", symbols: []string{"Z_B"}, refused: true}), NoBody},
		"old record":   {bare, NoFacts},
		"never judged": {[]byte(`{"schema":"verdict/1","verdict":{"action":"reject","policy":"","by":"front"}}`), Unjudged},
	} {
		if out, ok := from(soft, set).Line(c.line); !ok || out.Undone != c.undone || out.Was != out.Is {
			t.Errorf("%s: %v %+v, want %s", name, ok, out, c.undone)
		}
	}
	for _, line := range []string{"", "{", `{"schema":"verdict/2"}`, `{"schema":"verdict/1"`, `[]`, `{"schema":"verdict/1","verdict":{"policy":"p"},"facts":{"symbols":[1]}}`} {
		if out, ok := from(set).Line([]byte(line)); ok {
			t.Errorf("%s is taken for a record: %+v", line, out)
		}
	}
}

func TestRunKeepsTheOrderAndSaysWhy(t *testing.T) {
	set := load(t, base)
	after := edited(t, "score: 7, mode: hard }", "score: 7 }", "tag: 6", "tag: 5")
	var lines [][]byte
	for i := range 3000 {
		c := circumstances{to: "bob@example.org", shadow: i%3 == 2}
		c.symbols = [][]string{{"Z_B"}, {"PILL"}, {"PRIZE"}}[i%3]
		lines = append(lines, record(t, set, c))
	}
	each := func(ctx context.Context, each func([]byte) error) error {
		for _, l := range lines {
			if err := each(l); err != nil {
				return err
			}
		}
		return nil
	}
	n := 0
	report, err := Run(t.Context(), Rules{Set: after, Version: "1", Was: from(after, set).rules.Was}, each, func(f Flip) error {
		why := [][]Cause{{{Rule: "Z_B"}}, {{Rule: "threshold:tag"}}}
		if i := n/2*3 + n%2; f.Record.ID == "" || len(f.Causes) != 1 || n%2 == 1 && f.Causes[0].Rule != why[1][0].Rule || n%2 == 0 && f.Causes[0].Rule != "hard:Z_B" {
			t.Fatalf("flip %d of line %d: %+v", n, i, f.Causes)
		}
		n++
		return nil
	})
	if err != nil || n != 2000 || report.Verdicts != 3000 || report.Flips[Change{rules.Reject, rules.Tag}] != 1000 || report.Is[rules.Tag] != 3000 {
		t.Errorf("%d flips, %v, %+v", n, err, report)
	}
	stop := errors.New("enough")
	if _, err := Run(t.Context(), Rules{Set: after, Version: "1", Was: from(after, set).rules.Was}, each, func(Flip) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
}

func BenchmarkLine(b *testing.B) {
	set := load(b, base)
	after := edited(b, "pill }, score: 5", "pill }, score: 15")
	var lines [][]byte
	size := 0
	for i := range 1000 {
		c := circumstances{to: "bob@example.org", size: i * 100}
		for k, name := range reported {
			if i>>k&1 == 1 {
				c.symbols = append(c.symbols, name)
			}
		}
		lines = append(lines, record(b, set, c))
		size += len(lines[i])
	}
	b.ReportAllocs()
	b.SetBytes(int64(size / len(lines)))
	j := from(after, set)
	for i := 0; b.Loop(); i++ {
		j.Line(lines[i%len(lines)])
	}
}
