package rules

import (
	"net/netip"
	"testing"
)

func TestPoliciesAskForAllTheySay(t *testing.T) {
	set := loadText(t, `version: 1
rules: [{ id: A, about: x, body: { regex: x }, score: 100 }]
lists:
  nets: { type: cidr, inline: [198.51.100.0/24] }
  staff: { type: domain, inline: [staff.example] }
policies:
  - { id: null-sender, sender: "", rcpt: "desk@example.org", thresholds: { reject: 30 } }
  - { id: partner, sender: "*@partner.example", net: [192.0.2.0/24, "2001:db8::/32", list.nets], thresholds: { reject: off } }
  - { id: robot, user: [robot, "*@bots.example", list.staff], thresholds: { reject: 9 } }
  - { id: outgoing, user: "*", thresholds: { reject: 10 } }
  - { id: second, listener: [second, third], thresholds: { reject: 11 } }
`)
	home := netip.MustParseAddr("192.0.2.7")
	for _, c := range []struct {
		want string
		w    Whose
	}{
		{"null-sender", Whose{Rcpt: "Desk@Example.org"}},
		{"default", Whose{Rcpt: "bob@example.org"}},
		{"default", Whose{Rcpt: "desk@example.org", Sender: "a@b.example"}},
		{"partner", Whose{Rcpt: "bob@example.org", Sender: "Ann@Partner.example", Addr: home}},
		{"partner", Whose{Rcpt: "bob@example.org", Sender: "ann@partner.example", Addr: netip.MustParseAddr("::ffff:192.0.2.7")}},
		{"partner", Whose{Rcpt: "bob@example.org", Sender: "ann@partner.example", Addr: netip.MustParseAddr("2001:db8::9")}},
		{"partner", Whose{Rcpt: "bob@example.org", Sender: "ann@partner.example", Addr: netip.MustParseAddr("198.51.100.1")}},
		{"default", Whose{Rcpt: "bob@example.org", Sender: "ann@partner.example", Addr: netip.MustParseAddr("203.0.113.1")}},
		{"default", Whose{Rcpt: "bob@example.org", Sender: "ann@other.example", Addr: home}},
		{"robot", Whose{Rcpt: "bob@example.org", User: "Robot"}},
		{"robot", Whose{Rcpt: "bob@example.org", User: "r2@bots.example"}},
		{"robot", Whose{Rcpt: "bob@example.org", User: "eve@staff.example"}},
		{"outgoing", Whose{Rcpt: "bob@example.org", User: "ann", Listener: "second"}},
		{"second", Whose{Rcpt: "bob@example.org", Listener: "third"}},
		{"default", Whose{Rcpt: "postmaster", Listener: "Third"}},
	} {
		if got := set.PolicyFor(c.w).ID; got != c.want {
			t.Errorf("PolicyFor(%+v) = %s, want %s", c.w, got, c.want)
		}
	}
	if set.ByRecipientAlone() {
		t.Error("no policy is said to ask for more than the recipient")
	}
}
