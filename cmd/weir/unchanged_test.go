package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"weir/filters/auth"
)

// awkward is a message of all that servers, and those before them, have been known to change.
var awkward = "From: =?utf-8?q?Ann_Gr=C3=BCn?= <ann@client.example.net>\r\nTo: bob@example.org\r\nSUBJECT:   two  blanks\r\n\tand a tab\r\n" +
	"Date: Tue, 24 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@client.example.net>\r\nX-Empty:\r\n" +
	"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" +
	"\r\n.\r\n..\r\n.dots\r\nFrom the start of a line\r\n>From another\r\ntabs\tand trailing blanks \t \r\n" +
	"Gr\xfc\xdfe, gr\xc3\xbc\xc3\x9fe, \xff\x80\x01\x1b[0m\x7f\r\n" + strings.Repeat("y", 998) + "\r\n" + strings.Repeat("z", 5000) + "\r\n" +
	"MAIL FROM:<eve@elsewhere.example>\r\nQUIT\r\n\r\n \r\n\r\n"

// server is a real mail server behind us, and its certificate.
type server struct {
	addr, dir string
	delivered func(*testing.T) []string
}

// realServers start the servers that are known from Debian, each speaking TLS.
var realServers = map[string]func(*testing.T) server{
	"Postfix": func(t *testing.T) server {
		dir := openFolder(t, "tls")
		cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
		selfSigned(t, "backend.example.org", cert, key)
		p := startPostfix(t, "smtpd_tls_security_level = encrypt", "smtpd_tls_cert_file = "+cert, "smtpd_tls_key_file = "+key,
			"smtpd_authorized_xclient_hosts = 127.0.0.0/8", "smtpd_authorized_xforward_hosts = 127.0.0.0/8")
		return server{p.addr, dir, p.delivered}
	},
	"Exim": func(t *testing.T) server {
		e := startExim(t)
		return server{e.addr, e.dir, e.delivered}
	},
}

// Mail reaches the server byte for byte over TLS that is verified by its pinned certificate, and a signature holds.
func TestMailReachesServersUnchanged(t *testing.T) {
	t.Parallel()
	for name, start := range realServers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			behind := start(t)
			w := serve(t, behind.addr, "127.0.0.1:9", noScores, pinned(behind.dir)...)
			sign := signer(t)
			signed, err := sign.Sign([]byte(awkward))
			if err != nil {
				t.Fatal(err)
			}
			c := client(t, w.addr, "")
			if err := c.Rcpt("bob@example.org"); codeOf(err) != 503 {
				t.Errorf("RCPT without MAIL: %v", err)
			}
			if err := sendMail(c, "ann@client.example.net", "bob@example.org", string(signed)); err != nil {
				t.Fatal(err)
			}
			eventually(t, "delivery", func() bool { return len(behind.delivered(t)) == 1 })
			got := strings.ReplaceAll(behind.delivered(t)[0], "\n", "\r\n")
			// Relaxed canonicalization would forgive what this does not.
			if want := string(signed); !strings.HasSuffix(got, want) {
				t.Errorf("sent    %.2000q\narrived %.3000q", want, got)
			}
			if out := verified(t, sign, got); !regexp.MustCompile(`"dkim":\[{"domain":"client.example.net"[^}]*"result":"pass"`).MatchString(out) {
				t.Errorf("the signature is broken: %s", out)
			}
		})
	}
}

func signer(t *testing.T) auth.Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return auth.Signer{Domain: "client.example.net", Selector: "s1", Key: key}
}

// verified is what `weir check` finds in a message, where the signer's key is published.
func verified(t *testing.T, s auth.Signer, mail string) string {
	t.Helper()
	binary, err := weirBinary()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	message, keys, rules := filepath.Join(dir, "mail.eml"), filepath.Join(dir, "keys.zone"), filepath.Join(dir, "rules.yaml")
	write(t, message, mail)
	write(t, keys, fmt.Sprintf("%s. TXT %q\n", s.Name(), s.Record()))
	write(t, rules, noScores+"rules: [{ id: DKIM_VALID, about: It holds, check: dkim, score: -1 }]\n")
	return command(t, binary, "check", "--json", "--rules", rules, "--dns", keys, message)
}
