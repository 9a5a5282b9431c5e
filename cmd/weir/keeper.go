package main

import (
	"errors"
	"fmt"
	"log/slog"

	"weir/cmd/weir/config"
	"weir/proxy/console"
	"weir/scoring/verdictlog"
	"weir/scoring/verdictlog/bodies"
)

// keeper takes verdict records: it makes them as private as is said, logs them, keeps them if there is a folder for it, with
// their messages if those are wanted, and shows them.
type keeper struct {
	private *verdictlog.Redactor
	log     *slog.Logger
	to      *verdictlog.Log         // nil without one
	bodies  *bodies.Keeper          // nil if no messages are kept
	of      config.Bodies           // which
	show    func(verdictlog.Record) // may be nil; set before the first record
}

// newKeeper starts the verdict log; without a folder verdicts are only logged.
func newKeeper(c config.Config, log *slog.Logger) (*keeper, error) {
	v := c.Verdicts
	private, err := c.Privacy.Redactor(v.Dir)
	if err != nil {
		return nil, exit{exitIO, err}
	}
	k := &keeper{private: private, log: log, of: v.Bodies}
	if v.Dir == "" {
		return k, nil
	}
	k.to, err = verdictlog.Open(verdictlog.Options{
		Dir: v.Dir, Keep: v.Keep, MaxSize: int64(v.MaxSize),
		Warn: func(err error) { log.Warn("verdict log", "err", err) },
	})
	if err != nil {
		return nil, exit{exitIO, fmt.Errorf("opening the verdict log: %w", err)}
	}
	if !v.Bodies.Keeps() {
		return k, nil
	}
	k.bodies, err = bodies.Open(bodies.Options{
		Dir: verdictlog.Bodies(v.Dir), Keep: v.Bodies.Keep, MaxSize: int64(v.Bodies.Max),
		Warn: func(err error) { log.Warn("kept messages", "err", err) },
	})
	if err != nil {
		return nil, exit{exitIO, errors.Join(err, k.to.Close())}
	}
	return k, nil
}

func (k *keeper) record(r verdictlog.Record, message []byte) {
	if k.bodies != nil && message != nil && k.of.Wants(r) {
		k.bodies.Put(r.ID, message)
	}
	r = k.private.Redact(r)
	k.log.Info("verdict", "id", r.ID, "action", r.Verdict.Action, "score", r.Verdict.Score, "at", r.Verdict.At,
		"client", r.Session.Client.IP, "from", r.Envelope.From, "to", r.Envelope.To, "reply", r.Verdict.Reply.Code)
	if k.to != nil {
		k.to.Put(r)
	}
	if k.show != nil {
		k.show(r)
	}
}

// messages says how those fare that are kept; nil if none are.
func (k *keeper) messages() *console.Messages {
	if k.bodies == nil {
		return nil
	}
	m := &console.Messages{Bytes: k.bodies.Size(), Waiting: k.bodies.Waiting(), Dropped: k.bodies.Lost()}
	if err := k.bodies.Stuck(); err != nil {
		m.Trouble = err.Error()
	}
	return m
}

func (k *keeper) close() {
	if k.to != nil {
		if err := k.to.Close(); err != nil {
			k.log.Warn("verdict log", "err", err)
		}
	}
	if k.bodies != nil {
		if err := k.bodies.Close(); err != nil {
			k.log.Warn("kept messages", "err", err)
		}
	}
}
