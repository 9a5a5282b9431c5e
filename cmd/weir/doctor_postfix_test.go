package main

import (
	"slices"
	"strings"
	"testing"

	"weir/cmd/weir/doctor"
)

// A real server says the same as the sink of the other tests: what it is told of clients, and for whom it relays.
func TestDoctorAtPostfix(t *testing.T) {
	for _, c := range []struct{ name, main, pass, relay string }{
		{"weir is told of, and trusted", "smtpd_authorized_xclient_hosts = 127.0.0.0/8", "it takes XCLIENT", "Relay access denied"},
		{"it relays for others", "relay_domains = example.com", "neither", "everybody could send to everybody"},
		{"weir is a stranger", "smtpd_authorized_xclient_hosts =", "neither", "Relay access denied"},
	} {
		t.Run(c.name, func(t *testing.T) {
			behind := startPostfix(t, c.main)
			w := newWard(t)
			w.change(w.sink.Addr(), behind.addr)
			_, found := w.findings()
			for check, seen := range map[string]string{"pass_client": c.pass, "open relay": c.relay, "backend": "PIPELINING", "backend size": "52428800"} {
				if !slices.ContainsFunc(found, func(d doctor.Finding) bool { return d.Check == check && strings.Contains(d.Seen, seen) }) {
					t.Errorf("%s: no %q in\n%+v", check, seen, found)
				}
			}
			if strings.Contains(behind.logged(t), "status=") {
				t.Errorf("mail was sent:\n%s", behind.logged(t))
			}
		})
	}
}
