package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"weir/proxy/console"
	"weir/scoring/verdictlog"
	"weir/scoring/verdictlog/bodies"
)

const prizeRules = usualRules + `rules:
  - { id: PRIZE, about: "It promises a prize", body: { regex: prize }, score: 20, tests: [{ hit: "a prize" }, { miss: "none" }] }
`

// keptBy is the messages that weir has kept, by the subjects of their records.
func (s *served) keptBy(t *testing.T) map[string]string {
	t.Helper()
	dir := filepath.Join(s.dir, "verdicts")
	shelf, err := bodies.Look(verdictlog.Bodies(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer shelf.Close()
	all := map[string]string{}
	err = verdictlog.Search(t.Context(), dir, verdictlog.Query{}, func(r *verdictlog.Record) error {
		if raw, err := shelf.Get(r.ID); err == nil {
			all[r.Message.Subject] = string(raw)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestMessagesAreKeptAsTheyCame(t *testing.T) {
	t.Parallel()
	for of, want := range map[string]int{"all": 2, "refused": 1, "sample, one_in: 1": 2} {
		w := serve(t, startSink(t).Addr(), "127.0.0.1:9", prizeRules, "verdicts.dir: verdicts, bodies: { of: "+of+" }")
		good := "Subject: good\r\nX-Odd: \x80\xff\r\n\r\n.\r\nA dot, and 8 bits: \xfe\r\n"
		bad := "Subject: bad\r\n\r\n" + strings.Repeat("A large prize\r\n", 100_000)
		if err := sendMail(client(t, w.addr, ""), "ann@ok.example", "bob@example.org", good); err != nil {
			t.Fatal(err)
		}
		if err := sendMail(client(t, w.addr, ""), "a@ok.example", "bob@example.org", bad); codeOf(err) != 550 {
			t.Fatal(err)
		}
		eventually(t, "the messages "+of, func() bool { return len(w.keptBy(t)) == want })
		got := w.keptBy(t)
		if got["bad"] != bad || want == 2 && got["good"] != good {
			t.Errorf("%s: kept %.100q", of, got)
		}
		if of == "all" {
			keptMessagesAreShown(t, filepath.Join(w.dir, "weir.yaml"), good)
			if out, err := weirVerb(t, "log", "forget", "ann@ok.example", "-c", filepath.Join(w.dir, "weir.yaml")); out != "forgotten in 1 verdict, and 1 kept message erased\n" {
				t.Errorf("forget: %v: %s", err, out)
			}
			if got := w.keptBy(t); len(got) != 1 || got["bad"] != bad {
				t.Errorf("kept after one sender is forgotten: %.100q", got)
			}
		}
	}
}

// keptMessagesAreShown tries the verbs that take the id of a verdict whose message is kept.
func keptMessagesAreShown(t *testing.T, conf, good string) {
	t.Helper()
	verb := func(args ...string) string {
		out, err := weirVerb(t, append(args, "-c", conf)...)
		if err != nil {
			t.Errorf("weir %v: %v\n%s", args, err, out)
		}
		return out
	}
	id := func(words ...string) string {
		line := verb(append([]string{"log", "--json", "-n", "1"}, words...)...)
		r, err := verdictlog.ReadRecord([]byte(line))
		if err != nil || !r.Kept {
			t.Fatalf("it does not say that it is kept: %v: %s", err, line)
		}
		return r.ID
	}
	if out := verb("log", "show", id("subject:good"), "--body"); out != good {
		t.Errorf("shown: %q", out)
	}
	if out := verb("log", "show", id("subject:good")); !strings.Contains(out, `"body_kept":true`) {
		t.Errorf("shown: %s", out)
	}
	bad := id("action:reject")
	if out := verb("explain", bad); !strings.Contains(out, "PRIZE in its message: line 3\n") {
		t.Errorf("explained: %s", out)
	}
	if out := verb("check", "--offline", bad); !strings.HasPrefix(out, bad+": reject 20.") {
		t.Errorf("checked: %s", out)
	}
	var out, errs strings.Builder
	ask := strings.NewReader("body ~ large prize\nPRIZE\nrecipients\n")
	if code := run(t.Context(), []string{"rules", "repl", bad, "-c", conf}, streams{ask, &out, &errs}); code != exitOK || !strings.HasPrefix(out.String(), "yes  A large prize") || !strings.HasSuffix(out.String(), "\nyes\nyes  1\n") {
		t.Errorf("asked: %d, %s%s", code, out.String(), errs.String())
	}
	if out, err := weirVerb(t, "log", "show", "01ZZZZZZZZZZ", "--body", "-c", conf); exitCodeOf(err) != exitNoInput {
		t.Errorf("%v: %s", err, out)
	}
}

// A full disk under kept messages stops neither mail nor verdicts, and leaves no half message. With space again the next
// is kept.
func TestAFullDiskUnderKeptMessages(t *testing.T) {
	t.Parallel()
	if _, err := weirBinary(); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "verdicts")
	small := verdictlog.Bodies(dir)
	if err := os.MkdirAll(small, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", small, "tmpfs", 0, "size=64k"); err != nil {
		lacks(t, "mounting a small disk: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(small, unix.MNT_DETACH) })
	mailbox := startSink(t)
	w := serve(t, mailbox.Addr(), "127.0.0.1:9", usualRules, adminAnywhere, "verdicts.dir: "+dir+", bodies: { of: all }")
	send := func(n int) {
		var noise strings.Builder
		for range 300 {
			fmt.Fprintf(&noise, "%016x%016x\r\n", rand.Uint64(), rand.Uint64())
		}
		if err := sendMail(client(t, w.addr, ""), "a@ok.example", "bob@example.org", fmt.Sprintf("Subject: %d\r\n\r\n%s", n, &noise)); err != nil {
			t.Fatal(err)
		}
	}
	const most = 40
	for n := range most {
		send(n)
	}
	w.raises(t, console.AlarmBodies)
	w.says(t, "no space left on device")
	if n := len(mailbox.Messages()); n != most {
		t.Errorf("%d messages in the backend, want %d", n, most)
	}
	if _, metrics := w.get(t, "/metrics"); !strings.Contains(metrics, "\nweir_bodies_dropped_total ") || strings.Contains(metrics, "\nweir_bodies_dropped_total 0\n") {
		t.Error("no metric of what was lost")
	}
	if m := w.state(t).VerdictLog.Messages; m.Trouble == "" || m.Dropped == 0 {
		t.Errorf("the state: %+v", m)
	}
	shelf, err := bodies.Look(small)
	if err != nil || shelf.Len() == 0 || shelf.Len() >= most {
		t.Fatalf("%d kept, %v", shelf.Len(), err)
	}
	shelf.Close()
	if err := unix.Mount("tmpfs", small, "tmpfs", unix.MS_REMOUNT, "size=4m"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a message to be kept again", func() bool {
		send(100)
		return w.state(t).VerdictLog.Messages.Trouble == ""
	})
	if n, err := verdictlog.Count(t.Context(), dir, verdictlog.Query{}); err != nil || n < most {
		t.Errorf("%d verdicts, %v", n, err)
	}
}
