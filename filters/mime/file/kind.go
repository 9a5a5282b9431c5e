package file

import (
	"bytes"
	"unicode/utf8"
)

// Kinds are the kinds that KindOf and Look know, each once.
var Kinds = []string{
	Program, "elf", "macho", "class", "lnk", "chm", "script",
	Zip, "jar", "apk", "docx", "xlsx", "pptx", "odf", "epub", "rar", "7z", Gzip, Tar, "bzip2", "xz", "zstd", "cab", "ace", "arj", "lzh",
	"iso", "vhd", "vhdx", Office, "onenote", "rtf", "pdf", "ps", HTML, drawing, "xml", "text",
	"jpeg", "png", "gif", "bmp", "tiff", "webp", "ico", "mp4", "mp3", "ogg", "wav", "avi", "flac",
}

// The kinds that this package does more with than name them.
const (
	Program = "exe" // a program of Windows or DOS, DLLs and screen savers included
	Zip     = "zip"
	Gzip    = "gzip"
	Tar     = "tar"
	Office  = "ole" // a compound file: documents of Office before 2007, and what Windows installs
	HTML    = "html"
	drawing = "svg"
)

// magic is a run of bytes that files of a kind have at a place.
type magic struct {
	kind  string
	at    int
	bytes string
}

// magics are tried in order.
var magics = []magic{
	{Program, 0, "MZ"}, {"elf", 0, "\x7fELF"},
	{"macho", 0, "\xfe\xed\xfa\xce"}, {"macho", 0, "\xfe\xed\xfa\xcf"}, {"macho", 0, "\xce\xfa\xed\xfe"}, {"macho", 0, "\xcf\xfa\xed\xfe"},
	{"class", 0, "\xca\xfe\xba\xbe"}, {"lnk", 0, "L\x00\x00\x00\x01\x14\x02\x00"}, {"chm", 0, "ITSF"}, {"script", 0, "#!"},
	{Zip, 0, "PK\x03\x04"}, {Zip, 0, "PK\x05\x06"}, {Zip, 0, "PK\x07\x08"}, {"rar", 0, "Rar!\x1a\x07"}, {"7z", 0, "7z\xbc\xaf\x27\x1c"}, {Gzip, 0, "\x1f\x8b\x08"},
	{"bzip2", 4, "1AY&SY"}, {"xz", 0, "\xfd7zXZ\x00"}, {"zstd", 0, "\x28\xb5\x2f\xfd"}, {"cab", 0, "MSCF"}, {"ace", 7, "**ACE**"},
	{"arj", 0, "\x60\xea"}, {"lzh", 2, "-lh"}, {Tar, 257, "ustar"},
	{"iso", 0x8001, "CD001"}, {"vhd", 0, "conectix"}, {"vhdx", 0, "vhdxfile"},
	{Office, 0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"}, {"onenote", 0, "\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3"},
	{"rtf", 0, `{\rt`}, {"ps", 0, "%!PS"},
	{"jpeg", 0, "\xff\xd8\xff"}, {"png", 0, "\x89PNG\r\n\x1a\n"}, {"gif", 0, "GIF8"}, {"tiff", 0, "II*\x00"}, {"tiff", 0, "MM\x00*"},
	{"webp", 8, "WEBP"}, {"ico", 0, "\x00\x00\x01\x00"}, {"mp4", 4, "ftyp"}, {"mp3", 0, "ID3\x03"}, {"mp3", 0, "ID3\x04"}, {"mp3", 0, "\xff\xfb"}, {"ogg", 0, "OggS"},
	{"wav", 8, "WAVE"}, {"avi", 8, "AVI "}, {"flac", 0, "fLaC"},
}

// opening is how far into a file it is looked for what readers look for not only at the very beginning, in bytes.
const opening = 1024

// KindOf is what a file is by its first bytes, whatever it is called: one of Kinds, "" if it is none of them.
func KindOf(data []byte) string {
	for _, m := range magics {
		if len(data) >= m.at && bytes.HasPrefix(data[m.at:], []byte(m.bytes)) && (m.kind != Program || isHeader(data)) {
			return m.kind
		}
	}
	head := data[:min(len(data), opening)]
	switch {
	case bytes.Contains(head, []byte("%PDF-")): // readers search for it
		return "pdf"
	case bytes.HasPrefix(head, []byte("BM")) && len(head) > 14 && bytes.Equal(head[6:10], make([]byte, 4)):
		return "bmp"
	case len(head) == 0 || bytes.IndexByte(head, 0) >= 0 && !isWide(head):
		return ""
	}
	return kindOfText(head)
}

// IsProgram reports whether files of a kind do something at a double click, or bring what does.
func IsProgram(kind string) bool {
	switch kind {
	case Program, "elf", "macho", "class", "jar", "apk", "lnk", "chm", "script", "iso", "vhd", "vhdx":
		return true
	}
	return false
}

// isHeader reports whether what begins as a program goes on as one and not as a text.
func isHeader(data []byte) bool {
	const size = 64 // bytes of a DOS header
	return len(data) >= size && bytes.IndexByte(data[:size], 0) >= 0
}

// isWide reports whether a text says by its first bytes that it is UTF-16.
func isWide(head []byte) bool {
	return bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff"))
}

// kindOfText tells pages, drawings and other texts apart by their first mark. Blanks before it are let be.
func kindOfText(head []byte) string {
	text := bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	if isWide(head) {
		text = bytes.ReplaceAll(head[2:], []byte{0}, nil)
	}
	lower := bytes.ToLower(bytes.TrimLeft(text, " \t\r\n"))
	if bytes.HasPrefix(lower, []byte("<")) {
		if bytes.Contains(lower, []byte("<svg")) && !bytes.Contains(lower, []byte("<html")) {
			return drawing
		}
		for _, mark := range []string{"<!doctype html", "<html", "<head", "<body", "<script", "<iframe", "<form", "<meta", "<table", "<div"} {
			if bytes.Contains(lower, []byte(mark)) {
				return HTML
			}
		}
		if bytes.HasPrefix(lower, []byte("<?xml")) {
			return "xml"
		}
	}
	if isWide(head) || isUTF8(head) {
		return "text"
	}
	return ""
}

// isUTF8 reports whether head is UTF-8, but for a last letter that may be cut off.
func isUTF8(head []byte) bool {
	for cut := range utf8.UTFMax {
		if len(head) >= cut && utf8.Valid(head[:len(head)-cut]) {
			return true
		}
		if len(head) < opening {
			return false
		}
	}
	return false
}
