package verdictlog

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"weir/rules"
	"weir/scoring"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(logToKill); dir != "" {
		writeUntilKilled(dir)
	}
	goleak.VerifyTestMain(m)
}

// record makes one of many records that differ.
func record(n int, at time.Time) Record {
	tag := rules.Points(600)
	reject := rules.Points(1500)
	return Record{
		Schema: Schema, Time: at.UTC(), ID: NewID(at),
		Session:  Session{ID: NewID(at), Proto: "ESMTPS", Client: Client{IP: fmt.Sprintf("192.0.2.%d", n%250), RDNS: "mail.sender.example"}, Helo: "mail.sender.example"},
		Envelope: Envelope{From: fmt.Sprintf("user%d@sender.example", n), To: []string{"bob@example.org"}, Size: 4000},
		Message:  &Message{MessageID: fmt.Sprintf("<%d@sender.example>", n), HeaderFrom: "ann@orchard.example", Subject: fmt.Sprintf("Letter %d", n), URLHosts: []string{}},
		Verdict: Verdict{
			Action: []rules.Action{rules.Pass, rules.Tag, rules.Defer, rules.Reject}[n%4], Score: rules.Points(n % 2000), Thresholds: Thresholds{Tag: &tag, Reject: &reject},
			Policy: "default", At: AtData, By: scoring.ByScore, Reply: Reply{Code: 250, Enhanced: "2.0.0", Text: "Ok"},
		},
		Hits: []scoring.Line{
			{Rule: "ZEN_SBL", Points: 400, Detail: "192.0.2.7 -> 127.0.0.2", Src: "rules.yaml:61:9"},
			{Rule: fmt.Sprintf("RULE_%d", n%100), Points: 150, Detail: "some words of the message that matched", Src: "rules.yaml:80:5"},
		},
		Shadow: []scoring.Line{},
		Errors: nil,
	}
}

type warnings struct {
	mu  sync.Mutex
	all []string
}

func (w *warnings) warn(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, err.Error())
}

func open(t *testing.T, o Options) *Log {
	t.Helper()
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func closed(t *testing.T, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Errorf("closing: %v", err)
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	parts, err := list(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, p := range parts {
		all = append(all, p.name())
	}
	return all
}

func subjects(t *testing.T, dir string, q Query) []string {
	t.Helper()
	var all []string
	err := Search(t.Context(), dir, q, func(r *Record) error {
		all = append(all, r.Message.Subject)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestWhatIsPutIsFound(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "verdicts")
	l := open(t, Options{Dir: dir})
	at := time.Now()
	const n = 1000
	var ids []string
	for i := range n {
		r := record(i, at)
		ids = append(ids, r.ID)
		l.Put(r)
	}
	closed(t, l)
	if l.Dropped() != 0 {
		t.Errorf("%d dropped", l.Dropped())
	}
	if got := subjects(t, dir, Query{}); len(got) != n || got[0] != "Letter 0" || got[n-1] != fmt.Sprintf("Letter %d", n-1) {
		t.Errorf("%d records", len(got))
	}
	for _, id := range []string{ids[0], strings.ToLower(ids[n-1])} {
		if r, err := Find(dir, id); err != nil || !strings.EqualFold(r.ID, id) {
			t.Errorf("finding %s: %v", id, err)
		}
	}
	info, err := os.Stat(filepath.Join(dir, names(t, dir)[0]))
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestFindSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	l := open(t, Options{Dir: dir})
	at := time.Now()
	l.Put(record(1, at))
	l.Put(record(2, at))
	closed(t, l)
	for id, want := range map[string]string{
		"x": "is not an id", "UUUUUUUUUUUUUUUUUUUUUUUUUU": "is not an id",
		NewID(at): "file does not exist", NewID(at.Add(-1000 * time.Hour)): "file does not exist", NewID(at)[:10]: "more than one",
	} {
		if _, err := Find(dir, id); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", id, err, want)
		}
	}
}

func TestANewFileForEachDayAndSize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		l := open(t, Options{Dir: dir, MaxSize: 8 * minPart})
		for range 3 {
			for i := range 100 { // some 100 KiB
				l.Put(record(i, time.Now()))
				synctest.Wait()
			}
			time.Sleep(day)
		}
		closed(t, l)
		want := []string{
			"verdicts-2000-01-01.jsonl", "verdicts-2000-01-01.1.jsonl", "verdicts-2000-01-02.jsonl", "verdicts-2000-01-02.1.jsonl",
			"verdicts-2000-01-03.jsonl", "verdicts-2000-01-03.1.jsonl",
		}
		if got := names(t, dir); !slices.Equal(got, want) {
			t.Errorf("files %v", got)
		}
		if got := subjects(t, dir, Query{}); len(got) != 300 {
			t.Errorf("%d records", len(got))
		}
	})
}

func TestOldFilesAreRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		other := filepath.Join(dir, "verdicts-notes.txt")
		if err := os.WriteFile(other, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		l := open(t, Options{Dir: dir, Keep: 36 * time.Hour})
		for range 4 {
			l.Put(record(1, time.Now()))
			synctest.Wait()
			time.Sleep(day)
		}
		closed(t, l)
		// It is the beginning of the fifth: the second ended 48 hours ago.
		if got, want := names(t, dir), []string{"verdicts-2000-01-03.jsonl", "verdicts-2000-01-04.jsonl"}; !slices.Equal(got, want) {
			t.Errorf("files %v, want %v", got, want)
		}
		if _, err := os.Stat(other); err != nil {
			t.Errorf("a file of somebody else: %v", err)
		}
	})
}

func TestAllFilesTogetherStayWithinMaxSize(t *testing.T) {
	dir := t.TempDir()
	const most = 4 * minPart
	l := open(t, Options{Dir: dir, MaxSize: most})
	for i := range 2000 {
		l.Put(record(i, time.Now()))
		for len(l.queue) > 100 {
			parts, err := list(dir)
			if err != nil {
				t.Fatal(err)
			}
			var total int64
			for _, p := range parts {
				total += p.size
			}
			if total > most+2*maxBatch {
				t.Fatalf("%d bytes, more than %d", total, most)
			}
		}
	}
	closed(t, l)
	got := subjects(t, dir, Query{})
	if len(got) < 50 || got[len(got)-1] != "Letter 1999" {
		t.Errorf("%d records, the last %q", len(got), got[len(got)-1])
	}
}

func TestALineCutOffByACrash(t *testing.T) {
	dir := t.TempDir()
	l := open(t, Options{Dir: dir})
	l.Put(record(1, time.Now()))
	closed(t, l)
	file := filepath.Join(dir, names(t, dir)[0])
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	torn := slices.Concat(data, data[:len(data)/2])
	if err := os.WriteFile(file, torn, 0o640); err != nil {
		t.Fatal(err)
	}
	if got := subjects(t, dir, Query{}); !slices.Equal(got, []string{"Letter 1"}) {
		t.Errorf("torn: %v", got)
	}
	l = open(t, Options{Dir: dir})
	l.Put(record(2, time.Now()))
	closed(t, l)
	if got := subjects(t, dir, Query{}); !slices.Equal(got, []string{"Letter 1", "Letter 2"}) {
		t.Errorf("after the repair: %v", got)
	}
	data, err = os.ReadFile(file)
	if err != nil || bytes.Count(data, []byte("\n")) != 3 {
		t.Errorf("%d lines, %v", bytes.Count(data, []byte("\n")), err)
	}
}

// today is the path of the file that a log in dir writes to now.
func today(dir string) string { return filepath.Join(dir, part{day: midnight(time.Now())}.name()) }

