package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"weir/cmd/weir/doctor"
	"weir/filters/lookup"
	"weir/filters/lookup/lookuptest"
	"weir/filters/store/storetest"
	"weir/proxy/backend/sink"
)

// ward is a machine with all that weir stands on, as the doctor finds it. All is well until a test changes it.
type ward struct {
	t       *testing.T
	dir     string
	config  string
	rules   string
	records map[string][]string
	twists  map[string]lookuptest.Twist // of answers below a name
	sink    *sink.Sink
	script  sink.Script
	args    []string
}

func authentic(packet []byte, _ bool) [][]byte {
	p := bytes.Clone(packet)
	p[3] |= 0x20 // AD
	return [][]byte{p}
}

func overUDPOnly(packet []byte, tcp bool) [][]byte {
	if tcp {
		return nil
	}
	return authentic(packet, tcp)
}

func newWard(t *testing.T) *ward {
	t.Helper()
	s, err := sink.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	w := &ward{t: t, dir: t.TempDir(), sink: s}
	cert, key := filepath.Join(w.dir, "cert.pem"), filepath.Join(w.dir, "key.pem")
	selfSigned(t, "mx1.test", cert, key)
	w.mode("key.pem", 0o600)
	w.config = fmt.Sprintf(`version: 1
hostname: mx1.test
listen:
  - { name: smtp, addr: "127.0.0.1:0", tls: starttls, proxy_protocol: true }
tls: { cert: cert.pem, key: key.pem }
trusted: { proxies: [10.0.0.0/8], relays: [192.168.7.0/24] }
backend: { addrs: ["%s"], timeout: 2s }
rules: rules.yaml
verdicts: { dir: verdicts, max_size: 1MiB }
store: { memory: { snapshot: memory.snap } }
`, s.Addr())
	w.rules = `version: 1
thresholds: { tag: 6, reject: 15 }
zones:
  - { id: BL, zone: bl.test, ask: client_ip, answers: [{ id: BAD, is: 127.0.0.2, score: 4 }], errors: [{ is: 127.255.255.254, means: asked through a public resolver }] }
caps: { dns_ip: 10 }
`
	w.records = map[string][]string{
		"org": {"NS a.nic.test."}, "dnssec-failed.org": {"SERVFAIL"}, "mx1.test": {"192.0.2.25"},
		"25.2.0.192.in-addr.arpa": {"PTR mx1.test."}, "2.0.0.127.bl.test": {"127.0.0.2"},
	}
	w.twists = map[string]lookuptest.Twist{"org": authentic}
	w.script = sink.Script{
		Offers: []string{"PIPELINING", "SIZE 52428800", "XCLIENT NAME ADDR", "XFORWARD NAME ADDR"},
		Rcpt:   func(string) string { return "554 5.7.1 relay access denied" },
	}
	w.args = []string{"--address", "192.0.2.25"}
	return w
}

// visit runs the doctor and returns its exit code and what it printed.
func (w *ward) visit(args ...string) (code int, out, errs string) {
	w.t.Helper()
	z, err := lookup.MapZone(w.records)
	if err != nil {
		w.t.Fatal(err)
	}
	server, err := lookup.Serve("127.0.0.1:0", z)
	if err != nil {
		w.t.Fatal(err)
	}
	defer server.Close()
	server.Twist(lookuptest.Below(w.twists))
	w.sink.Set(w.script)
	write(w.t, filepath.Join(w.dir, "weir.yaml"), w.config)
	write(w.t, filepath.Join(w.dir, "rules.yaml"), w.rules)
	var stdout, stderr strings.Builder
	all := slices.Concat([]string{"doctor", "-c", filepath.Join(w.dir, "weir.yaml"), "--dns", server.Addr()}, w.args, args)
	code = run(w.t.Context(), all, streams{strings.NewReader(""), &stdout, &stderr})
	return code, w.anonymous(stdout.String(), server.Addr()), w.anonymous(stderr.String(), server.Addr())
}

