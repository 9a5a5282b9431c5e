package proxy

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxCommand is the longest command line taken, CRLF included: that of RFC 5321 4.5.3.1.4 with what the extensions
// offered may add, with room.
const maxCommand = 4096

// maxAuth is the longest AUTH command and line of its exchange, CRLF included (RFC 4954 4).
const maxAuth = 12288

// maxOriginal is the longest ORCPT (RFC 3461 4.2).
const maxOriginal = 500

// command is one command line of a client.
type command struct {
	verb   string // in capitals
	arg    string
	path   path     // of MAIL and RCPT
	params []string // of MAIL and RCPT, as written
}

// readCommand takes a line without its CRLF apart. A line that is not printable text is not a command.
func readCommand(line string) (command, bool) {
	if !utf8.ValidString(line) {
		return command{}, false
	}
	for i := range len(line) {
		if c := line[i]; c < ' ' && c != '\t' || c == 0x7f {
			return command{}, false
		}
	}
	verb, arg, _ := strings.Cut(strings.TrimRight(line, " \t"), " ")
	return command{verb: strings.ToUpper(verb), arg: strings.Trim(arg, " \t")}, isASCII(verb)
}

// isForeign reports whether the command belongs to another protocol: a browser's form or a header that has lost its
// way. None of the verbs of SMTP has a colon.
func (c command) isForeign() bool {
	switch c.verb {
	case "GET", "POST", "PUT", "HEAD", "CONNECT", "OPTIONS", "DELETE", "TRACE", "PATCH":
		return true
	}
	return strings.HasSuffix(c.verb, ":") || strings.HasPrefix(c.verb, "HTTP/")
}

// readPath takes the argument of MAIL (keyword FROM) or RCPT (keyword TO) apart.
func (c *command) readPath(keyword string) error {
	if len(c.arg) <= len(keyword) || !strings.EqualFold(c.arg[:len(keyword)], keyword) || c.arg[len(keyword)] != ':' {
		return errPath
	}
	p, rest, err := parsePath(strings.TrimLeft(c.arg[len(keyword)+1:], " \t"))
	if err != nil {
		return err
	}
	if rest != "" && rest[0] != ' ' && rest[0] != '\t' {
		return errPath
	}
	c.path, c.params = p, strings.Fields(rest)
	return nil
}

// param returns the value of a parameter and whether it is there.
func (c *command) param(name string) (string, bool) {
	for _, p := range c.params {
		key, value, _ := strings.Cut(p, "=")
		if strings.EqualFold(key, name) {
			return value, true
		}
	}
	return "", false
}

// drop removes a parameter.
func (c *command) drop(name string) {
	c.params = slices.DeleteFunc(c.params, func(p string) bool {
		key, _, _ := strings.Cut(p, "=")
		return strings.EqualFold(key, name)
	})
}

// repeats reports whether a parameter is given twice.
func (c *command) repeats() bool {
	seen := map[string]bool{}
	for _, p := range c.params {
		key, _, _ := strings.Cut(strings.ToUpper(p), "=")
		if seen[key] {
			return true
		}
		seen[key] = true
	}
	return false
}

// size reads the SIZE parameter (RFC 1870 6.1).
func (c *command) size() (int64, error) {
	value, ok := c.param("SIZE")
	if !ok {
		return 0, nil
	}
	return octets(value)
}

// octets reads how many there are; a number too large for any machine is the largest.
func octets(s string) (int64, error) {
	if len(s) == 0 || len(s) > 20 || strings.Trim(s, "0123456789") != "" {
		return 0, errPath
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if errors.Is(err, strconv.ErrRange) {
		return n, nil // the largest
	}
	return n, err
}

// hasBadOriginal reports whether ORCPT is there and no kind with an address in xtext (RFC 3461 4.2). An address beyond
// ASCII may stand there as it is, in the escapes of RFC 6533 3, or, as Postfix writes it, in those of xtext.
func (c *command) hasBadOriginal() bool {
	value, given := c.param("ORCPT")
	kind, address, _ := strings.Cut(value, ";")
	return given && (len(value) > maxOriginal || !isXtext(kind) || !isXtext(address))
}

// isXtext reports whether s, which has no control bytes, is xtext (RFC 3461 4) of something.
func isXtext(s string) bool {
	for i := range len(s) {
		hex := s[i+1:]
		if s[i] == '=' || s[i] == '+' && (len(hex) < 2 || strings.Trim(hex[:2], "0123456789ABCDEF") != "") {
			return false
		}
	}
	return s != ""
}

// binaryBody is the parameter of MAIL for a message that is no text (RFC 3030 3).
const binaryBody = "BODY=BINARYMIME"

// line writes a MAIL or RCPT command for go-smtp, whose own parser knows neither <Postmaster> nor the case, nor all that
// may be an ORCPT, and to which every message comes by DATA.
func (c *command) line(keyword, host string) string {
	wire := c.path.wire()
	if c.path.bare {
		wire = "<postmaster@" + host + ">"
	}
	words := []string{c.verb + " " + keyword + ":" + wire}
	for _, p := range c.params {
		if key, _, _ := strings.Cut(p, "="); !strings.EqualFold(key, "ORCPT") && !strings.EqualFold(p, binaryBody) {
			words = append(words, p)
		}
	}
	return strings.Join(words, " ") + "\r\n"
}
