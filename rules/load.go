package rules

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"weir/rules/strict"
)

// Known maps each check that the program has to the symbols it may report, for `check:` rules and conditions. A nil
// Known takes any check and any of its symbols.
type Known map[string][]string

// maxFile bounds a file of rules, maxListFile the file of a list, in bytes.
const (
	maxFile     = 4 << 20
	maxListFile = 256 << 20
)

// Load reads file of fsys and all it includes, checked against now. The Set is nil if and only if the findings hold an
// error; then none of it is to be used.
func Load(fsys fs.FS, file string, known Known) (*Set, strict.Findings) {
	return Loader{FS: fsys, Known: known, Now: time.Now()}.Load(file)
}

// Loader is Load with a clock.
type Loader struct {
	FS    fs.FS
	Known Known
	Now   time.Time // for `until:`

	Newest bool // take the newest built-in rules, whatever release the files pin
}

// Load is like the function Load.
func (o Loader) Load(file string) (*Set, strict.Findings) {
	l := &loading{
		Loader:  o,
		digest:  sha256.New(),
		symbols: map[string]bool{},
		read:    map[string]bool{},
		set:     &Set{Symbols: map[string]*Symbol{}, Lists: map[string]*List{}},
	}
	l.file(file, strict.Value{})
	l.pinsSomething()
	l.build()
	l.set.Digest = "sha256:" + hex.EncodeToString(l.digest.Sum(nil))
	l.sort()
	if l.findings.Err() != nil {
		return nil, l.findings
	}
	return l.set, l.findings
}

// loading is one run of Load.
type loading struct {
	Loader
	set      *Set
	files    []*fileDoc // in order: an included file before the one that includes it
	findings strict.Findings
	digest   hash.Hash
	open     []string        // the files that are being included
	read     map[string]bool // the files that have been
	symbols  map[string]bool // all names that conditions may read
	used     map[string]bool // lists that something uses
	stated   []stated        // what the files say of thresholds, for each policy
	pinned   said[string]    // the release of the built-in rules that the files keep to
	defaults string          // the full name of the built-in rules that are included
}

// add keeps a finding, once. What is said of a value that could not even be read is not kept: it would speak of a value
// that nobody wrote.
func (l *loading) add(f strict.Finding) {
	follows := func(old strict.Finding) bool { return old == f || old.Src == f.Src && old.Code < codeVersion }
	if !slices.ContainsFunc(l.findings, follows) {
		l.findings = l.findings.With(f)
	}
}

// full reports whether there are so many findings that no more are kept.
func (l *loading) full() bool { return len(l.findings) > strict.MaxFindings }

// errorAt adds an error at v.
func (l *loading) errorAt(v strict.Value, code, format string, args ...any) {
	if !l.full() {
		l.add(v.Finding(code, format, args...))
	}
}

// hintAt adds an error at v with a hint.
func (l *loading) hintAt(v strict.Value, code, text, hint string) {
	if !l.full() {
		f := v.Finding(code, "%s", text)
		f.Hint = hint
		l.add(f)
	}
}

// warnAt adds a warning at v.
func (l *loading) warnAt(v strict.Value, code, text, hint string) {
	f := v.Finding(code, "%s", text)
	f.Severity, f.Hint = strict.Warning, hint
	l.add(f)
}

// sort puts the findings in the order of the files and their lines.
func (l *loading) sort() {
	order := func(f strict.Finding) int { return slices.Index(l.set.Files, f.Src.File) }
	slices.SortStableFunc(l.findings, func(a, b strict.Finding) int {
		return cmp.Or(cmp.Compare(order(a), order(b)), cmp.Compare(a.Src.Line, b.Src.Line), cmp.Compare(a.Src.Col, b.Src.Col))
	})
}