var (
	aDuration = regexp.MustCompile(`\b\d+(\.\d+)?(µs|ms|s)\b`)
	aTime     = regexp.MustCompile(`\d{4}-\d\d-\d\d([T ][\d:]+Z?)?`)
	mayOpen   = regexp.MustCompile(`may open \d+`)
	someMiB   = regexp.MustCompile(`\d+ MiB are free`)
)

// anonymous takes out of a text what is another each time.
func (w *ward) anonymous(text, server string) string {
	text = strings.NewReplacer(server, "RESOLVER", w.sink.Addr(), "BACKEND", w.dir, "DIR").Replace(text)
	text = mayOpen.ReplaceAllString(text, "may open N")
	return someMiB.ReplaceAllString(aTime.ReplaceAllString(aDuration.ReplaceAllString(text, "TIME"), "DAY"), "N MiB are free")
}

// findings runs the doctor and returns what it has found of each check.
func (w *ward) findings() (code int, all []doctor.Finding) {
	w.t.Helper()
	code, out, errs := w.visit("--json")
	for line := range strings.Lines(out) {
		var d doctor.Finding
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			w.t.Fatalf("%v in %s%s", err, line, errs)
		}
		all = append(all, d)
	}
	return code, all
}

// change replaces a part of the configuration, which must be there.
func (w *ward) change(old, with string) {
	w.t.Helper()
	if !strings.Contains(w.config, old) {
		w.t.Fatalf("no %q in the configuration", old)
	}
	w.config = strings.Replace(w.config, old, with, 1)
}

// The clock is the machine's that the test runs on; what is found of it is tested for itself.
func isClock(d doctor.Finding) bool { return d.Check == "clock" }

func TestDoctorFindsAllWell(t *testing.T) {
	w := newWard(t)
	code, found := w.findings()
	for _, d := range slices.DeleteFunc(found, isClock) {
		if d.State != doctor.Sound && d.Check != "certificate" { // it lives for an hour
			t.Errorf("%+v", d)
		}
	}
	if code != exitOK || len(found) < 15 {
		t.Errorf("exit %d, %d findings", code, len(found))
	}
	if messages := w.sink.Messages(); len(messages) != 0 || slices.Contains(w.sink.Commands(), "DATA") {
		t.Errorf("it sent mail: %q", w.sink.Commands())
	}
	if !slices.Contains(w.sink.Commands(), "RSET") {
		t.Errorf("no RSET: %q", w.sink.Commands())
	}
}

func TestDoctorPrints(t *testing.T) {
	w := newWard(t)
	w.twists["invalid"] = func(packet []byte, tcp bool) [][]byte { return authentic(packet, tcp) }
	w.records["*.com"] = []string{"198.51.100.80"}
	w.change("10.0.0.0/8", "0.0.0.0/0")
	code, out, _ := w.visit()
	out, clock, _ := strings.Cut(out, "  clock  ")
	if code != exitNo || clock == "" {
		t.Errorf("exit %d, the clock: %q", code, clock)
	}
	out = out[:strings.LastIndex(out, "\n")+1]
	golden(t, "doctor.golden", out)
}

