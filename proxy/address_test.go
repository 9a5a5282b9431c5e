package proxy

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPaths(t *testing.T) {
	for in, want := range map[string]string{
		"<a@b.example>":            "a@b.example",
		"<a@b.example> SIZE=1":     "a@b.example",
		"<>":                       "",
		"<@r.example:a@b.example>": "a@b.example",
		`<"a"@b.example>`:          "a@b.example",
		`<"a b"@b.example>`:        `"a b"@b.example`,
		`<"a\b"@b.example>`:        "ab@b.example",
		`<"a@c>"@b.example>`:       `"a@c>"@b.example`,
		`<"\""@b.example>`:         `"\""@b.example`,
		`<".a"@b.example>`:         `".a"@b.example`,
		"<a@[127.0.0.1]>":          "a@[127.0.0.1]",
		"<a@[IPv6:::1]>":           "a@[IPv6:::1]",
		"<почта@пример.example>":   "почта@пример.example",
		"<a_b+c=d@b_c.example>":    "a_b+c=d@b_c.example",
	} {
		p, _, err := parsePath(in)
		if err != nil || p.address != want {
			t.Errorf("%s: %q, %v, want %q", in, p.address, err, want)
		}
	}
	for _, in := range []string{
		"", "<", "a@b", "<a>", "<a@>", "<@b>", "<a@b", "<a@b@c>", "<a b@c>", "<a@b c>", `<"a@b>`, `<"a"b@c>`, `<"a\`, "<a@b.>",
		"<a@.b>", "<a@[b]>", "<a@[1.2.3]>", "<a@[IPv6:fe80::1%eth0]>", "<@x,y:a@b>", "<@x:>", "<a@b\u0080c>",
		"<" + strings.Repeat("l", 256) + "@b>", "<a@" + strings.Repeat("b.", 128) + "c>",
	} {
		if p, rest, err := parsePath(in); err == nil {
			t.Errorf("%s: taken as %q, rest %q", in, p.address, rest)
		}
	}
}

// FuzzPath: what is written again reads as the same, and is one word with one meaning.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"<a@b.example>", `<"a \" b"@[127.0.0.1]> X`, "<@a,@b:c@d>", "<Postmaster>", "<п@п.example>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if _, ok := readCommand("MAIL FROM:" + s); !ok {
			return // never reaches the parser
		}
		p, rest, err := parsePath(s)
		if err != nil {
			return
		}
		if !strings.HasSuffix(s, rest) {
			t.Fatalf("%q: rest %q is not its end", s, rest)
		}
		again, left, err := parsePath(p.wire())
		if err != nil || left != "" || again.address != p.address {
			t.Fatalf("%q: written as %q, which reads %q, %q, %v", s, p.wire(), again.address, left, err)
		}
		if !utf8.ValidString(p.address) || strings.ContainsAny(p.domain(), " <>@\"") {
			t.Fatalf("%q: address %q", s, p.address)
		}
	})
}

func FuzzCommand(f *testing.F) {
	for _, s := range []string{"MAIL FROM:<a@b.example> SIZE=1 BODY=8BITMIME", "rcpt to:<Postmaster>", "NOOP x", "\x00", " ", "EHLO \xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		c, ok := readCommand(line)
		if !ok {
			return
		}
		for _, keyword := range []string{"FROM", "TO"} {
			if c.readPath(keyword) != nil {
				continue
			}
			out := c.line(keyword, "mx.weir.example")
			if strings.IndexFunc(out, func(r rune) bool { return r < ' ' || r == 0x7f }) != len(out)-2 {
				t.Fatalf("%q is passed on as %q", line, out)
			}
			if n, err := c.size(); n < 0 || err == nil && n > 0 && !strings.Contains(strings.ToUpper(line), "SIZE=") {
				t.Fatalf("%q: size %d", line, n)
			}
		}
	})
}
