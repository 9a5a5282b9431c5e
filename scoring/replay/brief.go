package replay

import (
	"bytes"
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
	ok = fields(line, func(name, value []byte) {
		switch string(name) {
		case "schema":
			ours = string(text(value)) == verdictlog.Schema
		case "version":
			b.version = text(value)
		case "rules":
			fields(value, func(name, value []byte) {
				if string(name) == "digest" {
					b.digest = text(value)
				}
			})
		case "verdict":
			b.readVerdict(value)
		case "facts":
			fields(value, b.readFact)
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
	fields(value, func(name, value []byte) {
		switch string(name) {
		case "action":
			_ = b.verdict.UnmarshalText(text(value)) // an action of a later version stays a pass, and is none below
		case "policy":
			b.policy = text(value)
		case "by":
			b.by = text(value)
		case "shadow":
			b.shadow = string(value) == "true"
		case "early":
			b.early = value
		}
	})
}

// appendParty appends of the session what policies may ask for.
func (b *brief) appendParty(key []byte) []byte {
	fields(b.session, func(name, value []byte) {
		switch string(name) {
		case "listener", "user":
			key = append(append(key, name...), value...)
		case "client":
			fields(value, func(name, value []byte) {
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
	fields(object, func(name, value []byte) {
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

// text is the value of a JSON string, empty if it is none.
func text(value []byte) []byte {
	if len(value) < 2 || value[0] != '"' {
		return nil
	}
	inside := value[1 : len(value)-1]
	if bytes.IndexByte(inside, '\\') < 0 {
		return inside
	}
	var s string
	if json.Unmarshal(value, &s) != nil {
		return nil
	}
	return []byte(s)
}

// fields calls each with the fields of a JSON object, their values as they stand. It reports false if the object does
// not end as one does; what is within values is not checked.
func fields(object []byte, each func(name, value []byte)) bool {
	at := blank(object, 0)
	if at >= len(object) || object[at] != '{' {
		return false
	}
	for at = blank(object, at+1); at < len(object) && object[at] == '"'; {
		end := skip(object, at)
		name := object[at:end]
		at = blank(object, end)
		if at >= len(object) || object[at] != ':' {
			return false
		}
		at = blank(object, at+1)
		if end = skip(object, at); end == at || len(name) < 2 {
			return false
		}
		each(name[1:len(name)-1], object[at:end])
		if at = blank(object, end); at < len(object) && object[at] == ',' {
			at = blank(object, at+1)
		}
	}
	return at < len(object) && object[at] == '}'
}

func blank(s []byte, at int) int {
	for at < len(s) && (s[at] == ' ' || s[at] == '\t' || s[at] == '\r' || s[at] == '\n') {
		at++
	}
	return at
}

// skip is where the value that begins at ends: the length of s if it does not.
func skip(s []byte, at int) int {
	depth := 0
	for at < len(s) {
		switch s[at] {
		case '"':
			at = skipString(s, at)
			if depth == 0 {
				return at
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return at
			}
			if depth--; depth == 0 {
				return at + 1
			}
		case ',', ' ', '\t', '\r', '\n', ':':
			if depth == 0 {
				return at
			}
		}
		at++
	}
	return len(s)
}

// skipString is the end of the string that begins at. Most are too short to look for their end in any other way.
func skipString(s []byte, at int) int {
	for at++; at < len(s); at++ {
		switch s[at] {
		case '"':
			return at + 1
		case '\\':
			at++
		}
	}
	return len(s)
}
