package main

import (
	"testing"

	"weir/filters/lookup"
)

// Mail by MX: the best server that is up, a name without MX by its address, and the DNS's no in the words of its RFC.
func TestMailByMX(t *testing.T) {
	usual, best, below := startSink(t), startSink(t), startSink(t)
	zone, err := lookup.MapZone(map[string][]string{
		"far.example":        {"MX 10 down.far.example.", "MX 20 mail.far.example.", "MX 30 mx1.example.org.", "MX 40 worse.far.example."},
		"down.far.example":   {"A 127.0.0.77"},
		"mail.far.example":   {"A 127.0.0.1"},
		"a.under.example":    {"MX 0 mail.far.example."},
		"plain.example":      {"A 127.0.0.1"},
		"null.under.example": {"MX 0 ."},
		"loop.under.example": {"MX 5 mx1.example.org.", "MX 10 mail.far.example."},
		"text.under.example": {"TXT nothing"},
	})
	if err != nil {
		t.Fatal(err)
	}
	dns, err := lookup.Serve("127.0.0.1:0", zone)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dns.Close() })
	w := serve(t, usual.Addr(), dns.Addr(), "version: 1\nthresholds: { tag: 6, reject: 15 }\n",
		"routes:\n  - { domains: [far.example], mx: true, port: "+portOf(best.Addr())+" }\n"+
			"  - { domains: [.under.example, plain.example], mx: true, port: "+portOf(below.Addr())+" }\n")
	for to, want := range map[string]int{
		"bob@far.example": 250, "bob@a.under.example": 250, "bob@plain.example": 250, "bob@example.org": 250, "bob@under.example": 250,
		"bob@null.under.example": 556, "bob@loop.under.example": 554, "bob@nowhere.under.example": 550, "bob@text.under.example": 451,
	} {
		err := sendMail(client(t, w.addr, ""), "a@ok.example", to, plainMail)
		if got := codeOf(err); got != want && (err != nil || want != 250) {
			t.Errorf("%s: %v, want %d", to, err, want)
		}
	}
	if a, b, c := len(usual.Messages()), len(best.Messages()), len(below.Messages()); a != 2 || b != 1 || c != 2 {
		t.Errorf("%d, %d and %d messages", a, b, c)
	}
}
