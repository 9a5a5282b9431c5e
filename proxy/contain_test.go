package proxy

import (
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"weir/filters"
	"weir/rules"
	"weir/scoring/verdictlog"
)

func TestAPanicIsTheEndOfOneSessionAtMost(t *testing.T) {
	good := generation(&rules.Set{}, filters.NewPipeline(time.Second))
	bad := &Generation{Checks: good.Checks} // no rules
	var current atomic.Pointer[Generation]
	current.Store(bad)
	f := newFront(t, func(f *front) { f.Current = current.Load })
	c := f.hello()
	c.cmd("MAIL FROM:<ann@client.example>", "250")
	c.cmd("RCPT TO:<bob@weir.example>", "451 4.3.0")
	c.cmd("QUIT", "221")
	current.Store(nil)
	f.connect().expect("")
	current.Store(good)
	if got := f.deliver(note); !strings.HasPrefix(got, "250") {
		t.Errorf("reply %q", got)
	}
}

// A message that the backend has taken is acknowledged, whatever happens to its record.
func TestAPanicOfTheRecorderChangesNoReply(t *testing.T) {
	f := newFront(t, func(f *front) { f.Server.Record = func(verdictlog.Record, []byte) { panic("no") } })
	if got := f.deliver(note); got != "250 2.0.0 taken" {
		t.Errorf("reply %q", got)
	}
}

func TestASpoolThatCannotBeWrittenIsTriedAgainLater(t *testing.T) {
	f := newFront(t, func(f *front) { f.TempDir = filepath.Join(t.TempDir(), "none") })
	large := "Subject: x\r\n\r\n" + strings.Repeat(strings.Repeat("x", 998)+"\r\n", 2000)
	c := f.rcpt()
	c.data(large, "451 4.3.0")
	c.cmd("MAIL FROM:<ann@client.example>", "250")
	c.cmd("RCPT TO:<bob@weir.example>", "250")
	c.data(note, "250")
	if err := os.Mkdir(f.TempDir, 0o700); err != nil {
		t.Fatal(err)
	}
	if got := f.deliver(large); !strings.HasPrefix(got, "250") {
		t.Errorf("reply %q", got)
	}
	if left, err := os.ReadDir(f.TempDir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestAMessageSentBlindlyIsNotReadAsCommands(t *testing.T) {
	f := newFront(t, nil)
	c := f.hello()
	c.send("MAIL FROM:<ann@client.example>\r\nRCPT TO:<>\r\nDATA\r\nSubject: x\r\n\r\n.\r\n" + smuggled)
	c.expect("250")
	c.expect("501")
	c.expect("554 5.5.1")
	c.expect("")
	if n := len(f.sink.Messages()); n != 0 {
		t.Errorf("%d messages", n)
	}
}

// doc.go names every file of the folder, in an order that tells the story.
func TestTheStoryNamesEveryFile(t *testing.T) {
	story, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if file != "doc.go" && !strings.HasSuffix(file, "_test.go") && !strings.Contains(string(story), "\t"+file+" ") {
			t.Errorf("doc.go does not name %s", file)
		}
	}
}

func TestOnlyOneFileMakesReplies(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if file != "reply.go" && !strings.HasSuffix(file, "_test.go") && strings.Contains(string(text), "smtp.SMTPError{") {
			t.Errorf("%s makes a reply", file)
		}
	}
}
