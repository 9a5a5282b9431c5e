package rules

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode"
	"unicode/utf8"

	"weir/rules/strict"
)

// maxRegex bounds an expression, in bytes.
const maxRegex = 4 << 10

// regex checks an expression of package regexp, which stands in the text of at from the letter number offset. It
// reports whether it can be used.
func (l *loading) regex(at strict.Value, text string, offset int) bool {
	if position, what, hint := wrongRegex(text); what != "" {
		f := at.FindingWithin(offset+position, codeRegex, what)
		f.Hint = hint
		l.add(f)
		return false
	}
	if tree, err := syntax.Parse(text, syntax.Perl); err == nil && matchesNothing(tree) {
		l.hintAt(at, codeNever, "this expression can match no text", "^ is the beginning of the text and $ its end; (?m) makes them those of a line")
		return false
	}
	expression := regexp.MustCompile(text)
	if i := boundaryBeside(text); i >= 0 {
		f := at.FindingWithin(offset+i, codeBoundary, `\b knows only ASCII letters, so it does not stand where a word of these letters begins or ends`)
		f.Severity, f.Hint = strict.Warning, `write (?:^|\PL) before the word and (?:\PL|$) after it`
		l.add(f)
	}
	if expression.MatchString("") && expression.MatchString("\x00\n-") {
		l.warnAt(at, codeAlways, "this expression matches every text", "")
	}
	return true
}

// wrongRegex says what is wrong with an expression, at which letter, and what to do about it; what is "" if nothing is.
func wrongRegex(text string) (position int, what, hint string) {
	if text == "" || len(text) > maxRegex {
		return 0, fmt.Sprintf("an expression has between 1 and %d bytes", maxRegex), ""
	}
	if _, err := regexp.Compile(text); err != nil {
		return regexError(text, err)
	}
	return 0, "", ""
}

// regexError says in words what is wrong, at which letter, and what to do about it.
func regexError(text string, err error) (position int, what, hint string) {
	var e *syntax.Error
	if !errors.As(err, &e) {
		return 0, err.Error(), ""
	}
	if i := strings.LastIndex(text, e.Expr); i >= 0 && e.Expr != "" {
		position = utf8.RuneCountInString(text[:i])
	}
	what = fmt.Sprintf("%s: %s", e.Code, e.Expr)
	for _, group := range []string{"(?=", "(?!", "(?<=", "(?<!"} {
		if strings.HasPrefix(e.Expr, group) {
			if i := strings.Index(text, group); i >= 0 {
				position = utf8.RuneCountInString(text[:i])
			}
			return position, "look-ahead and look-behind cannot be used: " + group, "expressions are RE2, which has neither; make two rules and combine them by `when:`"
		}
	}
	if len(e.Expr) == 2 && e.Expr[0] == '\\' && e.Expr[1] >= '1' && e.Expr[1] <= '9' {
		return position, "back-references cannot be used: " + e.Expr, "expressions are RE2, which has none; write out what may be repeated"
	}
	return position, what, ""
}

// boundaryBeside returns the letter of a valid expression at which a \b stands beside a letter beyond ASCII, or -1.
func boundaryBeside(text string) int {
	at := strings.Index(text, `\b`)
	if at < 0 {
		return -1
	}
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil || !hasForeignBoundary(tree) {
		return -1
	}
	return utf8.RuneCountInString(text[:at])
}

func hasForeignBoundary(re *syntax.Regexp) bool {
	for i, sub := range re.Sub {
		if re.Op == syntax.OpConcat && sub.Op == syntax.OpWordBoundary {
			if i > 0 && foreign(re.Sub[i-1], false) || i+1 < len(re.Sub) && foreign(re.Sub[i+1], true) {
				return true
			}
		}
		if hasForeignBoundary(sub) {
			return true
		}
	}
	return false
}

// foreign reports whether what re matches begins (or ends) with a letter beyond ASCII.
func foreign(re *syntax.Regexp, begins bool) bool {
	switch re.Op {
	case syntax.OpLiteral:
		r := re.Rune[len(re.Rune)-1]
		if begins {
			r = re.Rune[0]
		}
		return r >= utf8.RuneSelf && unicode.IsLetter(r)
	case syntax.OpCharClass:
		return len(re.Rune) > 0 && re.Rune[0] >= utf8.RuneSelf && unicode.IsLetter(re.Rune[0])
	case syntax.OpConcat:
		if len(re.Sub) == 0 {
			return false
		}
		if begins {
			return foreign(re.Sub[0], begins)
		}
		return foreign(re.Sub[len(re.Sub)-1], begins)
	case syntax.OpCapture, syntax.OpPlus, syntax.OpStar, syntax.OpQuest, syntax.OpRepeat:
		return foreign(re.Sub[0], begins)
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			if foreign(sub, begins) {
				return true
			}
		}
	}
	return false
}
