package backend

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"weir/proxy/backend/sink"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t testing.TB) (*sink.Sink, *Backend) {
	t.Helper()
	s, err := sink.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, &Backend{Addrs: []string{s.Addr()}, Hello: "mx.weir.example", Timeout: 500 * time.Millisecond}
}

// open opens a connection with a transaction and one recipient.
func open(t testing.TB, b *Backend) *Conn {
	t.Helper()
	c, err := b.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	c.Mail("<ann@client.example>", nil)
	if r, err := c.Rcpt("<bob@weir.example>", nil); err != nil || !r.OK() {
		t.Fatalf("RCPT: %v, %v", r, err)
	}
	return c
}

// until waits for something that another goroutine brings about.
func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(10 * time.Second); !holds(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("no %s", what)
		}
	}
}

func TestAMessageInParts(t *testing.T) {
	s, b := start(t)
	for _, parts := range [][]string{
		{"A: b\r\n", "\r\n.dot\r\n", "..two\r\n.\r\n"}, {"no end"}, {""}, {".", ".\r\n.", "x\r\n"}, {"a\r\n", ".\r\n"}, {"a\r", "\n.b\r\n"},
	} {
		c := open(t, b)
		var bytes [][]byte
		for _, p := range parts {
			bytes = append(bytes, []byte(p))
		}
		r, err := c.Data(bytes...)
		if err != nil || r.String() != "250 2.0.0 taken" {
			t.Fatalf("%q: %v, %v", parts, r, err)
		}
		want := strings.Join(parts, "")
		if want != "" && !strings.HasSuffix(want, "\r\n") {
			want += "\r\n"
		}
		all := s.Messages()
		if got := string(all[len(all)-1].Data); got != want {
			t.Errorf("%q arrived as %q", parts, got)
		}
	}
}

func TestPipeliningOnlyWhereOffered(t *testing.T) {
	s, b := start(t)
	for _, offers := range [][]string{{"PIPELINING"}, {"8BITMIME"}} {
		s.Set(sink.Script{Offers: offers})
		c := open(t, b)
		if r, err := c.Data([]byte("A: b\r\n")); err != nil || !r.OK() {
			t.Errorf("%q: %v, %v", offers, r, err)
		}
	}
}

func TestARefusalOfMailIsThatOfEachRecipient(t *testing.T) {
	s, b := start(t)
	for _, offers := range [][]string{{"PIPELINING"}, {}} {
		s.Set(sink.Script{Offers: offers, On: map[sink.Stage]sink.Action{sink.Mail: {Kind: sink.Answer, Text: "550 5.7.1 no"}}})
		c, err := b.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		c.Mail("<ann@client.example>", nil)
		for range 2 {
			if r, err := c.Rcpt("<bob@weir.example>", nil); err != nil || r.String() != "550 5.7.1 no" {
				t.Errorf("%v, %v", r, err)
			}
		}
		s.Set(sink.Script{})
		c.Rest()
		if err := c.Resume(); err != nil {
			t.Error(err)
		}
		c.Quit()
	}
}

func TestARestingConnectionThatEndedIsNotResumed(t *testing.T) {
	s, b := start(t)
	c := open(t, b)
	c.Rest()
	if err := c.Resume(); err != nil {
		t.Fatalf("a live one: %v", err)
	}
	c.Rest()
	s.Drop()
	if err := c.Resume(); err == nil {
		t.Error("a dead one was resumed")
	}
}

func TestTheContextEndsEveryWait(t *testing.T) {
	s, b := start(t)
	b.Timeout = time.Hour
	s.Set(sink.Script{On: map[sink.Stage]sink.Action{sink.Dot: {Kind: sink.Hang}}})
	ctx, cancel := context.WithCancel(t.Context())
	c, err := b.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	c.Mail("<>", nil)
	if _, err := c.Rcpt("<bob@weir.example>", nil); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := c.Data([]byte("A: b\r\n")); err == nil {
		t.Error("no error")
	}
	c.Close()
}

func TestAnAddressThatIsDownIsAskedLast(t *testing.T) {
	s, b := start(t)
	gone, err := sink.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	b.Addrs = []string{gone.Addr(), s.Addr()}
	open(t, b)
	if got := ordered(t, b); got[0] != s.Addr() || got[1] != gone.Addr() {
		t.Errorf("order %v", got)
	}
	s.Set(sink.Script{On: map[sink.Stage]sink.Action{sink.Banner: {Kind: sink.Answer, Text: "421 4.3.2 no"}}})
	if _, err := b.Open(t.Context()); err == nil || !strings.Contains(err.Error(), gone.Addr()) || !strings.Contains(err.Error(), "421 4.3.2 no") {
		t.Errorf("error %v", err)
	}
}

