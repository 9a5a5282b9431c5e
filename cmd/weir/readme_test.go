package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"weir/scoring/verdictlog"
	"weir/scoring/verdictlog/bodies"
)

// fencedShell finds the blocks of commands in a Markdown file.
var fencedShell = regexp.MustCompile("(?ms)^ *```sh\n(.*?)^ *```")

// TestCommandsOfTheDocs runs every weir command that README.md and docs show, with the files README.md shows, in a folder
// of its own. Those that go on for ever (serve), that ask a weir which runs, and the demo, which has its own test, must at
// least parse.
func TestCommandsOfTheDocs(t *testing.T) {
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, file := range append(files, "../../README.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range fencedShell.FindAllStringSubmatch(string(text), -1) {
			lines = append(lines, strings.Split(block[1], "\n")...)
		}
	}
	id := docsFolder(t)
	ran := 0
	for _, line := range lines {
		line = strings.TrimSpace(strings.Replace(line, "go run ./cmd/weir ", "weir ", 1))
		if !strings.HasPrefix(line, "weir ") {
			continue
		}
		ran++
		line, _, _ = strings.Cut(line, " > ") // what it prints is not wanted here
		line = strings.NewReplacer("/etc/weir/", "", "01JD3K7Q2W8N5T0000000000AB", id, "01M86G0SV0", id, "'", "").Replace(line)
		t.Run(line, func(t *testing.T) { runDocs(t, strings.Fields(line)[1:]) })
	}
	if ran < 8 {
		t.Errorf("only %d commands found", ran)
	}
}

func runDocs(t *testing.T, args []string) {
	switch args[0] {
	case "serve", "demo", "reload", "healthcheck": // of a weir that runs
		args = append(args, "--help")
	}
	var out, errs bytes.Buffer
	if code := run(context.Background(), args, streams{strings.NewReader(""), &out, &errs}); code != exitOK {
		t.Errorf("exit %d\n%s%s", code, out.String(), errs.String())
	}
}

// docsFolder goes to a folder with the files that README.md shows and a verdict log of one record, and returns its id.
func docsFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	conf := strings.ReplaceAll(readmeBlock(t, "weir.yaml"), "/var/lib/weir/", "")
	write(t, filepath.Join(dir, "weir.yaml"), conf)
	write(t, filepath.Join(dir, "rules.yaml"), readmeBlock(t, "rules.yaml")+"\n"+readmeBlock(t, "yaml"))
	mail, err := os.ReadFile("../../testdata/mail/advance-fee.eml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "testdata/mail"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "testdata/mail/advance-fee.eml"), string(mail))
	now := time.Now()
	r := verdictlog.Record{Schema: verdictlog.Schema, Time: now.UTC(), ID: verdictlog.NewID(now)}
	l, err := verdictlog.Open(verdictlog.Options{Dir: filepath.Join(dir, "verdicts"), Keep: time.Hour, MaxSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	l.Put(r)
	kept, err := bodies.Open(bodies.Options{Dir: verdictlog.Bodies(filepath.Join(dir, "verdicts")), Keep: time.Hour, MaxSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	kept.Put(r.ID, mail)
	if err := errors.Join(kept.Close(), l.Close()); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	return r.ID
}
