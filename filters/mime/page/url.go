package page

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// URL is a link.
type URL struct {
	Raw    string // as written
	Scheme string // "http", "https" or "ftp"
	Host   string // in lower case, international names in ASCII, without user and port
	Path   string // with query, percent-encoding taken away
	Text   string // what the reader sees of an HTML link
}

// Bounds of links.
const (
	maxURL  = 2048 // bytes of one that are kept
	MaxURLs = 1000
)

// Links collects URLs, each once, at most MaxURLs. The zero value is ready.
type Links struct {
	List []URL // in the order in which they were found
	seen map[[3]string]int
}

// add adds s if it is the address of a place on the net, and returns its number, from 1; 0 if it is none.
func (l *Links) add(s string) int {
	if u, ok := parseURL(s); ok {
		return l.put(u)
	}
	return 0
}

// put adds u if there is room, and returns its number; 0 if there is none.
func (l *Links) put(u URL) int {
	key := [3]string{u.Scheme, u.Host, u.Path}
	n := l.seen[key]
	if n == 0 && len(l.List) < MaxURLs {
		l.List = append(l.List, u)
		n = len(l.List)
		if l.seen == nil {
			l.seen = map[[3]string]int{}
		}
		l.seen[key] = n
	}
	return n
}

// host is where link n leads; "" for 0.
func (l *Links) host(n int) string {
	if n == 0 {
		return ""
	}
	return l.List[n-1].Host
}

// name gives link n its visible text, if it has none yet.
func (l *Links) name(n int, text string) {
	if u := &l.List[n-1]; u.Text == "" {
		u.Text = text
	}
}

// linkText is what is kept of the visible text of a link.
func linkText(text []byte) string {
	text = text[:min(len(text), maxAnchor)]
	var b strings.Builder
	b.Grow(len(text))
	for word := range bytes.FieldsSeq(text) {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.Write(word)
	}
	return strings.ToValidUTF8(b.String(), "")
}

// Find adds the URLs that a mail program would make links of in plain text. Their hosts have a dot.
func (l *Links) Find(text string) {
	for at := 0; len(l.List) < MaxURLs; {
		i := strings.IndexAny(text[at:], ":.")
		if i < 0 {
			return
		}
		i += at
		at = i + 1
		start := -1
		switch {
		case text[i] == ':' && strings.HasPrefix(text[i:], "://"):
			start = schemeStart(text[:i])
		case text[i] == '.' && i >= 3 && strings.EqualFold(text[i-3:i], "www") && startsWord(text[:i-3]):
			start = i - 3
		}
		if start < 0 {
			continue
		}
		end := i + urlLength(text[i:])
		one := trimURL(text[start:end])
		if u, ok := parseURL(one); ok && strings.ContainsAny(u.Host, ".:") {
			l.put(u)
		}
		at = max(at, start+len(one))
	}
}

// schemeStart is where a known scheme at the end of s begins; -1 if there is none.
func schemeStart(s string) int {
	for _, scheme := range []string{"https", "http", "ftp"} {
		if n := len(s) - len(scheme); n >= 0 && strings.EqualFold(s[n:], scheme) {
			return n
		}
	}
	return -1
}

// startsWord reports whether a word may begin behind s.
func startsWord(s string) bool {
	r, _ := utf8.DecodeLastRuneInString(s)
	return s == "" || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("@./-_=%", r)
}

// urlLength is how far a URL goes on in s.
func urlLength(s string) int {
	for i, r := range s {
		if i > maxURL || r <= ' ' || r == 0x7f || r == utf8.RuneError || unicode.IsSpace(r) || strings.ContainsRune("<>\"`{}|^«»“”„‘’‹›。、，", r) {
			return i
		}
	}
	return len(s)
}

// trimURL takes the punctuation of the sentence around a URL away.
func trimURL(s string) string {
	round := strings.Count(s, ")") - strings.Count(s, "(")
	square := strings.Count(s, "]") - strings.Count(s, "[")
	for s != "" {
		switch last := s[len(s)-1]; {
		case strings.IndexByte(".,;:!?'*_~", last) >= 0:
		case last == ')' && round > 0:
			round--
		case last == ']' && square > 0:
			square--
		default:
			return s
		}
		s = s[:len(s)-1]
	}
	return s
}

