package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/smtp"
	"net/textproto"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/proxy/backend/sink"
)

const (
	queued  = 500
	senders = 4
)

// queue is a client that tries each of its messages again until it reads 250, as mail servers do.
type queue struct {
	addr  string
	taken func() // called after each 250

	mu      sync.Mutex
	unheard map[string]int // by message: how often the connection was lost after the final dot and before an answer
}

// run sends all messages and returns when each has its 250; stop ends it before.
func (q *queue) run(t *testing.T) {
	work := make(chan string, queued)
	for i := range queued {
		work <- fmt.Sprint(i)
	}
	close(work)
	var wg sync.WaitGroup
	deadline := time.Now().Add(2 * time.Minute)
	for range senders {
		wg.Go(func() {
			retry := time.NewTicker(5 * time.Millisecond)
			defer retry.Stop()
			for id := range work {
				for err := q.attempt(id); err != nil; err = q.attempt(id) {
					if time.Now().After(deadline) {
						t.Errorf("message %s: %v", id, err)
						return
					}
					<-retry.C
				}
				q.taken()
			}
		})
	}
	wg.Wait()
}

// attempt is one session with one message.
func (q *queue) attempt(id string) error {
	conn, err := net.DialTimeout("tcp", q.addr, time.Second)
	if err != nil {
		return err
	}
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	c, err := smtp.NewClient(conn, "mx1.example.org")
	if err != nil {
		conn.Close()
		return err
	}
	defer c.Close()
	if err := errors.Join(c.Hello("client.example.net"), c.Mail("ann@client.example.net"), c.Rcpt("bob@example.org")); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := fmt.Fprint(w, strings.Replace(plainMail, "Subject: lunch", "Subject: "+id, 1)); err != nil {
		return err
	}
	err = w.Close()
	var answer *textproto.Error
	if err != nil && !errors.As(err, &answer) {
		q.mu.Lock()
		q.unheard[id]++
		q.mu.Unlock()
	}
	return err
}

// copies counts the messages in the server behind.
func copies(t *testing.T, box *sink.Sink) map[string]int {
	t.Helper()
	n := map[string]int{}
	for _, m := range box.Messages() {
		_, after, _ := strings.Cut(string(m.Data), "\r\nSubject: ")
		id, _, _ := strings.Cut(after, "\r\n")
		if m.Taken {
			n[id]++
		}
	}
	return n
}

// slowSink keeps a message, and says so a moment later.
func slowSink(t *testing.T) *sink.Sink {
	t.Helper()
	box := startSink(t)
	box.Set(sink.Script{On: map[sink.Stage]sink.Action{
		sink.Dot: {Kind: sink.Answer, Text: "250 2.0.0 taken", Delay: 3 * time.Millisecond, Commit: true},
	}})
	return box
}

func TestAQueueArrivesOnce(t *testing.T) {
	t.Parallel()
	box := slowSink(t)
	q := &queue{addr: serve(t, box.Addr(), "127.0.0.1:9", noScores).addr, taken: func() {}, unheard: map[string]int{}}
	q.run(t)
	got := copies(t, box)
	for i := range queued {
		if n := got[fmt.Sprint(i)]; n != 1 {
			t.Errorf("%d copies of message %d", n, i)
		}
	}
}

// kill -9 at any moment loses nothing, and doubles only what was at its final dot then (RFC 1047).
func TestKilledAtAnyMomentNothingIsLost(t *testing.T) {
	t.Parallel()
	binary, err := weirBinary()
	if err != nil {
		t.Fatal(err)
	}
	box := slowSink(t)
	addr, dir := freePort(t), t.TempDir()
	config := filepath.Join(dir, "weir.yaml")
	write(t, filepath.Join(dir, "rules.yaml"), noScores)
	write(t, config, fmt.Sprintf("version: 1\nhostname: mx1.example.org\nlisten: [{ addr: %q }]\nbackend: { addrs: [%q] }\n"+
		"dns: { servers: [\"127.0.0.1:9\"] }\nlimits: { sessions_per_ip: 1000 }\nrules: rules.yaml\nverdicts: { dir: verdicts }\n", addr, box.Addr()))

	progress, done := make(chan struct{}, queued), make(chan struct{})
	q := &queue{addr: addr, taken: func() { progress <- struct{}{} }, unheard: map[string]int{}}
	go func() {
		defer close(done)
		q.run(t)
	}()
	kills := 0
	for running := true; running; kills++ {
		weir := exec.Command(binary, "serve", "-c", config)
		if err := weir.Start(); err != nil {
			t.Fatal(err)
		}
		running = someGo(progress, done)
		weir.Process.Kill()
		weir.Wait()
	}
	got, doubled := copies(t, box), 0
	for i := range queued {
		id := fmt.Sprint(i)
		if n := got[id]; n < 1 || n > 1+q.unheard[id] {
			t.Errorf("%d copies of message %s, whose final dot was unanswered %d times", n, id, q.unheard[id])
		}
		doubled += max(got[id]-1, 0)
	}
	if kills < 10 {
		t.Errorf("killed %d times only", kills)
	}
	t.Logf("killed %d times; %d of %d messages twice, %d final dots unanswered", kills, doubled, queued, len(q.unheard))
}

// someGo waits until a random number of messages have gone and a random moment more. It returns false when all have.
func someGo(progress, done <-chan struct{}) bool {
	for range 10 + rand.IntN(40) {
		select {
		case <-progress:
		case <-done:
			return false
		}
	}
	select {
	case <-done:
		return false
	case <-time.After(time.Duration(rand.IntN(10_000)) * time.Microsecond):
		return true
	}
}
