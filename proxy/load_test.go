package proxy

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"net"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"weir/filters"
	"weir/proxy/backend"
	"weir/proxy/backend/sink"
)

// Many clients at once, spam among their mail and recipients that do not exist: each message is acknowledged and there
// once, or not acknowledged and not there, exactly; and memory stays what it was.
func TestSoak(t *testing.T) {
	s := newSoak(t)
	early, late := s.run(400, func() {})
	if !maps.Equal(s.acknowledged.counts, s.delivered.counts) {
		t.Errorf("%d messages acknowledged, %d delivered", s.acknowledged.len(), s.delivered.len())
	}
	if late > early+16<<20 {
		t.Errorf("heap grew from %d to %d KiB", early>>10, late>>10)
	}
}

// The same while the backend loses its connections again and again. A message may be there although the client heard
// 451: if the backend's answer was lost with its connection (RFC 1047). None is there twice, none that was acknowledged
// is missing.
func TestSoakWithConnectionsLost(t *testing.T) {
	s := newSoak(t)
	s.run(80, s.front.sink.Drop)
	for id, n := range s.delivered.counts {
		if n != 1 {
			t.Errorf("%s was delivered %d times", id, n)
		}
	}
	for id := range s.acknowledged.counts {
		if s.delivered.counts[id] == 0 {
			t.Errorf("%s was acknowledged and is lost", id)
		}
	}
}

// soak counts what many clients send and hear, and what is delivered.
type soak struct {
	t                                *testing.T
	front                            *front
	delivered, acknowledged, refused tally
}

func newSoak(t *testing.T) *soak {
	s := &soak{t: t}
	s.front = newFront(t, func(f *front) {
		f.Limits.SessionsPerIP, f.Limits.Errors = 1000, 1_000_000
		f.Current = always(spamIsRefused())
		f.Record = nil
		f.sink.Taken = func(m sink.Message) { s.delivered.add(subject(m.Data)) }
	})
	s.front.sink.Set(sink.Script{Rcpt: func(path string) string {
		if path == "nobody@weir.example" {
			return "550 5.1.1 nobody"
		}
		return ""
	}})
	return s
}

// run sends each messages over each of 50 connections, calling disturb now and then, and returns the heap after a
// quarter and at the end.
func (s *soak) run(each int, disturb func()) (early, late uint64) {
	const clients = 50
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			c := s.front.hello()
			for n := range each {
				id := fmt.Sprintf("%d-%d", i, n)
				if c.transact(id) {
					s.acknowledged.add(id)
				} else {
					s.refused.add(id)
				}
				if n%20 == 19 && i == 0 {
					disturb()
				}
				if n == each/4 && i == 0 {
					early = heap()
				}
			}
			c.cmd("QUIT", "221")
		})
	}
	all.Wait()
	late = heap()
	total, acknowledged, refused := clients*each, s.acknowledged.len(), s.refused.len()
	s.t.Logf("%d acknowledged, %d refused; heap %d KiB after a quarter, %d KiB at the end", acknowledged, refused, early>>10, late>>10)
	if acknowledged+refused != total || acknowledged < total/2 || refused < total/10 {
		s.t.Errorf("%d acknowledged and %d refused of %d", acknowledged, refused, total)
	}
	return early, late
}

// transact sends one message and reports whether it was acknowledged. What kind it is follows from its id.
func (c *talker) transact(id string) bool {
	recipient, text := "bob@weir.example", "lunch at noon"
	switch id[len(id)-1] {
	case '3':
		recipient = "nobody@weir.example"
	case '7':
		text = "cheap pills"
	}
	c.cmd("MAIL FROM:<ann@client.example>", "250")
	if c.cmdAny("RCPT TO:<" + recipient + ">")[0] != '2' {
		c.cmd("RSET", "250")
		return false
	}
	c.cmd("DATA", "354")
	c.send("Subject: " + id + "\r\n\r\n" + strings.Repeat(text+"\r\n", 50) + ".\r\n")
	return c.reply()[0] == '2'
}

// spamIsRefused is a generation that refuses whatever speaks of pills.
func spamIsRefused() *Generation {
	g := refusing()
	g.Checks = filters.NewPipeline(bound, says("connect", filters.Connect), filters.Check{
		Name: "pills", Stage: filters.Body,
		Run: func(_ context.Context, m filters.Mail) (filters.Report, error) {
			if strings.Contains(m.Message.Text(), "pills") {
				return filters.Report{Hits: []filters.Hit{{Symbol: "SPAM"}}}, nil
			}
			return filters.Report{}, nil
		},
	})
	return g
}

func subject(message []byte) string {
	_, after, _ := strings.Cut(string(message), "Subject: ")
	id, _, _ := strings.Cut(after, "\r\n")
	return id
}

// tally counts names.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
}

func (t *tally) add(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		t.counts = map[string]int{}
	}
	t.counts[name]++
}

