package proxy

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"weir/proxy/backend/sink"
)

// newChunkFront is a front whose server offers CHUNKING.
func newChunkFront(t testing.TB, change func(*front)) *front {
	return newFront(t, func(f *front) {
		f.sink.Set(sink.Script{Offers: append([]string{"CHUNKING"}, sink.Offers...)})
		f.Limits.SessionsPerIP, f.Limits.Errors = 1000, 1000
		if change != nil {
			change(f)
		}
	})
}

// chunked is a message in chunks of n octets, the last one empty.
func chunked(message string, n int) string {
	var out strings.Builder
	for len(message) > 0 {
		n = min(n, len(message))
		fmt.Fprintf(&out, "BDAT %d\r\n%s", n, message[:n])
		message = message[n:]
	}
	return out.String() + "BDAT 0 LAST\r\n"
}

// sendChunks sends a message in chunks and returns the reply to the last.
func (c *talker) sendChunks(message string, n int) string {
	go func() { _, _ = c.conn.Write([]byte(chunked(message, n))) }() // the session may have ended before it is all sent
	for {
		if got := c.reply(); got != "250 2.0.0 Chunk taken" {
			return got
		}
	}
}

func TestAMessageInChunksArrivesAsItWasSent(t *testing.T) {
	f := newChunkFront(t, nil)
	for name, message := range map[string]string{
		"ordinary":         note,
		"empty":            "",
		"dots":             ".\r\n" + note + ".\r\n..\r\n.x\r\n\r\n.\r\n",
		"commands as text": note + ".\r\nQUIT\r\nBDAT 5 LAST\r\n",
		"8-bit":            "Subject: x\r\n\r\n\xd0\xbf\xff\x1b\x7f\r\n",
		"large":            "Subject: x\r\n\r\n" + strings.Repeat(strings.Repeat(".", 70)+"\r\n", 10_000),
	} {
		for _, n := range []int{1, 2, 7, 4095, 4096, 4097, 65536, 1 << 20} {
			if len(message)/n > 5000 {
				continue
			}
			c := f.rcpt()
			if got := c.sendChunks(message, n); got != "250 2.0.0 taken" {
				t.Fatalf("%s by %d: %q", name, n, got)
			}
			all := f.taken()
			if got := delivered(t, all[len(all)-1]); got != message {
				t.Errorf("%s by %d: %d bytes sent, %d arrived: %.200q", name, n, len(message), len(got), got)
			}
			c.cmd("QUIT", "221")
		}
	}
}

func TestALastLineWithoutItsEndGetsOne(t *testing.T) {
	f := newChunkFront(t, nil)
	c := f.rcpt()
	c.send("BDAT 15 LAST\r\nSubject: x\r\n\r\n.")
	c.expect("250 2.0.0 taken")
	if got := delivered(t, f.taken()[0]); got != "Subject: x\r\n\r\n.\r\n" {
		t.Errorf("arrived as %q", got)
	}
}