func TestDoctorFinds(t *testing.T) {
	for _, c := range []struct {
		about  string
		change func(*ward)
		check  string
		state  string
		seen   string // a part
		advice string // a part
	}{
		{"a resolver that is silent", func(w *ward) { w.twists["org"] = lookuptest.Silent }, "resolver", doctor.Ill, "does not answer", "unbound"},
		{"one that does not serve us", func(w *ward) { w.twists["org"] = lookuptest.Code(lookuptest.Refused) }, "resolver", doctor.Ill, "REFUSED", "let it answer"},
		{"one that changes letters", func(w *ward) { w.twists["org"] = lookuptest.WrongCase }, "letters", doctor.Ill, "letters", "another resolver"},
		{"no TCP", func(w *ward) { w.twists["org"] = overUDPOnly }, "TCP", doctor.Doubtful, "not answer over TCP", "TCP port 53"},
		{"invented names", func(w *ward) { w.records["*.invalid"] = []string{"198.51.100.80"} }, "rewriting", doctor.Ill, "below invalid that do not exist have the address 198.51.100.80", "rewriting of answers"},
		{"a failure is no invention", func(w *ward) { w.twists["com"] = lookuptest.Code(lookuptest.Servfail) }, "rewriting", doctor.Doubtful, "could not be found out", ""},
		{"forged names", func(w *ward) { w.records["dnssec-failed.org"] = []string{"192.0.2.9"} }, "validating", doctor.Doubtful, "wrong signatures, and it gives", "let it validate"},
		{"nobody vouches", func(w *ward) { delete(w.twists, "org") }, "validating", doctor.Doubtful, "does not say of org", "let it validate"},
		{"no test name", func(w *ward) { delete(w.records, "dnssec-failed.org") }, "validating", doctor.Doubtful, "could not be found out", ""},
		{"asked from elsewhere", func(w *ward) {
			w.records["who.test"], w.args = []string{`TXT "198.51.100.9"`}, append(w.args, "--who-asks", "who.test")
		}, "who asks", doctor.Doubtful, "198.51.100.9, which is not this machine", "unbound"},
		{"asked from Google", func(w *ward) {
			w.records["who.test"], w.args = []string{"8.8.8.9"}, append(w.args, "--who-asks", "who.test")
		}, "who asks", doctor.Ill, "of Google", "unbound"},
		{"asked from here", func(w *ward) {
			w.records["who.test"], w.args = []string{"192.0.2.25"}, append(w.args, "--who-asks", "who.test")
		}, "who asks", doctor.Sound, "this machine", ""},

		{"a list that does not serve public resolvers", func(w *ward) { w.records["2.0.0.127.bl.test"] = []string{"127.255.255.254"} }, "list", doctor.Ill, "public resolver", "unbound"},
		{"a list that has moved", func(w *ward) { w.listsAll("198.51.100.80") }, "list", doctor.Ill, "198.51.100.80", "sold"},
		{"a dead list", func(w *ward) { w.listsAll("127.0.0.2") }, "list", doctor.Ill, "lists 127.0.0.1", "take it out"},
		{"a list without test points", func(w *ward) { delete(w.records, "2.0.0.127.bl.test") }, "list", doctor.Doubtful, "does not list its test point", "web page"},
		{"a silent list", func(w *ward) { w.twists["bl.test"] = lookuptest.Code(lookuptest.Servfail) }, "list", doctor.Doubtful, "nothing is known", "resolver first"},
		{"no lists", func(w *ward) { w.rules = "version: 1\nthresholds: { tag: 6, reject: 15 }\n" }, "list", doctor.Sound, "no list", ""},
		{"a list of the catalogue", func(w *ward) {
			w.args, w.records["2.0.0.127.bl.spamcop.net"] = append(w.args, "--catalogue"), []string{"127.0.0.2"}
		}, "catalogue", doctor.Sound, "would work from here", ""},
		{"a list of the catalogue that does not serve us", func(w *ward) {
			w.args, w.records["2.0.0.127.psbl.surriel.com"] = append(w.args, "--catalogue"), []string{"127.255.255.254"}
		}, "catalogue", doctor.Doubtful, "127.255.255.254", "unbound"},

		{"a short name", func(w *ward) { w.change("mx1.test", "mx1") }, "hostname", doctor.Doubtful, "not a name that others know", "full name"},
		{"an unknown name", func(w *ward) { w.change("mx1.test", "mx2.test") }, "hostname", doctor.Doubtful, "has no address", "AAAA record"},
		{"another's name", func(w *ward) { w.records["mx1.test"] = []string{"198.51.100.1"} }, "hostname", doctor.Doubtful, "this machine's is 192.0.2.25", "AAAA record"},
		{"a name that fails", func(w *ward) { w.records["mx1.test"] = []string{"SERVFAIL"} }, "hostname", doctor.Doubtful, "could not be found out", ""},
		{"no reverse name", func(w *ward) { delete(w.records, "25.2.0.192.in-addr.arpa") }, "reverse name", doctor.Doubtful, "has no reverse name", "mx1.test"},
		{"a reverse name that leads away", func(w *ward) { w.records["25.2.0.192.in-addr.arpa"] = []string{"PTR liar.test."} }, "reverse name", doctor.Doubtful, "does not lead back", "liar.test"},
		{"another reverse name", func(w *ward) {
			w.records["25.2.0.192.in-addr.arpa"], w.records["mail.test"] = []string{"PTR mail.test."}, []string{"192.0.2.25"}
		}, "reverse name", doctor.Doubtful, "greets as mx1.test", "hostname: mail.test"},

		{"nothing behind", func(w *ward) { w.change(`addrs: ["`+w.sink.Addr()+`"], `, "") }, "backend", doctor.Ill, "there is no backend", "HOST:PORT"},
		{"a route for all", func(w *ward) {
			w.script.Rcpt = nil
			w.change(`backend: { addrs: ["`+w.sink.Addr()+`"], timeout: 2s }`, `routes: [{ domains: ["*"], backend: { addrs: ["`+w.sink.Addr()+`"] } }]`)
		}, "open relay", doctor.Ill, "everybody could send", "relay_domains"},
		{"no backend", func(w *ward) { w.change(`"`+w.sink.Addr()+`"`, `"127.0.0.1:1"`) }, "backend", doctor.Ill, "connecting", "start it"},
		{"a backend that is not ready", func(w *ward) { w.answers(sink.Banner, "421 4.3.2 later") }, "backend", doctor.Ill, "421 4.3.2 later", "start it"},
		{"no pipelining", func(w *ward) { w.script.Offers = []string{"SIZE 1000"} }, "backend", doctor.Doubtful, "offers SIZE", "PIPELINING"},
		{"a small backend", func(w *ward) { w.script.Offers = []string{"SIZE 1000"} }, "backend size", doctor.Doubtful, "up to 1000 bytes", "limits.message_size: 1000"},
		{"TLS that cannot be had", func(w *ward) { w.change("timeout: 2s", "timeout: 2s, tls: opportunistic") }, "backend TLS", doctor.Doubtful, "cannot be had", "STARTTLS"},
		{"TLS that must be had", func(w *ward) { w.change("timeout: 2s", "timeout: 2s, tls: required") }, "backend TLS", doctor.Ill, "TLS", "deferred"},
		{"TLS by chance", func(w *ward) { w.encrypts(); w.change("timeout: 2s", "timeout: 2s, tls: opportunistic") }, "backend TLS", doctor.Sound, "not verified", ""},
		{"TLS that is verified", func(w *ward) {
			w.encrypts()
			w.change("timeout: 2s", "timeout: 2s, tls: required, tls_ca: cert.pem, tls_name: mx1.test")
		}, "backend TLS", doctor.Sound, "who it should be", ""},
		{"TLS of somebody else", func(w *ward) {
			w.encrypts()
			w.change("timeout: 2s", "timeout: 2s, tls: required, tls_ca: cert.pem, tls_name: other.test")
		}, "backend TLS", doctor.Ill, "certificate", "tls_name"},
		{"XCLIENT", func(*ward) {}, "pass_client", doctor.Sound, "takes XCLIENT", ""},
		{"XCLIENT refused", func(w *ward) { w.answers(sink.Client, "550 5.7.0 not you") }, "pass_client", doctor.Sound, "takes XFORWARD", ""},
		{"neither", func(w *ward) { w.script.Offers = []string{"PIPELINING"} }, "pass_client", doctor.Doubtful, "neither", "smtpd_authorized_xclient_hosts"},
		{"XCLIENT demanded", func(w *ward) {
			w.answers(sink.Client, "550 5.7.0 not you")
			w.change("timeout: 2s", "timeout: 2s, pass_client: xclient")
		}, "pass_client", doctor.Ill, "550 5.7.0 not you", "smtpd_authorized_xclient_hosts"},
		{"XFORWARD demanded", func(w *ward) {
			w.script.Offers = []string{"XCLIENT ADDR"}
			w.change("timeout: 2s", "timeout: 2s, pass_client: xforward")
		}, "pass_client", doctor.Ill, "pass_client is xforward", "smtpd_authorized_xforward_hosts"},
		{"XFORWARD wanted", func(w *ward) { w.change("timeout: 2s", "timeout: 2s, pass_client: xforward") }, "pass_client", doctor.Sound, "takes XFORWARD", ""},
		{"nothing passed", func(w *ward) { w.change("timeout: 2s", "timeout: 2s, pass_client: none") }, "pass_client", doctor.Sound, "pass_client: none", ""},
		{"a stranger refused", func(w *ward) { w.answers(sink.Client, "554 5.7.1 blocked") }, "pass_client", doctor.Sound, "takes XCLIENT", ""},
		{"an open relay", func(w *ward) { w.script.Rcpt = nil }, "open relay", doctor.Ill, "takes mail for example.com", "relay_domains"},
		{"an open relay behind relay_domains", func(w *ward) { w.script.Rcpt = nil; w.change("rules:", "relay_domains: [mx1.test]\nrules:") },
			"open relay", doctor.Sound, "relay_domains keeps", ""},
		{"a relay that does not decide", func(w *ward) { w.script.Rcpt = func(string) string { return "450 4.7.1 later" } }, "open relay", doctor.Doubtful, "450 4.7.1 later", ""},
		{"a relay that refuses strangers at once", func(w *ward) { w.answers(sink.Client, "554 5.7.1 blocked") }, "open relay", doctor.Sound, "refuses strangers", ""},

		{"a listener of others", func(w *ward) { w.change(`"127.0.0.1:0"`, `"`+w.greeter("220 other.test ESMTP")+`"`) }, "listener", doctor.Ill, "other.test", "stop it"},
		{"a listener of ours", func(w *ward) { w.change(`"127.0.0.1:0"`, `"`+w.greeter("220 mx1.test ESMTP")+`"`) }, "listener", doctor.Sound, "mx1.test ESMTP", ""},
		{"an address of others", func(w *ward) { w.change(`"127.0.0.1:0"`, `"203.0.113.77:25"`) }, "listener", doctor.Ill, "", "addr"},
		{"everybody is trusted", func(w *ward) { w.change("10.0.0.0/8", "0.0.0.0/0") }, "trusted.proxies", doctor.Ill, "any client", "your own servers"},
		{"everybody by IPv6", func(w *ward) { w.change("10.0.0.0/8", "2000::/3") }, "trusted.proxies", doctor.Ill, "any client", "your own servers"},
		{"many are trusted", func(w *ward) { w.change("10.0.0.0/8", "203.0.0.0/12") }, "trusted.proxies", doctor.Doubtful, "any client", "your own servers"},
		{"a few are trusted", func(w *ward) { w.change("10.0.0.0/8", "203.0.113.0/24") }, "trusted.proxies", doctor.Sound, "may say", ""},
		{"relays that are many", func(w *ward) { w.change("192.168.7.0/24", "203.0.0.0/12") }, "trusted.relays", doctor.Doubtful, "in the Received fields", "your own servers"},
		{"relays that are nearly all", func(w *ward) { w.change("192.168.7.0/24", "128.0.0.0/1") }, "trusted.relays", doctor.Ill, "no check of clients", "your own servers"},
		{"relays of our own", func(w *ward) { w.change("192.168.7.0/24", "203.0.113.25/32") }, "trusted.relays", doctor.Sound, "may say", ""},
		{"a listener that waits for PROXY", func(w *ward) {
			w.change(`"127.0.0.1:0"`, `"`+w.behindProxy("220 mx1.test ESMTP")+`"`)
			w.change("10.0.0.0/8", "127.0.0.0/8")
		}, "listener", doctor.Sound, "mx1.test ESMTP", ""},
		{"more sessions than files", func(w *ward) { w.config += "limits: { sessions: 2000000000 }\n" }, "open files", doctor.Doubtful, "8000000100", "LimitNOFILE=8000000100"},
		{"fewer", func(w *ward) { w.config += "limits: { sessions: 100 }\n" }, "open files", doctor.Sound, "100 sessions need up to 500", ""},

		{"a domain whose server serves", func(w *ward) { w.route("MX 10 mx.away.test."); w.records["mx.away.test"] = []string{"127.0.0.1"} },
			"route", doctor.Sound, "mx.away.test:", ""},
		{"a domain whose server does not", func(w *ward) {
			w.route("MX 10 mx.away.test.")
			w.records["mx.away.test"] = []string{"127.0.0.1"}
			w.change("port: ", "port: 1 #")
		}, "route", doctor.Ill, "connecting", "deferred"},
		{"a domain without servers' addresses", func(w *ward) { w.route("MX 10 mx.away.test.") }, "route", doctor.Ill, "no server of the domain has an address", "MX records"},
		{"a domain that takes no mail", func(w *ward) { w.route("MX 0 .") }, "route", doctor.Ill, "takes no mail", "correct the MX"},
		{"a domain that is not there", func(w *ward) { w.route("TXT x"); delete(w.records, "away.test") }, "route", doctor.Ill, "no such domain", "correct the MX"},
		{"a domain that leads to us", func(w *ward) { w.route("MX 10 mx1.test.") }, "route", doctor.Ill, "back to us", "correct the MX"},

		{"a Redis", func(w *ward) { w.redis(storetest.NewRedis(w.t).Addr, "") }, "redis", doctor.Sound, "answers", ""},
		{"a Redis without a bound", func(w *ward) { w.redis(storetest.NewRedis(w.t).Addr, "") }, "redis memory", doctor.Sound, "no bound", ""},
		{"no Redis", func(w *ward) { w.redis("127.0.0.1:1", "") }, "redis", doctor.Ill, "connecting to Redis", "start it"},
		{"a Redis with another password", func(w *ward) {
			w.redis(storetest.NewRedis(w.t, "--requirepass", "right").Addr, "wrong")
		}, "redis", doctor.Ill, "WRONGPASS", "password"},
		{"a Redis with this password", func(w *ward) {
			w.redis(storetest.NewRedis(w.t, "--requirepass", "right").Addr, "right")
		}, "redis", doctor.Sound, "answers", ""},
		{"a Redis that will refuse", func(w *ward) { w.redis(storetest.NewRedis(w.t, "--maxmemory", "64mb").Addr, "") },
			"redis memory", doctor.Doubtful, "takes nothing more", "volatile-lru"},
		{"a Redis that drops what is old", func(w *ward) {
			w.redis(storetest.NewRedis(w.t, "--maxmemory", "64mb", "--maxmemory-policy", "volatile-lru").Addr, "")
		}, "redis memory", doctor.Sound, "64 MiB, then volatile-lru", ""},
		{"a Redis that takes nothing", func(w *ward) {
			w.redis(storetest.NewRedis(w.t, "--replicaof", "127.0.0.1 1").Addr, "")
		}, "redis", doctor.Ill, "replica", "primary"},
		{"no certificate", func(w *ward) {
			w.change("tls: { cert: cert.pem, key: key.pem }\n", "")
			w.change("tls: starttls, ", "")
		}, "certificate", doctor.Doubtful, "in clear", "cert: FILE"},
		{"another key", func(w *ward) {
			selfSigned(w.t, "mx1.test", filepath.Join(w.dir, "other.pem"), filepath.Join(w.dir, "key.pem"))
		}, "certificate", doctor.Ill, "private key does not match", "belongs to it"},
		{"a key for all to read", func(w *ward) { w.mode("key.pem", 0o644) }, "secret", doctor.Ill, "everybody", "chmod o-rwx"},
		{"a key for others to change", func(w *ward) { w.mode("key.pem", 0o660) }, "secret", doctor.Doubtful, "can change", "chmod go-w"},
		{"a folder that is a file", func(w *ward) { write(w.t, filepath.Join(w.dir, "verdicts"), "") }, "verdicts.dir", doctor.Ill, "no folder", "make the folder"},
	} {
		t.Run(c.about, func(t *testing.T) {
			w := newWard(t)
			c.change(w)
			code, found := w.findings()
			at := slices.IndexFunc(found, func(d doctor.Finding) bool {
				return d.Check == c.check && d.State == c.state && strings.Contains(d.Seen, c.seen) && strings.Contains(d.Change, c.advice)
			})
			if at < 0 {
				t.Errorf("not found in\n%+v", found)
			}
			bad := slices.ContainsFunc(found, func(d doctor.Finding) bool { return d.State == doctor.Ill })
			if bad != (code == exitNo) || !bad && code != exitOK {
				t.Errorf("exit %d", code)
			}
		})
	}
}

