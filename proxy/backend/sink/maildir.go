package sink

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// take keeps a message whose end was seen, and reports whether it could. taken says that it is to be acknowledged.
func (s *Sink) take(m *Message, taken bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if taken && s.Maildir != "" {
		s.written++
		err = deliver(s.Maildir, fmt.Sprintf("%d.%06d.sink", time.Now().Unix(), s.written), m.Data)
	}
	m.Taken = taken && err == nil
	if m.Taken && s.Taken != nil {
		s.Taken(*m)
	} else {
		s.messages = append(s.messages, *m)
	}
	return err
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
