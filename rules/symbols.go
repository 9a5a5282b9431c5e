package rules

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"weir/rules/strict"
)

var (
	upperName  = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}$`)
	answerName = regexp.MustCompile(`^[A-Z0-9][A-Z0-9_]{0,63}$`)
	lowerName  = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,63}$`)
)

// missing reports that a needed key is not in the mapping v. If v itself could not be read, or says the key in other letters,
// that is reported already.
func (l *loading) missing(v strict.Value, key string) {
	if v.Said() && !v.Meant(key) {
		l.errorAt(v, codeMissing, "the key %q is missing", key)
	}
}

// checkName reports whether v is said and written as form.
func (l *loading) checkName(v said[string], form *regexp.Regexp) bool {
	if v.At.Said() && v.V == "" || form.MatchString(v.V) {
		return v.V != ""
	}
	hint := "a name is written in capitals, digits and _, like SUBJ_TOO_LONG"
	if form == lowerName {
		hint = "a name is written in small letters, digits, - and _, like abuse-desk"
	}
	l.hintAt(v.At, codeName, fmt.Sprintf("%s is not a name", v.At.Quoted()), hint)
	return false
}

// named reports whether the key id of the mapping self is said and in order.
func (l *loading) named(self strict.Value, id said[string], form *regexp.Regexp) bool {
	if !id.At.Said() {
		l.missing(self, "id")
		return false
	}
	return l.checkName(id, form)
}

// defined reports that a name is taken.
func (l *loading) defined(at strict.Value, name string, first strict.Src) {
	hint := "choose another name"
	if first.File != at.Src().File {
		hint = "what an included file defines can only be changed by `override:`"
	}
	l.hintAt(at, codeDefined, fmt.Sprintf("%s is defined already, at %s", name, first), hint)
}

// define adds a symbol. It reports false if there is one of that name.
func (l *loading) define(at strict.Value, s Symbol) bool {
	if old := l.set.Symbols[s.Name]; old != nil {
		l.defined(at, s.Name, old.Src)
		return false
	}
	s.Src = at.Src()
	l.set.Symbols[s.Name] = &s
	l.symbols[s.Name] = true
	return true
}

// scored checks that a symbol says what it is worth: only one that counts for nothing, or decides alone
// that mail passes, need not.
func (l *loading) scored(self strict.Value, score said[Points], mode Mode) {
	if !score.At.Said() && mode != Shadow && mode != Allow {
		l.missing(self, "score")
	}
}

// caps sets the caps of families; a later file's word for a family holds.
func (l *loading) caps() {
	families := l.families()
	for _, doc := range l.files {
		for _, c := range doc.Caps {
			if !slices.Contains(families, c.Key) {
				l.hintAt(c.At, codeFamily, fmt.Sprintf("no symbol is of the family %s", c.At.Quoted()), strict.DidYouMean(c.Key, families))
				continue
			}
			if c.V < 0 {
				l.errorAt(c.At, strict.CodeValue, "a cap cannot be below 0")
			}
			l.set.Caps = slices.DeleteFunc(l.set.Caps, func(old Cap) bool { return old.Family == c.Key })
			l.set.Caps = append(l.set.Caps, Cap{Family: c.Key, Points: c.V, Src: c.At.Src()})
		}
	}
}

// families are the families of all symbols, sorted.
func (l *loading) families() []string {
	all := map[string]bool{}
	for _, s := range l.set.Symbols {
		if s.Family != "" {
			all[s.Family] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// overrides applies what the files change of symbols, in order.
func (l *loading) overrides() {
	for _, doc := range l.files {
		seen := map[string]strict.Src{}
		for _, o := range doc.Override {
			switch first, twice := seen[o.ID.V]; {
			case !l.named(o.Self, o.ID, upperName):
			case twice:
				l.errorAt(o.ID.At, codeDefined, "%s is overridden already, at %s", o.ID.V, first)
			default:
				seen[o.ID.V] = o.ID.At.Src()
				l.override(o)
			}
		}
	}
}

func (l *loading) override(o overrideDoc) {
	s := l.set.Symbols[o.ID.V]
	if s == nil {
		l.hintAt(o.ID.At, codeOverride, fmt.Sprintf("there is no %s to override", o.ID.V), l.nearestWeighed(o.ID.V))
		return
	}
	if !o.Score.At.Said() {
		l.missing(o.Self, "score")
		return
	}
	if l.expired(o.Until) {
		l.warnAt(o.Until.At, codeExpired, fmt.Sprintf("this override of %s is over and changes nothing", o.ID.V), "drop it, or give it another date")
		return
	}
	s.Changed = append(s.Changed, Override{Was: s.Points, Why: o.Why.V, Src: o.ID.At.Src()})
	s.Points = o.Score.V
}

// expired reports whether a date is said and over. A day is over when it has begun, in UTC.
func (l *loading) expired(until said[time.Time]) bool {
	return until.At.Said() && !until.V.IsZero() && !l.Now.Before(until.V)
}

// oneLine reports whether v can be a part of an SMTP reply.
func oneLine(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7F })
}
