package verdictlog

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/filters"
	"weir/rules"
	"weir/scoring"
	"weir/scoring/verdictlog/bodies"
)

// personal is a record that names people wherever it can.
func personal() Record {
	r := *sample()
	r.Session.User = "Ann@orchard.example"
	r.Envelope.From = "Ann@orchard.example"
	r.Envelope.To = []string{"bob@example.org", "carol@example.net"}
	r.Envelope.RcptRejected = []RcptRejected{{To: "nobody@example.org", Reply: `550 5.1.1 <nobody@example.org>: no such user`}}
	r.Message.HeaderFrom, r.Message.Subject = "ann@orchard.example", "Bob, you have won the lottery"
	r.Hits = []scoring.Line{
		{Rule: "SUBJECT_USER", Points: 1430, Detail: "bob"}, {Rule: "WORDS", Detail: "won the lottery | ask dave@example.com"},
		{Rule: "LIST", Detail: "192.0.2.77 -> 127.0.0.2"}, {Rule: "LINK", Detail: "bobby.example and annual"},
	}
	r.Shadow = []scoring.Line{{Rule: "TRIAL", Detail: "ann@orchard.example is new"}}
	r.Errors = []filters.Problem{{Check: "auth", Kind: "failed", Detail: "no key for carol@example.net."}}
	r.Verdict.Reply.Text = "ask postmaster@example.org"
	r.Outcome.Backend = &Backend{Addr: "192.0.2.1:25", Reply: "250 2.0.0 <bob@example.org> Ok"}
	r.Outcome.Facts = &Facts{Features: rules.Features{User: "Ann@orchard.example", From: "Ann@orchard.example", FromDomain: "orchard.example"}}
	return r
}

