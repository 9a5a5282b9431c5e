package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A reload puts in force what it can, and says what it cannot.
func TestReloadExchangesBackendAndLimits(t *testing.T) {
	first, second := startSink(t), startSink(t)
	w := serve(t, first.Addr(), "127.0.0.1:9", "version: 1\nthresholds: { tag: 6, reject: 15 }\n")
	early := client(t, w.addr, "")
	file := filepath.Join(w.dir, "weir.yaml")
	was, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	now := strings.NewReplacer(first.Addr(), second.Addr(), "sessions_per_ip: 1000", "recipients: 1",
		"hostname: mx1", "hostname: mx2").Replace(string(was))
	write(t, file, now+"log: { level: debug }\n")
	w.process.Signal(syscall.SIGHUP)
	eventually(t, "the reload", func() bool { return strings.Contains(w.log.String(), "msg=reloaded") })
	if log := w.log.String(); !strings.Contains(log, `msg="these changes need a restart" keys=[hostname]`) {
		t.Errorf("the log does not say what needs a restart: %s", log)
	}
	late := client(t, w.addr, "")
	for _, c := range []*smtp.Client{early, late} {
		if err := sendMail(c, "a@ok.example", "bob@example.org", plainMail); err != nil {
			t.Fatal(err)
		}
	}
	if n, m := len(first.Messages()), len(second.Messages()); n != 1 || m != 1 {
		t.Errorf("%d messages in the backend before, %d in that after, want one each", n, m)
	}
	if err := late.Mail("a@ok.example"); err != nil {
		t.Fatal(err)
	}
	if err := late.Rcpt("bob@example.org"); err != nil {
		t.Fatal(err)
	}
	if err := late.Rcpt("carol@example.org"); codeOf(err) != 452 {
		t.Errorf("a second recipient: %v, want 452", err)
	}
}

// A certificate is exchanged while serving; one that does not fit its key is not.
func TestReloadExchangesTheCertificate(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	selfSigned(t, "first.example", cert, key)
	w := serve(t, startSink(t).Addr(), "127.0.0.1:9", "version: 1\nthresholds: { tag: 6, reject: 15 }\n",
		"listen.tls: starttls", "tls: { cert: "+cert+", key: "+key+" }")
	wantName := func(want string) {
		t.Helper()
		if got := certificateOf(t, w); got != want {
			t.Errorf("the certificate is that of %s, want %s", got, want)
		}
	}
	wantName("first.example")
	selfSigned(t, "second.example", cert, filepath.Join(dir, "other.pem"))
	w.process.Signal(syscall.SIGHUP)
	eventually(t, "the refusal of the reload", func() bool { return strings.Contains(w.log.String(), "reload refused") })
	wantName("first.example")
	selfSigned(t, "third.example", cert, key)
	w.process.Signal(syscall.SIGHUP)
	eventually(t, "the reload", func() bool { return strings.Contains(w.log.String(), "msg=reloaded") })
	wantName("third.example")
}

// certificateOf is the name in the certificate that a client of w is shown.
func certificateOf(t *testing.T, w *served) string {
	t.Helper()
	c := client(t, w.addr, "")
	if err := c.StartTLS(&tls.Config{InsecureSkipVerify: true}); err != nil {
		t.Fatal(err)
	}
	state, _ := c.TLSConnectionState()
	return state.PeerCertificates[0].Subject.CommonName
}

func TestHealthcheck(t *testing.T) {
	w := serve(t, startSink(t).Addr(), "127.0.0.1:9", "version: 1\nthresholds: { tag: 6, reject: 15 }\n")
	binary, err := weirBinary()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(binary, "healthcheck", w.addr).CombinedOutput(); err != nil {
		t.Errorf("of a weir that serves: %v: %s", err, out)
	}
	w.process.Signal(syscall.SIGTERM)
	w.wait()
	if out, err := exec.Command(binary, "healthcheck", w.addr).CombinedOutput(); err == nil {
		t.Errorf("of a weir that has ended: %s", out)
	}
}

// selfSigned writes a certificate for name and its key.
func selfSigned(t testing.TB, name, certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, certFile, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})))
	write(t, keyFile, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
}