func TestWhatIsOffered(t *testing.T) {
	s, b := start(t)
	if b.Offers() != nil {
		t.Error("offers before any greeting")
	}
	s.Set(sink.Script{Offers: []string{"size 1000", "8bitmime", "AUTH PLAIN LOGIN"}})
	if err := b.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	if e := b.Offers(); e.MaxSize() != 1000 || !e.Has("8BITMIME") || e["AUTH"] != "PLAIN LOGIN" || e.Has("DSN") {
		t.Errorf("offers %v", e)
	}
	if n := (Extensions{"SIZE": "x"}).MaxSize(); n != 0 {
		t.Errorf("size %d", n)
	}
}

func TestReplies(t *testing.T) {
	for in, want := range map[string]string{
		"250 ok\r\n":                     "250 ok",
		"250\r\n":                        "250",
		"250 \r\n":                       "250",
		"250-a\r\n250-\r\n250 b\r\n":     "250 a /  / b",
		"550 a\tb\n":                     "550 a\tb",
		"550 \x00\x1b\x7f\r\r\n":         "550 ???",
		"550 \xff\r\n":                   "550 ?",
		"250-a\r\n250\r\n":               "250 a /",
		"354 go\r\n":                     "354 go",
		"220 x\r\n" + "garbage after it": "220 x",
	} {
		if r, err := readReply(bufio.NewReaderSize(strings.NewReader(in), maxReplyLine)); err != nil || r.String() != want {
			t.Errorf("%q: %q, %v", in, r, err)
		}
	}
	for in, want := range map[string]error{
		"HTTP/1.1 400\r\n":                   errNoReply,
		"25":                                 nil,
		"\r\n":                               errNoReply,
		"2500 x\r\n":                         errNoReply,
		"150 x\r\n":                          errNoReply,
		"650 x\r\n":                          errNoReply,
		"250-a\r\n550 b\r\n":                 errMixedCodes,
		"250 " + strings.Repeat("x", 5000):   errLongReply,
		strings.Repeat("250-x\r\n", 101):     errLongReply,
		"250-a\r\n" + "\xff\xff\xff\xff\r\n": errNoReply,
	} {
		r, err := readReply(bufio.NewReaderSize(strings.NewReader(in), maxReplyLine))
		if err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%.30q: %v, %v", in, r, err)
		}
	}
}

// FuzzReply: whatever a server sends, a reply is a few lines of text with one code.
func FuzzReply(f *testing.F) {
	f.Add([]byte("250-a\r\n250 b\r\n"))
	f.Add([]byte("550 5.1.1 \xff\x00\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := readReply(bufio.NewReaderSize(strings.NewReader(string(data)), maxReplyLine))
		if err != nil {
			return
		}
		if r.Code < 200 || r.Code > 599 || len(r.Lines) == 0 || len(r.Lines) > maxReplyLines {
			t.Fatalf("%q: %+v", data, r)
		}
		if again, err := readReply(bufio.NewReaderSize(strings.NewReader(r.wire()), maxReplyLine)); err != nil || !slices.Equal(again.Lines, r.Lines) || again.Code != r.Code {
			t.Fatalf("%q: %+v is read again as %+v, %v", data, r, again, err)
		}
		for _, line := range r.Lines {
			if strings.ContainsAny(line, "\r\n\x00\x1b\x7f") {
				t.Fatalf("%q: line %q", data, line)
			}
		}
	})
}

// wire writes a reply as a server would.
func (r Reply) wire() string {
	var all strings.Builder
	for i, line := range r.Lines {
		fmt.Fprintf(&all, "%d%c%s\r\n", r.Code, " -"[min(len(r.Lines)-1-i, 1)], line)
	}
	return all.String()
}

func BenchmarkTransaction(b *testing.B) {
	_, behind := start(b)
	message := []byte("Subject: x\r\n\r\n" + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 140))
	c, err := behind.Open(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { c.Close() }()
	b.ReportAllocs()
	for b.Loop() {
		c.Mail("<ann@client.example>", nil)
		if _, err := c.Rcpt("<bob@weir.example>", nil); err != nil {
			b.Fatal(err)
		}
		if r, err := c.Data(message); err != nil || !r.OK() {
			b.Fatal(r, err)
		}
		c.Rest()
		if c.Resume() != nil {
			if c, err = behind.Open(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
}
