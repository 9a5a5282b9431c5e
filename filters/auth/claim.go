package auth

import (
	"bytes"
	"io"
	"strings"

	"weir/filters/mime"
)

// Bounds of what one message may cost. The library copies a field for each of its lines, searches all fields for each
// one signed, and copies a run of empty lines again and again; so a small message could keep it busy for minutes.
const (
	maxSignatures = 8         // verified, the first ones
	maxHashed     = 64 << 20  // bytes hashed for all signatures together, beyond the first one's
	maxHeader     = 256 << 10 // bytes of the header
	maxCopied     = 64 << 20  // bytes copied to join the lines of fields
	maxSearched   = 1_000_000 // fields looked at to find those that are signed
	maxEmpty      = 64 << 10  // bytes of line ends in a row
	maxBegins     = 8         // characters of a signature that tell it apart
	piece         = 1 << 20
)

// claim is what a DKIM-Signature field says, as far as it is needed here (RFC 6376 §3.5).
type claim struct {
	domain    string // d=
	selector  string // s=
	algorithm string // a=
	begins    string // the first characters of b= (RFC 6008 §5)
	signed    int    // how many fields are named in h=
	partial   bool   // there is an l=
}

// claimsOf reads the signature fields in order.
func claimsOf(fields mime.Header) []claim {
	var all []claim
	for i := range fields {
		if strings.EqualFold(strings.TrimSpace(fields[i].Name), "DKIM-Signature") {
			all = append(all, claimOf(fields[i].Raw))
		}
	}
	return all
}

func claimOf(field string) claim {
	var c claim
	_, body, _ := strings.Cut(field, ":")
	for tag := range strings.SplitSeq(body, ";") {
		name, value, _ := strings.Cut(tag, "=")
		switch strings.TrimSpace(name) {
		case "d":
			c.domain = unspaced(value)
		case "s":
			c.selector = unspaced(value)
		case "a":
			c.algorithm = unspaced(value)
		case "b":
			b := unspaced(value)
			c.begins = b[:min(len(b), maxBegins)]
		case "h":
			c.signed += 1 + strings.Count(value, ":")
		case "l":
			c.partial = true
		}
	}
	return c
}

// affordable is how many signatures of a message of size bytes are verified.
func affordable(size int) int { return min(maxSignatures, 1+maxHashed/max(size, 1)) }

// tooCostly says why verifying claims over raw would take too long, or "" if it would not.
func tooCostly(raw []byte, claims []claim) string {
	header := raw
	for _, end := range []string{"\n\r\n", "\n\n"} {
		if i := bytes.Index(header[:min(len(header), maxHeader+len(end))], []byte(end)); i >= 0 {
			header = header[:i+1]
		}
	}
	if len(header) > maxHeader {
		return "the header is too long"
	}
	fields, size, copied := 0, 0, 0
	for line := range bytes.Lines(header) {
		if line[0] == ' ' || line[0] == '\t' {
			size += len(line)
			copied += size
		} else {
			size = len(line)
			fields++
		}
	}
	body := raw[len(header):]
	searched := 0
	for _, c := range claims[:min(len(claims), maxSignatures)] {
		searched += c.signed * fields
	}
	switch {
	case copied > maxCopied:
		return "a header field has too many lines"
	case searched > maxSearched:
		return "too many header fields are signed"
	case len(body) > maxEmpty && emptyRun(body) > maxEmpty:
		return "too many empty lines"
	}
	return ""
}

// emptyRun is the length of the longest run of line ends in body.
func emptyRun(body []byte) int {
	longest, run := 0, 0
	for _, c := range body {
		if c == '\r' || c == '\n' {
			run++
			longest = max(longest, run)
		} else {
			run = 0
		}
	}
	return longest
}

// source gives a message to the library, in large pieces and with two line ends more, because the library wants an
// empty line even if no body follows. Empty lines at the end of a body change no signature (RFC 6376 §3.4.3, §3.4.4).
// When stop is closed it ends early instead of failing: an error would leave goroutines of the library behind.
type source struct {
	rest    []byte
	stop    <-chan struct{}
	stopped bool
	ended   bool
}

const ending = "\r\n\r\n"

// WriteTo implements io.WriterTo, which the library's reader prefers.
func (s *source) WriteTo(w io.Writer) (int64, error) {
	var sum int64
	for {
		p := s.next(piece)
		if len(p) == 0 {
			return sum, nil
		}
		n, err := w.Write(p)
		sum += int64(n)
		if err != nil {
			return sum, err
		}
	}
}

// Read implements io.Reader.
func (s *source) Read(p []byte) (int, error) {
	next := s.next(len(p))
	if len(next) == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return copy(p, next), nil
}

// next returns at most n more bytes, none at the end.
func (s *source) next(n int) []byte {
	select {
	case <-s.stop:
		s.stopped, s.rest, s.ended = true, nil, true
	default:
	}
	if len(s.rest) == 0 && !s.ended {
		s.rest, s.ended = []byte(ending), true
	}
	p := s.rest[:min(n, len(s.rest))]
	s.rest = s.rest[len(p):]
	return p
}
