package proxy

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

const (
	inMemory   = 256 << 10 // larger messages go to a file
	firstSpool = 16 << 10  // most messages are smaller
)

var (
	errTooLarge = errors.New("message larger than the limit")
	errNoSpace  = errors.New("no space for the message")
	errNoRoom   = errors.New("too many messages are judged at once")
	errSpool    = errors.New("spooling the message")
)

// spool is one message as it was received: in memory, or in a file that has no name any more.
type spool struct {
	memory []byte
	file   *os.File
	size   int64
	mapped bool // memory is the file
}

// receive reads a message to its end. A message larger than the limit is read on without being kept, so that the client
// reads the refusal; the gate sees to it that this has an end. The spool returned must be closed, also with an error.
func receive(r io.Reader, limit int64, dir string) (*spool, error) {
	m := &spool{memory: make([]byte, 0, firstSpool)}
	for {
		if len(m.memory) == cap(m.memory) {
			if err := m.grow(dir); err != nil {
				return m, err
			}
		}
		n, err := r.Read(m.memory[len(m.memory):cap(m.memory)])
		m.memory = m.memory[:len(m.memory)+n]
		m.size += int64(n)
		switch {
		case m.size > limit:
			if _, err := io.Copy(io.Discard, r); err != nil {
				return m, fmt.Errorf("receiving the message: %w", err)
			}
			return m, errTooLarge
		case errors.Is(err, io.EOF):
			return m, m.finish()
		case err != nil:
			return m, fmt.Errorf("receiving the message: %w", err)
		}
	}
}

// grow makes room in memory, or writes memory to the file when it is full.
func (m *spool) grow(dir string) error {
	if cap(m.memory) < inMemory {
		m.memory = append(make([]byte, 0, min(4*cap(m.memory), inMemory)), m.memory...)
		return nil
	}
	if m.file == nil {
		file, err := os.CreateTemp(dir, "weir-*.eml")
		if err != nil {
			return spoolError(err)
		}
		m.file = file
		if err := os.Remove(file.Name()); err != nil {
			return spoolError(err)
		}
	}
	return m.write()
}

func (m *spool) write() error {
	if _, err := m.file.Write(m.memory); err != nil {
		return spoolError(err)
	}
	m.memory = m.memory[:0]
	return nil
}

// finish makes the message readable.
func (m *spool) finish() error {
	if m.file == nil {
		return nil
	}
	if err := m.write(); err != nil {
		return err
	}
	data, err := syscall.Mmap(int(m.file.Fd()), 0, int(m.size), syscall.PROT_READ, syscall.MAP_PRIVATE)
	if err != nil {
		return spoolError(err)
	}
	m.memory, m.mapped = data, true
	return nil
}

func spoolError(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", errNoSpace, err)
	}
	return fmt.Errorf("%w: %w", errSpool, err)
}

// bytes returns the message. They must not be changed, nor read after close.
func (m *spool) bytes() []byte { return m.memory }

// close gives memory and file back.
func (m *spool) close() error {
	var errs []error
	if m.mapped {
		errs = append(errs, syscall.Munmap(m.memory))
	}
	if m.file != nil {
		errs = append(errs, m.file.Close())
	}
	m.memory, m.mapped, m.file = nil, false, nil
	return errors.Join(errs...)
}
