package main

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"
	"weir/rules"
	"weir/rules/strict"
	"weir/scoring/verdictlog"
	"weir/scoring/verdictlog/bodies"
)

// bodiesConfig says which messages are kept beside the verdict log.
type bodiesConfig struct {
	Of    string        `yaml:"of"`
	Keep  time.Duration `yaml:"keep"`
	Max   strict.Size   `yaml:"max"`
	OneIn int           `yaml:"one_in"` // with sample
}

// Whose messages are kept.
const (
	bodiesOfNone    = "none"
	bodiesOfAll     = "all"
	bodiesOfRefused = "refused" // or deferred, whoever did, also where it was only decided
	bodiesOfSample  = "sample"
)

func defaultBodies() bodiesConfig {
	return bodiesConfig{Of: bodiesOfNone, Keep: 7 * 24 * time.Hour, Max: 2 << 30, OneIn: 10}
}

// smallestBodies is the least that kept messages may take: less holds nothing worth the name.
const smallestBodies = 1 << 20

func (c config) findInBodies(f *finder) {
	b := c.Verdicts.Bodies
	f.want(slices.Contains([]string{bodiesOfNone, bodiesOfAll, bodiesOfRefused, bodiesOfSample}, b.Of), "verdicts.bodies.of", "want none, all, refused or sample")
	f.want(b.Keep > 0, "verdicts.bodies.keep", "must be more than nothing")
	f.want(b.Max >= smallestBodies, "verdicts.bodies.max", "must be 1MiB or more")
	f.want(b.OneIn > 0, "verdicts.bodies.one_in", "must be more than 0")
	keeps := b.Of != bodiesOfNone
	_, said := f.doc.At("verdicts.bodies")
	f.want(!said || f.says("verdicts.bodies.of"), "verdicts.bodies", "keeps nothing: say of: all, refused or sample")
	f.want(b.Of == bodiesOfSample || !f.says("verdicts.bodies.one_in"), "verdicts.bodies.one_in", "is for of: sample")
	f.want(!keeps || c.Verdicts.Dir != "", "verdicts.bodies", "are kept beside the verdict log: verdicts: { dir: FOLDER }")
	open := string(verdictlog.Keep)
	f.want(!keeps || c.Privacy.LocalPart == open && c.Privacy.Subject == open, "verdicts.bodies",
		"keeps whole messages, with the addresses and subjects that privacy says to hash or drop: have one or the other")
}

// says reports whether the document has the key.
func (f *finder) says(key string) bool {
	_, ok := f.doc.At(key)
	return ok
}

// wants reports whether the message of r is to be kept. Which are in the sample follows from their ids.
func (b bodiesConfig) wants(r verdictlog.Record) bool {
	switch b.Of {
	case bodiesOfAll:
		return true
	case bodiesOfRefused:
		return r.Verdict.Action >= rules.Defer
	case bodiesOfSample:
		hash := fnv.New32a()
		hash.Write([]byte(r.ID))
		return hash.Sum32()%uint32(b.OneIn) == 0
	}
	return false
}

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
