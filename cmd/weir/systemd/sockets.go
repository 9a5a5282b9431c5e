// Package systemd is weir as a service of systemd: the sockets that it hands over, and what it is told. Where systemd has not
// started us there are no sockets, and nobody hears what is told.
//
//	sockets, err := systemd.Handed()
//	defer sockets.Close()
//	l := sockets.Take("smtp", "0.0.0.0:25") // nil: open it yourself
//	err = sockets.Unused()
//	err = systemd.Ready("serving")
package systemd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
)

// Sockets are those that systemd has opened for us and that nobody has taken yet.
type Sockets struct {
	Any  bool // there were some
	left []*Socket
}

// Socket is a listener that systemd keeps open when we end: who connects meanwhile waits for the next weir.
type Socket struct {
	*net.TCPListener
	name    string
	leaving atomic.Bool
	once    sync.Once
	idle    chan struct{} // closed when nobody will be accepted any more
	closed  chan struct{}
}

// Handed takes the sockets over, none if systemd has not started us. It is called once. An error is for what is handed over
// and is no TCP socket that listens.
func Handed() (*Sockets, error) {
	h := &Sockets{}
	for _, f := range activation.Files(true) {
		l, err := net.FileListener(f)
		f.Close()
		tcp, ok := l.(*net.TCPListener)
		if !ok {
			h.Close()
			return nil, errors.Join(fmt.Errorf("systemd handed over %s, which is no TCP socket that listens", f.Name()), err)
		}
		h.Any = true
		h.left = append(h.left, &Socket{TCPListener: tcp, name: f.Name(), idle: make(chan struct{}), closed: make(chan struct{})})
	}
	return h, nil
}

// Take returns the socket that is meant for the listener of a name at an address: the only one of that name, else the one at
// the address; nil if there is none.
func (h *Sockets) Take(name, addr string) *Socket {
	named := func(s *Socket) bool { return s.name == name }
	at := func(s *Socket) bool { return sameAddress(s.Addr().String(), addr) }
	i := slices.IndexFunc(h.left, named)
	if i < 0 || slices.ContainsFunc(h.left[i+1:], named) {
		i = slices.IndexFunc(h.left, at)
	}
	if i < 0 {
		return nil
	}
	s := h.left[i]
	h.left = slices.Delete(h.left, i, i+1)
	return s
}

// Unused is an error that names the sockets which nobody has taken; nil if there are none.
func (h *Sockets) Unused() error {
	var all []error
	for _, s := range h.left {
		all = append(all, fmt.Errorf("systemd handed over the socket %s at %s, for which there is no listener\n"+
			"  FileDescriptorName= in the socket unit is the name of a listener, or ListenStream= its addr", s.name, s.Addr()))
	}
	return errors.Join(all...)
}

// Close closes the sockets that nobody has taken.
func (h *Sockets) Close() {
	for _, s := range h.left {
		s.Close()
	}
}

// sameAddress reports whether a socket at a is what a configuration calls b. All addresses of this machine are one.
func sameAddress(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	if errA != nil || errB != nil || portA != portB {
		return false
	}
	ipA, _ := netip.ParseAddr(cmp.Or(hostA, "::"))
	ipB, _ := netip.ParseAddr(cmp.Or(hostB, "::"))
	return ipA.Unmap() == ipB.Unmap() && ipA.IsValid() || ipA.IsUnspecified() && ipB.IsUnspecified()
}

// Accept waits for a client. Once the socket is left nobody is accepted, and it waits for Close.
func (s *Socket) Accept() (net.Conn, error) {
	if !s.leaving.Load() {
		c, err := s.TCPListener.Accept()
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return c, err
		}
	}
	s.once.Do(func() { close(s.idle) })
	<-s.closed
	return nil, net.ErrClosed
}

// Leave lets those who connect wait for the next weir. It returns when those accepted before are at work, so that none
// is lost, or when ctx ends.
func (s *Socket) Leave(ctx context.Context) {
	s.leaving.Store(true)
	if s.SetDeadline(time.Unix(1, 0)) != nil { // it is closed
		return
	}
	select {
	case <-s.idle:
	case <-ctx.Done():
	}
}

// Close ends our use of the socket, which stays open at systemd. Only the first call does.
func (s *Socket) Close() error {
	err := s.TCPListener.Close()
	if err == nil {
		close(s.closed)
	}
	return err
}
