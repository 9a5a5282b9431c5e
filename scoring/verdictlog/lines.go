package verdictlog

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	readSize = 256 << 10
	maxLine  = 4 << 20 // bytes of one record; longer lines are passed over
)

// ReadRecord reads one line of a verdict log, or what `weir check --json` prints.
func ReadRecord(line []byte) (*Record, error) {
	var r Record
	if err := json.Unmarshal(line, &r); err != nil {
		return nil, fmt.Errorf("reading a verdict record: %w", err)
	}
	if r.Schema != Schema {
		return nil, fmt.Errorf("reading a verdict record: its schema is %q, not %q", r.Schema, Schema)
	}
	return &r, nil
}

// lines reads a growing file line by line in bounded memory.
type lines struct {
	in   *bufio.Reader
	part []byte // of a line whose end has not been read
	skip bool   // that line is too long

	start, end int64 // where that line, or the last one returned, begins; what has been read
}

func newLines(r io.Reader) *lines { return &lines{in: bufio.NewReaderSize(r, readSize)} }

// next returns the next line without its end. It is valid until the next call. At the end of what there is it returns
// io.EOF; when the file has grown, a line begun before is returned whole.
func (l *lines) next() ([]byte, error) {
	for {
		piece, err := l.in.ReadSlice('\n')
		ended := err == nil
		if len(l.part) == 0 && !l.skip {
			l.start = l.end
		}
		l.end += int64(len(piece))
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if ended && len(l.part) == 0 && !l.skip {
			return piece[:len(piece)-1], nil
		}
		if len(l.part)+len(piece) > maxLine {
			l.part, l.skip = l.part[:0], true
		}
		if !l.skip {
			l.part = append(l.part, piece...)
		}
		switch {
		case ended && l.skip:
			l.skip = false
		case ended:
			line := l.part[:len(l.part)-1]
			l.part = l.part[:0]
			return line, nil
		case errors.Is(err, io.EOF):
			return nil, io.EOF
		}
	}
}

// rest is the line that has no end, once next has returned io.EOF.
func (l *lines) rest() []byte { return []byte(strings.TrimSpace(string(l.part))) }
