// Package mime reads a message as mail programs do, in bounded time and memory, whatever its bytes are.
//
// It walks the structure itself, without copying: header fields in order and as written, parts as slices of the
// message, uuencoded files, messages inside. What mail programs are known to read differently is an Oddity, never an
// error: every message has a reading. Transfer encodings and the character sets of nearly all mail are decoded here;
// enmime decodes the others, one leaf part at a time, because on whole messages its time has no bound.
//
//	d := mime.Parse(raw)
//	for _, p := range d.Leaves() { … p.ContentType, p.Decoded() … }
//	v := d.Visible()                            // what a reader sees of it
package mime

import (
	"archive/zip"
	"bytes"
	"sync"

	"weir/filters/mime/file"
)

// Bounds of one message. Beyond them bytes stay readable as they are, and an Oddity says so.
const (
	maxDepth   = 20        // parts inside parts
	maxParts   = 500       // parts in all
	maxHeader  = 256 << 10 // bytes of one header
	maxFields  = 2000      // fields of one header
	maxWords   = 2000      // encoded words in all headers
	maxDecoded = 8 << 20   // bytes of one decoded part
)

// Document is the structure of one message. It does not change, and many goroutines may read it.
type Document struct {
	Root *Part // the message itself
	odd  oddities
}

// Part is one entity (RFC 2045 section 2.4): a message, a multipart or a leaf.
type Part struct {
	Fields      Header
	ContentType string // in lower case, without parameters; the default where none is declared
	Charset     string // as declared, in lower case
	Disposition string // "inline", "attachment", "" or what else was declared, in lower case
	Filename    string // decoded
	Encoding    string // the transfer encoding in lower case, "" if none is declared
	Raw         []byte // the body as in the message
	Preamble    []byte // of a multipart
	Epilogue    []byte // of a multipart
	Parts       []*Part

	params  params
	files   []*Part // uuencoded in Raw
	prose   []byte  // Raw without files; nil if there are none
	decoded func() []byte
	content func() Content
}

// Content is what a file is by its content.
type Content = file.Content

// FileKinds are the kinds of files that Content tells apart.
func FileKinds() []string { return file.Kinds }

// IsProgram reports whether files of a kind do something at a double click, or bring what does.
func IsProgram(kind string) bool { return file.IsProgram(kind) }

// Parse reads the structure of raw, with line ends CRLF or LF. The document keeps slices of raw, which must not change.
func Parse(raw []byte) *Document {
	d := &Document{}
	w := walker{raw: raw, odd: &d.odd}
	d.Root, _ = w.entity(0, typePlain)
	noteBytes(raw, &d.odd)
	return d
}

// Oddities are what is wrong or ambiguous in the structure, each name once, in the order found.
func (d *Document) Oddities() []Oddity { return d.odd.list }

// Leaves are the parts that hold no others, in order; uuencoded files follow the text they were found in.
func (d *Document) Leaves() []*Part { return d.Root.leaves(nil) }

func (p *Part) leaves(list []*Part) []*Part {
	if len(p.Parts) == 0 {
		return append(append(list, p), p.files...)
	}
	for _, child := range p.Parts {
		list = child.leaves(list)
	}
	return list
}

// Decoded is Raw without its transfer encoding: at most 8 MiB, decoded once, as far as it can be.
func (p *Part) Decoded() []byte { return p.decoded() }

// Content is what Decoded is, whatever it is called and declared; looked at once.
func (p *Part) Content() Content { return p.content() }

// Archive is the directory of p if it is a zip, as most office documents are too; false for others, and for one whose
// directory is out of measure.
func (p *Part) Archive() (*zip.Reader, bool) {
	if !bytes.HasPrefix(p.Decoded(), []byte("PK\x03\x04")) {
		return nil, false
	}
	return file.OpenZip(p.Decoded())
}

// IsFile reports whether p is offered as a file, by its name or its disposition.
func (p *Part) IsFile() bool { return p.Disposition == "attachment" || p.Filename != "" }

func (p *Part) decodeLater() {
	p.decoded = sync.OnceValue(func() []byte {
		data, _ := decodeTransfer(p.Raw, p.Encoding, maxDecoded)
		return data
	})
	p.content = sync.OnceValue(func() Content { return file.Look(p.Decoded()) })
}
