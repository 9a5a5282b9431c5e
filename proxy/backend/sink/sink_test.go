package sink

import (
	"net"
	"net/textproto"
	"os"
	"path/filepath"
	"testing"
)

// The client here is net/textproto, so that the sink is not tested by what it tests.
func TestMaildir(t *testing.T) {
	s, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Maildir = filepath.Join(t.TempDir(), "mail")
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	c := textproto.NewConn(conn)
	say := func(line string, code int) {
		t.Helper()
		if line != "" {
			if err := c.PrintfLine("%s", line); err != nil {
				t.Fatal(err)
			}
		}
		if _, text, err := c.ReadResponse(code); err != nil {
			t.Fatalf("%s: %s, %v", line, text, err)
		}
	}
	say("", 220)
	say("EHLO client.example", 250)
	for range 2 {
		say("MAIL FROM:<a@client.example>", 250)
		say("RCPT TO:<b@weir.example>", 250)
		say("DATA", 354)
		w := c.DotWriter()
		if _, err := w.Write([]byte("A: b\n\n.\n")); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		say("", 250)
	}
	s.Set(Script{On: map[Stage]Action{Dot: {Kind: Answer, Text: "451 4.3.0 no"}}})
	say("MAIL FROM:<a@client.example>", 250)
	say("DATA", 503)
	say("RCPT TO:<b@weir.example>", 250)
	say("DATA", 354)
	say(".", 451)
	say("QUIT", 221)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(s.Maildir, "new", "*"))
	if err != nil || len(files) != 2 {
		t.Fatalf("files %v, %v", files, err)
	}
	if text, err := os.ReadFile(files[0]); err != nil || string(text) != "A: b\r\n\r\n.\r\n" {
		t.Errorf("file %q, %v", text, err)
	}
	if all := s.Messages(); len(all) != 3 || all[2].Taken || !all[1].Taken {
		t.Errorf("messages %+v", all)
	}
}
