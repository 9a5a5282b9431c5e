package proxy

import (
	"bufio"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"weir/proxy/backend"
)

// laxEnd is what some server somewhere has taken for the end of a message.
var laxEnd = regexp.MustCompile(`[\r\n\x00]\.[\r\n\x00]`)

// lax is a server that takes every line end for one and every dot between two of them for the end of a message.
type lax struct {
	net.Listener
	blind    bool // it does not know the BDAT that it offers
	mu       sync.Mutex
	commands []string
	ends     int
}

func newLax(t *testing.T) *lax {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &lax{Listener: l}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { defer c.Close(); s.serve(c) })
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	return s
}

func (s *lax) serve(c net.Conn) {
	r := bufio.NewReader(c)
	_, _ = fmt.Fprint(c, "220 lax.example\r\n")
	for {
		line, err := laxLine(r)
		if err != nil {
			return
		}
		s.mu.Lock()
		s.commands = append(s.commands, line)
		s.mu.Unlock()
		switch strings.ToUpper(line[:min(4, len(line))]) {
		case "EHLO":
			_, _ = fmt.Fprint(c, "250-lax.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-BINARYMIME\r\n250 CHUNKING\r\n")
		case "DATA":
			_, _ = fmt.Fprint(c, "354 go on\r\n")
			if s.message(r) != nil {
				return
			}
			_, _ = fmt.Fprint(c, "250 2.0.0 taken\r\n")
		case "BDAT":
			if s.blind {
				_, _ = fmt.Fprint(c, "500 5.5.2 what?\r\n")
			} else if s.chunk(r, line) != nil {
				return
			} else {
				_, _ = fmt.Fprint(c, "250 2.0.0 taken\r\n")
			}
		case "QUIT":
			return
		default:
			_, _ = fmt.Fprint(c, "250 ok\r\n")
		}
	}
}

// chunk reads the octets of a BDAT, which were counted.
func (s *lax) chunk(r *bufio.Reader, line string) error {
	words := strings.Fields(line)
	n, err := strconv.Atoi(words[1])
	if err != nil {
		return err
	}
	if b, err := r.ReadByte(); err != nil || b != '\n' { // of the command's CRLF
		return errPath
	}
	if _, err := r.Discard(n); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(words) > 2 {
		s.ends++
	}
	return nil
}

// laxLine reads to a line end of whatever kind, which it drops with those that follow in the same breath.
func laxLine(r *bufio.Reader) (string, error) {
	var line []byte
	for {
		b, err := r.ReadByte()
		switch {
		case err != nil:
			return "", err
		case b != '\r' && b != '\n' && b != 0:
			line = append(line, b)
		case len(line) > 0:
			return string(line), nil
		}
	}
}

func (s *lax) message(r *bufio.Reader) error {
	tail := []byte("\n")
	for {
		b, err := r.ReadByte()
		if err != nil {
			return err
		}
		if tail = append(tail, b); laxEnd.Match(tail) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.ends++
			return nil
		}
		if len(tail) > 3 {
			tail = append(tail[:0], tail[1:]...)
		}
	}
}

// executed forgets and returns what was taken for commands, and how many messages were seen to end.
func (s *lax) executed() (string, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	commands, ends := strings.Join(s.commands, "\n"), s.ends
	s.commands, s.ends = nil, 0
	return commands, ends
}

// Every line end before a dot and every one behind it, across every border that there is between client and server, by
// DATA and by BDAT, refused and mended: nothing behind it is executed, by us or by a server that takes all of them for
// the end of a message.
func TestNothingIsSmuggled(t *testing.T) {
	for _, mend := range []bool{false, true} {
		server := newLax(t)
		f := newFront(t, func(f *front) {
			f.Backend = &backend.Backend{Addrs: []string{server.Addr().String()}, Hello: "mx.weir.example", Timeout: bound}
			f.Limits.SessionsPerIP = 10_000
			f.Dialogue.Mend = mend
			withTLS(t, StartTLS)(f)
		})
		ends := []string{"\n", "\r", "\r\n", "\x00", "\r\r\n", "\n\r", "\r\n\r", "\r\n\x00", "\r\x00\n", "\n\n", "\r\r"}
		n := 0
		for _, before := range ends {
			for _, behind := range ends {
				for _, at := range []int{0, inBuffer, 4096, bodyBorder} {
					n++
					v := vector{before + "." + behind, at, n%2 == 0, n%5 == 0, n%3 == 0, mend, false}
					if v.isEnd() {
						v.chunked = true // where it is text
					}
					v.send(f, server)
				}
			}
		}
	}
}

