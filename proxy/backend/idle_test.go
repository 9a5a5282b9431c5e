package backend

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"weir/proxy/backend/sink"
)

// sendAs opens a connection for who, sends a message, and gives the connection back.
func sendAs(t testing.TB, b *Backend, who Client) {
	t.Helper()
	c, err := b.OpenFor(t.Context(), who)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Trace("01ID"); err != nil {
		t.Fatal(err)
	}
	c.Mail("<ann@client.example>", nil)
	if r, err := c.Rcpt("<bob@weir.example>", nil); err != nil || !r.OK() {
		t.Fatalf("RCPT: %v, %v", r, err)
	}
	if r, err := c.Data([]byte("A: b\r\n")); err != nil || !r.OK() {
		t.Fatalf("DATA: %v, %v", r, err)
	}
	c.Free()
}

// A connection goes from client to client where the server does not take it for the client's own.
func TestConnectionsAreSharedWhereThatIsSafe(t *testing.T) {
	for name, c := range map[string]struct {
		pass   PassClient
		offers []string
		idle   int
		conns  int
	}{
		"nothing is said":  {PassNone, []string{"PIPELINING"}, 2, 1},
		"XFORWARD":         {PassAuto, []string{xforward}, 2, 1},
		"XCLIENT":          {PassAuto, []string{xclient}, 2, 3},
		"PROXY":            {PassProxy, nil, 2, 3},
		"PROXY, version 1": {PassProxyLine, nil, 2, 3},
		"not wanted":       {PassNone, nil, 0, 3},
	} {
		s, b := start(t)
		s.Set(sink.Script{Offers: c.offers, Proxy: c.pass == PassProxy || c.pass == PassProxyLine})
		b.PassClient, b.Idle = c.pass, c.idle
		t.Cleanup(b.Close)
		for _, hello := range []string{"one.example", "two.example", "three.example"} {
			who := ann
			who.Hello = hello
			sendAs(t, b, who)
		}
		if n := s.Conns(); n != c.conns {
			t.Errorf("%s: %d connections, want %d", name, n, c.conns)
		}
		said := strings.Join(s.Commands(), "\n")
		if c.pass == PassAuto && (!strings.Contains(said, "HELO=two.example") || !strings.Contains(said, "HELO=three.example")) {
			t.Errorf("%s: the server has not learnt the next client\n%s", name, said)
		}
	}
}

func TestOnlySoManyConnectionsWait(t *testing.T) {
	s, b := start(t)
	b.Idle = 2
	var all []*Conn
	for range 3 {
		all = append(all, open(t, b))
	}
	for _, c := range all {
		c.Free()
	}
	if n := waits(b, s.Addr()); n != 2 {
		t.Errorf("%d wait", n)
	}
	b.Close()
	if n := waits(b, s.Addr()); n != 0 {
		t.Errorf("%d wait after Close", n)
	}
}

// The connections that wait end with the server, or in their time, and who comes next gets a new one.
func TestConnectionsThatWaitEnd(t *testing.T) {
	s, b := start(t)
	b.Idle = 5
	t.Cleanup(b.Close)
	for _, hurt := range []func(){
		s.Drop,
		func() {
			s.Set(sink.Script{On: map[sink.Stage]sink.Action{sink.Reset: {Kind: sink.Answer, Text: "500 5.5.1 what?"}}})
		},
		func() { s.Set(sink.Script{On: map[sink.Stage]sink.Action{sink.Reset: {Kind: sink.Hang}}}) },
	} {
		first, second := open(t, b), open(t, b)
		first.Free()
		second.Free()
		before := s.Conns()
		hurt()
		sendAs(t, b, ann)
		if n := s.Conns() - before; n != 1 {
			t.Errorf("%d new connections", n)
		}
		if n := waits(b, s.Addr()); n != 1 {
			t.Errorf("%d wait, some of which cannot work", n)
		}
		s.Set(sink.Script{})
	}
	if !b.Health()[s.Addr()] {
		t.Error("counts against the server")
	}
}

func TestAConnectionWaitsOnlySoLong(t *testing.T) {
	s, b := start(t)
	b.Idle = 5
	c, err := b.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.Free()
	if !c.rest.Reset(0) { // its time is over now
		t.Fatal("no end is set")
	}
	until(t, "farewell", func() bool { return slices.Contains(s.Commands(), "QUIT") })
	if n := waits(b, s.Addr()); n != 0 {
		t.Errorf("%d wait", n)
	}
}

