package proxy

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"weir/proxy/backend/sink"
)

var update = flag.Bool("update", false, "write testdata/answers.txt anew")

// repeated is a character that stands for many.
var repeated = regexp.MustCompile(`\{.\*[0-9]+\}`)

// The states in which every command of testdata/answers.txt is said, in the order of its columns, and what leads to each.
// 'tls' is a handshake after all of that.
var answerStates = []struct {
	name, lead string
	tls, user  bool
}{
	{name: "start"},
	{name: "helo", lead: "HELO client.example"},
	{name: "ehlo", lead: "EHLO client.example"},
	{name: "mail", lead: "EHLO client.example|MAIL FROM:<ann@client.example>"},
	{name: "refused", lead: "EHLO client.example|MAIL FROM:<ann@client.example>|RCPT TO:<nobody@weir.example>"},
	{name: "rcpt", lead: "EHLO client.example|MAIL FROM:<ann@client.example>|RCPT TO:<bob@weir.example>"},
	{name: "chunk", lead: "EHLO client.example|MAIL FROM:<ann@client.example>|RCPT TO:<bob@weir.example>|BDAT 6\r\nX: y"},
	{name: "binary", lead: "EHLO client.example|MAIL FROM:<ann@client.example> BODY=BINARYMIME|RCPT TO:<bob@weir.example>"},
	{name: "tls", lead: "EHLO client.example|STARTTLS", tls: true},
	{name: "user", lead: "EHLO client.example|STARTTLS", tls: true, user: true},
}

// TestAnswers says every command of testdata/answers.txt in every state and compares code and enhanced code; an x says that
// the session ended with it. What a 334 or 354 asks for is given, and the reply to that follows behind a comma.
func TestAnswers(t *testing.T) {
	const file = "testdata/answers.txt"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	in, out := answerFronts(t)
	var rows [][]string
	for line := range strings.Lines(string(text)) {
		quoted, err := strconv.QuotedPrefix(line)
		if err != nil {
			if rows = append(rows, []string{strings.TrimRight(line, "\n")}); strings.HasPrefix(line, "#") || line == "\n" {
				continue
			}
			t.Fatalf("%s: %q", file, line)
		}
		command, _ := strconv.Unquote(quoted)
		command = repeated.ReplaceAllStringFunc(command, func(s string) string {
			n, _ := strconv.Atoi(s[3 : len(s)-1])
			return strings.Repeat(s[1:2], n)
		})
		want, row := strings.Fields(line[len(quoted):]), []string{quoted}
		for i, state := range answerStates {
			f := in
			if state.user {
				f = out
			}
			got := f.answer(i, command)
			row = append(row, got)
			if !*update && (i >= len(want) || want[i] != got) {
				t.Errorf("%s in state %s: %s, want %q", quoted, state.name, got, want)
			}
		}
		rows = append(rows, row)
	}
	if *update {
		writeAnswers(t, file, rows)
	}
}

// answerFronts are a listener for mail and one for users.
func answerFronts(t *testing.T) (in, out *front) {
	behind := sink.Script{
		Offers: append([]string{"CHUNKING", "BINARYMIME", "AUTH PLAIN"}, sink.Offers...),
		Users:  map[string]string{"ann": "secret"},
		Rcpt: func(path string) string {
			if path == "nobody@weir.example" {
				return "550 5.1.1 nobody"
			}
			return ""
		},
	}
	set := func(f *front) {
		withTLS(t, StartTLS)(f)
		f.Limits.SessionsPerIP, f.Limits.Errors, f.Limits.MessageSize = 1000, 1000, 1000
		f.sink.Set(behind)
	}
	in = newFront(t, set)
	out = newFront(t, func(f *front) { set(f); f.listener.Outbound = true })
	return in, out
}

// answer brings a new session to a state and says a command.
func (f *front) answer(state int, command string) string {
	f.t.Helper()
	c, s := f.dial(), answerStates[state]
	defer func() { c.conn.Close() }()
	for line := range strings.SplitSeq(s.lead, "|") {
		if line != "" {
			c.cmdAny(line)
		}
	}
	if s.tls {
		c = c.encrypted()
	}
	if s.user {
		c.cmd("EHLO client.example", "250")
		c.cmd("AUTH PLAIN "+b64("\x00ann\x00secret"), "235")
	}
	got := c.cmdAny(command)
	said := short(got)
	switch {
	case strings.HasPrefix(got, "334"):
		said += "," + short(c.cmdAny("*"))
	case strings.HasPrefix(got, "354"):
		said += "," + short(c.cmdAny("X: y\r\n."))
	case strings.HasPrefix(got, "220"):
		return said
	}
	_, _ = c.conn.Write([]byte("NOOP\r\n")) // the session may have ended
	if c.reply() == "" {
		said += "x"
	}
	return said
}

// short is a reply's code, and its enhanced code if it has one.
func short(reply string) string {
	code, rest, _ := strings.Cut(reply[strings.LastIndexByte(reply, '\n')+1:], " ")
	if enhanced, _, _ := strings.Cut(rest, " "); isEnhanced(enhanced) {
		return code + "/" + enhanced
	}
	return code
}

// writeAnswers writes the table with its columns under each other.
func writeAnswers(t *testing.T, file string, rows [][]string) {
	var width []int
	for _, row := range rows {
		for i, cell := range row {
			if len(width) <= i {
				width = append(width, 0)
			}
			if len(row) > 1 {
				width[i] = max(width[i], utf8.RuneCountInString(cell))
			}
		}
	}
	var out strings.Builder
	for _, row := range rows {
		line := row[0]
		if len(row) > 1 {
			line = ""
			for i, cell := range row {
				line += fmt.Sprintf("%-*s  ", width[i], cell)
			}
		}
		out.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestForWhomAUserVouchesIsNotPassedOn(t *testing.T) {
	_, f := answerFronts(t)
	c := f.hello()
	c.cmd("STARTTLS", "220")
	c = c.encrypted()
	c.cmd("EHLO client.example", "250")
	c.cmd("AUTH PLAIN "+b64("\x00ann\x00secret"), "235")
	c.cmd("MAIL FROM:<ann@weir.example> auth=eve@weir.example BODY=8BITMIME", "250")
	c.cmd("RCPT TO:<bob@weir.example>", "250")
	c.data(note, "250")
	if got := f.taken()[0].Mail; got != "FROM:<ann@weir.example> BODY=8BITMIME" {
		t.Errorf("MAIL %s", got)
	}
}