// listsAll makes the list answer so whatever it is asked for.
func (w *ward) listsAll(code string) {
	delete(w.records, "2.0.0.127.bl.test")
	w.records["*.bl.test"] = []string{code}
}

// route sends the mail of away.test to where the DNS says; the port is that of the sink.
func (w *ward) route(records ...string) {
	w.records["away.test"] = records
	_, port, _ := net.SplitHostPort(w.sink.Addr())
	w.config += "routes: [{ domains: [away.test], mx: true, port: " + port + "\n }]\n"
}

// redis has counts shared through a Redis.
func (w *ward) redis(addr, password string) {
	with := `store: { redis: { addrs: ["` + addr + `"], timeout: 1s`
	if password != "" {
		file := filepath.Join(w.dir, "redis.password")
		write(w.t, file, password)
		w.mode("redis.password", 0o600)
		with += ", password: \"${file:" + file + "}\""
	}
	w.change("store: { memory: { snapshot: memory.snap } }", with+" }, memory: { snapshot: memory.snap } }")
}

// behindProxy listens as what speaks only to those who say by PROXY whom they speak for.
func (w *ward) behindProxy(greeting string) (addr string) {
	return w.listens(func(conn net.Conn) {
		r := bufio.NewReader(conn)
		if header, err := r.ReadString('\n'); err == nil && strings.HasPrefix(header, "PROXY ") {
			_, _ = io.WriteString(conn, greeting+"\r\n")
			_, _ = r.ReadString('\n') // QUIT
		}
	})
}

