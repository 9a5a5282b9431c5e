// Command performance reads the output of BenchmarkProgram on stdin and writes it as a table into a Markdown file,
// between the lines <!-- program --> and <!-- end -->.
package main

import (
	"bufio"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"
)

var row = regexp.MustCompile(`^BenchmarkProgram/(\S+?)/(\S+?)-\d+\s`)

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "performance:", err)
		os.Exit(1)
	}
}

func run(file string) error {
	var table strings.Builder
	fmt.Fprintf(&table, "Measured on %s.\n\n| connections | target | messages/s | CPU ms a message | of haproxy |\n|---|---|---|---|---|\n", time.Now().Format(time.DateOnly))
	haproxy := map[string]float64{}
	rows := 0
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		m := row.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		rows++
		rate, cpu := metric(lines.Text(), "msg/s"), metric(lines.Text(), "cpu-ms/msg")
		shown, ratio := "–", "–"
		if cpu > 0 {
			shown = fmt.Sprintf("%.2f", cpu)
		}
		if m[2] == "haproxy" {
			haproxy[m[1]] = cpu
		}
		if h := haproxy[m[1]]; h > 0 {
			ratio = fmt.Sprintf("%.1f", cpu/h)
		}
		fmt.Fprintf(&table, "| %s | %s | %.0f | %s | %s |\n", strings.ReplaceAll(m[1], "-", " "), m[2], rate, shown, ratio)
	}
	if rows == 0 {
		return fmt.Errorf("no benchmark in the input")
	}
	return replace(file, table.String())
}

// metric finds the number before a unit in a line of a benchmark.
func metric(line, unit string) (value float64) {
	fields := strings.Fields(line)
	for i := 1; i < len(fields); i++ {
		if fields[i] == unit {
			fmt.Sscan(fields[i-1], &value)
		}
	}
	return value
}

func replace(file, table string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(text), "<!-- program -->\n")
	_, after, ends := strings.Cut(rest, "<!-- end -->")
	if !ok || !ends {
		return fmt.Errorf("%s has no place for the table", file)
	}
	return os.WriteFile(file, []byte(before+"<!-- program -->\n"+table+"<!-- end -->"+after), 0o644)
}
