// Command report reads `go test -json` on stdin and prints what a person wants to know: a line a package, the whole
// output of what failed, every skipped test with its reason, and a closing count. It exits 1 if anything failed, and
// with -no-skips also if anything was skipped.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
)

type event struct {
	Action, Package, Test, Output, ImportPath string
	Elapsed                                   float64
}

type key struct{ pkg, test string }

type report struct {
	output                  map[key]*strings.Builder
	skips                   []string
	passed, failed, skipped int
	broken                  bool // a package failed or did not build
}

func main() {
	noSkips := flag.Bool("no-skips", false, "fail if a test was skipped")
	flag.Parse()
	r := report{output: map[key]*strings.Builder{}}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Println(lines.Text())
			continue
		}
		r.add(e)
	}
	for _, s := range r.skips {
		fmt.Println("skipped:", s)
	}
	fmt.Printf("%d passed, %d failed, %d skipped\n", r.passed, r.failed, r.skipped)
	if lines.Err() != nil || r.broken || r.failed > 0 || r.passed == 0 || *noSkips && r.skipped > 0 {
		os.Exit(1)
	}
}

func (r *report) add(e event) {
	k := key{e.Package, e.Test}
	switch e.Action {
	case "output", "build-output":
		if e.Action == "build-output" {
			fmt.Print(e.Output)
			return
		}
		if r.output[k] == nil {
			r.output[k] = new(strings.Builder)
		}
		r.output[k].WriteString(e.Output)
	case "pass", "fail", "skip":
		r.finish(k, e)
	}
}

func (r *report) finish(k key, e event) {
	text := ""
	if b := r.output[k]; b != nil {
		text = b.String()
		delete(r.output, k)
	}
	if e.Test == "" {
		if e.Action == "fail" {
			r.broken = true
			fmt.Print(text)
		}
		fmt.Printf("%-6s %s (%.1fs)\n", e.Action, e.Package, e.Elapsed)
		return
	}
	switch e.Action {
	case "pass":
		r.passed++
	case "fail":
		r.failed++
		fmt.Print(text)
	case "skip":
		r.skipped++
		r.skips = append(r.skips, fmt.Sprintf("%s %s: %s", e.Package, e.Test, reason(text)))
	}
}

// reason picks the line in which a test said why it was skipped.
func reason(output string) string {
	for _, l := range strings.Split(output, "\n") {
		l = strings.TrimSpace(l)
		if l != "" && !strings.HasPrefix(l, "---") && !strings.HasPrefix(l, "===") {
			return l
		}
	}
	return "no reason given"
}
