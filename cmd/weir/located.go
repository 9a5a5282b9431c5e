package main

import (
	"bytes"
	"fmt"
	"strings"

	"weir/filters"
	"weir/scoring/verdictlog"
)

// located is where in its message the evidence of a symbol stands.
type located struct {
	Rule  string `json:"rule"`
	Where string `json:"where"`
}

// locate finds the evidence of r in its message: in a header, on a line of it, or on a line of its text where that is
// encoded. What stands nowhere as it is quoted is left out.
func locate(r *verdictlog.Record, raw []byte) []located {
	m := filters.ParseMessage(raw)
	_, body, _ := bytes.Cut(raw, []byte("\n\r\n"))
	head := bytes.Count(raw[:len(raw)-len(body)], []byte("\n"))
	whole, text := wordsOf(string(body)), wordsOf(m.Text())
	var all []located
	for _, h := range r.Hits {
		piece, _, _ := strings.Cut(h.Detail, " | ")
		if piece = strings.Trim(piece, "…"); piece == "" || isCorrection(h) {
			continue
		}
		where := ""
		for _, f := range m.Fields() {
			if strings.Contains(strings.Join(strings.Fields(f.Value), " "), piece) {
				where = "header " + f.Name
				break
			}
		}
		if line := whole.line(piece); where == "" && line > 0 {
			where = fmt.Sprintf("line %d", head+line)
		} else if line := text.line(piece); where == "" && line > 0 {
			where = fmt.Sprintf("line %d of its text", line)
		}
		if where != "" {
			all = append(all, located{h.Rule, where})
		}
	}
	return all
}

// lineWords is the words of a text, one space apart, as evidence quotes them, and where the lines that have any begin.
type lineWords struct {
	words  string
	begins []int // in words
	lines  []int // their numbers, from 1
}

func wordsOf(text string) lineWords {
	var l lineWords
	var b strings.Builder
	n := 0
	for line := range strings.Lines(text) {
		n++
		words := strings.Join(strings.Fields(line), " ")
		if words == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		l.begins, l.lines = append(l.begins, b.Len()), append(l.lines, n)
		b.WriteString(words)
	}
	l.words = b.String()
	return l
}

// line is the number of the line where piece begins; 0 if it is nowhere.
func (l lineWords) line(piece string) int {
	at, line := strings.Index(l.words, piece), 0
	for i, begin := range l.begins {
		if at >= begin {
			line = l.lines[i]
		}
	}
	return line
}
