package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/scoring/verdictlog"
)

// A delivered message is found by the header that weir has put before it, if it is of the message that the record is of.
func TestLearnFindsWhatWasDelivered(t *testing.T) {
	dir := t.TempDir()
	conf := filepath.Join(dir, "weir.yaml")
	write(t, conf, "version: 1\nverdicts: { dir: verdicts }\n")
	now := time.Now()
	r := verdictlog.Record{Schema: verdictlog.Schema, Time: now.UTC(), ID: verdictlog.NewID(now), Message: &verdictlog.Message{MessageID: "<1@shop.example>", SHA256: "a"}}
	l, err := verdictlog.Open(verdictlog.Options{Dir: filepath.Join(dir, "verdicts")})
	if err != nil {
		t.Fatal(err)
	}
	l.Put(r)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ messageID, want string }{
		{"<2@shop.example>", "the log does not have"},
		{"<1@shop.example>", "ham: "},
	} {
		raw := "X-Spam-Flag: YES\nX-Weir-Verdict: id=" + r.ID + "; action=tag;\n\tpolicy=default\nMessage-ID: " + c.messageID + "\nSubject: x\n\nBuy.\n"
		var out, errs bytes.Buffer
		code := run(context.Background(), []string{"learn", "ham", "-c", conf, "-"}, streams{strings.NewReader(raw), &out, &errs})
		if code != exitOK || !strings.Contains(errs.String(), c.want) {
			t.Errorf("%s: exit %d, %s", c.messageID, code, errs.String())
		}
	}
	got, err := verdictlog.Find(filepath.Join(dir, "verdicts"), r.ID)
	if err != nil || got.Learned != verdictlog.Ham {
		t.Errorf("found %+v, %v", got, err)
	}
}
