package proxy

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"weir/proxy/backend/sink"
)

var binaryOffers = append([]string{"CHUNKING", "BINARYMIME"}, sink.Offers...)

// newBinaryFront is a front whose server takes messages that are no text.
func newBinaryFront(t testing.TB, change func(*front)) *front {
	return newFront(t, func(f *front) {
		f.sink.Set(sink.Script{Offers: binaryOffers})
		f.Limits.SessionsPerIP, f.Limits.Errors = 1000, 1000
		if change != nil {
			change(f)
		}
	})
}

// binary begins a transaction with BODY=BINARYMIME.
func (f *front) binary() *talker {
	f.t.Helper()
	c := f.hello()
	c.cmd("MAIL FROM:<ann@client.example> BODY=BINARYMIME", "250")
	c.cmd("RCPT TO:<bob@weir.example>", "250")
	return c
}

// deliverBinary sends one message and returns the reply that decided about it.
func (f *front) deliverBinary(message string) string {
	f.t.Helper()
	c := f.hello()
	defer c.conn.Close()
	c.cmd("MAIL FROM:<ann@client.example> BODY=BINARYMIME", "250")
	c.send("RCPT TO:<bob@weir.example>\r\n")
	if r := c.reply(); r[0] != '2' {
		return r
	}
	return c.whole(message)
}

// whole sends a message as one chunk and returns the reply.
func (c *talker) whole(message string) string {
	c.t.Helper()
	c.send(fmt.Sprintf("BDAT %d LAST\r\n%s", len(message), message))
	return c.reply()
}

func TestABinaryMessageArrivesOctetForOctet(t *testing.T) {
	for _, by := range []string{"SMTP", "LMTP", "mending"} {
		f := newBinaryFront(t, func(f *front) {
			f.Backend.LMTP = by == "LMTP"
			f.Dialogue.Mend = by == "mending"
		})
		check := func(name, message string, n int) {
			c := f.binary()
			if got := c.sendChunks(message, n); got != "250 2.0.0 taken" {
				t.Fatalf("%s, %s by %d: %q", by, name, n, got)
			}
			all := f.taken()
			last := all[len(all)-1]
			if got := delivered(t, last); got != message || last.Chunks != 2 || !strings.Contains(last.Mail, "BODY=BINARYMIME") {
				t.Errorf("%s, %s by %d: %d octets sent, %d arrived in %d chunks: %.200q", by, name, n, len(message), len(got), last.Chunks, got)
			}
			c.cmd("QUIT", "221")
		}
		for name, message := range map[string]string{
			"nothing":         "",
			"no body":         "Subject: x\r\n",
			"no end":          "Subject: x",
			"an empty line":   "\r\n",
			"no header":       "\r\n\n\r\x00",
			"odd ends":        "Subject: x\r\n\r\n\r\r\n.\r\n.\n\r.\r\x00\n.",
			"ends in a CR":    "Subject: x\r\n\r\n\r",
			"commands":        "Subject: x\r\n\r\n.\r\nQUIT\r\nBDAT 5 LAST\r\n",
			"no text at all":  "Subject: x\r\n\r\n" + strings.Repeat("\x00", 100),
			"dots and no end": "Subject: x\r\n\r\n.\r\n..",
		} {
			for _, n := range []int{1, 3, 1 << 20} {
				check(name, message, n)
			}
		}
		random := rand.New(rand.NewPCG(1, 2))
		for _, size := range []int{1, 100, bodyIn, firstSpool, inMemory + 1, 1 << 20} {
			message := []byte("Subject: x\r\n\r\n")
			for range size {
				message = append(message, "\r\n.\x00x\xff"[random.IntN(6)])
			}
			check("random", string(message), 1+random.IntN(2*size)+size/100)
		}
	}
}

