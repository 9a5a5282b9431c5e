package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/smtp"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"weir/proxy/backend/sink"
	"weir/scoring/verdictlog"
)

// weirBinary is the program, built once for all tests, with the race detector if they are.
var weirBinary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "weir-binary-")
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "weir")
	out, err := exec.Command("go", "build", "-race="+strconv.FormatBool(raced), "-o", binary, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building weir: %w\n%s", err, out)
	}
	return binary, nil
})

// served is a running weir.
type served struct {
	addr    string
	process *os.Process
	log     *lockedBuffer
	dir     string // of weir.yaml, rules.yaml and verdicts
	wait    func() error
}

var listenLine = regexp.MustCompile(`msg=serving .*listen="?\[([^\] ]+)`)

// serve starts the built program between a client and backend, with rules, and stops it with the test. more are further
// lines of weir.yaml; "backend.KEY: VALUE" is one of the backend.
func serve(t *testing.T, backend, dns, rules string, more ...string) *served {
	t.Helper()
	binary, err := weirBinary()
	if err != nil {
		t.Fatal(err)
	}
	s := &served{log: new(lockedBuffer), dir: t.TempDir()}
	write(t, filepath.Join(s.dir, "rules.yaml"), rules)
	group := map[string]string{}
	for i, line := range more {
		for _, name := range []string{"listen", "backend", "verdicts", "limits"} {
			if setting, ok := strings.CutPrefix(line, name+"."); ok {
				group[name], more[i] = group[name]+", "+setting, ""
			}
		}
	}
	write(t, filepath.Join(s.dir, "weir.yaml"), fmt.Sprintf("version: 1\nhostname: mx1.example.org\nlisten: [{ addr: \"127.0.0.1:0\"%s }]\n"+
		"backend: { addrs: [%q], timeout: 20s%s }\ndns: { servers: [%q] }\nlimits: { sessions_per_ip: 1000%s }\nrules: rules.yaml\nverdicts: { dir: %s }\n%s",
		group["listen"], backend, group["backend"], dns, group["limits"], cmp.Or(strings.TrimPrefix(group["verdicts"], ", dir: "), "verdicts"), strings.Join(more, "\n")))
	c := exec.Command(binary, "serve", "-c", filepath.Join(s.dir, "weir.yaml"))
	c.Stderr = s.log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	s.process = c.Process
	s.wait = sync.OnceValue(c.Wait)
	t.Cleanup(func() {
		c.Process.Kill()
		s.wait()
		if t.Failed() {
			t.Logf("weir said:\n%s", s.log)
		}
		if strings.Contains(s.log.String(), "DATA RACE") {
			t.Errorf("weir raced:\n%s", s.log)
		}
	})
	eventually(t, "weir to serve", func() bool {
		m := listenLine.FindStringSubmatch(s.log.String())
		if m == nil {
			return false
		}
		s.addr = m[1]
		return true
	})
	return s
}

// records reads the verdict log once it holds n records.
func (s *served) records(t *testing.T, n int) []verdictlog.Record {
	t.Helper()
	var all []verdictlog.Record
	eventually(t, fmt.Sprintf("%d verdict records", n), func() bool {
		all = nil
		q, err := verdictlog.ParseQuery(nil)
		if err != nil {
			t.Fatal(err)
		}
		err = verdictlog.Search(context.Background(), filepath.Join(s.dir, "verdicts"), q, func(r *verdictlog.Record) error {
			all = append(all, *r)
			return nil
		})
		return err == nil && len(all) >= n
	})
	return all
}

// client is one SMTP client of a test, from the address given.
func client(t *testing.T, addr, from string) *smtp.Client {
	t.Helper()
	d := net.Dialer{Timeout: 10 * time.Second}
	if from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	conn, err := d.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(time.Minute))
	c, err := smtp.NewClient(conn, "mx1.example.org")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.Hello("client.example.net"); err != nil {
		t.Fatal(err)
	}
	return c
}

const plainMail = "From: Ann <ann@client.example.net>\r\nTo: bob@example.org\r\nSubject: lunch\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\n" +
	"Message-ID: <1@client.example.net>\r\n\r\nAt noon?\r\n.dots stay\r\n"

func sendMail(c *smtp.Client, from, to, raw string) error {
	if err := c.Mail(from); err != nil {
		return err
	}
	if err := c.Rcpt(to); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	_, err = w.Write([]byte(raw))
	return errors.Join(err, w.Close())
}

