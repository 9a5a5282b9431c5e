package proxy

import (
	"context"
	"slices"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"weir/filters"
	"weir/rules"
)

const earlyRules = `version: 1
thresholds: { tag: 6, reject: 15 }
rules:
  - { id: FOUR, about: a, check: lists, score: 4 }
  - { id: FIVE, about: a, check: lists, score: 5 }
  - { id: SIXTEEN, about: a, check: lists, score: 16 }
  - { id: GOOD, about: a, check: lists, score: -5 }
  - { id: HARD, about: a, check: lists, score: 1, mode: hard }
  - { id: BAD, about: a, check: lists, score: 0 }
  - { id: BAD_ALONE, about: a, when: BAD and not GOOD, score: 1, mode: hard }
  - { id: SMALL, about: a, when: HARD and size < 10, score: 1 }
policies:
  - { id: soft, rcpt: ["*@soft.example"], thresholds: { reject: off } }
`

var earlySymbols = []string{"FOUR", "FIVE", "SIXTEEN", "GOOD", "HARD", "BAD"}

// answer is when a list answers, and with what.
type answer struct {
	symbol string
	stage  filters.Stage
	after  time.Duration
	clean  bool // it does not list
	needed bool
}

func (a answer) check() filters.Check {
	return filters.Check{Name: "lists", Rule: a.symbol, Stage: a.stage, Symbols: []string{a.symbol}, Optional: !a.needed,
		Run: func(ctx context.Context, _ filters.Mail) (r filters.Report, err error) {
			select {
			case <-ctx.Done():
				return r, ctx.Err()
			case <-time.After(a.after):
			}
			if !a.clean {
				r.Hits = append(r.Hits, filters.Hit{Symbol: a.symbol})
			}
			return r, nil
		}}
}

const earlyBudget, earlyPatience = 8 * time.Second, 500 * time.Millisecond

// early is a trial of a message whose lists answer so.
func early(t rapid.TB, rcpt string, answers ...answer) (trial *Trial, end func()) {
	t.Helper()
	set, findings := rules.Load(fstest.MapFS{"r.yaml": {Data: []byte(earlyRules)}}, "r.yaml", rules.Known{"lists": earlySymbols})
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	var checks []filters.Check
	for _, a := range answers {
		checks = append(checks, a.check())
	}
	g := &Generation{Rules: set, Checks: filters.NewPipeline(earlyBudget, checks...), Patience: earlyPatience}
	m := filters.Mail{Session: &filters.Session{}, Envelope: &filters.Envelope{}}
	conn := g.BeginConnection(context.Background(), m)
	trial = NewTrial(g, conn, m)
	trial.Accepts(rcpt)
	return trial, func() {
		trial.End()
		trial.Wait()
		conn.End()
		conn.Wait()
	}
}

func (t *Trial) data() Judged {
	t.Recipients(&filters.Envelope{To: []string{"bob@weir.example"}})
	return t.AtData(filters.ParseMessage([]byte("Subject: hello\r\n\r\nhello\r\n")), nil)
}

func timed(f func() Judged) (Judged, time.Duration) {
	began := time.Now()
	return f(), time.Since(began)
}

