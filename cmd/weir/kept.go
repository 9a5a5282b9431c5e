package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"strings"

	"weir/scoring/verdictlog"
	"weir/scoring/verdictlog/bodies"
)

// shelf is the messages kept beside the verdict log in dir. It is to be closed.
func (a *app) shelf(dir string) (*bodies.Shelf, error) {
	s, err := bodies.Look(verdictlog.Bodies(dir))
	if err != nil {
		return nil, exit{exitIO, err}
	}
	return s, nil
}

// keptMessage is the message of the verdict whose id is name or begins so, and its record.
func (a *app) keptMessage(dir, name string) (*verdictlog.Record, []byte, error) {
	r, err := verdictlog.Find(dir, name)
	if err != nil {
		return nil, nil, exit{exitNoInput, err}
	}
	s, err := a.shelf(dir)
	if err != nil {
		return nil, nil, err
	}
	defer s.Close()
	raw, err := s.Get(r.ID)
	if err != nil {
		return r, nil, exit{exitNoInput, fmt.Errorf("%w\n  verdicts.bodies in weir.yaml says which messages are kept, and how long", err)}
	}
	return r, raw, nil
}

// isID reports whether name can be the id of a verdict, or its beginning.
func isID(name string) bool {
	const least, letters = 10, 26
	if len(name) < least || len(name) > letters {
		return false
	}
	_, ok := verdictlog.IDTime(strings.ToUpper(name) + strings.Repeat("0", letters-len(name)))
	return ok
}

// keptAmong parts the ids of verdicts from the names of files.
func keptAmong(args []string) (ids, files []string) {
	for _, arg := range args {
		if _, err := os.Stat(arg); isID(arg) && errors.Is(err, fs.ErrNotExist) {
			ids = append(ids, arg)
		} else {
			files = append(files, arg)
		}
	}
	return ids, files
}

// eachKept calls each with kept messages as they came.
func (a *app) eachKept(ids []string, each func(path string, s submission) error) error {
	if len(ids) == 0 {
		return nil
	}
	dir, err := a.verdictDir("")
	if err != nil {
		return exit{exitNoInput, fmt.Errorf("there is no file %s, nor a log to look for it in: %w", ids[0], err)}
	}
	for _, id := range ids {
		r, raw, err := a.keptMessage(dir, id)
		if err != nil {
			return err
		}
		if err := each(r.ID, recordedSubmission(r, raw)); err != nil {
			return err
		}
	}
	return nil
}

// recordedSubmission is a message as it came, as far as its record tells.
func recordedSubmission(r *verdictlog.Record, raw []byte) submission {
	s := submission{at: r.Time, client: netip.IPv4Unspecified(), session: r.Told(), from: r.Envelope.From, to: r.Envelope.To, raw: raw}
	if client := s.session.Addr.Addr(); client.IsValid() {
		s.client = client
	}
	return s
}
