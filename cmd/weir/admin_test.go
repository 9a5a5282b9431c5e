package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weir/proxy/console"
)

const usualRules = "version: 1\nthresholds: { tag: 6, reject: 15 }\n"

const adminAnywhere = `admin: { addr: "127.0.0.1:0" }`

var adminLine = regexp.MustCompile(`msg=serving .*admin=(\S+)`)

// get asks the console of a running weir.
func (s *served) get(t *testing.T, path string) (status int, body string) {
	t.Helper()
	m := adminLine.FindStringSubmatch(s.log.String())
	if m == nil {
		t.Fatal("weir has no admin listener")
	}
	client := http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get("http://" + m[1] + path)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

func (s *served) state(t *testing.T) (state console.State) {
	t.Helper()
	if _, text := s.get(t, "/state"); json.Unmarshal([]byte(text), &state) != nil {
		t.Fatalf("the state is %s", text)
	}
	return state
}

// raises waits for an alarm, in the state and in the metrics.
func (s *served) raises(t *testing.T, alarm string) {
	t.Helper()
	eventually(t, "the alarm "+alarm, func() bool {
		for _, a := range s.state(t).Alarms {
			if a.Name == alarm {
				return true
			}
		}
		return false
	})
	if _, metrics := s.get(t, "/metrics"); !strings.Contains(metrics, `weir_alarm{alarm="`+alarm+`"} 1`) {
		t.Errorf("no metric of the alarm %s", alarm)
	}
}

// says waits for a line in the log.
func (s *served) says(t *testing.T, text string) {
	t.Helper()
	eventually(t, text, func() bool { return strings.Contains(s.log.String(), text) })
}

// both runs a verb and returns its exit code and all that it printed.
func both(args ...string) (code int, text string) {
	code, out, errs := verb(args...)
	return code, out + errs
}

func TestAdmin(t *testing.T) {
	t.Setenv("WEIR_TEST_KEY", "s3cr3tkey")
	mailbox := startSink(t)
	dns := startRbldnsd(t, map[string]string{"s3cr3tkey.lists.test": ":127.0.0.2:Listed\n127.0.0.8\n127.0.0.2\n"})
	w := serve(t, mailbox.Addr(), dns, `version: 1
thresholds: { tag: 6, reject: 15 }
zones: [{ id: KEYED, zone: "${env:WEIR_TEST_KEY}.lists.test", ask: [client_ip], answers: [{ id: BAD, is: 127.0.0.2, score: 7 }] }]
`, adminAnywhere)
	eventually(t, "readiness", func() bool { status, _ := w.get(t, "/readyz"); return status == 200 })
	if err := sendMail(client(t, w.addr, "127.0.0.8"), "ann@client.example.net", "bob@example.org", plainMail); err != nil {
		t.Fatal(err)
	}
	c := client(t, w.addr, "127.0.0.9")
	if err := sendMail(c, "eve@client.example.net", "bob@example.org", plainMail); err != nil {
		t.Fatal(err)
	}
	c.Quit()
	pages := ""
	eventually(t, "the metrics", func() bool {
		_, got := w.get(t, "/metrics")
		pages = got
		for _, want := range []string{
			`weir_messages_total{action="tag",policy="default"} 1`, `weir_messages_total{action="pass",policy="default"} 1`,
			`weir_sessions_total{listener="smtp",result="served"} 1`, `weir_rule_hits_total{rule="KEYED_BAD"} 1`,
			`weir_dns_queries_total{result="listed",zone="lists.test"} 1`, `weir_dns_queries_total{result="not_listed",zone="lists.test"} 1`,
			`weir_backend_up{backend="backend.addrs[0]"} 1`, `weir_dns_parked{zone="lists.test"} 0`,
		} {
			if !strings.Contains(got, want) {
				return false
			}
		}
		return true
	})
	if regexp.MustCompile(`\{[^}]*(127\.0\.0|example)`).MatchString(pages) {
		t.Error("an address is a label")
	}
	_, verdicts := w.get(t, "/verdicts?q=from:eve&q=action:pass")
	if strings.Count(verdicts, "\n") != 1 || !strings.Contains(verdicts, "eve@client.example.net") {
		t.Errorf("verdicts: %s", verdicts)
	}
	state := w.state(t)
	if len(state.Missing)+len(state.Alarms) != 0 || state.Lists[0].Asked != 2 || state.Listeners[0].Addr != w.addr || state.VerdictLog == nil {
		t.Errorf("state: %+v", state)
	}
	for _, path := range []string{"/", "/state", "/verdicts"} {
		_, text := w.get(t, path)
		pages += text
	}
	if strings.Contains(pages, "s3cr3tkey") {
		t.Error("the key of a list is shown")
	}
}

// It takes mail only as long as somebody behind takes it, and says so to whoever asks by healthcheck.
func TestReadinessFollowsTheServerBehind(t *testing.T) {
	mailbox := startSink(t)
	admin := freePort(t)
	w := serve(t, mailbox.Addr(), "127.0.0.1:9", usualRules, "admin: { addr: "+admin+" }")
	file := filepath.Join(w.dir, "weir.yaml")
	eventually(t, "readiness", func() bool { status, _ := w.get(t, "/readyz"); return status == 200 })
	if code, out := both("healthcheck", "-c", file); code != exitOK {
		t.Errorf("healthcheck: %d, %s", code, out)
	}
	mailbox.Close()
	eventually(t, "the end of readiness", func() bool { status, _ := w.get(t, "/readyz"); return status == 503 })
	if code, out := both("healthcheck", "-c", file); code != exitNo || !strings.Contains(out, "no server behind is up") {
		t.Errorf("healthcheck: %d, %s", code, out)
	}
	if status, _ := w.get(t, "/livez"); status != 200 {
		t.Errorf("alive: %d", status)
	}
	w.raises(t, console.AlarmBackend)
	w.process.Signal(syscall.SIGTERM)
	w.wait()
	if code, out := both("healthcheck", "-c", file); code != exitNo || !strings.Contains(out, "refused") {
		t.Errorf("healthcheck of none: %d, %s", code, out)
	}
}

func TestReloadByCommand(t *testing.T) {
	w := serve(t, startSink(t).Addr(), "127.0.0.1:9", usualRules, "admin: { addr: "+freePort(t)+" }")
	conf, rules := filepath.Join(w.dir, "weir.yaml"), filepath.Join(w.dir, "rules.yaml")
	if code, out := both("reload", "-c", conf); code != exitOK || !strings.Contains(out, "reloaded: generation 2") {
		t.Errorf("reload: %d, %s", code, out)
	}
	write(t, rules, usualRules+"treshold: 3\n")
	if code, out := both("reload", "-c", conf); code != exitConfig ||
		!strings.Contains(out, "weir: "+rules+`:3:1: error: unknown key "treshold"`) || !strings.Contains(out, "the old configuration stays in force") {
		t.Errorf("of rules that are wrong: %d, %s", code, out)
	}
	w.raises(t, console.AlarmReload)
	if _, metrics := w.get(t, "/metrics"); !strings.Contains(metrics, "weir_config_reload_successful 0") {
		t.Error("no metric of the refused reload")
	}
	write(t, rules, usualRules)
	text, err := os.ReadFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	write(t, conf, strings.Replace(string(text), "hostname: mx1", "hostname: mx2", 1))
	if code, out := both("reload", "-c", conf); code != exitOK || !strings.Contains(out, "need a restart: hostname") {
		t.Errorf("of what needs a restart: %d, %s", code, out)
	}
	if state := w.state(t); len(state.Alarms) != 0 || state.Rules.Generation != 3 {
		t.Errorf("afterwards: %+v", state)
	}
	w.process.Kill()
	w.wait()
	if code, out := both("reload", "-c", conf); code != exitUnavailable || !strings.Contains(out, "refused") {
		t.Errorf("of none: %d, %s", code, out)
	}
}

// A certificate that is renewed in its files is used without anybody's doing; half of one is not.
func TestTheCertificateIsWatched(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	selfSigned(t, "first.example", cert, key)
	w := serve(t, startSink(t).Addr(), "127.0.0.1:9", usualRules, adminAnywhere, "listen.tls: starttls", "tls: { cert: "+cert+", key: "+key+" }")
	selfSigned(t, "second.example", cert, filepath.Join(dir, "other.pem"))
	w.says(t, "the certificate has changed and cannot be used")
	w.raises(t, console.AlarmCertificate)
	if name := certificateOf(t, w); name != "first.example" {
		t.Errorf("the certificate is that of %s", name)
	}
	selfSigned(t, "third.example", cert, key)
	w.says(t, `msg="the certificate has changed"`)
	if name := certificateOf(t, w); name != "third.example" {
		t.Errorf("the certificate is that of %s", name)
	}
	if state := w.state(t); len(state.Alarms) != 0 {
		t.Errorf("alarms: %v", state.Alarms)
	}
	if n := strings.Count(w.log.String(), "cannot be used"); n != 1 {
		t.Errorf("it says %d times that the certificate cannot be used", n)
	}
}

// Verdicts that cannot be written do not hold mail up.
func TestAFullDiskUnderVerdicts(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Fatal(err)
	}
	mailbox := startSink(t)
	full := t.TempDir()
	for _, day := range []time.Time{time.Now(), time.Now().Add(24 * time.Hour)} {
		if err := os.Symlink("/dev/full", filepath.Join(full, "verdicts-"+day.UTC().Format(time.DateOnly)+".jsonl")); err != nil {
			t.Fatal(err)
		}
	}
	w := serve(t, mailbox.Addr(), "127.0.0.1:9", usualRules, adminAnywhere, "verdicts.dir: "+full)
	for range 5 {
		if err := sendMail(client(t, w.addr, ""), "a@ok.example", "bob@example.org", plainMail); err != nil {
			t.Fatal(err)
		}
	}
	w.raises(t, console.AlarmVerdictLog)
	w.says(t, "no space left on device")
	if state := w.state(t); state.VerdictLog.Trouble == "" || state.VerdictLog.Waiting == 0 {
		t.Errorf("the state of the log: %+v", state.VerdictLog)
	}
	if n := len(mailbox.Messages()); n != 5 {
		t.Errorf("%d messages in the backend, want 5", n)
	}
	if _, verdicts := w.get(t, "/verdicts"); strings.Count(verdicts, "\n") != 5 {
		t.Errorf("the console knows less than all: %s", verdicts)
	}
}

