package bulk

import "testing"

func TestPhrases(t *testing.T) {
	p := newPhrases("abc", "abcd", "xyz", "фиденц", "bbbbc")
	for s, want := range map[string]bool{
		"": false, "ab": false, "abc": true, "-abc": true, "abc-": true, "ab c": false, "abxyz": true, "xy": false,
		"конфиденциально": true, "конфиден": false, "bbbbbbbc": true, "bbbbbbb": false,
	} {
		if p.in(s) != want {
			t.Errorf("%q: %v", s, !want)
		}
	}
}
