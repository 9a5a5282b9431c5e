package mime

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

const benchHeader = "Received: from a.example (a.example [192.0.2.1])\r\n\tby mx.example with ESMTPS id 1;\r\n\tSun, 22 Nov 2026 10:00:00 +0000\r\n" +
	"DKIM-Signature: v=1; a=rsa-sha256; d=a.example; s=s1; h=from:to:subject;\r\n\tbh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\r\n\tb=" +
	"dzdVyOfAKCdLXdJOc9G2q8LoXSlEniSbav+yuU4zGeeruD00lszZVoG4ZHRNiYzR\r\n" +
	"From: =?utf-8?B?0JzQsNCz0LDQt9C40L0=?= <shop@a.example>\r\nTo: Bob <bob@b.example>\r\nSubject: =?utf-8?Q?=D0=97=D0=B0=D0=BA=D0=B0=D0=B7?= 4711\r\n" +
	"Date: Sun, 22 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@a.example>\r\nMIME-Version: 1.0\r\nList-Unsubscribe: <https://a.example/u>\r\n"

const benchText = "Dear customer, your order has been sent and will reach you within three days of work.\r\n" +
	"Follow it at https://shop.example/track/4711 or write to us.\r\nВаш заказ отправлен, спасибо за покупку.\r\n"

// plainMessage has about size bytes of text.
func plainMessage(size int) string {
	return benchHeader + "Content-Type: text/plain; charset=utf-8\r\n\r\n" + strings.Repeat(benchText, size/len(benchText))
}

// alternativeMessage is a text and a page that says the same, of about 10 KB, with links.
func alternativeMessage() string {
	var page strings.Builder
	page.WriteString("<html><head><style>.pre{display:none} td{padding:3px}</style></head><body><table width=3D\"100%\">\r\n")
	for i := range 20 {
		fmt.Fprintf(&page, "<tr><td class=3D\"c\" style=3D\"font-size:14px;color:#333333;padding:4px=\r\n 8px\">Dear customer, "+
			"your order has been sent and will =\r\nreach you.</td><td><a href=3D\"https://shop.example/i/%d?u=3D1\">Follow it</a> "+
			"=D0=97=D0=B0=D0=BA=D0=B0=D0=B7</td></tr>\r\n", i)
	}
	page.WriteString("</table></body></html>\r\n")
	return benchHeader + "Content-Type: multipart/alternative; boundary=\"=_x\"\r\n\r\n--=_x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" +
		strings.Repeat(benchText, 11) + "\r\n--=_x\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" +
		page.String() + "\r\n--=_x--\r\n"
}

// attachmentMessage has a short text and about 1 MB of base64.
func attachmentMessage() string {
	line := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("binary\x00\xff", 8))[:57]) + "\r\n"
	return benchHeader + "Content-Type: multipart/mixed; boundary=\"=_x\"\r\n\r\n--=_x\r\nContent-Type: text/plain\r\n\r\n" + benchText +
		"\r\n--=_x\r\nContent-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
		strings.Repeat(line, 1<<20/len(line)) + "\r\n--=_x--\r\n"
}

// BenchmarkParse is all that a message costs here: structure, text and links.
func BenchmarkParse(b *testing.B) {
	for _, c := range []struct{ name, raw string }{
		{"plain 2 KB", plainMessage(1500)}, {"alternative 10 KB", alternativeMessage()}, {"attachment 1 MB", attachmentMessage()},
	} {
		b.Run(c.name, func(b *testing.B) {
			raw := []byte(c.raw)
			b.ReportAllocs()
			b.SetBytes(int64(len(raw)))
			for b.Loop() {
				Parse(raw).Visible()
			}
		})
	}
}

func BenchmarkStructure(b *testing.B) {
	raw := []byte(alternativeMessage())
	b.ReportAllocs()
	for b.Loop() {
		Parse(raw)
	}
}

func BenchmarkDetectCharset(b *testing.B) {
	raw := []byte(strings.Repeat("\xf5\xd7\xc1\xd6\xc1\xc5\xcd\xd9\xc5 \xcb\xcc\xc9\xc5\xce\xd4\xd9, ", 200))
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		DetectCharset(raw)
	}
}
