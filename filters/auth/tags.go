package auth

import (
	"errors"
	"regexp"
	"strings"
)

var tagName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)

var errTags = errors.New("the list of tags is malformed")

// tagsOf reads a list of name=value with semicolons between (RFC 6376 §3.2). Names are told apart by case; white space
// around names and values means nothing. A tag that stands twice makes the whole list wrong.
func tagsOf(text string) (map[string]string, error) {
	tags := map[string]string{}
	parts := strings.Split(text, ";")
	if len(parts) > 1 && strings.TrimSpace(parts[len(parts)-1]) == "" {
		parts = parts[:len(parts)-1]
	}
	for _, part := range parts {
		name, value, found := strings.Cut(part, "=")
		name = strings.TrimSpace(name)
		if _, twice := tags[name]; !found || twice || !tagName.MatchString(name) {
			return nil, errTags
		}
		tags[name] = strings.TrimSpace(value)
	}
	return tags, nil
}

// unspaced is text without white space, which means nothing in base64 and in lists of names.
func unspaced(text string) string { return strings.Join(strings.Fields(text), "") }
