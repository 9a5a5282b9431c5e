package rules

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"weir/rules/strict"
)

// digests are the released rules. A file that was released never changes: rules that pin it would change their verdicts.
var digests = map[string]string{
	"2026.1": "70ea03d2618344bb4342f801a6369ad98d16ba15d6e53c620520b7468dc1e559",
}

func TestReleasesNeverChange(t *testing.T) {
	got := map[string]string{}
	for _, release := range Releases() {
		text, ok := Builtin(atRelease + release)
		if !ok {
			t.Errorf("the release %s cannot be read", release)
		}
		got[release] = fmt.Sprintf("%x", sha256.Sum256([]byte(text)))
	}
	if diff := cmp.Diff(digests, got); diff != "" {
		t.Errorf("what was released has changed; put a change into defaults.yaml, and a new release beside the others (-want +got):\n%s", diff)
	}
}

// The release that a file pins is what is loaded, however it is pinned, and whoever includes it.
func TestPinnedDefaults(t *testing.T) {
	const thresholds = "thresholds: { tag: 6, reject: 15 }\n"
	for text, want := range map[string]string{
		"version: 1\ninclude: [builtin:defaults]\n" + thresholds:                   "builtin:defaults",
		"version: 1\ninclude: [builtin:defaults]\ndefaults: 2026.1\n" + thresholds: "builtin:defaults@2026.1",
		"version: 1\ninclude: [\"builtin:defaults@2026.1\"]\n" + thresholds:        "builtin:defaults@2026.1",
		"version: 1\ndefaults: 2026.1\ninclude: [more.yaml, builtin:defaults]\n":   "builtin:defaults@2026.1",
		"version: 1\ninclude: [\"builtin:defaults@2026.1\"]\ndefaults: 2026.1\n":   "builtin:defaults@2026.1",
	} {
		load := func(newest bool) (*Set, string) {
			fsys := fstest.MapFS{"rules.yaml": {Data: []byte(text)}, "more.yaml": {Data: []byte("version: 1\ninclude: [builtin:defaults]\n")}}
			set, findings := Loader{FS: fsys, Known: testKnown(), Now: now, Newest: newest}.Load("rules.yaml")
			if len(findings) > 0 {
				t.Fatalf("%s%v", text, findings)
			}
			return set, set.Symbols["SPF_PASS"].Src.File
		}
		set, from := load(false)
		if _, release, _ := strings.Cut(want, "@"); from != want || set.Pinned() != release {
			t.Errorf("the symbols of %q are of %s, pinned to %q, want %s", text, from, set.Pinned(), want)
		}
		if set, from := load(true); from != builtinName || set.Pinned() != "" {
			t.Errorf("the newest of %q is %s", text, from)
		}
	}
}

// A release loads by itself: whatever becomes of the newest rules changes nothing of it, and takes no name from a file that pins
// it. What is written over here can not even be read.
func TestPinnedDefaultsAreOfTheirOwnFileAlone(t *testing.T) {
	const own = "version: 1\ninclude: [builtin:defaults]\ndefaults: 2026.1\nthresholds: { tag: 6, reject: 15 }\n" +
		"rules: [{ id: HTML_FORM, about: a form, body: { regex: form }, score: 1 }, { id: TEXT_SLOW, about: slow, check: pattern, score: 1 }]\n"
	known := Loader{Known: testKnown(), Now: now}
	load := func(text string) (*Set, strict.Findings) {
		known.FS = fstest.MapFS{"rules.yaml": {Data: []byte(text)}}
		return known.Load("rules.yaml")
	}
	if _, findings := load(strings.Replace(own, "defaults: 2026.1\n", "", 1)); len(findings) != 2 {
		t.Fatalf("the newest rules have not these two names, so nothing is shown: %v", findings)
	}
	before, findings := load(own)
	if len(findings) > 0 {
		t.Fatal(findings)
	}
	newest := builtinText
	defer func() { builtinText = newest }()
	builtinText = "rules: nothing"
	after, findings := load(own)
	if len(findings) > 0 {
		t.Fatal(findings)
	}
	if before.Digest != after.Digest || len(before.Symbols) != len(after.Symbols) {
		t.Errorf("%s with %d symbols became %s with %d", before.Digest, len(before.Symbols), after.Digest, len(after.Symbols))
	}
	for name, s := range after.Symbols {
		if file := s.Src.File; file != atRelease+"2026.1" && file != "rules.yaml" {
			t.Errorf("%s is of %s", name, file)
		}
	}
}

func TestReleasesInOrder(t *testing.T) {
	for earlier, later := range map[string]string{"2026.9": "2026.10", "2026.10": "2027.1"} {
		if slices.Compare(releaseNumbers(earlier), releaseNumbers(later)) >= 0 {
			t.Errorf("%s does not come before %s", earlier, later)
		}
	}
}
