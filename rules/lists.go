package rules

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/idna"

	"weir/rules/strict"
)

// ListType says what the entries of a List are.
type ListType uint8

// The types of lists.
const (
	Domains     ListType = iota // a domain stands for its subdomains as well
	Addresses                   // mail addresses; *@example.org stands for all of a domain
	Networks                    // IP addresses and networks
	Expressions                 // regular expressions, for the patterns of rules
)

var listTypeNames = []string{"domain", "address", "cidr", "regex"}

// String is the type's name in rules.
func (t ListType) String() string { return listTypeNames[t] }

// maxExpressions bounds a list of regular expressions. Each is compiled at every load.
const maxExpressions = 20_000

// List is a named set of domains, addresses, networks or expressions. Looking up costs the same however long it is.
type List struct {
	Name     string
	Type     ListType
	Src      strict.Src
	File     string              // the file of its entries, as Set.Files has it; "" for none
	Digest   string              // of the file
	names    map[string]struct{} // domains or addresses, folded; an entry *@domain is kept as @domain
	networks map[netip.Prefix]struct{}
	lengths  []int // of the networks, ascending: IPv4 as its length, IPv6 as 64 + its length

	expressions []string // each once; names holds them as well
}

// Len is the number of entries.
func (l *List) Len() int { return len(l.names) + len(l.networks) }

// HasDomain reports whether the list of domains holds d or a domain above it.
func (l *List) HasDomain(d string) bool {
	if l.Type != Domains {
		return false
	}
	for d = foldDomain(d); d != ""; {
		if _, listed := l.names[d]; listed {
			return true
		}
		_, d, _ = strings.Cut(d, ".")
	}
	return false
}

// HasAddress reports whether the list of addresses holds a, or the list of domains its domain.
func (l *List) HasAddress(a string) bool {
	a = foldAddress(a)
	at := strings.LastIndexByte(a, '@')
	if l.Type == Domains {
		return at >= 0 && l.HasDomain(a[at+1:])
	}
	if l.Type != Addresses {
		return false
	}
	_, listed := l.names[a]
	if !listed && at >= 0 {
		_, listed = l.names[a[at:]]
	}
	return listed
}

// HasIP reports whether a lies in a network of the list.
func (l *List) HasIP(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, length := range l.lengths {
		bits := length
		if a.Is6() {
			bits -= v6Lengths
		}
		p, err := a.Prefix(bits)
		if err != nil {
			continue
		}
		if _, listed := l.networks[p]; listed {
			return true
		}
	}
	return false
}

// v6Lengths is added to the lengths of IPv6 networks in List.lengths, beyond all of IPv4.
const v6Lengths = 64

// add puts an entry into the list.
func (l *List) add(entry string) error {
	switch l.Type {
	case Networks:
		p, err := strict.ParsePrefix(entry)
		if err != nil {
			return err
		}
		l.networks[p] = struct{}{}
		length := p.Bits()
		if p.Addr().Is6() {
			length += v6Lengths
		}
		if at, found := slices.BinarySearch(l.lengths, length); !found {
			l.lengths = slices.Insert(l.lengths, at, length)
		}
		return nil
	case Domains:
		d := foldDomain(strings.TrimPrefix(entry, "."))
		if !isDomain(d) {
			return fmt.Errorf("%q must be a domain like example.org", entry)
		}
		l.names[d] = struct{}{}
		return nil
	case Expressions:
		return l.addExpression(entry)
	}
	a := strings.TrimPrefix(foldAddress(entry), "*")
	local, domain, ok := cutAddress(a)
	if !ok || !isDomain(domain) || strings.ContainsAny(local, "* ") || local == "" && a == foldAddress(entry) {
		return fmt.Errorf("%q must be an address like ann@example.org, or *@example.org", entry)
	}
	l.names[a] = struct{}{}
	return nil
}

// addExpression puts an expression into the list, once.
func (l *List) addExpression(text string) error {
	if _, there := l.names[text]; there {
		return nil
	}
	if len(l.expressions) == maxExpressions {
		return fmt.Errorf("a list has at most %d expressions", maxExpressions)
	}
	if _, what, _ := wrongRegex(text); what != "" {
		return errors.New(what)
	}
	l.names[text] = struct{}{}
	l.expressions = append(l.expressions, text)
	return nil
}

func cutAddress(a string) (local, domain string, ok bool) {
	at := strings.LastIndexByte(a, '@')
	if at < 0 {
		return "", "", false
	}
	return a[:at], a[at+1:], true
}

// foldDomain is d in lower case without a final dot, an international one in its ASCII form.
func foldDomain(d string) string {
	d = strings.TrimSuffix(d, ".")
	if !isASCII(d) {
		if ascii, err := idna.Lookup.ToASCII(d); err == nil {
			return ascii
		}
	}
	return strings.ToLower(d)
}

