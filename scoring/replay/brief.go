package replay

import (
	"encoding/json"
	"slices"
	"strings"

	"weir/filters"
	"weir/rules"
	"weir/scoring"
	"weir/scoring/verdictlog"
)

// brief is what of a record bears on judging it again, as it stands in the line.
type brief struct {
	digest, version []byte
	policy, by      []byte
	verdict         rules.Action
	shadow, whole   bool // whole: the message had come
	symbols         []byte
	features        []byte
	failed          []byte
	session         []byte
	envelope        []byte
	auth, bulk      []byte
	early           []byte // what it was not waited for
}

// parse reads of a line what a brief holds, and passes over the rest: that is ten times as fast as decoding it.
func parse(line []byte) (b brief, ok bool) {
	ours := false
	ok = verdictlog.Fields(line, func(name, value []byte) {
		switch string(name) {
		case "schema":
			ours = string(verdictlog.Text(value)) == verdictlog.Schema
		case "version":
			b.version = verdictlog.Text(value)
		case "rules":
			verdictlog.Fields(value, func(name, value []byte) {
				if string(name) == "digest" {
					b.digest = verdictlog.Text(value)
				}
			})
		case "verdict":
			b.readVerdict(value)
		case "facts":
			verdictlog.Fields(value, b.readFact)
		case "message":
			b.whole = true
		case "session":
			b.session = value
		case "envelope":
			b.envelope = value
		case "auth":
			b.auth = value
		case "bulk":
			b.bulk = value
		}
	})
	return b, ok && ours
}

func (b *brief) readVerdict(value []byte) {
	verdictlog.Fields(value, func(name, value []byte) {
		switch string(name) {
		case "action":
			_ = b.verdict.UnmarshalText(verdictlog.Text(value)) // an action of a later version stays a pass, and is none below
		case "policy":
			b.policy = verdictlog.Text(value)
		case "by":
			b.by = verdictlog.Text(value)
		case "shadow":
			b.shadow = string(value) == "true"
		case "early":
			b.early = value
		}
	})
}

// appendParty appends of the session what policies may ask for.
func (b *brief) appendParty(key []byte) []byte {
	verdictlog.Fields(b.session, func(name, value []byte) {
		switch string(name) {
		case "listener", "user":
			key = append(append(key, name...), value...)
		case "client":
			verdictlog.Fields(value, func(name, value []byte) {
				if string(name) == "ip" {
					key = append(key, value...)
				}
			})
		}
	})
	return key
}

func (b *brief) readFact(name, value []byte) {
	switch string(name) {
	case "symbols":
		b.symbols = value
	case "features":
		b.features = value
	case "failed":
		b.failed = value
	}
}

// action is what the rules had decided, and whether a hard symbol forced it. Where the backend or the front refused, the record's action is theirs, and the
// rules' own has to be worked out from the lines.
func (b *brief) action(line []byte) (was rules.Action, hard, ok bool) {
	if by := scoring.By(b.by); by == scoring.ByScore || decidedAlone(by) || len(b.policy) == 0 {
		return b.verdict, by == scoring.ByHard, true
	}
	r, err := verdictlog.ReadRecord(line)
	if err != nil {
		return rules.Pass, false, false
	}
	was = Decided(r)
	return was, was == rules.Reject && hasLine(r, isHard), true
}

// Decided is what the rules decided on the message of r, whatever the backend or the front made of it.
func Decided(r *verdictlog.Record) rules.Action {
	switch {
	case hasLine(r, isAllow):
		return rules.Pass
	case hasLine(r, isHard):
		return rules.Reject
	case hasLine(r, func(rule string) bool { return strings.HasPrefix(rule, "greylist:") }):
		return rules.Defer
	}
	if r.Message == nil {
		return rules.Pass // only a hard symbol could have refused it so early
	}
	return scoring.ActionFor(r.Verdict.Thresholds.Rules(), r.Verdict.Score)
}

// only is a JSON object with those fields of object that have one of the names.
func only(object []byte, names []string) []byte {
	kept := []byte{'{'}
	verdictlog.Fields(object, func(name, value []byte) {
		if !slices.Contains(names, string(name)) {
			return
		}
		if len(kept) > 1 {
			kept = append(kept, ',')
		}
		kept = append(append(append(append(kept, '"'), name...), '"', ':'), value...)
	})
	return append(kept, '}')
}

func hasLine(r *verdictlog.Record, wanted func(rule string) bool) bool {
	return slices.ContainsFunc(r.Hits, func(l scoring.Line) bool { return wanted(l.Rule) })
}

// facts decodes what b holds of the facts.
func (b *brief) facts(k *known) (scoring.Facts, error) {
	var f scoring.Facts
	var symbols []string
	if err := json.Unmarshal(b.symbols, &symbols); err != nil {
		return f, err
	}
	for _, name := range symbols {
		f.Hits = append(f.Hits, filters.Hit{Symbol: name})
	}
	if len(b.failed) > 0 {
		if err := json.Unmarshal(b.failed, &f.Failed); err != nil {
			return f, err
		}
	}
	if len(k.features) > 0 {
		if err := json.Unmarshal(b.features, &f.Features); err != nil {
			return f, err
		}
	}
	return f, nil
}

// open are the symbols that nobody waited for.
func (b *brief) open() ([]string, error) {
	if len(b.early) == 0 {
		return nil, nil
	}
	var early scoring.Early
	if err := json.Unmarshal(b.early, &early); err != nil {
		return nil, err
	}
	var all []string
	for _, o := range early.Open {
		all = append(all, o.Symbols...)
	}
	return all, nil
}
