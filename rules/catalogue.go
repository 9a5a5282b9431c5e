package rules

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"weir/rules/strict"
)

// catalogueName is the place of the catalogue in messages.
const catalogueName = builtinPrefix + "catalogue"

//go:embed catalogue.yaml
var catalogueText []byte

// Listing is a DNS list that a zone can name by `use:`.
type Listing struct {
	Name    string        `json:"name"`
	About   string        `json:"about"`
	Terms   string        `json:"terms"`
	ID      string        `json:"id"`
	Zone    string        `json:"zone,omitempty"`  // "" if it is asked with a key only
	Keyed   string        `json:"keyed,omitempty"` // the zone below a key, "" if there are no keys
	Ask     []string      `json:"ask"`
	Answers []ListingCode `json:"answers"`
}

// ListingCode is one meaning of a list's answers.
type ListingCode struct {
	ID    string `json:"id"`
	Is    string `json:"is"`
	Score Points `json:"score"`
	About string `json:"about"`
}

// catalogueDoc is the catalogue as it is written.
type catalogueDoc struct {
	Version said[int]    `yaml:"version"`
	Lists   []listingDoc `yaml:"lists"`
}

type listingDoc struct {
	Name  said[string] `yaml:"name"`
	About said[string] `yaml:"about"`
	Terms said[string] `yaml:"terms"`
	Keyed said[string] `yaml:"keyed"`
	Zone  zoneDoc      `yaml:",inline"`
}

// catalogue reads the catalogue. A test sees to it that it holds no errors.
func catalogue() ([]listingDoc, strict.Findings) {
	d, findings := strict.Parse(catalogueText, catalogueName)
	if d == nil {
		return nil, findings
	}
	var doc catalogueDoc
	findings = d.Decode(&doc)
	return doc.Lists, findings
}

// Catalogue is all lists of the catalogue.
func Catalogue() []Listing {
	docs, _ := catalogue()
	var all []Listing
	for _, doc := range docs {
		l := Listing{Name: doc.Name.V, About: doc.About.V, Terms: doc.Terms.V, ID: doc.Zone.ID.V, Zone: doc.Zone.Zone.V.Text,
			Keyed: doc.Keyed.V, Ask: texts(doc.Zone.Ask)}
		for _, a := range doc.Zone.Answers {
			l.Answers = append(l.Answers, ListingCode{ID: a.ID.V, Is: a.Match.text(), Score: a.Score.V, About: a.About.V})
		}
		all = append(all, l)
	}
	return all
}

// text is the match as it is written.
func (doc matchDoc) text() string {
	parts := []string{strings.Join(texts(doc.Is), ", ")}
	for i, octet := range [...]said[int]{doc.Octet1, doc.Octet2, doc.Octet3, doc.Octet4} {
		if octet.At.Said() {
			parts = append(parts, fmt.Sprintf("octet%d %d", i+1, octet.V))
		}
	}
	if doc.Bits.At.Said() {
		parts = append(parts, fmt.Sprintf("bits %d", doc.Bits.V))
	}
	return strings.TrimSpace(strings.Join(parts, " "))
}

// fromCatalogue is a zone that names a list of the catalogue: what the zone says, over what the catalogue says.
func (l *loading) fromCatalogue(doc zoneDoc) (zoneDoc, bool) {
	lists, findings := catalogue()
	for _, f := range findings {
		l.add(f)
	}
	i := slices.IndexFunc(lists, func(c listingDoc) bool { return c.Name.V == doc.Use.V })
	if i < 0 {
		var names []string
		for _, c := range lists {
			names = append(names, c.Name.V)
		}
		hint := strict.DidYouMean(doc.Use.V, names)
		if strict.Nearest(doc.Use.V, names) == "" {
			hint = "`weir dns catalogue` prints the lists"
		}
		l.hintAt(doc.Use.At, codeUse, fmt.Sprintf("the catalogue has no list %s", doc.Use.At.Quoted()), hint)
		return doc, false
	}
	if !l.read[catalogueName] {
		l.read[catalogueName] = true
		fmt.Fprintf(l.digest, "%d %s %d\n", len(catalogueName), catalogueName, len(catalogueText))
		l.digest.Write(catalogueText)
	}
	z, ok := lists[i].Zone, true
	if doc.Key.At.Said() || !z.Zone.At.Said() && !doc.Zone.At.Said() {
		z.Zone, ok = l.keyed(doc, lists[i])
	}
	return z.over(doc), ok
}

