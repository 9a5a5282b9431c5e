package backend

import (
	"bufio"
	"context"
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"weir/proxy/backend/sink"
)

// Whatever a server does at whatever point of the dialogue, it is not waited for longer than it may take, and what it
// sends without end is not read to its end.
func TestNothingIsWaitedForTooLong(t *testing.T) {
	const patience = 100 * time.Millisecond
	ways := map[string]sink.Action{
		"it stops reading":    {Kind: sink.Stall},
		"it says nothing":     {Kind: sink.Hang},
		"a byte now and then": {Kind: sink.Drip, Text: "250-" + strings.Repeat("slow ", 20), Delay: 100 * patience},
		"lines without end":   {Kind: sink.Raw, Text: strings.Repeat("250-and more\r\n", 1000)},
		"a line without end":  {Kind: sink.Raw, Text: "250 " + strings.Repeat("word ", 10_000)},
		"garbage":             {Kind: sink.Raw, Text: "\x16\x03\x01\x00\xff\r\n\r\n"},
		"another protocol":    {Kind: sink.Raw, Text: "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"},
	}
	stages := []sink.Stage{
		sink.Connect, sink.Banner, sink.Hello, sink.StartTLS, sink.Client, sink.Forward, sink.Mail, sink.Rcpt, sink.Data, sink.Body, sink.Dot,
	}
	config, _ := authority(t, "mail.weir.example")
	for _, stage := range stages {
		t.Run(string(stage), func(t *testing.T) {
			t.Parallel()
			for name, way := range ways {
				s, b := start(t)
				b.Timeout = patience
				script := sink.Script{On: map[sink.Stage]sink.Action{stage: way}}
				switch stage {
				case sink.StartTLS:
					b.Security, script.TLS = Opportunistic, &tls.Config{Certificates: []tls.Certificate{config}}
				case sink.Client:
					script.Offers = []string{xclient}
				case sink.Forward:
					script.Offers = []string{xforward}
				}
				s.Set(script)
				began := time.Now()
				taken := sent(t.Context(), b)
				if took := time.Since(began); taken || took > 50*patience {
					t.Errorf("%s: taken %v, after %v", name, taken, took)
				}
				s.Set(sink.Script{})
			}
		})
	}
}

// sent sends a message of more than any buffer holds, and reports whether the server said 2xx to it.
func sent(ctx context.Context, b *Backend) bool {
	c, err := b.OpenFor(ctx, ann)
	if err != nil {
		return false
	}
	defer c.Close()
	if c.Trace("01ID") != nil {
		return false
	}
	c.Mail("<ann@client.example>", nil)
	if r, err := c.Rcpt("<bob@weir.example>", nil); err != nil || !r.OK() {
		return false
	}
	r, err := c.Data([]byte(strings.Repeat(strings.Repeat("x", 70)+"\r\n", 1<<16)))
	return err == nil && r.OK()
}

// A server that reads, but hardly, is given up when nobody would still wait for the answer.
func TestAMessageHasAnEnd(t *testing.T) {
	s, b := start(t)
	b.Timeout = time.Hour
	s.Set(sink.Script{On: map[sink.Stage]sink.Action{sink.Body: {Kind: sink.Stall}}})
	c := open(t, b)
	w := &bodyWriter{conn: c, spoke: make(chan struct{}), end: time.Now().Add(50 * time.Millisecond)}
	if err := c.send("DATA\r\n"); err != nil {
		t.Fatal(err)
	}
	large := [][]byte{[]byte(strings.Repeat("x\r\n", 4<<20))}
	if err := w.message(func(to *bufio.Writer) { writeData(to, large) }); err == nil {
		t.Error("it was written to the end")
	}
	s.Set(sink.Script{})
}
