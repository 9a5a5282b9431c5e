package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"weir/rules"
	"weir/rules/strict"
	"weir/scoring/replay"
)

// limit is a condition of --fail-on: a number of the report, compared with another.
type limit struct {
	text    string
	counted string
	exceeds func(n, than int) bool
	than    int
}

// numbers are what --fail-on can count.
func numbers(r replay.Report) map[string]int {
	n := map[string]int{"verdicts": r.Verdicts, "flips": 0, "worse": 0, "better": 0, "undone": 0, "reread": r.Reread, "wrong": r.Wrong, "missed": r.Missed}
	for a := rules.Pass; a <= rules.Reject; a++ {
		n["new_"+a.String()] = 0
		n["no_"+a.String()] = 0
	}
	for c, count := range r.Flips {
		n["flips"] += count
		n["new_"+c.To.String()] += count
		n["no_"+c.From.String()] += count
		if c.To > c.From {
			n["worse"] += count
		} else {
			n["better"] += count
		}
	}
	for _, count := range r.Undone {
		n["undone"] += count
	}
	return n
}

var comparisons = []struct {
	sign  string
	holds func(n, than int) bool
}{
	{">=", func(n, than int) bool { return n >= than }},
	{"<=", func(n, than int) bool { return n <= than }},
	{">", func(n, than int) bool { return n > than }},
	{"<", func(n, than int) bool { return n < than }},
	{"=", func(n, than int) bool { return n == than }},
}

// parseLimits reads the values of --fail-on: a number of flips, or NAME>NUMBER.
func parseLimits(texts []string) ([]limit, error) {
	var all []limit
	for _, text := range texts {
		l, err := parseLimit(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", text, err)
		}
		all = append(all, l)
	}
	return all, nil
}

func parseLimit(text string) (limit, error) {
	if n, err := strconv.Atoi(text); err == nil && n >= 0 {
		return limit{text: "flips>" + text, counted: "flips", exceeds: func(n, than int) bool { return n > than }, than: n}, nil
	}
	at := strings.IndexAny(text, "<>=")
	if at < 0 {
		return limit{}, errors.New("write a number of flips, or a comparison such as new_reject>0")
	}
	l := limit{text: text, counted: strings.TrimSpace(text[:at])}
	names := make([]string, 0, 16)
	for name := range numbers(replay.Report{}) {
		names = append(names, name)
	}
	slices.Sort(names)
	if !slices.Contains(names, l.counted) {
		if near := strict.Nearest(l.counted, names); near != "" {
			return l, fmt.Errorf("there is no %s; did you mean %s?", l.counted, near)
		}
		return l, fmt.Errorf("there is no %s; it is one of %s", l.counted, strings.Join(names, ", "))
	}
	for _, c := range comparisons {
		if number, ok := strings.CutPrefix(text[at:], c.sign); ok {
			n, err := strconv.Atoi(strings.TrimSpace(number))
			if err != nil {
				return l, fmt.Errorf("%q is not a number", number)
			}
			l.exceeds, l.than = c.holds, n
			return l, nil
		}
	}
	return l, errors.New("compare with >, >=, <, <= or =")
}

// exceeded answers no if one of the limits holds.
func (a *app) exceeded(limits []limit, r replay.Report) error {
	n := numbers(r)
	var failed bool
	for _, l := range limits {
		if l.exceeds(n[l.counted], l.than) {
			a.say("%s: it is %d", l.text, n[l.counted])
			failed = true
		}
	}
	if failed {
		return exit{code: exitNo}
	}
	return nil
}
