package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"weir/filters/store/storetest"
	"weir/proxy/console"
	"weir/scoring"
)

const sharedRules = `version: 1
thresholds: { tag: 6, reject: 15 }
bulk: { windows: [{ id: BULK_MANY, over: 1h, alike: 6, networks: 3, score: 7 }] }
`

// alternate sends n copies of a letter, each to the next of the proxies and from another network.
func alternate(t *testing.T, n int, proxies ...*served) {
	t.Helper()
	for i := range n {
		c := client(t, proxies[i%len(proxies)].addr, fmt.Sprintf("127.0.%d.1", i%3+1))
		letter := strings.Replace(plainMail, "\r\n\r\n", fmt.Sprintf("\r\n\r\nDear customer %d, ", i), 1) +
			strings.Repeat("The bridge over the harbour is closed for repairs from Monday until the end of the month. ", 3) + "\r\n"
		if err := sendMail(c, "ann@client.example.net", fmt.Sprintf("bob%d@example.org", i), letter); err != nil {
			t.Fatal(err)
		}
		c.Quit()
	}
}

// lastAlike is what the last record of w says: how many were alike, whether the window was reached, and what went wrong.
func lastAlike(t *testing.T, w *served, n int) (alike int, many bool, problem string) {
	t.Helper()
	r := w.records(t, n)[n-1]
	for _, p := range r.Errors {
		if p.Check == "bulk" {
			problem = p.Detail
		}
	}
	return r.Bulk.Alike, slices.ContainsFunc(r.Hits, func(l scoring.Line) bool { return l.Rule == "BULK_MANY" }), problem
}

// Copies that come through two proxies are counted as if through one. Without Redis each goes on alone and says so; what
// it counts then is there when Redis is back.
func TestSharedCampaign(t *testing.T) {
	r := storetest.NewRedis(t, "--appendonly", "yes", "--appendfsync", "always")
	behind := startSink(t).Addr()
	setting := fmt.Sprintf("store: { redis: { addrs: [%q], timeout: 1s } }", r.Addr)
	one, other := serve(t, behind, "127.0.0.1:9", sharedRules, setting, adminAnywhere), serve(t, behind, "127.0.0.1:9", sharedRules, setting)
	alternate(t, 5, one, other)
	alike, many, problem := lastAlike(t, one, 3)
	if alike != 5 || many || problem != "" {
		t.Errorf("the fifth copy: %d alike, window reached: %v, problem: %q", alike, many, problem)
	}
	alternate(t, 1, other)
	if alike, many, _ := lastAlike(t, other, 3); alike != 6 || !many {
		t.Errorf("the sixth copy: %d alike, window reached: %v", alike, many)
	}

	r.Stop()
	eventually(t, "both to notice that Redis is away", func() bool {
		return strings.Contains(one.log.String(), "Redis is away") && strings.Contains(other.log.String(), "Redis is away")
	})
	one.raises(t, console.AlarmStore)
	alternate(t, 2, one)
	if alike, _, problem := lastAlike(t, one, 5); alike < 7 || !strings.Contains(problem, "by this process alone") {
		t.Errorf("without Redis: %d alike, problem: %q", alike, problem)
	}
	r.Start(t)
	eventually(t, "both to notice that Redis is back", func() bool {
		return strings.Contains(one.log.String(), "Redis is back") && strings.Contains(other.log.String(), "Redis is back")
	})
	alternate(t, 1, other) // what was on its way to Redis when that was stopped, one copy at most, may be missing
	if alike, many, problem := lastAlike(t, other, 4); alike < 8 || !many || problem != "" {
		t.Errorf("the ninth copy: %d alike, window reached: %v, problem: %q", alike, many, problem)
	}
	for _, w := range []*served{one, other} {
		w.process.Signal(syscall.SIGTERM)
		if err := w.wait(); err != nil {
			t.Errorf("%v\n%s", err, w.log)
		}
	}
}

func TestRedisConfig(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "password"), "a secret\n")
	for setting, want := range map[string]string{
		`{ addrs: ["127.0.0.1:6379"], user: weir, password: "${file:` + filepath.Join(dir, "password") + `}", prefix: mx, timeout: 50ms }`: "are fine",
		`{ timeout: 50ms }`:                                     "store.redis.addrs: names no server",
		`{ addrs: ["127.0.0.1"] }`:                              `"127.0.0.1" is not HOST:PORT`,
		`{ addrs: ["127.0.0.1:6379"], password: a secret }`:     "must not stand here",
		`{ addrs: ["127.0.0.1:6379"], user: weir }`:             "has no password",
		`{ addrs: ["127.0.0.1:6379"], prefix: "{mx}" }`:         "without blanks and braces",
		`{ addrs: ["127.0.0.1:6379"], timeout: 1m }`:            "want 1ms to 1s",
		`{ addrs: ["127.0.0.1:6379"], tls_name: r.example }`:    "is for tls: on",
		`{ addrs: ["127.0.0.1:6379"], tls: on, tls_ca: none }`:  "no such file",
		`{ adrs: ["127.0.0.1:6379"] }`:                          "addrs",
		`{ addrs: ["127.0.0.1:6379"], tls: on, master: "one" }`: "are fine",
	} {
		path := filepath.Join(dir, "weir.yaml")
		write(t, path, "version: 1\nhostname: mx1.example.org\nlisten: [{ addr: \"127.0.0.1:0\" }]\nbackend: { addrs: [\"127.0.0.1:9\"] }\nstore: { redis: "+setting+" }\n")
		_, out, errs := verb("config", "test", "-c", path)
		if !strings.Contains(out+errs, want) {
			t.Errorf("%s:\n%s%s\nwant %q", setting, out, errs, want)
		}
		if _, out, _ := verb("config", "show", "-c", path); strings.Contains(out+errs, "a secret") && !strings.Contains(setting, "a secret") {
			t.Errorf("the password is shown:\n%s%s", out, errs)
		}
	}
}
