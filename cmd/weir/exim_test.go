package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// eximConf is for one Exim that delivers mail for example.org into a Maildir, knows two recipients that it refuses, and
// one user, ann, by every mechanism that Debian's small daemon has. The runs of its queue are not waited for.
const eximConf = `
exim_path = %[2]s
primary_hostname = backend.example.org
qualify_domain = example.org
spool_directory = %[1]s/spool
log_file_path = %[1]s/log/%%s
keep_environment =
deliver_drop_privilege
host_lookup =
rfc1413_query_timeout = 0s
smtp_accept_max = 200
smtp_accept_max_per_connection = 10000
smtp_accept_queue_per_connection = 0
message_size_limit = 8M
smtputf8_advertise_hosts = *
dsn_advertise_hosts = *
tls_advertise_hosts = *
tls_certificate = %[1]s/cert.pem
tls_privatekey = %[1]s/key.pem
acl_smtp_rcpt = rcpt
acl_smtp_data = data

begin acl
rcpt:
  warn control = dkim_disable_verify
  deny local_parts = nobody
    message = 5.1.1 <$local_part@$domain>: no such user here
  defer local_parts = full
    message = 452 4.2.2 <$local_part@$domain>: over quota
  accept authenticated = *
  accept domains = example.org
  deny message = 5.7.1 relay not permitted
data:
  deny condition = ${if eq{$h_subject:}{unwanted}}
    message = 5.7.1 we do not want this\nnot at all
  accept

begin routers
all:
  driver = accept
  transport = maildir

begin transports
maildir:
  driver = appendfile
  directory = %[1]s/mail
  maildir_format
  user = Debian-exim

begin authenticators
PLAIN:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if and{{eq{$auth2}{ann}}{eq{$auth3}{tell no-one}}}}
  server_set_id = $auth2
LOGIN:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${if and{{eq{$auth1}{ann}}{eq{$auth2}{tell no-one}}}}
  server_set_id = $auth1
CRAM:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${if eq{$auth1}{ann}{tell no-one}fail}
  server_set_id = $auth1
XOAUTH2:
  driver = plaintext
  public_name = XOAUTH2
  server_prompts = :
  server_condition = ${if eq{$auth1}{user=ann\x01auth=Bearer tell no-one\x01\x01}}
  server_set_id = ann
`

// exim is a real Exim, which speaks TLS with a certificate for backend.example.org and offers neither XCLIENT nor XFORWARD.
type exim struct {
	addr, dir string
}

// startExim runs Exim in a folder of its own, with the configuration edited: what stands there, what takes its place, and
// so on. It needs root.
func startExim(t *testing.T, edits ...string) exim {
	t.Helper()
	program := needsAsRoot(t, "exim4")
	e := exim{addr: freePort(t), dir: openFolder(t, "exim")}
	for _, d := range []string{"spool", "log", "mail"} {
		if err := os.Mkdir(filepath.Join(e.dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
		command(t, "chown", "Debian-exim", filepath.Join(e.dir, d))
	}
	cert, key := filepath.Join(e.dir, "cert.pem"), filepath.Join(e.dir, "key.pem")
	selfSigned(t, "backend.example.org", cert, key)
	conf := filepath.Join(e.dir, "exim.conf")
	write(t, conf, strings.NewReplacer(edits...).Replace(fmt.Sprintf(eximConf, e.dir, program)))
	t.Cleanup(func() {
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(e.dir, "log", "main"))
			t.Logf("Exim logged:\n%s", log)
		}
	})
	start(t, program, "-C", conf, "-bdf", "-oX", e.addr, "-oP", filepath.Join(e.dir, "pid"))
	eventually(t, "Exim", func() bool { return listens(e.addr) })
	return e
}

// delivered returns the messages in the Maildir, as delivered.
func (e exim) delivered(t *testing.T) []string {
	t.Helper()
	return files(t, filepath.Join(e.dir, "mail", "new", "*"))
}

// pinned are the lines of weir.yaml for a way to the server that is verified, by its certificate alone.
func pinned(dir string) []string {
	return []string{"backend.tls: required", "backend.tls_ca: " + filepath.Join(dir, "cert.pem"), "backend.tls_name: backend.example.org"}
}

// files returns what is in all files of a pattern, in the order of their names.
func files(t *testing.T, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(text))
	}
	return all
}

// By the PROXY protocol, which is all that Exim has for it, Exim knows the client; from weir without it, it takes nothing.
func TestEximLearnsTheClient(t *testing.T) {
	t.Parallel()
	if !strings.Contains(command(t, needs(t, "exim4"), "-C", "/dev/null", "-bV"), " PROXY ") {
		lacks(t, "this Exim has no PROXY protocol")
	}
	behind := startExim(t, "\nbegin acl\n", "\nhosts_proxy = 127.0.0.1\nbegin acl\n")
	for _, c := range []struct {
		pass, from string
		taken      bool
	}{{"proxy", "127.0.0.3", true}, {"none", "127.0.0.4", false}} {
		t.Run(c.pass, func(t *testing.T) {
			w := serve(t, behind.addr, "127.0.0.1:9", noScores, "backend.pass_client: "+c.pass)
			err := sendMail(client(t, w.addr, c.from), "ann@client.example.net", "bob@example.org", plainMail)
			if (err == nil) != c.taken || err != nil && codeOf(err)/100 != 4 {
				t.Errorf("the answer is %v", err)
			}
			if !c.taken {
				return
			}
			eventually(t, "the message", func() bool { return len(behind.delivered(t)) == 1 })
			if arrived := behind.delivered(t)[0]; !strings.Contains(arrived, "Received: from ["+c.from+"] (helo=mx1.example.org)") {
				t.Errorf("arrived:\n%s", arrived)
			}
		})
	}
}
