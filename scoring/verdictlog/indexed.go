package verdictlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"weir/rules"
	"weir/scoring/verdictlog/index"
)

// This file is what an index knows of a record, and how a query finds it there. An index only says which lines to look
// at: each is decoded and matched as without one.

// Kinds of names in an index.
const (
	nameAction uint8 = iota
	nameRule
	nameShadow
	nameError // check, rule and kind
	namePolicy
	nameScore  // in hundredths
	nameNobody // "", of the null sender
	nameTried  // the action under the rules on trial, where it is another one, or nameUnknown
)

// nameUnknown is the action under the rules on trial where nobody knows it.
const nameUnknown = "unknown"

// Fields of texts in an index. All are folded.
const (
	textSender    uint8 = iota
	textRecipient       // those refused as well
	textSubject
	textOther  // names of the client, ids, the campaign
	textTerms  // no texts, but terms: the networks that the client is in, the id, the digest of the message
	textFields // how many there are
)

// addTo adds what can be found of r to an index.
func addTo(b *index.Builder, r *Record) {
	b.Name(nameAction, r.Verdict.Action.String())
	b.Name(namePolicy, r.Verdict.Policy)
	b.Name(nameScore, strconv.Itoa(int(r.Verdict.Score)))
	for _, h := range r.Hits {
		b.Name(nameRule, h.Rule)
	}
	for _, h := range r.Shadow {
		b.Name(nameShadow, h.Rule)
	}
	for _, e := range r.Errors {
		b.Name(nameError, e.Check)
		b.Name(nameError, e.Rule)
		b.Name(nameError, e.Kind)
	}
	if r.Envelope.From == "" {
		b.Name(nameNobody, "")
	}
	if c := r.Candidate; c.Differs() {
		b.Name(nameTried, c.Action.String())
	} else if c != nil {
		b.Name(nameTried, nameUnknown)
	}
	add := func(field uint8, texts ...string) {
		for _, text := range texts {
			b.Text(field, fold(text))
		}
	}
	add(textSender, r.Envelope.From)
	add(textRecipient, recipients(r)...)
	add(textOther, r.Session.Helo, r.Session.Client.RDNS, r.Session.Client.IP, r.ID, r.Session.ID)
	if m := r.Message; m != nil {
		add(textSender, m.HeaderFrom)
		add(textSubject, m.Subject)
		add(textOther, m.MessageID)
	}
	if r.Outcome.Bulk != nil {
		add(textOther, r.Outcome.Bulk.Campaign)
	}
	addTerms(b, r)
}

func addTerms(b *index.Builder, r *Record) {
	b.Term(textTerms, r.ID)
	if r.Message != nil {
		b.Term(textTerms, r.Message.SHA256)
	}
	ip, err := netip.ParseAddr(r.Session.Client.IP)
	if err != nil {
		return
	}
	for _, bits := range networkBits(ip) {
		b.Term(textTerms, networkTerm(netip.PrefixFrom(ip, bits)))
	}
}

// networkBits is how long the prefixes of the networks are that an address is found by.
func networkBits(ip netip.Addr) []int {
	if ip.Is4() {
		return []int{4, 8, 12, 16, 20, 24, 28, 32}
	}
	return []int{16, 32, 40, 48, 56, 64, 96, 128}
}

// networkTerm is the term of a network.
func networkTerm(p netip.Prefix) string {
	p = p.Masked()
	return string(append(p.Addr().AsSlice(), byte(p.Bits())))
}

// named finds by names of a kind.
func named(kind uint8, like func(string) bool) func(*index.File) (index.Set, bool, error) {
	return func(f *index.File) (index.Set, bool, error) {
		found, err := f.Named(kind, like)
		return found, true, err
	}
}

// scored finds by the score.
func scored(like func(rules.Points) bool) func(*index.File) (index.Set, bool, error) {
	return named(nameScore, func(value string) bool {
		score, err := strconv.Atoi(value)
		return err == nil && like(rules.Points(score))
	})
}

// holding finds by a folded text that is in one of the fields.
func holding(text string, fields ...uint8) func(*index.File) (index.Set, bool, error) {
	return func(f *index.File) (index.Set, bool, error) {
		found := f.None()
		for _, field := range fields {
			s, err := f.WithText(field, text)
			if err != nil {
				return nil, false, err
			}
			found.Or(s)
		}
		return found, false, nil
	}
}

// addressed finds by an address, a @domain or a part of either, as address does.
func addressed(value string, field uint8) func(*index.File) (index.Set, bool, error) {
	return holding(strings.TrimPrefix(fold(strings.Trim(value, "<>")), "@"), field)
}

