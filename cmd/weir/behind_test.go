package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// The server behind sees the client and not us: in its Received header, and so in its own access rules.
func TestPostfixLearnsTheClient(t *testing.T) {
	for _, c := range []struct{ name, pass, main, want string }{
		{"XCLIENT", "auto", "smtpd_authorized_xclient_hosts = 127.0.0.0/8", "Received: from client.example.net (unknown [127.0.0.9])\n"},
		{"XFORWARD", "auto", "smtpd_authorized_xforward_hosts = 127.0.0.0/8", "Received: from mx1.example.org ("},
		{"neither trusted", "auto", "", "Received: from mx1.example.org ("},
		{"PROXY", "proxy", "smtpd_upstream_proxy_protocol = haproxy", "Received: from mx1.example.org (unknown [127.0.0.9])\n"},
		{"PROXY, version 1", "proxy_v1", "smtpd_upstream_proxy_protocol = haproxy", "Received: from mx1.example.org (unknown [127.0.0.9])\n"},
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

// Mail goes to the servers of its domain, and to the one that is up; a reload changes where.
func TestRoutes(t *testing.T) {
	usual, spare, other := startSink(t), startSink(t), startSink(t)
	w := serve(t, usual.Addr(), "127.0.0.1:9", "version: 1\nthresholds: { tag: 6, reject: 15 }\n",
		"routes: [{ domains: [example.net], backend: { servers: [{ addr: \""+freePort(t)+"\" }, { addr: \""+other.Addr()+"\", priority: 5 }] } }]")
	for _, to := range []string{"bob@example.org", "bob@example.net"} {
		if err := sendMail(client(t, w.addr, ""), "a@ok.example", to, plainMail); err != nil {
			t.Fatal(err)
		}
	}
	if len(usual.Messages()) != 1 || len(other.Messages()) != 1 {
		t.Errorf("%d and %d messages", len(usual.Messages()), len(other.Messages()))
	}
	file := filepath.Join(w.dir, "weir.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, strings.ReplaceAll(string(text), other.Addr(), spare.Addr()))
	w.process.Signal(syscall.SIGHUP)
	eventually(t, "the reload", func() bool { return strings.Contains(w.log.String(), "msg=reloaded") })
	if err := sendMail(client(t, w.addr, ""), "a@ok.example", "bob@example.net", plainMail); err != nil {
		t.Fatal(err)
	}
	if len(spare.Messages()) != 1 {
		t.Error("the reload did not change the route")
	}
}
