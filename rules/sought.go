package rules

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"weir/rules/strict"
)

// Sought maps each symbol that a message is looked at for to a short digest of how: its pattern, zone or window. A
// symbol of two sets with the same digest holds for the same messages under both. Symbols that follow from others or
// from what is proven (`when:`, bulk.exempt) are not in it, nor are those of checks that the rules do not describe.
func (s *Set) Sought() map[string]string {
	sought := map[string]string{}
	for _, p := range s.Patterns {
		sought[p.Symbol] = digest(p)
	}
	for _, a := range s.Attachments {
		sought[a.Symbol] = digest(a)
	}
	for _, e := range s.Elements {
		sought[e.Symbol] = digest(e)
	}
	for _, z := range s.Zones {
		answers := z.Answers
		z.Answers, z.Src, z.Display, z.Hard = nil, strict.Src{}, "", false
		for _, a := range answers {
			sought[a.Symbol] = digest([]any{z, a})
		}
	}
	if s.Greylist != nil {
		sought[GreylistNew] = digest([]any{s.Greylist.Wait, s.Greylist.Expire})
	}
	for _, w := range s.Bulk.Windows {
		sought[w.Symbol] = digest(w)
	}
	if t := s.Bulk.Traps; t != nil && t.Symbol != "" && t.List != nil {
		sought[t.Symbol] = digest([]any{t.List.Type, slices.Sorted(maps.Keys(t.List.names))})
	}
	if e := s.Bulk.Earned; e != nil {
		sought[e.Symbol], sought[e.Broken] = digest(e), digest(e)
	}
	return sought
}

// digest is a short digest of a description, which is a value of plain fields.
func digest(description any) string {
	const length = 8 // bytes
	text, err := json.Marshal(description)
	if err != nil {
		panic(fmt.Sprintf("a description cannot be written: %v", err)) // cannot happen: it has plain fields
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:length])
}

// Features are the names of what the condition reads besides symbols, as records have them; of a group its own name.
func (c *Condition) Features() []string {
	var names []string
	for _, f := range c.features {
		group, _, _ := strings.Cut(f.name, ".")
		names = append(names, group)
	}
	return names
}
