package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// dovecotBase is what each Dovecot is told: it keeps all it has in a folder of its own.
const dovecotBase = `
base_dir = %[1]s/run
state_dir = %[1]s/run
log_path = %[1]s/log
listen = 127.0.0.1
`

// configDovecot writes a configuration for a Dovecot in dir: settings, in which %[1]s is dir and what follows are values.
func configDovecot(t *testing.T, dir, settings string, values ...any) (conf string) {
	t.Helper()
	conf = filepath.Join(dir, "dovecot.conf")
	write(t, conf, fmt.Sprintf(dovecotBase, dir)+fmt.Sprintf(settings, append([]any{dir}, values...)...))
	return conf
}

// runDovecot runs Dovecot until the test ends, and returns when it is up. It needs root.
func runDovecot(t *testing.T, conf string, up func() bool) {
	t.Helper()
	program := needsAsRoot(t, "dovecot")
	t.Cleanup(func() {
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(filepath.Dir(conf), "log"))
			t.Logf("Dovecot said:\n%s", log)
		}
		exec.Command(program, "-c", conf, "stop").Run()
	})
	start(t, program, "-F", "-c", conf)
	eventually(t, "Dovecot", up)
}

// dovecotConf is for one LMTP server with one user, bob.
const dovecotConf = `
protocols = lmtp
hostname = backend.example.org
mail_location = maildir:%[1]s/mail/%%n
mail_uid = 65534
mail_gid = 65534
first_valid_uid = 1
auth_username_format = %%n
login_trusted_networks = 127.0.0.0/8
ssl = yes
ssl_cert = <%[1]s/cert.pem
ssl_key = <%[1]s/key.pem
passdb {
  driver = static
  args = nopassword=y
}
userdb {
  driver = passwd-file
  args = username_format=%%n %[1]s/users
}
service lmtp {
  inet_listener lmtp {
    address = 127.0.0.1
    port = %[2]s
  }
  unix_listener %[1]s/lmtp {
    mode = 0666
  }
}
`

// startDovecot runs Dovecot's LMTP server in a folder of its own and returns its address and that folder. It needs root.
func startDovecot(t *testing.T) (addr, dir string) {
	t.Helper()
	needsAsRoot(t, "dovecot")
	dir = openFolder(t, "dovecot")
	for _, d := range []string{"mail", "run"} {
		command(t, "mkdir", filepath.Join(dir, d))
	}
	command(t, "chmod", "0777", filepath.Join(dir, "mail"))
	command(t, needs(t, "openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=backend.example.org",
		"-addext", "subjectAltName=DNS:backend.example.org", "-keyout", filepath.Join(dir, "key.pem"), "-out", filepath.Join(dir, "cert.pem"))
	addr = freePort(t)
	write(t, filepath.Join(dir, "users"), "bob:{PLAIN}x:65534:65534::"+dir+"/mail/bob::\neve:{PLAIN}x:65534:65534::"+dir+"/mail/eve::\n")
	runDovecot(t, configDovecot(t, dir, dovecotConf, portOf(addr)), func() bool { return listens(addr) })
	return addr, dir
}

// By LMTP, over TLS that is verified and in clear by a socket file, each recipient in a transaction of its own; and
// Dovecot knows the client.
func TestInFrontOfDovecot(t *testing.T) {
	addr, dir := startDovecot(t)
	for _, c := range []struct {
		name, addr string
		settings   []string
	}{
		{"TLS required", addr, []string{"backend.tls: required", "backend.tls_ca: " + dir + "/cert.pem", "backend.tls_name: backend.example.org"}},
		{"a socket file", "unix:" + dir + "/lmtp", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := dovecotMail(t, dir)
			w := serve(t, c.addr, "127.0.0.1:9", "version: 1\nthresholds: { tag: 6, reject: 15 }\n", append(c.settings, "backend.protocol: lmtp")...)
			client := client(t, w.addr, "127.0.0.9")
			if err := client.Mail("a@client.example.net"); err != nil {
				t.Fatal(err)
			}
			if err := client.Rcpt("nobody@example.org"); codeOf(err) != 550 || !strings.Contains(err.Error(), "User doesn't exist") {
				t.Errorf("an unknown user: %v", err)
			}
			if err := client.Rcpt("bob@example.org"); err != nil {
				t.Fatal(err)
			}
			if err := client.Rcpt("eve@example.org"); codeOf(err) != 452 {
				t.Errorf("a second recipient: %v", err)
			}
			if err := client.Reset(); err != nil {
				t.Fatal(err)
			}
			for _, to := range []string{"bob@example.org", "eve@example.org"} {
				if err := sendMail(client, "a@client.example.net", to, plainMail); err != nil {
					t.Fatalf("to %s: %v", to, err)
				}
			}
			got := dovecotMail(t, dir)
			if len(got) != len(before)+2 {
				t.Fatalf("%d messages, want 2 more than %d", len(got), len(before))
			}
			for _, mail := range got[len(before):] {
				if !strings.HasSuffix(mail, strings.ReplaceAll(plainMail, "\r\n", "\n")) {
					t.Errorf("delivered:\n%s", mail)
				}
			}
			if all := strings.Join(got, ""); c.name == "TLS required" && !strings.Contains(all, "Received: from client.example.net ([127.0.0.9])\n") {
				t.Errorf("Dovecot does not know the client:\n%s", all)
			}
		})
	}
}

// dovecotMail returns all mail delivered.
func dovecotMail(t *testing.T, dir string) []string {
	t.Helper()
	return texts(t, filepath.Join(dir, "mail", "*", "new", "*"))
}
