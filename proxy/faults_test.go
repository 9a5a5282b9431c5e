package proxy

import (
	"strings"
	"testing"
	"time"

	"weir/filters"
	"weir/proxy/backend/sink"
	"weir/rules"
)

// deliver sends one message and returns the reply that decided about it.
func (f *front) deliver(message string) string {
	f.t.Helper()
	c := f.hello()
	defer c.conn.Close()
	c.cmd("MAIL FROM:<ann@client.example>", "250")
	c.send("RCPT TO:<bob@weir.example>\r\n")
	if r := c.reply(); r[0] != '2' {
		return r
	}
	c.cmd("DATA", "354")
	c.send(stuffed(message) + ".\r\n")
	return c.reply()
}

// backendFault is what a backend may do at a stage.
type backendFault struct {
	name   string
	action sink.Action
	want   string // the classes allowed from MAIL on
}

func backendFaults() []backendFault {
	answer := func(text string) sink.Action { return sink.Action{Kind: sink.Answer, Text: text} }
	return []backendFault{
		{"close", sink.Action{Kind: sink.Shut}, "4"},
		{"reset", sink.Action{Kind: sink.Abort}, "4"},
		{"hang", sink.Action{Kind: sink.Hang}, "4"},
		{"4xx", answer("451 4.3.0 later"), "4"},
		{"5xx", answer("550 5.7.1 refused"), "5"},
		{"421", sink.Action{Kind: sink.Answer, Text: "421 4.3.2 closing", Close: true}, "4"},
		{"garbage", sink.Action{Kind: sink.Raw, Text: "HTTP/1.1 400 Bad Request\r\n\r\n"}, "4"},
		{"half a reply", sink.Action{Kind: sink.Raw, Text: "25", Close: true}, "4"},
		{"binary", sink.Action{Kind: sink.Raw, Text: "\x00\xff\x15\x03\r\n"}, "4"},
		{"wrong class", answer("354 go on"), "4"},
		{"1xx", answer("150 wait"), "4"},
		{"mixed codes", answer("250-yes\n550 no"), "4"},
		{"endless line", sink.Action{Kind: sink.Raw, Text: "250 " + strings.Repeat("z", 1<<20), Close: true}, "4"},
		{"endless lines", sink.Action{Kind: sink.Raw, Text: strings.Repeat("250-more\r\n", 20000), Close: true}, "4"},
	}
}

// Whatever the backend does at any stage, the client gets the right class of answer in time, never 250 for a message
// that the backend has not taken, and the next message goes through.
func TestBackendFaults(t *testing.T) {
	for _, stage := range []sink.Stage{sink.Connect, sink.Banner, sink.Hello, sink.Mail, sink.Rcpt, sink.Data, sink.Dot} {
		t.Run(string(stage), func(t *testing.T) {
			t.Parallel()
			f := newFront(t, func(f *front) { f.Backend.Timeout = patience })
			for _, fault := range backendFaults() {
				if stage == sink.Connect && fault.action.Kind == sink.Answer || stage == sink.Data && fault.name == "wrong class" {
					continue
				}
				want := fault.want
				if stage == sink.Connect || stage == sink.Banner || stage == sink.Hello {
					want = "4"
				}
				f.fails(fault.name, sink.Script{On: map[sink.Stage]sink.Action{stage: fault.action}}, want, f.deliver)
			}
		})
	}
}

// patience is how long a backend that does nothing is waited for.
const patience = 2 * time.Second

// fails sends a message while the backend follows a script that lets none through, and one after that.
func (f *front) fails(name string, s sink.Script, want string, deliver func(string) string) {
	f.t.Helper()
	f.sink.Set(s)
	before, began := len(f.taken()), time.Now()
	got := deliver(note)
	if got == "" || got[:1] != want {
		f.t.Errorf("%s: %q, want %sxx", name, got, want)
	}
	if strings.Contains(got, "127.0.0.1") {
		f.t.Errorf("%s: the reply names the backend: %q", name, got)
	}
	if took := time.Since(began); took > 4*patience {
		f.t.Errorf("%s: took %v", name, took)
	}
	if n := len(f.taken()); n != before {
		f.t.Errorf("%s: the backend has taken a message", name)
	}
	f.sink.Set(sink.Script{Offers: s.Offers})
	if got := deliver(note); !strings.HasPrefix(got, "250") {
		f.t.Errorf("%s: the next message: %q", name, got)
	}
}

func TestBackendFaultsInTheMessage(t *testing.T) {
	f := newFront(t, func(f *front) { f.Backend.Timeout = patience })
	f.failsWithin("Subject: x\r\n\r\n"+strings.Repeat(strings.Repeat("x", 70)+"\r\n", 1<<16), nil, f.deliver)
}

