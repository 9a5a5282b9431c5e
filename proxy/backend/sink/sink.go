// Package sink is a small SMTP server that takes mail and does as it is told: it keeps every message in memory, or in
// a Maildir, and fails on demand at any stage of the dialogue. It is the backend of tests and of the demo.
//
//	s, err := sink.Listen("127.0.0.1:0")
//	defer s.Close()
//	s.Set(sink.Script{On: map[sink.Stage]sink.Action{sink.Dot: {Kind: sink.Hang}}})
//
// It is literal: only CRLF ends a command, and only CRLF.CRLF or the last BDAT a message.
package sink

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// Stage is a point of the dialogue at which an Action can act.
type Stage string

// The stages.
const (
	Connect  Stage = "connect" // before the banner
	Banner   Stage = "banner"
	Hello    Stage = "ehlo"
	StartTLS Stage = "starttls" // the answer to STARTTLS
	Client   Stage = "xclient"  // the answer to XCLIENT
	Forward  Stage = "xforward" // the answer to XFORWARD
	Mail     Stage = "mail"
	Rcpt     Stage = "rcpt"
	Data     Stage = "data"  // the answer to DATA
	Chunk    Stage = "chunk" // the answer to BDAT, but to the last
	Body     Stage = "body"  // while the message arrives
	Dot      Stage = "dot"   // the answer to the end of data, or to the last BDAT
	Reset    Stage = "rset"
	Quit     Stage = "quit"
)

// Kind is a way to misbehave.
type Kind string

// The kinds of action.
const (
	Answer Kind = "reply" // Text instead of the usual reply
	Raw    Kind = "raw"   // Text as it is, without line end
	Drip   Kind = "drip"  // Text, byte by byte over Delay
	Shut   Kind = "close" // the connection ends
	Abort  Kind = "rst"   // the connection is reset
	Hang   Kind = "hang"  // nothing, but it goes on reading
	Stall  Kind = "stall" // nothing, and it stops reading
	Early  Kind = "early" // Body only: Text before the end of data, the rest is swallowed
)

// Action is what happens at a stage instead of the usual reply.
type Action struct {
	Kind   Kind
	Text   string        // lines separated by \n for Answer, Drip and Early
	Delay  time.Duration // before acting
	After  int           // Body only: once so many bytes have come
	Close  bool          // the connection ends afterwards
	Commit bool          // Dot only: the message counts as taken although no reply says so
}

// Script is how the sink behaves. The zero Script is a good server. The script in force is looked up at every step.
type Script struct {
	Offers []string // EHLO keywords; nil for Offers
	On     map[Stage]Action
	Rcpt   func(path string) string // the reply to a recipient, "" for 250; the path without brackets
	Users  map[string]string        // who may authenticate, with their passwords
	NoEHLO bool                     // knows HELO only
	TLS    *tls.Config              // for STARTTLS, which is offered if it is there; nil for none
	Proxy  bool                     // a PROXY header comes before all else; without one the connection ends
}

// Offers are the EHLO keywords of a Script that names none.
var Offers = []string{"PIPELINING", "SIZE 52428800", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES"}

// Message is a message the sink has seen the end of.
type Message struct {
	Conn  int    // the number of its connection, from 1
	Mail  string // the argument of MAIL: "FROM:<a@example.org> SIZE=10"
	TLS   bool   // it came encrypted
	Rcpts []string
	Data  []byte // without dot-stuffing and end of data
	Taken bool   // the sink said, or meant to say, 2xx

	Chunks int // by which it came; 0: by DATA
}

// Sink is the server. Its fields are set before the first connection; its methods may be called at any time by any
// goroutine.
type Sink struct {
	Maildir string        // where messages taken are written too; "" for nowhere
	Taken   func(Message) // gets the messages taken, which are then not kept; nil to keep them. One call at a time

	mu       sync.Mutex
	listener net.Listener
	script   Script
	hold     chan struct{} // closed when the script changes: ends Hang and Stall
	live     map[net.Conn]bool
	conns    int
	written  int
	messages []Message
	commands []string
	headers  [][]byte // of the PROXY protocol
	ended    sync.WaitGroup
}

// Listen starts a sink at addr.
func Listen(addr string) (*Sink, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("starting the sink: %w", err)
	}
	s := &Sink{listener: l, hold: make(chan struct{}), live: map[net.Conn]bool{}}
	s.ended.Go(func() { s.accept(l) })
	return s, nil
}

// Restart makes a closed sink listen again at its address. It has forgotten its script, and nothing else.
func (s *Sink) Restart() error {
	l, err := net.Listen("tcp", s.Addr())
	if err != nil {
		return fmt.Errorf("starting the sink again: %w", err)
	}
	s.mu.Lock()
	s.listener = l
	s.mu.Unlock()
	s.ended.Go(func() { s.accept(l) })
	return nil
}

// Addr is where the sink listens, or listened.
func (s *Sink) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.listener.Addr().String()
}

// Set puts a script in force and releases what hangs.
func (s *Sink) Set(script Script) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = script
	close(s.hold)
	s.hold = make(chan struct{})
}

// Drop closes all connections.
func (s *Sink) Drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.live {
		c.Close()
	}
}

// Close stops listening, ends all connections and waits for them.
func (s *Sink) Close() error {
	s.mu.Lock()
	err := s.listener.Close()
	s.mu.Unlock()
	s.Set(Script{})
	s.Drop()
	s.ended.Wait()
	return err
}

// Messages returns the messages seen so far, in the order of their ends.
func (s *Sink) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Message(nil), s.messages...)
}

// note keeps a command line, unless nothing is to be kept.
func (s *Sink) note(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Taken == nil {
		s.commands = append(s.commands, line)
	}
}

// Commands returns every command line received so far, of all connections; none if Taken is set.
func (s *Sink) Commands() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.commands...)
}

// Conns returns how many connections there have been.
func (s *Sink) Conns() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns
}

func (s *Sink) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		s.mu.Lock()
		s.conns++
		d := &dialogue{sink: s, conn: c, number: s.conns}
		s.live[c] = true
		s.mu.Unlock()
		s.ended.Go(func() {
			d.run()
			c.Close()
			s.mu.Lock()
			delete(s.live, c)
			s.mu.Unlock()
		})
	}
}

// now returns the script in force and what ends it.
func (s *Sink) now() (Script, chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.script, s.hold
}
