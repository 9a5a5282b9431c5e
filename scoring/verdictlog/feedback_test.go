package verdictlog

import (
	"maps"
	"os"
	"path/filepath"
	"testing"
)

func TestMarks(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, feedbackFile)
	for _, m := range []Mark{{ID: "A", Learned: Spam}, {ID: "B", Learned: Ham}, {SHA256: "c", Learned: Ham}, {ID: "A", Learned: Ham}, {ID: "B", Learned: Unlearn}, {Learned: Spam}, {ID: "D", Learned: "odd"}} {
		if err := Learn(dir, m); err != nil {
			t.Fatal(err)
		}
	}
	// A crash has cut off a line; the next is not lost with it.
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(whole, `{"time":"2026-11-24T10:00:00Z","learned":"sp`...), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := Learn(dir, Mark{ID: "E", Learned: Spam}); err != nil {
		t.Fatal(err)
	}
	marks, err := ReadMarks(dir)
	if want := (Marks{"A": Ham, "c": Ham, "E": Spam}); err != nil || !maps.Equal(marks, want) {
		t.Errorf("got %v, %v", marks, err)
	}
	if none, err := ReadMarks(t.TempDir()); err != nil || len(none) > 0 {
		t.Errorf("without feedback: %v, %v", none, err)
	}
	for line, want := range map[string]bool{
		`{"id":"A"}`: true, `{"id":"X","session":{"id":"A"}}`: true, `{"message":{"sha256":"c"}}`: true, `{"id":"B"}`: false, `{}`: false, `{"id":"`: false,
	} {
		if marks.in([]byte(line)) != want {
			t.Errorf("%s: %v", line, !want)
		}
	}
	if r := (&Record{ID: "X", Message: &Message{SHA256: "c"}}); marks.Of(r) != Ham || marks.Of(&Record{ID: "X"}) != "" || marks.Of(&Record{ID: "E"}) != Spam {
		t.Error("marks are not of their records")
	}
}
