// Package file says what a file is by its content, whatever it is called: its kind, the names in an archive, whether it
// is encrypted, whether it carries macros. It looks at names and first bytes; nothing is unpacked beyond fixed bounds, and
// every file has an answer.
//
//	c := file.Look(data)
//	c.Kind, c.Members, c.Encrypted, c.Macros
package file

import (
	"bytes"
	"path"
	"slices"
	"strings"
)

// Bounds of looking at one file.
const (
	MaxMembers  = 1000    // names kept, those in inner archives included
	maxUnpacked = 4 << 20 // bytes unpacked in all
	maxRatio    = 200     // times its packed size that one member is unpacked
	maxDirEntry = 10000   // members of a zip whose directory is read; of a larger one, names are taken as they come
	maxNameSize = 1024    // bytes of a name
	maxPage     = 1 << 20 // bytes of a page that are searched
	maxOpened   = 2       // archives in each other that are opened
)

// Content is what is found in a file.
type Content struct {
	Kind      string // one of Kinds, "" for none
	Members   []Member
	Encrypted bool // it, or something in it, cannot be read without a password
	Macros    bool // it is a document of Office that carries programs
	Active    bool // it is a page or drawing with a form or a script
	More      bool // it holds more than was looked at, or what it holds cannot be read
}

// Member is a file in an archive.
type Member struct {
	Name string // with its folders, "/" between them; in an inner archive after that one's name
	Kind string // by its first bytes, "" if it is none of Kinds or was not looked at
}

// IsProgram reports whether it is a program, or an archive of one, by content.
func (c *Content) IsProgram() bool {
	return IsProgram(c.Kind) || slices.ContainsFunc(c.Members, func(m Member) bool { return IsProgram(m.Kind) })
}

// Look looks at a file. It takes time and memory in proportion to data and to fixed bounds. Any bytes are allowed.
func Look(data []byte) Content {
	l := look{budget: maxUnpacked}
	l.Kind = l.file(data, "", 0)
	return l.Content
}

// look is one run of Look, and what it has found so far.
type look struct {
	Content
	budget int64 // bytes that may still be unpacked
}

// file looks at one file, inside depth others, whose members are called by prefix, and returns its kind.
func (l *look) file(data []byte, prefix string, depth int) string {
	kind := KindOf(data)
	before := len(l.Members)
	switch kind {
	case Zip:
		l.zip(data, prefix, depth)
		return kindOfZip(l.Members[before:], prefix)
	case Gzip:
		l.gzip(data, prefix, depth)
	case Tar:
		l.tar(bytes.NewReader(data), prefix, depth)
	case Office:
		l.Macros = l.Macros || bytes.Contains(data, wide("_VBA_PROJECT")) || bytes.Contains(data, wide("_xlm"))
		l.Encrypted = l.Encrypted || bytes.Contains(data, wide("EncryptedPackage"))
	case HTML, drawing:
		l.Active = l.Active || isActive(data)
	}
	return kind
}

// isActive reports whether a page has a form or a script, or an address that is a script.
func isActive(page []byte) bool {
	page = page[:min(len(page), maxPage)]
	if isWide(page) {
		page = bytes.ReplaceAll(page, []byte{0}, nil)
	}
	lower := bytes.ToLower(page)
	return slices.ContainsFunc([]string{"<form", "<script", "javascript:", " onload="}, func(mark string) bool {
		return bytes.Contains(lower, []byte(mark))
	})
}

// wide is s as compound files write names.
func wide(s string) []byte {
	b := make([]byte, 0, 2*len(s))
	for _, c := range []byte(s) {
		b = append(b, c, 0)
	}
	return b
}

// add keeps a member. It reports false if there are enough.
func (l *look) add(prefix, name, kind string) bool {
	if len(l.Members) >= MaxMembers {
		l.More = true
		return false
	}
	name = strings.ToValidUTF8(name[:min(len(name), maxNameSize)], "\uFFFD")
	name = strings.ReplaceAll(name, `\`, "/")
	if base := strings.ToLower(path.Base(name)); base == "vbaproject.bin" || strings.Contains(strings.ToLower(name), "xl/macrosheets/") {
		l.Macros = true
	}
	l.Members = append(l.Members, Member{prefix + name, kind})
	return true
}

// kindOfZip tells what kind of zip has these members: much comes in one.
func kindOfZip(members []Member, prefix string) string {
	has := func(name string) bool {
		return slices.ContainsFunc(members, func(m Member) bool { return strings.HasPrefix(m.Name[len(prefix):], name) })
	}
	switch {
	case has("[Content_Types].xml") && has("word/"):
		return "docx"
	case has("[Content_Types].xml") && has("xl/"):
		return "xlsx"
	case has("[Content_Types].xml") && has("ppt/"):
		return "pptx"
	case has("AndroidManifest.xml"):
		return "apk"
	case has("META-INF/container.xml"):
		return "epub"
	case has("META-INF/MANIFEST.MF"):
		return "jar"
	case has("mimetype") && has("content.xml"):
		return "odf"
	}
	return Zip
}
