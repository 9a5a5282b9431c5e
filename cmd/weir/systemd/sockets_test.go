package systemd

import (
	"net"
	"testing"
)

func TestSocketsAreMatchedByNameOrAddress(t *testing.T) {
	open := func(name string) *Socket {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return &Socket{TCPListener: l.(*net.TCPListener), name: name}
	}
	a, b, c := open("smtp"), open("mail"), open("mail")
	h := &Sockets{left: []*Socket{c, a, b}}
	for _, q := range []struct {
		name, addr string
		want       *Socket
	}{
		{"smtp", "192.0.2.1:25", a}, {"mail", b.Addr().String(), b}, {"other", c.Addr().String(), c},
		{"smtp", a.Addr().String(), nil},
	} {
		if got := h.Take(q.name, q.addr); got != q.want {
			t.Errorf("%v: the wrong socket", q.name)
		}
	}
	for _, q := range []struct {
		a, b string
		same bool
	}{
		{"[::]:25", "0.0.0.0:25", true}, {"[::]:25", ":25", true}, {"0.0.0.0:25", "127.0.0.1:25", false}, {"127.0.0.1:25", "127.0.0.1:25", true},
		{"127.0.0.1:25", "127.0.0.1:26", false}, {"127.0.0.1:25", "localhost:25", false}, {"[::ffff:192.0.2.1]:25", "192.0.2.1:25", true},
	} {
		if sameAddress(q.a, q.b) != q.same {
			t.Errorf("%s and %s: same is not %v", q.a, q.b, q.same)
		}
	}
}
