package proxy

import (
	"fmt"
	"strings"
	"testing"
)

func TestTheMessageArrivesAsItWasSent(t *testing.T) {
	f := newFront(t, nil)
	long := strings.Repeat("0123456789", 1<<17) // 1.25 MiB without a line end
	lines := strings.Repeat(strings.Repeat("x", 70)+"\r\n", 1<<15)
	for name, message := range map[string]string{
		"ordinary":              note,
		"empty":                 "",
		"an empty line":         "\r\n",
		"no header":             "\r\nbody alone\r\n",
		"no body":               "Subject: x\r\n",
		"dots":                  note + ".\r\n..\r\n...x\r\n.x\r\n\r\n.\r\n",
		"dot first":             ".x: y\r\n\r\n.\r\n",
		"8-bit":                 "Subject: x\r\n\r\n\xd0\xbf\xff\x80\x81\r\n",
		"controls":              "Subject: x\r\n\r\n\x01\x1b[2J\x7f\t\v\f\r\n",
		"a long line":           "Subject: x\r\n\r\n" + long + "\r\n",
		"a long line of dots":   "Subject: x\r\n\r\n" + strings.Repeat(".", 1<<16) + "\r\n",
		"many empty lines":      "Subject: x\r\n\r\n" + strings.Repeat("\r\n", 5000),
		"commands as text":      note + "QUIT\r\nRSET\r\nMAIL FROM:<a@b>\r\nDATA\r\n",
		"5 MiB":                 "Subject: x\r\n\r\n" + lines + lines,
		"trailing white space":  "Subject: x \r\n\r\na \t \r\n \r\n",
		"begins within a field": "\tfolded: x\r\n\r\nbody\r\n",
	} {
		c := f.rcpt()
		c.data(message, "250 2.0.0 taken")
		c.cmd("QUIT", "221")
		all := f.taken()
		got := delivered(t, all[len(all)-1])
		if name == "begins within a field" {
			got = strings.TrimPrefix(got, "X-Weir-Note: the message begins within a header\r\n")
		}
		if got != message {
			t.Errorf("%s: %d bytes sent, %d arrived: %.200q", name, len(message), len(got), got)
		}
	}
}

func TestTheMessageIsExactAroundTheLimitsOfMemory(t *testing.T) {
	f := newFront(t, nil)
	for _, size := range []int{firstSpool - 1, firstSpool, firstSpool + 1, inMemory - 1, inMemory, inMemory + 1, 2 * inMemory, 2*inMemory + 1} {
		message := "Subject: x\r\n\r\n"
		message += strings.Repeat("y", size-len(message)-2) + "\r\n"
		c := f.rcpt()
		c.data(message, "250")
		all := f.taken()
		if got := delivered(t, all[len(all)-1]); got != message {
			t.Errorf("%d bytes: %d arrived", size, len(got))
		}
	}
}

func TestAMessageOfTheLimitIsTakenAndOneByteMoreIsNot(t *testing.T) {
	const limit = 100_000
	f := newFront(t, func(f *front) { f.Limits.MessageSize = limit })
	message := func(n int) string { return "Subject: x\r\n\r\n" + strings.Repeat("y", n-16) + "\r\n" }
	c := f.rcpt()
	c.data(message(limit), "250")
	c.cmd("MAIL FROM:<a@client.example>", "250")
	c.cmd("RCPT TO:<bob@weir.example>", "250")
	c.data(message(limit+1), "552 5.3.4")
	c.cmd("MAIL FROM:<a@client.example> SIZE=100001", "552 5.3.4")
	c.cmd("MAIL FROM:<a@client.example> SIZE=99999999999999999999", "552 5.3.4")
	c.cmd("MAIL FROM:<a@client.example> SIZE=100000", "250")
	if n := len(f.taken()); n != 1 {
		t.Errorf("%d messages arrived, want 1", n)
	}
	// Far beyond the limit the session ends, so that nobody sends for ever.
	c.cmd("RCPT TO:<bob@weir.example>", "250")
	c.cmd("DATA", "354")
	go func() { _, _ = fmt.Fprint(c.conn, message(10*limit)) }() // cut off in the middle
	c.expect("552 5.3.4")
	c.expect("")
}

func TestDotsCountOnceForTheSize(t *testing.T) {
	const limit = 5000
	f := newFront(t, func(f *front) { f.Limits.MessageSize = limit })
	head := "Subject: x\r\n\r\n"
	body := strings.Repeat(".\r\n", 1000)
	body += strings.Repeat("z", limit-len(head)-len(body)-2) + "\r\n"
	c := f.rcpt()
	c.data(head+body, "250")
}

func TestOneByteAtATime(t *testing.T) {
	f := newFront(t, nil)
	c := f.dial()
	message := note + "..two dots\r\n.\r\n"
	for _, step := range [][2]string{
		{"EHLO client.example\r\n", "250"}, {"MAIL FROM:<a@client.example>\r\n", "250"},
		{"RCPT TO:<bob@weir.example>\r\n", "250"}, {"DATA\r\n", "354"}, {stuffed(message) + ".\r\n", "250"},
	} {
		for i := range step[0] {
			c.send(step[0][i : i+1])
		}
		c.expect(step[1])
	}
	if got := delivered(t, f.taken()[0]); got != message {
		t.Errorf("arrived as %q", got)
	}
}

func TestAllInOneWrite(t *testing.T) {
	f := newFront(t, nil)
	c := f.dial()
	c.send("EHLO client.example\r\n")
	c.expect("250")
	one := "MAIL FROM:<a@client.example>\r\nRCPT TO:<bob@weir.example>\r\nRCPT TO:<eve@weir.example>\r\nDATA\r\n"
	c.send(one + note + ".\r\n" + one + note + ".\r\nQUIT\r\n")
	for _, want := range []string{"250", "250", "250", "354", "250", "250", "250", "250", "354", "250", "221", ""} {
		c.expect(want)
	}
	all := f.taken()
	if len(all) != 2 || len(all[0].Rcpts) != 2 || delivered(t, all[1]) != note {
		t.Errorf("arrived: %+v", all)
	}
	if n := f.sink.Conns(); n != 2 { // one was the probe
		t.Errorf("%d backend connections, want one for both messages", n-1)
	}
}
