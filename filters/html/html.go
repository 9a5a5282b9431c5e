// Package html runs the rules that look at the elements of HTML, over those that the reader of the message has kept.
package html

import (
	"context"
	_ "embed"
	"slices"
	"strings"
	"unicode"

	"weir/filters"
	"weir/filters/mime"
	"weir/rules"
)

// Readme is the manual of the check.
//
//go:embed README.md
var Readme string

// budget is how many bytes of attributes all expressions together read of one message. What is beyond is no hit.
const budget = 4 << 20

// maxDetail bounds the evidence, in letters.
const maxDetail = 60

// New makes the check of own. It looks nothing up and keeps nothing.
func New(own []rules.Element) filters.Check {
	check := filters.Check{Name: "html", Doc: "Rules that look at the elements of HTML", Stage: filters.Body}
	for _, r := range own {
		check.Symbols = append(check.Symbols, r.Symbol)
	}
	check.Run = func(ctx context.Context, m filters.Mail) (filters.Report, error) {
		var report filters.Report
		if m.Message == nil {
			return report, nil
		}
		left := budget
		for i := range own {
			if err := ctx.Err(); err != nil {
				return filters.Report{}, err
			}
			if detail, ok := find(&own[i], m.Message.Elements(), &left); ok {
				report.Hits = append(report.Hits, filters.Hit{Symbol: own[i].Symbol, Detail: detail})
			}
		}
		return report, nil
	}
	return check
}

// find reports whether enough of the elements are as r says, with the evidence of the first. It takes what its expression
// reads from left.
func find(r *rules.Element, elements []mime.Element, left *int) (detail string, ok bool) {
	n := 0
	for i := range elements {
		evidence, ok := holds(r, &elements[i], left)
		if !ok {
			continue
		}
		if n == 0 {
			detail = shorten(evidence)
		}
		if n++; n >= r.AtLeast {
			return detail, true
		}
	}
	return "", false
}

// holds reports whether all that r says holds of e.
func holds(r *rules.Element, e *mime.Element, left *int) (evidence string, ok bool) {
	evidence = e.Tag
	switch {
	case r.Tags != nil && !slices.Contains(r.Tags, e.Tag), r.Hidden && !e.Hidden:
		return "", false
	}
	if r.Differs {
		shown := filters.Misleads(e.Text, e.Host)
		if shown == "" {
			return "", false
		}
		evidence = shown + " goes to " + e.Host
	}
	if r.Attr == "" {
		return evidence, true
	}
	at := slices.IndexFunc(e.Attrs, func(a mime.Attr) bool { return a.Name == r.Attr }) // of two, browsers take the first
	if at < 0 {
		return "", false
	}
	value := e.Attrs[at].Value
	if r.Value != nil {
		if *left -= len(value); *left < 0 || !r.Value.MatchString(value) {
			return "", false
		}
	}
	if !r.Differs {
		evidence = e.Tag + " " + r.Attr + "=" + value
	}
	return evidence, true
}

func shorten(s string) string {
	letters := []rune(strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " "))
	if len(letters) <= maxDetail {
		return string(letters)
	}
	return string(letters[:maxDetail-1]) + "…"
}

// Sample is a message for the proof of an `html:` rule: a page, or a piece of one.
func Sample(text string) *filters.Message {
	return filters.ParseMessage([]byte("MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + text + "\r\n"))
}
