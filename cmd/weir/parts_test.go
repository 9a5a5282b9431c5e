package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// This file starts the real programs that integration tests run against, each on free loopback ports with folders of
// its own, and ends them with the test.

// needs finds a program. Without it the test is skipped, saying why; in CI it fails.
func needs(t *testing.T, program string) string {
	t.Helper()
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/sbin") {
		if path := filepath.Join(dir, program); isExecutable(path) {
			return path
		}
	}
	lacks(t, "%s is not installed", program)
	return ""
}

// lacks skips a test for which something is missing here, saying what; in CI it fails.
func lacks(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// needsAsRoot is needs for a program that only root can start.
func needsAsRoot(t *testing.T, program string) string {
	t.Helper()
	path := needs(t, program)
	if os.Getuid() == 0 {
		return path
	}
	lacks(t, "%s starts only as root", program)
	return ""
}

// openFolder makes a folder that programs may enter which run as users of their own, unlike t.TempDir's.
func openFolder(t *testing.T, name string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "weir-"+name+"-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	command(t, "chmod", "0755", dir)
	return dir
}

func isExecutable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// freePort asks the kernel for a port that nobody uses now.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func portOf(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }

// eventually waits until ok holds, at most within the bound, and fails the test otherwise.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	const patience = 2 * time.Minute // the race detector takes its time to compile patterns
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s for %s", patience, what)
		}
		<-tick.C
	}
}

func listens(addr string) bool {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return false
	}
	c.Close()
	return true
}

// readmeBlock returns the fenced block of README.md with the given name, so that what it says is what is tested.
func readmeBlock(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?ms)^ *```" + regexp.QuoteMeta(name) + "\n(.*?)^ *```").FindSubmatch(text)
	if m == nil {
		t.Fatalf("README.md has no block %s", name)
	}
	lines := strings.Split(string(m[1]), "\n")
	indent := len(lines[0]) - len(strings.TrimLeft(lines[0], " "))
	for i, l := range lines {
		lines[i] = l[min(indent, len(l)):]
	}
	return strings.Join(lines, "\n")
}

// postfix is a real Postfix that delivers mail for example.org into Maildirs.
type postfix struct {
	addr string // of its smtpd, as README.md configures it
	mail string // the folder with a Maildir of all mail
	log  string
}

const postfixServices = `
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
proxymap  unix  - - n - - proxymap
error     unix  - - n - - error
retry     unix  - - n - - error
virtual   unix  - n n - - virtual
smtp      unix  - - n - - smtp
pickup    unix  n - n 60 1 pickup
scache    unix  - - n - 1 scache
tlsproxy  unix  - - n - 0 tlsproxy
tlsmgr    unix  - - n 1000? 1 tlsmgr
anvil     unix  - - n - 1 anvil
postlog   unix-dgram n - n - 1 postlogd
`

// startPostfix runs Postfix with the lines of README.md and more of main.cf. It needs root.
func startPostfix(t *testing.T, more ...string) postfix {
	t.Helper()
	program := needsAsRoot(t, "postfix")
	dir := openFolder(t, "postfix")
	p := postfix{addr: freePort(t), mail: filepath.Join(dir, "mail"), log: filepath.Join(dir, "log")}
	for _, d := range []string{"etc", "queue", "data", "mail"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	command(t, "chown", "postfix", filepath.Join(dir, "data"))
	command(t, "chmod", "0777", p.mail)
	main := readmeBlock(t, "main.cf") + fmt.Sprintf(`
compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/data
maillog_file = %[1]s/log
maillog_file_prefixes = %[1]s
myhostname = backend.example.org
mydestination =
alias_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
virtual_mailbox_domains = example.org
virtual_mailbox_base = %[1]s/mail
virtual_mailbox_maps = regexp:%[1]s/etc/users
virtual_mailbox_limit = 0
message_size_limit = 52428800
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
virtual_minimum_uid = 1
`, dir) + strings.Join(more, "\n") + "\n"
	write(t, filepath.Join(dir, "etc/main.cf"), main)
	write(t, filepath.Join(dir, "etc/users"), "!/^nobody@/ all/\n")
	smtpd := strings.Replace(readmeBlock(t, "master.cf"), "127.0.0.1:10025", p.addr, 1)
	write(t, filepath.Join(dir, "etc/master.cf"), smtpd+postfixServices)

	t.Cleanup(func() { exec.Command(program, "-c", filepath.Join(dir, "etc"), "stop").Run() })
	command(t, program, "-c", filepath.Join(dir, "etc"), "start")
	eventually(t, "Postfix", func() bool { return listens(p.addr) })
	return p
}

// delivered returns the messages in the Maildir, as delivered.
func (p postfix) delivered(t *testing.T) []string {
	t.Helper()
	return texts(t, filepath.Join(p.mail, "all", "new", "*"))
}

// texts reads the files that a pattern names.
func texts(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(text))
	}
	return all
}

// logged returns what Postfix has logged.
func (p postfix) logged(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(p.log)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// startRbldnsd serves lists from ip4set files and returns the server's address. zones maps a zone to its lines.
func startRbldnsd(t *testing.T, zones map[string]string) string {
	t.Helper()
	program := needs(t, "rbldnsd")
	dir := openFolder(t, "rbldnsd")
	host, port, _ := net.SplitHostPort(freeUDPPort(t))
	args := []string{"-n", "-b", host + "/" + port, "-w", dir}
	for zone, lines := range zones {
		write(t, filepath.Join(dir, zone), lines)
		args = append(args, zone+":ip4set:"+zone)
	}
	start(t, program, args...)
	return net.JoinHostPort(host, port)
}

func freeUDPPort(t *testing.T) string {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.LocalAddr().String()
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// command runs a program to its end.
func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	c := exec.Command(name, args...)
	c.WaitDelay = 5 * time.Second // a daemon may keep our pipe open
	out, err := c.CombinedOutput()
	if err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// start runs a program until the test ends.
func start(t *testing.T, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	c := exec.CommandContext(ctx, name, args...)
	c.WaitDelay = 5 * time.Second
	var out lockedBuffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		cancel()
		t.Fatalf("starting %s: %v", name, err)
	}
	t.Cleanup(func() {
		cancel()
		c.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", name, out.String())
		}
	})
}

// lockedBuffer is a buffer that several goroutines may write while others read.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
