package main

import (
	"strings"
	"testing"

	"weir/filters/lookup"
)

// A list that has died and lists everybody is found out before the first client is judged by it.
func TestADeadListRefusesNobody(t *testing.T) {
	zone, err := lookup.MapZone(map[string][]string{"*.hard.lists.test": {"127.0.0.2"}, "2.0.0.127.soft.lists.test": {"127.0.0.2"}})
	if err != nil {
		t.Fatal(err)
	}
	dns, err := lookup.Serve("127.0.0.1:0", zone)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dns.Close() })
	w := serve(t, startSink(t).Addr(), dns.Addr(), strings.Replace(listRules, "include: [\"builtin:defaults\"]\n", "", 1))
	if err := sendMail(client(t, w.addr, "127.0.0.7"), "a@ok.example", "bob@example.org", plainMail); err != nil {
		t.Fatal(err)
	}
	r := w.records(t, 1)[0]
	if len(r.Errors) != 1 || r.Errors[0].Rule != "HARD" || r.Errors[0].Kind != "parked" || !strings.Contains(r.Errors[0].Detail, "127.0.0.1") {
		t.Errorf("errors %+v", r.Errors)
	}
	if said := w.log.String(); !strings.Contains(said, "DNS list is not asked") {
		t.Errorf("the log says nothing of it:\n%s", said)
	}
}
