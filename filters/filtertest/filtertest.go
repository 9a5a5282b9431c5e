package filtertest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/filters"
	"weir/filters/lookup"
)

// patience bounds one run of a check.
const patience = 10 * time.Second

var update = flag.Bool("update", false, "write the .hits files of filter cases anew")

// Run runs the check that open makes over each case of the folder testdata. open is called once for a case, with
// the resolver of its zone.
func Run(t *testing.T, open func(*lookup.Resolver) filters.Check) {
	t.Helper()
	run(t, "testdata", open)
}

func run(t *testing.T, dir string, open func(*lookup.Resolver) filters.Check) {
	t.Helper()
	var cases []string
	for _, pattern := range []string{"*.eml", "private/*.eml"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatalf("listing cases: %v", err)
		}
		cases = append(cases, found...)
	}
	if len(cases) == 0 {
		t.Fatalf("no cases in %s", dir)
	}
	for _, file := range cases {
		base := strings.TrimSuffix(file, ".eml")
		t.Run(filepath.Base(base), func(t *testing.T) { runCase(t, base, open) })
	}
}

func runCase(t *testing.T, base string, open func(*lookup.Resolver) filters.Check) {
	data, err := os.ReadFile(base + ".eml")
	if err != nil {
		t.Fatalf("reading the message: %v", err)
	}
	m, err := parseMail(data)
	if err != nil {
		t.Fatalf("%s.eml: %v", base, err)
	}
	resolver, err := resolverOf(base + ".zone")
	if err != nil {
		t.Fatalf("reading the zone: %v", err)
	}
	defer resolver.Close()

	check := open(resolver)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	report, err := check.Run(ctx, m)
	if err != nil {
		t.Fatalf("%s ended with: %v", check.Name, err)
	}
	for _, h := range report.Hits {
		if !slices.Contains(check.Symbols, h.Symbol) {
			t.Errorf("%s reports %s, which it does not declare", check.Name, h.Symbol)
		}
	}
	settle := compare
	if *update {
		settle = rewrite
	}
	if err := settle(base+".hits", render(report)); err != nil {
		t.Error(err)
	}
}

// resolverOf answers from the zone file, or as an offline resolver if there is none.
func resolverOf(file string) (*lookup.Resolver, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return lookup.Offline(), nil
	}
	if err != nil {
		return nil, err
	}
	zone, err := lookup.ParseZone(bytes.NewReader(data), file)
	if err != nil {
		return nil, err
	}
	return lookup.FromZone(zone), nil
}

// render writes a report in the form of a .hits file.
func render(r filters.Report) []string {
	var lines []string
	for _, h := range r.Hits {
		lines = append(lines, strings.TrimSpace(h.Symbol+" "+h.Detail))
	}
	for _, p := range r.Problems {
		lines = append(lines, strings.TrimSpace("! "+strings.TrimSpace(p.Kind+" "+p.Rule)+" "+p.Detail))
	}
	fact := func(name string, value any) {
		text, err := json.Marshal(value)
		if err != nil {
			text = []byte(err.Error())
		}
		lines = append(lines, fmt.Sprintf("= %s %s", name, text))
	}
	if r.Facts.Reverse != nil {
		fact("reverse", r.Facts.Reverse)
	}
	if r.Facts.Auth != nil {
		fact("auth", r.Facts.Auth)
	}
	if r.Facts.Bulk != nil {
		fact("bulk", r.Facts.Bulk)
	}
	return lines
}

// compare holds got against the lines of file.
func compare(file string, got []string) error {
	want, _, err := read(file)
	if err != nil {
		return fmt.Errorf("reading what is wanted (go test -update writes it): %w; the check reports\n\t%s", err, strings.Join(got, "\n\t"))
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("%s: the check reports\n\t%s\nbut wanted is\n\t%s", file, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
	return nil
}

// rewrite makes got the lines of file and keeps its comments. A file that says so already is left alone.
func rewrite(file string, got []string) error {
	want, comments, err := read(file)
	if err == nil && slices.Equal(got, want) {
		return nil
	}
	text := ""
	for _, line := range append(comments, got...) {
		text += line + "\n"
	}
	return os.WriteFile(file, []byte(text), 0o644)
}

func read(file string) (lines, comments []string, err error) {
	data, err := os.ReadFile(file)
	for line := range strings.Lines(string(data)) {
		switch line = strings.TrimRight(line, "\r\n"); {
		case strings.HasPrefix(line, "#"):
			comments = append(comments, line)
		case line != "":
			lines = append(lines, line)
		}
	}
	return lines, comments, err
}