// listens is a server for the length of the test; it returns its address.
func (w *ward) listens(serve func(net.Conn)) (addr string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // the listener is closed
			}
			serve(conn)
			conn.Close()
		}
	}()
	return l.Addr().String()
}

// answers makes the server behind answer otherwise at a stage.
func (w *ward) answers(stage sink.Stage, text string) {
	w.script.On = map[sink.Stage]sink.Action{stage: {Kind: sink.Answer, Text: text}}
}

// encrypts gives the server behind a certificate, for mx1.test.
func (w *ward) encrypts() {
	pair, err := tls.LoadX509KeyPair(filepath.Join(w.dir, "cert.pem"), filepath.Join(w.dir, "key.pem"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.script.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
}

func (w *ward) mode(file string, mode os.FileMode) {
	if err := os.Chmod(filepath.Join(w.dir, file), mode); err != nil {
		w.t.Fatal(err)
	}
}

// greeter listens and greets with a line; it returns its address.
func (w *ward) greeter(line string) string {
	return w.listens(func(conn net.Conn) { fmt.Fprintf(conn, "%s\r\n", line) })
}

func TestDoctorExits(t *testing.T) {
	for _, c := range []struct {
		about  string
		change func(*ward)
		code   int
	}{
		{"a broken configuration", func(w *ward) { w.config += "colour: red\n" }, exitConfig},
		{"broken rules", func(w *ward) { w.rules += "colour: red\n" }, exitConfig},
		{"no address", func(w *ward) { w.args = []string{"--address", "here"} }, exitUsage},
		{"a word too many", func(w *ward) { w.args = []string{"now"} }, exitUsage},
		{"help", func(w *ward) { w.args = []string{"--help"} }, exitOK},
	} {
		w := newWard(t)
		c.change(w)
		if code, out, errs := w.visit(); code != c.code {
			t.Errorf("%s: exit %d, want %d\n%s%s", c.about, code, c.code, out, errs)
		}
	}
}

// Without a network what cannot be found out is said to be so; nothing is taken for bad.
func TestDoctorOffline(t *testing.T) {
	var out, errs strings.Builder
	code := run(t.Context(), []string{"doctor", "--offline", "--address", "192.0.2.25"}, streams{strings.NewReader(""), &out, &errs})
	if code != exitOK || strings.Contains(out.String(), "bad") || strings.Count(out.String(), "could not be found out") < 2 {
		t.Errorf("exit %d\n%s", code, out.String())
	}
}
