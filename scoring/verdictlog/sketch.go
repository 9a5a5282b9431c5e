package verdictlog

import (
	"encoding/json"
	"errors"
)

// sections are parts of a record. To tell whether a query finds it, only those are decoded that its words read.
type sections uint8

const (
	inSession sections = 1 << iota
	inEnvelope
	inMessage
	inVerdict
	inBulk
	inCandidate
	inAll // of it everything
)

// reads are the sections that q reads.
func (q Query) reads() sections {
	var all sections
	for _, t := range q.terms {
		for _, m := range []*matcher{&t.matcher, t.other} {
			switch {
			case m == nil:
			case m.reads == 0:
				all |= inAll
			default:
				all |= m.reads
			}
		}
	}
	return all
}

// sketch decodes sections of the record on a line, with its time and id. It reports false if the line is no record.
func sketch(line []byte, wanted sections) (*Record, bool) {
	r := &Record{}
	var failed error
	decode := func(section sections, value []byte, to any) {
		if wanted&section != 0 && failed == nil {
			failed = json.Unmarshal(value, to)
			wanted &^= section
		}
	}
	whole := fieldsWhile(line, func(name, value []byte) bool {
		switch string(name) {
		case "schema":
			r.Schema = string(Text(value))
		case "id":
			r.ID = string(Text(value))
		case "time":
			failed = errors.Join(failed, json.Unmarshal(value, &r.Time))
		case "session":
			decode(inSession, value, &r.Session)
		case "envelope":
			decode(inEnvelope, value, &r.Envelope)
		case "message":
			decode(inMessage, value, &r.Message)
		case "verdict":
			decode(inVerdict, value, &r.Verdict)
		case "bulk":
			decode(inBulk, value, &r.Outcome.Bulk)
		case "candidate":
			decode(inCandidate, value, &r.Outcome.Candidate)
		}
		return wanted != 0 || r.Schema == "" || r.ID == "" || r.Time.IsZero()
	})
	return r, whole && failed == nil && r.Schema == Schema
}

// finds reports whether line is a record that the query finds.
func (s *scan) finds(line []byte) (found bool, err error) {
	if s.reads&inAll != 0 {
		err = s.line(line, func(*Record) error { found = true; return nil })
		return found, err
	}
	if len(line) == 0 || !s.sieve.passes(line) {
		return false, nil
	}
	r, ok := sketch(line, s.reads)
	return ok && s.query.Match(r), nil
}
