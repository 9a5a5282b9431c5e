package main

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir/filters/lookup"
	"weir/proxy/backend/sink"
)

// The benchmarks of the whole program: the built binary as its own process between a client and a mail server, beside
// haproxy that only passes bytes. CPU time is that of the target's process alone.

const benchRules = `version: 1
include: ["builtin:defaults"]
thresholds: { tag: 6, reject: 15 }
zones:
  - { id: A, zone: a.lists.test, ask: [client_ip], answers: [{ id: X, is: 127.0.0.2, score: 1 }] }
  - { id: B, zone: b.lists.test, ask: [client_ip], answers: [{ id: X, is: 127.0.0.2, score: 1 }] }
  - { id: C, zone: c.lists.test, ask: [client_ip], answers: [{ id: X, is: 127.0.0.2, score: 1 }] }
bulk:
  windows: [{ id: BULK_MANY, over: 1h, alike: 1000000, score: 1 }]
`

// target is a program between client and mail server.
type target struct {
	name string
	addr string
	pid  int // 0 for none
}

func BenchmarkProgram(b *testing.B) {
	mailbox, err := sink.Listen("127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer mailbox.Close()
	messages := benchMessages(200)
	targets := []target{{name: "direct", addr: mailbox.Addr()}, benchHaproxy(b, mailbox.Addr()), benchWeir(b, mailbox.Addr())}
	for _, kept := range []bool{false, true} {
		for _, t := range targets {
			name := "one-connection-each/" + t.name
			if kept {
				name = "kept-connections/" + t.name
			}
			b.Run(name, func(b *testing.B) { t.measure(b, messages, kept) })
		}
	}
}

// measure sends b.N messages over 10 connections at a time and reports the target's CPU time a message.
func (t target) measure(b *testing.B, messages []string, kept bool) {
	var next atomic.Int64
	before, start := t.cpu(b), time.Now()
	b.ResetTimer()
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			var c *benchClient
			for {
				i := int(next.Add(1)) - 1
				if i >= b.N {
					break
				}
				if c == nil {
					c = dialBench(b, t.addr)
				}
				if c == nil || !c.send(b, messages[i%len(messages)]) {
					return
				}
				if !kept {
					c.quit()
					c = nil
				}
			}
			if c != nil {
				c.quit()
			}
		})
	}
	all.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "msg/s")
	if t.pid != 0 {
		b.ReportMetric(float64((t.cpu(b)-before).Microseconds())/1000/float64(b.N), "cpu-ms/msg")
	}
}

// cpu is the CPU time the target has used.
func (t target) cpu(b *testing.B) time.Duration {
	if t.pid == 0 {
		return 0
	}
	took, err := cpuOf(t.pid)
	if err != nil {
		b.Fatal(err)
	}
	return took
}

// cpuOf is the CPU time a process has used, from /proc/PID/stat (proc(5)), in ticks of 10 ms.
func cpuOf(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(after)
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat: %q", pid, stat)
	}
	user, err := strconv.Atoi(fields[11])
	if err != nil {
		return 0, err
	}
	system, err := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond, err
}

type benchClient struct {
	conn net.Conn
	text *textproto.Conn
}

func dialBench(b *testing.B, addr string) *benchClient {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		b.Error(err)
		return nil
	}
	c := &benchClient{conn, textproto.NewConn(conn)}
	if _, _, err := c.text.ReadResponse(220); err != nil {
		b.Error(err)
		return nil
	}
	if !c.command(b, 250, "EHLO client.example.net") {
		return nil
	}
	return c
}

func (c *benchClient) command(b *testing.B, code int, line string) bool {
	if err := c.text.PrintfLine("%s", line); err != nil {
		b.Error(err)
		return false
	}
	if _, _, err := c.text.ReadResponse(code); err != nil {
		b.Errorf("%s: %v", line, err)
		return false
	}
	return true
}

func (c *benchClient) send(b *testing.B, message string) bool {
	return c.command(b, 250, "MAIL FROM:<ann@client.example.net>") && c.command(b, 250, "RCPT TO:<bob@example.org>") &&
		c.command(b, 354, "DATA") && c.command(b, 250, message+".")
}

func (c *benchClient) quit() {
	c.text.PrintfLine("QUIT")
	c.text.ReadResponse(221)
	c.text.Close()
}