func TestAFullDiskHoldsNobodyUp(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		if err := os.Symlink("/dev/full", today(dir)); err != nil {
			t.Fatal(err)
		}
		var w warnings
		l := open(t, Options{Dir: dir, Warn: w.warn})
		for i := range maxQueue + 1000 {
			l.Put(record(i, time.Now()))
		}
		synctest.Wait()
		time.Sleep(2 * time.Minute)
		lost := l.Dropped()
		if lost == 0 || lost > 1000 {
			t.Errorf("%d dropped", lost)
		}
		w.mu.Lock()
		if n := len(w.all); n < 2 || n > 3 || !strings.Contains(w.all[0], "no space left") {
			t.Errorf("%d warnings in two minutes: %q", n, w.all)
		}
		if !strings.Contains(strings.Join(w.all, "\n"), fmt.Sprintf("lost %d records", lost)) {
			t.Errorf("nothing said of %d records: %q", lost, w.all)
		}
		w.mu.Unlock()
		if n, room := l.Waiting(); n != room || l.Stuck() == nil || l.LastDrop().IsZero() {
			t.Errorf("%d of %d wait, stuck: %v", n, room, l.Stuck())
		}

		// There is room again: what waited is written.
		if err := os.Remove(today(dir)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * retryAfter)
		synctest.Wait()
		if n, _ := l.Waiting(); n != 0 || l.Stuck() != nil {
			t.Errorf("%d wait, stuck: %v", n, l.Stuck())
		}
		closed(t, l)
		if got := len(subjects(t, dir, Query{})); got != maxQueue+1000-int(lost) {
			t.Errorf("%d records, want %d", got, maxQueue+1000-int(lost))
		}
	})
}

func TestCloseGivesUpOnAFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		if err := os.Symlink("/dev/full", today(dir)); err != nil {
			t.Fatal(err)
		}
		l := open(t, Options{Dir: dir})
		for i := range 10 {
			l.Put(record(i, time.Now()))
		}
		began := time.Now()
		if err := l.Close(); err == nil {
			t.Error("no error")
		}
		if took := time.Since(began); took > closePatience {
			t.Errorf("took %v", took)
		}
		if l.Dropped() != 10 {
			t.Errorf("%d dropped, want 10", l.Dropped())
		}
		l.Put(record(1, time.Now()))
		if l.Dropped() != 11 {
			t.Error("a record put after Close is not counted")
		}
	})
}

func TestAFileMovedAwayIsBegunAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		l := open(t, Options{Dir: dir})
		l.Put(record(1, time.Now()))
		synctest.Wait()
		if err := os.Rename(today(dir), filepath.Join(dir, "moved")); err != nil {
			t.Fatal(err)
		}
		l.Put(record(2, time.Now()))
		closed(t, l)
		if got := subjects(t, dir, Query{}); !slices.Equal(got, []string{"Letter 2"}) {
			t.Errorf("%v", got)
		}
	})
}

func TestOpenNeedsAFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: file}); err == nil {
		t.Error("no error")
	}
}

func TestPartNames(t *testing.T) {
	for _, name := range []string{"verdicts-2026-11-24.jsonl", "verdicts-2026-11-24.1.jsonl", "verdicts-2026-11-24.12.jsonl"} {
		if p, ok := parsePart(name); !ok || p.name() != name {
			t.Errorf("%s: %v %v", name, p, ok)
		}
	}
	for _, name := range []string{"verdicts-2026-11-24.0.jsonl", "verdicts-2026-11-24.x.jsonl", "verdicts-2026-13-24.jsonl", "2026-11-24.jsonl", "verdicts-.jsonl", "verdicts-2026-11-24.-1.jsonl", "verdicts-2026-11-24.jsonl.gz"} {
		if p, ok := parsePart(name); ok {
			t.Errorf("%s: %v", name, p)
		}
	}
}

func BenchmarkPut(b *testing.B) {
	l, err := Open(Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	r := record(1, time.Now())
	b.ReportAllocs()
	for b.Loop() {
		l.Put(r)
	}
	if err := l.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		b.Fatal(err)
	}
	b.ReportMetric(float64(l.Dropped())/float64(b.N), "dropped/op")
}
