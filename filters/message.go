package filters

import (
	"net/mail"
	"slices"
	"strings"
	"sync"
	"time"

	"weir/filters/mime"
)

// Message is one mail message, read once and only as far as somebody asks. Many goroutines may use it.
type Message struct {
	raw      []byte
	document func() *mime.Document
	visible  func() *mime.Visible
}

// ParseMessage makes a message of raw, with line ends CRLF or LF. It never fails and does nothing yet: each reading
// takes bounded time whatever the bytes are. The message keeps raw, which must not change.
func ParseMessage(raw []byte) *Message {
	m := &Message{raw: raw}
	m.document = sync.OnceValue(func() *mime.Document { return mime.Parse(raw) })
	m.visible = sync.OnceValue(func() *mime.Visible { return m.document().Visible() })
	return m
}

// Raw is the whole message as it came.
func (m *Message) Raw() []byte { return m.raw }

// Size is the length of Raw in bytes.
func (m *Message) Size() int { return len(m.raw) }

// Fields are the header fields in order.
func (m *Message) Fields() []mime.Field { return m.document().Root.Fields }

// Header returns the values of the header fields called name, in order, unfolded and decoded. Case does not matter.
func (m *Message) Header(name string) []string { return m.document().Root.Fields.All(name) }

// Subject is the first subject, or "".
func (m *Message) Subject() string { return m.first("Subject") }

// MessageID is the first message identifier with its angle brackets, or "".
func (m *Message) MessageID() string { return m.first("Message-ID") }

func (m *Message) first(name string) string {
	if values := m.Header(name); len(values) > 0 {
		return values[0]
	}
	return ""
}

// FromAddress is the first address of the first From field, its domain in lower case and ASCII; "" if there is none.
func (m *Message) FromAddress() string {
	fields := m.Fields()
	for i := range fields {
		if strings.EqualFold(fields[i].Name, "From") {
			return mime.Address(fields[i].Unfolded())
		}
	}
	return ""
}

// FromDomain is the domain of FromAddress.
func (m *Message) FromDomain() string {
	address := m.FromAddress()
	return address[strings.LastIndexByte(address, '@')+1:]
}

// Date is when the message says it was written; false if it does not say, or not in a form of RFC 5322 section 3.3.
func (m *Message) Date() (time.Time, bool) {
	at, err := mail.ParseDate(m.first("Date"))
	return at, err == nil
}

// ContentType is the message's media type in lower case, without parameters.
func (m *Message) ContentType() string { return m.document().Root.ContentType }

// Enclosed is what a reader sees of the messages that are parts of this one.
func (m *Message) Enclosed() string { return m.document().Enclosed() }

// Parts are the parts that hold no others, in order.
func (m *Message) Parts() []*mime.Part { return m.document().Leaves() }

// Attachments counts the parts offered as files.
func (m *Message) Attachments() int { return len(m.Files()) }

// Text is what a reader sees of all text parts: decoded, HTML as text, hidden text left out; lines end with LF. It is
// valid UTF-8 and at most 512 KiB.
func (m *Message) Text() string { return m.visible().Text }

// URLs are the links of the message, distinct, in order, at most 1,000.
func (m *Message) URLs() []mime.URL { return m.visible().URLs }

// HiddenText is how many bytes of letters and digits in HTML a reader does not see.
func (m *Message) HiddenText() int { return m.visible().Hidden }

// HiddenShare is how many percent of all letters and digits of the message those of HiddenText are.
func (m *Message) HiddenShare() int { return m.visible().Share }

// Elements are the elements of the HTML of the message in order, at most 4,096.
func (m *Message) Elements() []mime.Element { return m.visible().Elements }

// Counts are what is in the HTML of the message.
func (m *Message) Counts() mime.Counts { return m.visible().Counts }

// Files are the parts offered as files.
func (m *Message) Files() []*mime.Part {
	return slices.DeleteFunc(m.Parts(), func(p *mime.Part) bool { return !p.IsFile() })
}

// Skeleton is the names of the HTML elements in order, at most 4,096: the form of a message without its words.
func (m *Message) Skeleton() []string { return m.visible().Skeleton }

// Oddities are what is wrong or ambiguous in structure, encodings and HTML, each name once.
func (m *Message) Oddities() []mime.Oddity {
	return slices.Concat(m.document().Oddities(), m.visible().Oddities)
}