// A connection that waits does not end with the session that it came from, but with the one that it is for.
func TestAConnectionEndsWithWhoHasIt(t *testing.T) {
	_, b := start(t)
	b.Idle = 1
	t.Cleanup(b.Close)
	one, cancelOne := context.WithCancel(t.Context())
	two, cancelTwo := context.WithCancel(t.Context())
	defer cancelTwo()
	first, err := b.Open(one)
	if err != nil {
		t.Fatal(err)
	}
	first.Free()
	cancelOne()
	second, err := b.Open(two)
	if err != nil || second != first {
		t.Fatalf("another connection, %v", err)
	}
	cancelTwo()
	second.Mail("<>", nil)
	if _, err := second.Rcpt("<bob@weir.example>", nil); err == nil || errors.Is(err, ErrStale) {
		t.Errorf("error %v", err)
	}
	second.Close()
}

// What is lost before the answer to MAIL, on a connection that was good before, may be tried again; nothing else.
func TestWhatIsStale(t *testing.T) {
	s, b := start(t)
	b.Idle = 1
	t.Cleanup(b.Close)
	for _, c := range []struct {
		used  bool
		stage sink.Stage
		kind  sink.Kind
		want  bool
	}{
		{true, sink.Mail, sink.Shut, true}, {true, sink.Mail, sink.Abort, true}, {false, sink.Mail, sink.Shut, false},
		{true, sink.Mail, sink.Hang, false}, {true, sink.Rcpt, sink.Shut, false},
	} {
		s.Set(sink.Script{Offers: []string{}})
		if c.used {
			sendAs(t, b, ann)
		}
		s.Set(sink.Script{Offers: []string{}, On: map[sink.Stage]sink.Action{c.stage: {Kind: c.kind}}})
		conn, err := b.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		conn.Mail("<>", nil)
		if _, err := conn.Rcpt("<bob@weir.example>", nil); err == nil || errors.Is(err, ErrStale) != c.want {
			t.Errorf("%+v: %v", c, err)
		}
		conn.Close()
		b.Close()
	}
}

func TestAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o outage
		for _, want := range []time.Duration{10, 20, 40, 60, 60} {
			o.begin(time.Now(), 10*time.Second, time.Minute)
			if got := time.Until(o.until); got != want*time.Second {
				t.Errorf("%v, want %v s", got, want)
			}
			time.Sleep(time.Second)
			was := o.until
			if o.begin(time.Now(), 10*time.Second, time.Minute); o.until != was {
				t.Error("a failure within an outage prolongs it")
			}
			time.Sleep(time.Until(o.until))
			if o.down(time.Now()) {
				t.Error("no end")
			}
			if o.try(time.Now()); !o.down(time.Now()) {
				t.Error("more than one try")
			}
		}
		time.Sleep(trialFor)
		if o.down(time.Now()) {
			t.Error("who tried and said nothing holds the others up for ever")
		}
	})
}

// waits counts the connections to a server that wait.
func waits(b *Backend, addr string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.waiting[addr])
}

// BenchmarkSession is a client with one message, over a connection of its own or one that waited; cpu is that of both
// ends.
func BenchmarkSession(b *testing.B) {
	for _, secured := range []string{"clear", "TLS"} {
		for _, idle := range []int{0, 1} {
			b.Run(fmt.Sprintf("%s/idle=%d", secured, idle), func(b *testing.B) {
				s, behind := start(b)
				s.Taken = func(sink.Message) {}
				if secured == "TLS" {
					pair, pool := authority(b, "mail.weir.example")
					s.Set(sink.Script{TLS: &tls.Config{Certificates: []tls.Certificate{pair}}})
					behind.Security, behind.TLS = Required, &tls.Config{RootCAs: pool}
				}
				behind.Idle = idle
				behind.Timeout = time.Minute
				defer behind.Close()
				began := cpu(b)
				for b.Loop() {
					sendAs(b, behind, ann)
				}
				b.ReportMetric(float64(cpu(b)-began)/float64(b.N)/1000, "cpu-µs/op")
			})
		}
	}
}

// cpu is the processor time used so far, in nanoseconds.
func cpu(b testing.TB) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
