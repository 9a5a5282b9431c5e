package proxy

import (
	"strings"
	"testing"

	"weir/proxy/backend"
	"weir/proxy/backend/sink"
)

func TestTheRouteThatSaysMostHolds(t *testing.T) {
	r := Routes{}
	for _, key := range []string{"example.org", ".example.org", ".deep.example.org", "x.deep.example.org", ".test"} {
		r[key] = &backend.Backend{Hello: key}
	}
	want := map[string]string{
		"example.org": "example.org", "a.example.org": ".example.org", "deep.example.org": ".example.org", "a.b.deep.example.org": ".deep.example.org",
		"x.deep.example.org": "x.deep.example.org", "y.x.deep.example.org": ".deep.example.org", "a.test": ".test",
		"test": "", "notexample.org": "", "example.org.example.net": "", "": "", ".": "", "[192.0.2.1]": "",
	}
	for _, others := range []string{"", "*"} {
		if others != "" {
			r[others] = &backend.Backend{Hello: others}
		}
		for domain, key := range want {
			if key == "" {
				key = others
			}
			got := ""
			if b := r.to(domain); b != nil {
				got = b.Hello
			}
			if got != key {
				t.Errorf("%q goes by %q, want %q", domain, got, key)
			}
		}
	}
}

// FuzzRoutes: whatever the domain, it goes by the longest key that is it or its end.
func FuzzRoutes(f *testing.F) {
	f.Add("a.b.example", "b.example", ".example")
	f.Add("..", ".", "..")
	f.Fuzz(func(t *testing.T, domain, one, two string) {
		r := Routes{}
		for _, key := range []string{one, two} {
			if key != "" && key != "*" {
				r[key] = &backend.Backend{Hello: key}
			}
		}
		want := ""
		for key := range r {
			fits := key == domain || key[0] == '.' && strings.HasSuffix(domain, key) && len(domain) > len(key)
			if fits && (len(key) > len(want)) {
				want = key
			}
		}
		got := ""
		if b := r.to(domain); b != nil {
			got = b.Hello
		}
		if got != want {
			t.Fatalf("%q goes by %q, want %q", domain, got, want)
		}
	})
}

// A connection serves one client after another, without one's mail or refusal touching the next one's.
func TestClientsShareAConnection(t *testing.T) {
	f := newFront(t, func(f *front) { f.Backend.Idle = 2 })
	before := f.sink.Conns()
	for range 3 {
		c := f.rcpt()
		c.data(note, "250")
		c.cmd("MAIL FROM:<ann@client.example>", "250") // left open
		c.cmd("RCPT TO:<eve@weir.example>", "250")
		c.cmd("QUIT", "221")
		f.until("end of the session", func() bool { return f.Active() == 0 })
	}
	if n := f.sink.Conns() - before; n != 1 {
		t.Errorf("%d connections", n)
	}
	for _, m := range f.taken() {
		if len(m.Rcpts) != 1 || m.Rcpts[0] != "TO:<bob@weir.example>" {
			t.Errorf("recipients %q", m.Rcpts)
		}
	}
	f.Backend.Close()
}

// A connection that is lost before MAIL is answered, after it had served others, costs the client nothing; one that is
// lost twice is the server's fault.
func TestAConnectionLostBeforeMailIsOpenedAgain(t *testing.T) {
	f := newFront(t, func(f *front) { f.Backend.Idle = 2 })
	f.rcpt().cmd("QUIT", "221")
	f.until("end of the session", func() bool { return f.Active() == 0 })
	c := f.hello()
	f.sink.Set(sink.Script{On: map[sink.Stage]sink.Action{sink.Mail: {Kind: sink.Shut}}})
	before := f.sink.Conns()
	c.cmd("MAIL FROM:<ann@client.example>", "250")
	c.cmd("RCPT TO:<bob@weir.example>", "451")
	if n := f.sink.Conns() - before; n != 1 {
		t.Errorf("%d new connections", n)
	}
	f.Backend.Close()
}