// benchMessages writes different messages of about 10 KB: multipart, with many links.
func benchMessages(n int) []string {
	r := rand.New(rand.NewPCG(1, 2))
	words := strings.Fields("river table window garden letter winter market copper orange station morning paper kettle bridge answer music silver travel butter forest")
	var all []string
	for i := range n {
		var text, html strings.Builder
		for text.Len() < 4000 {
			fmt.Fprintf(&text, "%s %s%d ", words[r.IntN(len(words))], words[r.IntN(len(words))], r.IntN(1000))
			if r.IntN(12) == 0 {
				text.WriteString("\r\n")
			}
		}
		for html.Len() < 5200 {
			fmt.Fprintf(&html, "<p>%s <b>%s</b> %s <a href=\"https://www%d.example.net/%s/%d\">%s</a></p>\r\n", words[r.IntN(len(words))],
				words[r.IntN(len(words))], words[r.IntN(len(words))], r.IntN(20), words[r.IntN(len(words))], r.IntN(9999), words[r.IntN(len(words))])
		}
		all = append(all, fmt.Sprintf("From: Ann <ann@client.example.net>\r\nTo: bob@example.org\r\nSubject: %s %d\r\nDate: %s\r\nMessage-ID: <%d@client.example.net>\r\n"+
			"MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=b%d\r\n\r\n--b%d\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n%s\r\n"+
			"--b%d\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html><body>%s</body></html>\r\n--b%d--\r\n",
			words[r.IntN(len(words))], i, time.Now().Format(time.RFC1123Z), i, i, i, text.String(), i, html.String(), i))
	}
	return all
}

func benchHaproxy(b *testing.B, backend string) target {
	b.Helper()
	program := "/usr/sbin/haproxy"
	if !isExecutable(program) {
		lacks(b, "haproxy is not installed")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	file := filepath.Join(b.TempDir(), "haproxy.cfg")
	text := fmt.Sprintf("global\n  maxconn 1000\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n"+
		"listen smtp\n  bind %s\n  server s1 %s\n", addr, backend)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	return benchStart(b, target{name: "haproxy", addr: addr}, exec.Command(program, "-db", "-f", file))
}

func benchWeir(b *testing.B, mailbox string) target {
	b.Helper()
	dir := b.TempDir()
	binary := filepath.Join(dir, "weir")
	if out, err := exec.Command("go", "build", "-trimpath", "-o", binary, ".").CombinedOutput(); err != nil {
		b.Fatalf("building: %v\n%s", err, out)
	}
	zone, err := lookup.ParseZone(strings.NewReader("lists.test. 300 IN SOA ns.lists.test. h.lists.test. 1 300 300 300 300\n"), "bench.zone")
	if err != nil {
		b.Fatal(err)
	}
	dns, err := lookup.Serve("127.0.0.1:0", zone)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { dns.Close() })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	rules, conf := filepath.Join(dir, "rules.yaml"), filepath.Join(dir, "weir.yaml")
	text := fmt.Sprintf("version: 1\nhostname: mx.bench.test\nlisten: [{ addr: %q }]\nbackend: { addrs: [%q] }\ndns: { servers: [%q] }\n"+
		"rules: rules.yaml\nverdicts: { dir: verdicts }\nlimits: { sessions_per_ip: 1000 }\nlog: { level: warn }\n", addr, mailbox, dns.Addr())
	for file, text := range map[string]string{rules: benchRules, conf: text} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	return benchStart(b, target{name: "weir", addr: addr}, exec.Command(binary, "serve", "-c", conf))
}

// benchStart runs a target until the benchmark ends and waits for it to listen.
func benchStart(b *testing.B, t target, c *exec.Cmd) target {
	b.Helper()
	errs, err := c.StderrPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := c.Start(); err != nil {
		b.Fatal(err)
	}
	go func() { // ends with the process
		for lines := bufio.NewScanner(errs); lines.Scan(); {
			b.Log(lines.Text())
		}
	}()
	b.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
	})
	t.pid = c.Process.Pid
	for range 3000 { // a minute
		if listens(t.addr) {
			return t
		}
		<-time.After(20 * time.Millisecond)
	}
	b.Fatalf("%s does not listen", t.name)
	return t
}