func TestWhatIsWaitedFor(t *testing.T) {
	const never, late = time.Hour, 2 * time.Second
	const connect, body, proven = filters.Connect, filters.Body, filters.Proven
	const timeout = earlyBudget
	for name, c := range map[string]struct {
		answers    []answer
		rcpt, data time.Duration // how long each is waited for; data < 0 if it is refused before
		action     rules.Action
		open       []string
	}{
		"a list that never answers":      {[]answer{{"FOUR", connect, never, false, false}}, 0, earlyPatience, rules.Pass, []string{"FOUR"}},
		"one that answers in time":       {[]answer{{"FOUR", connect, earlyPatience / 2, false, false}}, 0, earlyPatience / 2, rules.Pass, nil},
		"a hard list that never answers": {[]answer{{"HARD", connect, never, false, false}}, timeout, 0, rules.Pass, nil},
		"a hard list that answers late":  {[]answer{{"HARD", connect, late, false, false}}, late, -1, rules.Reject, nil},
		"a hard list not asked at RCPT":  {[]answer{{"HARD", body, late, false, false}}, 0, late, rules.Reject, nil},
		"one hard list is enough":        {[]answer{{"HARD", connect, 0, false, false}, {"BAD", connect, never, false, false}}, 0, -1, rules.Reject, []string{"BAD"}},
		"a refusal that may be taken back": {[]answer{{"BAD", connect, 0, false, false}, {"GOOD", connect, late, false, false}},
			late, 0, rules.Pass, nil},
		"a refusal that may be taken back by what comes later": {[]answer{{"BAD", connect, 0, false, false}, {"GOOD", body, late, false, false}},
			0, late, rules.Pass, nil},
		"it is refused anyway": {[]answer{{"SIXTEEN", body, 0, false, false}, {"FOUR", body, never, false, false}}, 0, 0, rules.Reject, []string{"FOUR"}},
		"it may be saved":      {[]answer{{"SIXTEEN", body, 0, false, false}, {"GOOD", body, late, false, false}}, 0, late, rules.Tag, nil},
		"it cannot be saved": {[]answer{{"SIXTEEN", body, 0, false, false}, {"FIVE", body, 0, false, false}, {"GOOD", body, never, false, false}},
			0, 0, rules.Reject, []string{"GOOD"}},
		"it may be tagged":        {[]answer{{"FOUR", body, 0, false, false}, {"FIVE", connect, late, true, false}}, 0, late, rules.Pass, nil},
		"it may be refused alone": {[]answer{{"FOUR", body, 0, false, false}, {"FIVE", body, 0, false, false}, {"GOOD", proven, 0, true, false}, {"BAD", proven, late, false, false}}, 0, late, rules.Reject, nil},
		"what others need":        {[]answer{{"SIXTEEN", body, 0, false, false}, {"FOUR", proven, late, false, true}}, 0, late, rules.Reject, nil},
		"what others need first":  {[]answer{{"SIXTEEN", body, 0, false, false}, {"FOUR", body, late, false, true}}, 0, late, rules.Reject, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				trial, end := early(t, "bob@weir.example", c.answers...)
				defer end()
				synctest.Wait()
				j, took := timed(trial.AtRcpt)
				if took != c.rcpt || j.Final != (c.data < 0) {
					t.Errorf("RCPT: waited %v, final %t", took, j.Final)
				}
				if !j.Final {
					if j, took = timed(trial.data); took != c.data {
						t.Errorf("DATA: waited %v, want %v", took, c.data)
					}
				}
				var open []string
				if j.Early != nil {
					for _, o := range j.Early.Open {
						open = append(open, o.Rule)
					}
				}
				if j.Action != c.action || !slices.Equal(open, c.open) {
					t.Errorf("%s without %v, want %s without %v", j.Action, open, c.action, c.open)
				}
				for _, r := range j.Results {
					if len(r.Problems) > 0 && c.rcpt < timeout {
						t.Errorf("problems %v", r.Problems)
					}
				}
			})
		})
	}
}

// Under --shadow what is refused is delivered too, and has its score like the rest.
func TestShadowIsPatientWithRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		trial, end := early(t, "bob@weir.example", answer{"SIXTEEN", filters.Body, 0, false, false}, answer{"FOUR", filters.Body, time.Hour, false, false})
		defer end()
		trial.Shadow = true
		trial.AtRcpt()
		if j, took := timed(trial.data); took != earlyPatience || j.Early.Low != 1600 || j.Early.High != 2000 {
			t.Errorf("waited %v: %+v", took, j.Early)
		}
	})
}

// Whatever is not waited for, the action is the one that all answers lead to.
func TestAnEarlyVerdictIsTheFinalOne(t *testing.T) {
	soon, left := 0, 0
	rapid.Check(t, func(r *rapid.T) {
		var answers []answer
		for _, symbol := range earlySymbols {
			answers = append(answers, answer{symbol, filters.Stage(rapid.IntRange(0, int(filters.Proven)).Draw(r, "stage")),
				time.Duration(rapid.IntRange(0, 20).Draw(r, "after")) * 100 * time.Millisecond, rapid.IntRange(0, 2).Draw(r, "clean") > 0, false})
		}
		rcpt := rapid.SampledFrom([]string{"bob@weir.example", "bob@soft.example"}).Draw(r, "rcpt")
		var judged [2]Judged
		var took [2]time.Duration
		synctest.Test(t, func(t *testing.T) {
			for i, whole := range []bool{false, true} {
				trial, end := early(t, rcpt, answers...)
				trial.Whole = whole
				judged[i], took[i] = timed(func() Judged {
					if j := trial.AtRcpt(); j.Final {
						return j
					}
					return trial.data()
				})
				end()
			}
		})
		got, want := judged[0], judged[1]
		if got.Action != want.Action || got.By != want.By && got.Early == nil || want.Early != nil || took[0] > took[1] {
			r.Fatalf("%s after %v, with all answers %s after %v", got.Action, took[0], want.Action, took[1])
		}
		if got.Early != nil {
			left++
			if got.Points < got.Early.Low || got.Points > got.Early.High || len(got.Early.Open) == 0 {
				r.Fatalf("%s is not within %+v", got.Points, got.Early)
			}
		}
		if took[0] < took[1] {
			soon++
		}
	})
	if soon == 0 || left == 0 {
		t.Errorf("%d verdicts were earlier, %d left answers open: that shows nothing", soon, left)
	}
}