func redactor(t *testing.T, p Privacy, dir string) *Redactor {
	t.Helper()
	r, err := p.Redactor(dir)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestWhatIsDroppedIsNowhere(t *testing.T) {
	before := personal()
	r := redactor(t, Privacy{LocalPart: Drop, Subject: Drop}, "").Redact(before)
	text := string(line(t, &r))
	for _, gone := range []string{"ann@", "Ann@", "bob@", "carol@", "nobody@", "dave@", "postmaster@", `"bob"`, "lottery"} {
		if strings.Contains(text, gone) {
			t.Errorf("%s is still there: %s", gone, text)
		}
	}
	for _, kept := range []string{
		`"from":"@orchard.example","to":["@example.org","@example.net"]`, "<@example.org>: no such user", "192.0.2.77 -> 127.0.0.2", "bobby.example and annual",
		`"detail":"@orchard.example is new"`, "no key for @example.net.", `"detail":"ask @example.com"`, "<77@orchard.example>"[3:],
	} {
		if !strings.Contains(text, kept) {
			t.Errorf("%s is not there: %s", kept, text)
		}
	}
	if again := personal(); !reflect.DeepEqual(before, again) {
		t.Error("the record given was changed")
	}
}

func TestWhatIsKeptStays(t *testing.T) {
	before := personal()
	for _, p := range []Privacy{{}, {LocalPart: Keep, Subject: Keep}} {
		if r := redactor(t, p, t.TempDir()); r != nil || !reflect.DeepEqual(r.Redact(before), before) {
			t.Errorf("%v is not all", p)
		}
	}
	r := redactor(t, Privacy{Subject: Drop}, "").Redact(before)
	if r.Message.Subject != "" || r.Envelope.From != before.Envelope.From || r.Hits[0].Detail != "" || r.Hits[1].Detail != "ask dave@example.com" {
		t.Errorf("without the subject: %+v, hits %+v", r.Message, r.Hits)
	}
	r = redactor(t, Privacy{LocalPart: Drop}, "").Redact(before)
	if r.Message.Subject != before.Message.Subject || r.Message.HeaderFrom != "@orchard.example" {
		t.Errorf("without local parts: %+v", r.Message)
	}
}

// Who has the key finds by an address, with an index and without; who has it not finds nothing.
func TestWhatIsHashedIsFoundByTheKey(t *testing.T) {
	dir := t.TempDir()
	p := redactor(t, Privacy{LocalPart: Hash, Subject: Hash}, dir)
	info, err := os.Stat(filepath.Join(dir, keyName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the key: %v, %v", info, err)
	}
	l := open(t, Options{Dir: dir})
	hashed := p.Redact(personal())
	l.Put(hashed)
	l.Put(redactor(t, Privacy{LocalPart: Hash, Subject: Hash}, dir).Redact(record(1, time.Now()))) // by the same key
	l.Put(*sample())
	closed(t, l)
	if !strings.HasPrefix(hashed.Envelope.From, "~") || !strings.HasSuffix(hashed.Envelope.From, "@orchard.example") || len(hashed.Message.Subject) != 17 {
		t.Errorf("%+v %+v", hashed.Envelope, hashed.Message)
	}
	words := map[string]int{
		"from:ann@orchard.example": 3, "from:ANN@ORCHARD.example": 3, "to:carol@example.net": 2, "nobody@example.org": 2, "from:user1@sender.example": 1,
		"from:anna@orchard.example": 0, "-from:ann@orchard.example": 0, "-to:carol@example.net": 1, `subject:"bob, you have won the lottery"`: 1, "subject:lottery": 0, "subject:fresh": 1,
	}
	count := func(when string, want func(int) int) {
		t.Helper()
		for word, n := range words {
			if got := len(times(t, dir, parse(t, word))); got != want(n) {
				t.Errorf("%s, %s: %d, want %d", when, word, got, want(n))
			}
		}
	}
	count("by reading", func(n int) int { return n })
	indexAll(t, dir)
	count("by the index", func(n int) int { return n })
	words = map[string]int{"from:user1@sender.example": 0, "to:carol@example.net": 1}
	if err := os.Remove(filepath.Join(dir, keyName)); err != nil {
		t.Fatal(err)
	}
	count("without the key", func(n int) int { return n })
}

func TestAKeyThatIsNoneIsSaid(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, keyName), []byte("not hexadecimal"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (Privacy{LocalPart: Hash}).Redactor(dir); err == nil || !strings.Contains(err.Error(), keyName) {
		t.Errorf("%v", err)
	}
	if _, err := (Privacy{LocalPart: Drop}).Redactor(dir); err != nil {
		t.Errorf("who drops needs no key: %v", err)
	}
}

func TestReplaceName(t *testing.T) {
	for text, want := range map[string]string{
		"ann@a.example": "X", "<Ann@A.example>": "<X>", "to ann@a.example.": "to X.", "ann@a.example, ann@a.example": "X, X",
		"joann@a.example": "joann@a.example", "ann@a.example.org": "ann@a.example.org", "ann@a.example-b": "ann@a.example-b",
		"'ann@a.example'": "'X'", "": "", "ann@a.exampl": "ann@a.exampl", "=ann@a.example": "=ann@a.example",
	} {
		if text == "'ann@a.example'" {
			want = text // a stroke may begin a local part
		}
		if got := replaceName(text, "ann@a.example", "X"); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// logOf writes records to a log with a small file for each, and indexes for all but the last.
func logOf(t *testing.T, records ...Record) string {
	t.Helper()
	dir := t.TempDir()
	for i, r := range records {
		p := part{day: midnight(time.Now()).Add(time.Duration(i+1-len(records)) * day)}
		if err := os.WriteFile(filepath.Join(dir, p.name()), line(t, &r), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	indexAll(t, dir)
	parts, err := list(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, parts[len(parts)-1].indexName())); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestForget(t *testing.T) {
	key := t.TempDir()
	hashed := redactor(t, Privacy{LocalPart: Hash}, key).Redact(personal())
	dir := logOf(t, personal(), record(1, time.Now()), hashed, personal())
	secret, err := os.ReadFile(filepath.Join(key, keyName))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, keyName), secret, 0o600); err != nil {
		t.Fatal(err)
	}
	names := []string{"verdicts-2026-11-01.jsonl", "ANN@Orchard.Example", hashed.Envelope.From}
	torn := "{\"from\":\"ann@orchard.example\",\"to\":[\"ann@orchard.exam\n{\"a\\\"\":\"\\u003cann@orchard.example\\n\"}\nann@orchard.example \"joann@orchard.example\n"
	if err := os.WriteFile(filepath.Join(dir, names[0]), []byte(torn), 0o600); err != nil {
		t.Fatal(err)
	}
	before := len(times(t, dir, Query{}))
	n, _, err := Forget(t.Context(), dir, names[1])
	if err != nil || n != 7 {
		t.Errorf("%d records, %v", n, err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text = []byte(strings.ReplaceAll(strings.ToLower(string(text)), "joann@", ""))
		if strings.Contains(string(text), "ann@orchard.example") || strings.Contains(string(text), hashed.Envelope.From) || strings.HasSuffix(file, ".new") {
			t.Errorf("%s: %.300s", file, text)
		}
	}
	for word, want := range map[string]int{
		"from:@orchard.example": 4, "to:bob@example.org": 4, "from:ann@orchard.example": 0, "from:user1@sender.example": 1, "rule:SUBJECT_USER": 3, "-rule:NOBODY": before,
	} {
		if got := len(times(t, dir, parse(t, word))); got != want {
			t.Errorf("%s: %d, want %d", word, got, want)
		}
	}
	if files, indexes := usable(t, dir); indexes != files-2 { // not of the newest, not of the torn one
		t.Errorf("%d files, %d indexes", files, indexes)
	}
	if info, err := os.Stat(filepath.Join(dir, names[0])); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if n, _, err := Forget(t.Context(), dir, names[1]); err != nil || n != 0 {
		t.Errorf("again: %d, %v", n, err)
	}
	for _, no := range []string{"", "ann", "@orchard.example", "ann@"} {
		if _, _, err := Forget(t.Context(), dir, no); err == nil {
			t.Errorf("%q is an address", no)
		}
	}
}

// What is written while an address is forgotten is neither lost nor doubled.
func TestForgetWhileTheLogIsWritten(t *testing.T) {
	dir := t.TempDir()
	l := open(t, Options{Dir: dir})
	const n = 3000
	put := make(chan struct{})
	go func() {
		defer close(put)
		for i := range n {
			for len(l.queue) > 100 {
				runtime.Gosched()
			}
			l.Put(record(i, time.Now()))
		}
	}()
	forgotten := 0
	for going := true; going; {
		select {
		case <-put:
			going = false
		default:
		}
		m, _, err := Forget(t.Context(), dir, "bob@example.org")
		if err != nil {
			t.Fatal(err)
		}
		forgotten += m
	}
	closed(t, l)
	m, _, err := Forget(t.Context(), dir, "bob@example.org")
	if forgotten += m; err != nil || forgotten != n {
		t.Errorf("%d forgotten, %v", forgotten, err)
	}
	got := subjects(t, dir, parse(t, "-to:bob@example.org"))
	slices.Sort(got)
	if len(slices.Compact(got)) != n || l.Dropped() != 0 {
		t.Errorf("%d records of %d, %d dropped", len(got), n, l.Dropped())
	}
}

// Who follows the log reads each verdict once, also when what was read is written anew.
func TestForgetWhileTheLogIsFollowed(t *testing.T) {
	dir := t.TempDir()
	name := part{day: midnight(time.Now())}.name()
	next := func(n int) {
		r := record(n, time.Now())
		add(t, dir, name, line(t, &r))
	}
	next(1)
	next(2)
	found := following(t, dir, Query{Last: 1})
	wantNext(t, found, "Letter 2")
	next(3)
	wantNext(t, found, "Letter 3")
	for n := 4; n < 7; n++ {
		if forgotten, _, err := Forget(t.Context(), dir, fmt.Sprintf("user%d@sender.example", n-2)); err != nil || forgotten != 1 {
			t.Fatalf("%d forgotten, %v", forgotten, err)
		}
		next(n)
		wantNext(t, found, fmt.Sprintf("Letter %d", n))
	}
}

// Messages go whose records name the address, and those that have it in them in any form; others stay.
func TestForgetErasesMessages(t *testing.T) {
	dir := t.TempDir()
	l := open(t, Options{Dir: dir})
	kept, err := bodies.Open(bodies.Options{Dir: Bodies(dir), Keep: time.Hour, MaxSize: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]string{}
	for name, raw := range map[string]string{
		"named":   "Subject: x\r\n\r\nNothing of her.\r\n",
		"written": "To: Ann <ANN@orchard.example>\r\n\r\nHello\r\n",
		"coded":   "Subject: =?utf-8?b?" + base64.StdEncoding.EncodeToString([]byte("for ann@orchard.example")) + "?=\r\n\r\nHello\r\n",
		"base64":  "Content-Transfer-Encoding: base64\r\n\r\n" + base64.StdEncoding.EncodeToString([]byte("Write to ann@orchard.example.")) + "\r\n",
		"other":   "To: joann@orchard.example, ann@orchard.example.net\r\n\r\nHello\r\n",
	} {
		r := record(1, time.Now())
		r.Message.HeaderFrom = "bob@example.org"
		if name == "named" {
			r.Envelope.To = []string{"ann@orchard.example"}
		}
		ids[r.ID] = name
		l.Put(r)
		kept.Put(r.ID, []byte(raw))
	}
	closed(t, l)
	if err := kept.Close(); err != nil {
		t.Fatal(err)
	}
	if records, messages, err := Forget(t.Context(), dir, "ann@orchard.example"); err != nil || records != 1 || messages != 4 {
		t.Errorf("%d records, %d messages, %v", records, messages, err)
	}
	shelf, err := bodies.Look(Bodies(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer shelf.Close()
	for id, name := range ids {
		if _, err := shelf.Get(id); (err == nil) != (name == "other") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
