package verdictlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// written writes n records to the parts named, in turn, and returns their folder.
func written(t testing.TB, n int, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i, name := range names {
		var b bytes.Buffer
		for j := range n {
			r := record(i*n+j, time.Date(2026, 11, 20+i, 10, 0, j, 0, time.UTC))
			b.Write(line(t, &r))
		}
		if err := os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func parse(t testing.TB, words ...string) Query {
	t.Helper()
	q, err := ParseQuery(words)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestTheLastAreTakenOverFiles(t *testing.T) {
	dir := written(t, 10, "verdicts-2026-11-20.jsonl", "verdicts-2026-11-21.jsonl", "verdicts-2026-11-21.2.jsonl", "verdicts-2026-11-21.10.jsonl")
	for n, first := range map[int]int{1: 39, 5: 35, 10: 30, 25: 15, 40: 0, 100: 0, 0: 0} {
		got := subjects(t, dir, Query{Last: n})
		if got[0] != fmt.Sprintf("Letter %d", first) || got[len(got)-1] != "Letter 39" || len(got) != 40-first {
			t.Errorf("the last %d: %d from %s", n, len(got), got[0])
		}
	}
	q := parse(t, "action:tag")
	q.Last = 2
	if got := subjects(t, dir, q); !slices.Equal(got, []string{"Letter 33", "Letter 37"}) {
		t.Errorf("the last two tagged: %v", got)
	}
}

// A file that is read from its end is read in pieces.
func TestTheLastOfALargeFile(t *testing.T) {
	const n = 4 * readBack / 1000
	dir := written(t, n, "verdicts-2026-11-20.jsonl")
	parts, err := list(dir)
	if err != nil || parts[0].size < 3*readBack {
		t.Fatalf("%v, %v: the file is too small", parts, err)
	}
	all := subjects(t, dir, parse(t, "rule:RULE_7"))
	for _, last := range []int{1, len(all) - 1, len(all), len(all) + 1} {
		q := parse(t, "rule:RULE_7")
		q.Last = last
		if got := subjects(t, dir, q); !slices.Equal(got, all[max(0, len(all)-last):]) {
			t.Errorf("the last %d: %d", last, len(got))
		}
	}
}

func TestSinceAndUntilBoundTheFilesRead(t *testing.T) {
	dir := written(t, 3, "verdicts-2026-11-20.jsonl", "verdicts-2026-11-21.jsonl", "verdicts-2026-11-22.jsonl")
	at := func(d int) time.Time { return time.Date(2026, 11, d, 0, 0, 0, 0, time.UTC) }
	got := subjects(t, dir, Query{Since: at(21), Until: at(22)})
	if !slices.Equal(got, []string{"Letter 3", "Letter 4", "Letter 5"}) {
		t.Errorf("%v", got)
	}
}

func TestOddLinesArePassedOver(t *testing.T) {
	dir := t.TempDir()
	r := record(1, time.Now())
	good := string(line(t, &r))
	text := "\nrubbish\n{}\n" + strings.Repeat("x", maxLine+10) + "\n" + good + "\x00\n" + `{"schema":"verdict/9"}` + "\n" + good
	if err := os.WriteFile(filepath.Join(dir, "verdicts-2026-11-20.jsonl"), []byte(strings.TrimSuffix(text, "\n")), 0o640); err != nil {
		t.Fatal(err)
	}
	if got := subjects(t, dir, Query{}); len(got) != 2 {
		t.Errorf("%d records, want the one in the middle and the last, which has no line end", len(got))
	}
}

func TestSearchEnds(t *testing.T) {
	dir := written(t, 3*often, "verdicts-2026-11-20.jsonl")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Search(ctx, dir, Query{}, func(*Record) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("with its context: %v", err)
	}
	stop := errors.New("enough")
	n := 0
	err := Search(t.Context(), dir, Query{}, func(*Record) error { n++; return stop })
	if !errors.Is(err, stop) || n != 1 {
		t.Errorf("with each: %v after %d", err, n)
	}
	if err := Search(t.Context(), filepath.Join(dir, "none"), Query{}, nil); err != nil {
		t.Errorf("no folder: %v", err)
	}
}

func TestLinesInPieces(t *testing.T) {
	long := strings.Repeat("long ", readSize)
	in := newLines(io.MultiReader(strings.NewReader("a\n\n"+long+"\nhal"), strings.NewReader("f")))
	for _, want := range []string{"a", "", long} {
		if got, err := in.next(); err != nil || string(got) != want {
			t.Fatalf("%.20q, %v", got, err)
		}
	}
	if got, err := in.next(); err != io.EOF || string(in.rest()) != "half" {
		t.Errorf("%q, %v, rest %q", got, err, in.rest())
	}
}

// following starts Follow and returns the channel of what it finds. It ends with the test.
func following(t *testing.T, dir string, q Query) <-chan string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	found, ended := make(chan string), make(chan error, 1)
	go func() {
		ended <- Follow(ctx, dir, q, func(r *Record) error {
			select {
			case found <- r.Message.Subject:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("following ended with %v", err)
		}
	})
	return found
}

func wantNext(t *testing.T, found <-chan string, want string) {
	t.Helper()
	select {
	case got := <-found:
		if got != want {
			t.Fatalf("%s, want %s", got, want)
		}
	case <-time.After(10 * time.Second):
		t.Fatalf("%s was not found", want)
	}
}

func add(t *testing.T, dir, name string, text []byte) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestFollow(t *testing.T) {
	dir := written(t, 10, "verdicts-2026-11-20.jsonl", "verdicts-2026-11-21.jsonl")
	next := func(n int) []byte {
		r := record(n, time.Now())
		return line(t, &r)
	}
	half := next(20)
	end := len(half) - 1 // all but the line end is there
	add(t, dir, "verdicts-2026-11-21.jsonl", half[:end])
	found := following(t, dir, Query{Last: 2})
	wantNext(t, found, "Letter 18")
	wantNext(t, found, "Letter 19")
	add(t, dir, "verdicts-2026-11-21.jsonl", half[end:])
	wantNext(t, found, "Letter 20")
	add(t, dir, "verdicts-2026-11-21.jsonl", next(21))
	add(t, dir, "verdicts-2026-11-21.1.jsonl", next(22))
	add(t, dir, "verdicts-2026-11-22.jsonl", next(23))
	wantNext(t, found, "Letter 21")
	wantNext(t, found, "Letter 22")
	wantNext(t, found, "Letter 23")
	if err := os.Remove(filepath.Join(dir, "verdicts-2026-11-22.jsonl")); err != nil {
		t.Fatal(err)
	}
	add(t, dir, "verdicts-2026-11-22.jsonl", next(24))
	wantNext(t, found, "Letter 24")
}

func TestFollowWaitsForTheFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "later")
	q := parse(t, "-action:pass")
	q.Last = 10 // what is written before the follower has looked counts too
	found := following(t, dir, q)
	l := open(t, Options{Dir: dir})
	defer closed(t, l)
	l.Put(record(4, time.Now())) // passed
	l.Put(record(5, time.Now()))
	wantNext(t, found, "Letter 5")
}

func benchmarkSearch(b *testing.B, words ...string) {
	const n = 20_000
	dir := written(b, n, "verdicts-2026-11-20.jsonl")
	q := parse(b, words...)
	found := 0
	b.ReportAllocs()
	for b.Loop() {
		if err := Search(b.Context(), dir, q, func(*Record) error { found++; return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(float64(found)/float64(b.N), "found")
}

func BenchmarkSearchRareRule(b *testing.B)    { benchmarkSearch(b, "rule:RULE_7") }
func BenchmarkSearchRareAddress(b *testing.B) { benchmarkSearch(b, "from:user12345@sender.example") }
func BenchmarkSearchNothing(b *testing.B)     { benchmarkSearch(b, "pears") }
func BenchmarkSearchAQuarter(b *testing.B)    { benchmarkSearch(b, "action:reject") }
