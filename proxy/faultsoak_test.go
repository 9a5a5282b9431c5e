package proxy

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"weir/proxy/backend"
	"weir/proxy/backend/sink"
	"weir/scoring/verdictlog"
)

// soakSize is how many messages TestSoakWithFaults sends, and how long we wait for a server there: fewer and longer where
// each step costs ten times as much.
func soakSize() (messages int64, patience time.Duration) {
	if raceDetector || testing.Short() {
		return 500, time.Second
	}
	return 20_000, 250 * time.Millisecond
}

// Messages go through while the servers behind are killed, stalled and started again at random, and some clients vanish
// at the final dot; a client that is put off comes again. Each message that was acknowledged is there, once, and where
// it belongs; none that was refused is. A copy more there may be for each time that a server took a message and its
// answer was lost between it and us (RFC 1047): nobody can tell, and the client is told 451. The memory of final dots
// is for the answer lost between us and the client, which makes no copy.
func TestSoakWithFaults(t *testing.T) {
	s := newFaultSoak(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var faults, clients sync.WaitGroup
	for i, behind := range s.servers {
		faults.Go(func() { s.torment(behind, rand.New(rand.NewPCG(7, uint64(i))), ctx.Done()) })
	}
	faults.Go(func() { s.front.Watch(ctx) })
	began := time.Now()
	total, _ := soakSize()
	var next atomic.Int64
	for i := range 30 {
		clients.Go(func() { s.client(rand.New(rand.NewPCG(8, uint64(i))), &next, total) })
	}
	clients.Wait()
	stop()
	faults.Wait()
	s.front.until("end of the sessions", func() bool { return s.front.Active() == 0 })
	s.judge(int(total), time.Since(began))
}

// faultSoak counts, by the name of each message, what became of it.
type faultSoak struct {
	t       *testing.T
	front   *front
	servers []*sink.Sink // two for weir.example, one for other.example

	acknowledged, refused, gaveUp  tally // by the clients
	delivered, astray              tally // by the servers
	retried, vanished              tally
	whole, ended                   tally // messages sent to their end, and those that we have come to the end of
	taken, lost                    tally // by our records: servers' 250, and messages whose answer was lost
	kills, stalls, lies, recovered atomic.Int64
}

func newFaultSoak(t *testing.T) *faultSoak {
	s := &faultSoak{t: t}
	_, patience := soakSize()
	for i, ip := range []string{"127.0.0.41:0", "127.0.0.42:0", "127.0.0.43:0"} {
		behind, err := sink.Listen(ip)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { behind.Close() })
		behind.Taken = func(m sink.Message) { s.arrived(i, m) }
		s.servers = append(s.servers, behind)
	}
	s.front = newFront(t, func(f *front) {
		f.Limits.SessionsPerIP, f.Limits.SessionsPerNet, f.Limits.Errors = 1000, 1000, 1_000_000
		f.Current = always(spamIsRefused())
		f.Dialogue.FinalDot = time.Hour
		f.Record = s.record
		f.Backend.Addrs, f.Backend.Timeout, f.Backend.Idle = nil, patience, 10
		f.Backend.Servers = []backend.Server{{Addr: s.servers[0].Addr()}, {Addr: s.servers[1].Addr()}}
		f.Routes = Routes{"other.example": {
			Addrs: []string{s.servers[2].Addr()}, Hello: "mx.weir.example", Timeout: patience, Idle: 10, LMTP: true,
		}}
	})
	return s
}

