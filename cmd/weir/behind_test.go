package main

import (
	"strings"
	"testing"
)

// The server behind sees the client and not us: in its Received header, and so in its own access rules.
func TestPostfixLearnsTheClient(t *testing.T) {
	for _, c := range []struct{ name, pass, main, want string }{
		{"XCLIENT", "auto", "smtpd_authorized_xclient_hosts = 127.0.0.0/8", "Received: from client.example.net (unknown [127.0.0.9])\n"},
		{"XFORWARD", "auto", "smtpd_authorized_xforward_hosts = 127.0.0.0/8", "Received: from mx1.example.org ("},
		{"neither trusted", "auto", "", "Received: from mx1.example.org ("},
		{"none", "none", "smtpd_authorized_xclient_hosts = 127.0.0.0/8", "Received: from mx1.example.org ("},
	} {
		t.Run(c.name, func(t *testing.T) {
			behind := startPostfix(t, c.main)
			w := serve(t, behind.addr, startRbldnsd(t, map[string]string{"list.test": ":127.0.0.2:Listed\n"}),
				"version: 1\nthresholds: { tag: 6, reject: 15 }\n", "backend.pass_client: "+c.pass)
			if err := sendMail(client(t, w.addr, "127.0.0.9"), "a@client.example.net", "bob@example.org", plainMail); err != nil {
				t.Fatal(err)
			}
			eventually(t, "delivery", func() bool { return len(behind.delivered(t)) == 1 })
			got := behind.delivered(t)[0]
			if at := strings.Index(got, "Received:"); !strings.HasPrefix(got[max(at, 0):], c.want) {
				t.Errorf("the server thinks otherwise:\n%.900s", got)
			}
			if c.name == "XFORWARD" {
				id := w.records(t, 1)[0].ID
				if log := behind.logged(t); !strings.Contains(log, "orig_client=unknown[127.0.0.9]") || !strings.Contains(log, "orig_queue_id="+id) {
					t.Errorf("Postfix logged:\n%s", log)
				}
			}
		})
	}
}
