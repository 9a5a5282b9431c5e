package replay

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"weir/filters"
	"weir/scoring/verdictlog"
)

// BenchmarkRun judges a log on disk again, of verdicts that differ in symbols, size and sender, of
// which one in a hundred flips; by the core: go test -bench Run -cpu 1.
func BenchmarkRun(b *testing.B) {
	const records = 100_000
	set := load(b, base)
	after := edited(b, "pill }, score: 5", "pill }, score: 15")
	dir := b.TempDir()
	file, err := os.Create(filepath.Join(dir, "verdicts-2026-11-24.jsonl"))
	if err != nil {
		b.Fatal(err)
	}
	out := bufio.NewWriter(file)
	for i := range records {
		c := circumstances{to: "bob@example.org", from: fmt.Sprintf("sender%d@shop.example", i), size: i % 900}
		for k, name := range reported {
			if i>>k&1 == 1 && i%3 > 0 && name != "WANTED" && (name != "PILL" || i%50 == 0) {
				c.symbols = append(c.symbols, name)
			}
		}
		out.Write(append(record(b, set, c), '\n'))
	}
	if err := errors.Join(out.Flush(), file.Close()); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	n, flips, used := 0, 0, cpu(b)
	for b.Loop() {
		lines := func(ctx context.Context, each func([]byte) error) error {
			return verdictlog.Lines(ctx, dir, verdictlog.Query{}, each)
		}
		report, err := Run(b.Context(), Rules{Set: after, Version: "1", Was: from(after, set).rules.Was}, lines, func(Flip) error { flips++; return nil })
		if err != nil || report.Verdicts != records {
			b.Fatalf("%v, %d of %d verdicts", err, report.Verdicts, records)
		}
		n += records
	}
	b.ReportMetric(float64(flips)/float64(n)*100, "%flips")
	b.ReportMetric(float64(n)/(cpu(b)-used).Seconds(), "verdicts/cpu-s")
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "verdicts/s")
}

// cpu is the processor time that this process has used.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkReread judges a log again of whose verdicts all depend on a new pattern, with messages of 10 KB that are kept.
func BenchmarkReread(b *testing.B) {
	const records = 5_000
	set := load(b, base)
	after := edited(b, "policies:", "  - { id: PEARLS, about: \"p\", body: { regex: pearls }, score: 20 }\npolicies:")
	dir := b.TempDir()
	var letters []letter
	for i := range records {
		at := time.Date(2026, 11, 24, 10, 0, i, 0, time.UTC)
		text := fmt.Sprintf("Subject: Letter %d\r\nFrom: ann@shop.example\r\n\r\n", i)
		for n := 0; len(text) < 10_000; n++ {
			text += fmt.Sprintf("Line %d of a letter about the garden, %x.\r\n", n, i*n)
		}
		letters = append(letters, letter{id: verdictlog.NewID(at), Mail: filters.Mail{
			At: at, Session: &filters.Session{}, Envelope: &filters.Envelope{From: "ann@shop.example", To: []string{"bob@example.org"}},
			Message: filters.ParseMessage([]byte(text)),
		}})
	}
	shelf := shelfOf(b, dir, letters...)
	defer shelf.Close()
	var all [][]byte
	for _, l := range letters {
		_, line := l.under(b, set)
		all = append(all, line)
	}
	r := from(after, set).rules
	r.Kept, r.Readers = shelf, readPatterns(after)
	n, used := 0, cpu(b)
	for b.Loop() {
		lines := func(_ context.Context, each func([]byte) error) error {
			for _, line := range all {
				if err := each(line); err != nil {
					return err
				}
			}
			return nil
		}
		report, err := Run(b.Context(), r, lines, func(Flip) error { return nil })
		if err != nil || report.Reread != records {
			b.Fatalf("%v, %+v", err, report)
		}
		n += records
	}
	b.ReportMetric(float64(n)/(cpu(b)-used).Seconds(), "verdicts/cpu-s")
}
