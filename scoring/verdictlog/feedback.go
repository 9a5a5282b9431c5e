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
	"strings"
	"time"
)

// What people say of messages.
const (
	Spam    = "spam"
	Ham     = "ham"
	Unlearn = "forget" // what was said is taken back
)

// Mark is what somebody has said of a message. It names neither sender nor recipient nor subject.
type Mark struct {
	Time    time.Time `json:"time"`
	Learned string    `json:"learned"`          // Spam, Ham or Unlearn
	ID      string    `json:"id,omitempty"`     // of its verdict; "" if the log has none
	SHA256  string    `json:"sha256,omitempty"` // of the message, where no ID is known
}

// feedbackFile holds the marks, a line each, the newest last. It is only ever added to.
const feedbackFile = "feedback.jsonl"

// Learn adds a mark beside the log in dir. It returns when the mark is on the disk.
func Learn(dir string, m Mark) error {
	text, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("keeping feedback: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, feedbackFile), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o640)
	if err != nil {
		return fmt.Errorf("keeping feedback: %w", err)
	}
	_, err = endLine(file) // of a crash
	if err == nil {
		_, err = file.Write(append(text, '\n'))
	}
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("keeping feedback: %w", err)
	}
	return nil
}

// Marks are what was said last of each message: Spam or Ham, by the id of its verdict or the digest of the message.
type Marks map[string]string

// ReadMarks reads the marks beside the log in dir. Lines that are no marks, such as one cut off by a crash, are passed over.
func ReadMarks(dir string) (Marks, error) {
	marks := Marks{}
	file, err := os.Open(filepath.Join(dir, feedbackFile))
	if errors.Is(err, fs.ErrNotExist) {
		return marks, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading feedback: %w", err)
	}
	defer file.Close()
	for in := newLines(file); ; {
		line, err := in.next()
		if errors.Is(err, io.EOF) {
			return marks, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading feedback: %w", err)
		}
		var m Mark
		if json.Unmarshal(line, &m) == nil {
			marks.add(m)
		}
	}
}

func (marks Marks) add(m Mark) {
	key := m.ID
	if key == "" {
		key = m.SHA256
	}
	switch m.Learned {
	case Unlearn:
		delete(marks, key)
	case Spam, Ham:
		if key != "" {
			marks[key] = m.Learned
		}
	}
}

// Of is what was said of the message of r; "" if nothing.
func (marks Marks) Of(r *Record) string {
	if said := marks[r.ID]; said != "" || r.Message == nil {
		return said
	}
	return marks[r.Message.SHA256]
}

// in reports whether something may have been said of the message whose record is on the line.
func (marks Marks) in(line []byte) bool {
	for _, before := range []string{`"id":"`, `"sha256":"`} {
		for rest := line; ; {
			_, after, found := bytes.Cut(rest, []byte(before))
			if !found {
				break
			}
			if value, _, _ := bytes.Cut(after, []byte{'"'}); marks[string(value)] != "" {
				return true
			}
			rest = after
		}
	}
	return false
}

func parseLearned(value string) (matcher, error) {
	wanted := strings.ToLower(value)
	if wanted != Spam && wanted != Ham {
		return matcher{}, fmt.Errorf("say learned:spam or learned:ham, not %s", value)
	}
	return matcher{marked: true, holds: func(r *Record) bool { return r.Learned == wanted }}, nil
}