// Each step is what is sent, and how each of the replies begins.
func TestChunksOutOfPlace(t *testing.T) {
	f := newChunkFront(t, func(f *front) { f.Limits.MessageSize = 100 })
	open := "MAIL FROM:<a@client.example>\r\nRCPT TO:<bob@weir.example>\r\n"
	opened := []string{"250 2.1.0", "250 2.1.5"}
	whole := "BDAT 14 LAST\r\nSubject: y\r\n\r\n"
	for _, c := range []struct {
		name, send string
		want       []string
		messages   int
	}{
		{"no transaction", "BDAT 6\r\nQUIT\r\nNOOP\r\n", []string{"503 5.5.1", "250 2.0.0 Done"}, 0},
		{"no recipient", "MAIL FROM:<a@client.example>\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n", []string{"250", "554 5.5.1", "250 2.0.0 Done"}, 0},
		{"DATA behind", open + "BDAT 5\r\nab: cDATA\r\nNOOP\r\n", append(opened[:2:2], "250", "503 5.5.1", ""), 0},
		{"DATA behind, alone", open + "BDAT 5\r\nab: cMAIL FROM:<>\r\nRCPT TO:<eve@weir.example>\r\nVRFY x\r\nSTARTTLS\r\nBDAT 0 LAST\r\n",
			append(opened[:2:2], "250", "503", "503", "252", "503", "250 2.0.0 taken"), 1},
		{"BDAT behind DATA", open + "DATA\r\nx\r\n.\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n", append(opened[:2:2], "354", "250", "503", "250"), 1},
		{"RSET between", open + "BDAT 10\r\nX: y\r\nRSETRSET\r\nBDAT 4 LAST\r\nQUIT" + open + whole,
			append(opened[:2:2], "250", "250", "503", opened[0], opened[1], "250 2.0.0 taken"), 1},
		{"EHLO between", open + "BDAT 6\r\nX: y\r\nHELO x.example\r\n" + open + "DATA\r\nx: y\r\n.\r\n",
			append(opened[:2:2], "250", "250 mx", opened[0], opened[1], "354", "250"), 1},
		{"QUIT between", open + "BDAT 6\r\nX: y\r\nQUIT\r\n", append(opened[:2:2], "250", "221", ""), 0},
		{"too large at once", open + "BDAT 101 LAST\r\n" + strings.Repeat("QUIT\r\n", 16) + "QUIT\r" + open + whole,
			append(opened[:2:2], "552 5.3.4", opened[0], opened[1], "250 2.0.0 taken"), 1},
		{"too large together", open + "BDAT 6\r\nX: y\r\nBDAT 96\r\n" + strings.Repeat("QUIT\r\n", 16) + "BDAT 4 LAST\r\nQUIT" + open + whole,
			append(opened[:2:2], "250", "552 5.3.4", "503", opened[0], opened[1], "250 2.0.0 taken"), 1},
		{"far too large", open + "BDAT 201 LAST\r\nQUIT\r\n", append(opened[:2:2], "552 5.3.4", ""), 0},
		{"no number", open + "BDAT\r\nNOOP\r\n", append(opened[:2:2], "501 5.5.4", ""), 0},
		{"a negative", open + "BDAT -1 LAST\r\nNOOP\r\n", append(opened[:2:2], "501 5.5.4", ""), 0},
		{"a sign", open + "BDAT +4 LAST\r\nNOOP\r\n", append(opened[:2:2], "501 5.5.4", ""), 0},
		{"2^63", open + "BDAT 9223372036854775808 LAST\r\nNOOP\r\n", append(opened[:2:2], "552", ""), 0},
		{"2^64", open + "BDAT 18446744073709551620 LAST\r\nNOOP\r\n", append(opened[:2:2], "552", ""), 0},
		{"hexadecimal", open + "BDAT 0x4 LAST\r\nNOOP\r\n", append(opened[:2:2], "501", ""), 0},
		{"junk behind", open + "BDAT 4 FIRST\r\nNOOP\r\n", append(opened[:2:2], "501", ""), 0},
		{"more behind", open + "BDAT 4 LAST LAST\r\nNOOP\r\n", append(opened[:2:2], "501", ""), 0},
		{"lower case", open + "bdat 0006 last\r\nX: y\r\n", append(opened[:2:2], "250 2.0.0 taken"), 1},
		{"two messages", open + whole + open + whole, append(append(opened[:2:2], "250 2.0.0 taken"), append(opened[:2:2], "250 2.0.0 taken")...), 2},
		{"a message that tries to end", open + "BDAT 40 LAST\r\nX: y\r\n\r\n.\r\nMAIL FROM:<e@f.example>\r\n.\r\nx" + open, append(append(opened[:2:2], "250 2.0.0 taken"), opened...), 1},
	} {
		before := len(f.sink.Messages())
		talk := f.hello()
		talk.send(c.send)
		for i, want := range c.want {
			if got := talk.reply(); !strings.HasPrefix(got, want) || want == "" && got != "" {
				t.Errorf("%s: reply %d is %q, want %q", c.name, i, got, want)
				break
			}
		}
		talk.conn.Close()
		if n := len(f.sink.Messages()) - before; n != c.messages {
			t.Errorf("%s: %d messages, want %d", c.name, n, c.messages)
		}
	}
}

