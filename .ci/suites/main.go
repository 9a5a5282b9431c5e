// Command suites runs weir's sender authentication against test suites that others have written and that are not part
// of this repository: for SPF, for ARC, and of forged messages. It prints a line a suite and each case that came out
// otherwise than the suite says, and exits 1 if there is one.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"go.yaml.in/yaml/v4"
)

// patience bounds one case.
const patience = 20 * time.Second

// suite is one run of cases.
type suite struct {
	name           string
	passed, failed int
}

func main() {
	verbose := flag.Bool("v", false, "print what became of each forged message")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: suites FOLDER")
		os.Exit(64)
	}
	ok := true
	for _, run := range []struct {
		of   func(*suite, string) error
		name string
		path string
	}{
		{spf, "SPF, RFC 7208", "pyspf-spf-suite/test/rfc7208-tests.yml"},
		{spf, "SPF, RFC 4408", "pyspf-spf-suite/test/rfc4408-tests.yml"},
		{arc, "ARC, validation", "arc_test_suite/tests/arc-draft-validation-tests.yml"},
		{func(s *suite, path string) error { return forged(s, path, *verbose) }, "forged messages", "espoofer/cases.jsonl"},
	} {
		s := &suite{name: run.name}
		if err := run.of(s, filepath.Join(flag.Arg(0), run.path)); err != nil {
			fmt.Fprintln(os.Stderr, "suites:", err)
			os.Exit(66)
		}
		fmt.Printf("%s: %d of %d as they should\n", s.name, s.passed, s.passed+s.failed)
		ok = ok && s.failed == 0 && s.passed > 0
	}
	if !ok {
		os.Exit(1)
	}
}

// settle counts a case, and prints it if it came out wrong.
func (s *suite) settle(ok bool, name, format string, args ...any) {
	if ok {
		s.passed++
		return
	}
	s.failed++
	fmt.Printf("%s: %s: %s\n", s.name, name, fmt.Sprintf(format, args...))
}

// documents calls f for each YAML document of a file, which f decodes.
func documents(path string, f func(decode func(any) error) error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	decoder := yaml.NewDecoder(file)
	for {
		var node yaml.Node
		if err := decoder.Decode(&node); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if err := f(node.Decode); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
}

// eachCase calls f for each entry of a mapping, in its order.
func eachCase(cases yaml.Node, f func(name string, decode func(any) error) error) error {
	for i := 0; i+1 < len(cases.Content); i += 2 {
		if err := f(cases.Content[i].Value, cases.Content[i+1].Decode); err != nil {
			return err
		}
	}
	return nil
}

func bounded() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), patience)
}
