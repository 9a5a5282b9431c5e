package dnsbl

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"weir/filters/lookup"
	"weir/rules"
)

// program returns the path of a program that a test needs. Without it the test is skipped, or fails if this is a CI.
func program(t testing.TB, name string) string {
	t.Helper()
	for _, at := range []string{name, "/usr/sbin/" + name} {
		if path, err := exec.LookPath(at); err == nil {
			return path
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is not installed", name)
	}
	t.Skipf("skipped: %s is not installed", name)
	return ""
}

// rbldnsd serves lists from files of its own, each given as "zone:type" and the file's text, and returns its address.
func rbldnsd(t testing.TB, lists map[string]string) string {
	t.Helper()
	path := program(t, "rbldnsd")
	dir := t.TempDir()
	// The daemon gives up root's rights and must still find its files.
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var zones []string
	for zone, text := range lists {
		file := strings.ReplaceAll(zone, ":", ".")
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		zones = append(zones, zone+":"+filepath.Join(dir, file))
	}
	return daemon(t, func(port string) *exec.Cmd {
		return exec.Command(path, append([]string{"-n", "-b", "127.0.0.1/" + port}, zones...)...)
	})
}

// unbound resolves through the list server at addr the zones named, and returns its address.
func unbound(t testing.TB, addr string, zones ...string) string {
	t.Helper()
	path := program(t, "unbound")
	dir := t.TempDir()
	stub := strings.Replace(addr, ":", "@", 1)
	return daemon(t, func(port string) *exec.Cmd {
		conf := "server:\n interface: 127.0.0.1\n port: " + port + "\n username: \"\"\n chroot: \"\"\n pidfile: \"\"\n use-syslog: no\n" +
			" module-config: \"iterator\"\n do-not-query-localhost: no\n local-zone: \"test.\" nodefault\n"
		for _, z := range zones {
			conf += "stub-zone:\n name: \"" + z + "\"\n stub-addr: " + stub + "\n"
		}
		file := filepath.Join(dir, "unbound.conf")
		if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
			t.Fatal(err)
		}
		return exec.Command(path, "-d", "-c", file)
	})
}

// daemon starts a DNS server that command makes for a free port, waits until it answers, and ends it with the test.
func daemon(t testing.TB, command func(port string) *exec.Cmd) string {
	t.Helper()
	for range 5 { // somebody else may take the port before the daemon does
		port := freePort(t)
		var said strings.Builder
		daemon := command(port)
		daemon.Stdout, daemon.Stderr = &said, &said
		if err := daemon.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- daemon.Wait() }()
		addr := "127.0.0.1:" + port
		if answering(t, addr, ended) {
			t.Cleanup(func() {
				daemon.Process.Kill()
				<-ended
			})
			return addr
		}
		t.Logf("%s at %s: %s", daemon.Path, addr, &said)
	}
	t.Fatal("the server does not start")
	return ""
}

func freePort(t testing.TB) string {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return strconv.Itoa(c.LocalAddr().(*net.UDPAddr).Port)
}

// answering waits until a server answers at addr; false if it ended.
func answering(t testing.TB, addr string, ended chan error) bool {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		select {
		case err := <-ended:
			ended <- err
			return false
		default:
		}
		r, err := lookup.New(lookup.Options{Servers: []string{addr}, Timeout: 100 * time.Millisecond, Budget: 200 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.Lookup(t.Context(), "2.0.0.127.zen.test", lookup.A)
		r.Close()
		if err == nil {
			return true
		}
	}
	t.Fatalf("no answer at %s", addr)
	return false
}

// Connections for which lists are asked, all lists of one at once, and how many of these are under way together.
const (
	connections = 1000
	atOnce      = 50
	manyLists   = 20
)

// BenchmarkConnections asks 20 lists about each of 1,000 clients that were never seen, 50 of them at once: what a query costs
// this process, and how long the slowest connections wait for their lists. BenchmarkRawExchange is what asking costs at least.
func BenchmarkConnections(b *testing.B) {
	addr, zones := twentyLists(b)
	r, err := lookup.New(lookup.Options{Servers: []string{addr}})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	check := &bench{check: together(New(zones, r, nil))}
	var next atomic.Uint32
	var took []time.Duration
	before, began := cpu(b), time.Now()
	b.ReportAllocs()
	for b.Loop() {
		workers := make([]int, atOnce)
		for _, part := range each(workers, func(int) (took []time.Duration) {
			for range connections / atOnce {
				n, began := next.Add(1), time.Now()
				if _, problems := check.run(b, netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})); problems != nil {
					b.Error(problems)
				}
				took = append(took, time.Since(began))
			}
			return took
		}) {
			took = append(took, part...)
		}
	}
	queries := float64(len(took) * manyLists)
	slices.Sort(took)
	b.ReportMetric(queries/time.Since(began).Seconds(), "queries/s")
	b.ReportMetric(float64(cpu(b)-before)/queries/1e3, "cpu-us/query")
	b.ReportMetric(float64(took[len(took)/2])/1e6, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100])/1e6, "p99-ms")
}

