package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
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

	"github.com/coreos/go-systemd/v22/unit"

	"weir/filters"
	"weir/proxy"
)

// startAsService is what systemd does last before it runs a program: it says for whom the sockets are.
func startAsService() {
	os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
	err := syscall.Exec(os.Args[1], os.Args[1:], os.Environ())
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// manager stands for systemd: it holds sockets, and hears what is said to it.
type manager struct {
	t       *testing.T
	dir     string
	sockets []*os.File
	names   []string
	notify  *net.UnixConn
	heard   lockedBuffer
}

func newManager(t *testing.T) *manager {
	t.Helper()
	m := &manager{t: t, dir: t.TempDir()}
	var err error
	m.notify, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(m.dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.notify.Close() })
	go func() { // ends with the socket
		buf := make([]byte, 4096)
		for {
			n, err := m.notify.Read(buf)
			if err != nil {
				return
			}
			fmt.Fprintf(&m.heard, "%s\n--\n", buf[:n])
		}
	}()
	return m
}

// listen opens a socket and returns its address.
func (m *manager) listen(name string) string {
	m.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		m.t.Fatal(err)
	}
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		m.t.Fatal(err)
	}
	l.Close()
	m.t.Cleanup(func() { f.Close() })
	m.sockets, m.names = append(m.sockets, f), append(m.names, name)
	return l.Addr().String()
}

func (m *manager) config(listen, backend string) {
	m.t.Helper()
	write(m.t, filepath.Join(m.dir, "rules.yaml"), usualRules)
	write(m.t, filepath.Join(m.dir, "weir.yaml"), "version: 1\nhostname: mx1.example.org\nlisten: "+listen+"\nbackend: { addrs: ["+backend+
		"] }\ndns: { servers: [\"127.0.0.1:9\"] }\nlimits: { sessions_per_ip: 1000 }\nrules: rules.yaml\n")
}

// start starts weir with the sockets.
func (m *manager) start() (*exec.Cmd, *lockedBuffer) {
	m.t.Helper()
	binary, err := weirBinary()
	if err != nil {
		m.t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		m.t.Fatal(err)
	}
	c := exec.Command(self)
	c.Args = []string{"as-service", binary, "serve", "-c", filepath.Join(m.dir, "weir.yaml")}
	c.Env = append(os.Environ(), "NOTIFY_SOCKET="+filepath.Join(m.dir, "notify"), "WATCHDOG_USEC=4000000",
		"LISTEN_FDS="+strconv.Itoa(len(m.sockets)), "LISTEN_FDNAMES="+strings.Join(m.names, ":"))
	c.ExtraFiles = m.sockets
	log := new(lockedBuffer)
	c.Stdout, c.Stderr = log, log
	if err := c.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
		if m.t.Failed() {
			m.t.Logf("weir said:\n%s", log)
		}
	})
	return c, log
}

// hears waits until what was said since mark matches a pattern, and returns the next mark.
func (m *manager) hears(mark int, pattern string) int {
	m.t.Helper()
	found := regexp.MustCompile("(?m)^" + pattern + "$")
	next := 0
	eventually(m.t, "systemd to be told "+pattern, func() bool {
		place := found.FindStringIndex(m.heard.String()[mark:])
		if place == nil {
			return false
		}
		next = mark + place[1]
		return true
	})
	return next
}

// visitors connect one after the other until stop is called, which returns how many were served, and what became of the
// others but those that were told to come again.
func visitors(addr string) (stop func() (served, told int, odd []string)) {
	ctx, cancel := context.WithCancel(context.Background())
	var served, told int
	var odd []string
	var all sync.WaitGroup
	all.Go(func() {
		for ctx.Err() == nil {
			switch greeting, err := greetingOf(addr); {
			case err != nil:
				odd = append(odd, err.Error())
			case strings.HasPrefix(greeting, "220 "):
				served++
			case strings.HasPrefix(greeting, "421 "):
				told++
			default:
				odd = append(odd, greeting)
			}
		}
	})
	return func() (int, int, []string) {
		cancel()
		all.Wait()
		return served, told, odd
	}
}

func greetingOf(addr string) (greeting string, err error) {
	conn, err := net.DialTimeout("tcp", addr, time.Minute)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	in := bufio.NewReader(conn)
	if greeting, err = in.ReadString('\n'); err != nil || !strings.HasPrefix(greeting, "220") {
		return greeting, err
	}
	fmt.Fprint(conn, "QUIT\r\n")
	_, err = in.ReadString('\n')
	return greeting, err
}

