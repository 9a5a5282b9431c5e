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