// Each step is what is sent, and how each of the replies begins.
func TestBinaryOutOfPlace(t *testing.T) {
	const open = "MAIL FROM:<a@client.example> body=binarymime\r\nRCPT TO:<bob@weir.example>\r\n"
	opened := []string{"250", "250"}
	f := newBinaryFront(t, nil)
	for _, c := range []struct {
		name, send string
		want       []string
		chunks     []int // of the messages
	}{
		{"DATA", open + "DATA\r\n", append(opened[:2:2], "503 5.5.1"), nil},
		{"DATA and then BDAT", open + "DATA\r\n~BDAT 4 LAST\r\n\r\n\x00\r", append(opened[:2:2], "503 5.5.1", "250 2.0.0 taken"), []int{2}},
		{"DATA sent blindly", open + "DATA\r\nX: y\r\n.\r\nNOOP\r\n", append(opened[:2:2], "503 5.5.1", ""), nil},
		{"text behind", open + "BDAT 4 LAST\r\n\r\n\x00\nMAIL FROM:<a@client.example>\r\nRCPT TO:<bob@weir.example>\r\nBDAT 6 LAST\r\nX: y\r\n",
			append(opened[:2:2], "250 2.0.0 taken", "250", "250", "250 2.0.0 taken"), []int{2, 0}},
		{"not said", "MAIL FROM:<a@client.example> BODY=8BITMIME\r\nRCPT TO:<bob@weir.example>\r\nBDAT 4 LAST\r\n\r\n\x00\n", append(opened[:2:2], "550 5.6.11", ""), nil},
		{"dropped", open + "RSET\r\nMAIL FROM:<a@client.example>\r\nRCPT TO:<bob@weir.example>\r\nDATA\r\nX: y\r\n.\r\n", append(opened[:2:2], "250", "250", "250", "354", "250"), []int{0}},
		{"dropped half", open + "BDAT 4\r\n\r\n\x00\nRSET\r\n" + open + "BDAT 4 LAST\r\n\r\n\x00\n", append(opened[:2:2], "250 2.0.0 Chunk", "250", "250", "250", "250 2.0.0 taken"), []int{2}},
		{"twice", "MAIL FROM:<a@client.example> BODY=BINARYMIME BODY=7BIT\r\n", []string{"501"}, nil},
		{"another body", "MAIL FROM:<a@client.example> BODY=BINARY\r\n", []string{"501"}, nil},
		{"HELO", "HELO client.example\r\n" + open, []string{"250", "555 5.5.4", "503"}, nil},
		{"bare LF in the header", open + "BDAT 14 LAST\r\nX: y\nZ: a\r\n\r\n", append(opened[:2:2], "550 5.6.11", ""), nil},
		{"bare CR in the header", open + "BDAT 5\r\nX: y\rBDAT 9 LAST\r\nZ: a\r\n\r\n\n", append(opened[:2:2], "250", "550 5.6.11", ""), nil},
		{"NUL in the header", open + "BDAT 4 LAST\r\nX:\x00y", append(opened[:2:2], "550 5.6.11", ""), nil},
		{"a header that ends bare", open + "BDAT 9 LAST\r\nX: y\r\n\n\x00\x00", append(opened[:2:2], "550 5.6.11", ""), nil},
		{"half an end", open + "BDAT 5 LAST\r\nX: y\r", append(opened[:2:2], "550 5.6.11", ""), nil},
	} {
		before := len(f.sink.Messages())
		talk := f.hello()
		pieces := strings.Split(c.send, "~") // behind it, sent when all before was answered
		talk.send(pieces[0])
		for i, want := range c.want {
			if i == len(c.want)-1 && len(pieces) > 1 {
				talk.send(pieces[1])
			}
			if got := talk.reply(); !strings.HasPrefix(got, want) || want == "" && got != "" {
				t.Errorf("%s: reply %d is %q, want %q", c.name, i, got, want)
				break
			}
		}
		talk.conn.Close()
		var chunks []int
		for _, m := range f.sink.Messages()[before:] {
			chunks = append(chunks, m.Chunks)
		}
		if fmt.Sprint(chunks) != fmt.Sprint(c.chunks) {
			t.Errorf("%s: messages in %v chunks, want %v", c.name, chunks, c.chunks)
		}
	}
}

