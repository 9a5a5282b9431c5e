package bulk

import (
	"strings"
	"testing"
)

// Texts of one script have its letters in common, and its endings of words: no line of testdata/scripts is counted with more
// than two others, and none surely. A copy
// of one is, however it is broken into lines.
func TestTextsOfOneScriptAreUnlike(t *testing.T) {
	for script, all := range texts(t, "scripts") {
		s := newStream(t, seeded())
		lines := strings.Split(strings.TrimSpace(all), "\n")
		for i, line := range lines {
			if got := s.see(mail{body: line}).Facts.Bulk; got.Alike > 3 || got.AlikeStrict > 1 {
				t.Errorf("line %d of %s: %+v", i+1, script, got)
			}
		}
		copied := []rune(lines[1])
		half := len(copied) / 2
		if got := s.see(mail{body: string(copied[:half]) + "\n" + string(copied[half:])}).Facts.Bulk; got.AlikeStrict < 2 {
			t.Errorf("a copy in %s: %+v", script, got)
		}
	}
}
