package verdictlog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Complaint is that somebody has called a message spam that had not been called so, or has taken that back.
type Complaint struct {
	Time time.Time
	ID   string // of the verdict
	Spam bool
}

// Complaints follows what is said of messages beside the log in Dir, from Since on. One goroutine may use it.
type Complaints struct {
	Dir   string
	Since time.Time
	marks Marks
	at    int64
}

// followedAtOnce bounds how many bytes are read at once.
const followedAtOnce = 1 << 20

// Next returns what has been said since the last call; the first call what was said from Since on.
func (c *Complaints) Next() ([]Complaint, error) {
	if c.marks == nil {
		c.marks = Marks{}
	}
	var all []Complaint
	for {
		before := c.at
		some, err := c.read()
		if err != nil || c.at == before {
			return all, err
		}
		all = append(all, some...)
	}
}

func (c *Complaints) read() ([]Complaint, error) {
	file, err := os.Open(filepath.Join(c.Dir, feedbackFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading feedback: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.NewSectionReader(file, c.at, followedAtOnce))
	if err != nil {
		return nil, fmt.Errorf("reading feedback: %w", err)
	}
	text = text[:bytes.LastIndexByte(text, '\n')+1]
	c.at += int64(len(text))
	var all []Complaint
	for line := range bytes.Lines(text) {
		var m Mark
		if json.Unmarshal(line, &m) != nil || m.ID == "" {
			continue
		}
		was := c.marks[m.ID] == Spam
		c.marks.add(m)
		if is := c.marks[m.ID] == Spam; is != was && !m.Time.Before(c.Since) {
			all = append(all, Complaint{m.Time, m.ID, is})
		}
	}
	return all, nil
}
