package who

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/fstest"

	"weir/filters"
	"weir/filters/filtertest"
	"weir/filters/lookup"
	"weir/rules"
)

// load loads rules with the given `who:`, W0 and so on.
func load(t *testing.T, who ...string) []rules.Who {
	t.Helper()
	text := "version: 1\nrules:\n"
	for i, w := range who {
		text += fmt.Sprintf("  - { id: W%d, about: x, who: %s, mode: allow }\n", i, w)
	}
	set, findings := rules.Load(fstest.MapFS{"r.yaml": {Data: []byte(text)}}, "r.yaml", nil)
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	return set.Who
}

func TestCases(t *testing.T) {
	filtertest.Run(t, func(*lookup.Resolver) filters.Check {
		return New(load(t, `{ proven: partner.example, rcpt: bob@example.org }`, `{ proven: partner.example, sender: "*@partner.example" }`))[0]
	})
}

// Each rule is looked at as soon as what it reads is known.
func TestStages(t *testing.T) {
	checks := New(load(t, `{ net: 192.0.2.0/24, listener: a }`, `{ sender: "" }`, `{ user: "*" }`, `{ rcpt: b@c.example, user: d }`, `{ proven: c.example, net: 192.0.2.0/24 }`))
	var got []string
	for _, c := range checks {
		for _, s := range c.Symbols {
			got = append(got, c.Stage.String()+" "+s)
		}
	}
	if want := []string{"connect W0", "sender W1", "sender W2", "addressed W3", "proven W4"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if len(New(nil)) != 0 {
		t.Error("without rules there is a check")
	}
}

func TestAllThatIsSaidMustFit(t *testing.T) {
	client := &filters.Session{Addr: netip.MustParseAddrPort("192.0.2.7:25"), Listener: "smtp", User: "ann"}
	for _, c := range []struct {
		who  string
		m    filters.Mail
		want string // the detail; "" for no hit
	}{
		{`{ net: 192.0.2.0/24 }`, filters.Mail{Session: client}, "192.0.2.7"},
		{`{ net: 192.0.2.0/24, listener: other }`, filters.Mail{Session: client}, ""},
		{`{ user: Ann, sender: "" }`, filters.Mail{Session: client, Envelope: &filters.Envelope{}}, "192.0.2.7, user ann, <>"},
		{`{ rcpt: "*@c.example" }`, filters.Mail{Session: client, Envelope: &filters.Envelope{To: []string{"a@c.example", "b@C.example"}}}, "192.0.2.7"},
		{`{ rcpt: "*@c.example" }`, filters.Mail{Session: client, Envelope: &filters.Envelope{To: []string{"a@c.example", "b@d.example"}}}, ""},
		{`{ rcpt: "*@c.example" }`, filters.Mail{Session: client, Envelope: &filters.Envelope{}}, ""},
		{`{ proven: [a.example, c.example] }`, filters.Mail{Auth: &filters.Auth{Domains: []string{"x.example", "sub.c.example"}}}, "proven: x.example sub.c.example"},
		{`{ proven: c.example }`, filters.Mail{Auth: &filters.Auth{Domains: []string{"notc.example"}}}, ""},
		{`{ proven: c.example }`, filters.Mail{}, ""},
	} {
		report, err := New(load(t, c.who))[0].Run(context.Background(), c.m)
		got := ""
		for _, h := range report.Hits {
			got += h.Detail
		}
		if err != nil || got != c.want {
			t.Errorf("%s: %q %v, want %q", c.who, got, err, c.want)
		}
	}
}
