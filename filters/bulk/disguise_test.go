package bulk

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// disguises are what senders do to each copy. They are seeded, so that a failure repeats.
var disguises = map[string]func(r *rand.Rand, s string) string{
	"none": func(_ *rand.Rand, s string) string { return s },
	"personal": func(r *rand.Rand, s string) string {
		return fmt.Sprintf("Order %d for you\n\n%s\nid %x", r.IntN(1e6), s, r.Uint64())
	},
	"busters": func(r *rand.Rand, s string) string {
		return eachWord(s, func(w string) string {
			if r.IntN(8) == 0 {
				return w + " " + junk(r)
			}
			return w
		})
	},
	"lookalikes": func(r *rand.Rand, s string) string {
		swap := strings.NewReplacer("a", "а", "e", "е", "o", "0", "i", "1", "р", "p", "с", "c", "у", "y")
		return eachWord(s, func(w string) string {
			if r.IntN(3) == 0 || isAddress(w) {
				return w
			}
			return swap.Replace(w)
		})
	},
	"reworded": func(r *rand.Rand, s string) string {
		return eachWord(s, func(w string) string {
			if r.IntN(5) == 0 {
				return junk(r)
			}
			return w
		})
	},
	"slips":  func(r *rand.Rand, s string) string { return slips(r, s, .3) },
	"parted": func(r *rand.Rand, s string) string { return parted(r, s, .3) },
	"pasted": func(r *rand.Rand, s string) string {
		var b strings.Builder
		for range len(strings.Fields(s)) {
			b.WriteString(junk(r) + " ")
		}
		return b.String() + "\n\n" + s
	},
	"hidden": func(r *rand.Rand, s string) string {
		return "<html><body><p style=\"display:none\">" + junk(r) + " " + junk(r) + "</p><div>" + strings.ReplaceAll(s, "\n", "<br>") +
			"</div><font color=\"#ffffff\">" + junk(r) + "</font></body></html>"
	},
}

// slips of the pen, in a part of the words.
func slips(r *rand.Rand, s string, part float64) string {
	return eachWord(s, func(w string) string {
		l := []rune(w)
		if len(l) < 4 || r.Float64() > part || isAddress(w) {
			return w
		}
		i := 1 + r.IntN(len(l)-2)
		switch r.IntN(3) {
		case 0:
			return string(l[:i]) + string(l[i+1:])
		case 1:
			return string(l[:i+1]) + string(l[i:])
		}
		return string(l[:i]) + string(l[i+1]) + string(l[i]) + string(l[i+2:])
	})
}

// parted writes a part of the long words in two.
func parted(r *rand.Rand, s string, part float64) string {
	return eachWord(s, func(w string) string {
		l := []rune(w)
		if len(l) < 6 || r.Float64() > part || isAddress(w) {
			return w
		}
		i := 2 + r.IntN(len(l)-3)
		return string(l[:i]) + " " + string(l[i:])
	})
}

func isAddress(w string) bool { return strings.Contains(w, "://") || strings.Contains(w, "@") }

func eachWord(s string, f func(string) string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		words := strings.Split(l, " ")
		for j, w := range words {
			words[j] = f(w)
		}
		lines[i] = strings.Join(words, " ")
	}
	return strings.Join(lines, "\n")
}

func junk(r *rand.Rand) string {
	b := make([]byte, 4+r.IntN(6))
	for i := range b {
		b[i] = byte('a' + r.IntN(26))
	}
	return string(b)
}

// Copies of one letter must be counted together however they are disguised, each letter apart from the others, and
// ordinary mail that comes between must stay alone.
func TestDisguises(t *testing.T) {
	letters, ordinary := texts(t, "letters"), texts(t, "ordinary")
	for name, disguise := range disguises {
		t.Run(name, func(t *testing.T) {
			s, r := newStream(t, seeded()), rand.New(rand.NewPCG(5, 6))
			kind := ""
			if name == "hidden" {
				kind = "text/html; charset=utf-8"
			}
			campaign := map[string]string{}
			for n := 1; n <= 12; n++ {
				for _, letter := range slices.Sorted(maps.Keys(letters)) {
					got := s.see(mail{body: disguise(r, letters[letter]), kind: kind}).Facts.Bulk
					if n > 3 && got.Alike < n-1 {
						t.Errorf("copy %d of %s: %+v", n, letter, got)
					}
					if n > 3 && campaign[letter] != got.Campaign {
						t.Errorf("copy %d of %s is in %s, not in %s", n, letter, got.Campaign, campaign[letter])
					}
					campaign[letter] = got.Campaign
				}
				if n > 1 {
					continue
				}
				for _, letter := range slices.Sorted(maps.Keys(ordinary)) {
					if got := s.see(mail{body: ordinary[letter]}).Facts.Bulk; got.Alike != 1 {
						t.Errorf("%s: %+v", letter, got)
					}
				}
			}
			if len(campaign) != 3 || campaign["lottery.txt"] == campaign["storage.txt"] {
				t.Errorf("campaigns %v", campaign)
			}
		})
	}
}

// Where nearly every word differs from copy to copy, no two have much in common: it is several that give a family away.
func TestFamilies(t *testing.T) {
	letters, ordinary := texts(t, "letters"), texts(t, "ordinary")
	for name, disguise := range map[string]func(r *rand.Rand, s string) string{
		"slips":  func(r *rand.Rand, s string) string { return slips(r, s, .7) },
		"parted": func(r *rand.Rand, s string) string { return parted(r, s, .7) },
	} {
		found, all := 0, 0
		for seed := range uint64(8) {
			s, r := newStream(t, seeded()), rand.New(rand.NewPCG(5, seed))
			for n := range 12 {
				for _, letter := range slices.Sorted(maps.Keys(letters)) {
					if got := s.see(mail{body: disguise(r, letters[letter])}).Facts.Bulk; n >= 4 {
						all++
						found += min(1, got.Alike/3)
					}
				}
				if n > 0 {
					continue
				}
				for _, letter := range slices.Sorted(maps.Keys(ordinary)) {
					if got := s.see(mail{body: ordinary[letter]}).Facts.Bulk; got.Alike != 1 {
						t.Errorf("%s: %+v", letter, got)
					}
				}
			}
		}
		if found < all*4/5 {
			t.Errorf("%s: %d of %d copies are counted with others", name, found, all)
		}
	}
}