// torment hurts a server again and again until stop, and leaves it well.
func (s *faultSoak) torment(behind *sink.Sink, r *rand.Rand, stop <-chan struct{}) {
	stages := []sink.Stage{sink.Connect, sink.Banner, sink.Hello, sink.Mail, sink.Rcpt, sink.Data, sink.Body, sink.Dot, sink.Reset}
	for {
		select {
		case <-stop:
			return
		case <-time.After(time.Duration(1+r.IntN(100)) * time.Millisecond):
		}
		stage := stages[r.IntN(len(stages))]
		switch r.IntN(4) {
		case 0: // killed, and started again
			s.kills.Add(1)
			_ = behind.Close()
			time.Sleep(time.Duration(r.IntN(30)) * time.Millisecond)
			for behind.Restart() != nil { // the port is not free again yet
				time.Sleep(time.Millisecond)
			}
			continue
		case 1:
			behind.Drop()
		case 2: // it hangs, or reads no more; sometimes for longer than it is waited for
			s.stalls.Add(1)
			kind := []sink.Kind{sink.Hang, sink.Stall}[r.IntN(2)]
			behind.Set(sink.Script{On: map[sink.Stage]sink.Action{stage: {Kind: kind, Commit: r.IntN(2) == 0}}})
		case 3: // it says something else, or goes, having taken the message or not
			s.lies.Add(1)
			actions := []sink.Action{
				{Kind: sink.Shut}, {Kind: sink.Abort}, {Kind: sink.Shut, Commit: true}, {Kind: sink.Answer, Text: "421 4.3.2 bye", Close: true},
				{Kind: sink.Answer, Text: "451 4.3.0 later"}, {Kind: sink.Raw, Text: "\x00garbage\r\n"}, {Kind: sink.Raw, Text: "25", Close: true},
			}
			behind.Set(sink.Script{On: map[sink.Stage]sink.Action{stage: actions[r.IntN(len(actions))]}})
		}
		longest := 20
		if r.IntN(10) == 0 {
			longest = 500
		}
		time.Sleep(time.Duration(r.IntN(longest)) * time.Millisecond)
		behind.Set(sink.Script{})
	}
}

// arrived counts a message that a server has taken.
func (s *faultSoak) arrived(server int, m sink.Message) {
	id := subject(m.Data)
	s.delivered.add(id)
	domain := "@weir.example>"
	if server == 2 {
		domain = "@other.example>"
	}
	want := "TO:<" + id + domain
	for _, to := range m.Rcpts {
		if to != want && to != "TO:<also-"+id+domain || !strings.Contains(m.Mail, "FROM:<"+id+"@") {
			s.astray.add(id)
		}
	}
	if len(m.Rcpts) != recipientsOf(id) {
		s.astray.add(id)
	}
}

// record counts what we know of a message that came to its end.
func (s *faultSoak) record(r verdictlog.Record, _ []byte) {
	if r.Verdict.At != verdictlog.AtData || len(r.Envelope.To) == 0 {
		return
	}
	id, _, _ := strings.Cut(r.Envelope.To[0], "@")
	defer s.ended.add(id)
	switch {
	case r.Backend == nil:
	case strings.HasPrefix(r.Backend.Reply, "delivered before"):
		s.recovered.Add(1)
	case r.Verdict.Reply.Code == 250:
		s.taken.add(id)
	case r.Verdict.By == "backend":
		s.lost.add(id)
	}
}

func (t *tally) count(name string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts[name]
}

// What a message is follows from its name.
func isSpam(id string) bool { return strings.HasSuffix(id, "7") }

func recipientsOf(id string) int {
	if strings.HasSuffix(id, "2") && !strings.HasSuffix(id, "32") {
		return 2
	}
	return 1
}

func addresses(id string) []string {
	domain := "@weir.example"
	if strings.HasSuffix(id, "3") || strings.HasSuffix(id, "32") {
		domain = "@other.example"
	}
	return []string{id + domain, "also-" + id + domain}[:recipientsOf(id)]
}

