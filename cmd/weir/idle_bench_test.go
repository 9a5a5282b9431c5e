package main

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"weir/proxy/backend/sink"
)

// idleClients are as many as the benchmark of idle connections opens.
const idleClients = 10_000

// BenchmarkIdle is the memory of the built program for each of 10,000 clients that have connected, or also said EHLO, or
// made TLS as well, from one address or each from its own, and say nothing more; and that one that sends a message
// meanwhile is served.
func BenchmarkIdle(b *testing.B) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < idleClients+1000 {
		lacks(b, "%d descriptors are too few: %v", limit.Cur, err)
	}
	mailbox, err := sink.Listen("127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer mailbox.Close()
	for _, state := range []string{"greeted", "EHLO", "EHLO from anywhere", "TLS"} {
		b.Run(state, func(b *testing.B) {
			t := idleWeir(b, mailbox.Addr())
			before := t.resident(b)
			for i := range idleClients {
				b.Cleanup(idleClient(b, t.addr, state, i))
			}
			b.ReportMetric(float64(t.resident(b)-before)/idleClients, "B/conn")
			if c := dialBench(b, t.addr); !c.send(b, benchMessages(1)[0]) {
				b.Error("a message is not taken")
			}
		})
	}
}

// idleWeir is the built program with room for all of them, and a resolver that refuses.
func idleWeir(b *testing.B, mailbox string) target {
	b.Helper()
	dir := b.TempDir()
	binary := filepath.Join(dir, "weir")
	if out, err := exec.Command("go", "build", "-trimpath", "-o", binary, ".").CombinedOutput(); err != nil {
		b.Fatalf("building: %v\n%s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	selfSigned(b, "mx.bench.test", cert, key)
	text := fmt.Sprintf("version: 1\nhostname: mx.bench.test\ndns: { servers: [\"127.0.0.1:1\"] }\nlisten: [{ addr: %q, tls: starttls }]\ntls: { cert: %q, key: %q }\n"+
		"backend: { addrs: [%q] }\nrules: rules.yaml\nlimits: { sessions: 20000, sessions_per_ip: 20000, sessions_per_net: 20000 }\nlog: { level: warn }\n", addr, cert, key, mailbox)
	write(b, filepath.Join(dir, "weir.yaml"), text)
	write(b, filepath.Join(dir, "rules.yaml"), "version: 1\nthresholds: { tag: off, reject: off }\n")
	return benchStart(b, target{name: "weir", addr: addr}, exec.Command(binary, "serve", "-c", filepath.Join(dir, "weir.yaml")))
}

// idleClient is client n: it comes as far as state and returns what ends it.
func idleClient(b *testing.B, addr, state string, n int) func() {
	var dialer net.Dialer
	if state == "EHLO from anywhere" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 1, byte(n>>8), byte(n))}
	}
	conn, err := dialer.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	say := func(conn net.Conn, line, want string) {
		_, _ = io.WriteString(conn, line) // what went wrong is seen below
		for r := bufio.NewReaderSize(conn, 512); ; {
			got, err := r.ReadString('\n')
			if err != nil {
				b.Fatalf("%q: %v", line, err)
			}
			if strings.HasPrefix(got, want+" ") {
				return
			}
		}
	}
	say(conn, "", "220")
	if state != "greeted" {
		say(conn, "EHLO client.example.net\r\n", "250")
	}
	if state == "TLS" {
		say(conn, "STARTTLS\r\n", "220")
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // our own, made above
		say(conn, "EHLO client.example.net\r\n", "250")
	}
	return func() { conn.Close() }
}

// resident is the memory of the target (VmRSS, proc(5)), in bytes.
func (t target) resident(b *testing.B) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", t.pid))
	if err != nil {
		b.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), "VmRSS:")
	kib, err := strconv.Atoi(strings.Fields(after)[0])
	if err != nil {
		b.Fatal(err)
	}
	return kib << 10
}
