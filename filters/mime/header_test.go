package mime

import (
	"encoding/base64"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"
)

func TestDecodeHeader(t *testing.T) {
	for _, c := range [][2]string{
		{"plain", "plain"},
		{"=?utf-8?q?a?= =?utf-8?q?b?=", "ab"},
		{"=?utf-8?q?a?= and =?utf-8?q?b?=", "a and b"},
		{"=?utf-8?Q?=D0?= =?utf-8?Q?=9F?=", "П"},
		{"=?utf-8?B?0A==?= =?utf-8?B?nw==?=", "П"},
		{"=?koi8-r?q?=F0?= =?windows-1251?q?=CF?=", "ПП"},
		{"=?us-ascii?q?=D0=9F?=", "П"},
		{"=?unknown-set?q?=F0=D2=C9=D7=C5=D4?=", "Привет"},
		{"=?big5?q?=a4=a4=a4=e5?=", "中文"},
		{"=?iso-2022-jp?B?GyRCJDMkcxsoQg==?=", "こん"},
		{"=?utf-8?q?a", "=?utf-8?q?a"},
		{"=?utf-8?z?a?= =?utf-8?q?b?=", "=?utf-8?z?a?= b"},
		{"=?utf-8?q?k=3Dv?= a=b", "k=v a=b"},
		{"=?utf-8?q?=3D=3Futf-8=3Fq=3Fx=3F=3D?=", "=?utf-8?q?x?="},
		{"=?utf-8?B?!!!?=", ""},
		{"\xf0\xd2\xc9\xd7\xc5\xd4", "Привет"},
		{"caf\xe9", "café"},
		{"a\x00b\x07", "a b "},
	} {
		if got := DecodeHeader(c[0]); got != c[1] {
			t.Errorf("%q: got %q, want %q", c[0], got, c[1])
		}
	}
}

func TestAddress(t *testing.T) {
	for _, c := range [][2]string{
		{"Ann <Ann@Mail.EXAMPLE>", "Ann@mail.example"},
		{"ann@mail.example (Ann <x@y.example>)", "ann@mail.example"},
		{`"Bank <info@bank.example>" <evil@evil.example>`, "evil@evil.example"},
		{`"a, b" <a@b.example>, c@d.example`, "a@b.example"},
		{"a@b.example, <c@d.example>", "a@b.example"},
		{`"odd local"@b.example`, `"odd local"@b.example`},
		{"<@relay.example:a@b.example>", "a@b.example"},
		{"=?utf-8?q?x=40y.example?= <a@b.example>", "a@b.example"},
		{"a@пример.рф", "a@xn--e1afmkfd.xn--p1ai"},
		{"Group: a@b.example, c@d.example;", "a@b.example"},
		{"undisclosed-recipients:;", ""},
		{"<>", ""},
		{"no address", ""},
		{"@b.example", ""},
		{`"open <a@b.example>`, ""},
		{"x <a@b.example", "a@b.example"},
		{"<<a@b.example>>", "a@b.example"},
	} {
		if got := Address(c[0]); got != c[1] {
			t.Errorf("%s: got %q, want %q", c[0], got, c[1])
		}
	}
}

func TestFieldsInOrder(t *testing.T) {
	raw := "B: 1\r\nA : 2\r\n\tmore\r\nb:3\r\n\r\nbody"
	fields := Parse([]byte(raw)).Root.Fields
	if len(fields) != 3 || fields[0].Name != "B" || fields[1].Name != "A" || fields[2].Name != "b" {
		t.Fatalf("%+v", fields)
	}
	if fields[1].Value != "2 more" || fields[1].Raw != "A : 2\r\n\tmore\r\n" {
		t.Errorf("%+v", fields[1])
	}
	if got := fields.All("B"); strings.Join(got, ",") != "1,3" {
		t.Errorf("got %q", got)
	}
	for _, f := range fields {
		if raw[f.Offset:f.Offset+len(f.Raw)] != f.Raw {
			t.Errorf("%s is not at %d", f.Name, f.Offset)
		}
	}
}

var russian = []string{
	"Уважаемые коллеги, направляю протокол совещания и список поручений на следующую неделю.",
	"Привет", "Счёт на оплату", "ВЫ ВЫИГРАЛИ АВТОМОБИЛЬ", "Re: договор № 17", "Срочно! Ваша карта заблокирована",
	"Скидки до 70% на всё", "buy viagra / купить виагру", "Здравствуйте, Иван Петрович!",
	"Акция: подъезд, съёмка, объявление, жюри, чашечка, щётка",
	"Шановні колеги, запрошуємо вас на зустріч", "Уважаеми клиенти, вашата пратка пристигна",
}

func TestDetectCharset(t *testing.T) {
	for name, table := range map[string]*charmap.Charmap{
		"windows-1251": charmap.Windows1251, "koi8-r": charmap.KOI8R, "ibm866": charmap.CodePage866, "iso-8859-5": charmap.ISO8859_5,
	} {
		for _, text := range russian {
			b, err := table.NewEncoder().Bytes([]byte(text))
			if err != nil {
				continue // not all sets have all letters
			}
			if got := DetectCharset(b); got != name {
				t.Errorf("%q in %s: got %q", text, name, got)
			}
		}
	}
	for text, want := range map[string]string{
		"plain": "", "Привет": "utf-8", strings.Repeat("я", 5000): "utf-8", " " + strings.Repeat("я", 5000): "utf-8",
		"caf\xe9 cr\xe8me": "", "\xc4pfel und \xd6l f\xfcr gr\xfc\xdfe": "", "se\xf1or \xbfqu\xe9 tal?": "", "\xa9 2026 All rights": "",
		"don\x92t \x93quote\x94 \x96 dash": "", "S\xc3O PAULO INFORMA\xc7\xc3O": "", "\xa4\xa4\xa4\xe5": "",
	} {
		if got := DetectCharset([]byte(text)); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// A declared Cyrillic set is believed unless the text says otherwise.
func TestDeclaredCharset(t *testing.T) {
	for _, c := range []struct {
		text, charset string
		how           int
	}{
		{"\xf0\xd2\xc9\xd7\xc5\xd4", "koi8-r", charsetFine},
		{"\xf0\xd2\xc9\xd7\xc5\xd4", "windows-1251", charsetWrong},
		{"\xcf\xf0\xe8\xe2\xe5\xf2", "koi8-r", charsetWrong},
		{"Привет", "windows-1251", charsetWrong},
		{"\xcf\xf0\xe8\xe2\xe5\xf2", "windows-1251; x", charsetFine},
		{"\xcf\xf0\xe8\xe2\xe5\xf2", "none-such", charsetUnknown},
		{"Привет", "utf8", charsetFine},
	} {
		if got, how := toUTF8([]byte(c.text), c.charset); got != "Привет" || how != c.how {
			t.Errorf("%q as %s: got %q, %d", c.text, c.charset, got, how)
		}
	}
}

func TestDecodeBase64(t *testing.T) {
	for text, want := range map[string]string{
		"aGVsbG8=": "hello", "aGVs\r\nbG8": "hello", "aGVsbG8=aGVsbG8=": "hellohello", "a": "", "====": "", "aG VsbG8 =": "hello", "*aGVsbG8": "hello",
	} {
		if got, _ := decodeBase64([]byte(text), 100); string(got) != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	long := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", 1000)))
	for _, limit := range []int{0, 1, 2, 3, 999, 1000, 1001} {
		if got, _ := decodeBase64([]byte(long), limit); len(got) != min(limit, 1000) {
			t.Errorf("limit %d: got %d bytes", limit, len(got))
		}
	}
}