func TestWhereChunksAreNotOfferedTheyAreNotRead(t *testing.T) {
	f := newFront(t, nil)
	c := f.rcpt()
	c.cmd("BDAT 6 LAST\r\nQUIT", "502 5.5.1")
	c.cmd("NOOP", "250")
	c = newChunkFront(t, nil).hello()
	c.cmd("HELO client.example", "250")
	c.cmd("MAIL FROM:<a@client.example>", "250")
	c.cmd("RCPT TO:<bob@weir.example>", "250")
	c.cmd("BDAT 6 LAST\r\nQUIT", "502 5.5.1")
}

// A message cut off anywhere is none.
func TestChunksCutOff(t *testing.T) {
	f := newChunkFront(t, nil)
	all := chunked(note, 20)
	for cut := range len(all) {
		c := f.rcpt()
		c.send(all[:cut])
		_ = c.conn.(*net.TCPConn).CloseWrite()
		for got := c.reply(); got != ""; got = c.reply() {
			if got != "250 2.0.0 Chunk taken" {
				t.Errorf("cut at %d: %q", cut, got)
			}
		}
	}
	if n := len(f.sink.Messages()); n != 0 {
		t.Errorf("%d messages", n)
	}
}

func TestChunksThatDripAreCutOff(t *testing.T) {
	f := newChunkFront(t, func(f *front) { f.Limits.CommandTimeout = 300 * time.Millisecond })
	f.rcpt().dripsUntilCutOff("BDAT 1\r\nx")
}

// FuzzChunks compares a message in chunks with what was sent: as it is where it is no text, else mended by a plain
// definition, or refused.
func FuzzChunks(f *testing.F) {
	for _, vector := range doubtful {
		f.Add([]byte(vector), 3, true, false)
		f.Add([]byte(vector), 1, false, false)
		f.Add([]byte("A: b\r\n\r\n"+vector), 2, false, true)
		f.Add([]byte(vector), 2, false, true)
	}
	f.Add([]byte(".\r\n..\r\n.\r"), 2, true, false)
	f.Fuzz(func(t *testing.T, data []byte, step int, mend, binary bool) {
		c := chunks{mend: mend && !binary, binary: binary}
		var got []byte
		var err error
		for rest := data; len(rest) > 0 && err == nil; {
			n := min(max(step, 1), len(rest))
			err = c.take(rest[:n])
			got = append(got, c.read...)
			rest = rest[n:]
		}
		if err == nil {
			err = c.end()
			got = append(got, c.read...)
		}
		want, good := readAs(string(data), c.mend, binary)
		if good != (err == nil) {
			t.Fatalf("%q, mended %v, binary %v: %q, %v", data, mend, binary, got, err)
		}
		if good && string(got) != want {
			t.Fatalf("%q, mended %v, binary %v: %q, want %q", data, mend, binary, got, want)
		}
	})
}

// readAs is what a message in chunks is to be, and whether it may be.
func readAs(data string, mend, binary bool) (string, bool) {
	header, body := data, ""
	if binary {
		if end := strings.Index("\r\n"+data, "\r\n\r\n"); end >= 0 {
			header, body = data[:end+2], data[end+2:]
		}
	}
	text := strings.ReplaceAll(header, "\r\n", "")
	if strings.Contains(text, "\x00") || !mend && strings.ContainsAny(text, "\r\n") {
		return "", false
	}
	if binary {
		return header + body, true
	}
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(data)
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return strings.ReplaceAll(text, "\n", "\r\n"), true
}
