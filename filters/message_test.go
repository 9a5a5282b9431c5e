package filters

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"weir/filters/mime"
)

func load(t testing.TB, name string) *Message {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return ParseMessage(bytes.ReplaceAll(raw, []byte{'\n'}, []byte("\r\n")))
}

func TestMessage(t *testing.T) {
	m := load(t, "message.eml")
	if got := m.Subject(); got != "Ваш заказ 4711" {
		t.Errorf("subject %q", got)
	}
	if got := m.FromAddress(); got != "Shop@shop.example" {
		t.Errorf("from %q", got)
	}
	if got := m.FromDomain(); got != "shop.example" {
		t.Errorf("domain %q", got)
	}
	if got := m.MessageID(); got != "<1@shop.example>" {
		t.Errorf("id %q", got)
	}
	if at, ok := m.Date(); !ok || !at.Equal(time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)) {
		t.Errorf("date %v %v", at, ok)
	}
	if got := m.Header("received"); len(got) != 2 || got[0] != "from b.example by c.example; Sun, 22 Nov 2026 10:00:02 +0000" {
		t.Errorf("received %q", got)
	}
	if got := m.Fields()[0].Name; got != "Received" {
		t.Errorf("first field %q", got)
	}
	if got := m.Text(); got != "Ваш заказ отправлен. Следите за ним на сайте." {
		t.Errorf("text %q", got)
	}
	if got := m.HiddenText(); got != len("совсемдругиеслова") {
		t.Errorf("hidden %d", got)
	}
	if got := strings.Join(m.Skeleton(), " "); got != "html body p a span" {
		t.Errorf("skeleton %q", got)
	}
	if got := m.URLs(); len(got) != 1 || got[0].Host != "shop.example" || got[0].Text != "на сайте" {
		t.Errorf("links %+v", got)
	}
	if got := m.Parts(); len(got) != 2 || got[1].Filename != "invoice.pdf" || string(got[1].Decoded()) != "%PDF-" {
		t.Errorf("parts %+v", got)
	}
	if got := m.Oddities(); len(got) != 1 || got[0].Name != mime.OddUnclosed {
		t.Errorf("oddities %+v", got)
	}
	if m.Size() != len(m.Raw()) {
		t.Errorf("size %d", m.Size())
	}
}

func TestMessageWithNothing(t *testing.T) {
	for _, raw := range []string{"", "\r\n", "\n", "x", ":", "From:\r\nDate: soon\r\n"} {
		m := ParseMessage([]byte(raw))
		if _, dated := m.Date(); dated || m.Subject()+m.FromAddress()+m.FromDomain()+m.MessageID() != "" {
			t.Errorf("%q: found something", raw)
		}
		if len(m.Parts()) != 1 || len(m.URLs()) != 0 || m.HiddenText() != 0 || len(m.Skeleton()) != 0 {
			t.Errorf("%q: %d parts, %d links", raw, len(m.Parts()), len(m.URLs()))
		}
	}
}

// Filters read one message at once; the race detector watches.
func TestMessageReadByMany(t *testing.T) {
	m := load(t, "message.eml")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for _, p := range m.Parts() {
				p.Decoded()
			}
			_ = append(m.Oddities(), mime.Oddity{})
			_, _, _ = m.Text(), m.URLs(), m.Subject()
		})
	}
	all.Wait()
}

func FuzzMessage(f *testing.F) {
	files, err := filepath.Glob("mime/testdata/*.eml")
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) { checkMessage(t, ParseMessage(bytes.Clone(raw)), raw) })
}

// checkMessage holds m against what is promised of every message.
func checkMessage(t *testing.T, m *Message, raw []byte) {
	t.Helper()
	for _, field := range m.Fields() {
		if string(raw[field.Offset:field.Offset+len(field.Raw)]) != field.Raw {
			t.Errorf("%q is not at %d", field.Raw, field.Offset)
		}
		if !utf8.ValidString(field.Value) || strings.ContainsAny(field.Value, "\r\n") {
			t.Errorf("value %q", field.Value)
		}
	}
	if n := len(m.Parts()); n == 0 || n > 700 {
		t.Errorf("%d parts", n)
	}
	for _, p := range m.Parts() {
		if len(p.Decoded()) > 3*len(p.Raw)+64 {
			t.Errorf("%d bytes decoded from %d", len(p.Decoded()), len(p.Raw))
		}
	}
	if text := m.Text(); !utf8.ValidString(text) || len(text) > 512<<10 || strings.Contains(text, "\r") {
		t.Errorf("text %.200q", text)
	}
	for _, u := range m.URLs() {
		if u.Host == "" || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "ftp" {
			t.Errorf("link %+v", u)
		}
	}
	for _, o := range m.Oddities() {
		if !slices.Contains(mime.OddityNames, o.Name) {
			t.Errorf("oddity %s has no place in the list", o.Name)
		}
	}
	if !bytes.Equal(m.Raw(), raw) {
		t.Error("the message was changed")
	}
	m.FromAddress()
	m.Date()
}
