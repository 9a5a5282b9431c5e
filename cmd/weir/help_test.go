package main

import (
	"os"
	"path/filepath"
	"testing"
)

// Each filter that has a manual shows it.
func TestHelpKnowsEachFilter(t *testing.T) {
	files, err := filepath.Glob("../../filters/*/README.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("the manuals of filters: %v, %v", files, err)
	}
	all := manuals()
	for _, file := range files {
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if name := filepath.Base(filepath.Dir(file)); all[name] != string(want) {
			t.Errorf("weir help filter %s does not print %s", name, file)
		}
	}
}
