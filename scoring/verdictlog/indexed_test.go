package verdictlog

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/filters"
	"weir/rules"
)

// odd makes records that mail does not often make: without a message, a sender, an address, with bytes that are no text.
func (m mail) odd(at time.Time) Record {
	r := m.record(at)
	switch m.IntN(3) {
	case 0:
		r.Candidate = &Candidate{Action: rules.Action(m.IntN(4))}
	case 1:
		r.Candidate = &Candidate{Unknown: []string{UnknownMessage}}
	}
	switch m.IntN(8) {
	case 0:
		r.Message = nil
	case 1:
		r.Envelope.From, r.Session.Client.IP = "", fmt.Sprintf("2001:db8:%x::%x", m.IntN(9), m.IntN(9))
	case 2:
		r.Message.Subject = "Ä\xff ẞ K İstanbul \"" + m.word() + "\\\n\t<" + m.word() + ">"
	case 3:
		r.Envelope.To, r.Session.Client.IP = []string{}, ""
		r.Envelope.RcptRejected = []RcptRejected{{To: "Nobody@Example.ORG", Reply: "550 no such user"}}
	case 4:
		r.Session.Client.IP, r.Verdict.Score = "fe80::1%eth0", -rules.Points(m.IntN(400))
	case 5:
		r.Hits, r.Errors = nil, []filters.Problem{{Kind: "servfail"}}
	case 6:
		r.Verdict.Policy, r.ID, r.Outcome.Bulk = "", "", &filters.Bulk{}
	case 7:
		r.Envelope.From, r.Message.HeaderFrom = "a@b", "@"
	}
	return r
}