// The same in the body of a message that is no text, which is counted: all of it arrives and none is executed, also by a
// server that does not know the BDAT it offers.
func TestNothingIsSmuggledInBinary(t *testing.T) {
	server := newLax(t)
	f := newFront(t, func(f *front) {
		f.Backend = &backend.Backend{Addrs: []string{server.Addr().String()}, Hello: "mx.weir.example", Timeout: bound}
		f.Limits.SessionsPerIP = 10_000
		withTLS(t, StartTLS)(f)
	})
	ends := []string{"\n", "\r", "\r\n", "\x00", "\n\r", "\r\n\r\n"}
	for _, before := range ends {
		for _, behind := range ends {
			for n, at := range []int{0, inBuffer, 4096, bodyBorder} {
				vector{before + "." + behind, at, true, n%2 == 0, n < 2, false, true}.send(f, server)
			}
		}
	}
	blind := newLax(t)
	blind.blind = true
	f = newFront(t, func(f *front) {
		f.Backend = &backend.Backend{Addrs: []string{blind.Addr().String()}, Hello: "mx.weir.example", Timeout: bound}
	})
	blind.executed()
	if got := f.deliverBinary("X: y\r\n\r\n\r\nMAIL FROM:<evil@client.example>\r\n"); !strings.HasPrefix(got, "500 5.5.2") && !strings.HasPrefix(got, "451 4.4.2") { // it may have said more by then
		t.Errorf("reply %q", got)
	}
	if commands, _ := blind.executed(); strings.Contains(commands, "evil") || !strings.Contains(commands, "BDAT") {
		t.Errorf("the server has executed %q", commands)
	}
}

// bodyBorder is where the buffers of the way to the server change.
const bodyBorder = 64 << 10

// vector is one attempt.
type vector struct {
	ends    string
	at      int  // bytes before the dot
	chunked bool // by BDAT
	tls     bool
	split   bool // in a segment, or a record, of its own for each byte around the dot
	mend    bool
	binary  bool // by BDAT, in the body of a message that is no text
}

// isEnd reports whether the vector holds what ends a message that comes by DATA.
func (v vector) isEnd() bool {
	return strings.Contains(v.ends, "\r\n.\r\n") && (v.mend || strings.HasPrefix(v.ends, "\r\n."))
}

func (v vector) send(f *front, server *lax) {
	f.t.Helper()
	server.executed()
	c := f.hello()
	if v.tls {
		c.cmd("STARTTLS", "220")
		c = c.encrypted()
		c.cmd("EHLO client.example", "250")
	}
	mail := "MAIL FROM:<ann@client.example>"
	if v.binary {
		mail += " BODY=BINARYMIME"
	}
	c.cmd(mail, "250")
	c.cmd("RCPT TO:<bob@weir.example>", "250")
	head, hidden := "X: "+strings.Repeat("x", max(0, v.at-3-strings.IndexByte(v.ends, '.'))), "MAIL FROM:<evil@client.example>\r\nRCPT TO:<bob@weir.example>\r\nDATA\r\nhidden\r\n"
	if v.binary {
		head = "X: y\r\n\r\n" + head
	}
	pieces := []string{head, v.ends, hidden}
	if v.split {
		pieces = append(append([]string{head}, strings.Split(v.ends, "")...), hidden)
	}
	if !v.chunked {
		c.cmd("DATA", "354")
		pieces = append(pieces, ".\r\n")
	} else {
		for i, p := range pieces {
			pieces[i] = fmt.Sprintf("BDAT %d\r\n%s", len(p), p)
		}
		pieces = append(pieces, "BDAT 0 LAST\r\n")
	}
	for _, p := range pieces {
		_, _ = c.conn.Write([]byte(p)) // the session may have ended
	}
	got := c.reply()
	for v.chunked && got == "250 2.0.0 Chunk taken" {
		got = c.reply()
	}
	want, messages := "250 2.0.0 taken", 1
	if v.binary {
		want = "250 2.0.0 taken"
	} else if doubtful := strings.ContainsAny(strings.ReplaceAll(v.ends, "\r\n", ""), "\r\n"); strings.Contains(v.ends, "\x00") || doubtful && !v.mend {
		want, messages = "550 5.6.11", 0
	}
	if !strings.HasPrefix(got, want) || messages == 0 && c.reply() != "" {
		f.t.Errorf("%+v: %q", v, got)
	}
	c.conn.Close()
	if commands, ends := server.executed(); strings.Contains(commands, "evil") || strings.Contains(commands, "hidden") || ends != messages {
		f.t.Errorf("%+v: %d messages, and the server has executed %q", v, ends, commands)
	}
}
