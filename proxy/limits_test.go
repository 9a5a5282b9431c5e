package proxy

import (
	"context"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"weir/filters"
)

func TestAPaceRefillsWithinAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p paces
		from := func(ip string) *client { return &client{addr: netip.AddrPortFrom(netip.MustParseAddr(ip), 25)} }
		client, neighbour := from("2001:db8::1"), from("2001:db8::2")
		for i := range 3 {
			if !p.within(client, 3) {
				t.Errorf("number %d was refused", i+1)
			}
		}
		if p.within(neighbour, 3) {
			t.Error("another address of the same /64 had more")
		}
		if !p.within(from("192.0.2.1"), 3) {
			t.Error("a stranger paid for it")
		}
		time.Sleep(20 * time.Second)
		if !p.within(client, 3) || p.within(client, 3) {
			t.Error("after a third of a minute there is not one more")
		}
		if !p.within(client, 0) {
			t.Error("without a limit it was refused")
		}
	})
}

func TestRoomIsBoundedAndWaitsNotForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r room
		if !r.enter(t.Context(), 100, 10) {
			t.Error("alone, a large message has no room")
		}
		began := time.Now()
		if r.enter(t.Context(), 1, 10) || time.Since(began) != roomWait {
			t.Errorf("there was room, or it was waited for %v", time.Since(began))
		}
		entered := make(chan bool)
		go func() { entered <- r.enter(t.Context(), 10, 10) }()
		synctest.Wait()
		r.leave(100)
		if !<-entered {
			t.Error("no room after all have left")
		}
	})
}

func TestSessionsOfANetworkAreLimited(t *testing.T) {
	f := newFront(t, func(f *front) {
		f.listener.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		f.Limits.SessionsPerIP, f.Limits.SessionsPerNet = 1, 2
	})
	come := func(ip, want string) *talker {
		c := f.connect()
		c.send("PROXY TCP4 " + ip + " 127.0.0.1 40000 25\r\n")
		c.expect(want)
		return c
	}
	come("192.0.2.1", "220")
	come("192.0.2.1", "421 4.7.0")
	second := come("192.0.2.2", "220")
	come("192.0.2.3", "421 4.7.0")
	come("198.51.100.3", "220")
	second.cmd("QUIT", "221")
	f.until("end of a session", func() bool { return f.Active() == 2 })
	come("192.0.2.3", "220")
}

func TestRatesOfAClient(t *testing.T) {
	f := newFront(t, func(f *front) { f.Limits.Connections, f.Limits.Messages = 2, 1 })
	c := f.rcpt()
	c.cmd("RSET", "250")
	c.cmd("MAIL FROM:<ann@client.example>", "451 4.7.1")
	f.hello()
	f.connect().expect("421 4.7.0")
}

// One client too many, where TLS comes first, is not waited for longer than those under stress.
func TestAHandshakeBeyondTheLimitIsCutOff(t *testing.T) {
	t.Parallel()
	f := newFront(t, func(f *front) {
		withTLS(t, ImplicitTLS)(f)
		f.Limits.Sessions = 1
	})
	f.connect().encrypted().expect("220")
	began := time.Now()
	f.connect().expect("")
	if took := time.Since(began); took > bound/2 {
		t.Errorf("it was there for %v", took)
	}
}

func TestFewSessionsLeftMakeShortWork(t *testing.T) {
	f := newFront(t, func(f *front) { f.Limits.Sessions = 8 })
	first := f.hello()
	for range 7 {
		f.hello()
	}
	f.connect().expect("421 4.3.2")
	first.cmd("MAIL FROM:<ann@client.example>", "250")
	first.cmd("XYZZY", "500")
	first.send("NOOP\r\n")
	first.expect("421 4.7.0")
	first.expect("")
}

// Large messages that come at once are judged a few at a time; those that wait too long are deferred, not lost.
func TestMessagesBeyondTheRoomAreDeferred(t *testing.T) {
	var busy, free sync.WaitGroup
	busy.Add(1)
	free.Add(1)
	hold := filters.Check{Name: "hold", Stage: filters.Body, Run: func(context.Context, filters.Mail) (filters.Report, error) {
		busy.Done()
		free.Wait()
		return filters.Report{}, nil
	}}
	f := newFront(t, func(f *front) {
		f.Limits.Scanning = 10
		g := f.Current()
		g.Checks = filters.NewPipeline(bound, hold)
	})
	one, two := f.rcpt(), f.rcpt()
	one.cmd("DATA", "354")
	one.send(note + ".\r\n")
	busy.Wait()
	two.data(note, "451 4.3.2")
	free.Done()
	one.expect("250")
	two.cmd("NOOP", "250")
}

// Who goes on naming recipients that are put off is cut off at last; whoever has a long list is not.
func TestRecipientsWithoutEnd(t *testing.T) {
	f := newFront(t, func(f *front) { f.Limits.Recipients, f.Limits.Errors = 1, 1 })
	c := f.rcpt()
	lines := strings.Repeat("RCPT TO:<eve@weir.example>\r\n", maxPutOff)
	c.send(lines)
	for range maxPutOff {
		c.expect("452 4.5.3")
	}
	c.data(note, "250")
	c.cmd("MAIL FROM:<ann@client.example>", "250")
	c.cmd("RCPT TO:<bob@weir.example>", "250")
	c.send(lines + "RCPT TO:<eve@weir.example>\r\nNOOP\r\n")
	for range maxPutOff + 1 {
		c.expect("452 4.5.3")
	}
	c.expect("421 4.7.0")
	c.expect("")
}

// scarce is a listener for which there is no descriptor once.
type scarce struct {
	net.Listener
	once sync.Once
}

func (s *scarce) Accept() (tcp net.Conn, err error) {
	s.once.Do(func() { err = &net.OpError{Op: "accept", Err: syscall.EMFILE} })
	if err != nil {
		return nil, err
	}
	return s.Listener.Accept()
}

func TestWithoutDescriptorsAClientIsTold(t *testing.T) {
	f := newFront(t, func(f *front) { f.listener.Net = &scarce{Listener: f.listener.Net} })
	c := f.connect()
	c.expect("421 4.3.2")
	c.expect("")
	f.rcpt().data(note, "250")
}

func TestAFullDiskIsTheClientsToWaitFor(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	m := spool{memory: make([]byte, 10), file: full}
	defer m.close()
	if got := replyOf(m.write()); got != replyNoSpace {
		t.Errorf("the client reads %v", got)
	}
}
