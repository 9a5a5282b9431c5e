package backend

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"testing"

	"weir/proxy/backend/sink"
)

func TestTheHeaderOfTheProxyProtocol(t *testing.T) {
	six := Client{Addr: netip.MustParseAddrPort("[2001:db8::9%eth0]:4711"), Local: netip.MustParseAddrPort("[2001:db8::25]:25")}
	mixed := Client{Addr: netip.MustParseAddrPort("[::ffff:203.0.113.9]:1"), Local: netip.MustParseAddrPort("[2001:db8::25]:25")}
	for _, c := range []struct {
		who  Client
		line string
		rest string // after the signature
	}{
		{ann, "PROXY TCP4 203.0.113.9 192.0.2.25 4711 25\r\n", "\x21\x11\x00\x0c\xcb\x00\x71\x09\xc0\x00\x02\x19\x12\x67\x00\x19"},
		{six, "PROXY TCP6 2001:db8::9 2001:db8::25 4711 25\r\n", "\x21\x21\x00\x24\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\x09" +
			"\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\x25\x12\x67\x00\x19"},
		{mixed, "PROXY TCP4 203.0.113.9 0.0.0.0 1 25\r\n", "\x21\x11\x00\x0c\xcb\x00\x71\x09\x00\x00\x00\x00\x00\x01\x00\x19"},
		{Client{}, "PROXY UNKNOWN\r\n", "\x20\x00\x00\x00"},
	} {
		if got := string(proxyHeader(c.who, 1)); got != c.line {
			t.Errorf("%q, want %q", got, c.line)
		}
		if got, want := string(proxyHeader(c.who, 2)), "\r\n\r\n\x00\r\nQUIT\n"+c.rest; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// The header comes before all else, also before TLS, and who does not expect it is no server of ours.
func TestTheServerGetsTheHeaderFirst(t *testing.T) {
	s, b := start(t)
	pair, roots := authority(t, "127.0.0.1")
	b.PassClient, b.Security, b.TLS = PassProxy, Required, &tls.Config{RootCAs: roots}
	s.Set(sink.Script{Proxy: true, TLS: &tls.Config{Certificates: []tls.Certificate{pair}}})
	sendAs(t, b, ann)
	if got := s.Proxied(); len(got) != 1 || !bytes.Equal(got[0], proxyHeader(ann, 2)) {
		t.Errorf("headers %q", got)
	}
	for pass, script := range map[PassClient]sink.Script{PassProxy: {}, PassProxyLine: {}, PassNone: {Proxy: true, NoEHLO: true}} {
		s, b := start(t)
		s.Set(script)
		if b.PassClient = pass; pass == PassNone { // what refuses EHLO may have met a header that it does not know
			b.PassClient = PassProxy
		}
		if c, err := b.OpenFor(t.Context(), ann); err == nil {
			t.Error("a server without PROXY is used")
			c.Close()
		}
		for _, line := range s.Commands() {
			if strings.HasPrefix(line, "HELO") || strings.HasPrefix(line, "MAIL") {
				t.Errorf("it got %q", line)
			}
		}
	}
}

// FuzzProxyHeader: whatever the addresses, a header is whole, and says the address that it was given.
func FuzzProxyHeader(f *testing.F) {
	f.Add([]byte{203, 0, 113, 9}, []byte{192, 0, 2, 25}, uint16(4711), uint16(25))
	f.Add([]byte(net.ParseIP("2001:db8::9")), []byte{192, 0, 2, 25}, uint16(0), uint16(65535))
	f.Add([]byte{}, []byte{1}, uint16(1), uint16(2))
	f.Fuzz(func(t *testing.T, from, to []byte, fromPort, toPort uint16) {
		a, known := netip.AddrFromSlice(from)
		local, _ := netip.AddrFromSlice(to)
		who := Client{Addr: netip.AddrPortFrom(a, fromPort), Local: netip.AddrPortFrom(local, toPort)}
		line, block := string(proxyHeader(who, 1)), proxyHeader(who, 2)
		if len(line) > 107 || strings.Index(line, "\r\n") != len(line)-2 {
			t.Fatalf("line %q", line)
		}
		if len(block) < 16 || int(binary.BigEndian.Uint16(block[14:])) != len(block)-16 || !bytes.HasPrefix(block, proxySignature) {
			t.Fatalf("block %q", block)
		}
		words := strings.Fields(line)
		if !known {
			if line != "PROXY UNKNOWN\r\n" || block[12] != 0x20 {
				t.Fatalf("%q, %q", line, block)
			}
			return
		}
		if got := netip.MustParseAddr(words[2]); len(words) != 6 || got != a.Unmap() {
			t.Fatalf("line %q of %v", line, a)
		}
		if got, _ := netip.AddrFromSlice(block[16 : 16+len(a.Unmap().AsSlice())]); got != a.Unmap() {
			t.Fatalf("block %q of %v", block, a)
		}
	})
}
