package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"weir/filters"
	"weir/proxy/backend"
	"weir/rules"
)

// Many clients at once, a backend that loses connections: each message is acknowledged and there, or neither.
func TestManyClientsWhileTheBackendFails(t *testing.T) {
	f := newFront(t, func(f *front) {
		f.Limits.SessionsPerIP = 1000
		f.Current = always(generation(&rules.Set{}, filters.NewPipeline(bound, says("a", filters.Connect), says("b", filters.Body))))
	})
	const clients, each = 20, 25
	var acknowledged sync.Map
	var refused atomic.Int32
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			c := f.hello()
			for n := range each {
				id := fmt.Sprintf("id-%d-%d-", i, n)
				if i == 0 && n%5 == 0 {
					f.sink.Drop()
				}
				c.cmd("MAIL FROM:<ann@client.example>", "250")
				if c.cmdAny("RCPT TO:<bob@weir.example>")[0] != '2' {
					refused.Add(1)
					c.cmd("RSET", "250")
					continue
				}
				c.cmd("DATA", "354")
				c.send("Subject: " + id + "\r\n\r\nx\r\n.\r\n")
				if c.reply()[0] == '2' {
					acknowledged.Store(id, true)
				} else {
					refused.Add(1)
				}
			}
			c.cmd("QUIT", "221")
		})
	}
	all.Wait()
	there := map[string]int{}
	for _, m := range f.taken() {
		_, subject, _ := strings.Cut(string(m.Data), "Subject: ")
		id, _, _ := strings.Cut(subject, "\r\n")
		there[id]++
	}
	count := 0
	acknowledged.Range(func(id, _ any) bool {
		count++
		if there[id.(string)] != 1 {
			t.Errorf("%v was acknowledged and is there %d times", id, there[id.(string)])
		}
		return true
	})
	if count+int(refused.Load()) != clients*each {
		t.Errorf("%d acknowledged, %d refused, of %d", count, refused.Load(), clients*each)
	}
	t.Logf("%d acknowledged, %d refused", count, refused.Load())
}

// FuzzSession throws bytes at a session in a transaction. Whatever they are, the backend sees CRLF line ends alone and
// no command that is not text, and replies are replies.
func FuzzSession(f *testing.F) {
	front := newFront(f, func(fr *front) { fr.Limits.SessionsPerIP, fr.Limits.Errors = 10_000, 1_000_000 })
	f.Add([]byte("RCPT TO:<bob@weir.example>\r\nDATA\r\n" + note + ".\r\n"))
	f.Add([]byte("RCPT TO:<\"a b\"@weir.example> NOTIFY=NEVER\r\nDATA\r\nx\r\n..\r\n.\r\nQUIT\r\n"))
	f.Add([]byte("RCPT TO:<bob@weir.example>\r\nDATA\r\nx\n.\n" + smuggled))
	f.Add([]byte("RSET\r\nBDAT 3\r\nabcEHLO x\r\n" + smuggled))
	f.Fuzz(func(t *testing.T, data []byte) {
		conn, err := net.Dial("tcp", front.addr)
		if err != nil {
			t.Skip(err)
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
			if strings.HasPrefix(r, "354") {
				if r = c.reply(); strings.HasPrefix(r, "250") {
					accepted++
				}
			}
		}
		all := front.sink.Messages()[before:]
		if len(all) != accepted {
			t.Fatalf("%q: %d messages acknowledged, %d there", data, accepted, len(all))
		}
		for _, m := range all {
			if s := string(m.Data); strings.ContainsAny(strings.ReplaceAll(s, "\r\n", ""), "\r\n\x00") {
				t.Fatalf("%q: the backend has %q", data, s)
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
	f := newFront(t, func(f *front) { f.Limits.SessionsPerIP, f.Limits.Sessions = 5000, 5000 })
	const n = 500
	used := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse
	}
	before := used()
	small := bufio.NewReaderSize(nil, 16)
	for range n {
		conn, err := net.Dial("tcp", f.addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		small.Reset(conn)
		_, _ = io.WriteString(conn, "EHLO client.example\r\n")
		for line := ""; !strings.HasPrefix(line, "250 "); {
			if line, err = small.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
		}
	}
	each := (used() - before) / n
	t.Logf("%d bytes an idle session", each)
	if each > 25<<10 {
		t.Errorf("%d bytes an idle session", each)
	}
}
