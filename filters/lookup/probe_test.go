package lookup

import (
	"bytes"
	"context"
	"testing"
	"time"

	"weir/filters/lookup/lookuptest"
)

func TestProbe(t *testing.T) {
	authentic := func(packet []byte, _ bool) [][]byte {
		p := bytes.Clone(packet)
		p[3] |= 0x20
		return [][]byte{p}
	}
	z, err := MapZone(map[string][]string{"signed.example": {"192.0.2.1"}, "bad.example": {"SERVFAIL"}})
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, "127.0.0.1:0", z)
	for _, c := range []struct {
		about, name string
		twist       lookuptest.Twist
		tcp         bool
		found, same bool
		authentic   bool
		failure     string
	}{
		{about: "found", name: "signed.example", found: true, same: true},
		{about: "over TCP", name: "Signed.Example.", tcp: true, found: true, same: true},
		{about: "no such name", name: "none.example", same: true},
		{about: "a failure", name: "bad.example", same: true, failure: Servfail},
		{about: "refused", name: "signed.example", twist: lookuptest.Code(lookuptest.Refused), same: true, failure: Refused},
		{about: "validated", name: "signed.example", twist: authentic, found: true, same: true, authentic: true},
		{about: "other letters", name: "signed.example", twist: lookuptest.WrongCase, found: true},
	} {
		s.Twist(c.twist)
		got, err := Probe{Server: s.Addr(), Name: c.name, Kind: A, TCP: c.tcp}.Ask(t.Context())
		if err != nil {
			t.Errorf("%s: %v", c.about, err)
			continue
		}
		failure := ""
		if got.Failure != nil {
			failure = got.Failure.Kind
		}
		if got.Answer.Found != c.found || got.SameCase != c.same || got.Authentic != c.authentic || failure != c.failure || got.Answer.Took <= 0 {
			t.Errorf("%s: got %+v", c.about, got)
		}
	}
	s.Twist(lookuptest.Silent)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := (Probe{Server: s.Addr(), Name: "signed.example", Kind: A}).Ask(ctx); err == nil {
		t.Error("silence is an answer")
	}
}