// failsWithin sends a large message while the backend, with its offers, lets it down in the midst of it in one way after the
// other, and each time one after it.
func (f *front) failsWithin(large string, offers []string, deliver func(string) string) {
	f.t.Helper()
	for _, c := range []struct {
		name   string
		action sink.Action
		want   string
	}{
		{"closed", sink.Action{Kind: sink.Shut, After: 1 << 20}, "451 4.4.2"},
		{"closed early", sink.Action{Kind: sink.Shut, After: 1 << 10}, "451 4.4.2"},
		{"reset", sink.Action{Kind: sink.Abort, After: 1 << 20}, "451 4.4.2"},
		{"stalled", sink.Action{Kind: sink.Stall, After: 64 << 10}, "451 4.4.2"},
		{"refused early", sink.Action{Kind: sink.Early, Text: "552 5.3.4 too much", After: 1 << 18}, "552 5.3.4 too much"},
		{"put off early", sink.Action{Kind: sink.Early, Text: "451 4.3.0 disk", After: 1 << 18, Close: true}, "451 4.3.0 disk"},
		{"taken early", sink.Action{Kind: sink.Early, Text: "250 2.0.0 fine", After: 1 << 18}, "451 4.4.2"},
	} {
		f.sink.Set(sink.Script{Offers: offers, On: map[sink.Stage]sink.Action{sink.Body: c.action}})
		message := large
		if c.name == "taken early" { // more than fits between us and the backend
			message += strings.Repeat(large, 4)
		}
		if got := deliver(message); !strings.HasPrefix(got, c.want) {
			f.t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		f.sink.Set(sink.Script{Offers: offers})
		if got := deliver(note); !strings.HasPrefix(got, "250") {
			f.t.Errorf("%s: the next message: %q", c.name, got)
		}
	}
	for _, m := range f.taken() {
		if len(m.Data) > 1<<16 {
			f.t.Error("a message that was not acknowledged has been taken")
		}
	}
}

func TestTheBackendsWordsReachTheClient(t *testing.T) {
	for name, c := range map[string]struct {
		stage      sink.Stage
		text, want string
	}{
		"several lines":        {sink.Dot, "554-5.7.1 one\n554-5.7.1 two\n554 5.7.1 three", "554-5.7.1 one\n554-5.7.1 two\n554 5.7.1 three"},
		"a code on the last":   {sink.Dot, "554-one\n554 5.7.1 two", "554-one\n554 5.7.1 two"},
		"success":              {sink.Dot, "250-2.0.0 Ok:\n250 2.0.0 queued as 4D3C", "250-2.0.0 Ok:\n250 2.0.0 queued as 4D3C"},
		"no text":              {sink.Rcpt, "550", "550"},
		"no enhanced code":     {sink.Rcpt, "550 no such user", "550 no such user"},
		"recipient":            {sink.Rcpt, "550 5.1.1 kennen wir nicht", "550 5.1.1 kennen wir nicht"},
		"sender":               {sink.Mail, "550 5.1.8 sender domain not found", "550 5.1.8 sender domain not found"},
		"UTF-8":                {sink.Rcpt, "550 5.1.1 нет такого", "550 5.1.1 нет такого"},
		"broken UTF-8":         {sink.Rcpt, "550 5.1.1 \xcd\xe5\xf2", "550 5.1.1 ?"},
		"control bytes":        {sink.Rcpt, "550 5.1.1 a\rb\x00c\x1bd", "550 5.1.1 a?b?c?d"},
		"421 is of the server": {sink.Rcpt, "421 4.3.2 bye", "451 4.3.2 bye"},
		"DATA refused":         {sink.Data, "452 4.3.1 full", "452 4.3.1 full"},
	} {
		f := newFront(t, nil)
		f.sink.Set(sink.Script{On: map[sink.Stage]sink.Action{c.stage: {Kind: sink.Answer, Text: c.text}}})
		if got := f.deliver(note); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestLongBackendLinesAreContinued(t *testing.T) {
	f := newFront(t, nil)
	words := strings.TrimSpace(strings.Repeat("word ", 300))
	f.sink.Set(sink.Script{On: map[sink.Stage]sink.Action{sink.Rcpt: {Kind: sink.Answer, Text: "550 5.1.1 " + words}}})
	got := f.deliver(note) // lines are checked by the talker
	var text []string
	for line := range strings.SplitSeq(got, "\n") {
		text = append(text, line[len("550-5.1.1 "):])
	}
	if strings.Join(text, " ") != words {
		t.Errorf("the words have changed: %q", got)
	}
}

func TestEachRecipientHasItsOwnAnswer(t *testing.T) {
	f := newFront(t, nil)
	f.sink.Set(sink.Script{Rcpt: func(path string) string {
		switch {
		case strings.HasPrefix(path, "no"):
			return "550 5.1.1 no such user"
		case strings.HasPrefix(path, "later"):
			return "450 4.2.0 greylisted"
		}
		return ""
	}})
	c := f.hello()
	c.cmd("MAIL FROM:<ann@client.example>", "250")
	c.cmd("RCPT TO:<no1@weir.example>", "550 5.1.1 no such user")
	c.cmd("RCPT TO:<bob@weir.example>", "250 2.1.5 recipient ok")
	c.cmd("RCPT TO:<later@weir.example>", "450 4.2.0 greylisted")
	c.cmd("RCPT TO:<eve@weir.example>", "250")
	c.data(note, "250")
	if m := f.taken()[0]; len(m.Rcpts) != 2 {
		t.Errorf("the backend has %q", m.Rcpts)
	}
	r := f.recorded(1)[0]
	if len(r.Envelope.To) != 2 || len(r.Envelope.RcptRejected) != 2 || r.Envelope.RcptRejected[0].Reply != "550 5.1.1 no such user" {
		t.Errorf("recorded %+v", r.Envelope)
	}
}

// A backend that goes between two recipients takes the first with it: the client must not believe otherwise.
func TestABackendLostBetweenRecipientsLosesNone(t *testing.T) {
	f := newFront(t, nil)
	f.sink.Set(sink.Script{Rcpt: func(path string) string {
		if strings.HasPrefix(path, "second") {
			go f.sink.Drop()
			return "421 4.3.2 bye"
		}
		return ""
	}})
	c := f.rcpt()
	c.cmd("RCPT TO:<second@weir.example>", "451")
	c.cmd("RCPT TO:<third@weir.example>", "451")
	c.data(note, "451")
	if len(f.taken()) != 0 {
		t.Error("a message was taken")
	}
	f.sink.Set(sink.Script{})
	if got := f.deliver(note); !strings.HasPrefix(got, "250") {
		t.Errorf("the next message: %q", got)
	}
}

func TestAReplyLostAfterTheDotIsNeverTriedAgainByUs(t *testing.T) {
	for _, kind := range []sink.Kind{sink.Shut, sink.Hang} {
		f := newFront(t, func(f *front) { f.Backend.Timeout = patience })
		f.sink.Set(sink.Script{On: map[sink.Stage]sink.Action{sink.Dot: {Kind: kind, Commit: true}}})
		if got := f.deliver(note); !strings.HasPrefix(got, "451") {
			t.Errorf("%s: %q", kind, got)
		}
		if n := len(f.taken()); n != 1 {
			t.Errorf("%s: %d copies", kind, n)
		}
	}
}

func TestAnotherAddressServesWhenOneIsDown(t *testing.T) {
	f := newFront(t, func(f *front) {
		gone, err := sink.Listen("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		gone.Close()
		f.Backend.Addrs = []string{gone.Addr(), f.sink.Addr()}
	})
	for range 3 {
		if got := f.deliver(note); !strings.HasPrefix(got, "250") {
			t.Fatalf("reply %q", got)
		}
	}
}

func TestTheBackendMayHaveClosedBetweenTwoMessages(t *testing.T) {
	f := newFront(t, nil)
	c := f.rcpt()
	c.data(note, "250")
	f.sink.Drop()
	c.cmd("MAIL FROM:<ann@client.example>", "250")
	c.cmd("RCPT TO:<bob@weir.example>", "250")
	c.data(note, "250")
	if len(f.taken()) != 2 {
		t.Errorf("%d messages", len(f.taken()))
	}
}

func TestARefusedMessageNeverReachesTheBackend(t *testing.T) {
	f := newFront(t, func(f *front) { f.Server.Current = always(refusing()) })
	c := f.rcpt()
	got := c.data(note, "550 5.7.1")
	if !strings.Contains(got, "SPAM is why") {
		t.Errorf("reply %q", got)
	}
	c.cmd("MAIL FROM:<ann@client.example>", "250")
	c.cmd("RCPT TO:<bob@weir.example>", "250")
	c.data("Subject: y\r\n\r\nz\r\n", "550")
	for _, line := range f.sink.Commands() {
		if line == "DATA" {
			t.Error("the backend was told DATA")
		}
	}
	r := f.recorded(2)[0]
	if r.Verdict.Action != rules.Reject || r.Verdict.At != "data" || r.Verdict.Reply.Code != 550 || r.Verdict.Score != 1500 {
		t.Errorf("recorded %+v", r.Verdict)
	}
}

// refusing is a generation whose one check finds all mail to be spam.
func refusing() *Generation {
	set := &rules.Set{
		Symbols:  map[string]*rules.Symbol{"SPAM": {Name: "SPAM", Points: 1500, Public: "SPAM is why"}},
		Policies: []*rules.Policy{{ID: "default", Thresholds: rules.Thresholds{Tag: rules.Threshold{Points: 500}, Subject: rules.Threshold{Off: true}, Defer: rules.Threshold{Off: true}, Reject: rules.Threshold{Points: 1000}}}},
	}
	return generation(set, filters.NewPipeline(time.Second, says("always", filters.Body, "SPAM")))
}

func always(g *Generation) func() *Generation { return func() *Generation { return g } }
