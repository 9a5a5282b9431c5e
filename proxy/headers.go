package proxy

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"weir/filters"
	"weir/rules"
	"weir/scoring"
)

const (
	foldAt   = 78
	maxStars = 50
)

// HeaderInput is what the headers of a message are made of.
type HeaderInput struct {
	Hostname string
	Version  string
	ID       string
	Mail     filters.Mail
	Verdict  scoring.Verdict
}

// Headers are the header fields that a message gets before it is delivered, each folded at 78 with a tab. What the
// sender has chosen stands in them only where nothing but harmless characters can be.
func Headers(h HeaderInput) []byte {
	v := &h.Verdict
	spam := v.Action >= rules.Tag
	var f folder
	if spam {
		f.field("X-Spam-Flag: YES")
	}
	f.field("X-Spam-Status: "+yesNo(spam)+",", "score="+v.Points.String(), "required="+required(v.Thresholds.Tag))
	f.list("tests=", v.Why)
	f.more("autolearn=no", "version=weir-"+h.Version)
	f.field("X-Spam-Score: " + v.Points.String())
	if stars := min(int(v.Points)/100, maxStars); stars > 0 {
		f.field("X-Spam-Level: " + strings.Repeat("*", stars))
	}
	f.field("X-Weir-Verdict: id="+h.ID+";", verdictWords(v)...)
	if h.Mail.Auth != nil {
		f.field("Authentication-Results: "+h.Hostname+";", authResults(h.Mail)...)
	}
	f.field("Received: from "+helo(h.Mail.Session.Connected()), received(h)...)
	return f.end()
}

// verdictWords are those of X-Weir-Verdict after the id. open is how many checks the score does not hold, since they had
// not answered.
func verdictWords(v *scoring.Verdict) []string {
	words := []string{"action=" + v.Action.String() + ";", "policy=" + harmless(v.Policy)}
	if v.Early != nil {
		words[1] += ";"
		words = append(words, "open="+strconv.Itoa(len(v.Early.Open)))
	}
	return words
}

func yesNo(yes bool) string {
	if yes {
		return "Yes"
	}
	return "No"
}

func required(t rules.Threshold) string {
	if t.Off {
		return "none"
	}
	return t.Points.String()
}

// received are the words of the trace field after the client's own name (RFC 5321 4.4).
func received(h HeaderInput) []string {
	s := h.Mail.Session.Connected()
	if s == nil {
		s = &filters.Session{}
	}
	name := "unknown"
	if s.ReverseName != "" && s.ReverseOK {
		name = harmless(strings.TrimSuffix(s.ReverseName, "."))
	}
	return []string{
		"(" + name, "[" + literal(s.Addr.Addr()) + "])", "by " + h.Hostname, "with " + s.Proto, "id " + h.ID + ";",
		h.Mail.At.Format(time.RFC1123Z),
	}
}

func helo(s *filters.Session) string {
	if s == nil || s.Hello == "" {
		return "unknown"
	}
	return harmless(s.Hello)
}

// literal writes an address as in an address literal.
func literal(a netip.Addr) string {
	switch {
	case !a.IsValid():
		return "unknown"
	case a.Is6():
		return "IPv6:" + a.String()
	}
	return a.String()
}

// harmless replaces all but the characters of host names and address literals.
func harmless(s string) string {
	if s == "" {
		return "unknown"
	}
	return strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune(".-_:[]", c) {
			return c
		}
		return '?'
	}, s[:min(len(s), maxDomain)])
}

// folder writes header fields, a line break and a tab before a word that would not fit.
type folder struct {
	out    bytes.Buffer
	column int
}

// field begins a field with its first word.
func (f *folder) field(first string, words ...string) {
	if f.out.Len() > 0 {
		f.out.WriteString("\r\n")
	}
	f.out.WriteString(first)
	f.column = len(first)
	f.more(words...)
}

// more adds words to the field.
func (f *folder) more(words ...string) {
	for _, w := range words {
		f.word(" ", w)
	}
}

// word adds a word, after a space if it fits and sep is one.
func (f *folder) word(sep, w string) {
	if f.column+len(sep)+len(w) > foldAt {
		f.out.WriteString("\r\n\t")
		f.column = 8 - len(sep)
	} else {
		f.out.WriteString(sep)
	}
	f.out.WriteString(w)
	f.column += len(sep) + len(w)
}

// list adds the names of the rules that counted, without the corrections of caps.
func (f *folder) list(label string, lines []scoring.Line) {
	names := make([]string, 0, len(lines))
	for _, l := range lines {
		if !strings.Contains(l.Rule, ":") {
			names = append(names, l.Rule)
		}
	}
	if len(names) == 0 {
		names = append(names, "none")
	}
	for i, name := range names {
		sep := ""
		if i == 0 {
			sep, name = " ", label+name
		}
		if i < len(names)-1 {
			name += ","
		}
		f.word(sep, name)
	}
}

func (f *folder) end() []byte {
	f.out.WriteString("\r\n")
	return f.out.Bytes()
}
