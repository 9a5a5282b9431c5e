package replay

import (
	"cmp"
	"slices"
	"strings"

	"weir/rules"
	"weir/scoring"
	"weir/scoring/verdictlog"
)

// Flip is a record whose action is another one under the new rules.
type Flip struct {
	Record *verdictlog.Record
	Judgement
	Causes []Cause
}

// Cause is one difference that made a flip: of the points of a rule, or of a threshold.
type Cause struct {
	Rule string        `json:"rule"` // or "threshold:reject"
	Was  *rules.Points `json:"was"`  // nil where it did not count, or was off
	Is   *rules.Points `json:"is"`
	Open bool          `json:"open,omitempty"` // it is sought in another way now; whether it would be found made no difference
}

// flip says why the record on a line was judged otherwise.
func (j *Judge) flip(line []byte, out Judgement) (Flip, error) {
	r, err := verdictlog.ReadRecord(line)
	if err != nil {
		return Flip{}, err
	}
	r.Learned = j.rules.Marks.Of(r)
	f := Flip{Record: r, Judgement: out}
	b, _ := parse(line)
	k := j.known(&b)
	k = j.less(k, k.lacking(&b))
	p, err := j.policy(&b)
	if err != nil {
		return f, err
	}
	facts, err := b.facts(k)
	if err != nil {
		return f, err
	}
	if out.Reread != nil {
		k, facts = out.Reread.known, out.Reread.facts
	} else if _, err := k.complete(&b, &facts); err != nil {
		return f, err
	}
	f.Causes = causes(r, out.Was, scoring.Judge(k.set, p, facts))
	for i, c := range f.Causes {
		f.Causes[i].Open = slices.Contains(k.unknown, c.Rule)
	}
	return f, nil
}

// causes are the differences between two verdicts that made their actions differ: those of points that drew the sum
// that way, heaviest first, and those of thresholds. Of either kind those that changed nothing are left out.
func causes(r *verdictlog.Record, was rules.Action, v scoring.Verdict) []Cause {
	old := r.Verdict.Thresholds.Rules()
	forced := decidedAlone(v.By) || decidedAlone(r.Verdict.By)
	thresholds := crossed(moved(old, v.Thresholds), was, v.Action)
	if !forced && scoring.ActionFor(v.Thresholds, r.Verdict.Score) == v.Action && len(thresholds) > 0 {
		return thresholds
	}
	all := differing(r.Hits, v.Why)
	worse := v.Action > was
	all = slices.DeleteFunc(all, func(c Cause) bool {
		d := c.points()
		return d != 0 && (d > 0) != worse
	})
	if !forced && scoring.ActionFor(old, v.Points) != v.Action {
		all = append(all, thresholds...)
	}
	return all
}

// points is by how much a cause moved the sum.
func (c Cause) points() (d rules.Points) {
	if c.Is != nil {
		d = *c.Is
	}
	if c.Was != nil {
		d -= *c.Was
	}
	return d
}

// differing are the rules whose lines differ, heaviest first.
func differing(was, is []scoring.Line) []Cause {
	before, after := map[string]*rules.Points{}, map[string]*rules.Points{}
	names := map[string]bool{}
	for i := range was {
		before[was[i].Rule], names[was[i].Rule] = &was[i].Points, true
	}
	for i := range is {
		after[is[i].Rule], names[is[i].Rule] = &is[i].Points, true
	}
	var all []Cause
	for name := range names {
		c := Cause{Rule: name, Was: before[name], Is: after[name]}
		if c.points() != 0 || isForced(name) && (c.Was == nil) != (c.Is == nil) {
			all = append(all, c)
		}
	}
	size := func(c Cause) rules.Points { return max(c.points(), -c.points()) }
	slices.SortFunc(all, func(a, b Cause) int { return cmp.Or(cmp.Compare(size(b), size(a)), cmp.Compare(a.Rule, b.Rule)) })
	return all
}

// decidedAlone reports whether one symbol decided, whatever the sum.
func decidedAlone(by scoring.By) bool { return by == scoring.ByHard || by == scoring.ByAllow }

// isForced reports whether a line says that a symbol refuses, or lets pass, alone.
func isForced(rule string) bool { return isHard(rule) || isAllow(rule) }

func isHard(rule string) bool  { return strings.HasPrefix(rule, "hard:") }
func isAllow(rule string) bool { return strings.HasPrefix(rule, "allow:") }

// crossed are the thresholds that lie between two actions.
func crossed(all []Cause, a, b rules.Action) []Cause {
	return slices.DeleteFunc(all, func(c Cause) bool {
		var begins rules.Action
		_, name, _ := strings.Cut(c.Rule, ":")
		return begins.UnmarshalText([]byte(name)) != nil || begins <= min(a, b) || begins > max(a, b)
	})
}

// moved are the thresholds that differ.
func moved(was, is rules.Thresholds) []Cause {
	var all []Cause
	points := func(t rules.Threshold) *rules.Points {
		if t.Off {
			return nil
		}
		return &t.Points
	}
	for _, action := range rules.Actions() {
		was, is := *was.Of(action), *is.Of(action)
		if was.Off != is.Off || !was.Off && was.Points != is.Points {
			all = append(all, Cause{Rule: "threshold:" + action.String(), Was: points(was), Is: points(is)})
		}
	}
	return all
}