// twoLogs writes the same records to two folders, of which only the first gets indexes.
func twoLogs(t testing.TB, m mail) (indexed, plain string) {
	t.Helper()
	indexed, plain = t.TempDir(), t.TempDir()
	begin := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	for i := range 4 {
		var b bytes.Buffer
		var marks []Mark
		for j := range 50 {
			r := m.odd(begin.Add(time.Duration(i)*day + time.Duration(j)*25*time.Minute + time.Duration(m.IntN(1e9))))
			switch said := []string{Spam, Ham}[m.IntN(2)]; {
			case m.IntN(20) == 0:
				marks = append(marks, Mark{Learned: said, ID: r.ID})
			case m.IntN(20) == 0 && r.Message != nil:
				marks = append(marks, Mark{Learned: said, SHA256: r.Message.SHA256})
			}
			if m.IntN(30) == 0 {
				b.WriteString("rubbish\n\n{}\n")
			}
			b.Write(line(t, &r))
		}
		text := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
		name := part{day: begin.Add(time.Duration(i) * day)}.name()
		for _, dir := range []string{indexed, plain} {
			if err := os.WriteFile(filepath.Join(dir, name), text, 0o640); err != nil {
				t.Fatal(err)
			}
			for _, mark := range marks {
				if err := Learn(dir, mark); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	indexAll(t, indexed)
	return indexed, plain
}

// query makes up words, most of which find something of the record.
func (m mail) query(r *Record) []string {
	part := func(s string) string {
		letters := []rune(s)
		if len(letters) == 0 {
			return "x"
		}
		a := m.IntN(len(letters))
		return string(letters[a:min(len(letters), a+1+m.IntN(12))])
	}
	pick := func(s ...string) string { return s[m.IntN(len(s))] }
	from, subject, campaign, rule, check, refused := r.Envelope.From, "", "", "NO", "NO", "nobody@example.org"
	if r.Message != nil {
		from, subject = pick(from, r.Message.HeaderFrom), r.Message.Subject
	}
	if r.Outcome.Bulk != nil {
		campaign = r.Outcome.Bulk.Campaign
	}
	if len(r.Hits) > 0 {
		rule = r.Hits[m.IntN(len(r.Hits))].Rule
	}
	if len(r.Errors) > 0 {
		check = pick(r.Errors[0].Check, r.Errors[0].Rule, r.Errors[0].Kind)
	}
	domain := from[strings.LastIndexByte(from, '@')+1:]
	to := pick(append([]string{refused}, r.Envelope.To...)...)
	ip := r.Session.Client.IP
	word := []string{
		"action:" + r.Verdict.Action.String(), "rule:" + rule, "rule:" + part(rule) + "*", "rule:*" + part(rule) + "*", "shadow:TRIAL_*", "shadow:*" + part("TRIAL_3"),
		"error:" + check, "error:*" + part(check), "error:*", "policy:" + r.Verdict.Policy, "policy:d*", "from:" + from, "from:@" + domain, "from:" + part(from), "from:<>",
		"from:@" + part(domain), "to:" + to, "to:" + part(to), "to:@example.org", `subject:"` + part(subject) + `"`, `subject:"` + strings.ToUpper(part(subject)) + `"`,
		"ip:" + ip, fmt.Sprintf("net:198.18.0.0/%d", m.IntN(33)), fmt.Sprintf("net:2001:db8::/%d", m.IntN(129)), fmt.Sprintf("net:%s/%d", ip, m.IntN(33)),
		"id:" + r.ID, "id:" + part(r.ID), "id:" + r.ID[:min(len(r.ID), 12)], "id:" + r.Session.ID, "campaign:" + campaign, "campaign:c0", "score>" + r.Verdict.Score.String(),
		"score<=" + r.Verdict.Score.String(), "score:" + r.Verdict.Score.String(), `"` + part(subject) + `"`, `"` + part(from) + `"`, `"` + part(r.Session.Helo) + `"`,
		"learned:spam", "learned:ham", "candidate:differs", "candidate:unknown", "candidate:tag", `"` + part(ip) + `"`, `"` + part(r.ID) + `"`, "nowhere",
	}
	words := []string{word[m.IntN(len(word))]}
	if m.IntN(3) == 0 {
		words = append(words, word[m.IntN(len(word))])
	}
	for i := range words {
		if m.IntN(4) == 0 {
			words[i] = "-" + words[i]
		}
	}
	return words
}

// times are the times of the records that q finds, which nearly all differ.
func times(t testing.TB, dir string, q Query) []time.Time {
	t.Helper()
	var all []time.Time
	if err := Search(t.Context(), dir, q, func(r *Record) error { all = append(all, r.Time); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestAnIndexFindsWhatReadingFinds(t *testing.T) {
	seed := rand.Uint64()
	m := mail{rand.New(rand.NewPCG(seed, 7))}
	indexed, plain := twoLogs(t, m)
	var all []*Record
	if err := Search(t.Context(), plain, Query{}, func(r *Record) error { all = append(all, r); return nil }); err != nil {
		t.Fatal(err)
	}
	tried, found := 0, 0
	for tried < 200 {
		words := m.query(all[m.IntN(len(all))])
		q, err := ParseQuery(words)
		if err != nil {
			continue // of a record that has not what it asks for
		}
		if m.IntN(4) == 0 {
			q.Since = all[m.IntN(len(all))].Time
		}
		if m.IntN(4) == 0 {
			q.Until = all[m.IntN(len(all))].Time
		}
		var want []time.Time
		for _, r := range all {
			if q.Match(r) {
				want = append(want, r.Time)
			}
		}
		n, err := Count(t.Context(), indexed, q)
		if err != nil || n != len(want) {
			t.Fatalf("seed %d: %q since %v until %v: %d counted, want %d, %v", seed, words, q.Since, q.Until, n, len(want), err)
		}
		q.Last = []int{0, 1, 3, 200}[m.IntN(4)]
		if q.Last > 0 {
			want = want[max(0, len(want)-q.Last):]
		}
		if got := times(t, indexed, q); !slices.Equal(got, want) {
			t.Fatalf("seed %d: %q since %v until %v, the last %d: %d found, want %d", seed, words, q.Since, q.Until, q.Last, len(got), len(want))
		}
		if tried%10 == 0 && !slices.Equal(times(t, plain, q), want) {
			t.Fatalf("seed %d: %q finds something else by reading", seed, words)
		}
		if tried++; len(want) > 0 {
			found++
		}
	}
	if found < tried/2 {
		t.Errorf("of %d queries only %d found something", tried, found)
	}
}

// A word that an index does not know is answered all the same, only slowly: so each must be known.
func TestAnIndexKnowsEveryWord(t *testing.T) {
	values := map[string]string{"action": "tag", "ip": "192.0.2.7", "net": "192.0.2.0/24", "candidate": "differs", "learned": "spam"}
	for _, k := range keys {
		m, err := k.parse(cmp.Or(values[k.name], "x"))
		if err != nil {
			t.Errorf("%s: %v", k.name, err)
		}
		if m.narrow == nil && !m.marked {
			t.Errorf("%s: is not looked up in an index", k.name)
		}
	}
}

// full writes a log in dir of some files, and waits until those that are full have indexes.
func full(t *testing.T, o Options) *Log {
	t.Helper()
	l := open(t, o)
	fill(l)
	return l
}

func fill(l *Log) {
	for i := range 300 {
		l.Put(record(i, time.Now()))
		synctest.Wait()
	}
	settle()
}

// settle lets the indexer do what it has to.
func settle() {
	time.Sleep(warnEvery)
	synctest.Wait()
}

// usable counts the files, and those whose index can be used.
func usable(t *testing.T, dir string) (files, indexes int) {
	t.Helper()
	parts, err := list(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range parts {
		file, err := os.Open(filepath.Join(dir, p.name()))
		if err != nil {
			t.Fatal(err)
		}
		if f := openIndex(dir, p, file); f != nil {
			if f.Verify() == nil {
				indexes++
			}
			f.Close()
		}
		file.Close()
	}
	return len(parts), indexes
}

func TestFullFilesGetIndexes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		l := full(t, Options{Dir: dir, MaxSize: 8 * minPart})
		files, indexes := usable(t, dir)
		if files < 3 || indexes != files-1 {
			t.Errorf("%d files, %d indexes", files, indexes)
		}
		closed(t, l)
		if got := subjects(t, dir, parse(t, `"letter 123"`)); !slices.Equal(got, []string{"Letter 123"}) {
			t.Errorf("%v", got)
		}
	})
}

// What may have become of an index: each is made anew when the log is opened, and nothing is missed before.
func TestBrokenIndexesAreMadeAnew(t *testing.T) {
	for name, breakIt := range map[string]func(string) error{
		"gone":      os.Remove,
		"empty":     func(path string) error { return os.Truncate(path, 0) },
		"cut off":   func(path string) error { return os.Truncate(path, 5000) },
		"no index":  func(path string) error { return os.WriteFile(path, bytes.Repeat([]byte("x"), 9000), 0o640) },
		"a bit off": flipped(-100),
		"header":    flipped(20),
		"of another file": func(path string) error {
			return os.Chtimes(strings.TrimSuffix(path, idxSuffix)+fileSuffix, time.Time{}, time.Now().Add(time.Hour))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := t.TempDir()
				closed(t, full(t, Options{Dir: dir, MaxSize: 8 * minPart}))
				files, before := usable(t, dir)
				parts, err := list(dir)
				if err != nil || files < 3 {
					t.Fatal(files, err)
				}
				if err := breakIt(filepath.Join(dir, parts[1].indexName())); err != nil {
					t.Fatal(err)
				}
				if _, now := usable(t, dir); now != before-1 {
					t.Fatalf("%d indexes of %d can be used: it is not broken", now, before)
				}
				if name != "a bit off" { // which costs no answer but the one it is in
					if got := len(subjects(t, dir, parse(t, "-rule:NEVER"))); got != 300 {
						t.Errorf("%d found meanwhile", got)
					}
				}
				l := open(t, Options{Dir: dir, MaxSize: 8 * minPart})
				settle()
				closed(t, l)
				if _, after := usable(t, dir); after != before {
					t.Errorf("%d indexes, want %d", after, before)
				}
			})
		})
	}
}

// flipped inverts a byte of a file; a place below zero counts from its end.
func flipped(at int) func(path string) error {
	return func(path string) error {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text[(len(text)+at)%len(text)] ^= 0xff
		return os.WriteFile(path, text, 0o640)
	}
}

func TestWithoutSpaceForAnIndexTheLogGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		first := part{day: midnight(time.Now())}
		var w warnings
		l := open(t, Options{Dir: dir, MaxSize: 8 * minPart, Warn: w.warn})
		settle()
		if err := os.Symlink("/dev/full", filepath.Join(dir, first.indexName()+".new")); err != nil {
			t.Fatal(err)
		}
		fill(l)
		w.mu.Lock()
		if len(w.all) != 1 || !strings.Contains(w.all[0], "indexing the verdict log") || !strings.Contains(w.all[0], "no space left") {
			t.Errorf("warned: %q", w.all)
		}
		w.mu.Unlock()
		if l.Dropped() != 0 || l.Stuck() != nil {
			t.Errorf("%d dropped, stuck: %v", l.Dropped(), l.Stuck())
		}
		// What was in the way has gone with the attempt.
		settle()
		closed(t, l)
		if files, indexes := usable(t, dir); indexes != files-1 {
			t.Errorf("%d files, %d indexes", files, indexes)
		}
		if got := len(subjects(t, dir, Query{})); got != 300 {
			t.Errorf("%d records", got)
		}
	})
}

