package bulk

import (
	"archive/zip"
	"bytes"
	"cmp"
	"slices"
	"strings"

	"weir/filters"
	"weir/filters/mime"
)

// Bounds of the files whose digests are taken.
const (
	mostFiles = 8
	leastFile = 4 << 10   // bytes of a file that is evidence: below are cards, signatures and receipts
	mostSum   = 512 << 10 // bytes of it that are read, the first
	mostZip   = 256       // members of an archive that are looked at
)

// attachments adds to p the digests of m's files, and the looks of its pictures if there is hardly any text.
func (x *reader) attachments(m filters.Mail, p *print) {
	pictures := 0
	for _, part := range m.Message.Parts() {
		isPicture := strings.HasPrefix(part.ContentType, "image/")
		if !isPicture && !isPaper(part) || len(p.files) >= mostFiles {
			continue
		}
		data := part.Decoded()
		digest := x.digest(part)
		p.files = append(p.files, digest)
		switch {
		case !isPicture && len(data) >= leastFile:
			p.papers = append(p.papers, x.hasher.Pair(digest, uint64(len("file"))))
		case isPicture && p.words < fewWords && pictures < mostLooks:
			pictures++
			for _, l := range looksOf(data) {
				p.looks = append(p.looks, look{l, digest})
			}
		}
	}
}

// isPaper reports whether a part is a file that stands for itself: not a text, a card, an invitation or a signature.
func isPaper(p *mime.Part) bool {
	kind, sub, _ := strings.Cut(p.ContentType, "/")
	switch {
	case kind == "multipart", kind == "message", kind == "text" && p.Disposition != "attachment":
		return false
	}
	for _, not := range []string{"vcard", "calendar", "ics", "signature", "pkcs7", "pgp", "ms-tnef"} {
		if strings.Contains(sub, not) {
			return false
		}
	}
	return true
}

// digest is the hash of a file without what programs write anew into each copy: of an archive, which most office
// documents are, its members; of a PDF, all but its dates and identifiers.
func (x *reader) digest(p *mime.Part) uint64 {
	if r, ok := p.Archive(); ok && len(r.File) > 0 && len(r.File) <= mostZip {
		return x.members(r.File)
	}
	data := p.Decoded()
	data = data[:min(len(data), mostSum)]
	if bytes.HasPrefix(data, []byte("%PDF-")) {
		data = lasting(data)
		if end := bytes.LastIndex(data, []byte("%%EOF")); end > 0 {
			data = data[:end]
		}
	}
	return x.hasher.Sum(data)
}

// lasting returns a PDF without what differs in two copies of it that are written by one program.
func lasting(pdf []byte) []byte {
	const longest = 200 // bytes of a value
	kept := make([]byte, 0, len(pdf))
	for _, mark := range []struct{ name, end string }{{"/CreationDate", ")"}, {"/ModDate", ")"}, {"/ID", "]"}} {
		for {
			i := bytes.Index(pdf, []byte(mark.name))
			if i < 0 {
				break
			}
			kept = append(kept, pdf[:i]...)
			pdf = pdf[i+len(mark.name):]
			if end := bytes.Index(pdf[:min(len(pdf), longest)], []byte(mark.end)); end >= 0 {
				pdf = pdf[end:]
			}
		}
		pdf, kept = append(kept, pdf...), make([]byte, 0, len(pdf)+len(kept))
	}
	return pdf
}

// members is a hash of the sizes and checksums of the files in an archive, whatever they are called and in any order.
func (x *reader) members(files []*zip.File) uint64 {
	slices.SortFunc(files, func(a, b *zip.File) int {
		return cmp.Or(cmp.Compare(a.CRC32, b.CRC32), cmp.Compare(a.UncompressedSize64, b.UncompressedSize64))
	})
	sum := uint64(len(files))
	for _, f := range files {
		if strings.HasPrefix(f.Name, "docProps/") || f.Name == "meta.xml" { // dates and authors
			continue
		}
		sum = x.hasher.Pair(sum, x.hasher.Pair(uint64(f.CRC32), f.UncompressedSize64))
	}
	return sum
}
