package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/rules/strict"
)

// soon is more CPU time than reading a file of some kilobytes takes.
const soon = 5 * time.Second

// cpu is the CPU time of this process so far: other work on the machine does not count.
func cpu(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Whatever weir.yaml says, reading it ends soon, does not panic, and says where each finding is.
func FuzzConfig(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("..", "..", "..", "docs", "*.md"))
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range append(files, filepath.Join("..", "..", "..", "README.md")) {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, block := range strings.Split(string(text), "```yaml\n")[1:] {
			example, _, _ := strings.Cut(block, "```")
			f.Add([]byte("version: 1\n" + example))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		before := cpu(t)
		c, err := Parse(text, "/weir.yaml")
		if err == nil {
			for _, s := range c.Settings() {
				if s.Key == "" || s.Origin == "" {
					t.Errorf("a setting without a name: %+v", s)
				}
			}
			c.Warnings()
		}
		saysWhere(t, err)
		if took := cpu(t) - before; took > soon {
			t.Errorf("%d bytes took %s", len(text), took)
		}
	})
}

// saysWhere is for an error that is findings: each has a place and a text.
func saysWhere(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	var all interface{ Unwrap() []error }
	if !errors.As(err, &all) {
		t.Fatalf("no findings: %v", err)
	}
	for _, err := range all.Unwrap() {
		if f, ok := err.(strict.Finding); !ok || f.Src.Line < 1 || f.Src.Col < 1 || f.Text == "" || f.Code == "" {
			t.Errorf("a finding without place or text: %#v", err)
		}
	}
	_ = err.Error()
}

// A long file of nothing but mistakes is complained of as quickly as another.
func TestManyMistakesAreFoundSoon(t *testing.T) {
	for name, text := range map[string]string{
		"listeners":      "listen: [" + strings.Repeat("{}, ", 30_000) + "]",
		"routes":         "routes: [" + strings.Repeat("{}, ", 30_000) + "]",
		"networks":       "trusted: { relays: [" + strings.Repeat("0.0.0.0/0, ", 10_000) + "] }",
		"resolvers":      "dns: { servers: [" + strings.Repeat("x, ", 30_000) + "] }",
		"servers":        "backend: { addrs: [" + strings.Repeat("x, ", 30_000) + "] }",
		"relay domains":  "relay_domains: [" + strings.Repeat("a..b, ", 20_000) + "]",
		"open brackets":  "listen: " + strings.Repeat("[", 5_000),
		"unknown keys":   strings.Repeat("? x\n", 20_000),
		"many documents": strings.Repeat("---\n", 20_000),
	} {
		before := cpu(t)
		_, err := Parse([]byte("version: 1\n"+text), "weir.yaml")
		took := cpu(t) - before
		if took > soon || err == nil || len(err.Error()) > 1<<20 {
			t.Errorf("%s: %s, %d bytes of findings", name, took, len(err.Error()))
		}
		saysWhere(t, err)
		t.Log(name, took)
	}
}