// foldAddress is the address a in lower case, its domain folded as foldDomain does.
func foldAddress(a string) string {
	if local, domain, ok := cutAddress(a); ok && !isASCII(domain) {
		return strings.ToLower(local) + "@" + foldDomain(domain)
	}
	return strings.TrimSuffix(strings.ToLower(a), ".")
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// isDomain reports whether d, folded, could be the name of something in the DNS.
func isDomain(d string) bool {
	if d == "" || len(d) > 253 {
		return false
	}
	for label := range strings.SplitSeq(d, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}

// lists makes the lists of all files.
func (l *loading) lists() {
	for _, doc := range l.files {
		for _, e := range doc.Lists {
			l.checkName(said[string]{e.Key, e.At}, lowerName)
			if old := l.set.Lists[e.Key]; old != nil {
				l.defined(e.At, e.Key, old.Src)
				continue
			}
			if e.V == nil {
				l.errorAt(e.At, codeMissing, "the list %s says nothing", e.Key)
				e.V = &listDoc{}
			}
			l.set.Lists[e.Key] = l.list(e.Key, e.At, e.V)
		}
	}
}

func (l *loading) list(name string, at strict.Value, doc *listDoc) *List {
	list := &List{Name: name, Src: at.Src(), names: map[string]struct{}{}, networks: map[netip.Prefix]struct{}{}}
	if t := slices.Index(listTypeNames, doc.Type.V); t >= 0 {
		list.Type = ListType(t)
	} else if !doc.Type.At.Said() {
		l.missing(doc.Self, "type")
		return list
	} else {
		l.hintAt(doc.Type.At, codeList, fmt.Sprintf("a list of type %s is not known", doc.Type.At.Quoted()), strict.DidYouMean(doc.Type.V, listTypeNames))
		return list
	}
	if doc.Inline == nil && !doc.File.At.Said() && doc.Self.Said() && !doc.Self.Meant("inline", "file") {
		l.hintAt(doc.Self, codeMissing, fmt.Sprintf("the list %s has no entries", name), "give it `inline:` or `file:`")
	}
	for _, entry := range doc.Inline {
		if list.Type == Expressions && !l.regex(entry.At, entry.V, 0) {
			continue
		}
		if err := list.add(entry.V); err != nil && entry.V != "" {
			l.errorAt(entry.At, codeEntry, "%v", err)
		}
	}
	if doc.File.V != "" {
		l.listFile(list, doc.File)
	}
	return list
}

// listFile reads the entries of a list from a file: one a line, # begins a comment, and in an expression only where the
// line begins.
func (l *loading) listFile(list *List, file said[string]) {
	name, ok := l.within(file.At.Src().File, file)
	if !ok {
		return
	}
	data, err := l.contents(name, maxListFile)
	if err != nil {
		l.errorAt(file.At, strict.CodeRead, "reading the list %s: %v", list.Name, err)
		return
	}
	sum := sha256.Sum256(data)
	list.File, list.Digest = name, hex.EncodeToString(sum[:])
	if !slices.Contains(l.set.Files, name) {
		l.set.Files = append(l.set.Files, name)
	}
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		line = strings.TrimRight(line, "\r\n")
		entry, _, _ := strings.Cut(line, "#")
		if list.Type == Expressions && strings.TrimSpace(entry) != "" {
			entry = line
		}
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}
		if err := list.add(entry); err != nil {
			l.add(strict.Finding{Src: strict.Src{File: name, Line: number, Col: strings.Index(line, entry) + 1}, Code: codeEntry, Text: err.Error(), Line: line})
		}
	}
}

// listNamed finds the list that v refers to as list.NAME. It reports false, and says why, if it is none of the types.
func (l *loading) listNamed(v said[string], types ...ListType) (*List, bool) {
	name, ok := strings.CutPrefix(v.V, "list.")
	if !ok {
		l.hintAt(v.At, codeList, fmt.Sprintf("%s must name a list", v.At.Quoted()), "write list.NAME")
		return nil, false
	}
	list := l.set.Lists[name]
	if list == nil {
		l.hintAt(v.At, codeList, fmt.Sprintf("there is no list %q", name), strict.DidYouMean(name, slices.Sorted(maps.Keys(l.set.Lists))))
		return nil, false
	}
	l.used[name] = true
	if !slices.Contains(types, list.Type) {
		l.hintAt(v.At, codeList, fmt.Sprintf("%s is a list of type %s, which cannot be used here", v.V, list.Type), fmt.Sprintf("it must be of type %s", types[0]))
		return nil, false
	}
	return list, true
}

func (l *loading) unusedLists() {
	if l.findings.Err() != nil {
		return // what uses a list may be what is wrong
	}
	for _, doc := range l.files {
		for _, e := range doc.Lists {
			if !l.used[e.Key] {
				l.warnAt(e.At, codeUnused, fmt.Sprintf("nothing uses the list %s", e.Key), "drop it, or use it as list."+e.Key)
			}
		}
	}
}
