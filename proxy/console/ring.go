package console

import (
	"bytes"
	"encoding/json"
	"slices"
	"sync"

	"weir/scoring/verdictlog"
)

// Bounds of what is kept of the last records.
const (
	keptRecords = 1000
	keptBytes   = 4 << 20
)

// ring keeps the last records as JSON lines, so that nothing of a message is kept alive by them. The zero value is ready.
type ring struct {
	mu    sync.Mutex
	lines [][]byte // the newest last
	bytes int
}

// add keeps r, and drops the oldest for it. A record larger than all that is kept is left out.
func (k *ring) add(r *verdictlog.Record) {
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(r); err != nil || line.Len() > keptBytes {
		return // as the verdict log, which says so
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.lines = append(k.lines, bytes.Clone(line.Bytes()))
	k.bytes += line.Len()
	for len(k.lines) > keptRecords || k.bytes > keptBytes {
		k.bytes -= len(k.lines[0])
		k.lines[0] = nil
		k.lines = k.lines[1:]
	}
}

// all returns the lines, the newest last.
func (k *ring) all() [][]byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.lines)
}

// entry is a record and its line.
type entry struct {
	verdictlog.Record
	line []byte
}

// find returns the last n records that q finds, the newest last.
func (k *ring) find(q verdictlog.Query, n int) []entry {
	var found []entry
	for _, line := range slices.Backward(k.all()) {
		if len(found) == n {
			break
		}
		if r, err := verdictlog.ReadRecord(line); err == nil && q.Match(r) {
			found = append(found, entry{*r, line})
		}
	}
	slices.Reverse(found)
	return found
}