// begun is a transaction in flight: its message is still to be written.
func begun(t *testing.T, addr string) io.WriteCloser {
	t.Helper()
	busy := client(t, addr, "")
	for _, err := range []error{busy.Mail("a@ok.example"), busy.Rcpt("bob@example.org")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	data, err := busy.Data()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func codeOf(err error) int {
	var refused *textproto.Error
	if errors.As(err, &refused) {
		return refused.Code
	}
	return 0
}

const listRules = `version: 1
include: ["builtin:defaults"]
thresholds: { tag: 6, reject: 15 }
zones:
  - id: HARD
    zone: hard.lists.test
    ask: [client_ip]
    public: "listed at {{ .zone }}"
    answers: [{ id: BAD, is: 127.0.0.2, score: 7, mode: hard }]
  - id: SOFT
    zone: soft.lists.test
    ask: [client_ip]
    answers: [{ id: POOR, is: 127.0.0.2, score: 7 }]
    errors: [{ is: 127.255.255.254, means: asked through a public resolver }]
policies:
  - { id: abuse-desk, rcpt: ["postmaster@*", "abuse@*"], thresholds: { reject: off }, zones: { mode: weighted } }
`

// The set-up of README.md: a real Postfix behind, a real rbldnsd as list server, swaks and a Go client before.
func TestInFrontOfPostfix(t *testing.T) {
	behind := startPostfix(t)
	dns := startRbldnsd(t, map[string]string{
		"hard.lists.test": ":127.0.0.2:Listed\n127.0.0.9\n",
		"soft.lists.test": ":127.0.0.2:Listed\n127.0.0.8\n127.0.0.7 :127.255.255.254:error\n",
	})
	w := serve(t, behind.addr, dns, listRules)

	t.Run("ordinary mail is delivered byte for byte", func(t *testing.T) {
		swaks := needs(t, "swaks")
		file := filepath.Join(t.TempDir(), "mail.eml")
		write(t, file, plainMail)
		command(t, swaks, "--server", w.addr, "--from", "ann@client.example.net", "--to", "bob@example.org", "--data", "@"+file, "--helo", "client.example.net")
		eventually(t, "delivery", func() bool { return len(behind.delivered(t)) == 1 })
		got := behind.delivered(t)[0]
		if !strings.HasSuffix(got, strings.ReplaceAll(plainMail, "\r\n", "\n")) && !strings.Contains(got, "\n\nAt noon?\n.dots stay\n") {
			t.Errorf("delivered:\n%s", got)
		}
		for _, want := range []string{"X-Spam-Status: No, score=", "X-Weir-Verdict: id=", "Received: from client.example.net"} {
			if !strings.Contains(got, want) {
				t.Errorf("no %q in:\n%s", want, got)
			}
		}
	})
	t.Run("a hard listing refuses at RCPT", func(t *testing.T) {
		c := client(t, w.addr, "127.0.0.9")
		if err := c.Mail("a@bad.example"); err != nil {
			t.Fatal(err)
		}
		err := c.Rcpt("bob@example.org")
		if codeOf(err) != 550 || !strings.Contains(err.Error(), "listed at hard.lists.test") {
			t.Errorf("RCPT: %v", err)
		}
	})
	t.Run("the abuse desk still hears from listed clients", func(t *testing.T) {
		if err := sendMail(client(t, w.addr, "127.0.0.9"), "a@bad.example", "abuse@example.org", plainMail); err != nil {
			t.Error(err)
		}
	})
	t.Run("a weighted listing tags", func(t *testing.T) {
		if err := sendMail(client(t, w.addr, "127.0.0.8"), "a@poor.example", "bob@example.org", plainMail); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the tagged message", func() bool {
			return strings.Contains(strings.Join(behind.delivered(t), ""), "\nX-Spam-Flag: YES\n")
		})
	})
	t.Run("a list's error costs nothing", func(t *testing.T) {
		if err := sendMail(client(t, w.addr, "127.0.0.7"), "a@ok.example", "bob@example.org", plainMail); err != nil {
			t.Fatal(err)
		}
		for _, r := range w.records(t, 5) {
			if r.Session.Client.IP == "127.0.0.7" && (r.Verdict.Action.String() != "pass" || len(r.Errors) == 0 || r.Errors[0].Kind != "sentinel") {
				t.Errorf("record %+v", r)
			}
		}
	})
	t.Run("Postfix's own refusal passes word for word", func(t *testing.T) {
		c := client(t, w.addr, "")
		if err := c.Mail("a@ok.example"); err != nil {
			t.Fatal(err)
		}
		err := c.Rcpt("nobody@example.org")
		if codeOf(err) != 550 || !strings.Contains(err.Error(), "User unknown in virtual mailbox table") {
			t.Errorf("RCPT: %v", err)
		}
		if err := c.Rcpt("someone@elsewhere.example"); codeOf(err) != 554 || !strings.Contains(err.Error(), "Relay access denied") {
			t.Errorf("RCPT elsewhere: %v", err)
		}
	})
}

