package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is private is so wherever verdicts are written or shown, and is found again by whoever has the key.
func TestPrivacy(t *testing.T) {
	mailbox := startSink(t)
	w := serve(t, mailbox.Addr(), "127.0.0.1:9", "version: 1\nthresholds: { tag: 6, reject: 15 }\n", adminAnywhere, "privacy: { local_part: hash, subject: drop }")
	message := "Subject: Quinces for eve\r\n\r\nHello\r\n"
	if err := sendMail(client(t, w.addr, ""), "ann@client.example.net", "eve@example.org", message); err != nil {
		t.Fatal(err)
	}
	if got := w.records(t, 1)[0]; got.Message.Subject != "" || !strings.HasPrefix(got.Envelope.To[0], "~") {
		t.Errorf("kept: %+v %+v", got.Envelope, got.Message)
	}
	_, shown := w.get(t, "/verdicts")
	if !strings.Contains(shown, "@client.example.net") {
		t.Errorf("nothing is shown: %s", shown)
	}
	written, err := filepath.Glob(filepath.Join(w.dir, "verdicts", "*"))
	if err != nil || len(written) == 0 {
		t.Fatal(written, err)
	}
	everywhere := map[string]string{"the log": w.log.String(), "the console": shown}
	for _, file := range written {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		everywhere[file] = string(text)
	}
	for where, text := range everywhere {
		for _, private := range []string{"ann@", "eve@", "Quinces"} {
			if strings.Contains(text, private) {
				t.Errorf("%s is in %s: %s", private, where, text)
			}
		}
	}
	config := filepath.Join(w.dir, "weir.yaml")
	for words, want := range map[string]string{"from:ann@client.example.net": "1\n", "to:EVE@example.org": "1\n", "from:eve@example.org": "0\n"} {
		if code, out, errs := verb("log", "-c", config, "--count", words); code != 0 || out != want {
			t.Errorf("%s: %d, %s%s", words, code, out, errs)
		}
	}
	if code, out, errs := verb("log", "forget", "-c", config, "ann@client.example.net"); code != 0 || out != "forgotten in 1 verdict\n" {
		t.Errorf("forget: %d, %s%s", code, out, errs)
	}
	if err := sendMail(client(t, w.addr, ""), "bea@client.example.net", "eve@example.org", message); err != nil {
		t.Fatal(err)
	}
	if got := w.records(t, 2); got[0].Envelope.From != "@client.example.net" || got[1].Envelope.From == got[0].Envelope.From {
		t.Errorf("after it: %+v, %+v", got[0].Envelope, got[1].Envelope)
	}
}
