package proxy

import (
	"bytes"
	"strings"
	"testing"
)

// Whatever some server takes for an end of data is text, byte by byte as in one piece, and nothing behind it runs.
func TestDoubtfulLineEndsAreMended(t *testing.T) {
	f := newFront(t, func(f *front) { f.Limits.SessionsPerIP, f.Dialogue.Mend = 1000, true })
	for name, vector := range doubtful {
		if strings.Contains(vector, "\x00") || strings.Contains(vector, "\r\n.\r\n") { // the latter is an end, by the letter
			continue
		}
		before := len(f.sink.Messages())
		c := f.rcpt()
		c.cmd("DATA", "354")
		c.send(note + vector + "last\r\n.\r\n")
		c.expect("250")
		c.cmd("NOOP", "250")
		got := delivered(t, f.sink.Messages()[before])
		if want := note + mended(vector+"last\r\n"); got != want {
			t.Errorf("%s: the backend has %q, want %q", name, got, want)
		}
	}
}

func TestNULIsRefusedWhereLineEndsAreMended(t *testing.T) {
	f := newFront(t, func(f *front) { f.Dialogue.Mend = true })
	c := f.rcpt()
	c.cmd("DATA", "354")
	c.send("one\x00two\r\n" + smuggled)
	c.expect("550 5.6.11")
	c.expect("")
	if n := len(f.sink.Messages()); n != 0 {
		t.Errorf("%d messages reached the backend", n)
	}
}

// mended is a plain definition: each bare CR and LF becomes CRLF, and dots are undone once a line.
func mended(text string) string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	text = strings.ReplaceAll(text, "\r", "\n")
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if len(line) > 1 && line[0] == '.' {
			lines[i] = line[1:]
		}
	}
	return strings.Join(lines, "\r\n")
}

// FuzzMend compares the mender with plain definitions of the end and of the text.
func FuzzMend(f *testing.F) {
	for _, vector := range doubtful {
		f.Add([]byte(vector+".\r\n"), 3)
	}
	f.Add([]byte("a\r\n..b\r\n.\r\nQUIT\r\n"), 1)
	f.Fuzz(func(t *testing.T, data []byte, step int) {
		step = max(step, 1)
		var m mender
		var got []byte
		n, end := 0, false
		var err error
		for n < len(data) && !end && err == nil {
			var took int
			got, took, end, err = m.mend(got, data[n:min(len(data), n+step)])
			n += took
		}
		text, ended := string(data), false
		if at := bytes.Index(append([]byte("\r\n"), data...), []byte("\r\n.\r\n")); at >= 0 {
			text, ended = text[:at], true
		}
		if strings.Contains(text, "\x00") {
			if err == nil {
				t.Fatalf("%q: NUL was taken", data)
			}
			return
		}
		if err != nil || end != ended {
			t.Fatalf("%q: end %v, error %v, want end %v", data, end, err, ended)
		}
		if !ended {
			return
		}
		lax := strings.ReplaceAll(string(got), "\r\n", "")
		if strings.ContainsAny(lax, "\r\n") || bytes.Index(append([]byte("\r\n"), got...), []byte("\r\n.\r\n")) != len(got)-3 {
			t.Fatalf("%q became %q", data, got)
		}
		if undone := mended(strings.TrimSuffix(string(got), ".\r\n")); undone != mended(text) {
			t.Fatalf("%q reads %q, want %q", data, undone, mended(text))
		}
	})
}

func BenchmarkMend(b *testing.B) {
	data := []byte(strings.Repeat(strings.Repeat("x", 70)+"\r\n", 142))
	b.SetBytes(int64(len(data)))
	out := make([]byte, 0, len(data))
	for b.Loop() {
		var m mender
		if _, _, _, err := m.mend(out, data); err != nil {
			b.Fatal(err)
		}
	}
}
