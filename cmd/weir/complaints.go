package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"weir/filters"
	"weir/filters/bulk"
	"weir/filters/dnsbl"
	"weir/filters/greylist"
	"weir/filters/store"
	"weir/scoring/verdictlog"
)

// heedComplaints counts, until stop is called, what people say with `weir learn` of messages in the log: each time for the
// campaign and the sender of the message. Without a log there is nothing to heed.
func heedComplaints(dir string, s store.Store, log *slog.Logger) (stop func()) {
	if dir == "" {
		return func() {}
	}
	return inBackground(func(ctx context.Context) {
		c := verdictlog.Complaints{Dir: dir}
		tick := time.NewTicker(listsEvery)
		defer tick.Stop()
		for {
			all, err := c.Next()
			if err != nil {
				log.Warn("complaints are not counted", "err", err)
			}
			for _, one := range all {
				if err := heed(ctx, dir, s, one); err != nil {
					log.Warn("a complaint is not counted", "id", one.ID, "err", err)
				}
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
}

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
	session := r.Told()
	m := filters.Mail{
		At: time.Now(), Session: &session, Envelope: &filters.Envelope{From: r.Envelope.From, To: r.Envelope.To}, Auth: &filters.Auth{Domains: said.Proven},
	}
	grey := greylist.Complaint{Message: message, Client: m.Session.Network(), From: m.Envelope.From, To: m.Envelope.To, Spam: c.Spam}
	return errors.Join(bulk.Complain(ctx, s, m.At, said), greylist.Complain(ctx, s, m.At, grey), dnsbl.Complain(ctx, s, m, message, c.Spam))
}
