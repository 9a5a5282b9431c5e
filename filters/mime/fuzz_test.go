package mime

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzDecodeHeader(f *testing.F) {
	for _, s := range []string{"=?utf-8?B?0A==?= =?utf-8?B?nw==?=", "=?koi8-r?q?=F0?= x =?", "=?big5?q?=a4=a4?=", "caf\xe9", "=?utf-16?b?//4=?="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := DecodeHeader(s)
		if !utf8.ValidString(got) {
			t.Errorf("%q: %q is no UTF-8", s, got)
		}
		if strings.ContainsAny(got, "\r\n\x00") {
			t.Errorf("%q: control bytes in %q", s, got)
		}
		Address(s)
	})
}

func FuzzDetectCharset(f *testing.F) {
	for _, s := range []string{"\xf0\xd2\xc9\xd7\xc5\xd4", "\xcf\xf0\xe8\xe2\xe5\xf2", "Привет", "caf\xe9", "\xff\xfeA\x00"} {
		f.Add([]byte(s), "koi8-r")
		f.Add([]byte(s), "")
	}
	f.Fuzz(func(t *testing.T, b []byte, declared string) {
		switch got := DetectCharset(b); got {
		case "", "utf-8", "windows-1251", "koi8-r", "ibm866", "iso-8859-5":
		default:
			t.Errorf("found %q", got)
		}
		if text, _ := toUTF8(b, declared); !utf8.ValidString(text) {
			t.Errorf("%q in %q: %q is no UTF-8", b, declared, text)
		}
	})
}
