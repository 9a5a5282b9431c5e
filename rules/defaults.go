package rules

import (
	"embed"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"weir/rules/strict"
)

const (
	builtinPrefix = "builtin:"
	builtinName   = builtinPrefix + "defaults"
	atRelease     = builtinName + "@"
)

//go:embed defaults.yaml
var builtinText string

// released are the built-in rules as they once were, a file each. What is here never changes and never goes.
//
//go:embed defaults/*.yaml
var released embed.FS

// Builtin returns the text of a file of rules in the binary: "builtin:defaults" is the newest, "builtin:defaults@2026.1"
// what was released under that number.
func Builtin(name string) (string, bool) {
	if name == builtinName {
		return builtinText, true
	}
	release, ok := strings.CutPrefix(name, atRelease)
	if !ok || !slices.Contains(Releases(), release) {
		return "", false
	}
	text, err := released.ReadFile(path.Join("defaults", release+".yaml"))
	return string(text), err == nil
}

// Releases are the releases of the built-in rules that can be pinned, the oldest first.
func Releases() []string {
	files, err := released.ReadDir("defaults")
	if err != nil {
		panic("the released rules are not in the binary: " + err.Error())
	}
	var all []string
	for _, f := range files {
		all = append(all, strings.TrimSuffix(f.Name(), ".yaml"))
	}
	slices.SortFunc(all, func(a, b string) int { return slices.Compare(releaseNumbers(a), releaseNumbers(b)) })
	return all
}

// releaseNumbers are the year and the number of a release: 2026.10 comes after 2026.9.
func releaseNumbers(release string) []int {
	var numbers []int
	for part := range strings.SplitSeq(release, ".") {
		n, _ := strconv.Atoi(part)
		numbers = append(numbers, n)
	}
	return numbers
}

// Pinned is the release of the built-in rules that s keeps to, "" if it takes the newest or none.
func (s *Set) Pinned() string {
	for _, name := range s.Files {
		if release, ok := strings.CutPrefix(name, atRelease); ok {
			return release
		}
	}
	return ""
}

// pin reads which release of the built-in rules the files keep to, before any of them is included.
func (l *loading) pin(doc *fileDoc) {
	switch release := doc.Defaults; {
	case release.V == "":
	case len(l.open) > 0:
		l.hintAt(release.At, codeInclude, "an included file cannot choose the release of the built-in rules", "say it in the file that includes this one")
	case !slices.Contains(Releases(), release.V):
		l.unknownRelease(release.At, release.V)
	default:
		l.pinned = release
	}
}

func (l *loading) unknownRelease(at strict.Value, release string) {
	l.hintAt(at, codeInclude, fmt.Sprintf("the program has no release %q of the built-in rules", release), strict.DidYouMean(release, Releases()))
}

// builtin is the full name of the built-in rules that a file includes. It reports false, and says why, if there are
// none, or if others are in force.
func (l *loading) builtin(include said[string]) (name string, ok bool) {
	name = include.V
	release, named := strings.CutPrefix(name, atRelease)
	_, known := Builtin(name)
	switch {
	case named && !known:
		l.unknownRelease(include.At, release)
		return "", false
	case !known:
		l.hintAt(include.At, codeInclude, fmt.Sprintf("there is no %s in the program", include.At.Quoted()), "there is "+builtinName)
		return "", false
	case l.Newest:
		name = builtinName
	case !named && l.pinned.V != "":
		name = atRelease + l.pinned.V
	}
	if l.defaults == "" {
		l.defaults = name
	}
	if l.defaults != name {
		l.hintAt(include.At, codeInclude, fmt.Sprintf("%s is included already, and cannot be mixed with %s", l.defaults, name), "include one of them")
	}
	return name, l.defaults == name
}

// pinsSomething reports a pin that holds nothing.
func (l *loading) pinsSomething() {
	if l.pinned.V != "" && !l.Newest && l.defaults != atRelease+l.pinned.V {
		l.hintAt(l.pinned.At, codeInclude, "nothing includes the built-in rules that this pins", "write include: ["+builtinName+"]")
	}
}
