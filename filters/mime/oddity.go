package mime

import (
	"bytes"
	"fmt"
)

// Oddity is something that mail programs read in different ways, or that no ordinary program writes.
type Oddity struct {
	Name   string // one of OddityNames
	Detail string // for the operator
}

// The oddities.
const (
	OddDepth         = "MIME_DEPTH"             // parts inside parts beyond the bound
	OddParts         = "MIME_PARTS"             // more parts than the bound
	OddHeaderSize    = "MIME_HEADER_SIZE"       // a header, or its number of fields, beyond the bound
	OddNoHeader      = "MIME_NO_HEADER"         // the message begins with its body
	OddHeaderLine    = "MIME_BAD_HEADER_LINE"   // a line of a header that is no field
	OddHeader8Bit    = "MIME_HEADER_8BIT"       // bytes beyond ASCII in a header that are not UTF-8
	OddHeaderNUL     = "MIME_HEADER_NUL"        // NUL in a header
	OddNUL           = "MIME_NUL"               // NUL in a text that declares no binary encoding
	OddBareCR        = "MIME_BARE_CR"           // CR without LF
	OddBareLF        = "MIME_BARE_LF"           // LF without CR beside lines with both
	OddType          = "MIME_BAD_TYPE"          // a Content-Type that is none
	OddTwoTypes      = "MIME_TWO_TYPES"         // Content-Type twice and different
	OddTwoEncodings  = "MIME_TWO_ENCODINGS"     // Content-Transfer-Encoding twice and different
	OddEncoding      = "MIME_BAD_ENCODING"      // an unknown Content-Transfer-Encoding
	OddEncodedParts  = "MIME_ENCODED_MULTIPART" // parts hidden in an encoding that RFC 2045 section 6.4 forbids
	OddTwoBoundaries = "MIME_TWO_BOUNDARIES"    // boundary twice and different
	OddNoBoundary    = "MIME_NO_BOUNDARY"       // a multipart without a boundary
	OddBoundary      = "MIME_BAD_BOUNDARY"      // a boundary that never comes
	OddBoundaryTail  = "MIME_BOUNDARY_TAIL"     // text on the line of a boundary
	OddUnclosed      = "MIME_UNCLOSED"          // a multipart without end
	OddAfterEnd      = "MIME_PARTS_AFTER_END"   // parts behind the end of a multipart
	OddParameters    = "MIME_PARAMETERS"        // parameters without number, or in pieces that do not fit
	OddBase64        = "MIME_BAD_BASE64"        // base64 text with foreign bytes in it
	OddCharset       = "MIME_BAD_CHARSET"       // an unknown character set
	OddCharsetLie    = "MIME_WRONG_CHARSET"     // text that is plainly in another character set than declared
	OddUuencode      = "MIME_UUENCODE"          // a uuencoded file in a text
	OddHTMLDepth     = "MIME_HTML_DEPTH"        // HTML elements inside elements beyond the bound
	OddTextSize      = "MIME_TEXT_SIZE"         // more text than is looked at
)

// OddityNames are all names that an Oddity may have.
var OddityNames = []string{
	OddDepth, OddParts, OddHeaderSize, OddNoHeader, OddHeaderLine, OddHeader8Bit, OddHeaderNUL, OddNUL, OddBareCR, OddBareLF,
	OddType, OddTwoTypes, OddTwoEncodings, OddEncoding, OddEncodedParts, OddTwoBoundaries, OddNoBoundary, OddBoundary,
	OddBoundaryTail, OddUnclosed, OddAfterEnd, OddParameters, OddBase64, OddCharset, OddCharsetLie, OddUuencode, OddHTMLDepth,
	OddTextSize,
}

// oddities keeps the first of each name.
type oddities struct{ list []Oddity }

// note records name, with a detail made as by fmt.Sprintf.
func (o *oddities) note(name, format string, args ...any) {
	for i := range o.list {
		if o.list[i].Name == name {
			return
		}
	}
	o.list = append(o.list, Oddity{Name: name, Detail: fmt.Sprintf(format, args...)})
}

// noteBytes reports line ends that are not CRLF, unless LF is the message's line end.
func noteBytes(raw []byte, odd *oddities) {
	cr := bytes.Count(raw, []byte{'\r'})
	if cr == 0 {
		return
	}
	pairs := bytes.Count(raw, []byte("\r\n"))
	if cr > pairs {
		odd.note(OddBareCR, "%d", cr-pairs)
	}
	if lf := bytes.Count(raw, []byte{'\n'}); lf > pairs && pairs > 0 {
		odd.note(OddBareLF, "%d of %d lines", lf-pairs, lf)
	}
}
