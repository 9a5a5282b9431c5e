package verdictlog

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// ErrNoAddress is the error of Forget for what is no address.
var ErrNoAddress = errors.New("want an address, LOCALPART@DOMAIN")

// Forget takes the local part of an address out of all records of the log in dir that name it, also where it is hashed;
// the rest of them stays. Messages that are kept beside the log and name it are erased as a whole, first of all. It returns
// how many of either there were. The log may be written meanwhile: for as long as its newest file takes
// to be written anew, records wait. What is put afterwards may name the address again.
func Forget(ctx context.Context, dir, address string) (records, messages int, err error) {
	at := strings.LastIndexByte(address, '@')
	if at <= 0 || at == len(address)-1 {
		return 0, 0, fmt.Errorf("%q: %w", address, ErrNoAddress)
	}
	parts, err := list(dir)
	if err != nil {
		return 0, 0, err
	}
	f := forgetting{ctx: ctx.Err, dir: dir, names: []string{address}, with: address[at:]}
	if key := findSecret(dir); key != nil {
		f.names = append(f.names, key.address(address))
	}
	for _, name := range f.names {
		f.sieve = append(f.sieve, newNeedle(cmp.Or(plain(name), "@")))
	}
	if messages, err = forgetBodies(ctx, &f, parts); err != nil {
		return 0, messages, err
	}
	for _, p := range parts {
		n, err := f.part(p)
		if records += n; err != nil {
			return records, messages, fmt.Errorf("forgetting in %s: %w", p.name(), err)
		}
	}
	return records, messages, nil
}

// forgetting writes files anew without an address.
type forgetting struct {
	ctx   func() error // ends it
	dir   string
	names []string          // what the address is called
	sieve []needle          // of each name what a line has that names it
	with  string            // what stands for it
	each  func(line []byte) // is told of each line that names it; may be nil
}

// part writes a file anew, if it must, and its index if it had one.
func (f *forgetting) part(p part) (changed int, err error) {
	name := filepath.Join(f.dir, p.name())
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil // it was expired meanwhile
	}
	if err != nil {
		return 0, err
	}
	defer file.Close()
	if changed, err = f.copy(io.Discard, file); err != nil || changed == 0 {
		return 0, err
	}
	if err := lock(file); err != nil { // until it is closed
		return 0, fmt.Errorf("keeping the log from writing: %w", err)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	if err := os.Remove(filepath.Join(f.dir, p.indexName())); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	err = writeWhole(name, info, func(to io.Writer) error {
		changed, err = f.copy(to, file)
		return err
	})
	if err != nil || p.index == 0 {
		return changed, err
	}
	anew, err := os.Open(name)
	if err != nil {
		return changed, err
	}
	defer anew.Close()
	return changed, makeIndex(f.dir, p, anew, f.ctx)
}

// copy writes the lines of a file without the address, and returns how many had it.
func (f *forgetting) copy(to io.Writer, from io.Reader) (changed int, err error) {
	in, out := bufio.NewReaderSize(from, readSize), bufio.NewWriterSize(to, readSize)
	for n := 1; ; n++ {
		if n%often == 0 && f.ctx() != nil {
			return changed, f.ctx()
		}
		line, err := in.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return changed, err
		}
		ended := err != nil
		if forgot := f.line(line); !bytes.Equal(forgot, line) {
			if f.each != nil {
				f.each(line)
			}
			line = forgot
			changed++
		}
		if _, err := out.Write(line); err != nil {
			return changed, err
		}
		if ended {
			return changed, out.Flush()
		}
	}
}

// line is a line of JSON in whose strings the address is replaced. What is no string that can be read, as in a line that
// was cut off, is looked through as it stands.
func (f *forgetting) line(line []byte) []byte {
	if !slices.ContainsFunc(f.sieve, func(n needle) bool { return n.in(line) }) {
		return line
	}
	var out []byte
	for {
		start := bytes.IndexByte(line, '"')
		if start < 0 {
			return append(out, f.replace(string(line))...)
		}
		end := start + stringLen(line[start:])
		out = append(append(out, f.replace(string(line[:start]))...), f.text(line[start:end])...)
		line = line[end:]
	}
}

// text is a string of JSON, its quotes included, without the address.
func (f *forgetting) text(quoted []byte) []byte {
	if !bytes.Contains(quoted, []byte("@")) {
		return quoted
	}
	var said string
	if json.Unmarshal(quoted, &said) != nil {
		return []byte(f.replace(string(quoted)))
	}
	without := f.replace(said)
	if without == said {
		return quoted
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(without); err != nil {
		return quoted // cannot happen: it is a string
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func (f *forgetting) replace(text string) string {
	for _, name := range f.names {
		text = replaceName(text, name, f.with)
	}
	return text
}

// stringLen is how long the string is that b begins with, its quotes included; all of b if it does not end.
func stringLen(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b)
}

// lock waits until nobody else has the file locked, and locks it until it is closed or unlocked. Who writes to a file of
// the log has it locked, and so has who replaces it.
func lock(file *os.File) error { return flock(file, syscall.LOCK_EX) }

func unlock(file *os.File) error { return flock(file, syscall.LOCK_UN) }

func flock(file *os.File, how int) error {
	for {
		if err := syscall.Flock(int(file.Fd()), how); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
