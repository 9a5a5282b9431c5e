package page

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzRead(f *testing.F) {
	for _, s := range []string{
		"<p style='color:#fff'>a</p><a href=http://a.example>b", "<style>.a b{display:none}@media x{}</style><b class=a>c", "<table><tr><td>a</div>",
		"<pre>\n a</pre>&nbsp;&#0;&lt", "<div style='font:0/0 a;clip:rect(0'><noscript>x",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		l := &Links{}
		p := newPage([]byte(src), l)
		text, hidden := p.visible()
		if len(text) > MaxText+len(src) || hidden < 0 || len(p.stack) != 0 {
			t.Errorf("%d bytes of text, %d hidden, %d elements open", len(text), hidden, len(p.stack))
		}
		for _, u := range l.List {
			if u.Host == "" || u.Host != strings.ToLower(u.Host) || !utf8.ValidString(u.Raw+u.Path+u.Text) {
				t.Errorf("%+v", u)
			}
			if again := ASCIIHost(u.Host); again != u.Host {
				t.Errorf("host %q becomes %q", u.Host, again)
			}
		}
	})
}
