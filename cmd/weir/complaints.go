package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"time"

	"weir/filters"
	"weir/filters/bulk"
	"weir/filters/dnsbl"
	"weir/filters/greylist"
	"weir/filters/store"
	"weir/scoring/verdictlog"
)

// heardAgain is how long ago something may have been said to be counted at the start: a campaign's complaints count so long.
const heardAgain = 7 * 24 * time.Hour

// heedComplaints counts, until stop is called, what people say with `weir learn` of messages in the log: each time for the
// campaign and the sender of the message. Without a log there is nothing to heed.
func heedComplaints(dir string, s store.Store, log *slog.Logger) (stop func()) {
	if dir == "" {
		return func() {}
	}
	return inBackground(func(ctx context.Context) {
		h := hearer{dir: dir, memory: s, log: log, began: time.Now()}
		tick := time.NewTicker(listsEvery)
		defer tick.Stop()
		for {
			h.hear(ctx)
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
}

// hearer counts what people say. What was said before it began, it counts again: the memory knows what it had counted, and
// counts the rest, which was said while no weir ran or after the last snapshot.
type hearer struct {
	dir    string
	memory store.Store
	log    *slog.Logger
	began  time.Time
	said   verdictlog.Complaints
	hasher store.Hasher // of the memory that has heard it: with another secret it has forgotten all
}

func (h *hearer) hear(ctx context.Context) {
	if now := h.memory.Hasher(); h.said.Dir == "" || now != h.hasher {
		h.hasher, h.said = now, verdictlog.Complaints{Dir: h.dir, Since: time.Now().Add(-heardAgain)}
	}
	all, err := h.said.Next()
	if err != nil {
		h.log.Warn("complaints are not counted", "err", err)
	}
	for _, one := range all {
		if ctx.Err() != nil {
			return
		}
		err := heed(ctx, h.dir, h.memory, one)
		if isOld := one.Time.Before(h.began); isOld && errors.Is(err, fs.ErrNotExist) {
			continue // the log has forgotten the message since
		}
		if err != nil {
			h.log.Warn("a complaint is not counted", "id", one.ID, "err", err)
		}
	}
}

// heed counts c at the time when it was said, so that it makes no difference how often.
func heed(ctx context.Context, dir string, s store.Store, c verdictlog.Complaint) error {
	r, err := verdictlog.Find(dir, c.ID)
	if err != nil {
		return err
	}
	message := c.ID + c.Time.Format(time.RFC3339Nano)
	if !c.Spam {
		message = c.ID + " not " + c.Time.Format(time.RFC3339Nano)
	}
	said := bulk.Complaint{Message: message, Spam: c.Spam}
	if r.Bulk != nil {
		said.Campaign = r.Bulk.Campaign
	}
	if r.Auth != nil {
		said.Proven = r.Auth.Domains
	}
	session, at := r.Told(), time.Now()
	if c.Time.Before(at) {
		at = c.Time
	}
	m := filters.Mail{
		At: at, Session: &session, Envelope: &filters.Envelope{From: r.Envelope.From, To: r.Envelope.To}, Auth: &filters.Auth{Domains: said.Proven},
	}
	grey := greylist.Complaint{Message: message, Client: m.Session.Network(), From: m.Envelope.From, To: m.Envelope.To, Spam: c.Spam}
	return errors.Join(bulk.Complain(ctx, s, m.At, said), greylist.Complain(ctx, s, m.At, grey), dnsbl.Complain(ctx, s, m, message, c.Spam))
}
