package proxy

import (
	"bytes"
	"strings"
	"testing"
)

// Everything that some server has taken for the end of a message, or that makes line ends doubtful.
var doubtful = map[string]string{
	"LF dot LF":              "text\n.\n",
	"LF dot CRLF":            "text\n.\r\n",
	"CRLF dot LF":            "text\r\n.\n",
	"CR dot CR":              "text\r.\r",
	"CR dot CRLF":            "text\r.\r\n",
	"CRLF dot CR":            "text\r\n.\rtext",
	"CRLF dot CR CRLF":       "text\r\n.\r\r\n",
	"CRLF NUL dot CRLF":      "text\r\n\x00.\r\n",
	"CRLF dot NUL CRLF":      "text\r\n.\x00\r\n",
	"LF LF dot CRLF":         "text\n\n.\r\n",
	"LF CR dot CR LF":        "text\n\r.\r\n",
	"CR LF CR dot LF":        "text\r\n\r.\n",
	"CR CR LF dot CRLF":      "text\r\r\n.\r\n",
	"CRLF CR dot CRLF":       "text\r\n\r.\r\n",
	"CRLF CR CRLF dot CRLF":  "text\r\n\r\r\n.\r\n",
	"bare LF":                "one\ntwo\r\n",
	"bare CR":                "one\rtwo\r\n",
	"NUL":                    "one\x00two\r\n",
	"LF first":               "\n.\r\n",
	"CR first":               "\r.\r\n",
	"dot LF first":           ".\n",
	"dot CR first":           ".\rQ",
	"CR at the end of text":  "text\r",
	"long line with bare LF": strings.Repeat("x", 9000) + "\n.\r\n",
}

const smuggled = "MAIL FROM:<evil@client.example>\r\nRCPT TO:<bob@weir.example>\r\nDATA\r\nSubject: smuggled\r\n\r\nhidden\r\n.\r\n"

func TestDoubtfulLineEndsAreRefusedAndNothingBehindThemIsExecuted(t *testing.T) {
	f := newFront(t, func(f *front) { f.Limits.SessionsPerIP = 1000 })
	for name, vector := range doubtful {
		for _, at := range []string{"", "Subject: x\r\n\r\n", note} {
			c := f.rcpt()
			c.cmd("DATA", "354")
			c.send(at + vector + smuggled + "QUIT\r\n")
			if got := c.reply(); !strings.HasPrefix(got, "550 5.6.11") {
				t.Errorf("%s: reply %q", name, got)
			}
			if got := c.reply(); got != "" {
				t.Errorf("%s: the session goes on with %q", name, got)
			}
		}
	}
	if n := len(f.sink.Messages()); n != 0 {
		t.Errorf("%d messages reached the backend", n)
	}
}

// The same byte by byte, so that no state may hide between two reads.
func TestDoubtfulLineEndsAreSeenAcrossReads(t *testing.T) {
	for name, vector := range doubtful {
		var b body
		found := false
		for _, c := range []byte(vector + "x") {
			if _, end, err := b.scan([]byte{c}); err != nil {
				found = true
				break
			} else if end {
				t.Errorf("%s: taken for an end", name)
				break
			}
		}
		if !found {
			t.Errorf("%s: not seen", name)
		}
	}
}

// FuzzBody compares the scanner with a plain definition of what it must find.
func FuzzBody(f *testing.F) {
	for _, vector := range doubtful {
		f.Add([]byte(vector+".\r\n"), 3)
	}
	f.Add([]byte("a\r\n..b\r\n.\r\nQUIT\r\n"), 1)
	f.Fuzz(func(t *testing.T, data []byte, step int) {
		if step < 1 {
			step = 1
		}
		want, wantEnd, wantErr := plainScan(data)
		var b body
		n := 0
		var end bool
		var err error
		for n < len(data) && !end && err == nil {
			var m int
			m, end, err = b.scan(data[n:min(len(data), n+step)])
			n += m
		}
		if n != want || end != wantEnd || (err != nil) != wantErr {
			t.Fatalf("%q by %d: %d %v %v, want %d %v %v", data, step, n, end, err, want, wantEnd, wantErr)
		}
	})
}

// plainScan says where the first doubtful byte or the end of a message is.
func plainScan(data []byte) (n int, end, bad bool) {
	for i, c := range data {
		cr := i > 0 && data[i-1] == '\r'
		if c == 0 || c == '\n' && !cr || c != '\n' && cr {
			return i, false, true
		}
		if c == '\n' && (bytes.HasSuffix(data[:i+1], []byte("\r\n.\r\n")) || string(data[:i+1]) == ".\r\n") {
			return i + 1, true, false
		}
	}
	return len(data), false, false
}

func BenchmarkBody(b *testing.B) {
	data := []byte(strings.Repeat(strings.Repeat("x", 70)+"\r\n", 142))
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		var s body
		if _, _, err := s.scan(data); err != nil {
			b.Fatal(err)
		}
	}
}
