package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// ErrHeld is wrapped by Hold when another process holds the snapshot.
var ErrHeld = errors.New("another process keeps this snapshot")

// Open makes a memory from the snapshot in the file path, by the rules of Load. Without a file the error wraps
// fs.ErrNotExist.
func Open(path string, maxBytes int64) (*Memory, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening the snapshot: %w", err)
	}
	defer f.Close()
	m, err := Load(f, maxBytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// Restore is Open for who starts to use the snapshot: without a file the memory is empty, and a broken file is set
// aside under another name, with an error that wraps ErrBroken and says so beside the empty memory. After any other
// error there is no memory.
func Restore(path string, maxBytes int64) (*Memory, error) {
	m, err := Open(path, maxBytes)
	switch {
	case err == nil:
		return m, nil
	case errors.Is(err, fs.ErrNotExist):
		return NewMemory(maxBytes), nil
	case !errors.Is(err, ErrBroken):
		return nil, err
	}
	aside := path + ".broken"
	if renamed := os.Rename(path, aside); renamed != nil {
		return nil, fmt.Errorf("setting the snapshot aside: %w", errors.Join(renamed, err))
	}
	return NewMemory(maxBytes), fmt.Errorf("set aside as %s: %w", aside, err)
}

// SaveFile writes a snapshot into the file path, for its owner's eyes only: all of it or nothing, also when the machine
// stops in the middle. Until it is whole it is in path.new. Only who holds the snapshot may call it.
func (m *Memory) SaveFile(path string) (err error) {
	if err := os.Remove(path + ".new"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("writing a snapshot: %w", err)
	}
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("writing a snapshot: %w", err)
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if err := errors.Join(m.Save(f), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("writing a snapshot: %w", err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("writing a snapshot: %w", err)
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// Hold makes the snapshot path this process's own until release is called or the process ends. Whoever writes it holds
// it.
func Hold(path string) (release func() error, err error) {
	f, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("holding the snapshot: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, ErrHeld)
	}
	return f.Close, nil
}