// What the server behind cannot take is not offered, and is refused if it was.
func TestBinaryIsNeverPassedOnBlindly(t *testing.T) {
	for _, offers := range [][]string{{"BINARYMIME"}, {"CHUNKING"}, {"8BITMIME"}} {
		f := newBinaryFront(t, func(f *front) { f.sink.Set(sink.Script{Offers: offers}) })
		c := f.dial()
		if offer := c.cmd("EHLO client.example", "250"); strings.Contains(offer, "BINARYMIME") {
			t.Errorf("%v: offered %q", offers, offer)
		}
		c.cmd("MAIL FROM:<ann@client.example> BODY=BINARYMIME", "555 5.5.4")
		f = newBinaryFront(t, nil)
		c = f.dial()
		if offer := c.cmd("EHLO client.example", "250"); !strings.Contains(offer, "BINARYMIME") {
			t.Errorf("not offered: %q", offer)
		}
		f.sink.Set(sink.Script{Offers: offers}) // and we do not know yet
		c.cmd("MAIL FROM:<ann@client.example> BODY=BINARYMIME", "250")
		c.cmd("RCPT TO:<bob@weir.example>", "554 5.6.3")
		if got := c.whole("\r\n\x00"); !strings.HasPrefix(got, "554 5.5.1") {
			t.Errorf("reply %q", got)
		}
		c.cmd("RSET", "250")
		c.cmd("MAIL FROM:<ann@client.example>", "250")
		c.cmd("RCPT TO:<bob@weir.example>", "250")
		c.data(note, "250")
		for _, line := range f.sink.Commands() {
			if strings.Contains(line, "BINARYMIME") || strings.HasPrefix(line, "BDAT") {
				t.Errorf("%v: the server was told %q", offers, line)
			}
		}
	}
}

// Recipients at a server that takes it and at one that does not: each is answered for itself.
func TestBinaryToServersThatDiffer(t *testing.T) {
	var other *sink.Sink
	f := newBinaryFront(t, func(f *front) {
		other = f.elsewhere("other.example")
		other.Set(sink.Script{Offers: binaryOffers})
	})
	f.until("both offers", func() bool { return f.Routes["other.example"].Offers() != nil })
	other.Set(sink.Script{Offers: []string{"8BITMIME"}})
	c := f.binary()
	c.cmd("RCPT TO:<bob@other.example>", "452 4.5.3")
	c.whole("\r\n\x00")
	c.cmd("MAIL FROM:<ann@client.example> BODY=BINARYMIME", "250")
	c.cmd("RCPT TO:<bob@other.example>", "554 5.6.3")
	c.cmd("RCPT TO:<bob@weir.example>", "250")
	c.whole("\r\n\x00")
	if here, there := f.taken(), other.Messages(); len(here) != 2 || len(there) != 0 {
		t.Errorf("%d here, %d there", len(here), len(there))
	}
}

// Whatever the server does when it is asked for the first chunk, or has read the last.
func TestBackendFaultsInChunks(t *testing.T) {
	for _, stage := range []sink.Stage{sink.Chunk, sink.Dot} {
		t.Run(string(stage), func(t *testing.T) {
			t.Parallel()
			f := newBinaryFront(t, func(f *front) { f.Backend.Timeout = patience })
			for _, fault := range backendFaults() {
				f.fails(fault.name, sink.Script{Offers: binaryOffers, On: map[sink.Stage]sink.Action{stage: fault.action}}, fault.want, f.deliverBinary)
			}
		})
	}
	t.Run("octets", func(t *testing.T) {
		t.Parallel()
		f := newBinaryFront(t, func(f *front) { f.Backend.Timeout = patience })
		f.failsWithin("Subject: x\r\n\r\n"+strings.Repeat("\x00\n", 1<<21), binaryOffers, f.deliverBinary)
	})
}