// keyed is the name of a list's zone below the key that doc gives.
func (l *loading) keyed(doc zoneDoc, list listingDoc) (said[strict.SecretText], bool) {
	none := said[strict.SecretText]{}
	switch {
	case !doc.Key.At.Said():
		l.hintAt(doc.Use.At, codeUse, fmt.Sprintf("the list %s needs a key", list.Name.V), "write the key to a file and add `key: ${file:/etc/weir/dqs.key}`")
	case list.Keyed.V == "":
		l.errorAt(doc.Key.At, codeUse, "the list %s has no keys", list.Name.V)
	case !doc.Key.At.IsSecret():
		l.keyShown(doc.Key.At, "a key must not stand in the rules", "write it to a file and `key: ${file:/etc/weir/dqs.key}`")
	case doc.Key.V.Text == "": // reported when it was read
	default:
		return said[strict.SecretText]{strict.SecretText{Text: doc.Key.V.Text + "." + list.Keyed.V, Display: list.Keyed.V}, doc.Key.At}, true
	}
	return none, false
}

// keyShown reports a key, and does not show the line that it stands in.
func (l *loading) keyShown(key strict.Value, text, hint string) {
	f := key.Finding(codeUse, "%s", text)
	f.Hint, f.Line = hint, ""
	l.add(f)
}

// over is what is said in with, else in base.
func over[T any](base, with said[T]) said[T] {
	if with.At.Said() {
		return with
	}
	return base
}

func overMany[T any](base, with oneOrMany[T]) oneOrMany[T] {
	if len(with) > 0 {
		return with
	}
	return base
}

// over is the zone doc of the catalogue with what the rules say of it.
func (doc zoneDoc) over(with zoneDoc) zoneDoc {
	doc.Self = with.Self
	doc.ID.At = with.Use.At
	doc.ID = over(doc.ID, with.ID)
	doc.Zone = over(doc.Zone, with.Zone)
	doc.Ask = overMany(doc.Ask, with.Ask)
	doc.Mode = over(doc.Mode, with.Mode)
	doc.Public = over(doc.Public, with.Public)
	doc.Combine = over(doc.Combine, with.Combine)
	doc.How.Host = over(doc.How.Host, with.How.Host)
	doc.How.Hash = over(doc.How.Hash, with.How.Hash)
	doc.How.Literals = over(doc.How.Literals, with.How.Literals)
	doc.How.AllowLoopback = over(doc.How.AllowLoopback, with.How.AllowLoopback)
	doc.How.For = overMany(doc.How.For, with.How.For)
	doc.How.V6Bits = over(doc.How.V6Bits, with.How.V6Bits)
	if with.How.Test.Listed != nil || with.How.Test.Unlisted != nil {
		doc.How.Test = with.How.Test
	}
	doc.Answers = slices.Clone(doc.Answers)
	for _, a := range with.Answers {
		if i := slices.IndexFunc(doc.Answers, func(old answerDoc) bool { return old.ID.V == a.ID.V }); i >= 0 && a.ID.V != "" {
			doc.Answers[i] = doc.Answers[i].over(a)
		} else {
			doc.Answers = append(doc.Answers, a)
		}
	}
	doc.Errors = slices.Concat(doc.Errors, with.Errors)
	return doc
}

// over is the answer of the catalogue with what the rules say of it.
func (doc answerDoc) over(with answerDoc) answerDoc {
	doc.Self, doc.ID = with.Self, with.ID
	doc.About = over(doc.About, with.About)
	doc.Ask = overMany(doc.Ask, with.Ask)
	doc.Score = over(doc.Score, with.Score)
	doc.Mode = over(doc.Mode, with.Mode)
	doc.Public = over(doc.Public, with.Public)
	if with.Match.text() != "" {
		doc.Match = with.Match
	}
	return doc
}
