package verdictlog

import (
	"bytes"
	"slices"
	"strings"
	"time"
)

// sieve passes over most lines that a query cannot match, without decoding them.
type sieve struct {
	needles      [][]needle // of each of these, one must be there
	since, until string     // seconds, as records write them; "" for no bound
	marked       bool       // only those of which something was said can match
}

// needle is a text to be found whatever its case. All of it is ASCII.
type needle struct {
	text         []byte // lower case
	anchor       int    // where in it is the byte that is rarest
	lower, upper byte   // that byte
}

// recordStart is how the writer begins each line, up to the digits of the time.
const recordStart = `{"schema":"` + Schema + `","time":"`

// seconds is the form of a record's time, without fraction and zone.
const seconds = "2006-01-02T15:04:05"

func (q Query) sieve() sieve {
	var s sieve
	for _, t := range q.terms {
		s.marked = s.marked || t.marked && !t.not
		if t.need == "" || t.not {
			continue
		}
		either := []needle{newNeedle(t.need)}
		if t.other != nil {
			either = append(either, newNeedle(t.other.need))
		}
		s.needles = append(s.needles, either)
	}
	if !q.Since.IsZero() {
		s.since = q.Since.UTC().Format(seconds)
	}
	if !q.Until.IsZero() {
		s.until = q.Until.UTC().Add(time.Second).Format(seconds)
	}
	return s
}

// passes reports whether line may match.
func (s sieve) passes(line []byte) bool {
	if at, ours := bytes.CutPrefix(line, []byte(recordStart)); ours && len(at) >= len(seconds) {
		at = at[:len(seconds)]
		if s.since != "" && string(at) < s.since || s.until != "" && string(at) >= s.until {
			return false
		}
	}
	for _, either := range s.needles {
		if !slices.ContainsFunc(either, func(n needle) bool { return n.in(line) }) {
			return false
		}
	}
	return true
}

// rareFirst is the bytes of records, rarest first; those not in it are rarer still.
const rareFirst = `zqxjkwyvgpfhbmcdulansirote_-0123456789.,:"`

func newNeedle(text string) needle {
	n := needle{text: []byte(strings.ToLower(text))}
	best := len(rareFirst)
	for i, c := range n.text {
		if rank := strings.IndexByte(rareFirst, c); rank < best {
			best, n.anchor = rank, i
		}
	}
	n.lower = n.text[n.anchor]
	n.upper = n.lower
	if 'a' <= n.lower && n.lower <= 'z' {
		n.upper -= 'a' - 'A'
	}
	return n
}

// in looks for the needle at each place of its rarest byte.
func (n needle) in(line []byte) bool {
	lower, upper := places{line, n.lower, -1}, places{line, n.upper, -1}
	lower.step()
	if n.upper != n.lower {
		upper.step()
	} else {
		upper.at = len(line)
	}
	for {
		at := min(lower.at, upper.at)
		if at == len(line) {
			return false
		}
		if start := at - n.anchor; start >= 0 && start+len(n.text) <= len(line) && equalFold(line[start:start+len(n.text)], n.text) {
			return true
		}
		if lower.at == at {
			lower.step()
		} else {
			upper.step()
		}
	}
}

// places goes through the places of a byte in a line; at is len(line) after the last.
type places struct {
	line []byte
	c    byte
	at   int
}

func (p *places) step() {
	if i := bytes.IndexByte(p.line[p.at+1:], p.c); i >= 0 {
		p.at += 1 + i
	} else {
		p.at = len(p.line)
	}
}

// equalFold compares b with lower, of the same length and lower case, by ASCII letters.
func equalFold(b, lower []byte) bool {
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// plain is the longest piece of text that JSON writes as it is; "" if that is too short to be worth looking for.
func plain(text string) string {
	pieces := strings.FieldsFunc(text, func(r rune) bool {
		return r < ' ' || r > '~' || strings.ContainsRune(`"\<>&`, r)
	})
	best := ""
	for _, p := range pieces {
		if len(p) > len(best) {
			best = p
		}
	}
	if len(best) < 2 {
		return ""
	}
	return best
}