// client sends messages, a few over each connection, until all have been sent.
func (s *faultSoak) client(r *rand.Rand, next *atomic.Int64, total int64) {
	var c *talker
	for n := next.Add(1); n <= total; n = next.Add(1) {
		id := fmt.Sprint("m", n)
		try, answer := 0, "4"
		for ; try < 500 && answer[0] == '4'; try++ {
			if c == nil {
				<-time.After(time.Duration(min(try, 10)) * 5 * time.Millisecond)
				c = s.front.hello()
			}
			answer = s.try(c, id, r.IntN(20) == 0)
			if answer == vanished { // it comes again when the first try has come to its end, well or not
				s.vanished.add(id)
				s.front.until("end of "+id, func() bool { return s.ended.count(id) >= s.whole.count(id) })
			}
			if answer[0] != '2' || r.IntN(3) == 0 {
				c.conn.Close()
				c = nil
			}
		}
		if try > 1 {
			s.retried.add(id)
		}
		switch answer[0] {
		case '2':
			s.acknowledged.add(id)
		case '5':
			s.refused.add(id)
		default:
			s.gaveUp.add(id)
		}
	}
	if c != nil {
		c.cmd("QUIT", "221")
		c.conn.Close()
	}
}

// vanished is the answer that a client does not wait for.
const vanished = "4 not heard"

// try sends a message and returns the reply that decided about it. Who vanishes is gone when the end of the message
// arrives.
func (s *faultSoak) try(c *talker, id string, vanish bool) string {
	c.t.Helper()
	c.cmd("MAIL FROM:<"+id+"@client.example>", "250")
	for _, to := range addresses(id) {
		if r := c.cmdAny("RCPT TO:<" + to + ">"); r[0] != '2' {
			return r
		}
	}
	if r := c.cmdAny("DATA"); r[0] != '3' {
		return r
	}
	text := "lunch at noon"
	if isSpam(id) {
		text = "cheap pills"
	}
	c.send("Subject: " + id + "\r\n\r\n" + strings.Repeat(text+"\r\n", 50))
	s.whole.add(id)
	if vanish {
		c.cork()
		c.send(".\r\n")
		c.conn.Close()
		return vanished
	}
	c.send(".\r\n")
	if r := c.reply(); r != "" {
		return r
	}
	return "4 the session ended"
}

// cork keeps what is sent until the connection is closed.
func (c *talker) cork() {
	raw, err := c.conn.(*net.TCPConn).SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_CORK, 1) })
	}
	if err != nil {
		c.t.Error(err)
	}
}

// judge compares what was promised with what is there.
func (s *faultSoak) judge(total int, took time.Duration) {
	t := s.t
	copies := 0
	for id, n := range s.delivered.counts {
		extra := n - 1
		copies += extra
		switch {
		case isSpam(id):
			t.Errorf("%s was refused and is there", id)
		case s.acknowledged.counts[id] == 0:
			t.Errorf("%s is there, and its client does not know", id)
		case s.taken.counts[id] > 1:
			t.Errorf("%s: %d servers' 250, of which one is enough", id, s.taken.counts[id])
		case extra > s.lost.counts[id]:
			t.Errorf("%s is there %d times, and an answer was lost %d times", id, n, s.lost.counts[id])
		}
	}
	for id := range s.acknowledged.counts {
		if s.delivered.counts[id] == 0 {
			t.Errorf("%s was acknowledged and is lost", id)
		}
	}
	for id := range s.astray.counts {
		t.Errorf("%s came to the wrong recipients", id)
	}
	acknowledged, refused := s.acknowledged.len(), s.refused.len()
	t.Logf("%d messages in %v: %d acknowledged, %d refused, %d put off to the end; %d came again, %d clients vanished, %d of which were told what they missed",
		total, took.Round(time.Millisecond), acknowledged, refused, s.gaveUp.len(), s.retried.len(), s.vanished.len(), s.recovered.Load())
	t.Logf("%d kills, %d stalls, %d lies; the answers to %d messages were lost behind us, %d of which made a second copy",
		s.kills.Load(), s.stalls.Load(), s.lies.Load(), s.lost.len(), copies)
	if acknowledged+refused != total || refused != total/10 || copies > s.lost.len() || s.kills.Load() == 0 || s.recovered.Load() == 0 || s.lost.len() == 0 {
		t.Error("this has not shown what it should")
	}
}