func TestIndexesCountAndGoWithTheirFiles(t *testing.T) {
	dir := t.TempDir()
	for i := range 10 {
		r := record(i, time.Now())
		p := part{day: midnight(time.Now()).Add(time.Duration(i-12) * day)}
		if err := os.WriteFile(filepath.Join(dir, p.name()), line(t, &r), 0o640); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, p.indexName()), make([]byte, minPart), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	f := folder{dir: dir, keep: 6 * day, maxSize: 1 << 30}
	if err := f.expire(time.Now()); err != nil {
		t.Fatal(err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 8 {
		t.Errorf("%d files, want 4 and their indexes", len(entries))
	}
	f.maxSize = 3 * minPart
	if err := f.expire(time.Now()); err != nil {
		t.Fatal(err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 2 {
		t.Errorf("%d files, want 1 and its index", len(entries))
	}
}

// logToKill is the variable of the environment that makes of this program a log that is written until it is killed.
const logToKill = "WEIR_LOG_TO_KILL"

func writeUntilKilled(dir string) {
	l, err := Open(Options{Dir: dir, MaxSize: 40 * minPart})
	if err != nil {
		panic(err)
	}
	for i := 0; ; i++ {
		for len(l.queue) > 10 {
			runtime.Gosched()
		}
		l.Put(record(i, time.Now()))
		if i%100 == 0 {
			fmt.Println(i)
		}
	}
}

// killed writes records until it is killed at number n or soon after, and returns the number last said to be put.
func killed(t *testing.T, dir string, n int) int {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), logToKill+"="+dir)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	last := 0
	for said := bufio.NewScanner(out); said.Scan(); {
		if last, err = strconv.Atoi(said.Text()); err != nil {
			t.Fatal(err)
		}
		if last >= n {
			_ = c.Process.Kill() // the second time it is dead already
		}
	}
	if err := c.Wait(); err == nil {
		t.Fatal("it was not killed")
	}
	return last
}

func TestAKilledLogLosesWhatWaited(t *testing.T) {
	dir := t.TempDir()
	for _, n := range []int{50, 500, 1500} {
		put := killed(t, dir, n)
		last := subjects(t, dir, Query{Last: 1})
		var number int
		if _, err := fmt.Sscanf(strings.Join(last, ""), "Letter %d", &number); err != nil || number < put-100 {
			t.Errorf("the last is %v after %d, %v", last, put, err)
		}
		all := subjects(t, dir, Query{})
		if found := subjects(t, dir, parse(t, "-rule:NEVER subject:letter")); !slices.Equal(found, all) {
			t.Errorf("%d of %d found by words", len(found), len(all))
		}
	}
	l := open(t, Options{Dir: dir, MaxSize: 40 * minPart})
	for deadline := time.Now().Add(20 * time.Second); ; runtime.Gosched() {
		if files, indexes := usable(t, dir); indexes == files-1 {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("%d files, %d indexes", files, indexes)
		}
	}
	closed(t, l)
	if left, _ := filepath.Glob(filepath.Join(dir, "*.new")); left != nil {
		t.Errorf("left behind: %v", left)
	}
}
