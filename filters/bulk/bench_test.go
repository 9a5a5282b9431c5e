package bulk

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/filters"
	"weir/filters/store"
)

// BenchmarkRun is what counting a message costs once it is parsed, among few marks and among many: CPU of the whole
// process, in user and system, and so how many messages a core takes in a second. The messages have 10 KB of text and
// hardly a word in common; in 4,000 of them each text comes twice.
func BenchmarkRun(b *testing.B) {
	for _, live := range []int{10_000, 10_000_000} {
		b.Run(fmt.Sprint(live), func(b *testing.B) { benchmarkRun(b, live) })
	}
}

const filled = 10_000_000

func benchmarkRun(b *testing.B, live int) {
	debug.FreeOSMemory()                                                   // what the one before has left is not given back at this one's cost
	memory := store.NewSeeded(1<<30, [16]byte([]byte("a secret, noisy!"))) // marks fall on all of the table
	markAll(b, memory, start.Add(-2*life), live, filled)                   // forgotten by now: a weir that has run for a while
	markAll(b, memory, start, 0, live)
	s, r := newStream(b, memory), rand.New(rand.NewPCG(1, 2))
	var all []filters.Mail
	for range 2000 {
		all = append(all, letterOf(r, 10<<10))
	}
	b.ReportAllocs()
	before := processorTime()
	n := 0
	for b.Loop() {
		if _, err := s.check.Run(context.Background(), all[n%len(all)]); err != nil {
			b.Fatal(err)
		}
		n++
	}
	each := (processorTime() - before).Seconds() / float64(n)
	b.ReportMetric(each*1e6, "us-CPU/op")
	b.ReportMetric(1/each, "messages/s-core")
}

// markAll leaves the marks from one number up to another.
func markAll(b *testing.B, memory *store.Memory, at time.Time, from, to int) {
	b.Helper()
	keys := make([]uint64, 100)
	for i := from / len(keys); i < to/len(keys); i++ {
		for j := range keys {
			keys[j] = memory.Hasher().Pair(uint64(i), uint64(j))
		}
		if err := memory.Mark(context.Background(), at, life, uint32(i+2), keys...); err != nil {
			b.Fatal(err)
		}
	}
}

// letterOf is a parsed message with a text of so many bytes, in lines and paragraphs.
func letterOf(r *rand.Rand, size int) filters.Mail {
	var text strings.Builder
	for words := 1; text.Len() < size; words++ {
		text.WriteString(junk(r))
		switch {
		case words%60 == 0:
			text.WriteString("\n\n")
		case words%10 == 0:
			text.WriteString("\n")
		default:
			text.WriteString(" ")
		}
	}
	m := mail{body: text.String()}.parsed(start)
	m.Message.Text()
	m.Message.URLs()
	return m
}

func processorTime() time.Duration {
	var used syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