// A service of systemd: it says when it serves, reloads and stops, feeds the watchdog, and a restart refuses nobody.
func TestAsAService(t *testing.T) {
	t.Parallel()
	mailbox := startSink(t)
	m := newManager(t)
	addr := m.listen("smtp")
	m.config(`[{ addr: "192.0.2.1:25" }]`, mailbox.Addr()) // the name decides
	old, _ := m.start()
	mark := m.hears(0, "READY=1")
	if greeting, err := greetingOf(addr); err != nil || !strings.HasPrefix(greeting, "220 ") {
		t.Fatalf("at READY=1 a client hears %q, %v", greeting, err)
	}
	mark = m.hears(mark, "WATCHDOG=1")
	old.Process.Signal(syscall.SIGHUP)
	mark = m.hears(mark, `RELOADING=1\nMONOTONIC_USEC=[0-9]+`)
	mark = m.hears(mark, `READY=1\nSTATUS=1 listener.* generation 2`)

	stop := visitors(addr)
	data := begun(t, addr)
	old.Process.Signal(syscall.SIGTERM)
	mark = m.hears(mark, "STOPPING=1")
	next, _ := m.start()
	mark = m.hears(mark, "READY=1")
	fmt.Fprint(data, plainMail)
	if err := data.Close(); err != nil {
		t.Errorf("the transaction in flight: %v", err)
	}
	if err := old.Wait(); err != nil {
		t.Errorf("the old weir: %v", err)
	}
	// And once more with nobody there for a while.
	next.Process.Signal(syscall.SIGTERM)
	if err := next.Wait(); err != nil {
		t.Errorf("the second weir: %v", err)
	}
	m.start()
	m.hears(mark, "READY=1")
	if greeting, err := greetingOf(addr); err != nil || !strings.HasPrefix(greeting, "220 ") {
		t.Errorf("the third weir says %q, %v", greeting, err)
	}
	served, told, odd := stop()
	if served < 10 || told > 2 || len(odd) > 0 { // one was there at each of the two ends
		t.Errorf("%d clients served, %d told to come again, others: %q", served, told, odd)
	}
	if n := len(mailbox.Messages()); n != 1 {
		t.Errorf("%d messages in the backend, want 1", n)
	}
}

// Sockets and listeners must fit each other.
func TestSocketsThatDoNotFit(t *testing.T) {
	for name, c := range map[string]struct {
		listen func(addr string) string
		want   string
	}{
		"one too many": {func(addr string) string { return `[{ addr: "` + addr + `" }]` }, "the socket spare at 127.0.0.1:"},
		"one missing": {func(addr string) string {
			return `[{ addr: "` + addr + `" }, { name: spare, addr: "127.0.0.1:0" }, { name: third, addr: "192.0.2.1:25" }]`
		},
			"listener third at 192.0.2.1:25: systemd handed over other sockets"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newManager(t)
			addr := m.listen("weir.socket")
			m.listen("spare")
			m.config(c.listen(addr), "127.0.0.1:9")
			weir, log := m.start()
			if err := weir.Wait(); err == nil || weir.ProcessState.ExitCode() != exitConfig || !strings.Contains(log.String(), c.want) {
				t.Errorf("%v: %s", err, log)
			}
		})
	}
}

// The watchdog hears nothing of a weir that judges too slowly.
func TestTheSelfCheck(t *testing.T) {
	set, findings, err := loadRules("")
	if err != nil || findings.Err() != nil {
		t.Fatal(err, findings)
	}
	release := make(chan struct{})
	defer close(release)
	stuck := filters.Check{Name: "stuck", Run: func(context.Context, filters.Mail) (filters.Report, error) {
		<-release
		return filters.Report{}, nil
	}}
	r := &reloadable{server: &proxy.Server{}}
	r.gen.Store(newGeneration(set, nil, time.Minute))
	if err := r.well(t.Context(), time.Minute); err != nil {
		t.Errorf("a weir that is well: %v", err)
	}
	r.gen.Store(newGeneration(set, []filters.Check{stuck}, 50*time.Millisecond))
	if err := r.well(t.Context(), 10*time.Millisecond); err == nil {
		t.Error("a weir whose judgements hang is taken for well")
	}
}

// The unit files say what README.md and weir do.
func TestUnitFiles(t *testing.T) {
	read := func(name string) map[string]string {
		text, err := os.ReadFile(filepath.Join("../../docs/systemd", name))
		if err != nil {
			t.Fatal(err)
		}
		options, err := unit.DeserializeOptions(bytes.NewReader(text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all := map[string]string{}
		for _, o := range options {
			all[o.Section+"."+o.Name] = o.Value
		}
		return all
	}
	service, socket := read("weir.service"), read("weir.socket")
	for _, want := range [][2]string{
		{service["Service.Type"], "notify"}, {service["Service.Sockets"], "weir.socket"}, {socket["Socket.Service"], "weir.service"},
		{service["Service.NoNewPrivileges"], "yes"}, {service["Service.ProtectSystem"], "strict"}, {service["Service.CapabilityBoundingSet"], ""},
		{service["Service.StateDirectory"], "weir"}, {service["Service.MemoryDenyWriteExecute"], ""},
	} {
		if want[0] != want[1] {
			t.Errorf("%q, want %q", want[0], want[1])
		}
	}
	for _, key := range []string{"Service.ExecStart", "Service.ExecStartPre"} {
		words := strings.Fields(service[key])
		if code, out := both(append(words[1:], "--help")...); code != exitOK || words[0] != "/usr/local/bin/weir" {
			t.Errorf("%s: %s", service[key], out)
		}
	}
	if stop, err := time.ParseDuration(strings.TrimSuffix(service["Service.TimeoutStopSec"], "in")); err != nil || stop <= drainTime {
		t.Errorf("systemd kills weir after %s, before it has drained", service["Service.TimeoutStopSec"])
	}
	conf := readmeBlock(t, "weir.yaml")
	for _, want := range []string{"name: " + socket["Socket.FileDescriptorName"] + ",", `addr: "` + socket["Socket.ListenStream"] + `"`, "/var/lib/weir/"} {
		if !strings.Contains(conf, want) {
			t.Errorf("README.md's weir.yaml has no %s", want)
		}
	}
}