// within finds by the network of the client.
func within(network netip.Prefix) func(*index.File) (index.Set, bool, error) {
	return func(f *index.File) (index.Set, bool, error) {
		wider := -1
		for _, bits := range networkBits(network.Addr()) {
			if bits <= network.Bits() {
				wider = bits
			}
		}
		if wider < 0 {
			return f.All(), false, nil
		}
		found, err := f.WithTerm(textTerms, networkTerm(netip.PrefixFrom(network.Addr(), wider)))
		return found, false, err
	}
}

// narrowed finds those for which the word without its minus may hold.
func (t term) narrowed(f *index.File) (found index.Set, exact bool, err error) {
	if t.narrow == nil {
		return f.All(), false, nil
	}
	found, exact, err = t.narrow(f)
	if err != nil || t.other == nil {
		return found, exact, err
	}
	others, sure, err := t.other.narrow(f)
	if err == nil {
		found.Or(others)
	}
	return found, exact && sure, err
}

// narrow finds those records that q may find, and says whether it is those exactly.
func (q Query) narrow(f *index.File) (index.Set, bool, error) {
	found, exact := f.All(), true
	for _, t := range q.terms {
		s, sure, err := t.narrowed(f)
		switch {
		case err != nil:
			return nil, false, err
		case !t.not:
			found.And(s)
		case sure:
			found.Without(s)
		}
		exact = exact && sure
	}
	first, last := f.Source.First, f.Source.Last
	early := !q.Since.IsZero() && last < q.Since.UnixMicro()
	late := !q.Until.IsZero() && first > q.Until.UnixMicro()
	if early || late {
		return f.None(), true, nil
	}
	within := (q.Since.IsZero() || first > q.Since.UnixMicro()) && (q.Until.IsZero() || last < q.Until.UnixMicro())
	return found, exact && within, nil
}

// candidates are the lines of a file that a query may find.
type candidates struct {
	file   *os.File
	starts []uint32 // of all records
	size   int64
	found  index.Set
	exact  bool // it finds all of these
}

// candidates looks them up in the file's index; nil if there is none that can be used, or nothing to look up.
func (s *scan) candidates(p part) (*candidates, error) {
	if p.index == 0 || len(s.query.terms) == 0 && s.query.Since.IsZero() && s.query.Until.IsZero() {
		return nil, nil
	}
	file, err := openPart(s.dir, p)
	if file == nil {
		return nil, err
	}
	f := openIndex(s.dir, p, file)
	if f == nil {
		return nil, file.Close()
	}
	defer f.Close()
	c := &candidates{file: file, size: f.Source.Size}
	c.found, c.exact, err = s.query.narrow(f)
	if err == nil && s.sieve.marked {
		err = s.narrowToMarked(f, c.found)
	}
	if err == nil && c.found.Len() > 0 {
		c.starts, err = f.Starts()
	}
	if err != nil {
		return nil, file.Close() // it is broken: without it nothing is missed
	}
	return c, nil
}

// narrowToMarked keeps of found those of whose messages something may have been said.
func (s *scan) narrowToMarked(f *index.File, found index.Set) error {
	if err := s.readMarks(); err != nil {
		return err
	}
	marked := f.None()
	for key := range s.marks {
		if at, ok := IDTime(key); ok && (at.UnixMicro() < f.Source.First-day.Microseconds() || at.UnixMicro() > f.Source.Last+day.Microseconds()) {
			continue // an id is made when its record is, within a day
		}
		with, err := f.WithTerm(textTerms, key)
		if err != nil {
			return err
		}
		marked.Or(with)
	}
	found.And(marked)
	return nil
}

// openIndex opens the index of p, whose file is open; nil if there is none, or not of the file as it is.
func openIndex(dir string, p part, file *os.File) *index.File {
	f, err := index.Open(filepath.Join(dir, p.indexName()))
	if err != nil {
		return nil
	}
	info, err := file.Stat()
	if err != nil || f.Source.Size != p.size || p.size != info.Size() || f.Source.Changed != info.ModTime().UnixNano() {
		f.Close()
		return nil
	}
	return f
}

func (c *candidates) close() { c.file.Close() }

// lines calls each with the lines of records, in their order. ctx ends it.
func (c *candidates) lines(records iter.Seq[int], ctx func() error, each func(line []byte) error) error {
	var buffer []byte
	n := 0
	for i := range records {
		if n++; n%often == 0 && ctx() != nil {
			return ctx()
		}
		end := c.size
		if i+1 < len(c.starts) {
			end = int64(c.starts[i+1])
		}
		start := int64(c.starts[i])
		if start > end || end > c.size {
			return fmt.Errorf("reading the verdict log: %s: its index is broken; remove it", c.file.Name())
		}
		if need := int(end - start); cap(buffer) < need {
			buffer = make([]byte, need)
		}
		line := buffer[:end-start]
		if _, err := c.file.ReadAt(line, start); err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("reading the verdict log: %w", err)
		}
		line, _, _ = bytes.Cut(line, []byte("\n"))
		if err := each(line); err != nil {
			return err
		}
	}
	return nil
}