// parseURL reads s as browsers do: white space inside goes, slashes may be missing or lean backwards.
func parseURL(s string) (URL, bool) {
	s = strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
	if strings.ContainsAny(s[:min(len(s), maxURL)], "\t\r\n") {
		s = strings.NewReplacer("\t", "", "\r", "", "\n", "").Replace(s[:min(len(s), 2*maxURL)])
	}
	if len(s) > maxURL {
		s = s[:maxURL]
	}
	u := URL{Raw: strings.ToValidUTF8(s, "")}
	rest, ok := u.cutScheme(s)
	if !ok {
		return URL{}, false
	}
	end := strings.IndexAny(rest, "/\\?#")
	if end < 0 {
		end = len(rest)
	}
	u.Host = hostOf(rest[:end])
	u.Path = strings.ToValidUTF8(clean(Unescape(rest[end:])), "")
	return u, u.Host != ""
}

// cutScheme sets the scheme of u and returns what follows it in s; false if s leads nowhere on the net.
func (u *URL) cutScheme(s string) (rest string, ok bool) {
	u.Scheme = "http"
	if strings.HasPrefix(s, "//") || strings.HasPrefix(s, `\\`) {
		return s[2:], true
	}
	if len(s) > 4 && strings.EqualFold(s[:4], "www.") {
		host, _, _ := strings.Cut(s, "/")
		return s, strings.Count(host, ".") > 1
	}
	colon := strings.IndexByte(s[:min(len(s), 6)], ':')
	if colon < 0 {
		return "", false
	}
	u.Scheme = strings.ToLower(s[:colon])
	switch u.Scheme {
	case "http", "https", "ftp":
		return strings.TrimLeft(s[colon+1:], `/\`), true
	}
	return "", false
}

// hostOf is the host of an authority (RFC 3986 section 3.2) in the form of URL.Host; "" if it cannot be one.
func hostOf(authority string) string {
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		authority = authority[i+1:]
	}
	if strings.HasPrefix(authority, "[") {
		inner, _, closed := strings.Cut(authority[1:], "]")
		if ip, err := netip.ParseAddr(inner); err == nil && closed {
			return ip.String()
		}
		return ""
	}
	if i := strings.LastIndexByte(authority, ':'); i >= 0 {
		authority = authority[:i]
	}
	host := ASCIIHost(Unescape(authority))
	if len(host) > 253 || strings.IndexFunc(host, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune("\"<>^`{|}%/\\?#@:()[],;!$&'*+=", r)
	}) >= 0 || strings.Trim(host, ".-_") == "" {
		return ""
	}
	if ip, ok := numericHost(host); ok {
		return ip
	}
	return host
}

// ASCIIHost is a domain in lower case, international labels in ASCII (RFC 5891), without a dot at the end;
// "" if it is too long or no text.
func ASCIIHost(host string) string {
	if isASCII(host) {
		host = strings.ToLower(host)
	} else if len(host) > maxIDN || !utf8.ValidString(host) {
		return ""
	} else if ascii, err := idna.Lookup.ToASCII(host); err == nil {
		host = ascii
	} else if ascii, err := idna.Punycode.ToASCII(strings.ToLower(host)); err == nil {
		host = ascii
	}
	return strings.TrimRight(host, ".")
}

// maxIDN is the bytes of an international domain; encoding takes time with the square of it.
const maxIDN = 128

// numericHost reads an IPv4 address in the forms that browsers take: 3221225985, 0xc0.0.2.1, 0300.0.2.1.
func numericHost(host string) (string, bool) {
	if last := host[strings.LastIndexByte(host, '.')+1:]; last == "" || last[0] < '0' || last[0] > '9' {
		return "", false
	}
	parts := strings.SplitN(host, ".", 5)
	if len(parts) > 4 {
		return "", false
	}
	var ip uint64
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 0, 32)
		if err != nil || strings.Contains(part, "_") || strings.HasPrefix(part, "0b") || strings.HasPrefix(part, "0o") {
			return "", false
		}
		width := 8
		if i == len(parts)-1 {
			width = 8 * (5 - len(parts)) // the last number fills the rest
		}
		if n>>width != 0 {
			return "", false
		}
		ip = ip<<width | n
	}
	return netip.AddrFrom4([4]byte{byte(ip >> 24), byte(ip >> 16), byte(ip >> 8), byte(ip)}).String(), true
}
