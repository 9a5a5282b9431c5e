package lookup

import (
	"strings"
	"testing"
)

func TestZoneErrorsSayWhere(t *testing.T) {
	_, err := ParseZone(strings.NewReader("a.example. IN A 127.0.0.2\nb.example. IN A 127.0.0\n"), "bad.zone")
	if err == nil || !strings.HasPrefix(err.Error(), "bad.zone:2:") {
		t.Errorf("got %v", err)
	}
	if _, err := ParseZone(strings.NewReader("$INCLUDE /etc/passwd\n"), "bad.zone"); err == nil {
		t.Error("$INCLUDE was taken")
	}
	for _, bad := range []string{"", "127.0.0", "A", "NOSUCH x", "TXT"} {
		if _, err := MapZone(map[string][]string{"a.example": {bad}}); err == nil {
			t.Errorf("record %q was taken", bad)
		}
	}
}

func TestZonesChange(t *testing.T) {
	z := testZone(t)
	r := FromZone(z)
	is := func(name, want string) {
		t.Helper()
		if got := shown(r.Lookup(t.Context(), name, A)); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	set := func(name string, records ...string) {
		t.Helper()
		if err := z.Set(name, records...); err != nil {
			t.Fatal(err)
		}
	}
	set("New.Deep.wild.example.", "127.0.0.3", "127.0.0.2", "2001:db8::1")
	is("new.deep.wild.example", "127.0.0.3 127.0.0.2")
	is("deep.wild.example", "none") // it exists now, for the name below it
	set("new.deep.wild.example", "REFUSED")
	is("new.deep.wild.example", Refused)
	set("new.deep.wild.example")
	is("new.deep.wild.example", "192.0.2.1")
	is("deep.wild.example", "192.0.2.1")
	set("*", "192.0.2.99")
	is("any.thing", "192.0.2.99")
	is("absent.list.example", "none")
}

func FuzzZone(f *testing.F) {
	f.Add(zoneText)
	f.Add("a IN A 127.0.0.2\n*.b 5 IN CNAME a\n")
	f.Fuzz(func(t *testing.T, text string) {
		z, err := ParseZone(strings.NewReader(text), "fuzz.zone")
		if err != nil {
			return
		}
		for name := range z.nodes {
			for _, k := range []Kind{A, TXT, CNAME} {
				interpretMessage(z.reply(question{name, k}), k)
			}
		}
	})
}
