package redisstore

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"weir/filters/store"
	"weir/filters/store/storetest"
)

// This file goes the other ways to a server: through a cluster, a Sentinel, TLS.

func TestCluster(t *testing.T) {
	r := storetest.NewRedis(t, "--cluster-enabled", "yes")
	command(t, r.Addr, "CLUSTER", "ADDSLOTSRANGE", "0", "16383")
	storetest.Run(t, func(t *testing.T) store.Store {
		s := openSeeded(t, Options{Addrs: []string{r.Addr}})
		synced(t, s)
		return s
	})
}

func TestSentinel(t *testing.T) {
	r := storetest.NewRedis(t)
	host, port, err := net.SplitHostPort(r.Addr)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "sentinel.conf")
	if err := os.WriteFile(file, []byte("sentinel monitor mail "+host+" "+port+" 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, Options{Addrs: []string{storetest.NewRedis(t, file, "--sentinel").Addr}, Master: "mail"})
	add(t, s, "k", 3)
	synced(t, s, "k")
	other := open(t, Options{Addrs: []string{r.Addr}})
	synced(t, other, "k")
	if n := number(t, other, "k"); n != 3 {
		t.Errorf("%d came to the server that the Sentinel watches, want 3", n)
	}
}

func TestTLS(t *testing.T) {
	r := storetest.NewRedis(t)
	addr, roots := inTLS(t, r.Addr)
	s := open(t, Options{Addrs: []string{addr}, TLS: &tls.Config{RootCAs: roots}})
	add(t, s, "k", 3)
	synced(t, s, "k")
	if err := away(t, open(t, Options{Addrs: []string{addr}, TLS: &tls.Config{}})); err == nil {
		t.Error("who does not know the certificate trusts it")
	}
}

// inTLS lets what comes in by TLS through to addr, and returns where, and who vouches for it.
func inTLS(t *testing.T, addr string) (string, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{{127, 0, 0, 1}}}
	der, err := x509.CreateCertificate(rand.Reader, about, about, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", addr)
			if err != nil {
				in.Close()
				continue
			}
			for _, c := range [][2]net.Conn{{in, out}, {out, in}} {
				all.Go(func() {
					io.Copy(c[0], c[1])
					c[0].Close()
				})
			}
		}
	})
	t.Cleanup(all.Wait) // after the stores are closed
	t.Cleanup(func() { l.Close() })
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	return l.Addr().String(), roots
}
