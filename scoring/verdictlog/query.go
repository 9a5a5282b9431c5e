package verdictlog

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"weir/rules"
	"weir/rules/strict"
	"weir/scoring/verdictlog/index"
)

// Query says which records are looked for: those of a time at which all terms hold. The zero Query finds all.
type Query struct {
	Since time.Time // not before; zero for no bound
	Until time.Time // before; zero for no bound
	Last  int       // only so many, the newest; 0 for all
	terms []term
}

// term is one word of a query, ready to match.
type term struct {
	matcher
	other *matcher // means the same in records where something is hashed; nil without a key
	not   bool
}

// any reports whether the word without its minus holds.
func (t term) any(r *Record) bool { return t.holds(r) || t.other != nil && t.other.holds(r) }

// matcher tells whether a record is meant.
type matcher struct {
	holds func(*Record) bool
	need  string // what a record's line must hold to match, whatever the case; "" for nothing in particular

	reads  sections // what holds looks at; 0 for everything
	marked bool     // only a message of which something was said can match

	// narrow finds in an index those that may be meant, and says whether it is those exactly.
	narrow func(*index.File) (found index.Set, exact bool, err error)

	// hashed makes what means the same in records where something is hashed; nil if nothing that it asks for is.
	hashed func(secret) matcher
}

// Match reports whether q finds r.
func (q Query) Match(r *Record) bool {
	if !q.Since.IsZero() && r.Time.Before(q.Since) || !q.Until.IsZero() && !r.Time.Before(q.Until) {
		return false
	}
	for _, t := range q.terms {
		if t.any(r) == t.not {
			return false
		}
	}
	return true
}

// keyed is q with the key in dir, if there is one and it may be read, so that it finds what is hashed as well.
func (q Query) keyed(dir string) Query {
	key := findSecret(dir)
	if key == nil {
		return q
	}
	q.terms = slices.Clone(q.terms)
	for i := range q.terms {
		if t := &q.terms[i]; t.hashed != nil {
			other := t.hashed(key)
			t.other = &other
		}
	}
	return q
}

// ParseQuery reads the words of a query, all of which must hold:
//
//	action:reject rule:ZEN_SBL from:a@b.example to:@example.org subject:lottery ip:192.0.2.7 net:192.0.2.0/24
//	policy:vip id:01JD3K7Q2W campaign:4f1c error:timeout shadow:TRIAL_1 score>9 -rule:BULK_SOME "any text"
//
// A word may hold several parted by white space outside of quotes. An error names the word and says which it is.
func ParseQuery(words []string) (Query, error) {
	var q Query
	tokens, err := split(words)
	if err != nil {
		return Query{}, err
	}
	for i, text := range tokens {
		t, err := parseTerm(text)
		if err != nil {
			return Query{}, fmt.Errorf("query word %d, %s: %w", i+1, text, err)
		}
		q.terms = append(q.terms, t)
	}
	return q, nil
}

// split parts words at white space outside of quotes. The quotes stay.
func split(words []string) ([]string, error) {
	var tokens []string
	for _, w := range words {
		quoted := false
		fields := strings.FieldsFunc(w, func(r rune) bool {
			if r == '"' {
				quoted = !quoted
			}
			return !quoted && unicode.IsSpace(r)
		})
		if quoted {
			return nil, fmt.Errorf("query word %d, %s: the quote is not closed", len(tokens)+len(fields), fields[len(fields)-1])
		}
		tokens = append(tokens, fields...)
	}
	return tokens, nil
}

func parseTerm(text string) (term, error) {
	var t term
	rest, not := strings.CutPrefix(text, "-")
	t.not = not
	if rest == "" {
		return t, errors.New("there is nothing after the minus")
	}
	var err error
	if comparison, ok := strings.CutPrefix(strings.ToLower(rest), "score"); ok && strings.IndexAny(comparison, "<>=:") == 0 {
		t.matcher, err = parseScore(comparison)
		return t, err
	}
	name, value, found := strings.Cut(rest, ":")
	if !found || !isKey(name) {
		t.matcher, err = parseFree(unquote(rest))
		return t, err
	}
	k := keyNamed(name)
	if k == nil {
		return t, unknownKey(name)
	}
	value = unquote(value)
	if value == "" {
		return t, fmt.Errorf("say %s", k.wants)
	}
	t.matcher, err = k.parse(value)
	return t, err
}

// isKey reports whether s looks like the name of a key: letters only.
func isKey(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsLetter(r) }) < 0
}

func unknownKey(name string) error {
	names := []string{"score"}
	for _, k := range keys {
		names = append(names, k.name)
	}
	hint := "it is one of " + strings.Join(names, ": ") + ":"
	if near := strict.Nearest(name, names); near != "" {
		hint = "did you mean " + near + ":?"
	}
	return fmt.Errorf("there is no %s:; %s To look for the text itself, put it in quotes", name, hint)
}

func unquote(s string) string { return strings.ReplaceAll(s, `"`, "") }

// parseScore reads a comparison with the score: ">9", "<=0.5", "=15", ":15".
func parseScore(text string) (matcher, error) {
	operators := []struct {
		sign  string
		holds func(a, b rules.Points) bool
	}{
		{"<=", func(a, b rules.Points) bool { return a <= b }},
		{">=", func(a, b rules.Points) bool { return a >= b }},
		{"<", func(a, b rules.Points) bool { return a < b }},
		{">", func(a, b rules.Points) bool { return a > b }},
		{"=", func(a, b rules.Points) bool { return a == b }},
		{":", func(a, b rules.Points) bool { return a == b }},
	}
	for _, o := range operators {
		if number, ok := strings.CutPrefix(text, o.sign); ok {
			limit, err := rules.ParsePoints(number)
			if err != nil {
				return matcher{}, fmt.Errorf("a score to compare with: %w", err)
			}
			return matcher{
				reads:  inVerdict,
				holds:  func(r *Record) bool { return o.holds(r.Verdict.Score, limit) },
				narrow: scored(func(score rules.Points) bool { return o.holds(score, limit) }),
			}, nil
		}
	}
	return matcher{}, errors.New("say how to compare: score>9, score<=2.5")
}

// ParseTime reads a point in time: how long before now (90s, 15m, 2h, 7d, 1w), or a date with or without a time of
// day, in UTC unless it says otherwise.
func ParseTime(text string, now time.Time) (time.Time, error) {
	units := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': day, 'w': 7 * day}
	if n := len(text) - 1; n > 0 && units[text[n]] > 0 {
		if count, err := strconv.ParseUint(text[:n], 10, 16); err == nil {
			return now.Add(-time.Duration(count) * units[text[n]]), nil
		}
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateTime, "2006-01-02 15:04", time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is neither how long ago (90s, 15m, 2h, 7d) nor a time like 2026-11-24 or 2026-11-24T10:30:00Z", text)
}
