package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// saslConf is for a Dovecot that only knows users: ann, by a password or by a token that it can verify.
const saslConf = `
protocols = none
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256 xoauth2 oauthbearer
passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = %[1]s/oauth2.conf
}
passdb {
  driver = passwd-file
  mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256
  args = scheme=PLAIN %[1]s/users
}
userdb {
  driver = static
  args = uid=65534 gid=65534 home=/nonexistent
}
service auth {
  unix_listener %[1]s/auth {
    mode = 0666
  }
}
`

// startSASL runs Dovecot as what Postfix asks about users, at the socket that it returns, and returns ann's token too. It
// needs root.
func startSASL(t *testing.T) (socket, token string) {
	t.Helper()
	needsAsRoot(t, "dovecot")
	dir := openFolder(t, "dovecot")
	key := []byte("a key that nobody else has, of 32")
	for _, d := range []string{"run", "keys/default/HS256"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "users"), "ann:{PLAIN}tell no-one\n")
	write(t, filepath.Join(dir, "keys/default/HS256/default"), base64.StdEncoding.EncodeToString(key))
	write(t, filepath.Join(dir, "oauth2.conf"), "introspection_mode = local\nlocal_validation_key_dict = fs:posix:prefix="+dir+"/keys/\nusername_attribute = sub\n")
	command(t, "chmod", "-R", "a+rX", dir)
	socket = filepath.Join(dir, "auth")
	runDovecot(t, configDovecot(t, dir, saslConf), func() bool { _, err := os.Stat(socket); return err == nil })
	return socket, signed(key, fmt.Sprintf(`{"sub":"ann","iat":%d,"exp":%d}`, time.Now().Add(-time.Minute).Unix(), time.Now().Add(time.Hour).Unix()))
}

// signed is claims as a JWT (RFC 7519) by HS256.
func signed(key []byte, claims string) string {
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encode([]byte(claims))
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return text + "." + encode(mac.Sum(nil))
}

// A user logs in by every mechanism that Postfix has from Dovecot, through weir, which relays it step by step; and by none
// with another password.
func TestUsersOfPostfixWithDovecot(t *testing.T) {
	t.Parallel()
	socket, token := startSASL(t)
	behind := startPostfix(t, "smtpd_sasl_auth_enable = yes", "smtpd_sasl_type = dovecot", "smtpd_sasl_path = "+socket,
		"smtpd_sasl_security_options = noanonymous", "smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination")
	f := frontOf(t, behind.addr)
	print := fingerprint(t, f.cert)
	eventually(t, "AUTH to be offered", func() bool { // when Postfix has been asked what it offers
		c := client(t, f.submission, "")
		defer c.Close()
		if err := c.StartTLS(&tls.Config{InsecureSkipVerify: true}); err != nil {
			t.Fatal(err)
		}
		offered, _ := c.Extension("AUTH")
		return offered
	})
	say := func(wrong bool, mechanism, secret string) {
		t.Helper()
		through(t, wrong, "", "msmtp", "--port="+portOf(f.submission), "--host=127.0.0.1", "--domain=client.example.net",
			"--from=ann@client.example.net", "--tls=on", "--tls-fingerprint="+print, "--user=ann", "--auth="+mechanism, "--passwordeval=echo "+secret, "bob@example.org")
	}
	all := []string{"plain", "login", "cram-md5", "scram-sha-1", "scram-sha-256", "xoauth2", "oauthbearer"}
	for _, mechanism := range all {
		right, wrong := "tell no-one", "tell all"
		if mechanism == "xoauth2" || mechanism == "oauthbearer" {
			right, wrong = token, signed([]byte("another key"), `{"sub":"ann"}`)
		}
		say(true, mechanism, wrong)
		say(false, mechanism, right)
		want := "sasl_method=" + strings.ToUpper(mechanism) + ", sasl_username=ann"
		eventually(t, want, func() bool { return strings.Contains(behind.logged(t), want) })
	}
	eventually(t, "all messages", func() bool { return len(behind.delivered(t)) == len(all) })
	for _, r := range f.records(t, len(all)) {
		if len(r.Envelope.To) > 0 && r.Session.User != "ann" {
			t.Errorf("the record names %q", r.Session.User)
		}
	}
}