func (t *tally) len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.counts)
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// FuzzSession throws bytes at a session in a transaction. Whatever they are, the backend sees CRLF line ends alone and
// no command that is not text, and replies are replies.
func FuzzSession(f *testing.F) {
	front := newBinaryFront(f, func(fr *front) { fr.Limits.SessionsPerIP, fr.Limits.Errors = 10_000, 1_000_000 })
	f.Add([]byte("RCPT TO:<bob@weir.example>\r\nDATA\r\n" + note + ".\r\n"))
	f.Add([]byte("RCPT TO:<\"a b\"@weir.example> NOTIFY=NEVER\r\nDATA\r\nx\r\n..\r\n.\r\nQUIT\r\n"))
	f.Add([]byte("RCPT TO:<bob@weir.example>\r\nDATA\r\nx\n.\n" + smuggled))
	f.Add([]byte("RSET\r\nBDAT 3\r\nabcEHLO x\r\n" + smuggled))
	f.Add([]byte("RCPT TO:<bob@weir.example>\r\nBDAT 3\r\nx: BDAT 4 LAST\r\ny\r\n.QUIT\r\n"))
	f.Add([]byte("RSET\r\nMAIL FROM:<a@client.example> BODY=BINARYMIME\r\nRCPT TO:<bob@weir.example>\r\nDATA\r\nBDAT 3\r\n\r\n\x00BDAT 4 LAST\r\n\r.\n." + smuggled))
	f.Fuzz(func(t *testing.T, data []byte) {
		conn, err := net.Dial("tcp", front.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		before := len(front.sink.Messages())
		c := newTalker(t, conn)
		c.expect("220")
		c.cmd("EHLO client.example", "250")
		c.cmd("MAIL FROM:<ann@client.example>", "250")
		go func() {
			_, _ = conn.Write(data) // the session may have ended before it is all sent
			_ = conn.(*net.TCPConn).CloseWrite()
		}()
		accepted := 0
		for r := c.reply(); r != ""; r = c.reply() {
			if r == "250 2.0.0 taken" {
				accepted++
			}
		}
		all := front.sink.Messages()[before:]
		if len(all) != accepted {
			t.Fatalf("%q: %d messages acknowledged, %d there", data, accepted, len(all))
		}
		for _, m := range all {
			if m.Chunks > 0 && !strings.Contains(strings.ToUpper(m.Mail), binaryBody) {
				t.Fatalf("%q: %q came in %d chunks", data, m.Mail, m.Chunks)
			}
			s := string(m.Data)
			if m.Chunks > 0 { // its body may hold anything
				s, _, _ = strings.Cut(s, "\r\n\r\n")
			}
			if strings.ContainsAny(strings.ReplaceAll(s, "\r\n", ""), "\r\n\x00") {
				t.Fatalf("%q: the backend has %q", data, m.Data)
			}
		}
	})
}

// BenchmarkRelay is a 10 KB message over a kept connection, from client to backend and back. CPU is that of all four
// ends; BenchmarkDirect is the same without us.
func BenchmarkRelay(b *testing.B) {
	f := newFront(b, nil)
	benchmark(b, f.addr)
}

func BenchmarkDirect(b *testing.B) {
	f := newFront(b, nil)
	benchmark(b, f.sink.Addr())
}

func benchmark(b *testing.B, addr string) {
	client := &backend.Backend{Addrs: []string{addr}, Hello: "client.example"}
	message := []byte(note + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 140))
	c, err := client.Open(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { c.Quit() }()
	b.ReportAllocs()
	began := cpu(b)
	n := 0
	for b.Loop() {
		if n++; n%50 == 0 {
			c.Quit()
			if c, err = client.Open(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		c.Mail("<ann@client.example>", nil)
		if r, err := c.Rcpt("<bob@weir.example>", nil); err != nil || !r.OK() {
			b.Fatal(r, err)
		}
		if r, err := c.Data(message); err != nil || !r.OK() {
			b.Fatal(r, err)
		}
	}
	b.ReportMetric(float64(cpu(b)-began)/float64(n)/1000, "cpu-µs/op")
}

// cpu is the processor time used so far, in nanoseconds.
func cpu(b testing.TB) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// An idle session must cost little, or a thousand idle clients are an attack.
func TestMemoryOfAnIdleSession(t *testing.T) {
	for _, c := range []struct {
		name string
		mode TLSMode
		most uint64
	}{{"in clear", NoTLS, 25 << 10}, {"after STARTTLS", StartTLS, 36 << 10}, {"on a port of TLS", ImplicitTLS, 36 << 10}} {
		t.Run(c.name, func(t *testing.T) {
			f := newFront(t, func(f *front) {
				f.Limits.SessionsPerIP, f.Limits.Sessions = 5000, 5000
				withTLS(t, c.mode)(f)
			})
			f.idler(c.mode) // what is made once
			const n = 500
			before := used()
			for range n {
				f.idler(c.mode)
			}
			each := (used() - before) / n
			t.Logf("%d bytes an idle session", each)
			if each > c.most && !raceDetector {
				t.Errorf("%d bytes an idle session", each)
			}
		})
	}
}

// used is the memory in use, in bytes.
func used() uint64 {
	runtime.GC()
	runtime.GC() // of what the first has made free
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// idler connects, says EHLO and nothing more. Of the client nothing is left but its connection.
func (f *front) idler(mode TLSMode) {
	f.t.Helper()
	conn, err := net.Dial("tcp", f.addr)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { conn.Close() })
	c := &talker{t: f.t, conn: conn, r: bufio.NewReaderSize(conn, 512)}
	if mode == ImplicitTLS {
		c = c.encrypted()
	}
	c.expect("220")
	c.cmd("EHLO client.example", "250")
	if mode == StartTLS {
		c = c.startTLS("")
		c.cmd("EHLO client.example", "250")
	}
}
