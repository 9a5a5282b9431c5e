package main

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"weir/proxy/backend/sink"
)

const (
	reloadedRules = 3000
	mailEvery     = 25 * time.Millisecond
	mailsMeasured = 400
)

// BenchmarkReload is how long mail takes, one message each 25 ms from when it was due, while nothing is loaded and while
// generations of 3,000 rules are loaded one after the other; and how long `weir reload` takes.
func BenchmarkReload(b *testing.B) {
	mailbox, err := sink.Listen("127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer mailbox.Close()
	t, binary, conf := reloadWeir(b, mailbox.Addr())
	messages := benchMessages(100)
	steady(b, t, messages) // the patterns' states
	b.Run("quiet", func(b *testing.B) {
		for b.Loop() {
			steady(b, t, messages)
		}
	})
	b.Run("loading", func(b *testing.B) {
		for b.Loop() {
			var stop atomic.Bool
			ended := make(chan []time.Duration)
			go func() {
				var took []time.Duration
				for !stop.Load() || len(took) == 0 {
					began := time.Now()
					if out, err := exec.Command(binary, "reload", "-c", conf).CombinedOutput(); err != nil {
						b.Errorf("reloading: %v\n%s", err, out)
					}
					took = append(took, time.Since(began))
				}
				ended <- took
			}()
			steady(b, t, messages)
			stop.Store(true)
			took := <-ended
			b.ReportMetric(float64(len(took)), "reloads")
			b.ReportMetric(float64(slices.Max(took).Milliseconds()), "reload-max-ms")
			b.ReportMetric(float64(percentile(took, 50).Milliseconds()), "reload-p50-ms")
		}
	})
}

// steady sends messages at a steady rate, each as soon as it is due and the one before has ended, and reports how long they
// took from when they were due.
func steady(b *testing.B, t target, messages []string) {
	c := dialBench(b, t.addr)
	if c == nil {
		b.FailNow()
	}
	defer c.quit()
	cpu := t.cpu(b)
	var took []time.Duration
	start := time.Now()
	for i := range mailsMeasured {
		due := start.Add(time.Duration(i) * mailEvery)
		if wait := time.Until(due); wait > 0 {
			<-time.After(wait)
		}
		if !c.send(b, messages[i%len(messages)]) {
			b.FailNow()
		}
		took = append(took, time.Since(due))
	}
	for name, p := range map[string]int{"p50-ms": 50, "p99-ms": 99, "max-ms": 100} {
		b.ReportMetric(float64(percentile(took, p).Microseconds())/1000, name)
	}
	b.ReportMetric(float64((t.cpu(b)-cpu).Milliseconds())/mailsMeasured, "cpu-ms/msg")
}

func percentile(all []time.Duration, p int) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[(len(sorted)*p+99)/100-1]
}

// reloadWeir is the built program with 3,000 rules of its own, each with its tests.
func reloadWeir(b *testing.B, mailbox string) (t target, binary, conf string) {
	b.Helper()
	dir := b.TempDir()
	binary, conf = filepath.Join(dir, "weir"), filepath.Join(dir, "weir.yaml")
	if out, err := exec.Command("go", "build", "-trimpath", "-o", binary, ".").CombinedOutput(); err != nil {
		b.Fatalf("building: %v\n%s", err, out)
	}
	var addrs []string
	for range 2 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		addrs = append(addrs, l.Addr().String())
		l.Close()
	}
	write(b, conf, fmt.Sprintf("version: 1\nhostname: mx.bench.test\ndns: { servers: [\"127.0.0.1:1\"] }\nlisten: [{ addr: %q }]\nadmin: { addr: %q }\nbackend: { addrs: [%q] }\n"+
		"rules: rules.yaml\nlimits: { messages_per_minute: 1000000 }\nlog: { level: error }\n", addrs[0], addrs[1], mailbox))
	var text strings.Builder
	text.WriteString("version: 1\ninclude: [\"builtin:defaults\"]\nthresholds: { tag: off, reject: off }\nrules:\n")
	for i := range reloadedRules {
		fmt.Fprintf(&text, "  - { id: WORDS_%d, about: These words, body: { regex: '(?i)\\bclaim (?:your|the) prize no%d\\b' }, score: 0.5, "+
			"tests: [{ hit: \"Claim your prize no%d\" }, { miss: \"no%d\" }] }\n", i, i, i, i)
	}
	write(b, filepath.Join(dir, "rules.yaml"), text.String())
	return benchStart(b, target{name: "weir", addr: addrs[0]}, exec.Command(binary, "serve", "-c", conf)), binary, conf
}