// A chunk that is refused leaves a connection in step: the next message of the session goes over it, and is whole.
func TestTheConnectionIsInStepAfterARefusedChunk(t *testing.T) {
	for _, stage := range []sink.Stage{sink.Chunk, sink.Dot} {
		f := newBinaryFront(t, nil)
		c := f.binary()
		f.sink.Set(sink.Script{Offers: binaryOffers, On: map[sink.Stage]sink.Action{stage: {Kind: sink.Answer, Text: "452 4.3.1 full"}}})
		if got := c.whole("\r\n\x00"); got != "452 4.3.1 full" {
			t.Errorf("%s: reply %q", stage, got)
		}
		f.sink.Set(sink.Script{Offers: binaryOffers})
		c.cmd("MAIL FROM:<ann@client.example> BODY=BINARYMIME", "250")
		c.cmd("RCPT TO:<bob@weir.example>", "250")
		c.whole("\r\n\x00")
		if all := f.taken(); len(all) != 1 || f.sink.Conns() != 2 { // one was the probe
			t.Errorf("%s: %d messages over %d connections", stage, len(all), f.sink.Conns()-1)
		}
	}
}

func TestABinaryMessageIsJudgedLikeAnyOther(t *testing.T) {
	f := newBinaryFront(t, func(f *front) { f.Server.Current = always(refusing()) })
	if got := f.deliverBinary("Subject: x\r\n\r\n\x00\n"); !strings.HasPrefix(got, "550 5.7.1") {
		t.Errorf("reply %q", got)
	}
	for _, line := range f.sink.Commands() {
		if strings.HasPrefix(line, "BDAT") || line == "DATA" {
			t.Errorf("the server was told %q", line)
		}
	}
}

func TestABinaryMessageIsNotDeliveredTwice(t *testing.T) {
	f := newBinaryFront(t, func(f *front) { f.Dialogue.FinalDot = time.Hour })
	f.sink.Set(sink.Script{Offers: binaryOffers, On: map[sink.Stage]sink.Action{sink.Dot: {Kind: sink.Answer, Text: "250 2.0.0 queued as 4D3C", Delay: 200 * time.Millisecond}}})
	c := f.binary()
	c.send("BDAT 4 LAST\r\n\r\n\x00\n")
	f.until("message on its way", func() bool {
		f.dots.mu.Lock()
		defer f.dots.mu.Unlock()
		return len(f.dots.open) > 0
	})
	c.conn.Close()
	if got := f.deliverBinary("\r\n\x00\n"); got != "250 2.0.0 queued as 4D3C" {
		t.Errorf("reply %q", got)
	}
	if n := len(f.taken()); n != 1 {
		t.Errorf("%d copies", n)
	}
}

func TestAUsersBinaryMessage(t *testing.T) {
	f := newBinaryFront(t, func(f *front) {
		withTLS(t, StartTLS)(f)
		f.listener.Outbound = true
		f.sink.Set(sink.Script{Offers: append([]string{"AUTH PLAIN"}, binaryOffers...), Users: map[string]string{"ann": "secret"}})
	})
	c := f.hello()
	c.cmd("STARTTLS", "220")
	c = c.encrypted()
	c.cmd("EHLO client.example", "250")
	c.cmd("AUTH PLAIN "+b64("\x00ann\x00secret"), "235")
	c.cmd("MAIL FROM:<ann@weir.example> BODY=BINARYMIME", "250")
	c.cmd("RCPT TO:<bob@elsewhere.example>", "250")
	c.whole("\r\n\x00")
	if all := f.taken(); len(all) != 1 || all[0].Chunks != 2 {
		t.Errorf("taken %+v", all)
	}
}
