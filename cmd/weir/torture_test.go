//go:build torture

package main

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// A black-box client, weir, a real server, and behind that the black box again, which counts what arrives. $SMTPTORTURE is
// how it is called. The server passes on what it gets before it answers, so that what it says is the last word on a message.
// Left out is what asks for another server than this: one that fails, or offers less.
func TestTorture(t *testing.T) {
	for name, server := range map[string]struct {
		not   string
		start func(t *testing.T, sink string) string
	}{
		"postfix": {"^(fault|ext)/", func(t *testing.T, sink string) string {
			return startPostfix(t, "relay_domains = torture.example", "smtpd_proxy_filter = "+sink, "smtpd_authorized_xclient_hosts = 127.0.0.0/8").addr
		}},
		// Exim passes on at once neither several recipients nor what DSN asks for.
		"exim": {"^(fault|ext|rcpt)/|^dsn/notify", func(t *testing.T, sink string) string {
			_, port, _ := net.SplitHostPort(sink)
			return startExim(t,
				"= example.org\n", "= torture.example\n",
				"accept authenticated = *", "warn control = cutthrough_delivery/defer=pass",
				"driver = accept\n", "driver = manualroute\n  route_list = * 127.0.0.1\n  self = send\n",
				"\nmaildir:\n", "\nmaildir:\n  driver = smtp\n  port = "+port+"\n  message_linelength_limit = 1000000\nunused:\n",
			).addr
		}},
	} {
		t.Run(name, func(t *testing.T) {
			sink := freePort(t)
			w := serve(t, server.start(t, sink), "127.0.0.1:9", noScores, "relay_domains: [torture.example]")
			call := append(strings.Fields(os.Getenv("SMTPTORTURE")), "-target", w.addr, "-sink", sink, "-bound", "12s",
				"-authserv-id", "mx1.example.org", "-not", server.not)
			c := exec.Command(call[0], call[1:]...)
			c.Stdout, c.Stderr = os.Stdout, os.Stderr
			if err := c.Run(); err != nil {
				t.Error(err)
			}
		})
	}
}
