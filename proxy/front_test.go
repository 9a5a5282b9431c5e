package proxy

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"weir/filters"
	"weir/proxy/backend"
	"weir/proxy/backend/sink"
	"weir/rules"
	"weir/scoring/verdictlog"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bound is how long a test waits for anything.
const bound = time.Minute

// front is a server before a sink, both on loopback.
type front struct {
	*Server
	t        testing.TB
	sink     *sink.Sink
	listener Listener
	addr     string
	cancel   context.CancelFunc
	ended    chan error

	mu      sync.Mutex
	records []verdictlog.Record
}

// newFront starts a front; change, if not nil, is called before.
func newFront(t testing.TB, change func(*front)) *front {
	t.Helper()
	s, err := sink.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &front{t: t, sink: s, ended: make(chan error, 1)}
	gen := generation(&rules.Set{}, filters.NewPipeline(time.Second))
	f.Server = &Server{
		Hostname: "mx.weir.example", Version: "1.0.0",
		Settings: Settings{
			Backend: &backend.Backend{Addrs: []string{s.Addr()}, Hello: "mx.weir.example", Timeout: bound},
			Limits:  Limits{CommandTimeout: bound},
		},
		Current: func() *Generation { return gen },
		Record: func(r verdictlog.Record, _ []byte) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.records = append(f.records, r)
		},
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.listener = Listener{Name: "test", Net: l}
	f.addr = l.Addr().String()
	if change != nil {
		change(f)
	}
	ctx, cancel := context.WithCancel(context.Background())
	f.cancel = cancel
	go func() { f.ended <- f.Serve(ctx, f.listener) }()
	t.Cleanup(f.close)
	f.until("answer to the probe", func() bool { return f.Backend.Offers() != nil })
	return f
}

func (f *front) close() {
	f.cancel()
	select {
	case err := <-f.ended:
		if err != nil {
			f.t.Errorf("serving: %v", err)
		}
	case <-time.After(bound):
		f.t.Error("the server does not end")
	}
	f.ended <- nil
	f.sink.Close()
}

// generation makes a generation of a set written in Go, with a default policy if it has none.
func generation(set *rules.Set, checks *filters.Pipeline) *Generation {
	if len(set.Policies) == 0 {
		set.Policies = []*rules.Policy{{ID: "default", Thresholds: rules.NoThresholds()}}
	}
	return &Generation{Number: 7, Rules: set, Checks: checks}
}

// recorded waits until there are n records and returns them.
func (f *front) recorded(n int) []verdictlog.Record {
	f.t.Helper()
	var out []verdictlog.Record
	f.until("records", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		out = append(out[:0], f.records...)
		return len(out) >= n
	})
	if len(out) != n {
		f.t.Fatalf("%d records, want %d: %+v", len(out), n, out)
	}
	return out
}

// until waits for something that another goroutine brings about.
func (f *front) until(what string, holds func() bool) {
	f.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(bound); !holds(); <-tick.C {
		if time.Now().After(end) {
			f.t.Fatalf("no %s within %v", what, bound)
		}
	}
}

// taken returns the messages that the sink has taken.
func (f *front) taken() []sink.Message {
	var out []sink.Message
	for _, m := range f.sink.Messages() {
		if m.Taken {
			out = append(out, m)
		}
	}
	return out
}

// talker is a client that says exactly what it is told.
type talker struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
}

// dial connects and reads the greeting.
func (f *front) dial() *talker {
	f.t.Helper()
	c := f.connect()
	c.expect("220")
	return c
}

func (f *front) connect() *talker {
	f.t.Helper()
	conn, err := net.Dial("tcp", f.addr)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { conn.Close() })
	return newTalker(f.t, conn)
}

func newTalker(t testing.TB, conn net.Conn) *talker {
	_ = conn.SetDeadline(time.Now().Add(5 * bound))
	return &talker{t: t, conn: conn, r: bufio.NewReader(conn)}
}

// hello connects and says EHLO.
func (f *front) hello() *talker {
	f.t.Helper()
	c := f.dial()
	c.cmd("EHLO client.example", "250")
	return c
}

// rcpt connects and opens a transaction with one recipient.
func (f *front) rcpt() *talker {
	f.t.Helper()
	c := f.hello()
	c.cmd("MAIL FROM:<ann@client.example>", "250")
	c.cmd("RCPT TO:<bob@weir.example>", "250")
	return c
}

func (c *talker) send(bytes string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, bytes); err != nil {
		c.t.Fatalf("sending: %v", err)
	}
}

// reply reads one reply, lines separated by \n; "" when the connection has ended.
func (c *talker) reply() string {
	var lines []string
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return strings.Join(lines, "\n")
		}
		if !strings.HasSuffix(line, "\r\n") || len(line) > 512 || len(line) < 5 {
			c.t.Errorf("malformed reply line %q", line)
		}
		line = strings.TrimSuffix(line, "\r\n")
		lines = append(lines, line)
		if len(line) < 4 || line[3] != '-' {
			return strings.Join(lines, "\n")
		}
	}
}

// expect reads a reply and wants it to begin so; "" is the end of the connection.
func (c *talker) expect(want string) string {
	c.t.Helper()
	got := c.reply()
	if want == "" && got != "" || !strings.HasPrefix(got, want) {
		c.t.Fatalf("reply %q, want %q", got, want)
	}
	return got
}

func (c *talker) cmd(line, want string) string {
	c.t.Helper()
	c.send(line + "\r\n")
	got := c.reply()
	if !strings.HasPrefix(got, want) || want == "" && got != "" {
		c.t.Fatalf("%.100q: reply %q, want %q", line, got, want)
	}
	return got
}

// data sends a message, dots doubled and ended, and wants this reply.
func (c *talker) data(message, want string) string {
	c.t.Helper()
	c.cmd("DATA", "354")
	c.send(stuffed(message) + ".\r\n")
	return c.expect(want)
}

func stuffed(message string) string {
	message = strings.ReplaceAll(message, "\n.", "\n..")
	if strings.HasPrefix(message, ".") {
		message = "." + message
	}
	return message
}

// delivered is what a message was, without the headers that we put before it.
func delivered(t testing.TB, m sink.Message) string {
	t.Helper()
	at := bytes.Index(m.Data, []byte("Received: from "))
	for first := true; at >= 0 && at < len(m.Data) && (first || m.Data[at] == '\t'); first = false {
		at += bytes.IndexByte(m.Data[at:], '\n') + 1
	}
	if !bytes.HasPrefix(m.Data, []byte("X-Spam-")) || at < 0 {
		t.Fatalf("no headers of ours: %.300q", m.Data)
	}
	return string(m.Data[at:])
}

const note = "From: Ann <ann@client.example>\r\nTo: bob@weir.example\r\nSubject: lunch\r\n\r\nAt noon?\r\n"
