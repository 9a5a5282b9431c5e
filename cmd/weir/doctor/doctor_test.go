package doctor

import (
	"context"
	"crypto/x509"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/cmd/weir/config"
	"weir/filters/dnsbl"
	"weir/filters/store/redisstore"
	"weir/rules"
)

func TestKnownResolvers(t *testing.T) {
	for prefix := range public {
		if p, err := netip.ParsePrefix(prefix); err != nil || p != p.Masked() {
			t.Errorf("%s: %v", prefix, err)
		}
	}
	stub := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(stub, []byte("nameserver 8.8.4.4\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for server, want := range map[string]string{
		"8.8.8.8:53": Ill, "[2606:4700:4700::1111]:53": Ill, "[::ffff:9.9.9.9]:53": Ill, "192.0.2.53:53": Sound, "127.0.0.1:53": Sound, "127.0.0.53:53": Ill,
	} {
		if got := isPublic(server, stub); got[0].State != want {
			t.Errorf("%s: %+v", server, got)
		}
	}
}

func TestJudgeCertificate(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	const day = 24 * time.Hour
	for _, c := range []struct {
		name       string
		begin, end time.Duration
		state      string
		seen       string
	}{
		{"mx1.test", -day, 60 * day, Sound, "until 2027-01-23"},
		{"*.test", -day, 60 * day, Sound, "until 2027-01-23"},
		{"www.test", -day, 60 * day, Doubtful, "for www.test, and not for mx1.test"},
		{"mx1.test", -day, 13 * day, Doubtful, "expires on 2026-12-07"},
		{"mx1.test", -9 * day, -day, Ill, "expired on 2026-11-23"},
		{"mx1.test", day, 60 * day, Ill, "begins on 2026-11-25"},
	} {
		var d Finding
		d.judge(&x509.Certificate{DNSNames: []string{c.name}, NotBefore: now.Add(c.begin), NotAfter: now.Add(c.end)}, "mx1.test", now)
		if d.State != c.state || !strings.Contains(d.Seen, c.seen) || (d.Change == "") != (c.state == Sound) {
			t.Errorf("%+v: got %+v", c, d)
		}
	}
}

func TestJudgeClock(t *testing.T) {
	now := time.Now()
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		began, now, written time.Time
		state               string
	}{
		{now, now.Add(time.Second), now, Sound},
		{at, at, at.Add(time.Hour), Ill},
		{at.AddDate(-9, 0, 0), at.AddDate(-9, 0, 0), time.Time{}, Ill},
		{now.Add(time.Hour).Round(0), now, time.Time{}, Sound}, // without a monotonic reading nothing is known
	} {
		if got := judgeClock(c.began, c.now, c.written); got.State != c.state {
			t.Errorf("%+v: got %+v", c, got)
		}
	}
}

// Who waits long before he greets may be weir.
func TestAListenerThatDoesNotGreetIsUnknown(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	d := Visit{Config: config.Defaults()}
	if got := d.listener(ctx, config.Listen{Name: "smtp", Addr: silent.Addr().String()}); got.State != Doubtful || !strings.Contains(got.Seen, "does not greet in time") {
		t.Errorf("%+v", got)
	}
}

func TestASlowListIsDoubtful(t *testing.T) {
	z := rules.Zone{ID: "BL", Display: "bl.test"}
	for took, want := range map[time.Duration]string{900 * time.Millisecond: Sound, 1100 * time.Millisecond: Doubtful} {
		if got := listFound(&z, dnsbl.Health{Took: took}); got.State != want || (got.Change == "") != (want == Sound) {
			t.Errorf("%s: %+v", took, got)
		}
	}
}

func TestSpaceFor(t *testing.T) {
	for _, c := range []struct {
		free, wanted int64
		state        string
	}{{10 << 30, 5 << 30, Sound}, {1 << 30, 5 << 30, Doubtful}, {1 << 20, 0, Ill}, {1 << 30, -5, Sound}} {
		if got := spaceFor("/", c.free, c.wanted); got.State != c.state {
			t.Errorf("%+v: got %+v", c, got)
		}
	}
}

// What a Redis on the loopback is hard to bring to.
func TestDoctorJudgesRedis(t *testing.T) {
	for _, c := range []struct {
		facts         redisstore.Facts
		state, memory string
	}{
		{redisstore.Facts{Version: "7.0.15", Role: "master"}, Sound, Sound},
		{redisstore.Facts{Version: "5.0.14", Role: "master"}, Ill, Sound},
		{redisstore.Facts{Version: "8.1.0", Role: "master", Max: 1 << 30, Policy: "volatile-lru", Evicted: 3}, Sound, Doubtful},
	} {
		found := Finding{}.shares(c.facts)
		if found[0].State != c.state || found[1].State != c.memory {
			t.Errorf("%+v: %+v", c.facts, found)
		}
	}
}
