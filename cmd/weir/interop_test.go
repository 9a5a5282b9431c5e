package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const noScores = "version: 1\nthresholds: { tag: 6, reject: off }\n"

// front is a weir with the listeners that clients know: for mail from outside with STARTTLS, and for users with
// STARTTLS and with TLS from the start.
type front struct {
	*served
	plain, submission, implicit string // addresses
	cert                        string // what the certificate is verified with
}

// frontOf starts weir in front of a server.
func frontOf(t *testing.T, behind string, more ...string) front {
	t.Helper()
	dir := t.TempDir()
	f := front{cert: filepath.Join(dir, "cert.pem")}
	key := filepath.Join(dir, "key.pem")
	selfSigned(t, "mx1.example.org", f.cert, key)
	f.served = serve(t, behind, "127.0.0.1:9", noScores, append(more,
		`listen.tls: starttls }, { addr: "127.0.0.1:0", name: submission, role: outbound, tls: starttls },`+
			` { addr: "127.0.0.1:0", name: submissions, role: outbound, tls: implicit`,
		fmt.Sprintf("tls: { cert: %q, key: %q }", f.cert, key))...)
	m := regexp.MustCompile(`listen="\[(\S+) (\S+) (\S+)\]`).FindStringSubmatch(f.log.String())
	if m == nil {
		t.Fatalf("three listeners are not in\n%s", f.log)
	}
	f.plain, f.submission, f.implicit = m[1], m[2], m[3]
	return f
}

// through runs a client to its end, whose output must have want; wrong is whether it must fail.
func through(t *testing.T, wrong bool, want, name string, args ...string) {
	t.Helper()
	c := exec.Command(needs(t, name), args...)
	c.Stdin = strings.NewReader(strings.ReplaceAll(plainMail, "\r\n", "\n"))
	out, err := c.CombinedOutput()
	if (err != nil) != wrong || !strings.Contains(string(out), want) {
		t.Errorf("%s %s: %v, want %q in\n%s", name, strings.Join(args, " "), err, want, out)
	}
}

// The clients that people test and send with, through weir to an Exim that is verified by its pinned certificate. What
// Exim says of users and recipients is what they read.
func TestClientsThroughToExim(t *testing.T) {
	t.Parallel()
	behind := startExim(t)
	f := frontOf(t, behind.addr, pinned(behind.dir)...)
	count := func() int { return len(behind.delivered(t)) }
	expect := func(t *testing.T, before, more int) {
		t.Helper()
		eventually(t, fmt.Sprintf("%d messages more than %d", more, before), func() bool { return count() >= before+more })
	}

	t.Run("swaks", func(t *testing.T) {
		before := count()
		usual := []string{"--helo", "client.example.net", "--from", "ann@client.example.net", "--data", "-"}
		to := func(addr, rcpt string, more ...string) []string {
			return append(append([]string{"--server", addr, "--to", rcpt}, usual...), more...)
		}
		through(t, false, "", "swaks", to(f.plain, "bob@example.org")...)
		through(t, false, "", "swaks", to(f.plain, "bob@example.org", "--pipeline")...)
		through(t, false, "~> MAIL FROM", "swaks", to(f.plain, "bob@example.org", "--tls")...)
		through(t, true, "<** 550 5.1.1 <nobody@example.org>: no such user here", "swaks", to(f.plain, "nobody@example.org")...)
		through(t, true, "<** 452 4.2.2 <full@example.org>: over quota", "swaks", to(f.plain, "full@example.org")...)
		through(t, true, "530", "swaks", to(f.submission, "eve@elsewhere.example", "--tls")...)
		for _, mechanism := range []string{"PLAIN", "LOGIN", "CRAM-MD5"} {
			as := []string{"--auth", mechanism, "--auth-user", "ann", "--auth-password"}
			through(t, false, "<~  235", "swaks", to(f.submission, "eve@elsewhere.example", append(as, "tell no-one", "--tls")...)...)
			through(t, false, "<~  235", "swaks", to(f.implicit, "eve@elsewhere.example", append(as, "tell no-one", "--tls-on-connect")...)...)
			through(t, true, "<~* 535", "swaks", to(f.submission, "eve@elsewhere.example", append(as, "guessed", "--tls")...)...)
		}
		expect(t, before, 9)
	})
	t.Run("smtplib", func(t *testing.T) {
		before := count()
		through(t, false, "", "python3", "testdata/interop/client.py", portOf(f.plain), portOf(f.submission), portOf(f.implicit), portOf(behind.addr), f.cert)
		expect(t, before, 7)
		large := slices.IndexFunc(behind.delivered(t), func(m string) bool { return strings.Contains(m, "Subject: py-large") })
		if large < 0 || strings.Count(behind.delivered(t)[large], strings.Repeat("x", 75)+"\n") != 70000 {
			t.Error("the large message is not whole")
		}
	})
	t.Run("msmtp", func(t *testing.T) {
		before := count()
		usual := []string{"--host=127.0.0.1", "--domain=client.example.net", "--from=ann@client.example.net", "--tls-trust-file=" + f.cert,
			"--passwordeval=echo tell no-one", "--user=ann", "--tls=on"}
		to := func(addr, rcpt string, more ...string) []string {
			return append(append(append([]string{"--port=" + portOf(addr)}, usual...), more...), rcpt)
		}
		through(t, true, "", "msmtp", to(f.submission, "eve@elsewhere.example", "--auth=plain")...) // the name is not 127.0.0.1
		usual[3] = "--tls-fingerprint=" + fingerprint(t, f.cert)
		for _, mechanism := range []string{"plain", "login", "cram-md5", "xoauth2"} {
			through(t, false, "", "msmtp", to(f.submission, "eve@elsewhere.example", "--auth="+mechanism)...)
		}
		through(t, false, "", "msmtp", to(f.implicit, "eve@elsewhere.example", "--auth=plain", "--tls-starttls=off")...)
		through(t, false, "", "msmtp", to(f.plain, "bob@example.org", "--auth=off")...)
		through(t, true, "no such user here", "msmtp", to(f.plain, "nobody@example.org", "--auth=off")...)
		expect(t, before, 6)
	})
	for _, r := range f.records(t, count()) {
		if (r.Session.User == "ann") != (r.Session.Listener != "smtp" && len(r.Envelope.To) > 0) {
			t.Errorf("a record of user %q at listener %q to %v", r.Session.User, r.Session.Listener, r.Envelope.To)
		}
	}
}

// fingerprint is a certificate's SHA-256 as msmtp wants it.
func fingerprint(t *testing.T, cert string) string {
	t.Helper()
	out := command(t, needs(t, "openssl"), "x509", "-in", cert, "-noout", "-fingerprint", "-sha256")
	_, sum, _ := strings.Cut(strings.TrimSpace(out), "=")
	return sum
}
