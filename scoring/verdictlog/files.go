package verdictlog

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Files are called verdicts-2026-11-24.jsonl after the UTC day they were written on, and when one is full the next of
// the day verdicts-2026-11-24.1.jsonl, .2 and so on. The index of each has its name and ends in .idx. Other files of the
// folder are left alone.
const (
	filePrefix = "verdicts-"
	fileSuffix = ".jsonl"
	idxSuffix  = ".idx" // instead, of what finds the records of a file
	day        = 24 * time.Hour
)

// part is one file of the log.
type part struct {
	day    time.Time // midnight UTC
	number int       // 0 for the first of the day
	size   int64     // when the folder was listed
	index  int64     // bytes of its index; 0 without one
}

// name is the file's name within the folder.
func (p part) name() string {
	if p.number == 0 {
		return filePrefix + p.day.Format(time.DateOnly) + fileSuffix
	}
	return fmt.Sprintf("%s%s.%d%s", filePrefix, p.day.Format(time.DateOnly), p.number, fileSuffix)
}

// indexName is the name of its index.
func (p part) indexName() string { return strings.TrimSuffix(p.name(), fileSuffix) + idxSuffix }

func (p part) compare(q part) int {
	return cmp.Or(p.day.Compare(q.day), cmp.Compare(p.number, q.number))
}

// mayHold reports whether a record of a time from since to until, zero for no bound, can be in the file. Records are
// written when a transaction ends, which may be on the day after its time.
func (p part) mayHold(since, until time.Time) bool {
	return (since.IsZero() || p.day.Add(day).After(since)) && (until.IsZero() || !p.day.Add(-day).After(until))
}

func parsePart(name string) (part, bool) {
	name, isOurs := strings.CutPrefix(name, filePrefix)
	name, isLog := strings.CutSuffix(name, fileSuffix)
	date, number, numbered := strings.Cut(name, ".")
	at, err := time.Parse(time.DateOnly, date)
	p := part{day: at}
	if numbered && err == nil {
		p.number, err = strconv.Atoi(number)
	}
	return p, isOurs && isLog && err == nil && (p.number > 0 || !numbered)
}

// midnight is when the UTC day of t began.
func midnight(t time.Time) time.Time { return t.UTC().Truncate(day) }

// list returns the files of the log in order of time. A folder that is not there has none.
func list(dir string) ([]part, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listing the verdict log: %w", err)
	}
	var parts []part
	for _, e := range entries {
		p, ok := parsePart(e.Name())
		if !ok {
			continue
		}
		info, err := os.Stat(filepath.Join(dir, e.Name()))
		if err != nil || info.IsDir() {
			continue // gone meanwhile, or nothing that can be read
		}
		p.size = info.Size()
		if info, err := os.Stat(filepath.Join(dir, p.indexName())); err == nil {
			p.index = info.Size()
		}
		parts = append(parts, p)
	}
	slices.SortFunc(parts, part.compare)
	return parts, nil
}
