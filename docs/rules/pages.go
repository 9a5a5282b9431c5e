// Package pages holds a page for each code of a finding in rules: what it means, why it matters, and an example of
// what is wrong and what is right.
package pages

import (
	"embed"
	"strings"
)

//go:embed *.md
var files embed.FS

// Page returns the page of a code, in Markdown.
func Page(code string) (string, bool) {
	text, err := files.ReadFile(strings.ToUpper(code) + ".md")
	return string(text), err == nil
}
