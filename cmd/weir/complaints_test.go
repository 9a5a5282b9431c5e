package main

import (
	"net/netip"
	"testing"
	"time"

	"weir/filters"
	"weir/filters/greylist"
	"weir/filters/store"
	"weir/rules"
	"weir/scoring/verdictlog"
)

// Whose message people call spam waits anew, until that is taken back; a message of nobody changes nothing.
func TestComplaintsReachTheGreylist(t *testing.T) {
	sent, nobodys := judgedRecord(), judgedRecord()
	sent.Session.Client.IP, sent.Envelope.From, sent.Envelope.To = "192.0.2.9", "a@b.example", []string{"bob@example.org"}
	dir := keepRecords(t, []verdictlog.Record{sent, nobodys})
	ids := idsOf(t, dir)
	memory := store.NewMemory(1 << 20)
	check := greylist.New(&rules.Greylist{Wait: 5 * time.Minute, Expire: 36 * 24 * time.Hour}, memory)
	at := time.Now().Add(-24 * time.Hour)
	waits := func(want bool) {
		t.Helper()
		r, err := check.Run(t.Context(), filters.Mail{At: at, Session: &filters.Session{Addr: netip.MustParseAddrPort("192.0.2.7:25")},
			Envelope: &filters.Envelope{From: "a@b.example", To: []string{"carol@example.org"}}})
		if err != nil || (len(r.Hits) > 0) != want {
			t.Errorf("%v, %v, want %v", r.Hits, err, want)
		}
		at = at.Add(25 * time.Hour)
	}
	learn := func(id string, spam bool) {
		t.Helper()
		if err := heed(t.Context(), dir, memory, verdictlog.Complaint{Time: time.Now(), ID: id, Spam: spam}); err != nil {
			t.Fatal(err)
		}
	}
	waits(true)
	waits(false)
	learn(ids[1], true)
	waits(false)
	learn(ids[0], true)
	waits(true)
	waits(false)
	learn(ids[0], false)
	waits(false)
}

// A complaint counts for the campaign, for the proven sender, for the two who are known by it, and for the greylist.
func TestWhatAComplaintCountsFor(t *testing.T) {
	sent := judgedRecord()
	sent.Session.Client.IP, sent.Envelope.From = "203.0.113.9", "a@b.example"
	sent.Auth = &verdictlog.Auth{Domains: []string{"b.example"}}
	sent.Bulk = &filters.Bulk{Campaign: "c0000002a"}
	dir := keepRecords(t, []verdictlog.Record{sent})
	memory := store.NewMemory(1 << 20)
	for range 2 {
		if err := heed(t.Context(), dir, memory, verdictlog.Complaint{ID: idsOf(t, dir)[0], Spam: true}); err != nil {
			t.Fatal(err)
		}
	}
	if counters, _ := memory.Usage(); counters != 5 {
		t.Errorf("%d counters", counters)
	}
}
