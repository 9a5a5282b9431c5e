package main

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"weir/filters/lookup"
)

// dearest is CPU time far beyond what any of these takes: a fifth of a second, ten times that under the race detector.
const dearest = 5 * time.Second

// Mail made to cost more than it weighs, under all rules of the product: each message is answered cheaply and arrives as it
// was sent.
func TestBombsUnderTheDefaultRules(t *testing.T) {
	zone, err := lookup.MapZone(nil)
	if err != nil {
		t.Fatal(err)
	}
	dns, err := lookup.Serve("127.0.0.1:0", zone)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dns.Close() })
	mailbox := startSink(t)
	w := serve(t, mailbox.Addr(), dns.Addr(), "version: 1\ninclude: [\"builtin:defaults\"]\nthresholds: { tag: 6, reject: off }\n")
	for i, bomb := range bombs(t) {
		c := client(t, w.addr, "")
		before := w.spent(t)
		if err := sendMail(c, "ann@client.example.net", "bob@example.org", bomb.message); err != nil {
			t.Fatalf("%s: %v", bomb.name, err)
		}
		if took := w.spent(t) - before; took > dearest {
			t.Errorf("%s: took %v", bomb.name, took)
		} else {
			t.Logf("%s: took %v", bomb.name, took)
		}
		c.Quit()
		if all := mailbox.Messages(); len(all) != i+1 || !bytes.HasSuffix(all[i].Data, []byte(bomb.message)) {
			t.Fatalf("%s: %d messages have arrived, or it is not what was sent", bomb.name, len(all))
		}
	}
}

// spent is the CPU time of the process so far: other work on the machine does not count.
func (s *served) spent(t *testing.T) time.Duration {
	t.Helper()
	took, err := cpuOf(s.process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return took
}

type bomb struct{ name, message string }

func bombs(t *testing.T) []bomb {
	const head = "From: Ann <ann@client.example.net>\r\nTo: bob@example.org\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@client.example.net>\r\n"
	many := func(n int, format string) string {
		var out strings.Builder
		for i := range n {
			fmt.Fprintf(&out, format, i)
		}
		return out.String()
	}
	page := head + "MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
	parts := strings.Repeat("--b\r\nContent-Type: text/plain\r\n\r\nhttp://a.example/\r\n", 10_000)
	boundary := strings.Repeat("b", 10<<10)
	return []bomb{
		{"a header line of 64 KiB", head + "Subject: x\r\nX-Long: " + strings.Repeat("x", 64<<10) + "\r\n\r\nx\r\n"},
		{"100,000 fields", head + strings.Repeat("X-Field: value\r\n", 100_000) + "\r\nx\r\n"},
		{"10,000 parts", head + "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + parts + "--b--\r\n"},
		{"1,000 levels", head + many(1000, "Content-Type: multipart/mixed; boundary=b%[1]d\r\n\r\n--b%[1]d\r\n")},
		{"1,000 messages in messages", head + strings.Repeat("Content-Type: message/rfc822\r\n\r\n", 1000) + "x\r\n"},
		{"a boundary of 10 KiB", head + "Content-Type: multipart/mixed; boundary=\"" + boundary + "\"\r\n\r\n--" + boundary + "\r\n\r\nx\r\n--" + boundary + "--\r\n"},
		{"broken base64", head + "Content-Transfer-Encoding: base64\r\n\r\n" + strings.Repeat("!=!=\r\n", 1_000_000)},
		{"encoded words", head + "Subject: " + strings.Repeat("=?utf-8?q?=D0=BF?=\r\n ", 100_000) + "x\r\n\r\nx\r\n"},
		{"a line of 20 MB", head + "\r\n" + strings.Repeat("x", 20_000_000) + "\r\n"},
		{"a zip of 200 MB of nothing", head + "Content-Type: application/zip; name=x.zip\r\nContent-Transfer-Encoding: base64\r\n\r\n" + zipBomb(t)},
		{"1,000 signatures", many(1000, "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=d%d.example; s=s; h=from; bh=AAAA; b=AAAA\r\n") + head + "\r\nx\r\n"},
		{"200 seals", many(200, "ARC-Seal: i=%d; a=rsa-sha256; cv=pass; d=d.example; s=s; b=AAAA\r\n") + head + "\r\nx\r\n"},
		{"text that expressions go back in", page + strings.Repeat("a", 1_000_000) + "!" + strings.Repeat(strings.Repeat(" ", 1000)+"x\r\n", 1000)},
		{"tags that do not end", page + strings.Repeat("<a href=\"http://x.example/", 50_000) + strings.Repeat("<!--", 200_000) + "\r\n"},
		{"nested divisions", page + strings.Repeat("<div>", 200_000) + "\r\n"},
		{"100,000 links", head + "\r\n" + many(100_000, "http://h%d.example/\r\n")},
		{"open comments", "From: " + strings.Repeat("(", 200_000) + "ann@client.example.net\r\n\r\nx\r\n"},
	}
}

func zipBomb(t *testing.T) string {
	var file bytes.Buffer
	z := zip.NewWriter(&file)
	w, err := z.Create("x.txt")
	for range 200 {
		if err == nil {
			_, err = w.Write(make([]byte, 1_000_000))
		}
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for code := base64.StdEncoding.EncodeToString(file.Bytes()); code != ""; {
		n := min(76, len(code))
		text.WriteString(code[:n] + "\r\n")
		code = code[n:]
	}
	return text.String()
}
