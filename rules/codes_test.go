package rules

import (
	"os"
	"strings"
	"testing"

	"weir/rules/strict"
)

// The codes of findings are stable and each has a title.
func TestCodes(t *testing.T) {
	for file, titles := range map[string]map[string]string{"codes.go": titles, "strict/codes.go": strict.Titles()} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := len(titles), strings.Count(string(source), ` = "`); got != want {
			t.Errorf("%s: %d titles for %d codes", file, got, want)
		}
	}
}
