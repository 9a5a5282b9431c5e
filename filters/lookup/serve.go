package lookup

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

const (
	listenTries = 20
	serverIdle  = 5 * time.Second // how long a TCP connection may be silent
)

// Server answers from a zone over UDP and TCP on one port. It is for tests and demonstrations.
type Server struct {
	zone  *Zone
	udp   *dns.Server
	tcp   *dns.Server
	twist atomic.Pointer[func(packet []byte, tcp bool) [][]byte]
	asked atomic.Uint64
	work  sync.WaitGroup
}

// Serve answers from z at addr until Close. Port 0 takes a free one. z may be changed meanwhile.
func Serve(addr string, z *Zone) (*Server, error) {
	packets, streams, err := listen(addr)
	if err != nil {
		return nil, fmt.Errorf("serving a zone at %s: %w", addr, err)
	}
	s := &Server{zone: z}
	var started sync.WaitGroup
	started.Add(2)
	s.udp = &dns.Server{PacketConn: packets, Handler: s.handler(false), NotifyStartedFunc: started.Done}
	s.tcp = &dns.Server{Listener: streams, Handler: s.handler(true), NotifyStartedFunc: started.Done,
		IdleTimeout: func() time.Duration { return serverIdle }}
	// They end with an error only when their socket is gone, that is after Close.
	s.work.Go(func() { _ = s.udp.ActivateAndServe() })
	s.work.Go(func() { _ = s.tcp.ActivateAndServe() })
	started.Wait()
	return s, nil
}

// listen takes the same port for UDP and TCP. With port 0 it tries until it finds one free for both.
func listen(addr string) (net.PacketConn, net.Listener, error) {
	var err error
	for range listenTries {
		packets, listenErr := net.ListenPacket("udp", addr)
		if listenErr != nil {
			return nil, nil, listenErr
		}
		streams, listenErr := net.Listen("tcp", packets.LocalAddr().String())
		if listenErr == nil {
			return packets, streams, nil
		}
		err = errors.Join(listenErr, packets.Close())
	}
	return nil, nil, err
}

// Addr is the server's address, "127.0.0.1:40123".
func (s *Server) Addr() string { return s.udp.PacketConn.LocalAddr().String() }

// Asked is how many queries came.
func (s *Server) Asked() uint64 { return s.asked.Load() }

// Twist makes the server misbehave: change is given each reply's packet and returns the packets to send instead, in
// order, or none to stay silent. It is called once a query, by many goroutines; while it blocks, that query waits and
// Close does too. nil ends the misbehaviour. Package lookuptest has a collection.
func (s *Server) Twist(change func(packet []byte, tcp bool) [][]byte) {
	if change == nil {
		s.twist.Store(nil)
		return
	}
	s.twist.Store(&change)
}

// Close ends the server and waits for its goroutines.
func (s *Server) Close() error {
	err := errors.Join(s.udp.Shutdown(), s.tcp.Shutdown())
	s.work.Wait()
	return err
}

func (s *Server) handler(tcp bool) dns.HandlerFunc {
	return func(w dns.ResponseWriter, asked *dns.Msg) {
		s.asked.Add(1)
		packet, err := s.reply(asked, tcp)
		if err != nil {
			return // the query cannot be answered; whoever asked sees silence
		}
		packets := [][]byte{packet}
		if change := s.twist.Load(); change != nil {
			packets = (*change)(packet, tcp)
		}
		for _, p := range packets {
			if _, err := w.Write(p); err != nil {
				return // the client has gone
			}
		}
	}
}

// reply makes the packet that answers asked, cut to the size the client takes (RFC 6891 §6.2.3).
func (s *Server) reply(asked *dns.Msg, tcp bool) ([]byte, error) {
	size := dns.MinMsgSize
	m := new(dns.Msg)
	m.SetReply(asked)
	if len(asked.Question) == 1 && asked.Question[0].Qclass == dns.ClassINET {
		q := asked.Question[0]
		from := s.zone.reply(question{canonical(q.Name), Kind(q.Qtype)})
		m.Rcode, m.Answer, m.Ns = from.Rcode, from.Answer, from.Ns
		m.Authoritative = true
	} else {
		m.Rcode = dns.RcodeRefused
	}
	if opt := asked.IsEdns0(); opt != nil {
		size = max(size, int(opt.UDPSize()))
		m.SetEdns0(dns.DefaultMsgSize, false)
	}
	if tcp {
		size = dns.MaxMsgSize
	}
	m.Compress = true
	m.Truncate(size)
	return m.Pack()
}
