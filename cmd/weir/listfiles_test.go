package main

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"weir/proxy/console"
)

// A list that changes in its file is used without anybody's doing. One that cannot be used, or that changes together
// with the rules, is not.
func TestListFilesAreWatched(t *testing.T) {
	t.Parallel()
	const policies = "version: 1\nthresholds: { tag: 6, reject: 15 }\nlists: { vip: { type: address, file: vip.txt } }\n" +
		"policies: [{ id: vip, rcpt: list.vip, thresholds: { tag: off } }]\n"
	w := serve(t, startSink(t).Addr(), "127.0.0.1:9", "version: 1\nthresholds: { tag: 6, reject: 15 }\n", adminAnywhere)
	rules, list := filepath.Join(w.dir, "rules.yaml"), filepath.Join(w.dir, "vip.txt")
	write(t, list, "ann@example.org\n")
	write(t, rules, policies)
	w.process.Signal(syscall.SIGHUP)
	w.says(t, "msg=reloaded")
	policyOf := func(n int) string {
		if err := sendMail(client(t, w.addr, ""), "a@ok.example", "bob@example.org", plainMail); err != nil {
			t.Fatal(err)
		}
		return w.records(t, n)[n-1].Verdict.Policy
	}
	if policy := policyOf(1); policy != "default" {
		t.Errorf("the policy before is %s", policy)
	}
	write(t, list, "ann@example.org\nbob@example.org\n")
	w.says(t, `msg="lists have changed" lists=[vip]`)
	if policy := policyOf(2); policy != "vip" {
		t.Errorf("the policy after is %s", policy)
	}

	write(t, list, "nobody\n")
	w.says(t, "a list has changed and cannot be used")
	w.raises(t, console.AlarmReload)
	write(t, list, "carol@example.org\n")
	eventually(t, "the list to be well", func() bool { return len(w.state(t).Alarms) == 0 })
	if policy := policyOf(3); policy != "default" {
		t.Errorf("the policy in the end is %s", policy)
	}

	write(t, rules, policies+"rules: [{ id: NEW, about: a, body: { regex: a }, score: 1 }]\n")
	write(t, list, "bob@example.org\n")
	w.says(t, "both wait for a reload")
	if n := strings.Count(w.log.String(), "lists have changed"); n != 2 {
		t.Errorf("lists have changed %d times, want 2", n)
	}
}
