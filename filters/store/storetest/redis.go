package storetest

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"
)

// Redis is a redis-server of a test's own.
type Redis struct {
	Addr string

	args   []string
	server *exec.Cmd
	out    bytes.Buffer
}

// NewRedis starts a redis-server on a free port of 127.0.0.1, in a folder of its own and with more arguments before that, and ends it
// with the test. Without redis-server the test is skipped, saying why; in CI it fails.
func NewRedis(t testing.TB, args ...string) *Redis {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("redis-server is not installed")
		}
		t.Skip("redis-server is not installed")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	r := &Redis{Addr: l.Addr().String()}
	_, port, err := net.SplitHostPort(r.Addr)
	if err != nil {
		t.Fatal(err)
	}
	r.args = slices.Concat([]string{path}, args, []string{"--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", t.TempDir()})
	t.Cleanup(r.Stop)
	r.Start(t)
	return r
}

// Start starts the server again after Stop, and returns when it listens.
func (r *Redis) Start(t testing.TB) {
	t.Helper()
	r.server = exec.Command(r.args[0], r.args[1:]...)
	r.server.Stdout, r.server.Stderr = &r.out, &r.out
	if err := r.server.Start(); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); ; <-tick.C {
		c, err := net.DialTimeout("tcp", r.Addr, time.Second)
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(deadline) {
			r.Stop()
			t.Fatalf("redis-server does not listen: %v\n%s", err, r.out.Bytes())
		}
	}
}

// Stop kills the server. What it held is lost.
func (r *Redis) Stop() {
	if r.server != nil {
		r.server.Process.Kill()
		r.server.Wait()
		r.server = nil
	}
}

// Signal sends the server a signal.
func (r *Redis) Signal(t testing.TB, s os.Signal) {
	t.Helper()
	if err := r.server.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}