// file reads a file and, before its own contents, what it includes. from is where it is included, zero for the first.
func (l *loading) file(name string, from strict.Value) {
	l.set.Files = append(l.set.Files, name)
	l.read[name] = true
	data, err := l.contents(name, maxFile)
	if err != nil {
		l.unreadable(name, from, err)
		return
	}
	d, findings := strict.Parse(data, name)
	if d == nil {
		l.findings = append(l.findings, findings...)
		return
	}
	d.TakeLiterally()
	doc := &fileDoc{}
	for _, f := range d.Decode(doc) {
		l.findings = l.findings.With(f)
	}
	l.version(doc)
	l.pin(doc)
	l.open = append(l.open, name)
	for _, include := range doc.Include {
		if include.V != "" {
			l.include(name, include)
		}
	}
	l.open = l.open[:len(l.open)-1]
	l.files = append(l.files, doc)
}

func (l *loading) unreadable(name string, from strict.Value, err error) {
	if from.Said() {
		l.errorAt(from, codeInclude, "reading %s: %v", name, err)
		return
	}
	l.add(strict.Finding{Src: strict.Src{File: name}, Code: strict.CodeRead, Text: "reading the rules: " + err.Error()})
}

func (l *loading) version(doc *fileDoc) {
	switch {
	case !doc.Version.At.Said():
		l.hintAt(doc.Self, codeVersion, "the version of the language is missing", "begin the file with version: 1")
	case doc.Version.V != 1:
		l.errorAt(doc.Version.At, codeVersion, "version %s is not known; this program reads version 1", doc.Version.At.Quoted())
	}
}

func (l *loading) include(by string, include said[string]) {
	resolve := l.builtin
	if !strings.HasPrefix(include.V, builtinPrefix) {
		resolve = func(include said[string]) (string, bool) { return l.within(by, include) }
	}
	name, ok := resolve(include)
	if !ok {
		return
	}
	switch {
	case slices.Contains(l.open, name):
		l.errorAt(include.At, codeInclude, "%s includes itself: %s", name, strings.Join(append(l.open[slices.Index(l.open, name):], name), ", then "))
	case !l.read[name]:
		l.file(name, include.At)
	}
}

// within is the path of a file that the file by names, which must stay in the folder of the rules.
func (l *loading) within(by string, name said[string]) (string, bool) {
	joined := path.Join(path.Dir(by), name.V)
	if !strings.HasPrefix(by, builtinPrefix) && !path.IsAbs(name.V) && fs.ValidPath(joined) {
		return joined, true
	}
	l.hintAt(name.At, codeInclude, fmt.Sprintf("%s is outside the folder of the rules", name.At.Quoted()),
		"a path is relative to the file that says it, and stays in the folder of the rules")
	return "", false
}

// contents reads a file, at most limit bytes, and takes it into the digest.
func (l *loading) contents(name string, limit int64) ([]byte, error) {
	data, err := l.bytes(name, limit)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(l.digest, "%d %s %d\n", len(name), name, len(data))
	l.digest.Write(data)
	return data, nil
}

func (l *loading) bytes(name string, limit int64) ([]byte, error) {
	if text, ok := Builtin(name); ok {
		return []byte(text), nil
	}
	file, err := l.FS.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || info.IsDir() {
		return nil, fmt.Errorf("%s is not a file", name)
	}
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s is larger than %s", name, strict.Size(limit))
	}
	return data, nil
}

// build makes the set of what the files say. The order matters: what is read by name comes before what reads it.
func (l *loading) build() {
	l.used = map[string]bool{}
	for _, names := range l.Known {
		for _, name := range names {
			l.symbols[name] = true
		}
	}
	l.lists()
	for _, doc := range l.files {
		l.zones(doc)
		l.bulk(doc)
		l.auth(doc)
		l.outgoing(doc)
		l.rules(doc)
	}
	l.greylist()
	l.stop()
	l.caps()
	l.overrides()
	l.conditions()
	l.replyTexts()
	l.policies()
	l.hardZones()
	l.saved()
	for _, doc := range l.files {
		l.tests(doc)
	}
	l.reachable()
	l.unusedLists()
}
