package backend

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/proxy/backend/sink"
)

// After its time a server that was down gets one client, and the others when that one was served.
func TestOneAloneTriesWhatWasDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &Backend{Addrs: []string{"a:25", "b:25"}}
		b.mark("a:25", errors.New("gone"))
		time.Sleep(downFor)
		if got := leader(t, b); got != "a:25" {
			t.Errorf("first %s after its time", got)
		}
		b.try("a:25")
		if got := leader(t, b); got != "b:25" {
			t.Errorf("first %s while somebody tries", got)
		}
		b.mark("a:25", errors.New("gone again"))
		time.Sleep(downFor)
		if got := leader(t, b); got != "b:25" {
			t.Errorf("first %s before its longer time is over", got)
		}
		time.Sleep(downFor)
		b.try("a:25")
		b.mark("a:25", nil)
		if got := leader(t, b); got != "a:25" {
			t.Errorf("first %s when it is well", got)
		}
	})
}

// One that was sick is tried by one transaction: if that fails it is sick for longer, and at once.
func TestOneFailureIsEnoughOfWhoWasSick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &Backend{Addrs: []string{"a:25", "b:25"}}
		for range maxStrikes {
			b.strike("a:25", true)
		}
		b.mark("a:25", nil) // it greets, which proves nothing
		if got := leader(t, b); got != "b:25" {
			t.Errorf("first %s", got)
		}
		time.Sleep(sickFor)
		b.strike("a:25", true)
		time.Sleep(2*sickFor - time.Second)
		if got := leader(t, b); got != "b:25" {
			t.Errorf("first %s before its longer time is over", got)
		}
		time.Sleep(time.Second)
		b.try("a:25")
		if got := leader(t, b); got != "b:25" {
			t.Errorf("first %s while somebody tries", got)
		}
		b.strike("a:25", false)
		if got := leader(t, b); got != "a:25" {
			t.Errorf("first %s when it is well", got)
		}
		b.strike("a:25", true)
		if got := leader(t, b); got != "a:25" {
			t.Error("one failure of who was well is enough")
		}
	})
}

// Probes come before clients would, ever more seldom.
func TestProbesBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f fate
		began, probes := time.Now(), 0
		for time.Since(began) < 10*time.Minute {
			if now := time.Now(); f.due(now) {
				if probes > 0 && !f.down(now) {
					t.Fatal("a client may have come before the probe")
				}
				probes++
				f.away.begin(now, downFor, maxDown)
			}
			time.Sleep(CheckPeriod / 2)
		}
		if probes < 8 || probes > 15 {
			t.Errorf("%d probes in ten minutes", probes)
		}
	})
}

// A server that accepts and says nothing is probed once at a time, and for so long only.
func TestAProbeHasAnEnd(t *testing.T) {
	s, b := start(t)
	s.Set(sink.Script{On: map[sink.Stage]sink.Action{sink.Banner: {Kind: sink.Hang}}})
	ctx, cancel := context.WithCancel(t.Context())
	var checks sync.WaitGroup
	for range 5 {
		checks.Go(func() { b.Check(ctx) })
	}
	until(t, "probe", func() bool { return s.Conns() > 0 })
	cancel()
	checks.Wait()
	if n := s.Conns(); n != 1 {
		t.Errorf("%d probes at once", n)
	}
	if b.isDown(s.Addr(), time.Now()) {
		t.Error("our own end counts against the server")
	}
	began := time.Now()
	if err := b.greet(t.Context(), s.Addr()); err == nil || time.Since(began) > probeFor/2 {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
}

// Of servers that offer different things the client is offered what all that are up take.
func TestOnlyTheServersThatAreUpCount(t *testing.T) {
	b := &Backend{Addrs: []string{"a:25", "b:25"}}
	b.learn("a:25", Extensions{"SIZE": "1000", "DSN": "", "8BITMIME": ""})
	b.learn("b:25", Extensions{"SIZE": "500", "SMTPUTF8": "", "8BITMIME": ""})
	if e := b.Offers(); e.MaxSize() != 500 || e.Has("DSN") || e.Has("SMTPUTF8") || !e.Has("8BITMIME") {
		t.Errorf("offers %v", e)
	}
	b.mark("b:25", errors.New("gone"))
	if e := b.Offers(); e.MaxSize() != 1000 || !e.Has("DSN") || e.Has("SMTPUTF8") {
		t.Errorf("offers %v when one is down", e)
	}
	b.mark("a:25", errors.New("gone"))
	if e := b.Offers(); e.MaxSize() != 500 || e.Has("DSN") {
		t.Errorf("offers %v when both are down", e)
	}
}
