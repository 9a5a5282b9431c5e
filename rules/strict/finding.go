package strict

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Severity says whether a finding stops a file from being used.
type Severity uint8

// The severities. A Warning stops nothing.
const (
	Error Severity = iota
	Warning
)

var severityNames = [...]string{"error", "warning"}

// String is the severity's name in messages.
func (s Severity) String() string { return severityNames[s] }

// MarshalText writes the severity's name.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Finding is one thing that is wrong in what the operator wrote, and where.
type Finding struct {
	Src      Src      `json:"src"`
	Severity Severity `json:"severity"`
	Code     string   `json:"code"` // stable; Title says what it stands for
	Text     string   `json:"text"`
	Hint     string   `json:"hint,omitempty"` // how to put it right, or what was perhaps meant
	Line     string   `json:"line,omitempty"` // the source line; no secret is ever in it
}

// maxLineShown is how many letters of a source line a finding shows.
const maxLineShown = 120

// String writes "file:line:col: error: text", a line with the hint if there is one, and the source line with a caret
// below the place.
func (f Finding) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s: %s", f.Src, f.Severity, f.Text)
	if f.Hint != "" {
		fmt.Fprintf(&b, "\n  hint: %s", f.Hint)
	}
	if strings.TrimSpace(f.Line) != "" {
		line, caret := f.excerpt()
		fmt.Fprintf(&b, "\n  | %s\n  | %s^", line, caret)
	}
	return b.String()
}

// excerpt cuts a long source line around the place and returns it with the blanks that lead to the place.
func (f Finding) excerpt() (line, lead string) {
	at := min(max(f.Src.Col-1, 0), utf8.RuneCountInString(f.Line))
	from := max(0, at-maxLineShown*2/3)
	shown, blanks := make([]rune, 0, maxLineShown), make([]rune, 0, maxLineShown)
	i := -1
	for _, r := range f.Line {
		if i++; i < from {
			continue
		}
		if i == from+maxLineShown {
			break
		}
		if unicode.IsControl(r) && r != '\t' {
			r = unicode.ReplacementChar
		}
		shown = append(shown, r)
		if i < at {
			if r != '\t' {
				r = ' '
			}
			blanks = append(blanks, r)
		}
	}
	return string(shown), string(blanks)
}

// Findings are all that is wrong, in the order of files and lines.
type Findings []Finding

// MaxFindings bounds how many findings are kept. One more says that there are others.
const MaxFindings = 200

// With is f and one more, up to the bound.
func (f Findings) With(one Finding) Findings {
	switch {
	case len(f) > MaxFindings:
		return f
	case len(f) == MaxFindings:
		one = Finding{Src: one.Src, Code: CodeMany, Text: fmt.Sprintf("more than %d findings; the rest is not shown", MaxFindings)}
	}
	return append(f, one)
}

// Err is nil if no finding is an error. Else its text is all findings, warnings as well.
func (f Findings) Err() error {
	for _, one := range f {
		if one.Severity == Error {
			return findingsError{f}
		}
	}
	return nil
}

// findingsError is all findings as one error, which can be taken apart again.
type findingsError struct{ all Findings }

func (e findingsError) Error() string {
	texts := make([]string, len(e.all))
	for i, f := range e.all {
		texts[i] = f.String()
	}
	return strings.Join(texts, "\n")
}

// Unwrap returns each finding by itself.
func (e findingsError) Unwrap() []error {
	all := make([]error, len(e.all))
	for i, f := range e.all {
		all[i] = f
	}
	return all
}

// Error is the text of String, so that a finding can be an error by itself.
func (f Finding) Error() string { return f.String() }

// Nearest returns the candidate that word was perhaps meant to be, or "", for messages of other packages as well.
func Nearest(word string, candidates []string) string {
	best, least := "", 2+len(word)/4
	for _, c := range candidates {
		if abs(len(c)-len(word)) >= least {
			continue
		}
		if d := distance(strings.ToLower(word), strings.ToLower(c)); d < least && d < len(word) {
			best, least = c, d
		}
	}
	return best
}

func abs(n int) int { return max(n, -n) }

// DidYouMean is the hint for a word that is not among the candidates.
func DidYouMean(word string, candidates []string) string {
	const few = 16
	if n := Nearest(word, candidates); n != "" {
		return fmt.Sprintf("did you mean %q?", n)
	}
	if len(candidates) == 0 || len(candidates) > few {
		return ""
	}
	return "known are: " + strings.Join(candidates, ", ")
}

// distance counts the letters to insert, drop, change or swap to make b of a (optimal string alignment).
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	before, last, row := make([]int, len(t)+1), make([]int, len(t)+1), make([]int, len(t)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(s); i++ {
		row[0] = i
		for j := 1; j <= len(t); j++ {
			change := last[j-1]
			if s[i-1] != t[j-1] {
				change++
			}
			row[j] = min(change, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(t)]
}
