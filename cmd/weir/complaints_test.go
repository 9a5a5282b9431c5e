package main

import (
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/filters"
	"weir/filters/greylist"
	"weir/filters/store"
	"weir/rules"
	"weir/scoring/verdictlog"
)

// Whose message people call spam waits anew, until that is taken back; a message of nobody changes nothing.
func TestComplaintsReachTheGreylist(t *testing.T) {
	sent, nobodys := judgedRecord(), judgedRecord()
	sent.Session.Client.IP, sent.Envelope.From, sent.Envelope.To = "192.0.2.9", "a@b.example", []string{"bob@example.org"}
	dir := keepRecords(t, []verdictlog.Record{sent, nobodys})
	ids := idsOf(t, dir)
	memory := store.NewMemory(1 << 20)
	check := greylist.New(&rules.Greylist{Wait: 5 * time.Minute, Expire: 36 * 24 * time.Hour}, memory)
	at := time.Now().Add(-24 * time.Hour)
	waits := func(want bool) {
		t.Helper()
		r, err := check.Run(t.Context(), filters.Mail{At: at, Session: &filters.Session{Addr: netip.MustParseAddrPort("192.0.2.7:25")},
			Envelope: &filters.Envelope{From: "a@b.example", To: []string{"carol@example.org"}}})
		if err != nil || (len(r.Hits) > 0) != want {
			t.Errorf("%v, %v, want %v", r.Hits, err, want)
		}
		at = at.Add(25 * time.Hour)
	}
	learn := func(id string, spam bool) {
		t.Helper()
		if err := heed(t.Context(), dir, memory, verdictlog.Complaint{Time: time.Now(), ID: id, Spam: spam}); err != nil {
			t.Fatal(err)
		}
	}
	waits(true)
	waits(false)
	learn(ids[1], true)
	waits(false)
	learn(ids[0], true)
	waits(true)
	waits(false)
	learn(ids[0], false)
	waits(false)
}

// A complaint counts for the campaign, for the proven sender, for the two who are known by it, and for the greylist.
func TestWhatAComplaintCountsFor(t *testing.T) {
	sent := judgedRecord()
	sent.Session.Client.IP, sent.Envelope.From = "203.0.113.9", "a@b.example"
	sent.Auth = &verdictlog.Auth{Domains: []string{"b.example"}}
	sent.Bulk = &filters.Bulk{Campaign: "c0000002a"}
	dir := keepRecords(t, []verdictlog.Record{sent})
	memory := store.NewMemory(1 << 20)
	for range 2 {
		if err := heed(t.Context(), dir, memory, verdictlog.Complaint{Time: time.Now(), ID: idsOf(t, dir)[0], Spam: true}); err != nil {
			t.Fatal(err)
		}
	}
	if counters, _ := memory.Usage(); counters != 5 {
		t.Errorf("%d counters", counters)
	}
}

// A memory that has begun anew, as it does where another secret is shared, hears again what was said within seven days.
func TestAMemoryThatHasForgottenHearsAgain(t *testing.T) {
	sent := judgedRecord()
	sent.Session.Client.IP, sent.Envelope.From, sent.Envelope.To = "203.0.113.9", "a@b.example", []string{"bob@example.org"}
	sent.Auth = &verdictlog.Auth{Domains: []string{"b.example"}}
	dir := keepRecords(t, []verdictlog.Record{sent, sent, sent})
	for i, id := range idsOf(t, dir) {
		said := verdictlog.Mark{Time: time.Now().Add(-time.Duration(i*5) * 24 * time.Hour), Learned: verdictlog.Spam, ID: id}
		if err := verdictlog.Learn(dir, said); err != nil {
			t.Fatal(err)
		}
	}
	if err := verdictlog.Learn(dir, verdictlog.Mark{Time: time.Now(), Learned: verdictlog.Spam, ID: verdictlog.NewID(time.Now())}); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	memory := store.NewMemory(1 << 20)
	h := hearer{dir: dir, memory: memory, log: slog.New(slog.NewTextHandler(&out, nil)), began: time.Now()}
	for _, secret := range []byte{1, 2} {
		memory.Begin([16]byte{secret})
		h.hear(t.Context())
		h.hear(t.Context())
		distinct := map[int64]int{}
		for _, key := range memory.Keys("") {
			distinct[int64(len(memory.Known(key).Members))]++
		}
		if len(distinct) != 1 || distinct[2] != 4 {
			t.Errorf("counters by members: %v", distinct)
		}
	}
	if out.Len() > 0 { // that the log has no message any more of which something was said long ago
		t.Error(out.String())
	}
}

// What is said while no weir runs is counted when one starts, and once, however often one does.
func TestWhatIsSaidWhileNoWeirRuns(t *testing.T) {
	behind, dir := startSink(t).Addr(), t.TempDir()
	settings := []string{"verdicts.dir: " + filepath.Join(dir, "verdicts"), fmt.Sprintf("store: { memory: { max: 1MiB, snapshot: %q } }", filepath.Join(dir, "store")), adminAnywhere}
	var conf string
	start := func() *served {
		w := serve(t, behind, "127.0.0.1:9", sharedRules, slices.Clone(settings)...)
		text, err := os.ReadFile(filepath.Join(w.dir, "weir.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		conf = filepath.Join(w.dir, "asked.yaml")
		write(t, conf, strings.Replace(string(text), adminAnywhere, fmt.Sprintf("admin: { addr: %q }", adminLine.FindStringSubmatch(w.log.String())[1]), 1))
		return w
	}
	stop := func(w *served) {
		w.process.Signal(syscall.SIGTERM)
		if err := w.wait(); err != nil {
			t.Fatalf("%v\n%s", err, w.log)
		}
	}
	learn := func(word, id string) {
		if code, _, errs := verb("learn", word, "-c", conf, id); code != exitOK {
			t.Fatalf("learn %s: exit %d, %s", word, code, errs)
		}
	}
	counted := func(n int) {
		eventually(t, fmt.Sprintf("%d complaints", n), func() bool {
			_, out, _ := verb("--json", "bulk", "list", "-c", conf)
			return strings.Contains(out, `"alike":6,`) && strings.Contains(out, fmt.Sprintf(`"complaints":%d,`, n))
		})
	}
	w := start()
	alternate(t, 6, w)
	counted(0)
	stop(w)
	ids := idsOf(t, filepath.Join(dir, "verdicts"))
	learn("spam", ids[0])
	learn("spam", ids[1])
	w = start()
	counted(2)
	learn("spam", ids[2])
	counted(3)
	stop(w)
	learn("ham", ids[1])
	w = start()
	counted(2)
	stop(w)
}
