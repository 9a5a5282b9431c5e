package verdictlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"weir/filters"
	"weir/scoring/verdictlog/bodies"
)

// Bodies is the folder of the messages that are kept beside the log in dir.
func Bodies(dir string) string { return filepath.Join(dir, "bodies") }

// forgetBodies erases the kept messages whose records name the address, and those that have it in them as it is written, in
// a decoded header or in their text. It comes before the records are changed: only they tell which messages are meant.
func forgetBodies(ctx context.Context, f *forgetting, parts []part) (messages int, err error) {
	shelf, err := bodies.Look(Bodies(f.dir))
	if err != nil {
		return 0, err
	}
	defer shelf.Close()
	if shelf.Len() == 0 {
		return 0, nil
	}
	named := map[string]bool{}
	f.each = func(line []byte) {
		if r, err := ReadRecord(line); err == nil {
			named[r.ID] = true
		}
	}
	for _, p := range parts {
		if err := f.look(p); err != nil {
			return 0, fmt.Errorf("looking through %s: %w", p.name(), err)
		}
	}
	f.each = nil
	return shelf.Forget(ctx, func(id string, raw func() []byte) bool { return named[id] || f.inMessage(raw()) })
}

// look calls f.each with the lines of a file that name the address.
func (f *forgetting) look(p part) error {
	file, err := os.Open(filepath.Join(f.dir, p.name()))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it was expired meanwhile
	}
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = f.copy(io.Discard, file)
	return err
}

// inMessage reports whether a message has the address in it.
func (f *forgetting) inMessage(raw []byte) bool {
	if f.has(string(raw)) {
		return true
	}
	m := filters.ParseMessage(raw)
	for _, field := range m.Fields() {
		if f.has(field.Value) {
			return true
		}
	}
	return f.has(m.Text())
}

// has reports whether a text names the address.
func (f *forgetting) has(text string) bool {
	return f.names[0] != "" && replaceName(text, f.names[0], f.with) != text
}