func TestReloadIsAllOrNothing(t *testing.T) {
	mailbox := startSink(t)
	w := serve(t, mailbox.Addr(), "127.0.0.1:9", "version: 1\nthresholds: { tag: 6, reject: 15 }\nrules: [{ id: KETTLE, about: kettles, body: { regex: kettle }, score: 1 }]\n")
	rules := filepath.Join(w.dir, "rules.yaml")
	kettle := strings.Replace(plainMail, "noon", "kettle", 1)
	if err := sendMail(client(t, w.addr, ""), "a@ok.example", "bob@example.org", kettle); err != nil {
		t.Fatal(err)
	}

	write(t, rules, "version: 1\nthresholds: { tag: 6, reject: 15 }\nrules: [{ id: KETTLE, about: kettles, body: { regex: kettle }, scroe: 20 }]\n")
	w.process.Signal(syscall.SIGHUP)
	eventually(t, "the refusal of the reload", func() bool { return strings.Contains(w.log.String(), "reload refused") })
	if log := w.log.String(); !strings.Contains(log, "rules.yaml:3:") || !strings.Contains(log, "scroe") {
		t.Errorf("the refusal does not say where: %s", log)
	}
	if err := sendMail(client(t, w.addr, ""), "a@ok.example", "bob@example.org", kettle); err != nil {
		t.Errorf("after a refused reload: %v", err)
	}

	early := client(t, w.addr, "") // keeps the generation it began with
	write(t, rules, "version: 1\nthresholds: { tag: 6, reject: 15 }\nrules: [{ id: KETTLE, about: kettles, body: { regex: kettle }, score: 20 }]\n")
	w.process.Signal(syscall.SIGHUP)
	eventually(t, "the reload", func() bool { return strings.Contains(w.log.String(), "msg=reloaded") })
	if err := sendMail(client(t, w.addr, ""), "a@ok.example", "bob@example.org", kettle); codeOf(err) != 550 {
		t.Errorf("under the new rules: %v", err)
	}
	if err := sendMail(early, "a@ok.example", "bob@example.org", kettle); err != nil {
		t.Errorf("a session of the old generation: %v", err)
	}
}

func TestDrain(t *testing.T) {
	mailbox := startSink(t)
	w := serve(t, mailbox.Addr(), "127.0.0.1:9", "version: 1\nthresholds: { tag: 6, reject: 15 }\n")
	data := begun(t, w.addr)
	w.process.Signal(syscall.SIGTERM)
	eventually(t, "the drain", func() bool { return strings.Contains(w.log.String(), "msg=draining") })
	if conn, err := net.Dial("tcp", w.addr); err == nil {
		defer conn.Close()
		if _, _, err := textproto.NewConn(conn).ReadResponse(220); codeOf(err) != 421 {
			t.Errorf("a new client heard %v, want 421", err)
		}
	}
	fmt.Fprint(data, plainMail)
	if err := data.Close(); err != nil {
		t.Errorf("the transaction in flight: %v", err)
	}
	if err := w.wait(); err != nil {
		t.Errorf("weir ended with %v", err)
	}
	if n := len(mailbox.Messages()); n != 1 {
		t.Errorf("%d messages in the backend, want 1", n)
	}
}

func TestASecondSignalEndsAtOnce(t *testing.T) {
	mailbox := startSink(t)
	w := serve(t, mailbox.Addr(), "127.0.0.1:9", "version: 1\nthresholds: { tag: 6, reject: 15 }\n")
	busy := client(t, w.addr, "")
	if err := busy.Mail("a@ok.example"); err != nil {
		t.Fatal(err)
	}
	w.process.Signal(syscall.SIGTERM)
	eventually(t, "the drain", func() bool { return strings.Contains(w.log.String(), "msg=draining") })
	w.process.Signal(syscall.SIGTERM)
	if err := w.wait(); err != nil {
		t.Errorf("weir ended with %v", err)
	}
	if n := len(mailbox.Messages()); n != 0 {
		t.Errorf("%d messages in the backend, want none", n)
	}
}

func startSink(t *testing.T) *sink.Sink {
	t.Helper()
	s, err := sink.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}
