package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestRestore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "snapshot")
	if _, err := Open(path, 0); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	m, err := Restore(path, 1<<16)
	if err != nil {
		t.Fatal(err)
	}
	add(t, m, noon, Delta{Key: "k", N: 5, Life: time.Hour})
	for range 2 {
		if err := os.WriteFile(path+".new", []byte("left by a crash"), 0o666); err != nil {
			t.Fatal(err)
		}
		if err := m.SaveFile(path); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v", info, err)
	}
	if m, err = Restore(path, 1<<16); err != nil || within(t, m, noon, 0, "k").N != 5 {
		t.Fatal("not restored", err)
	}

	if err := os.WriteFile(path, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err = Restore(path, 1<<16)
	if m == nil || !errors.Is(err, ErrBroken) || len(m.Keys("")) != 0 {
		t.Fatalf("%v %v", m, err)
	}
	if kept, err := os.ReadFile(path + ".broken"); err != nil || string(kept) != "broken" {
		t.Errorf("%q %v", kept, err)
	}
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) != 1 {
		t.Errorf("%v %v", files, err)
	}
	if err := m.SaveFile(filepath.Join(path, "no folder")); err == nil {
		t.Error("wrote where there is no folder")
	}
}

func TestHold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "snapshot")
	release, err := Hold(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Hold(path); !errors.Is(err, ErrHeld) {
		t.Errorf("held twice: %v", err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	if release, err = Hold(path); err != nil {
		t.Fatal(err)
	}
	release()
}
