package rules

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// Sought maps each symbol that a message is looked at for to a short digest of how: its pattern, zone or window. A
// symbol of two sets with the same digest holds for the same messages under both. Symbols that follow from others or
// from what is proven (`when:`, bulk.exempt) are not in it, nor are those of checks that the rules do not describe.
func (s *Set) Sought() map[string]string {
	sought := map[string]string{}
	for _, p := range s.Patterns {
		sought[p.Symbol] = digest(p)
	}
	for _, z := range s.Zones {
		answers := z.Answers
		z.Answers, z.Src, z.Display, z.Hard = nil, Src{}, "", false
		for _, a := range answers {
			sought[a.Symbol] = digest([]any{z, a})
		}
	}
	for _, w := range s.Bulk.Windows {
		sought[w.Symbol] = digest(w)
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

// ReadsFeatures reports whether the condition reads more than symbols.
func (c *Condition) ReadsFeatures() bool { return len(c.features) > 0 }
