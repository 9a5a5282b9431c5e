package proxy

import (
	"net"
	"testing"
	"time"
)

func TestSessionsAndLimitsAreCounted(t *testing.T) {
	f := newFront(t, func(f *front) {
		f.Limits = Limits{CommandTimeout: bound, SessionsPerIP: 1, Recipients: 1, MessageSize: 1000}
		f.listener.Net = &scarce{Listener: f.listener.Net}
	})
	f.connect().expect("421 4.3.2") // there is no descriptor
	c := f.rcpt()
	c.cmd("RCPT TO:<carol@weir.example>", "452")
	c.cmd("RSET", "250")
	c.cmd("MAIL FROM:<a@b.example> SIZE=2000", "552")
	f.connect().expect("421 4.7.0")
	c.cmd("QUIT", "221")
	c.expect("")
	f.until("end of the sessions", func() bool {
		var all uint64
		for _, n := range f.Counts().Sessions {
			all += n
		}
		return all == 3
	})
	counts := f.Counts()
	for result, want := range map[string]uint64{Refused: 2, Served: 1} {
		if got := counts.Sessions[Outcome{"test", result}]; got != want {
			t.Errorf("%d sessions %s, want %d", got, result, want)
		}
	}
	for _, limit := range []string{"sessions_per_ip", "recipients", "message_size", LimitDescriptors} {
		if met := counts.Limits[limit]; met.Times != 1 || time.Since(met.Last) > time.Minute {
			t.Errorf("%s: met %+v", limit, met)
		}
	}
	if len(counts.Limits) != 4 {
		t.Errorf("limits met: %v", counts.Limits)
	}
}

// stuck is a listener whose clients keep the one who accepts them busy.
type stuck struct {
	net.Listener
	until chan struct{}
}

func (s *stuck) Accept() (net.Conn, error) {
	c, err := s.Listener.Accept()
	if err == nil {
		c = stuckConn{c, s.until}
	}
	return c, err
}

type stuckConn struct {
	net.Conn
	until chan struct{}
}

func (c stuckConn) RemoteAddr() net.Addr {
	<-c.until
	return c.Conn.RemoteAddr()
}

func TestAListenerThatIsStuckIsNotAlive(t *testing.T) {
	until := make(chan struct{})
	f := newFront(t, func(f *front) { f.listener.Net = &stuck{f.listener.Net, until} })
	f.until("the listener is open", func() bool { return f.Listening() == 1 })
	if err := f.Alive(0); err != nil {
		t.Errorf("before: %v", err)
	}
	c := f.connect()
	f.until("the listener is stuck", func() bool { return f.Alive(time.Millisecond) != nil })
	close(until)
	c.expect("220")
	if err := f.Alive(bound); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
