package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"weir/scoring/verdictlog"
)

func TestLoggedOf(t *testing.T) {
	var all []*verdictlog.Record
	for i := range 12 {
		all = append(all, &verdictlog.Record{
			Time:     time.Date(2026, 11, 22, 9, 5*i, 0, 0, time.UTC),
			Session:  verdictlog.Session{Helo: "pc", Client: verdictlog.Client{IP: fmt.Sprintf("192.0.%d.%d", i%2, i)}},
			Envelope: verdictlog.Envelope{From: fmt.Sprintf("a@d%d.example", i%4), Size: 700 + i},
			Message:  &verdictlog.Message{Subject: fmt.Sprintf("offer %d\x1b", i/8), HeaderFrom: "B@shop.EXAMPLE", Parts: 1},
		})
	}
	all = append(all, &verdictlog.Record{Time: all[11].Time}) // refused before DATA
	var b strings.Builder
	if err := loggedOf(all).print(&b); err != nil {
		t.Fatal(err)
	}
	want := `
of the last 13 messages in the verdict log
varies  network           2: 192.0.0.0/24 (6), 192.0.1.0/24 (6)
stays   HELO              pc
varies  sender            4: d0.example (3), d1.example (3), d2.example (3), …
stays   From              shop.example
varies  subject           2: "offer 0\x1b" (8), "offer 1\x1b" (4)
stays   links to          none
varies  size              12: 700 (1), 701 (1), 702 (1), …
stays   parts             1
stays   attachments       0
from    2026-11-22 09:00  2
from    2026-11-22 09:10  2
from    2026-11-22 09:20  2
from    2026-11-22 09:30  2
from    2026-11-22 09:40  2
from    2026-11-22 09:50  3
`
	if got := b.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := loggedOf(nil); got.Messages != 0 || got.Aspects != nil || got.Timeline != nil {
		t.Errorf("of nothing: %+v", got)
	}
	all[11].Time, all[12].Time = all[0].Time.Add(time.Hour*100), all[0].Time.Add(time.Hour*101)
	if got := loggedOf(all).Timeline; len(got) != 2 || got[0].Messages != 11 || got[1].Messages != 2 {
		t.Errorf("over days: %+v", got)
	}
}
