package proxy

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Messages made to cost more than they weigh. Each is answered for little CPU time, and arrives as it was sent.
func TestBombs(t *testing.T) {
	f := newFront(t, nil)
	for name, message := range map[string]string{
		"nested multiparts without end": nested(100),
		"many empty parts":              "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\n\r\n", 100_000) + "--b--\r\n",
		"many fields":                   strings.Repeat("X-Field: value\r\n", 100_000) + "\r\nbody\r\n",
		"one endless field":             "Subject: " + strings.Repeat("word ", 1<<20) + "\r\n\r\nbody\r\n",
		"many folded lines":             "Subject: x\r\n" + strings.Repeat(" y\r\n", 200_000) + "\r\nbody\r\n",
		"many encoded words":            "Subject: " + strings.Repeat("=?utf-8?q?=D0=BF?= ", 50_000) + "\r\n\r\nbody\r\n",
		"many parameter sections":       "Content-Type: text/plain" + sections(10_000) + "\r\n\r\nbody\r\n",
		"many nested divisions":         "Content-Type: text/html\r\n\r\n" + strings.Repeat("<div>", 50_000) + "\r\n",
		"many links":                    "Subject: x\r\n\r\n" + strings.Repeat("http://a.example/ ", 100_000) + "\r\n",
		"many addresses":                "From: " + strings.Repeat("a@b.example, ", 100_000) + "c@d.example\r\n\r\nbody\r\n",
		"broken base64":                 "Content-Transfer-Encoding: base64\r\n\r\n" + strings.Repeat("!=!=\r\n", 300_000),
		"foreign headers":               strings.Repeat("X-Kept: y\r\nAuthentication-Results: (((((((( other.example; x\r\n", 20_000) + "\r\nbody\r\n",
	} {
		before := cpu(t)
		if got := f.deliver(message); !strings.HasPrefix(got, "250") {
			t.Errorf("%s: %q", name, got)
			continue
		}
		if took := time.Duration(cpu(t) - before); took > 5*time.Second {
			t.Errorf("%s: took %v", name, took)
		}
		all := f.taken()
		if got := delivered(t, all[len(all)-1]); got != message {
			t.Errorf("%s: %d bytes of %d arrived", name, len(got), len(message))
		}
	}
}

func nested(depth int) string {
	var m strings.Builder
	for i := range depth {
		fmt.Fprintf(&m, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	return m.String()
}

func sections(n int) string {
	var m strings.Builder
	for i := range n {
		fmt.Fprintf(&m, ";\r\n name*%d*=x", i)
	}
	return m.String()
}

func TestMailThatGoesInCirclesIsRefused(t *testing.T) {
	f := newFront(t, nil)
	hops := func(n int) string {
		return strings.Repeat("Received: from a by b; Sun, 22 Nov 2026 10:00:00 +0000\r\n", n)
	}
	if got := f.deliver(hops(maxHops) + note); !strings.HasPrefix(got, "250") {
		t.Errorf("%d hops: %q", maxHops, got)
	}
	if got := f.deliver(hops(maxHops+1) + note); !strings.HasPrefix(got, "554 5.4.6") {
		t.Errorf("one more: %q", got)
	}
	if r := f.recorded(2)[1]; r.Verdict.By != byFront || r.Verdict.Reply.Code != 554 {
		t.Errorf("recorded %+v", r.Verdict)
	}
}
