package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"weir/filters"
	"weir/scoring/verdictlog"
)

// Bounds of what is told of a campaign from the verdict log.
const (
	mostLogged = 1000 // the newest messages that are looked at
	lastShown  = 10   // of them, the newest that are printed
	mostValues = 3    // of what varies, the most frequent that are named
)

// logged is what the verdict log says of a campaign.
type logged struct {
	Messages int      `json:"messages"` // looked at
	Aspects  []aspect `json:"aspects"`
	Timeline []moment `json:"timeline"`
}

// aspect is something about messages: it stays if it has one value in all of them.
type aspect struct {
	What      string  `json:"what"`
	Different int     `json:"different"`
	Most      []often `json:"most"`
}

type often struct {
	Value    string `json:"value"`
	Messages int    `json:"messages"`
}

// moment is a stretch of time with mail.
type moment struct {
	From     time.Time `json:"from"`
	Messages int       `json:"messages"`
}

// loggedOf tells what stays and what varies in all, the messages of a campaign in the order of time.
func loggedOf(all []*verdictlog.Record) logged {
	out := logged{Messages: len(all)}
	for _, look := range []struct {
		what string
		at   func(*verdictlog.Record) string
	}{
		{"network", func(r *verdictlog.Record) string { return networkOf(r.Session.Client.IP) }},
		{"HELO", func(r *verdictlog.Record) string { return r.Session.Helo }},
		{"sender", func(r *verdictlog.Record) string { return domainOf(r.Envelope.From) }},
		{"From", func(r *verdictlog.Record) string { return domainOf(r.Message.HeaderFrom) }},
		{"subject", func(r *verdictlog.Record) string { return strconv.Quote(r.Message.Subject) }},
		{"links to", func(r *verdictlog.Record) string { return strings.Join(r.Message.URLHosts, " ") }},
		{"size", func(r *verdictlog.Record) string { return strconv.Itoa(r.Envelope.Size) }},
		{"parts", func(r *verdictlog.Record) string { return strconv.Itoa(r.Message.Parts) }},
		{"attachments", func(r *verdictlog.Record) string { return strconv.Itoa(r.Message.Attachments) }},
	} {
		seen := map[string]int{}
		for _, r := range all {
			if r.Message != nil {
				seen[cmp.Or(look.at(r), "none")]++
			}
		}
		if len(seen) > 0 {
			out.Aspects = append(out.Aspects, aspect{look.what, len(seen), mostOf(seen)})
		}
	}
	out.Timeline = timelineOf(all)
	return out
}

// mostOf are the most frequent of seen.
func mostOf(seen map[string]int) []often {
	values := slices.Sorted(maps.Keys(seen))
	slices.SortStableFunc(values, func(a, b string) int { return seen[b] - seen[a] })
	var out []often
	for _, v := range values[:min(len(values), mostValues)] {
		out = append(out, often{v, seen[v]})
	}
	return out
}

// timelineOf counts all in stretches of time: ten minutes, hours or days, as they are spread.
func timelineOf(all []*verdictlog.Record) []moment {
	var out []moment
	if len(all) == 0 {
		return nil
	}
	step := 24 * time.Hour
	switch span := all[len(all)-1].Time.Sub(all[0].Time); {
	case span <= 4*time.Hour:
		step = 10 * time.Minute
	case span <= 48*time.Hour:
		step = time.Hour
	}
	for _, r := range all {
		from := r.Time.UTC().Truncate(step)
		if len(out) == 0 || !out[len(out)-1].From.Equal(from) {
			out = append(out, moment{From: from})
		}
		out[len(out)-1].Messages++
	}
	return out
}

// networkOf is the network that the client at ip is counted by.
func networkOf(ip string) string {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return ""
	}
	s := filters.Session{Addr: netip.AddrPortFrom(addr, 0)}
	if n := s.Network(); n.IsValid() {
		return n.String()
	}
	return ""
}

func domainOf(address string) string {
	return strings.ToLower(address[strings.LastIndexByte(address, '@')+1:])
}

// print writes l for people.
func (l logged) print(w io.Writer) error {
	fmt.Fprintf(w, "\nof the last %s in the verdict log\n", count(l.Messages, "message"))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, a := range l.Aspects {
		if a.Different == 1 {
			fmt.Fprintf(t, "stays\t%s\t%s\n", a.What, printable(a.Most[0].Value))
			continue
		}
		var most []string
		for _, v := range a.Most {
			most = append(most, fmt.Sprintf("%s (%d)", printable(v.Value), v.Messages))
		}
		if a.Different > len(a.Most) {
			most = append(most, "…")
		}
		fmt.Fprintf(t, "varies\t%s\t%d: %s\n", a.What, a.Different, strings.Join(most, ", "))
	}
	for _, m := range l.Timeline {
		fmt.Fprintf(t, "from\t%s\t%d\n", m.From.Format("2006-01-02 15:04"), m.Messages)
	}
	return t.Flush()
}
