package backend

import (
	"errors"
	"testing"

	"weir/proxy/backend/sink"
)

func TestLMTP(t *testing.T) {
	s, b := start(t)
	b.LMTP = true
	c := open(t, b)
	if got := s.Commands()[0]; got != "LHLO mx.weir.example" {
		t.Errorf("greeting %q", got)
	}
	if n := c.Offer.MaxRecipients(); n != 1 {
		t.Errorf("%d recipients at a time", n)
	}
	if _, err := c.Rcpt("<eve@weir.example>", nil); !errors.Is(err, errOneOnly) {
		t.Errorf("a second recipient: %v", err)
	}
	if r, err := c.Data([]byte("A: b\r\n")); err != nil || !r.OK() {
		t.Errorf("%v, %v", r, err)
	}
	c.Rest()
	if err := c.Resume(); err != nil {
		t.Fatal(err)
	}
	c.Mail("<>", nil)
	s.Set(sink.Script{Rcpt: func(string) string { return "550 5.1.1 no" }})
	if r, err := c.Rcpt("<no@weir.example>", nil); err != nil || r.Code != 550 {
		t.Errorf("%v, %v", r, err)
	}
	s.Set(sink.Script{On: map[sink.Stage]sink.Action{sink.Dot: {Kind: sink.Answer, Text: "452 4.2.2 full"}}})
	if r, err := c.Rcpt("<eve@weir.example>", nil); err != nil || !r.OK() {
		t.Errorf("after one refused: %v, %v", r, err)
	}
	if r, err := c.Data([]byte("A: b\r\n")); err != nil || r.String() != "452 4.2.2 full" {
		t.Errorf("%v, %v", r, err)
	}
}

func TestLMTPDoesNotFallBackToSMTP(t *testing.T) {
	s, b := start(t)
	b.LMTP = true
	s.Set(sink.Script{On: map[sink.Stage]sink.Action{sink.Hello: {Kind: sink.Answer, Text: "500 5.5.1 LHLO?"}}})
	if _, err := b.Open(t.Context()); err == nil {
		t.Error("opened")
	}
	for _, line := range s.Commands() {
		if line[:4] != "LHLO" {
			t.Errorf("said %q", line)
		}
	}
}

func TestLimits(t *testing.T) {
	for in, want := range map[string]int{
		"": 0, "RCPTMAX=5": 5, "mailmax=9 rcptmax=100": 100, "RCPTMAX=0": 0, "RCPTMAX=-1": 0, "RCPTMAX=x": 0, "RCPTMAX": 0,
	} {
		if got := (Extensions{"LIMITS": in}).MaxRecipients(); got != want {
			t.Errorf("%q: %d", in, got)
		}
	}
}
