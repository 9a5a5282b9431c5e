package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"weir/proxy/backend/sink"
)

// submissionConf is for Dovecot's submission server, which hands mail on to another.
const submissionConf = `
protocols = submission
hostname = backend.example.org
mail_location = maildir:%[1]s/mail/%%n
mail_uid = 65534
mail_gid = 65534
first_valid_uid = 1
ssl = no
disable_plaintext_auth = no
submission_relay_host = 127.0.0.1
submission_relay_port = %[3]s
submission_backend_capabilities = 8BITMIME CHUNKING BINARYMIME PIPELINING
passdb {
  driver = static
  args = password=s3cret
}
userdb {
  driver = static
  args = uid=65534 gid=65534 home=%[1]s/mail/%%n
}
service submission-login {
  inet_listener submission {
    port = %[2]s
  }
}
`

// A user's message that is no text, by BDAT through Dovecot's submission server, the one in Debian that takes BINARYMIME. It
// makes CRLF of a bare LF, so there is none here.
func TestBinaryThroughDovecot(t *testing.T) {
	needsAsRoot(t, "dovecot")
	if !isExecutable("/usr/lib/dovecot/submission") {
		lacks(t, "Dovecot's submission server is not installed")
	}
	mailbox := startSink(t)
	mailbox.Set(sink.Script{Offers: []string{"PIPELINING", "8BITMIME", "CHUNKING", "BINARYMIME"}})
	dir := openFolder(t, "submission")
	command(t, "mkdir", "-m", "0777", filepath.Join(dir, "run"), filepath.Join(dir, "mail"))
	addr := freePort(t)
	runDovecot(t, configDovecot(t, dir, submissionConf, portOf(addr), portOf(mailbox.Addr())), func() bool { return listens(addr) })
	certs := t.TempDir()
	cert, key := filepath.Join(certs, "cert.pem"), filepath.Join(certs, "key.pem")
	selfSigned(t, "mx1.example.org", cert, key)
	w := serve(t, addr, "127.0.0.1:9", "version: 1\nthresholds: { tag: 6, reject: 15 }\n",
		"listen.role: outbound", "listen.tls: starttls", "tls: { cert: "+cert+", key: "+key+" }")
	c := login(t, w, "ann")
	if ok, _ := c.Extension("BINARYMIME"); !ok {
		t.Fatal("BINARYMIME is not offered")
	}
	message := "Subject: x\r\n\r\na\x00\rb\xff\r\n.\r\nQUIT\r\n.."
	say := func(text string) {
		_, err := c.Text.W.WriteString(text)
		if err == nil {
			err = c.Text.W.Flush()
		}
		if err == nil {
			_, _, err = c.Text.ReadResponse(2)
		}
		if err != nil {
			t.Fatalf("%.20q: %v", text, err)
		}
	}
	say("MAIL FROM:<ann@example.org> BODY=BINARYMIME\r\n")
	say("RCPT TO:<bob@elsewhere.example>\r\n")
	say("BDAT 10\r\n" + message[:10])
	say(fmt.Sprintf("BDAT %d LAST\r\n%s", len(message)-10, message[10:]))
	all := mailbox.Messages()
	if len(all) != 1 || all[0].Chunks == 0 || !strings.HasSuffix(string(all[0].Data), "\r\n"+message) {
		t.Errorf("arrived %+v", all)
	}
}