// BenchmarkRawExchange sends as many queries to the same server, each written to one connected socket and its answer read
// before the next: nothing is checked, nobody else waits.
func BenchmarkRawExchange(b *testing.B) {
	addr, _ := twentyLists(b)
	conn, err := net.Dial("udp", addr)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		b.Fatal(err)
	}
	answer := make([]byte, 512)
	before, began, n := cpu(b), time.Now(), 0
	for b.Loop() {
		for range connections * manyLists {
			n++
			query := rawQuery(fmt.Sprintf("%d.%d.%d.10.l%d.test", n&255, n>>8&255, n>>16&255, n%manyLists))
			if _, err := conn.Write(query); err != nil {
				b.Fatal(err)
			}
			if _, err := conn.Read(answer); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(n)/time.Since(began).Seconds(), "queries/s")
	b.ReportMetric(float64(cpu(b)-before)/float64(n)/1e3, "cpu-us/query")
}

// rawQuery asks for the addresses of name (RFC 1035 section 4.1).
func rawQuery(name string) []byte {
	q := []byte{0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}
	for label := range strings.SplitSeq(name, ".") {
		q = append(append(q, byte(len(label))), label...)
	}
	return append(q, 0, 0, 1, 0, 1)
}

// twentyLists is a list server, and the lists that it serves. They hold some of the clients.
func twentyLists(b *testing.B) (addr string, zones []rules.Zone) {
	files := map[string]string{"zen.test:ip4set": ":127.0.0.2:listed\n127.0.0.2\n"}
	for i := range manyLists {
		name := fmt.Sprintf("l%d.test", i)
		files[name+":ip4set"] = ":127.0.0.2:listed\n10.1.0.0/16\n"
		zones = append(zones, list(fmt.Sprintf("L%d", i), name, "X 127.0.0.2"))
	}
	return rbldnsd(b, files), zones
}

