package sink

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// take remembers a message, and writes it to the Maildir if it was taken.
func (s *Sink) take(m *Message, taken bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m.Taken, m.Closed = taken, time.Now()
	s.messages = append(s.messages, *m)
	if !taken || s.Maildir == "" {
		return
	}
	s.written++
	if err := deliver(s.Maildir, fmt.Sprintf("%d.%06d.sink", m.Closed.Unix(), s.written), m.Data); err != nil {
		s.messages[len(s.messages)-1].Taken = false
	}
}

// deliver writes data as a new message of a Maildir: first to tmp, then moved to new.
func deliver(dir, name string, data []byte) error {
	for _, sub := range []string{"tmp", "new", "cur"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return fmt.Errorf("making the Maildir: %w", err)
		}
	}
	tmp := filepath.Join(dir, "tmp", name)
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		return fmt.Errorf("writing to the Maildir: %w", err)
	}
	if err := os.Rename(tmp, filepath.Join(dir, "new", name)); err != nil {
		return fmt.Errorf("delivering to the Maildir: %w", err)
	}
	return nil
}