// Without space large messages wait at their senders, small ones need none.
func TestAFullDiskUnderTheSpool(t *testing.T) {
	if _, err := weirBinary(); err != nil {
		t.Fatal(err)
	}
	small := filepath.Join(t.TempDir(), "small")
	if err := os.Mkdir(small, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", small, "tmpfs", 0, "size=64k"); err != nil {
		lacks(t, "mounting a small disk: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(small, unix.MNT_DETACH) })
	t.Setenv("TMPDIR", small)
	mailbox := startSink(t)
	w := serve(t, mailbox.Addr(), "127.0.0.1:9", usualRules, adminAnywhere)
	large := plainMail + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 10_000)
	if err := sendMail(client(t, w.addr, ""), "a@ok.example", "bob@example.org", large); codeOf(err) != 452 {
		t.Errorf("a large message: %v, want 452", err)
	}
	if err := sendMail(client(t, w.addr, ""), "a@ok.example", "bob@example.org", plainMail); err != nil {
		t.Errorf("a small one: %v", err)
	}
	w.raises(t, console.AlarmDisk)
	w.says(t, "no space left on device")
	if n := len(mailbox.Messages()); n != 1 {
		t.Errorf("%d messages in the backend, want 1", n)
	}
}

// Without a resolver mail flows.
func TestTheResolverIsGone(t *testing.T) {
	t.Parallel()
	mailbox := startSink(t)
	w := serve(t, mailbox.Addr(), "127.0.0.1:9", listRules, adminAnywhere)
	for n := range 10 {
		if err := sendMail(client(t, w.addr, fmt.Sprintf("127.0.1.%d", n)), "a@ok.example", "bob@example.org", plainMail); err != nil {
			t.Fatal(err)
		}
	}
	w.raises(t, console.AlarmResolver)
	if n := len(mailbox.Messages()); n != 10 {
		t.Errorf("%d messages in the backend, want 10", n)
	}
}

// When there are no descriptors clients are told to come again, and afterwards all is well.
func TestDescriptorsUsedUp(t *testing.T) {
	t.Parallel()
	w := serve(t, startSink(t).Addr(), "127.0.0.1:9", usualRules, adminAnywhere)
	eventually(t, "readiness", func() bool { status, _ := w.get(t, "/readyz"); return status == 200 })
	open, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(w.process.Pid), "fd"))
	if err != nil {
		t.Fatal(err)
	}
	few := unix.Rlimit{Cur: uint64(len(open) + 5), Max: uint64(len(open) + 100)}
	if err := unix.Prlimit(w.process.Pid, unix.RLIMIT_NOFILE, &few, nil); err != nil {
		lacks(t, "%v", err)
	}
	var all []net.Conn
	for range 20 {
		c, err := net.DialTimeout("tcp", w.addr, 10*time.Second)
		if err != nil {
			t.Fatalf("refused: %v", err)
		}
		all = append(all, c)
	}
	w.says(t, "too many open files")
	last := all[len(all)-1]
	last.SetDeadline(time.Now().Add(time.Minute))
	if answer, err := io.ReadAll(last); err != nil || !strings.HasPrefix(string(answer), "421 4.3.2") {
		t.Errorf("the last client read %q, %v", answer, err)
	}
	for _, c := range all {
		c.Close()
	}
	w.raises(t, console.AlarmDescriptors)
	if err := sendMail(client(t, w.addr, ""), "a@ok.example", "bob@example.org", plainMail); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