func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func TestAgainstRbldnsd(t *testing.T) {
	addr := rbldnsd(t, map[string]string{
		"zen.test:ip4set":     "$SOA 600 ns.zen.test host.zen.test 1 600 300 86400 300\n:127.0.0.2:listed\n127.0.0.2\n192.0.2.7\n192.0.2.8 :127.255.255.254:go away\n192.0.2.9 :127.0.0.11:policy\n",
		"more.test:ip4set":    ":127.0.0.9:dropped\n192.0.2.0/24\n!192.0.2.9\n",
		"more.test:ip6trie":   ":127.0.0.4:listed\n2001:db8:7::/48\n",
		"surbl.test:ip4tset":  ":127.0.0.80:mask\n192.0.2.7\n",
		"refused.test:ip4set": ":127.0.0.1:over quota\n192.0.2.7\n",
	})
	r, err := lookup.New(lookup.Options{Servers: []string{addr}, Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b := &bench{resolver: r, check: together(New([]rules.Zone{
		list("ZEN", "zen.test", "SBL 127.0.0.2", "PBL 127.0.0.10|127.0.0.11"),
		list("MORE", "more.test", "DROP 127.0.0.9", "XBL 127.0.0.4"),
		list("SURBL", "surbl.test", "MW bits=16", "ABUSE bits=64"),
		list("REFUSED", "refused.test", "ANY 127.0.0.0/8"),
		list("STRANGE", "not.served.test", "ANY 127.0.0.0/8"),
	}, r, nil))}
	for ip, want := range map[string]string{
		"192.0.2.7":      "ZEN_SBL MORE_DROP SURBL_MW SURBL_ABUSE !REFUSED sentinel !STRANGE refused",
		"192.0.2.8":      "MORE_DROP !ZEN sentinel !STRANGE refused",
		"192.0.2.9":      "ZEN_PBL !STRANGE refused",
		"127.0.0.2":      "ZEN_SBL !STRANGE refused",
		"198.51.100.1":   "!STRANGE refused",
		"2001:db8:7::25": "MORE_XBL !STRANGE refused",
		"2001:db8:8::25": "!STRANGE refused",
	} {
		hits, problems := b.run(t, netip.MustParseAddr(ip))
		if got := strings.Join(append(hits, problems...), " "); got != want {
			t.Errorf("%s: got %q, want %q", ip, got, want)
		}
	}
}

// A resolver of one's own between weir and the lists: it passes on codes and errors as they are, and guards see through it.
func TestThroughUnbound(t *testing.T) {
	addr := unbound(t, rbldnsd(t, map[string]string{
		"zen.test:ip4set":    "$SOA 600 ns.zen.test host.zen.test 1 600 300 86400 300\n:127.0.0.2:listed\n127.0.0.2\n192.0.2.7\n192.0.2.7 :127.0.0.9:and dropped\n",
		"urls.test:dnset":    ":127.0.0.80:mask\ntest\nshop.example\n.wide.example\n",
		"all.test:ip4set":    ":127.0.0.2:everybody\n127.0.0.0/8\n192.0.0.0/8\n",
		"quota.test:ip4set":  ":127.255.255.255:too many\n127.0.0.2\n",
		"points.test:ip4set": ":127.0.0.2:listed\n192.0.2.7\n",
		"six.test:ip6trie":   ":127.0.0.4:see http://six.test/?$\n2001:db8:7::/64\n",
	}), "zen.test", "urls.test", "all.test", "quota.test", "points.test", "six.test")
	r, err := lookup.New(lookup.Options{Servers: []string{addr}, Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	urls := list("URLS", "urls.test", "MW bits=16", "ABUSE bits=64")
	urls.Ask = []rules.Ask{rules.AskURLHost}
	zones := []rules.Zone{list("ZEN", "zen.test", "SBL 127.0.0.2", "DROP 127.0.0.9"), urls, list("ALL", "all.test", "X 127.0.0.2"),
		list("QUOTA", "quota.test", "X 127.0.0.0/8"), list("POINTS", "points.test", "X 127.0.0.2")}
	guards := NewGuards(r)
	guards.Watch(zones)
	run(t, guards)
	m := letterMail()
	report, err := together(New(zones, r, guards)).Run(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, h := range report.Hits {
		got = append(got, h.Symbol)
	}
	for _, p := range report.Problems {
		got = append(got, "!"+p.Rule+" "+p.Kind)
	}
	want := "ZEN_SBL ZEN_DROP POINTS_X URLS_MW URLS_ABUSE !ALL parked !QUOTA parked"
	if strings.Join(got, " ") != want {
		t.Errorf("got %q, want %q", strings.Join(got, " "), want)
	}
	for _, s := range guards.Status() {
		if (s.Warning != "") != (s.Rule == "POINTS") {
			t.Errorf("%s: warning %q", s.Rule, s.Warning)
		}
	}
	six := together(New([]rules.Zone{list("SIX", "six.test", "X 127.0.0.4")}, r, nil))
	for ip, want := range map[string]string{
		"2001:db8:7::25":   "[{SIX_X 2001:db8:7::25 -> 127.0.0.4 (see http://six.test/?2001:db8:7::25)}]",
		"2001:db8:7:1::25": "[]",
	} {
		report, err := six.Run(t.Context(), mailOf(netip.MustParseAddr(ip)))
		if got := fmt.Sprint(report.Hits); err != nil || got != want || report.Problems != nil {
			t.Errorf("%s: %s %+v, %v, want %s", ip, got, report.Problems, err, want)
		}
	}
}

// Every code of every list of the catalogue, as a list's own server sends it.
func TestEveryCodeFromRbldnsd(t *testing.T) {
	zones := allCatalogued(t)
	files := map[string]string{"zen.test:ip4set": ":127.0.0.2:listed\n127.0.0.2\n"}
	for n, row := range codes {
		z := zones[row.list]
		kind := ":ip4set"
		if !z.Ask[0].IsIP() {
			kind = ":dnset"
		} else if z.For.V6 {
			kind = ":ip6trie"
		}
		entry, key := keyOf(z, n)
		if z.Hash != "" {
			entry = key
		}
		for code := range strings.FieldsSeq(row.answer) {
			files[z.Zone+kind] += fmt.Sprintf("%s :%s:row %d\n", entry, code, n)
		}
	}
	r, err := lookup.New(lookup.Options{Servers: []string{rbldnsd(t, files)}, Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	expectCodes(t, zones, r)
}
