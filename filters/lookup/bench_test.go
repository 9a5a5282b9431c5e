package lookup

import (
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"
)

// cpu is the processor time this process has used, servers of the benchmark included.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkCached(b *testing.B) {
	r := resolver(b, Options{}, serve(b, "127.0.0.1:0", testZone(b)))
	b.ReportAllocs()
	for b.Loop() {
		if a, err := r.Lookup(b.Context(), "2.0.0.127.list.example", A); err != nil || !a.Found {
			b.Fatal(err)
		}
	}
}

// Names differ, so that every lookup goes over the wire. The server's share of the CPU time is included.
func BenchmarkUncached(b *testing.B) {
	for _, parallel := range []int{1, 20} {
		b.Run(fmt.Sprintf("parallel=%d", parallel), func(b *testing.B) {
			r := resolver(b, Options{}, serve(b, "127.0.0.1:0", testZone(b)))
			before := cpu(b)
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				n++
				var all sync.WaitGroup
				for i := range parallel {
					all.Go(func() {
						if _, err := r.Lookup(b.Context(), fmt.Sprintf("%d.%d.absent.example", n, i), A); err != nil {
							b.Error(err)
						}
					})
				}
				all.Wait()
			}
			b.ReportMetric(float64(cpu(b)-before)/float64(n*parallel)/1e3, "cpu-us/query")
		})
	}
}
